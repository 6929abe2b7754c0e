//! Which of what is due is done in a cycle, and in which order. Carries *Isolated*: what has failed
//! before comes after what has not, since it may end the cycle, and what fails for this machine's
//! disk comes last of all.

use std::collections::VecDeque;

use super::JobRunner;
use super::work::Work;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::ledger::failures::Task;

impl JobRunner {
    /// The windows that are due for a recheck, where no clock says that it is too early: `now` is
    /// the earlier of both.
    pub(super) fn due_rechecks(&self, now: UtcMs) -> Vec<Span> {
        // The ledger's times are by our clock.
        let ours = self.shared.clock.now();
        let after = self.job.recheck.unwrap_or(Millis::ZERO);
        let mut due = self.ledger.replay().recheckable.due(ours, &self.job);
        due.retain(|window| window.to().plus(after) <= now);
        due
    }

    /// What is to be done, in this order. Where it is `patient`, what failed before is left alone
    /// until its pause is over; what failed for this machine's disk, until there is space.
    pub(super) fn works(&self, due: &[Span], rechecks: &[Span], patient: bool) -> VecDeque<Work> {
        let (archive, archive_last) = self.in_turn(Task::Archive, due, patient);
        let (recheck, recheck_last) = self.in_turn(Task::Recheck, rechecks, patient);
        // What is missing comes first: it is what the service may forget.
        let archived = |windows: Vec<Span>| windows.into_iter().map(Work::Archive);
        let rechecked = |windows: Vec<Span>| windows.into_iter().filter_map(|w| self.recheck(w));
        archived(archive)
            .chain(rechecked(recheck))
            .chain(archived(archive_last))
            .chain(rechecked(recheck_last))
            .collect()
    }

    /// What is worth a try next of what is not worth one now.
    pub(super) fn next_in_turn(&self, due: &[Span], rechecks: &[Span]) -> Option<Work> {
        let next = |task: Task, windows: &[Span]| {
            let replay = self.ledger.replay();
            let next = |&window: &Span| {
                replay
                    .failures_of(task, window)
                    .map(|known| known.next(task))
            };
            windows.iter().copied().min_by_key(next)
        };
        next(Task::Archive, due)
            .map(Work::Archive)
            .or_else(|| self.recheck(next(Task::Recheck, rechecks)?))
    }

    fn recheck(&self, window: Span) -> Option<Work> {
        let asked = self.ledger.replay().recheckable.asked(window)?;
        Some(Work::Recheck(window, asked))
    }

    /// Those of `windows` that are worth a try, and those that failed for the disk and are.
    fn in_turn(&self, task: Task, windows: &[Span], patient: bool) -> (Vec<Span>, Vec<Span>) {
        let now = self.shared.clock.now();
        let known = |window| self.ledger.replay().failures_of(task, window);
        let needs = |window| known(window).and_then(|known| known.needs_bytes);
        let is_paused =
            |window| patient && known(window).is_some_and(|known| known.is_paused(task, now));
        let mut sorted = windows.to_vec();
        sorted.sort_by_key(|&window| known(window).map(|known| known.next(task)));
        let (disk, others): (Vec<Span>, Vec<Span>) = sorted
            .into_iter()
            .filter(|&window| {
                let has_space = |bytes| self.shared.store.check_space(bytes).is_ok();
                !is_paused(window) || needs(window).is_some_and(has_space)
            })
            .partition(|&window| needs(window).is_some());
        (others, disk)
    }
}
