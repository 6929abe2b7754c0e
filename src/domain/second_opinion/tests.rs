//! Whose count is asked for again, in which pieces, and what follows: decided without a service.

use super::pieces::whole;
use super::*;

const HOUR: i64 = 3_600_000;

fn window() -> Span {
    Span::new(UtcMs(12 * HOUR), UtcMs(13 * HOUR)).unwrap()
}

/// An hour with so many records, evenly.
fn even(records: u64) -> Histogram {
    histogram((0..records).map(|at| (at * 3_600_000 / records.max(1)).cast_signed()))
}

/// An hour with records at these places, milliseconds after its begin.
fn histogram(times: impl IntoIterator<Item = i64>) -> Histogram {
    let mut histogram = Histogram::of(window());
    for time in times {
        histogram.add(UtcMs(12 * HOUR + time));
    }
    histogram
}

fn facts(histogram: &Histogram) -> Facts<'_> {
    let records = histogram.total();
    Facts {
        histogram,
        records,
        settled_at: UtcMs(14 * HOUR),
        before: None,
        cap: 200_000,
        largest: records,
        zip_bytes: 100 * records,
        byte_cap: u64::MAX,
        zip_bytes_before: None,
    }
}

/// Guarantee: Confirmed
#[test]
fn new_windows_are_all_asked_for_again_and_of_the_others_what_is_suspicious() {
    use CrossCheck::{All, Off, Some as Sampled};
    let (new, later) = (UtcMs(15 * HOUR), UtcMs(100 * HOUR));
    let even = even(1000);
    // 12:00 is the one hour in 24 that is taken at any time.
    let other = Histogram::of(Span::new(UtcMs(13 * HOUR), UtcMs(14 * HOUR)).unwrap());
    let other = |records| Facts {
        records,
        ..facts(&other)
    };
    for (cross_check, now, expected) in [
        (All, new, [true, true, true]),
        (All, later, [true, true, false]),
        (Sampled, new, [true, true, false]),
        (Off, new, [false, false, false]),
    ] {
        let asked =
            [facts(&even), other(0), other(7)].map(|facts| is_asked(cross_check, facts, now));
        assert_eq!(asked, expected, "{cross_check:?} {now}");
        let known = [facts(&even), other(7)].map(|facts| {
            let window = facts.histogram.window();
            is_asked_in_any_case(cross_check, window, facts.settled_at, now)
        });
        assert_eq!(known, [expected[0], expected[2]], "what is known before");
    }
    assert!(is_asked(
        Sampled,
        Facts {
            before: Some(7),
            ..other(7)
        },
        later
    ));
}

/// Guarantee: Confirmed
#[test]
fn what_speaks_for_records_left_out_is_suspicious() {
    let suspicious = |facts| is_suspicious(facts);
    let dense = even(3000);
    assert!(!suspicious(facts(&dense)));
    assert!(suspicious(Facts {
        before: Some(3000),
        ..facts(&dense)
    }));
    assert!(suspicious(Facts {
        zip_bytes_before: Some(302_900),
        ..facts(&dense)
    }));
    assert!(!suspicious(Facts {
        zip_bytes_before: Some(304_000),
        ..facts(&dense)
    }));
    assert!(suspicious(Facts {
        cap: 3100,
        ..facts(&dense)
    }));
    assert!(!suspicious(Facts {
        cap: 3600,
        ..facts(&dense)
    }));
    // Only the newest 20 minutes, and only the oldest.
    let newest = histogram((0..1000).map(|at| 2_400_000 + at * 1200));
    let oldest = histogram((0..1000).map(|at| at * 1200));
    assert!(suspicious(facts(&newest)) && suspicious(facts(&oldest)));
    assert!(super::begins_late(&newest) && !super::begins_late(&oldest));
    // Logs that begin slowly, and grow by the square of time.
    let ramp = histogram((1..4000).map(|at: i64| ((at as f64 / 4000.0).sqrt() * 3.6e6) as i64));
    assert!(suspicious(facts(&ramp)) && !super::begins_late(&ramp));
    // Few records, or a gap that chance makes, tell nothing.
    let (one, none) = (histogram([3_000_000]), histogram([]));
    let begins_late = histogram((0..1000).map(|at| 30_000 + at * 3570));
    assert!(!suspicious(facts(&one)) && !suspicious(facts(&none)));
    assert!(!suspicious(facts(&begins_late)));
}

/// Guarantee: Confirmed
#[test]
fn search_confirms_a_window_whole_or_its_edges_and_one_piece_between() {
    assert_eq!(
        by_search(&even(9_999), 9_999, 0.5),
        whole(&even(9_999), 9_999)
    );
    assert_eq!(by_search(&histogram([]), 0, 0.5), whole(&histogram([]), 0));
    // Times that can't be read.
    assert_eq!(by_search(&even(9_000), 10_000, 0.5), []);
    for (records, draw) in [(10_000, 0.0), (30_000, 0.99), (200_000, 0.5)] {
        let histogram = even(records);
        let pieces = by_search(&histogram, records, draw);
        let spans: Vec<_> = pieces.iter().map(|piece| piece.span).collect();
        assert_eq!(spans.first().unwrap().from(), window().from());
        assert_eq!(spans.last().unwrap().to(), window().to());
        assert!(spans.windows(2).all(|two| two[0].to() <= two[1].from()));
        for Piece { span, expected } in pieces {
            let there = (0..records)
                .map(|at| UtcMs(12 * HOUR + (at * 3_600_000 / records).cast_signed()))
                .filter(|&time| span.contains(time));
            assert_eq!(expected, there.count() as u64);
            assert!(expected <= 9_999, "{expected}");
        }
    }
    // More than that in one bin can't be confirmed; the rest is.
    let spike = histogram((0..20_000).map(|_| 1_800_000).chain([0, 3_599_999]));
    let pieces = by_search(&spike, 20_002, 0.5);
    assert!(pieces.iter().all(|piece| piece.expected <= 9_999));
    // The edges, and half of what is bare between one of them and the spike.
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces[2].expected, 0);
}

fn again(
    histogram: &Histogram,
    records: u64,
    cap: u64,
    largest: u64,
    draw: f64,
    is_doubtful: bool,
) -> Vec<Piece> {
    let longest = None;
    let manner = Manner {
        records,
        cap,
        largest,
        longest,
        draw,
        is_doubtful,
    };
    by_download(histogram, manner)
}

/// Guarantee: Confirmed
#[test]
fn a_sixteenth_is_downloaded_again() {
    for records in [480, 3_000, 50_000] {
        let histogram = even(records);
        let pieces = again(&histogram, records, 200_000, records, 0.3, false);
        let again: u64 = pieces.iter().map(|piece| piece.expected).sum();
        assert!(
            again * 16 <= records && again * 20 >= records,
            "{again} of {records}"
        );
        assert_eq!(pieces.len(), 3);
    }
    // Only the newest 20 minutes came: the earliest piece reaches back to the window's begin.
    let newest = histogram((0..3000).map(|at| 2_400_000 + at * 400));
    let earliest = again(&newest, 3000, 200_000, 3000, 0.3, false)[0];
    assert_eq!(earliest.span.from(), window().from());
    assert!(earliest.span.to() > UtcMs(12 * HOUR + 2_400_000));
}

/// Guarantee: Confirmed
#[test]
fn few_records_and_a_doubtful_window_are_downloaded_again_as_a_whole_in_other_spans() {
    let (few, none) = (even(50), histogram([]));
    for (histogram, records, cap, is_doubtful, least) in [
        (&few, 50, 200_000, false, 2),
        (&none, 0, 200_000, false, 2),
        (&even(3000), 3000, 200_000, true, 2),
        (&even(3000), 3000, 1000, true, 6),
    ] {
        let pieces = again(histogram, records, cap, records, 0.3, is_doubtful);
        assert!(pieces.len() >= least, "{}", pieces.len());
        let again: u64 = pieces.iter().map(|piece| piece.expected).sum();
        assert_eq!(again, records);
        assert_eq!(pieces[0].span.from(), window().from());
        assert_eq!(pieces[pieces.len() - 1].span.to(), window().to());
        let touch = |two: &[Piece]| two[0].span.to() == two[1].span.from();
        assert!(pieces.windows(2).all(touch));
        assert!(pieces.iter().all(|piece| piece.expected < cap));
    }
    // Two answers of 81 records, which may be a cap: no piece expects as many.
    let pieces = again(&even(162), 162, 200_000, 81, 0.3, true);
    assert!(pieces.iter().all(|piece| piece.expected <= 40));
    // Without readable times nothing is known of a part.
    assert_eq!(again(&none, 700, 1000, 700, 0.3, false), whole(&none, 700));
    assert_eq!(again(&none, 1000, 1000, 1000, 0.3, false), []);
}

/// Guarantee: Confirmed
#[test]
fn no_piece_is_longer_than_what_the_service_answers_whole() {
    let longest = Millis::from_secs(60);
    for (records, is_doubtful) in [(50, false), (3000, false), (3000, true), (0, true)] {
        let manner = Manner {
            records,
            cap: 200_000,
            largest: records,
            longest: Some(longest),
            draw: 0.3,
            is_doubtful,
        };
        let pieces = by_download(&even(records), manner);
        assert!(pieces.iter().all(|piece| piece.span.length() <= longest));
        if is_doubtful || records == 50 {
            assert_eq!(pieces[0].span.from(), window().from());
            assert_eq!(pieces[pieces.len() - 1].span.to(), window().to());
            // The window was asked for in spans of a minute, so these end elsewhere.
            let ends_between = |piece: &&Piece| piece.span.to().0 % 60_000 != 0;
            assert!(pieces.iter().filter(ends_between).count() >= 59);
        }
    }
}

fn found(objects: u64) -> Found {
    Found {
        objects,
        shape: "hits total".into(),
    }
}

/// Guarantee: Confirmed
#[test]
fn an_answer_with_a_record_is_told_from_one_without_whatever_its_form() {
    let mut known = Calibration::of(3);
    known.nothing = Some(found(2));
    for (before, at, far, expected) in [
        (Some(3), 2, None, Ok(Verdict::Same)),
        (Some(4), 2, None, Ok(Verdict::Same)),
        (Some(3), 3, Some(2), Ok(Verdict::More)),
        (Some(4), 3, None, Ok(Verdict::More)),
        // It holds more than the answer for nothing, and so does one far beyond.
        (Some(3), 3, Some(3), Err(())),
        (Some(2), 2, None, Ok(Verdict::Fewer)),
        (None, 2, None, Ok(Verdict::Same)),
        (None, 3, Some(2), Ok(Verdict::More)),
        (None, 1, None, Err(())),
    ] {
        let (before, far) = (before.map(found), far.map(found));
        let judged = known.judge(before.as_ref(), &found(at), far.as_ref());
        assert_eq!(judged.map_err(drop), expected, "{before:?} {at} {far:?}");
    }
    // An error has as many objects as an answer without a record, and other keys.
    let error = Found {
        objects: 2,
        shape: "code message".into(),
    };
    assert!(known.judge(None, &error, None).is_err());
    assert!(known.judge(Some(&found(3)), &error, None).is_err());
    let unknown = Calibration::default();
    let judge = |before: Option<Found>, at| unknown.judge(before.as_ref(), &found(at), None);
    assert_eq!(judge(Some(found(2)), 1), Ok(Verdict::Same));
    for (before, at) in [(Some(1), 1), (Some(1), 2), (None, 0)] {
        assert!(judge(before.map(found), at).is_err());
    }
}

#[test]
fn search_is_believed_after_three_windows_and_rests_after_a_failure() {
    let mut known = Calibration::default();
    for agreed in 1..=3 {
        assert!(!known.is_believed());
        known.learn(&Calibration::of(agreed));
    }
    assert!(known.is_believed() && !known.rests(UtcMs(0)));
    let minute = Millis::from_mins(1);
    let failed = known.failed(UtcMs(0));
    assert!(failed.rests(UtcMs(0).plus(minute.times(9))));
    assert!(!failed.rests(UtcMs(0).plus(minute.times(10))));
}

/// Guarantee: Bounded
/// Guarantee: Confirmed
#[test]
fn a_disagreement_ends_after_a_few_rounds_and_no_opinion_is_no_agreement() {
    use Again::{AsBefore, CappedAt};
    use Next::{Believe, Publish, Unproven};
    let even = even(3000);
    let rounds = |verdict, largest| -> Vec<Next> {
        (1..6)
            .map(|round| next(verdict, round, largest, &even))
            .collect()
    };
    let [as_before, capped, eighth, smallest] = [
        AsBefore,
        CappedAt(3000),
        Again::NoLongerThan(Millis(HOUR / 8)),
        Again::NoLongerThan(Millis(HOUR / 64)),
    ]
    .map(Next::Again);
    let more = [as_before, capped, eighth, smallest, Unproven];
    assert_eq!(rounds(Some(Verdict::More), 3000), more);
    let empty = [as_before, eighth, smallest, Unproven, Unproven];
    assert_eq!(rounds(Some(Verdict::More), 0), empty);
    let fewer = [as_before, Unproven, Unproven, Unproven, Unproven];
    assert_eq!(rounds(Some(Verdict::Fewer), 3000), fewer);
    assert_eq!(rounds(Some(Verdict::Same), 3000), [Believe; 5]);
    let unknown = [Publish, Unproven, Unproven, Unproven, Unproven];
    assert_eq!(rounds(None, 3000), unknown);
}

/// Guarantee: Confirmed
#[test]
fn half_of_a_gap_that_is_too_long_is_downloaded_again() {
    // A page of 100 records is missing.
    let times = (0..3000).filter(|at| !(1000..1100).contains(at));
    let gap = histogram(times.map(|at| at * 1200));
    let pieces = again(&gap, 2900, 200_000, 2900, 0.9, false);
    assert_eq!(pieces.len(), 4);
    let Piece { span, expected } = pieces[3];
    assert_eq!(expected, 0);
    let page = (1000 * 1200, 1100 * 1200);
    assert!(span.from() >= UtcMs(12 * HOUR + page.0 - 1200));
    assert!(span.to() < UtcMs(12 * HOUR + (page.0 + page.1) / 2 + 1200));
}
