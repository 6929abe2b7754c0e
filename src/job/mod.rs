//! One job, from a look to a ledger line: the only place that has the service and the disk. Carries
//! *Isolated* (a failing window is left behind, not waited for), *Ordered* and *Self-healing* (a
//! cycle starts from what the ledger does not cover, whatever happened before).
//!
//! - `runner`: one cycle, from top to bottom
//! - `recorder`: lines of the ledger, and the circuit breaker; the only file that writes them in a cycle
//! - `executor`: how many windows at once
//! - `publish`: a staged window becomes `Published`
//! - `revise`: a window that was requested again, beside what is archived of it
//! - `suspects`: windows that may lack records, since answers to another job were cut
//! - `service_time`: our clock against the service's
//! - `news`: lines of the ledger, for whoever is told
//! - `outage`: what is kept of an account's outage for `status`
//! - `view`: ledger and clocks, read for the domain's decisions
//! - `reconcile`: archive against ledger
//! - `prove`: the lines of ledgers that a start has not read
//! - `prune`: letting go of old data
//! - `repair`: the cure for what `verify` finds, outside of cycles

mod densities;
mod executor;
mod mode;
mod news;
pub(crate) mod outage;
mod outcome;
mod prove;
pub(crate) mod prune;
mod publish;
mod reconcile;
mod recorder;
pub(crate) mod repair;
mod revise;
mod runner;
mod service_time;
mod suspects;
mod view;

use std::sync::Arc;

use crate::domain::job::Job;
use crate::domain::notice::News;
use crate::domain::standing::Standing;
use crate::domain::window::Window;
use crate::ledger::replay::Replay;
pub use mode::Mode;
pub use outcome::Outcome;
pub(crate) use prove::{Pace, prove};
pub use runner::JobRunner;

pub(crate) use crate::ledger::proof::Proof;

/// Tells how a job's cycles go on, for a progress bar, for metrics and for whoever is notified.
pub trait Progress: Send + Sync {
    /// So many more windows are to be archived or rechecked.
    fn planned(&self, _job: &Job, _windows: usize) {}
    /// One of them has ended, archived or not.
    fn done(&self, _job: &Job, _window: Window) {}
    /// How the job stands in the middle of a cycle.
    fn stands(&self, _job: &Job, _now: &Standing) {}
    /// A cycle begins.
    fn began(&self, _job: &Job) {}
    /// A cycle has ended so.
    fn ended(&self, _job: &Job, _outcome: &Outcome) {}
    /// A cycle that was not stopped has ended, and the job stands so until the next one.
    fn rests(&self, _job: &Job, _outcome: &Outcome, _now: &Standing) {}
    /// The ledger says this now, durably.
    fn recorded(&self, _job: &Job, _news: &News) {}
    /// The ledger shows this now, durably; told after each group of windows.
    fn holds(&self, _job: &Job, _replay: &Replay) {}
    /// This is what the ledger shows now, and whether the circuit breaker is open.
    fn shows(&self, _job: &Arc<Job>, _replay: &Replay, _is_open: bool) {}
}

/// Shows nothing.
#[derive(Debug)]
pub struct NoProgress;

impl Progress for NoProgress {}

#[cfg(test)]
pub(crate) use runner::tests;
