//! An ELSA on loopback with a known ground truth and faults on request.
//!
//! It serves the `demo` command and the tests of the real binary. What it guarantees is that an
//! archive can be compared with the truth: every record of a [`Project`] follows from the
//! project's seed, so [`Project::truth`] knows what an archive must hold without asking anybody.
//!
//! It refuses what the service's pages say is refused (`ELSA-API.md`, module `gateway`),
//! answers in any [`Dialect`] that they leave open, spoils answers as a [`FaultPlan`] says, and
//! keeps a journal of all of it. It speaks plain HTTP on 127.0.0.1 and nothing else.

mod dialect;
mod download;
mod fault;
mod gateway;
mod http;
mod journal;
mod noise;
mod record;
mod render;
mod reply;
mod server;
mod state;
pub mod truth;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use crate::clock::machine_time;
use crate::domain::span::{Millis, UtcMs};

pub use dialect::{
    CsvLayout, Dialect, EmptyAnswer, Framing, JsonLayout, Newline, Order, TimeStyle,
};
pub use fault::{Fault, FaultPlan};
pub use journal::Entry;
pub use record::{FIELDS, Record};
pub use render::Rendering;
pub use world::{KeyPair, Permitted, Project};

use state::State;

/// The simulator's clock: it judges signatures, dates answers and decides what is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock, moved by this many milliseconds.
    Skewed(Millis),
    /// A clock that stands still.
    Frozen(UtcMs),
}

impl Clock {
    /// What it shows.
    #[must_use]
    pub fn now(self) -> UtcMs {
        match self {
            Self::Skewed(by) => machine_time().plus(by),
            Self::Frozen(at) => at,
        }
    }
}

/// What a simulator starts with. The default is an empty world with the default keys, an honest
/// service and the machine's own clock.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may ask.
    pub accounts: Vec<KeyPair>,
    /// What there is; of two with the same key and number the first counts.
    pub projects: Vec<Project>,
    /// How it is answered.
    pub dialect: Dialect,
    /// What time it is.
    pub clock: Clock,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// The instant that decides which records are indexed, in place of the clock.
    pub visible_at: Option<UtcMs>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: vec![KeyPair::default()],
            projects: Vec::new(),
            dialect: Dialect::default(),
            clock: Clock::Skewed(Millis::ZERO),
            faults: FaultPlan::none(),
            visible_at: None,
        }
    }
}

/// A running simulator; dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    state: Arc<State>,
    address: SocketAddr,
    _stops_when_dropped: DropGuard,
}

impl Simulator {
    /// Starts one on a free port of 127.0.0.1. Must be called within a tokio runtime that has
    /// its I/O and time drivers enabled.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(settings));
        let accepting = server::accept(listener, Arc::clone(&state));
        let stop = state.stop.clone();
        state.tasks.spawn(async move {
            stop.run_until_cancelled(accepting).await;
        });
        Ok(Self {
            address,
            _stops_when_dropped: state.stop.clone().drop_guard(),
            state,
        })
    }

    /// Where it is, as a configuration says it: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The project with that key, for its truth.
    #[must_use]
    pub fn project(&self, key: &str) -> Option<&Project> {
        let mut projects = self.state.projects.iter();
        projects.find(|project| project.key() == key)
    }

    /// What time it is here.
    #[must_use]
    pub fn now(&self) -> UtcMs {
        self.state.now()
    }

    /// Sets the clock, from the next request on.
    pub fn set_clock(&self, clock: Clock) {
        self.state.live().clock = clock;
    }

    /// Replaces the plan of faults, from the next request on.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.state.live().faults = faults;
    }

    /// Sets the instant that decides which records are indexed; `None` for the clock's.
    pub fn set_visible_at(&self, visible_at: Option<UtcMs>) {
        self.state.live().visible_at = visible_at;
    }

    /// Every request since the start or the last [`Simulator::clear_journal`] (the newest 65,536
    /// of them), in order of arrival.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.state.journal.entries()
    }

    /// Forgets every request so far, those that are still being answered too.
    pub fn clear_journal(&self) {
        self.state.journal.clear();
    }

    /// Ends it: connections are closed, whatever they were about, and every task has ended when
    /// this returns.
    pub async fn shutdown(self) {
        self.state.stop.cancel();
        self.state.tasks.close();
        self.state.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
