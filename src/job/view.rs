//! What is known of a job before a cycle decides: its ledger and both clocks, read and not written.
//! `domain` decides. Carries *Candid*: a window that waits for its pause is counted all the same.

use std::collections::{BTreeMap, VecDeque};

use super::suspects::Suspects;
use super::{Mode, Outcome};
use crate::archive::publish::Archived;
use crate::archive::store::Store;
use crate::domain::coverage::Coverage;
use crate::domain::failures::{Failed, Task};
use crate::domain::job::Job;
use crate::domain::plan::{plan, reach};
use crate::domain::queue::{self, Pauses, Work};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::fetch::{Neighbour, Wanted};
use crate::ledger::replay::Replay;

/// How long a window must have failed before a refusal is taken for the service's answer to it.
const LEFT_ALONE: Millis = Millis::from_days(1);

/// A job as it is now.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) job: &'a Job,
    pub(super) replay: &'a Replay,
    pub(super) store: &'a Store,
    /// Windows that may lack records, beside those of the ledger.
    pub(super) suspects: &'a Suspects,
    /// What is archived of the windows that the operator wants once more.
    pub(super) again: &'a BTreeMap<Window, Archived>,
    /// This machine's clock.
    pub(super) ours: UtcMs,
    /// The earlier of this machine's clock and the service's.
    pub(super) both: UtcMs,
}

impl View<'_> {
    /// What is to be done of the windows that are `due`, and of the `rechecks`.
    pub(super) fn queue(
        self,
        due: &[Window],
        rechecks: &[Window],
        pauses: Pauses,
    ) -> VecDeque<Work> {
        queue::queue(&self.facts(due, rechecks), pauses)
    }

    /// The one window to try, to see whether the job's failure is over.
    pub(super) fn next_in_turn(self, due: &[Window], rechecks: &[Window]) -> Option<Work> {
        queue::next_in_turn(&self.facts(due, rechecks))
    }

    fn facts<'b>(&'b self, due: &'b [Window], rechecks: &'b [Window]) -> queue::Facts<'b> {
        queue::Facts {
            now: self.ours,
            due,
            rechecks,
            archive_failures: self.replay.failures(Task::Archive),
            recheck_failures: self.replay.failures(Task::Recheck),
            spare_bytes: self.store.spare_bytes(),
        }
    }

    /// The windows that are due for a recheck, where no clock says that it is too early: `now` is
    /// the earlier of both.
    pub(super) fn due_rechecks(self, now: UtcMs, mode: Mode) -> Vec<Window> {
        if !mode.rechecks() {
            return self.again.keys().copied().collect();
        }
        // The ledger's times are by our clock.
        let mut due = self.replay.recheckable.due(self.ours, self.job);
        due.retain(|&window| !self.suspects.contains(window));
        due.splice(0..0, self.suspects.windows());
        due.retain(|&window| self.recheck_at(window) <= now);
        due
    }

    /// Those of them that may lack records, since the service was found to cut answers.
    pub(super) fn suspects(self, now: UtcMs, mode: Mode) -> Vec<Window> {
        let in_ledger = &self.replay.recheckable;
        let mut due = self.due_rechecks(now, mode);
        due.retain(|&window| self.suspects.contains(window) || in_ledger.is_suspect(window));
        due
    }

    /// Before this instant a window is not rechecked. One that may lack records waits for no recheck.
    pub(super) fn recheck_at(self, window: Window) -> UtcMs {
        if self.again.contains_key(&window) {
            return window.to();
        }
        let in_ledger = &self.replay.recheckable;
        let is_suspect = self.suspects.contains(window) || in_ledger.is_suspect(window);
        let asked = in_ledger.asked(window).filter(|_| !is_suspect);
        let after = asked.and_then(|asked| self.job.recheck.after(asked));
        window.to().plus(after.unwrap_or(Millis::ZERO))
    }

    /// Whether a window has failed for a day, while others before and after it are archived; or was
    /// archived for that reason `before`, and is seen again.
    fn is_left_alone(self, window: Window, before: Option<&Archived>) -> bool {
        if let Some(before) = before {
            let is_unknown = before.records.is_none() && before.bytes == 0;
            return is_unknown && before.status == Status::Unproven;
        }
        let failures = self.replay.failures(Task::Archive).get(&window);
        let lasts = failures.is_some_and(|known| known.first.plus(LEFT_ALONE) <= self.ours);
        let archived = || self.replay.coverage.spans();
        let before = archived().any(|span| span.from() < window.from());
        let after = archived().any(|span| span.to() > window.to());
        lasts && after && (before || window.from() <= self.job.since)
    }

    /// What of a request for `window` follows from the ledger; `before` is what is archived of it.
    pub(super) fn wanted(self, window: Window, before: Option<&Archived>, mode: Mode) -> Wanted {
        Wanted {
            window,
            estimate: None,
            settled_at: window.to().plus(self.job.settle),
            cross_check: mode.cross_check(self.job.cross_check),
            before: self.replay.estimator.last(),
            zip_bytes_before: None,
            is_first: self.is_first(window, before),
            neighbours: self.replay.recheckable.neighbours(window).map(|found| {
                let revision = |window| self.replay.revisions.get(&window).copied();
                found.map(|window| Neighbour {
                    window,
                    revision: revision(window).unwrap_or(1),
                })
            }),
            was_empty: before.is_some_and(|before| before.records == Some(0)),
            is_contradicted: self.replay.incomplete.is_contradicted(window),
            is_wanted_whole: self.again.contains_key(&window),
            is_left_alone: self.is_left_alone(window, before),
        }
    }

    /// Whether nothing is archived of the time before the first window of the job, and it is not known to be
    /// complete by what was archived of it `before`.
    fn is_first(self, window: Window, before: Option<&Archived>) -> bool {
        let first = self.replay.coverage.spans().next();
        let is_oldest = match first {
            None => true,
            // Not each window of a backfill that begins with the newest.
            Some(first) => first.from() >= window.from() && window.from() <= self.job.since,
        };
        is_oldest && before.is_none_or(|before| before.status != Status::Complete)
    }

    /// Whether a window has settled since the cycle began: it is not to wait for rechecks. Those that
    /// are `asked` for again have had their turn, and wait behind them.
    pub(super) fn has_new_window(self, asked: impl Fn(&Window) -> bool) -> bool {
        let mut due = plan(
            self.both,
            &self.closed(),
            &self.replay.missing.spans(),
            self.job,
        );
        due.retain(|window| !asked(window));
        queue::has_new_window(&due, self.replay.failures(Task::Archive))
    }

    /// The windows that are due and begin at `after` or later, oldest first.
    pub(super) fn settled_after(self, after: UtcMs) -> Vec<Window> {
        let mut known = self.closed();
        if let Some(before) = Span::new(UtcMs(i64::MIN), after) {
            known.add(before);
        }
        plan(self.both, &known, &[], self.job)
    }

    /// Spans that are lost and not acknowledged.
    pub(super) fn unacknowledged_losses(self) -> u64 {
        let lost = self.replay.lost();
        lost.iter()
            .filter(|&&(span, is_known)| !is_known && self.replay.concerns(span, self.job))
            .count() as u64
    }

    /// The outcome of a cycle that requests nothing.
    pub(super) fn paused(
        self,
        planned: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        mode: Mode,
        why: String,
    ) -> Outcome {
        Outcome {
            left: planned(
                self.both,
                &self.closed(),
                &self.replay.missing.spans(),
                self.job,
            )
            .len() as u64,
            unchecked: self.due_rechecks(self.both, mode).len() as u64,
            lost: self.unacknowledged_losses(),
            error: Some(why),
            ..Outcome::default()
        }
    }

    /// The outcome of a cycle when the archive's folders can't be read. The oldest due window's
    /// failure says so in `status`, as often as that window would be tried.
    pub(super) fn blocked(
        self,
        planned: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        why: String,
    ) -> (Outcome, Option<Failed>) {
        let due = planned(
            self.both,
            &self.closed(),
            &self.replay.missing.spans(),
            self.job,
        );
        let outcome = Outcome {
            left: (due.len() as u64).max(1),
            error: Some(why.clone()),
            ..Outcome::default()
        };
        // What is lost shows as such, and not as a failure.
        let mut missing = due
            .into_iter()
            .filter(|window| !self.replay.is_known_lost(window.span()));
        let known = self.replay.failures(Task::Archive);
        let is_paused = |window: &Window| {
            known
                .get(window)
                .is_some_and(|known| known.is_paused(Task::Archive, self.ours))
        };
        let failed = missing
            .next()
            .filter(|window| !is_paused(window))
            .map(|window| Failed {
                window,
                message: why,
                needs_bytes: Some(0),
                contradicts: false,
            });
        (outcome, failed)
    }

    fn closed(self) -> Coverage {
        self.replay.closed(reach(self.both, self.job))
    }
}
