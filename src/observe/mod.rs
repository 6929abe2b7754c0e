//! What others may ask while the daemon runs: metrics, whether it is well, and a page. It reads what the jobs show, and decides
//! nothing. Carries *Candid*, and *Isolated*: no lock is held while a disk or a network is waited for, so no cycle
//! waits for whoever asks.
//!
//! - `watch`: what the jobs have shown last
//! - `facts`: all of it at one instant; what depends on the clock is computed then
//! - `metrics`: facts as metrics; `exposition`: Prometheus's text format
//! - `health`: whether the process makes progress, and whether each job is within `max_lag`
//! - `desk`: the page, made of what the ledgers show
//! - `server`: connections; `answer`: what a request is answered
//! - `textfile`: the same metrics as a file

mod answer;
mod desk;
mod exposition;
mod facts;
mod health;
mod metrics;
mod server;
mod textfile;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::archive::store::free_bytes;
use desk::Desk;
pub(crate) use watch::Watch;

/// How often it is looked how much space is free.
const LOOK_AT_SPACE: Duration = Duration::from_secs(10);

/// Nobody can listen there.
#[derive(Debug, Error)]
#[error(
    "can't listen on {address} (observe.listen): {source}{}",
    advice(.source)
)]
pub(crate) struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program has it, or another instance of this one: stop that one, or choose another port"
        }
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        std::io::ErrorKind::PermissionDenied => "; choose a port above 1023",
        _ => "",
    }
}

/// A socket that is listened on; nobody is answered yet.
#[derive(Debug)]
pub(crate) struct Listener(std::net::TcpListener);

/// Listens on `address`.
///
/// # Errors
/// When that can't be had.
pub(crate) fn bind(address: SocketAddr) -> Result<Listener, ListenError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(Listener(listener))
    });
    bound.map_err(|source| ListenError { address, source })
}

/// The tasks that tell what a watch sees; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Observing {
    watch: Arc<Watch>,
    desk: Arc<Desk>,
    _space: JoinSet<()>,
    answering: JoinSet<()>,
    writing: JoinSet<()>,
}

impl Observing {
    /// Begins to look how much space is free where the archive's `root` is. The ledgers are in `state_dir`. In a runtime.
    pub(crate) fn start(watch: Arc<Watch>, root: PathBuf, state_dir: PathBuf) -> Self {
        let mut space = JoinSet::new();
        let desk = Desk::new(Arc::clone(&watch), root.clone(), state_dir);
        space.spawn(look_at_space(root, Arc::clone(&watch)));
        Self {
            watch,
            desk: Arc::new(desk),
            _space: space,
            answering: JoinSet::new(),
            writing: JoinSet::new(),
        }
    }

    /// Answers on `listener`, and nowhere else.
    ///
    /// # Errors
    /// When the runtime can't watch the socket.
    pub(crate) fn answer_on(&mut self, listener: Option<Listener>) -> std::io::Result<()> {
        self.answering = JoinSet::new();
        if let Some(Listener(listener)) = listener {
            let listener = TcpListener::from_std(listener)?;
            let address = listener.local_addr()?;
            tracing::info!(%address, "metrics are at /metrics, health at /healthz and /readyz, a page at /");
            let served = server::serve(listener, Arc::clone(&self.watch), Arc::clone(&self.desk));
            self.answering.spawn(served);
        }
        Ok(())
    }

    /// Keeps the metrics in `file`, for node_exporter's textfile collector, and in no other.
    pub(crate) fn write_to(&mut self, file: Option<PathBuf>) {
        self.writing = JoinSet::new();
        if let Some(path) = file {
            self.writing
                .spawn(textfile::keep(path, Arc::clone(&self.watch)));
        }
    }
}

/// Looks how much space is free, one look at a time: a file system that hangs holds up no answer.
async fn look_at_space(root: PathBuf, watch: Arc<Watch>) {
    loop {
        let root = root.clone();
        if let Ok(Ok(free)) = spawn_blocking(move || free_bytes(&root)).await {
            watch.has_free(free);
        }
        sleep(LOOK_AT_SPACE).await;
    }
}

#[cfg(test)]
mod tests;
