//! A cycle: one pass of one job. What is due is planned, collected, published and recorded,
//! window by window. Carries *Isolated* (a failing window is left behind, not waited for) and
//! *Self-healing* (it starts from what the ledger does not cover, whatever happened before).

mod asking;
mod attempt;
mod choice;
mod collect;
mod outcome;
mod pass;
mod patience;
mod publishing;
mod recheck;
mod standstill;
mod stock;
mod work;

use std::sync::Arc;

use tokio::task::JoinError;

use crate::archive::adopt::UnrecordedFolder;
use crate::archive::quarantine::Quarantine;
use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::job::Job;
use crate::domain::limits::Limits;
use crate::domain::retry::Policy;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::resolve::SpanLimit;
use crate::durable::Disk;
use crate::elsa::client::Client;
use crate::ledger::{Ledger, LedgerError};
use collect::NotCollected;
pub use outcome::Outcome;
pub use pass::Pass;
use standstill::Standstill;

/// Tells how a job's cycle goes on, for a progress bar.
pub trait Watch: Send + Sync {
    /// A cycle has begun with so many windows to archive.
    fn planned(&self, _job: &Job, _windows: usize) {}
    /// One of them is done with, archived or not.
    fn done(&self, _job: &Job, _window: Span) {}
}

/// Watches nothing.
#[derive(Debug)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// What all jobs of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The archive's root.
    pub store: Store,
    /// Where zips that were refused are kept.
    pub quarantine: Quarantine,
    /// The time of day.
    pub clock: Clock,
    /// How patiently one span is asked for.
    pub policy: Policy,
    /// Bounds on what a zip may become.
    pub limits: Limits,
}

/// A job with its ledger, ready for cycles. The state directory's lock must be held.
pub struct JobRunner {
    job: Arc<Job>,
    client: Arc<Client>,
    ledger: Ledger,
    shared: Arc<Shared>,
    watch: Arc<dyn Watch>,
    /// Folders that the ledger lacks and that can't be adopted: their spans are blocked.
    unrecorded: Vec<UnrecordedFolder>,
    /// How long a span the service can answer, as far as the windows so far have shown.
    span_limit: SpanLimit,
    /// When the service was asked what time it is because our clock was ahead, by our clock.
    time_asked: Option<UtcMs>,
    /// The failure of all windows since which none was archived.
    standstill: Option<Standstill>,
    /// Whether anything was looked for since the program was started.
    has_begun: bool,
    /// Whether the archive may hold a folder that the ledger lacks.
    look_for_folders: bool,
}

impl JobRunner {
    /// Opens the ledger of `job` in `state_dir`.
    ///
    /// # Errors
    /// When the ledger can't be read or written, or is damaged.
    pub fn open(
        job: Arc<Job>,
        client: Arc<Client>,
        state_dir: &std::path::Path,
        disk: &Disk,
        shared: Arc<Shared>,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(state_dir, &job.name, disk, &shared.clock)?;
        let (unrecorded, look_for_folders) = (Vec::new(), true);
        Ok(Self {
            job,
            client,
            ledger,
            shared,
            watch,
            unrecorded,
            span_limit: SpanLimit::default(),
            time_asked: None,
            standstill: None,
            has_begun: false,
            look_for_folders,
        })
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn broken(error: &JoinError) -> NotCollected {
    NotCollected::Window(format!("the program failed within itself: {error}"))
}

#[cfg(test)]
pub(crate) mod tests;
