//! Which `Date` is believed, and what is done without one.

use super::*;

const NOW: UtcMs = UtcMs(1_795_000_000_000);
const HOUR: Millis = Millis::from_hours(1);
const HOUR_BEFORE: Millis = Millis(-HOUR.0);

/// An answer that took no time to a request signed by our clock, with a `Date` this far from it.
fn dated(apart: Millis) -> Heard {
    Heard {
        signed: Signed {
            at: NOW,
            skew: Millis::ZERO,
        },
        took: Millis::ZERO,
        arrived: NOW,
        date: Some(NOW.plus(apart)),
    }
}

/// The same, signed by a clock that was corrected.
fn corrected(skew: Millis, date: UtcMs) -> Heard {
    Heard {
        signed: Signed {
            at: NOW.plus(skew),
            skew,
        },
        date: Some(date),
        ..dated(Millis::ZERO)
    }
}

/// Guarantee: Suspicious
#[test]
fn a_date_is_used_as_far_as_an_accepted_signature_allows() {
    let minutes = |minutes| Millis::from_mins(minutes);
    let beyond = TOLERANCE.plus(DATE_PRECISION);
    // How far the `Date` is from the signature, how long the answer took, whether it is used.
    for (apart, took, is_used) in [
        (Millis::ZERO, Millis::ZERO, true),
        (minutes(-4), Millis::ZERO, true),
        (minutes(4), Millis::ZERO, true),
        (Millis(1 - beyond.0), Millis::ZERO, true),
        (Millis(-beyond.0), Millis::ZERO, false),
        (Millis(beyond.0 - 1), Millis::ZERO, true),
        (beyond, Millis::ZERO, false),
        // It may be later by what the answer took, and not earlier.
        (minutes(7), minutes(3), true),
        (minutes(9), minutes(3), false),
        (minutes(-6), minutes(3), false),
        (HOUR_BEFORE, Millis::ZERO, false),
        (Millis::from_days(1), Millis::ZERO, false),
        (Millis(-NOW.0), Millis::ZERO, false),
        (Millis::MAX, Millis::MAX, false),
    ] {
        for signature in [Signature::Accepted, Signature::Untold] {
            let clock = ServiceClock::default();
            let heard = Heard {
                took,
                arrived: NOW.plus(took),
                ..dated(apart)
            };
            let told = clock.note(heard, signature);
            assert_eq!(clock.is_dated(), is_used, "{apart:?} {took:?}");
            let is_told = !is_used && signature == Signature::Accepted;
            assert_eq!(told, heard.date.filter(|_| is_told), "{apart:?} {took:?}");
            let expected = if is_used {
                heard.behind(NOW.plus(apart).plus(DATE_PRECISION))
            } else {
                0
            };
            assert_eq!(clock.behind(), Millis(expected), "{apart:?} {took:?}");
        }
    }
}

#[test]
fn a_date_that_is_not_used_is_told_once_and_leaves_what_was_known() {
    let clock = ServiceClock::default();
    let known = Millis::from_mins(-4);
    assert_eq!(clock.note(dated(known), Signature::Accepted), None);
    let behind = known.plus(DATE_PRECISION);
    assert_eq!(clock.behind(), behind);
    let other = dated(HOUR_BEFORE);
    assert_eq!(clock.note(other, Signature::Accepted), other.date);
    assert_eq!(clock.note(other, Signature::Accepted), None);
    assert_eq!((clock.behind(), clock.is_dated()), (behind, false));
    assert_eq!(clock.note(dated(known), Signature::Accepted), None);
    assert!(clock.is_dated());
}

#[test]
fn the_date_of_a_refusal_is_used_however_far_it_is() {
    let clock = ServiceClock::default();
    assert_eq!(clock.note(dated(HOUR_BEFORE), Signature::Refused), None);
    let behind = HOUR_BEFORE.plus(DATE_PRECISION);
    assert_eq!((clock.behind(), clock.is_dated()), (behind, true));
    // The service accepts that clock, so it is its own, whatever a proxy shows then.
    clock.correct(HOUR_BEFORE);
    let accepted = corrected(HOUR_BEFORE, NOW);
    assert_eq!(clock.note(accepted, Signature::Accepted), Some(NOW));
    assert_eq!((clock.behind(), clock.is_dated()), (behind, false));
}

/// Guarantee: Suspicious
#[test]
fn what_the_date_of_a_refusal_said_ends_with_a_signature_that_contradicts_it() {
    for date in [Some(NOW.plus(HOUR_BEFORE)), None] {
        let clock = ServiceClock::default();
        let _ = clock.note(dated(HOUR_BEFORE), Signature::Refused);
        let accepted = Heard {
            date,
            ..dated(Millis::ZERO)
        };
        let _ = clock.note(accepted, Signature::Accepted);
        assert_eq!((clock.behind(), clock.is_dated()), (Millis::ZERO, false));
    }
}

/// Guarantee: Exactly once
#[test]
fn a_clock_of_ours_that_was_set_ahead_while_an_answer_came_is_not_believed() {
    let clock = ServiceClock::default();
    let jump = Millis::from_days(400);
    let heard = Heard {
        arrived: NOW.plus(jump),
        date: None,
        ..dated(Millis::ZERO)
    };
    let _ = clock.note(heard, Signature::Accepted);
    assert_eq!(clock.behind(), Millis(-jump.0));
}

/// Guarantee: Suspicious
#[test]
fn a_correction_that_is_refused_again_and_again_is_given_up() {
    let clock = ServiceClock::default();
    let date = NOW.plus(HOUR_BEFORE);
    let _ = clock.note(dated(HOUR_BEFORE), Signature::Refused);
    clock.correct(HOUR_BEFORE);
    let refused = corrected(HOUR_BEFORE, date);
    let _ = clock.note(refused, Signature::Refused);
    assert_eq!(clock.skew(), HOUR_BEFORE);
    // One that works in between is not given up for an old refusal.
    let _ = clock.note(refused, Signature::Accepted);
    let _ = clock.note(refused, Signature::Refused);
    assert_eq!(clock.skew(), HOUR_BEFORE);
    let _ = clock.note(refused, Signature::Refused);
    assert_eq!(clock.skew(), Millis::ZERO);
    // What another attempt found meanwhile stays.
    clock.correct(HOUR);
    for _ in 0..REFUSALS {
        let _ = clock.note(refused, Signature::Refused);
    }
    assert_eq!(clock.skew(), HOUR);
}
