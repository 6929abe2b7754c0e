//! Windows archived over HTTP by our program, beside what other tools take for the same.

use std::error::Error;
use std::time::Duration;

use crate::baselines::Baseline;
use crate::measure::{self, Spent};
use crate::options::Options;
use crate::ours::{Ours, Run, Windows};
use crate::place::Place;
use crate::ratios::Spread;
use crate::server::Server;
use crate::tls::Tls;
use crate::zips::{self, SHAPES, Shape};

/// The rates of the wire, in bytes a second, with their names; 0 is no bound.
pub const RATES: [(u64, &str); 3] = [
    (20_000_000, "20 MB/s"),
    (110_000_000, "110 MB/s"),
    (0, "unlimited"),
];
/// Requests in flight: the program's default.
pub const IN_FLIGHT: usize = 2;

/// A way to get the windows.
enum Way<'a> {
    Ours(&'a Ours),
    Other(&'a Baseline),
}

/// A rate and a shape, and what each way took in each round.
struct Cell {
    rate: u64,
    name: String,
    shape: Shape,
    rounds: Vec<Vec<Spent>>,
}

impl Cell {
    /// What `measure` says of one way over another in the same round.
    fn ratio(&self, way: usize, over: usize, measure: impl Fn(&Spent) -> f64) -> Spread {
        let ratio = |spent: &Vec<Spent>| measure(&spent[way]) / measure(&spent[over]);
        Spread::of(self.rounds.iter().map(ratio))
    }

    fn of(&self, way: usize, measure: impl Fn(&Spent) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(|spent| measure(&spent[way])))
    }
}

/// Makes the answers for these windows in both shapes. Returns the bytes of a window's zip and of its files.
pub fn offer(server: &Server, windows: &Windows) -> Result<(u64, u64), Box<dyn Error>> {
    let (mut packed, mut unpacked) = (0, 0);
    for &span in &windows.spans {
        for shape in SHAPES {
            let (zip, bytes) = zips::full(shape, span)?;
            (packed, unpacked) = (zip.len() as u64, bytes);
            server.offer((shape.entries as i64, span.from().0), zip);
        }
    }
    Ok((packed, unpacked))
}

/// Runs all of it and prints the tables; over HTTPS where `is_tls` says so.
pub fn print(options: &Options, is_tls: bool) -> Result<(), Box<dyn Error>> {
    let (baselines, missing) = Baseline::all();
    let ours = options.ours.iter();
    let ways: Vec<(String, Way<'_>)> = ours
        .map(|ours| (ours.label.clone(), Way::Ours(ours)))
        .chain(
            baselines
                .iter()
                .map(|(name, other)| (name.clone(), Way::Other(other))),
        )
        .collect();
    let place = Place::below(&options.folder)?;
    let server = Server::start(is_tls.then(|| Tls::new(place.path())).transpose()?)?;
    let windows = Windows::days(options.windows);
    eprintln!("wire: making {} zips", 2 * windows.spans.len());
    let (packed, unpacked) = offer(&server, &windows)?;
    println!(
        "{}: {} windows of {} records, {:.1} MB in a zip of {:.1} MB each; {} rounds; medians, and the lowest and the \
         highest.",
        if is_tls { "HTTPS" } else { "HTTP" },
        windows.spans.len(),
        zips::RECORDS,
        unpacked as f64 / 1e6,
        packed as f64 / 1e6,
        options.rounds
    );
    if !missing.is_empty() {
        println!(
            "Left out, since it is not installed: {}.",
            missing.join(", ")
        );
    }
    let mut cells: Vec<Cell> = RATES
        .iter()
        .flat_map(|&(rate, name)| SHAPES.map(|shape| (rate, name, shape)))
        .map(|(rate, name, shape)| Cell {
            rate,
            name: format!("{name}, {}", shape.name()),
            shape,
            rounds: Vec::new(),
        })
        .collect();
    for round in 0..options.rounds {
        for cell in &mut cells {
            eprintln!(
                "wire: round {} of {}, {}",
                round + 1,
                options.rounds,
                cell.name
            );
            server.set(cell.rate, Duration::ZERO);
            let mut spent = vec![None; ways.len()];
            for turn in 0..ways.len() {
                // Each way is each other's neighbour, and comes first, once in so many rounds.
                let way = (turn + round) % ways.len();
                let shape = cell.shape;
                spent[way] = Some(run(&ways[way].1, shape, &server, &windows, &place)?);
            }
            cell.rounds.push(spent.into_iter().flatten().collect());
        }
    }
    let count = options.ours.len();
    print_ratios("wall time", &cells, &ways, count, |spent| spent.wall);
    print_ratios("processor time", &cells, &ways, count, |spent| {
        spent.processor
    });
    print_each(&cells, &ways, windows.spans.len());
    Ok(())
}

fn run(
    way: &Way<'_>,
    shape: Shape,
    server: &Server,
    windows: &Windows,
    place: &Place,
) -> Result<Spent, Box<dyn Error>> {
    let home = place.fresh()?;
    match way {
        Way::Ours(ours) => {
            let run = Run {
                server,
                shape,
                windows,
                records: zips::RECORDS,
                in_flight: IN_FLIGHT,
                by_backfill: false,
                keeps_zips: false,
            };
            run.measured(ours, &home)
        }
        Way::Other(other) => {
            let command = other.command(server, shape, &windows.spans, &home);
            let log = home.with_extension("log");
            measure::run(&command, &log)
        }
    }
}

fn head(what: &str, cells: &[Cell]) {
    let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
    println!(
        "\n| {what} | {} |\n|---|{}",
        names.join(" | "),
        "--:|".repeat(cells.len())
    );
}

/// The first `count` ways are ours.
fn print_ratios(
    what: &str,
    cells: &[Cell],
    ways: &[(String, Way<'_>)],
    count: usize,
    measure: impl Fn(&Spent) -> f64 + Copy,
) {
    head(what, cells);
    for (way, (name, _)) in ways[..count].iter().enumerate() {
        let others = (count..ways.len()).chain((way > 0).then_some(0));
        for over in others {
            let ratios = cells
                .iter()
                .map(|cell| cell.ratio(way, over, measure).to_string());
            let ratios: Vec<String> = ratios.collect();
            println!("| {name} over {} | {} |", ways[over].0, ratios.join(" | "));
        }
    }
}

fn print_each(cells: &[Cell], ways: &[(String, Way<'_>)], windows: usize) {
    head("seconds a window: wall, processor; peak MiB", cells);
    for (way, (name, _)) in ways.iter().enumerate() {
        let each = |cell: &Cell| {
            let wall = cell.of(way, |spent| spent.wall).median / windows as f64;
            let processor = cell.of(way, |spent| spent.processor).median / windows as f64;
            let peak = cell.of(way, |spent| spent.peak).highest;
            format!("{wall:.2}, {processor:.2}; {peak:.0}")
        };
        let each: Vec<String> = cells.iter().map(each).collect();
        println!("| {name} | {} |", each.join(" | "));
    }
}
