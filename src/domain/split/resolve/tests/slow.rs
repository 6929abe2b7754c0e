//! *Bounded*: a service that takes too long for a span is asked for shorter ones, and not for ever.

use super::*;

fn slow(above_ms: i64) -> Service {
    Service {
        slow_above_ms: Some(above_ms),
        ..Service::new(even(1500), Order::Shuffled, 2000)
    }
}

#[test]
fn a_span_that_takes_too_long_is_asked_for_in_smaller_ones_and_not_for_ever() {
    let mut service = slow(HOUR / 8);
    service.resolve(hour(), None).unwrap();
    service.check(hour());
    assert_eq!(service.kept.len(), 8);
    let mut never = slow(0);
    assert_eq!(never.resolve(hour(), None), Err("too slow"));
    assert!(never.asked < 10);
}

#[test]
fn what_was_too_slow_once_is_not_tried_again_in_the_window_nor_in_the_next() {
    let mut first = slow(HOUR / 8);
    let pace = first.resolve_at(Pace::default(), hour(), None).unwrap();
    first.check(hour());
    // The hour, a half, a quarter, and then each eighth.
    assert_eq!(first.asked, 3 + 8);
    let mut next = slow(HOUR / 8);
    next.resolve_at(pace, hour(), None).unwrap();
    next.check(hour());
    assert_eq!(next.asked, 8);
}

#[test]
fn a_service_that_is_fast_again_is_asked_for_longer_spans_again() {
    let mut pace = slow(HOUR / 8)
        .resolve_at(Pace::default(), hour(), None)
        .unwrap();
    let mut asked = Vec::new();
    while asked.last() != Some(&1) {
        let mut fast = Service::new(even(1500), Order::Shuffled, 2000);
        pace = fast.resolve_at(pace, hour(), None).unwrap();
        fast.check(hour());
        asked.push(fast.asked);
    }
    // Sixteen answers to each length.
    assert_eq!(asked[..2], [8, 4]);
    assert!(asked.len() < 30, "{asked:?}");
}

#[test]
fn a_slow_service_with_a_cap_is_split_completely() {
    for order in ORDERS {
        for readable in [true, false] {
            let mut service = Service {
                slow_above_ms: Some(HOUR / 50),
                readable,
                ..Service::new(even(9000), order, 50)
            };
            service.resolve(hour(), None).unwrap();
            service.check(hour());
        }
    }
}
