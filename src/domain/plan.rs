//! What is due: the settled windows that coverage lacks. Carries *Self-healing*: nothing here
//! knows which timer fired or what failed before.

use super::coverage::Coverage;
use super::job::Job;
use super::span::{Millis, Span, UtcMs};
use super::window::{Window, Windows};

/// How long before the service forgets a window that is due its operator is told.
const CLOSE: Millis = Millis::from_days(3);

/// The windows of `job` that are due at `now`, oldest first, because the service forgets the
/// oldest first.
///
/// A window is cut at civil boundaries, and clipped where `since` or coverage cuts it. It is due
/// once `settle` has passed since its end. What is `owed` was archived, and its folder is missing: it is
/// due before `since` too, and as it was cut then, so that what is archived says what it takes the place of.
/// So is what the job lacks that this one goes on from. A job that is not enabled has nothing due.
#[must_use]
pub(crate) fn plan(now: UtcMs, coverage: &Coverage, owed: &[Span], job: &Job) -> Vec<Window> {
    if !job.enabled {
        return Vec::new();
    }
    let since = Span::new(job.since, UtcMs(i64::MAX));
    let before = Span::new(UtcMs(i64::MIN), job.since);
    let all = owed.iter().chain(&job.owed);
    let parts = all.filter_map(|owed| before?.intersection(*owed));
    let spans: Vec<Span> = parts.chain(since).collect();
    due_in(now, coverage, owed, job, &spans)
}

/// The windows of `job` inside `span` that are due at `now`, as [`plan`] cuts them, oldest first; what is
/// `owed` is clipped where the span cuts it. What the jobs have that this one goes on from is not due.
#[must_use]
pub(crate) fn plan_of(
    now: UtcMs,
    coverage: &Coverage,
    owed: &[Span],
    job: &Job,
    span: Span,
) -> Vec<Window> {
    let inside = owed.iter().copied().filter(|owed| span.covers(*owed));
    let mut archived = coverage.clone();
    job.elsewhere.iter().for_each(|&span| archived.add(span));
    due_in(now, &archived, &inside.collect::<Vec<_>>(), job, &[span])
}

/// The due ones of the windows that are `owed`, whole, and of those in `spans`.
fn due_in(
    now: UtcMs,
    coverage: &Coverage,
    owed: &[Span],
    job: &Job,
    spans: &[Span],
) -> Vec<Window> {
    let settled = now.minus(job.settle);
    let is_whole = |owed: &&Span| coverage.missing_in(**owed) == [**owed] && owed.to() <= settled;
    let whole: Vec<Span> = owed.iter().filter(is_whole).copied().collect();
    let cut = |coverage: &Coverage| -> Vec<Window> {
        let mut wanted = Coverage::new();
        spans.iter().for_each(|&span| wanted.add(span));
        wanted
            .spans()
            .flat_map(|span| windows_in(now, coverage, job, span))
            .collect()
    };
    if whole.is_empty() {
        return cut(coverage);
    }
    let mut rest = coverage.clone();
    whole.iter().for_each(|&owed| rest.add(owed));
    let mut due = cut(&rest);
    due.extend(whole.into_iter().map(Window::of));
    due.sort();
    due
}

/// The instant before which the service has forgotten everything at `now`; `None` when the job
/// does not say how long it keeps logs.
#[must_use]
pub(crate) fn reach(now: UtcMs, job: &Job) -> Option<UtcMs> {
    job.retention.map(|keeps| now.minus(keeps))
}

/// When the service forgets the beginning of `window`; `None` when the job does not say.
#[must_use]
pub(crate) fn deadline_of(window: Window, job: &Job) -> Option<UtcMs> {
    job.retention.map(|keeps| window.from().plus(keeps))
}

/// Whether little of the time until a `deadline` is left: less than three days, or a tenth of how long the
/// service keeps logs, where that is more.
#[must_use]
pub(crate) fn is_close(deadline: UtcMs, now: UtcMs, job: &Job) -> bool {
    let tenth = job.retention.unwrap_or_default().part(0.1);
    deadline.since(now) < tenth.max(CLOSE)
}

/// The first window that is due by our clock, but not by the earlier of our clock and the
/// service's.
#[must_use]
pub(crate) fn due_by_our_clock_alone(by_ours: &[Window], by_both: &[Window]) -> Option<Window> {
    by_ours
        .iter()
        .find(|window| !by_both.contains(window))
        .copied()
}

/// The windows of `job` inside `span` that have settled at `now` and that coverage lacks, oldest
/// first; the first and the last are clipped where the span cuts them.
#[must_use]
fn windows_in(now: UtcMs, coverage: &Coverage, job: &Job, span: Span) -> Vec<Window> {
    let settled = now.minus(job.settle);
    let mut due = Vec::new();
    for missing in coverage.missing_in(span) {
        for window in Windows::starting(&job.zone, job.window, missing.from()) {
            let Some(window) = window.clipped_to(missing) else {
                break;
            };
            if window.to() > settled {
                return due;
            }
            due.push(window);
        }
    }
    due
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::job::{AccountName, Format, JobName, ToBound};
    use crate::domain::recheck::Recheck;
    use crate::domain::schedule::Schedule;
    use crate::domain::second_opinion::CrossCheck;
    use crate::domain::span::Millis;
    use crate::domain::window::{WindowSize, Zone};
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    pub(crate) fn job() -> Job {
        Job {
            keep: None,
            name: JobName::parse("shop").unwrap(),
            account: AccountName("default".into()),
            project_key: "Pb_shop".into(),
            project_id: 1,
            since: UtcMs(0),
            configured_since: UtcMs(0),
            zone: Zone::utc(),
            window: WindowSize::new(Millis(HOUR)).unwrap(),
            settle: Millis(600_000),
            schedule: Schedule::parse("*/5 * * * *").unwrap(),
            format: Format::Json,
            include_fields: Vec::new(),
            retention: None,
            recheck: Recheck::Never,
            to_bound: Some(ToBound::Inclusive),
            cross_check: CrossCheck::Off,
            count: 200_000,
            limit: 1000,
            records_zone: None,
            succeeds: None,
            owed: Vec::new(),
            elsewhere: Vec::new(),
            enabled: true,
        }
    }

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    fn window(from: i64, to: i64) -> Window {
        Window::of(span(from, to))
    }

    #[test]
    fn a_window_is_due_when_it_has_settled_and_not_a_millisecond_before() {
        let settled = HOUR + 600_000;
        assert_eq!(plan(UtcMs(settled - 1), &Coverage::new(), &[], &job()), []);
        assert_eq!(
            plan(UtcMs(settled), &Coverage::new(), &[], &job()),
            [window(0, HOUR)]
        );
    }

    /// Guarantee: Self-healing
    #[test]
    fn a_window_that_was_missed_in_the_middle_is_due_again() {
        let mut coverage = Coverage::new();
        coverage.add(span(0, HOUR));
        coverage.add(span(2 * HOUR, 5 * HOUR));
        let now = UtcMs(5 * HOUR + 600_000);
        assert_eq!(plan(now, &coverage, &[], &job()), [window(HOUR, 2 * HOUR)]);
    }

    /// Guarantee: Exactly once
    #[test]
    fn a_window_that_is_covered_in_part_is_due_for_the_rest() {
        let mut coverage = Coverage::new();
        coverage.add(span(HOUR / 2, HOUR + 1000));
        let now = UtcMs(2 * HOUR + 600_000);
        assert_eq!(
            plan(now, &coverage, &[], &job()),
            [window(0, HOUR / 2), window(HOUR + 1000, 2 * HOUR)]
        );
    }

    #[test]
    fn a_clock_before_since_and_a_disabled_job_have_nothing_due() {
        let late = Job {
            since: UtcMs(10 * HOUR),
            ..job()
        };
        assert_eq!(plan(UtcMs(5 * HOUR), &Coverage::new(), &[], &late), []);
        let off = Job {
            enabled: false,
            ..job()
        };
        assert_eq!(plan(UtcMs(5 * HOUR), &Coverage::new(), &[], &off), []);
    }

    /// Guarantee: Curable
    /// Guarantee: Evident
    #[test]
    fn what_is_owed_is_asked_for_as_it_was_cut() {
        let mut coverage = Coverage::new();
        coverage.add(span(2 * HOUR, 3 * HOUR));
        let longer = Job {
            since: UtcMs(HOUR),
            window: WindowSize::new(Millis(4 * HOUR)).unwrap(),
            ..job()
        };
        let now = UtcMs(5 * HOUR);
        let owed = [span(0, HOUR / 2), span(HOUR / 2, 2 * HOUR)];
        let whole = [window(0, HOUR / 2), window(HOUR / 2, 2 * HOUR)];
        let rest = window(3 * HOUR, 4 * HOUR);
        assert_eq!(
            plan(now, &coverage, &owed, &longer),
            [&whole[..], &[rest]].concat()
        );
        let asked = span(HOUR / 2, 4 * HOUR);
        assert_eq!(
            plan_of(now, &coverage, &owed, &longer, asked),
            [whole[1], rest]
        );
        let less = span(HOUR, 2 * HOUR);
        assert_eq!(
            plan_of(now, &coverage, &owed, &longer, less),
            [window(HOUR, 2 * HOUR)]
        );
        // What is archived of it by now is not asked for again.
        coverage.add(span(HOUR, 2 * HOUR));
        assert_eq!(
            plan(now, &coverage, &owed, &longer),
            [whole[0], window(HOUR / 2, HOUR), rest]
        );
    }

    proptest! {
        /// Archiving what is due leaves nothing due, covers nothing twice, and leaves no gap.
        ///
        /// Guarantee: Self-healing
        #[test]
        fn what_is_due_is_exactly_what_is_settled_and_missing(
            covered in prop::collection::vec((0i64..50, 1i64..200), 0..8),
            now in 0i64..60,
            since in 0i64..(20 * HOUR),
        ) {
            let job = Job { since: UtcMs(since), ..job() };
            let now = UtcMs(now * HOUR + 600_000);
            let mut coverage = Coverage::new();
            for (from, minutes) in covered {
                coverage.add(span(from * HOUR, from * HOUR + minutes * 60_000));
            }
            let due = plan(now, &coverage, &[], &job);
            for window in due.iter().map(|window| window.span()) {
                prop_assert_eq!(coverage.missing_in(window), vec![window]);
                prop_assert!(window.length().0 <= HOUR);
                coverage.add(window);
            }
            prop_assert_eq!(plan(now, &coverage, &[], &job), vec![]);
            // Between `since` and the last settled boundary nothing is missing.
            let settled = (now.0 - job.settle.0).div_euclid(HOUR) * HOUR;
            if let Some(known) = Span::new(job.since, UtcMs(settled)) {
                prop_assert_eq!(coverage.missing_in(known), vec![]);
            }
        }
    }
}
