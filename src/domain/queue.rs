//! The queue of a cycle: which windows are worth a try, and in which order. Carries *Isolated*:
//! what has failed before comes after what has not, since it may end the cycle, and what fails for
//! this machine's disk comes last of all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// How windows have failed, by what was to be done about them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Those that are to be archived.
    pub archive: &'a BTreeMap<Window, Failures>,
    /// Those that are to be rechecked.
    pub recheck: &'a BTreeMap<Window, Failures>,
    /// Whether one more window that fails would hold up the job's others.
    pub is_suspected: bool,
    /// Whether what the next window shows of the service spares those after it requests.
    pub teaches: bool,
    /// What ends later has not settled by all clocks that are known.
    pub settled: UtcMs,
}

/// What a window may do to those beside it: it may end the cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Risk {
    /// It has never failed.
    New,
    /// It has failed before.
    Failed,
    /// It has failed for this machine's disk, or has not settled by the service's clock: that ends the cycle.
    Alone,
}

impl Known<'_> {
    fn risk(&self, work: &Work) -> Risk {
        let failures = match work.task {
            Task::Archive => self.archive,
            Task::Recheck => self.recheck,
        };
        match failures.get(&work.window) {
            _ if work.window.to() > self.settled => Risk::Alone,
            None => Risk::New,
            Some(known) if known.needs_bytes.is_none() => Risk::Failed,
            Some(_) => Risk::Alone,
        }
    }
}

/// So many windows are a backlog. Fewer are done soon, in their order.
const BACKLOG: usize = 8;

/// So many windows at most are begun one by one to learn from them: those without records teach nothing.
const MOST_LESSONS: usize = 8;

/// The windows in flight, and which one goes next: a fresh window must not wait behind a backlog, and the
/// oldest is the first that the service forgets. So one of those in flight is the newest, and the others are
/// the oldest, which go first: they have settled by any clock. Where there is one at a time, they take turns.
///
/// What has failed before does not begin beside what has not, and what would end the cycle begins alone.
#[derive(Debug)]
pub(crate) struct Flight {
    in_flight: Vec<(Window, Risk)>,
    /// Those that had a turn: they may wait in the queue for their second, and are not fresh.
    begun: BTreeSet<Window>,
    from_both_ends: bool,
    /// The newest that is in flight.
    newest: Option<Window>,
    /// Whether the last one that was begun was the oldest.
    was_oldest: bool,
}

impl Flight {
    /// With nothing in flight. What the operator has put into an order is archived in it, and not
    /// `from_both_ends`.
    pub(crate) const fn new(from_both_ends: bool) -> Self {
        Self {
            in_flight: Vec::new(),
            begun: BTreeSet::new(),
            from_both_ends,
            newest: None,
            was_oldest: false,
        }
    }

    /// The place in the queue of the window that may begin now. Where one more that fails would hold up the
    /// job's others, it is the one farthest from those that have failed.
    pub(crate) fn next(&self, queue: &VecDeque<Work>, known: Known<'_>) -> Option<usize> {
        let is_new = |work: &Work| {
            let is_fresh = work.task == Task::Archive && !self.begun.contains(&work.window);
            is_fresh && known.risk(work) == Risk::New
        };
        let is_lesson = known.teaches && self.begun.len() < MOST_LESSONS;
        if is_lesson && !self.in_flight.is_empty() {
            return None;
        }
        let is_backlog = self.from_both_ends && queue.len() >= BACKLOG;
        let may_be_newest = is_backlog && !is_lesson && self.newest.is_none() && self.was_oldest;
        // What settles later is put behind.
        let at = match known.is_suspected || may_be_newest {
            true => queue.iter().rposition(is_new),
            false => None,
        };
        let at = at.unwrap_or(0);
        let risk = known.risk(queue.get(at)?);
        let goes_beside =
            |&(_, other): &(Window, Risk)| other.max(risk) < Risk::Alone && other >= risk;
        self.in_flight.iter().all(goes_beside).then_some(at)
    }

    /// Begins the window at that place.
    pub(crate) fn begin(
        &mut self,
        queue: &mut VecDeque<Work>,
        at: usize,
        known: Known<'_>,
    ) -> Option<Work> {
        let work = queue.remove(at)?;
        self.in_flight.push((work.window, known.risk(&work)));
        self.begun.insert(work.window);
        self.was_oldest = at == 0;
        if at > 0 {
            self.newest = Some(work.window);
        }
        Some(work)
    }

    /// Whether a window had a turn.
    pub(crate) fn had(&self, window: &Window) -> bool {
        self.begun.contains(window)
    }

    /// A window is no longer in flight.
    pub(crate) fn landed(&mut self, window: Window) {
        self.in_flight.retain(|(other, _)| *other != window);
        self.newest = self.newest.filter(|newest| *newest != window);
    }
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

    fn work(task: Task, number: i64) -> Work {
        Work {
            task,
            window: window(number),
        }
    }

    /// Begins the next window of the queue, and says its number.
    fn next(flight: &mut Flight, queue: &mut VecDeque<Work>, known: Known<'_>) -> Option<i64> {
        let at = flight.next(queue, known)?;
        let begun = flight.begin(queue, at, known);
        begun.map(|work| work.window.from().0)
    }

    #[test]
    fn the_farthest_window_is_one_that_has_never_failed() {
        let (archive, recheck) = (Task::Archive, Task::Recheck);
        let works = [(archive, 2), (archive, 3), (archive, 1), (recheck, 0)];
        let mut queue: VecDeque<Work> = works.map(|(task, number)| work(task, number)).into();
        let failures = BTreeMap::from([(window(1), failed(0, None))]);
        let known = Known {
            archive: &failures,
            recheck: &BTreeMap::new(),
            is_suspected: true,
            teaches: false,
            settled: UtcMs(100),
        };
        let mut flight = Flight::new(false);
        for number in [3, 2, 1, 0] {
            assert_eq!(next(&mut flight, &mut queue, known), Some(number));
            flight.landed(window(number));
        }
        assert_eq!(next(&mut flight, &mut queue, known), None);
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

    /// Guarantee: Isolated
    #[test]
    fn a_fresh_window_waits_behind_no_backlog_and_the_others_are_the_oldest() {
        let backlog = |windows| {
            (0..windows)
                .map(|number| work(Task::Archive, number))
                .collect()
        };
        let none = BTreeMap::new();
        let known = Known {
            archive: &none,
            recheck: &none,
            is_suspected: false,
            teaches: false,
            settled: UtcMs(100),
        };
        // Four in flight; the oldest of them land one after another, then the newest.
        let (mut flight, mut queue) = (Flight::new(true), backlog(20));
        let mut begun: Vec<_> = (0..4)
            .map(|_| next(&mut flight, &mut queue, known))
            .collect();
        for landed in [0, 1, 19, 2] {
            flight.landed(window(landed));
            begun.push(next(&mut flight, &mut queue, known));
        }
        assert_eq!(begun, [0, 19, 1, 2, 3, 4, 18, 5].map(Some));
        // What waits for its second turn is not fresh.
        flight.landed(window(18));
        queue.push_back(work(Task::Archive, 18));
        assert_eq!(next(&mut flight, &mut queue, known), Some(17));
        // One at a time, they take turns while they are many; a span is archived in its order.
        for (from_both_ends, numbers) in [
            (true, [0, 11, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9]),
            (false, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ] {
            let (mut flight, mut queue) = (Flight::new(from_both_ends), backlog(12));
            for number in numbers {
                assert_eq!(next(&mut flight, &mut queue, known), Some(number));
                flight.landed(window(number));
            }
            assert_eq!(next(&mut flight, &mut queue, known), None);
        }
    }

    /// Guarantee: Bounded
    #[test]
    fn what_each_window_may_learn_of_the_one_before_goes_one_by_one_but_not_for_ever() {
        let none = BTreeMap::new();
        let known = Known {
            archive: &none,
            recheck: &none,
            is_suspected: false,
            teaches: true,
            settled: UtcMs(100),
        };
        let mut queue = (0..20).map(|number| work(Task::Archive, number)).collect();
        let mut flight = Flight::new(true);
        for number in 0..MOST_LESSONS as i64 {
            assert_eq!(next(&mut flight, &mut queue, known), Some(number));
            assert_eq!(flight.next(&queue, known).is_some(), number == 7);
            flight.landed(window(number));
        }
        let mut begin = || next(&mut flight, &mut queue, known);
        assert_eq!([0; 3].map(|_| begin()), [19, 8, 9].map(Some));
    }

    /// Guarantee: Isolated
    #[test]
    fn what_failed_before_may_end_the_cycle_and_so_does_not_begin_beside_what_did_not() {
        let archive = BTreeMap::from([
            (window(2), failed(0, None)),
            (window(3), failed(0, None)),
            (window(4), failed(0, Some(1))),
            (window(5), failed(0, Some(1))),
        ]);
        let known = Known {
            archive: &archive,
            recheck: &BTreeMap::new(),
            is_suspected: false,
            teaches: false,
            settled: UtcMs(100),
        };
        let numbers = (0..6).chain([100]);
        let mut queue = numbers.map(|number| work(Task::Archive, number)).collect();
        let mut flight = Flight::new(true);
        let mut begin = |flight: &mut Flight| next(flight, &mut queue, known);
        assert_eq!([0, 1].map(|_| begin(&mut flight)), [Some(0), Some(1)]);
        assert_eq!(begin(&mut flight), None);
        flight.landed(window(1));
        assert_eq!(begin(&mut flight), None);
        flight.landed(window(0));
        assert_eq!([0, 1].map(|_| begin(&mut flight)), [Some(2), Some(3)]);
        flight.landed(window(2));
        flight.landed(window(3));
        // The last one has not settled by the service's clock.
        for number in [4, 5, 100] {
            assert_eq!(begin(&mut flight), Some(number));
            assert_eq!(begin(&mut flight), None);
            flight.landed(window(number));
        }
    }

    #[test]
    fn only_a_window_that_has_not_failed_is_news() {
        let failures = BTreeMap::from([(window(1), failed(0, None))]);
        assert!(!has_new_window(&[window(1)], &failures));
        assert!(has_new_window(&[window(1), window(2)], &failures));
    }
}
