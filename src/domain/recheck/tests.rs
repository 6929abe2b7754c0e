//! Rechecks: which windows are due for one, and what a second answer means beside the first.

use super::*;
use crate::domain::plan::tests::job;
use crate::domain::span::Span;

const HOUR: i64 = 3_600_000;

fn span(from: i64, to: i64) -> Window {
    Window::of(Span::new(UtcMs(from), UtcMs(to)).unwrap())
}

fn daily() -> Job {
    Job {
        recheck: Recheck::After(Millis(24 * HOUR)),
        ..job()
    }
}

/// A first request, which nothing has confirmed.
fn first_asked(at: UtcMs) -> Asked {
    Asked {
        at,
        line: 0,
        again: false,
        confirmed: Way::None,
        records: Some(3000),
        retry: false,
        suspected: None,
    }
}

/// The first hour, archived ten minutes after its end.
fn one_window() -> (Recheckable, Window) {
    let mut known = Recheckable::default();
    let window = span(0, HOUR);
    let asked = first_asked(UtcMs(HOUR + 600_000));
    known.archived(window, asked);
    (known, window)
}

/// Guarantee: Complete
#[test]
fn a_window_is_due_for_a_recheck_once_and_not_a_millisecond_before() {
    let (mut known, window) = one_window();
    assert_eq!(known.due(UtcMs(25 * HOUR - 1), &daily()), []);
    assert_eq!(known.due(UtcMs(25 * HOUR), &daily()), [window]);
    assert_eq!(known.due(UtcMs(25 * HOUR), &job()), []);
    known.unchanged(window, UtcMs(25 * HOUR));
    assert_eq!(known.due(UtcMs(100 * HOUR), &daily()), []);
}

/// Guarantee: Complete
#[test]
fn what_was_archived_late_is_seen_twice_too_and_what_was_revised_is_not() {
    let (mut known, window) = one_window();
    let late = Asked {
        line: 7,
        ..first_asked(UtcMs(25 * HOUR))
    };
    known.archived(window, late);
    assert_eq!(known.due(UtcMs(49 * HOUR - 1), &daily()), []);
    assert_eq!(known.due(UtcMs(49 * HOUR), &daily()), [window]);
    known.unchanged(window, UtcMs(49 * HOUR));
    assert_eq!(known.due(UtcMs(100 * HOUR), &daily()), []);
    let asked = Asked {
        line: 7,
        again: true,
        ..first_asked(UtcMs(25 * HOUR))
    };
    known.archived(window, asked);
    assert_eq!(known.due(UtcMs(100 * HOUR), &daily()), []);
    assert_eq!(known.asked(window), Some(asked));
    // A longer `recheck` makes it due once more, for a revision of the revision.
    let later = Job {
        recheck: Recheck::After(Millis(72 * HOUR)),
        ..job()
    };
    assert_eq!(known.due(UtcMs(100 * HOUR), &later), [window]);
}

#[test]
fn what_the_service_has_begun_to_forget_is_not_rechecked() {
    let (known, window) = one_window();
    let keeps = Job {
        retention: Some(Millis(30 * HOUR)),
        ..daily()
    };
    assert_eq!(known.due(UtcMs(30 * HOUR), &keeps), [window]);
    assert_eq!(known.due(UtcMs(30 * HOUR + 1), &keeps), []);
}

/// Guarantee: Bounded
#[test]
fn a_recheck_that_could_not_be_had_is_due_for_a_week_and_not_for_ever() {
    let (known, window) = one_window();
    let last = UtcMs(25 * HOUR + DUE_FOR.0 - 1);
    assert_eq!(known.due(last, &daily()), [window]);
    assert_eq!(known.due(last.plus(Millis(1)), &daily()), []);
    // Moving `since` past it is a way out, as it is for what is missing.
    let moved = Job {
        since: UtcMs(HOUR),
        ..daily()
    };
    assert_eq!(known.due(last, &moved), []);
}

/// Guarantee: Complete
/// Guarantee: Its own
#[test]
fn what_the_job_before_lacked_is_seen_again_like_any_other() {
    let (known, window) = one_window();
    let heir = Job {
        since: UtcMs(10 * HOUR),
        ..daily()
    };
    assert_eq!(known.due(UtcMs(25 * HOUR), &heir), []);
    let owing = Job {
        owed: vec![window.span()],
        ..heir
    };
    assert_eq!(known.due(UtcMs(25 * HOUR), &owing), [window]);
}

/// Guarantee: Confirmed
/// Guarantee: Bounded
#[test]
fn what_may_lack_records_is_due_for_a_week_however_long_ago_it_was_archived() {
    let (mut known, window) = one_window();
    let found = UtcMs(HOUR + DUE_FOR.0 * 2);
    known.suspect_since(0, found);
    for job in [job(), daily()] {
        assert_eq!(known.due(found, &job), [window]);
        assert_eq!(known.due(found.plus(DUE_FOR), &job), []);
    }
    known.unchanged(window, found);
    assert_eq!(known.due(found, &job()), []);
}

/// Guarantee: Complete
#[test]
fn an_ask_that_a_wrong_clock_has_dated_is_none() {
    let (mut known, window) = one_window();
    let asked = first_asked(UtcMs(500 * HOUR));
    known.archived(window, asked);
    assert_eq!(known.due(UtcMs(30 * HOUR), &daily()), [window]);
    known.unchanged(window, UtcMs(30 * HOUR));
    assert_eq!(known.due(UtcMs(31 * HOUR), &daily()), []);
}

/// Guarantee: Bounded
#[test]
fn windows_are_forgotten_in_time() {
    let mut known = Recheckable::default();
    for hour in 0..10_000 {
        let window = span(hour * HOUR, (hour + 1) * HOUR);
        let asked = first_asked(window.to());
        known.archived(window, asked);
    }
    assert_eq!(known.windows().count(), 37 * 24 + 1);
    // What is backfilled from long ago is remembered as long, and no more than so many windows.
    for hour in 0..MOST as i64 {
        let asked = first_asked(UtcMs(10_000 * HOUR));
        known.archived(span((hour - 90_000) * HOUR, (hour - 89_999) * HOUR), asked);
    }
    assert_eq!(known.windows().count(), MOST);
    assert!(known.asked(span(9_999 * HOUR, 10_000 * HOUR)).is_some());
}

/// What so many records are worth, of which the digest is known where there is one.
fn content(status: Status, records: u64, digest: Option<u128>) -> Content {
    let sum = |hash| {
        let mut sum = RecordsDigest::default();
        sum.add(hash);
        sum
    };
    Content {
        status,
        records: Some(records),
        digest: digest.map(sum),
    }
}

const UNCOUNTED: Content = Content {
    status: Status::Unproven,
    records: None,
    digest: None,
};

/// Guarantee: Complete
#[test]
fn numbers_tell_what_is_less_and_records_are_compared_where_it_is_more_or_others() {
    use Status::{Complete, Truncated, Unproven};
    const LESS: Verdict = Verdict::Doubtful(Doubt::Less);
    let known = |status, records| content(status, records, Some(records.into()));
    let (same, more, compared) = (Some(Verdict::Same), Some(Verdict::More), None);
    for (before, after, expected, numbers) in [
        (known(Complete, 5), known(Complete, 5), same, Verdict::Same),
        (
            known(Complete, 5),
            known(Complete, 6),
            compared,
            Verdict::More,
        ),
        (
            known(Complete, 5),
            known(Unproven, 6),
            compared,
            Verdict::More,
        ),
        (known(Complete, 5), known(Complete, 4), Some(LESS), LESS),
        (known(Complete, 5), known(Unproven, 5), same, Verdict::Same),
        (known(Complete, 5), UNCOUNTED, Some(LESS), LESS),
        (known(Unproven, 5), known(Complete, 5), more, Verdict::More),
        (known(Unproven, 5), known(Complete, 4), Some(LESS), LESS),
        (
            known(Truncated, 5),
            known(Truncated, 5),
            same,
            Verdict::Same,
        ),
        (UNCOUNTED, UNCOUNTED, same, Verdict::Same),
        (UNCOUNTED, known(Complete, 0), compared, Verdict::More),
        // As many, but others.
        (
            known(Complete, 5),
            content(Complete, 5, Some(6)),
            compared,
            Verdict::Same,
        ),
        (
            known(Unproven, 5),
            content(Complete, 5, Some(6)),
            compared,
            Verdict::More,
        ),
        // An older version did not say what they are.
        (
            content(Complete, 5, None),
            known(Complete, 5),
            same,
            Verdict::Same,
        ),
        (
            content(Complete, 5, None),
            known(Complete, 6),
            compared,
            Verdict::More,
        ),
    ] {
        assert_eq!(verdict(before, after), expected, "{before:?} {after:?}");
        assert_eq!(by_numbers(before, after), numbers, "{before:?} {after:?}");
    }
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[test]
fn only_an_answer_with_all_that_is_archived_and_something_new_is_more() {
    let complete = content(Status::Complete, 5, None);
    let unproven = content(Status::Unproven, 5, None);
    let by = |only_before, only_now, new| Difference {
        only_before,
        only_now,
        new,
    };
    let doubtful = Verdict::Doubtful;
    for (archived, difference, expected) in [
        (complete, by(0, 0, 0), Verdict::Same),
        (unproven, by(0, 0, 0), Verdict::More),
        (UNCOUNTED, by(0, 0, 0), Verdict::More),
        (complete, by(0, 1, 1), Verdict::More),
        (complete, by(0, 300, 1), Verdict::More),
        (complete, by(0, 300, 0), doubtful(Doubt::Repeats(300))),
        (unproven, by(0, 300, 0), doubtful(Doubt::Repeats(300))),
        (complete, by(501, 501, 501), doubtful(Doubt::Others(501))),
        (complete, by(501, 501, 0), doubtful(Doubt::Others(501))),
        (complete, by(1, 300, 300), doubtful(Doubt::Missing(1))),
        (UNCOUNTED, by(1, 300, 300), doubtful(Doubt::Missing(1))),
    ] {
        let told = by_records(archived, complete, difference);
        assert_eq!(told, expected, "{archived:?} {difference:?}");
    }
}

/// Guarantee: Candid
#[test]
fn the_largest_lateness_lies_between_two_asks() {
    let mut lateness = Lateness::default();
    let window = span(0, HOUR);
    lateness.note(window, UtcMs(HOUR + 10), UtcMs(25 * HOUR), 0);
    assert_eq!((lateness.rechecked, lateness.changed), (1, 0));
    lateness.note(window, UtcMs(HOUR + 10), UtcMs(25 * HOUR), 3);
    lateness.note(window, UtcMs(HOUR + 99), UtcMs(2 * HOUR), 4);
    assert_eq!((lateness.changed, lateness.records), (2, 7));
    assert_eq!(
        (lateness.over, lateness.until),
        (Millis(99), Millis(24 * HOUR))
    );
}

/// Guarantee: Confirmed
#[test]
fn without_a_recheck_in_the_config_what_search_confirmed_is_seen_again_after_a_day() {
    let (mut known, window) = one_window();
    let by_default = Job {
        recheck: Recheck::WhereSearchConfirms,
        ..job()
    };
    assert_eq!(known.due(UtcMs(25 * HOUR), &by_default), []);
    let asked = Asked {
        confirmed: Way::Search,
        ..first_asked(UtcMs(HOUR + 600_000))
    };
    known.archived(window, asked);
    assert_eq!(known.due(UtcMs(25 * HOUR - 1), &by_default), []);
    assert_eq!(known.due(UtcMs(25 * HOUR), &by_default), [window]);
}

/// Guarantee: Confirmed
#[test]
fn by_default_an_opinion_that_failed_is_due_after_an_hour_and_an_empty_window_after_a_day() {
    let first = || first_asked(UtcMs(HOUR + 600_000));
    let by_default = Job {
        recheck: Recheck::WhereSearchConfirms,
        ..job()
    };
    let failed = Asked {
        retry: true,
        ..first()
    };
    let by_download = Asked {
        confirmed: Way::Download,
        ..first()
    };
    let empty = Asked {
        records: Some(0),
        ..by_download
    };
    for (asked, due_at) in [
        (failed, Some(2 * HOUR)),
        (empty, Some(25 * HOUR)),
        (by_download, None),
        (first(), None),
    ] {
        let window = span(0, HOUR);
        let mut known = Recheckable::default();
        known.archived(window, asked);
        for at in [2 * HOUR - 1, 2 * HOUR, 25 * HOUR - 1, 25 * HOUR] {
            let is_due = due_at.is_some_and(|due_at| due_at <= at);
            assert_eq!(
                known.is_due(window, UtcMs(at), &by_default),
                is_due,
                "{asked:?} {at}"
            );
        }
    }
}
