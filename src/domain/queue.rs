//! The queue of a cycle: which windows are worth a try, and in which order. Carries *Isolated*:
//! what has failed before comes after what has not, since it may end the cycle, and what fails for
//! this machine's disk comes last of all.

use std::collections::{BTreeMap, VecDeque};

use super::failures::{Failures, Task};
use super::span::UtcMs;
use super::window::Window;

/// One window to archive or to recheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// What is done about it.
    pub task: Task,
    /// The window.
    pub window: Window,
}

/// Whether a failed window waits until its pause is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pauses {
    /// It is.
    Kept,
    /// It is tried now.
    Skipped,
}

/// What the queue is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// This machine's clock, by which the failures are dated.
    pub now: UtcMs,
    /// The windows that are due, in the order in which they are wanted.
    pub due: &'a [Window],
    /// The windows that are due for a recheck, likewise.
    pub rechecks: &'a [Window],
    /// How windows have failed to be archived.
    pub archive_failures: &'a BTreeMap<Window, Failures>,
    /// How rechecks have failed.
    pub recheck_failures: &'a BTreeMap<Window, Failures>,
    /// Bytes free beyond `min_free_space`; `None` when less is free than that, or nobody can tell.
    pub spare_bytes: Option<u64>,
}

impl<'a> Facts<'a> {
    fn failures(&self, task: Task, window: Window) -> Option<&'a Failures> {
        match task {
            Task::Archive => self.archive_failures.get(&window),
            Task::Recheck => self.recheck_failures.get(&window),
        }
    }

    /// What failed before waits for its pause. What failed for the disk waits for space alone.
    fn is_worth_a_try(&self, task: Task, window: Window) -> bool {
        let Some(known) = self.failures(task, window) else {
            return true;
        };
        let has_space = |needs| self.spare_bytes.is_some_and(|spare| needs <= spare);
        !known.is_paused(task, self.now) || known.needs_bytes.is_some_and(has_space)
    }
}

/// What to do, in this order: first what is missing, since the service may forget it; then
/// the rechecks; then whatever of both failed because of the disk.
#[must_use]
pub(crate) fn queue(facts: &Facts<'_>, pauses: Pauses) -> VecDeque<Work> {
    let (archive, archive_for_disk) = in_turn(facts, Task::Archive, facts.due, pauses);
    let (recheck, recheck_for_disk) = in_turn(facts, Task::Recheck, facts.rechecks, pauses);
    [archive, recheck, archive_for_disk, recheck_for_disk]
        .into_iter()
        .flatten()
        .collect()
}

/// The window whose pause ends first. One try of it shows whether the job's failure is over.
#[must_use]
pub(crate) fn next_in_turn(facts: &Facts<'_>) -> Option<Work> {
    let next = |task: Task, windows: &[Window]| {
        let next_try = |&window: &Window| {
            let known = facts.failures(task, window);
            known.map(|known| known.next_try(task))
        };
        let window = windows.iter().copied().min_by_key(next_try)?;
        Some(Work { task, window })
    };
    next(Task::Archive, facts.due).or_else(|| next(Task::Recheck, facts.rechecks))
}

/// Takes the last window of the queue that is to be archived and has never failed, which has least in common
/// with the first ones; where there is none, the first.
pub(crate) fn take_farthest(
    queue: &mut VecDeque<Work>,
    archive_failures: &BTreeMap<Window, Failures>,
) -> Option<Work> {
    let is_new =
        |work: &Work| work.task == Task::Archive && !archive_failures.contains_key(&work.window);
    let at = queue.iter().rposition(is_new);
    queue.remove(at.unwrap_or(0))
}

/// Whether a window is due that nothing is known to be wrong with: it does not wait for rechecks.
#[must_use]
pub(crate) fn has_new_window(
    due: &[Window],
    archive_failures: &BTreeMap<Window, Failures>,
) -> bool {
    due.iter()
        .any(|window| !archive_failures.contains_key(window))
}

/// Splits `windows` into those to try and those to try that failed because of the disk.
fn in_turn(
    facts: &Facts<'_>,
    task: Task,
    windows: &[Window],
    pauses: Pauses,
) -> (Vec<Work>, Vec<Work>) {
    let mut sorted = windows.to_vec();
    sorted.sort_by_key(|&window| {
        let known = facts.failures(task, window);
        known.map(|known| known.next_try(task))
    });
    sorted
        .into_iter()
        .filter(|&window| pauses == Pauses::Skipped || facts.is_worth_a_try(task, window))
        .map(|window| Work { task, window })
        .partition(|work| {
            let known = facts.failures(task, work.window);
            known.is_none_or(|known| known.needs_bytes.is_none())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::Span;

    const MINUTE: i64 = 60_000;

    fn window(number: i64) -> Window {
        Window::of(Span::new(UtcMs(number), UtcMs(number + 1)).unwrap())
    }

    #[test]
    fn the_farthest_window_is_one_that_has_never_failed() {
        let work = |task, number| Work {
            task,
            window: window(number),
        };
        let (archive, recheck) = (Task::Archive, Task::Recheck);
        let works = [(archive, 2), (archive, 3), (archive, 1), (recheck, 0)];
        let mut queue: VecDeque<Work> = works.map(|(task, number)| work(task, number)).into();
        let mut failures = BTreeMap::new();
        failures.insert(window(1), failed(0, None));
        for number in [3, 2, 1] {
            let taken = take_farthest(&mut queue, &failures);
            assert_eq!(taken, Some(work(archive, number)));
        }
        assert_eq!(take_farthest(&mut queue, &failures), Some(work(recheck, 0)));
        assert_eq!(take_farthest(&mut queue, &failures), None);
    }

    fn failed(last: i64, needs_bytes: Option<u64>) -> Failures {
        Failures {
            times: 1,
            first: UtcMs(last),
            last: UtcMs(last),
            message: "no".into(),
            needs_bytes,
        }
    }

    fn names(queue: impl IntoIterator<Item = Work>) -> Vec<(Task, i64)> {
        let name = |work: Work| (work.task, work.window.from().0);
        queue.into_iter().map(name).collect()
    }

    /// Guarantee: Isolated
    #[test]
    fn what_failed_comes_after_what_did_not_and_what_failed_for_the_disk_comes_last() {
        use Task::{Archive, Recheck};
        let archive_failures = BTreeMap::from([
            (window(1), failed(5, None)),
            (window(2), failed(3, None)),
            (window(3), failed(1, Some(10))),
        ]);
        let facts = Facts {
            now: UtcMs(MINUTE + 5),
            due: &[1, 2, 3, 4].map(window),
            rechecks: &[window(9)],
            archive_failures: &archive_failures,
            recheck_failures: &BTreeMap::new(),
            spare_bytes: Some(10),
        };
        assert_eq!(
            names(queue(&facts, Pauses::Kept)),
            [
                (Archive, 4),
                (Archive, 2),
                (Archive, 1),
                (Recheck, 9),
                (Archive, 3)
            ]
        );
    }

    #[test]
    fn a_pause_is_kept_and_a_disk_is_waited_for_by_its_space_alone() {
        let archive_failures = BTreeMap::from([
            (window(1), failed(0, None)),
            (window(2), failed(0, Some(10))),
            (window(3), failed(0, Some(11))),
        ]);
        let mut facts = Facts {
            now: UtcMs(1),
            due: &[1, 2, 3].map(window),
            rechecks: &[],
            archive_failures: &archive_failures,
            recheck_failures: &BTreeMap::new(),
            spare_bytes: Some(10),
        };
        assert_eq!(names(queue(&facts, Pauses::Kept)), [(Task::Archive, 2)]);
        assert_eq!(queue(&facts, Pauses::Skipped).len(), 3);
        facts.spare_bytes = None;
        assert!(queue(&facts, Pauses::Kept).is_empty());
        facts.now = UtcMs(MINUTE);
        assert_eq!(queue(&facts, Pauses::Kept).len(), 3);
    }

    #[test]
    fn one_try_goes_to_what_is_missing_before_a_recheck() {
        let archive_failures =
            BTreeMap::from([(window(1), failed(5, None)), (window(2), failed(3, None))]);
        let mut facts = Facts {
            now: UtcMs(6),
            due: &[1, 2].map(window),
            rechecks: &[window(9)],
            archive_failures: &archive_failures,
            recheck_failures: &BTreeMap::new(),
            spare_bytes: None,
        };
        assert_eq!(names(next_in_turn(&facts)), [(Task::Archive, 2)]);
        facts.due = &[];
        assert_eq!(names(next_in_turn(&facts)), [(Task::Recheck, 9)]);
        facts.rechecks = &[];
        assert_eq!(next_in_turn(&facts), None);
    }

    #[test]
    fn only_a_window_that_has_not_failed_is_news() {
        let failures = BTreeMap::from([(window(1), failed(0, None))]);
        assert!(!has_new_window(&[window(1)], &failures));
        assert!(has_new_window(&[window(1), window(2)], &failures));
    }
}
