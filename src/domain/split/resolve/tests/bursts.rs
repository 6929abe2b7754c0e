//! What bursts cost in requests, over the least possible: days of which a part of the logs comes within ten
//! minutes. `cargo test --lib bursts -- --nocapture` prints the table.

use super::*;
use crate::domain::split::estimate::Estimator;
use crate::domain::split::histogram::Histogram;
use crate::domain::split::shape::Shape;

const DAY: i64 = 24 * HOUR;
const CAP: u64 = 2000;
const BURST: i64 = 600_000;
/// Days that are archived, and those of them that are not counted.
const DAYS: i64 = 12;
const COLD: i64 = 8;

/// When the burst of a day comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// At the same time, give or take two minutes.
    Daily,
    /// At any time.
    Anytime,
}

/// Days of about so many caps, of which the share `burst` comes at once.
fn days(caps: u64, burst: f64, comes: Comes, seed: u64) -> Vec<i64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let daily = random.i64(0..DAY - BURST);
    let mut times = Vec::new();
    for day in 0..DAYS {
        let at = match comes {
            Comes::Daily => daily + random.i64(-120_000..120_000),
            Comes::Anytime => random.i64(0..DAY - BURST),
        };
        let at = at.clamp(0, DAY - BURST);
        let records = (caps * CAP) as f64 * (0.9 + 0.2 * random.f64());
        let at_once = (records * burst) as u64;
        times.extend((0..at_once).map(|_| day * DAY + at + random.i64(0..BURST)));
        let others = records as u64 - at_once;
        times.extend((0..others).map(|_| day * DAY + random.i64(0..DAY)));
    }
    times.sort_unstable();
    times
}

/// Requests for the days after the cold ones, and the least possible.
fn price(times: &[i64], length: i64, order: Order, knows_days: bool) -> (u64, u64) {
    let (mut estimator, mut shape) = (Estimator::default(), Shape::default());
    let (mut requests, mut least) = (0, 0);
    for at in 0..DAYS * DAY / length {
        let window = Span::new(UtcMs(at * length), UtcMs((at + 1) * length)).unwrap();
        let below = |ms: UtcMs| times.partition_point(|&time| time < ms.0);
        let held = times[below(window.from())..below(window.to())].to_vec();
        let mut histogram = Histogram::of(window);
        held.iter().for_each(|&time| histogram.add(UtcMs(time)));
        let records = held.len() as u64;
        let mut service = Service::new(held, order, CAP);
        let picture = shape.picture(window).filter(|_| knows_days);
        let estimate = estimator.estimate(window, false).map(Estimate::Records);
        let estimate = picture.map(Estimate::Picture).or(estimate);
        service
            .resolve_as(&mut SpanLimit::default(), window, estimate)
            .unwrap();
        service.check(window);
        estimator.note(window, records);
        shape.note(&histogram);
        if window.from().0 >= COLD * DAY {
            requests += service.asked;
            least += records.div_ceil(CAP).max(1);
        }
    }
    (requests, least)
}

fn ratio(caps: u64, burst: f64, comes: Comes, length: i64, knows_days: bool) -> f64 {
    let (mut requests, mut least) = (0, 0);
    for seed in 0..2 {
        let times = days(caps, burst, comes, seed);
        for order in [Order::Ascending, Order::Shuffled] {
            let (asked, fewest) = price(&times, length, order, knows_days);
            requests += asked;
            least += fewest;
        }
    }
    requests as f64 / least as f64
}

/// Guarantee: Bounded
#[test]
fn bursts_that_come_each_day_cost_little_more_than_the_least_possible() {
    for comes in [Comes::Daily, Comes::Anytime] {
        for (length, most) in [(HOUR, 1.4), (DAY, 1.9)] {
            for caps in [3, 20] {
                let hours = length / HOUR;
                let mut row = format!("{comes:?}, {caps} caps a day, {hours} h:");
                for burst in [0.0, 0.3, 0.6, 0.9] {
                    let [before, now] =
                        [false, true].map(|knows| ratio(caps, burst, comes, length, knows));
                    row += &format!("  {before:.2} -> {now:.2}");
                    let is_bad = comes == Comes::Daily && burst < 0.9 && now > most;
                    assert!(!is_bad, "{row}");
                    // Where it can't be foreseen, what was seen before does no harm.
                    assert!(now < before * 1.15, "{row}");
                }
                println!("{row}");
            }
        }
    }
}
