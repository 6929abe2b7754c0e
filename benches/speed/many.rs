//! Many nearly empty windows: how many a second, and how much of a service's latency is waited for.

use std::error::Error;
use std::time::Duration;

use crate::options::Options;
use crate::ours::{Ours, Run, Windows};
use crate::place::Place;
use crate::ratios::Spread;
use crate::server::Server;
use crate::zips::SHAPES;

/// Requests in flight at once.
const IN_FLIGHT: usize = 8;
/// Windows whose number a second is measured.
const SMALL: usize = 2000;
/// What the service takes before it answers.
const LATENCY: Duration = Duration::from_millis(300);

/// Seconds that each program took, by round; the order changes from round to round.
fn in_turns(
    options: &Options,
    latency: Duration,
    windows: usize,
    by_backfill: bool,
) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let server = Server::start(None)?;
    server.set(0, latency);
    let place = Place::below(&options.folder)?;
    let mut rounds = Vec::new();
    for round in 0..options.rounds {
        eprintln!(
            "{windows} windows: round {} of {}",
            round + 1,
            options.rounds
        );
        let mut taken = vec![0.0; options.ours.len()];
        for turn in 0..taken.len() {
            let at = (turn + round) % taken.len();
            let run = Run {
                server: &server,
                shape: SHAPES[0],
                windows: &Windows::hours(windows),
                records: 1,
                in_flight: IN_FLIGHT,
                by_backfill,
                keeps_zips: false,
            };
            taken[at] = run.measured(&options.ours[at], &place.fresh()?)?.wall;
        }
        rounds.push(taken);
    }
    Ok(rounds)
}

/// Prints how many nearly empty windows a second are archived.
pub fn print_small(options: &Options) -> Result<(), Box<dyn Error>> {
    let windows = SMALL.div_ceil(options.fewer);
    let rounds = in_turns(options, Duration::ZERO, windows, true)?;
    println!(
        "| {windows} nearly empty windows, `backfill`, {IN_FLIGHT} in flight | windows a second | times as fast as {} |\n|---|--:|--:|",
        options.ours[0].label
    );
    for (at, Ours { label, .. }) in options.ours.iter().enumerate() {
        let a_second = Spread::of(rounds.iter().map(|taken| windows as f64 / taken[at]));
        let over = Spread::of(rounds.iter().map(|taken| taken[0] / taken[at]));
        println!("| {label} | {a_second:.0} | {over} |");
    }
    Ok(())
}

/// Prints what many windows take over the least that a service's latency allows.
pub fn print_latency(options: &Options) -> Result<(), Box<dyn Error>> {
    println!(
        "| {} ms latency, {IN_FLIGHT} in flight, over the ideal | windows | over the ideal |\n|---|--:|--:|",
        LATENCY.as_millis()
    );
    for (command, windows, by_backfill) in [("backfill", 500, true), ("once", 100, false)] {
        let windows = usize::div_ceil(windows, options.fewer);
        let ideal = windows.div_ceil(IN_FLIGHT) as f64 * LATENCY.as_secs_f64();
        let rounds = in_turns(options, LATENCY, windows, by_backfill)?;
        for (at, Ours { label, .. }) in options.ours.iter().enumerate() {
            let over = Spread::of(rounds.iter().map(|taken| taken[at] / ideal));
            println!("| {label}, `{command}` | {windows} | {over} |");
        }
    }
    Ok(())
}
