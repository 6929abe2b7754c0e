//! What is known at one instant. What depends on the clock is computed from it when it is asked for, so that it is true
//! between cycles too, and where no cycle comes.

use std::sync::Arc;

use crate::domain::job::{AccountName, Job};
use crate::domain::plan::{deadline_of, plan, reach};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::{Window, Windows};
use crate::elsa::client::requests::Tally;
use crate::ledger::outline::Outline;

/// All that is known.
#[derive(Debug)]
pub(super) struct Facts {
    /// The instant, by this machine's clock.
    pub(super) now: UtcMs,
    /// When the process began to watch.
    pub(super) started: UtcMs,
    /// How far behind a job's coverage may be.
    pub(super) max_lag: Millis,
    /// The enabled jobs, by name.
    pub(super) jobs: Vec<JobFacts>,
    /// Their accounts, by name.
    pub(super) accounts: Vec<AccountFacts>,
    /// Receivers of notices, what became of those, and how many.
    pub(super) notices: Vec<(&'static str, &'static str, u64)>,
    /// Bytes that are free where the archive is, where that is known.
    pub(super) free_bytes: Option<u64>,
}

/// An account.
#[derive(Debug)]
pub(super) struct AccountFacts {
    pub(super) name: AccountName,
    /// Requests in flight.
    pub(super) in_flight: u64,
    /// Whether its service is down, or the circuit breaker of one of its jobs is open.
    pub(super) is_open: bool,
}

/// What a job has archived in all. It never goes back while the process lives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// A cycle that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// For how long.
    pub(super) since: Millis,
    /// How long ago it began, or a window or a request of its account has ended last.
    pub(super) quiet: Millis,
}

/// A job.
#[derive(Debug)]
pub(super) struct JobFacts {
    pub(super) job: Arc<Job>,
    /// Why it can't run.
    pub(super) why: Option<Arc<str>>,
    /// What its ledger shows; `None` where the job could not be started.
    pub(super) outline: Option<Arc<Outline>>,
    pub(super) totals: Totals,
    /// Its requests; `None` where the job could not be started.
    pub(super) requests: Option<Tally>,
    /// The earlier of this machine's clock and the service's.
    pub(super) now: UtcMs,
    /// Whether its circuit breaker is open.
    pub(super) is_open: bool,
    /// Whether its last cycle has ended with an error.
    pub(super) has_failed: bool,
    /// When its last cycle has ended.
    pub(super) looked: Option<UtcMs>,
    /// Its cycle, if one runs.
    pub(super) running: Option<Running>,
}

/// How many windows are lost, and how many of them the operator knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) windows: u64,
    pub(super) acknowledged: u64,
}

impl JobFacts {
    /// The end of the span that is archived without a gap since `since`.
    pub(super) fn covered_until(&self) -> Option<UtcMs> {
        let outline = self.outline.as_ref()?;
        Some(outline.covered_until(self.job.since))
    }

    /// The windows that are due now, oldest first.
    pub(super) fn due(&self) -> Vec<Window> {
        let due = |outline: &Arc<Outline>| {
            let closed = outline.closed(reach(self.now, &self.job));
            plan(self.now, &closed, &outline.missing, &self.job)
        };
        self.outline.as_ref().map(due).unwrap_or_default()
    }

    /// When the service begins to forget what is `due`; `None` when nothing is, or the job does not say how long logs
    /// are kept.
    pub(super) fn loss_deadline(&self, due: &[Window]) -> Option<UtcMs> {
        due.first()
            .and_then(|oldest| deadline_of(*oldest, &self.job))
    }

    /// What is lost, in windows as the job cuts them.
    pub(super) fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        let Some(outline) = &self.outline else {
            return lost;
        };
        for (span, is_known) in outline.lost() {
            let is_missing = |missing: &Span| missing.intersection(span).is_some();
            let is_concern = span.to() > self.job.since
                || outline.missing.iter().any(is_missing)
                || self.job.is_owed(span);
            if !is_concern {
                continue;
            }
            let windows = Windows::starting(&self.job.zone, self.job.window, span.from());
            let windows = windows.map_while(|window| window.clipped_to(span));
            let windows = windows.count() as u64;
            lost.windows += windows;
            lost.acknowledged += if is_known { windows } else { 0 };
        }
        lost
    }
}
