//! An ELSA on loopback with a known ground truth and faults on request.
//!
//! It serves the `demo` command and the tests of the real binary. What it guarantees is that an
//! archive can be compared with the truth: every record of a [`Project`] follows from the
//! project's seed, so [`Project::truth`] knows what an archive must hold without asking anybody.
//!
//! It refuses what the service's pages say is refused (`ELSA-API.md`, module `gateway`),
//! answers in any [`Dialect`] that they leave open, spoils answers as a [`FaultPlan`] says,
//! leaves out of them what a [`Lie`] hides, and keeps a journal of all of it. It speaks plain HTTP on 127.0.0.1 and nothing else.
//!
//! Each file uses only files named before it: `noise`, `call`, `dialect`, `fault`, `gateway_error`,
//! `world`, `truth`, `record`, `render`, `lie`, `search`, `journal`, `http`, `request`, `gateway`,
//! `settings`, `download`, `results`, `reply`, `answer`, `state`, `server`.

mod answer;
mod call;
mod dialect;
mod download;
mod fault;
mod flaw;
mod gateway;
mod gateway_error;
mod http;
mod journal;
mod lie;
mod noise;
mod record;
mod render;
mod reply;
mod request;
mod results;
mod search;
mod server;
mod settings;
mod state;
pub mod truth;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use crate::domain::span::{Millis, UtcMs};

pub use call::Call;
pub use dialect::{
    CsvLayout, Dialect, EmptyAnswer, Framing, JsonLayout, Newline, Order, TimeStyle,
};
pub use fault::{Fault, FaultPlan, Flaw};
pub use journal::Entry;
pub use lie::{Lie, LieKind, LyingCalls};
pub use record::{FIELDS, Record};
pub use render::Rendering;
pub use search::{Search, SearchAccess, SearchForm};
pub use settings::{ServiceClock, Settings};
pub use world::{KeyPair, Permitted, Project, Truth};

use state::State;

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

    /// Its address for a config: `http://127.0.0.1:PORT`.
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
    pub fn set_clock(&self, clock: ServiceClock) {
        self.state.live().clock = clock;
    }

    /// Replaces the plan of faults, from the next request on.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.state.live().faults = faults;
    }

    /// Sets how the search call behaves, from the next request on.
    pub fn set_search(&self, search: Search) {
        self.state.live().search = search;
    }

    /// Replaces the lies, from the next request on; those with a number of times are counted anew.
    pub fn set_lies(&self, lies: Vec<Lie>) {
        self.state.set_lies(lies);
    }

    /// Sets the instant that decides which records are indexed; `None` for the clock's.
    pub fn set_visible_at(&self, visible_at: Option<UtcMs>) {
        self.state.live().visible_at = visible_at;
    }

    /// Lets the service forget what was logged before this instant.
    pub fn forget_before(&self, kept_from: UtcMs) {
        self.state.live().kept_from = kept_from;
    }

    /// Sets what the `Date` header shows in addition to the clock, from the next answer on.
    pub fn set_date_skew(&self, date_skew: Option<Millis>) {
        self.state.live().date_skew = date_skew;
    }

    /// Keeps each answer back for as long as this, or for a random time between the two, from the next
    /// request on.
    pub fn set_latency(&self, latency: RangeInclusive<Duration>) {
        self.state.live().latency = latency;
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

    /// Ends it: connections are closed, also in the middle of an answer, and every task has ended
    /// when this returns.
    pub async fn shutdown(self) {
        self.state.stop.cancel();
        self.state.tasks.close();
        self.state.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
