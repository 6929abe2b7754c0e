//! Resolving against an imagined service: the union of the parts is the truth, whatever the
//! service does, and the requests are bounded.

mod bursts;
mod liars;
mod service;
mod slow;

use super::*;
use proptest::prelude::*;
use service::{Order, Service};

const HOUR: i64 = 3_600_000;
const ORDERS: [Order; 3] = [Order::Ascending, Order::Descending, Order::Shuffled];

fn hour() -> Span {
    Span::new(UtcMs(0), UtcMs(HOUR)).unwrap()
}

fn even(count: i64) -> Vec<i64> {
    (0..count).map(|at| at * HOUR / count).collect()
}

#[test]
fn an_hour_below_the_cap_takes_one_request() {
    for count in [0, 1, 1999] {
        let mut service = Service::new(even(count), Order::Ascending, 2000);
        service.resolve(hour(), None).unwrap();
        service.check(hour());
        assert_eq!(service.asked, 1);
    }
}

#[test]
fn a_steady_dense_hour_costs_little_more_than_the_least_once_it_is_estimated() {
    for order in ORDERS {
        let mut cold = Service::new(even(21_500), order, 2000);
        cold.resolve(hour(), None).unwrap();
        cold.check(hour());
        assert!(cold.asked <= 22, "{order:?}: {}", cold.asked);
        let mut warm = Service::new(even(21_500), order, 2000);
        warm.resolve(hour(), Some(21_000)).unwrap();
        warm.check(hour());
        // The least is 11.
        assert!(warm.asked <= 13, "{order:?}: {}", warm.asked);
        assert_eq!(
            warm.handed_out, 21_500,
            "{order:?}: something was downloaded twice"
        );
    }
}

/// Guarantee: Complete
#[test]
fn a_spike_of_twelve_caps_in_ten_seconds_is_found_and_cut() {
    for order in ORDERS {
        let spike = (0..24_000).map(|at| 1_234_567 + at * 10_000 / 24_000);
        let times = even(500).into_iter().chain(spike).collect();
        let mut service = Service::new(times, order, 2000);
        service.resolve(hour(), None).unwrap();
        service.check(hour());
        assert!(service.asked <= 32, "{order:?}: {}", service.asked);
        assert!(
            service.handed_out < 2 * 24_500,
            "{order:?}: {}",
            service.handed_out
        );
    }
}

/// Guarantee: Complete
#[test]
fn more_records_in_one_millisecond_than_the_cap_are_kept_and_said_to_be_truncated() {
    for order in ORDERS {
        for readable in [true, false] {
            let times = even(900).into_iter().chain([1_234_567; 5000]).collect();
            let mut service = Service {
                readable,
                ..Service::new(times, order, 2000)
            };
            service.resolve(hour(), None).unwrap();
            service.check(hour());
            let truncated: Vec<_> = service
                .kept
                .iter()
                .filter(|(_, _, status)| *status == Status::Truncated)
                .map(|(span, records, _)| (span.from().0, *records))
                .collect();
            assert_eq!(truncated, [(1_234_567, 2000)]);
            assert!(service.asked < 100, "{order:?}: {}", service.asked);
        }
    }
}

/// Guarantee: Complete
#[test]
fn an_undocumented_cap_of_whole_pages_is_found_and_remembered() {
    for order in ORDERS {
        let mut service = Service {
            hidden: Some(3000),
            ..Service::new(even(20_000), order, 200_000)
        };
        service.resolve(hour(), None).unwrap();
        service.check(hour());
        assert_eq!(service.learnt, Some(3000), "{order:?}");
        assert!(service.asked <= 24, "{order:?}: {}", service.asked);
    }
}

/// Guarantee: Complete
#[test]
fn halves_with_as_many_records_but_others_contradict_whole_pages() {
    // All of them in the first half of the hour.
    let one_sided = even(5000).iter().map(|at| at / 2).collect();
    // The whole or one of its halves has one record twice, and lacks another.
    for (times, doubled) in [
        (even(5000), 1),
        (even(5000), 2),
        (even(5000), 3),
        (one_sided, 2),
    ] {
        for readable in [true, false] {
            let mut service = Service {
                doubled: Some(doubled),
                readable,
                ..Service::new(times.clone(), Order::Ascending, 200_000)
            };
            service.resolve(hour(), None).unwrap();
            service.check_cover(hour());
            assert!(service.contradictions.contains(&hour()), "{doubled}");
        }
    }
}

/// Guarantee: Complete
#[test]
fn whole_pages_by_chance_are_believed_when_two_halves_agree() {
    let mut service = Service::new(even(5000), Order::Shuffled, 200_000);
    service.resolve(hour(), None).unwrap();
    service.check(hour());
    assert_eq!(
        (service.asked, service.learnt, service.kept.len()),
        (3, None, 1)
    );
}

/// Guarantee: Complete
#[test]
fn a_cap_that_was_learnt_wrongly_is_forgotten() {
    let mut service = Service {
        learnt: Some(2000),
        ..Service::new(even(7001), Order::Ascending, 200_000)
    };
    service.resolve(hour(), None).unwrap();
    service.check(hour());
    assert_eq!((service.learnt, service.asked), (None, 1));
}

/// Guarantee: Bounded
#[test]
fn a_density_that_falls_leaves_no_tiny_requests() {
    let mut service = Service::new(even(10), Order::Shuffled, 2000);
    service.resolve(hour(), Some(100_000)).unwrap();
    service.check(hour());
    assert!(service.asked <= 3, "{}", service.asked);
}

/// Guarantee: Complete
#[test]
fn a_service_that_counts_differently_at_each_ask_comes_to_an_end() {
    for (count, fickle) in [(1999, 1), (3000, 1), (2000, 1000), (999, 1), (25_000, 700)] {
        let times = even(count);
        let mut service = Service {
            fickle,
            ..Service::new(times, Order::Shuffled, 2000)
        };
        service.resolve(hour(), None).unwrap();
        service.check_cover(hour());
        assert!(service.asked < 400, "{}", service.asked);
    }
}

/// Times in clumps, as logs come: each clump has its place, its width and its size.
fn clumps() -> impl Strategy<Value = Vec<i64>> {
    let clump = (0i64..HOUR, 0u32..22, 1usize..3000, any::<u64>());
    prop::collection::vec(clump, 0..6).prop_map(|clumps| {
        let mut times = Vec::new();
        for (at, width, size, seed) in clumps {
            let mut state = seed | 1;
            for _ in 0..size {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let within = (state >> 33) as i64 % (1 << width);
                times.push((at + within).min(HOUR - 1));
            }
        }
        times
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any distribution, order, cap, page size and estimate.
    ///
    /// The bound: a capped answer holds at least `cap` records, and spans nest at most
    /// log2(window) deep, since what a capped span is cut into is at most half as long. So there
    /// are at most N / cap capped answers on each of 22 levels. Each costs itself, and cuts its
    /// span: into pieces that hold a share of the cap (as many as their records pay for), and
    /// into thin ones, of which there are at most as many as there are changes of density that a
    /// piece can see, 4 on each side. A recount adds two requests to an answer.
    ///
    /// The guard is what the derivation allows, 23 cuts for an hour, and nothing to spare.
    ///
    /// Guarantee: Complete
    /// Guarantee: Exactly once
    /// Guarantee: Bounded
    #[test]
    fn the_parts_are_the_truth_and_requests_are_bounded(
        times in clumps(),
        order in prop::sample::select(ORDERS.to_vec()),
        count in 1u64..4000,
        limit in prop::sample::select(vec![1, 10, 1000]),
        pages in prop::option::of(1u64..4),
        estimate in prop::option::of(0u64..100_000),
        readable in any::<bool>(),
    ) {
        let records = times.len() as u64;
        let hidden = pages.map(|pages| pages * u64::from(limit));
        let mut service = Service { hidden, limit, readable, ..Service::new(times, order, count) };
        service.resolve(hour(), estimate).unwrap();
        if service.stopped.is_some() {
            prop_assert!(service.full_ms_left() > 100, "an honest service was stopped");
            service.check_cover(hour());
        } else {
            service.check(hour());
        }
        let cap = count.min(hidden.unwrap_or(u64::MAX));
        let thin = estimate.unwrap_or(0) / count + 1;
        let capped = (records / cap + 1) * 22;
        prop_assert!(service.asked <= 3 * (12 * capped + thin), "{} requests", service.asked);
    }
}
