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

/// What is observed, and where; the config's `[observe]`.
#[derive(Debug)]
pub(crate) struct Places {
    /// Where to listen.
    pub(crate) listen: Option<SocketAddr>,
    /// A file for node_exporter's textfile collector; absolute.
    pub(crate) textfile: Option<PathBuf>,
    /// The archive's root, of which the free space is told.
    pub(crate) root: PathBuf,
    /// The state directory, in which the ledgers are.
    pub(crate) state_dir: PathBuf,
}

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

/// The tasks that tell; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Observing {
    _tasks: JoinSet<()>,
}

/// Begins to tell what `watch` sees.
///
/// # Errors
/// When the address can't be listened on.
pub(crate) async fn start(watch: Arc<Watch>, places: Places) -> Result<Observing, ListenError> {
    let mut tasks = JoinSet::new();
    if let Some(address) = places.listen {
        let fail = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        tracing::info!(%address, "metrics are at /metrics, health at /healthz and /readyz, a page at /");
        let desk = Desk::new(Arc::clone(&watch), places.root.clone(), places.state_dir);
        tasks.spawn(server::serve(listener, Arc::clone(&watch), Arc::new(desk)));
    }
    if let Some(path) = places.textfile {
        tasks.spawn(textfile::keep(path, Arc::clone(&watch)));
    }
    tasks.spawn(look_at_space(places.root, watch));
    Ok(Observing { _tasks: tasks })
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
