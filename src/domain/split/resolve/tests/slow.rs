//! *Bounded*: a service that takes too long for a span is asked for shorter ones, and not for ever.

use super::*;

fn slow(above_ms: i64) -> Service {
    Service {
        slow_above_ms: Some(above_ms),
        ..Service::new(even(1500), Order::Shuffled, 2000)
    }
}

/// Guarantee: Bounded
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

/// Guarantee: Bounded
#[test]
fn what_was_too_slow_once_is_not_tried_again_in_the_window_nor_in_the_next() {
    let mut first = slow(HOUR / 8);
    let mut span_limit = SpanLimit::default();
    first.resolve_at(&mut span_limit, hour(), None).unwrap();
    first.check(hour());
    // The hour, a half, a quarter, and then each eighth.
    assert_eq!(first.asked, 3 + 8);
    let mut next = slow(HOUR / 8);
    next.resolve_at(&mut span_limit, hour(), None).unwrap();
    next.check(hour());
    assert_eq!(next.asked, 8);
}

/// Guarantee: Bounded
#[test]
fn what_was_too_slow_in_a_window_that_failed_is_not_tried_again_either() {
    let mut span_limit = SpanLimit::default();
    let mut never = slow(0);
    assert_eq!(
        never.resolve_at(&mut span_limit, hour(), None),
        Err("too slow")
    );
    let asked = never.asked;
    assert_eq!(
        never.resolve_at(&mut span_limit, hour(), None),
        Err("too slow")
    );
    assert_eq!(never.asked, asked + 1);
}

/// Guarantee: Bounded
#[test]
fn of_windows_under_way_at_once_none_unlearns_what_another_has_learnt() {
    let of = |above_ms: i64| {
        let mut span_limit = SpanLimit::default();
        slow(above_ms)
            .resolve_at(&mut span_limit, hour(), None)
            .unwrap();
        span_limit
    };
    let (fast, slow, slower) = (SpanLimit::default(), of(HOUR / 4), of(HOUR / 8));
    for [one, other] in [[fast, slow], [slow, fast]] {
        let mut span_limit = fast;
        span_limit.learn(fast, one);
        span_limit.learn(fast, other);
        assert_eq!(span_limit.longest_ms(), slow.longest_ms());
    }
    // One after the other they also learn that it is fast again.
    let mut span_limit = slower;
    span_limit.learn(slower, slow);
    assert_eq!(span_limit, slow);
}

/// Guarantee: Bounded
#[test]
fn a_service_that_is_fast_again_is_asked_for_longer_spans_again() {
    let mut span_limit = SpanLimit::default();
    slow(HOUR / 8)
        .resolve_at(&mut span_limit, hour(), None)
        .unwrap();
    let mut asked = Vec::new();
    while asked.last() != Some(&1) {
        let mut fast = Service::new(even(1500), Order::Shuffled, 2000);
        fast.resolve_at(&mut span_limit, hour(), None).unwrap();
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
