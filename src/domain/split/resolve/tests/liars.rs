//! *Complete*: never an endless loop, never silent, and no honest service is taken for a liar.

use super::service::Lie;
use super::*;

/// Most requests for an hour of which every answer is full. It ends with the 101st millisecond, and
/// the cuts that lead to milliseconds side by side are shared: one for each and 22 for the first.
/// Each cut is asked for in two pieces.
const MOST_WHEN_FULL: u64 = 2 * (101 + 22) + 1;

fn truncated(service: &Service) -> usize {
    let truncated = |&&(_, _, status): &&(Span, u64, Status)| status == Status::Truncated;
    service.kept.iter().filter(truncated).count()
}

/// Guarantee: Complete
#[test]
fn a_service_that_is_always_full_is_stopped_and_what_it_answered_is_kept() {
    for readable in [true, false] {
        for estimate in [None, Some(21_000)] {
            // Also where it takes a recount to see that it is full.
            for hidden in [None, Some(1000)] {
                let mut liar = Service {
                    lie: Some(Lie::Full),
                    readable,
                    hidden,
                    ..Service::new(Vec::new(), Order::Shuffled, 2000)
                };
                liar.resolve(hour(), estimate).unwrap();
                liar.check_cover(hour());
                assert!(liar.stopped.is_some(), "silent");
                assert_eq!(truncated(&liar), liar.kept.len());
                assert!(liar.asked <= MOST_WHEN_FULL + 3, "{}", liar.asked);
            }
        }
    }
}

/// Guarantee: Complete
#[test]
fn a_window_with_every_millisecond_over_the_cap_comes_to_an_end() {
    let window = Span::new(UtcMs(0), UtcMs(100_000)).unwrap();
    let times: Vec<i64> = (0..300_000).map(|at| at / 3).collect();
    for order in ORDERS {
        for readable in [true, false] {
            let mut service = Service {
                readable,
                ..Service::new(times.clone(), order, 2)
            };
            service.resolve(window, None).unwrap();
            service.check_cover(window);
            assert!(service.stopped.is_some(), "{order:?}");
            assert!(service.asked <= MOST_WHEN_FULL, "{}", service.asked);
        }
    }
}

/// Guarantee: Complete
#[test]
fn any_number_of_records_at_each_ask_comes_to_an_end_and_is_told() {
    for below in [3000, 4000, 8000, 10_000, 100_000] {
        for readable in [true, false] {
            for seed in 0..50 {
                let mut liar = Service {
                    lie: Some(Lie::Random { below, seed }),
                    readable,
                    ..Service::new(Vec::new(), Order::Shuffled, 2000)
                };
                liar.resolve(hour(), None).unwrap();
                liar.check_cover(hour());
                // A few parts may make up a story that fits.
                let told = !liar.contradictions.is_empty() || truncated(&liar) > 0;
                assert!(told || liar.kept.len() <= 5, "{liar:?}");
                assert!(liar.asked <= 1000, "{below}: {}", liar.asked);
            }
        }
    }
}

/// Guarantee: Complete
#[test]
fn an_honest_window_of_two_hundred_caps_is_split_completely() {
    for order in ORDERS {
        for readable in [true, false] {
            for estimate in [None, Some(1000), Some(20_000)] {
                let mut service = Service {
                    readable,
                    ..Service::new(even(20_000), order, 100)
                };
                service.resolve(hour(), estimate).unwrap();
                service.check(hour());
                assert_eq!(truncated(&service), 0);
            }
        }
    }
}

/// Guarantee: Complete
#[test]
fn thirty_spikes_in_one_window_are_all_found_and_cut() {
    let spikes = |width: i64| {
        let spike = move |number: i64| (0..300).map(move |at| 7 + number * 119_993 + at % width);
        (0..30).flat_map(spike).collect::<Vec<i64>>()
    };
    for order in ORDERS {
        for readable in [true, false] {
            // Three caps in four milliseconds, and in a single one.
            for (width, over_the_cap) in [(4, 0), (1, 30)] {
                let mut service = Service {
                    readable,
                    ..Service::new(spikes(width), order, 100)
                };
                service.resolve(hour(), None).unwrap();
                service.check(hour());
                assert_eq!(truncated(&service), over_the_cap);
            }
        }
    }
}

/// Guarantee: Complete
#[test]
fn milliseconds_that_are_all_just_below_the_cap_are_asked_for_one_by_one() {
    let window = Span::new(UtcMs(0), UtcMs(2000)).unwrap();
    let times: Vec<i64> = (0..2000 * 49).map(|at| at / 49).collect();
    for order in ORDERS {
        for readable in [true, false] {
            let mut service = Service {
                readable,
                ..Service::new(times.clone(), order, 50)
            };
            service.resolve(window, None).unwrap();
            service.check(window);
            assert_eq!((truncated(&service), service.kept.len()), (0, 2000));
        }
    }
}

/// Guarantee: Complete
#[test]
fn one_late_log_teaches_no_cap_and_the_whole_is_asked_for_again() {
    let mut service = Service {
        late: Some((2, 1_234_567)),
        ..Service::new(even(5000), Order::Shuffled, 200_000)
    };
    service.resolve(hour(), None).unwrap();
    service.check(hour());
    let records: u64 = service.kept.iter().map(|&(_, records, _)| records).sum();
    // The whole, its halves, and the whole once more.
    assert_eq!((service.asked, service.learnt, records), (4, None, 5001));
}

/// Guarantee: Complete
#[test]
fn a_number_that_is_another_one_at_every_ask_teaches_no_cap_and_is_told() {
    let mut service = Service {
        late: Some((2, 1_234_567)),
        fickle: 1000,
        ..Service::new(even(4000), Order::Shuffled, 200_000)
    };
    service.resolve(hour(), None).unwrap();
    service.check_cover(hour());
    assert_eq!(service.learnt, None);
    assert!(!service.contradictions.is_empty());
}
