//! Resolving against an imagined service: the union of the parts is the truth, whatever the
//! service does, and the requests are bounded.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::domain::split::sample::Sampler;
use proptest::prelude::*;

/// In which order the service hands out records, and so which ones a cap spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
    Shuffled,
}

/// A service with a known truth, asked without a network.
struct Service {
    times: Vec<i64>,
    order: Order,
    /// What the request asks for.
    count: u64,
    /// What the service hands out at most, without saying so.
    hidden: Option<u64>,
    learnt: Option<u64>,
    /// Whether its times can be read.
    readable: bool,
    /// Spans longer than this time out.
    slow_above_ms: Option<i64>,
    /// Adds so many records to every other answer.
    fickle: u64,
    asked: u64,
    handed_out: u64,
    open: BTreeMap<usize, (Span, u64)>,
    kept: Vec<(Span, u64, Status)>,
}

impl Service {
    fn new(mut times: Vec<i64>, order: Order, count: u64) -> Self {
        times.sort_unstable();
        Self {
            times,
            order,
            count,
            hidden: None,
            learnt: None,
            readable: true,
            slow_above_ms: None,
            fickle: 0,
            asked: 0,
            handed_out: 0,
            open: BTreeMap::new(),
            kept: Vec::new(),
        }
    }

    fn truth(&self, span: Span) -> &[i64] {
        let at = |ms: Ms| self.times.partition_point(|&time| time < ms.0);
        &self.times[at(span.from())..at(span.to())]
    }

    fn resolve(&mut self, window: Span, foreseen: Option<u64>) -> Result<(), &'static str> {
        let mut resolving = Box::pin(resolve(self, window, 1000, foreseen));
        match resolving
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("nothing here ever waits"),
        }
    }

    /// The parts make up the window, and each holds what the truth has there, as its status says.
    fn check(&mut self, window: Span) {
        assert!(
            self.open.is_empty(),
            "neither kept nor discarded: {:?}",
            self.open
        );
        self.kept.sort_by_key(|&(span, ..)| span);
        let mut at = window.from();
        for &(span, records, status) in &self.kept {
            assert_eq!(span.from(), at);
            at = span.to();
            let truth = self.truth(span).len() as u64;
            match status {
                Status::Complete => assert_eq!(records, truth, "{span}"),
                Status::Truncated => assert_eq!(span.len_ms(), 1),
                // Whole pages in a single millisecond, which nothing can confirm.
                Status::Unproven => assert!(span.len_ms() == 1 && records.is_multiple_of(1000)),
            }
        }
        assert_eq!(at, window.to());
    }
}

impl Ask for Service {
    type Error = &'static str;

    fn ask(&mut self, span: Span) -> impl Future<Output = Result<Answer, Self::Error>> + Send {
        self.asked += 1;
        let answer = if self
            .slow_above_ms
            .is_some_and(|above| span.len_ms() > above)
        {
            Err("too slow")
        } else {
            let truth = self.truth(span);
            let cap = self.count.min(self.hidden.unwrap_or(u64::MAX)) as usize;
            let cut = truth.len().min(cap);
            let mut sampler = Sampler::default();
            let mut add = |time: i64| {
                if self.readable {
                    sampler.add(Ms(time));
                }
            };
            match self.order {
                Order::Ascending => truth[..cut].iter().copied().for_each(&mut add),
                Order::Descending => truth[truth.len() - cut..]
                    .iter()
                    .copied()
                    .for_each(&mut add),
                // Every so many-th: an even picture.
                Order::Shuffled => {
                    (0..cut)
                        .map(|at| truth[at * truth.len() / cut])
                        .for_each(&mut add);
                }
            }
            let records = cut as u64 + self.fickle * (self.asked % 2);
            let id = self.asked as usize;
            self.handed_out += records;
            self.open.insert(id, (span, records));
            Ok(Answer {
                id,
                records: Some(records),
                sample: sampler.finish(),
                outside: 0,
            })
        };
        std::future::ready(answer)
    }

    fn keep(&mut self, answer: usize, status: Status) {
        let (span, records) = self.open.remove(&answer).unwrap();
        self.kept.push((span, records, status));
    }

    fn discard(&mut self, answer: usize) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.open.remove(&answer).unwrap();
        std::future::ready(Ok(()))
    }

    fn may_be_too_big(error: &Self::Error) -> bool {
        *error == "too slow"
    }

    fn cap(&self) -> u64 {
        self.count.min(self.learnt.unwrap_or(u64::MAX))
    }

    fn learn_cap(&mut self, records: u64) {
        self.learnt = Some(self.cap().min(records));
    }

    fn forget_cap(&mut self) {
        self.learnt = None;
    }

    fn note_fickle(&mut self, _span: Span, _first: u64, _second: u64) {}
}

const HOUR: i64 = 3_600_000;
const ORDERS: [Order; 3] = [Order::Ascending, Order::Descending, Order::Shuffled];

fn hour() -> Span {
    Span::new(Ms(0), Ms(HOUR)).unwrap()
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
fn a_steady_dense_hour_costs_little_more_than_the_least_once_it_is_foreseen() {
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

#[test]
fn a_density_that_falls_leaves_no_tiny_requests() {
    let mut service = Service::new(even(10), Order::Shuffled, 2000);
    service.resolve(hour(), Some(100_000)).unwrap();
    service.check(hour());
    assert!(service.asked <= 3, "{}", service.asked);
}

#[test]
fn a_span_that_takes_too_long_is_asked_for_in_smaller_ones_and_not_for_ever() {
    let mut service = Service {
        slow_above_ms: Some(HOUR / 8),
        ..Service::new(even(1500), Order::Shuffled, 2000)
    };
    service.resolve(hour(), None).unwrap();
    service.check(hour());
    assert_eq!(service.kept.len(), 8);
    let mut never = Service {
        slow_above_ms: Some(0),
        ..Service::new(even(1500), Order::Shuffled, 2000)
    };
    assert_eq!(never.resolve(hour(), None), Err("too slow"));
    assert!(never.asked < 10);
}

#[test]
fn a_service_that_counts_differently_at_each_ask_comes_to_an_end() {
    for (count, fickle) in [(1999, 1), (3000, 1), (2000, 1000), (999, 1), (25_000, 700)] {
        let times = even(count);
        let mut service = Service {
            fickle,
            ..Service::new(times, Order::Shuffled, 2000)
        };
        service.resolve(hour(), None).unwrap();
        assert!(service.open.is_empty());
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

    /// Any distribution, order, cap and foresight.
    ///
    /// The bound: a capped answer holds at least `cap` records, and spans nest at most
    /// log2(window) deep, since what a capped span is cut into is at most half as long. So there
    /// are at most N / cap capped answers on each of 22 levels. Each costs itself, and cuts its
    /// span: into pieces that hold a share of the cap (as many as their records pay for), and
    /// into thin ones, of which there are at most as many as there are changes of density that a
    /// piece can see, 4 on each side. Doubt adds two requests to an answer.
    #[test]
    fn the_parts_are_the_truth_and_requests_are_bounded(
        times in clumps(),
        order in prop::sample::select(ORDERS.to_vec()),
        count in 1u64..4000,
        hidden in prop::option::of((1u64..4).prop_map(|pages| pages * 1000)),
        foreseen in prop::option::of(0u64..100_000),
        readable in any::<bool>(),
    ) {
        let records = times.len() as u64;
        let mut service = Service { hidden, readable, ..Service::new(times, order, count) };
        service.resolve(hour(), foreseen).unwrap();
        service.check(hour());
        let cap = count.min(hidden.unwrap_or(u64::MAX));
        let thin = foreseen.unwrap_or(0) / count + 1;
        let capped = (records / cap + 1) * 22;
        prop_assert!(service.asked <= 3 * (12 * capped + thin), "{} requests", service.asked);
    }
}
