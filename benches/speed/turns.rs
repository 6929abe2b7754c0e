//! Times taken in turns: what else the machine does hits each of them alike.

use std::time::{Duration, Instant};

/// What this thread has used of a processor, or the time where the system does not tell.
fn used(begun: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// How often each is run.
const ROUNDS: usize = 7;

/// A way to do the work.
pub type Way<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Runs each of `ways` in turns, once to warm up; returns the median of each way's processor times over the first's
/// of the same round, with the lowest and the highest.
pub fn over_the_first(mut ways: Vec<Way<'_>>) -> Vec<(&'static str, [f64; 3])> {
    let begun = Instant::now();
    let mut rounds: Vec<Vec<Duration>> = Vec::new();
    for _ in 0..=ROUNDS {
        let times = ways.iter_mut().map(|(_, run)| {
            let before = used(begun);
            run();
            used(begun) - before
        });
        rounds.push(times.collect());
    }
    rounds.remove(0);
    let ratios = |way: usize| {
        let ratio = |times: &Vec<Duration>| times[way].as_secs_f64() / times[0].as_secs_f64();
        let mut ratios: Vec<f64> = rounds.iter().map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        [ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]]
    };
    let names = ways.iter().map(|(name, _)| *name).enumerate();
    names.map(|(way, name)| (name, ratios(way))).collect()
}
