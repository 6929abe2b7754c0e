//! Windows kept unpacked and as their zips: what each takes to archive, on the disk, and to read back with `cat`.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::measure::{self, Spent};
use crate::options::Options;
use crate::ours::{Run, Windows};
use crate::place::Place;
use crate::ratios::Spread;
use crate::server::Server;
use crate::wire::{IN_FLIGHT, offer};
use crate::zips::{self, SHAPES};

/// What one round has taken: unpacked, then zips.
struct Round {
    archived: [Spent; 2],
    bytes: [f64; 2],
    read: [Spent; 2],
    /// `unzip -p` of all zips; `None` where it is not installed.
    unzip: Option<Spent>,
}

/// Runs all of it and prints the tables.
pub fn print(options: &Options) -> Result<(), Box<dyn Error>> {
    let place = Place::below(&options.folder)?;
    let server = Server::start(None)?;
    server.set(0, Duration::ZERO);
    let windows = Windows::days(options.windows);
    eprintln!("stores: making {} zips", 2 * windows.spans.len());
    offer(&server, &windows)?;
    let cores = available_parallelism()?.get();
    println!(
        "{} windows of {} records each, {} rounds, {cores} cores; medians, and the lowest and the highest.",
        windows.spans.len(),
        zips::RECORDS,
        options.rounds
    );
    println!(
        "\n| `store = \"zip\"` over unpacked | on disk | archiving, wall | processor | `cat`, wall | processor |\n\
         |---|--:|--:|--:|--:|--:|"
    );
    let mut speeds = Vec::new();
    for shape in SHAPES {
        let mut rounds = Vec::new();
        for number in 0..options.rounds {
            eprintln!(
                "stores: round {} of {}, {}",
                number + 1,
                options.rounds,
                shape.name()
            );
            let run = Run {
                server: &server,
                shape,
                windows: &windows,
                records: zips::RECORDS,
                in_flight: IN_FLIGHT,
                by_backfill: false,
                keeps_zips: false,
            };
            rounds.push(round(options, run, number, &place.fresh()?)?);
        }
        let over = |measure: &dyn Fn(&Round, usize) -> f64| {
            Spread::of(
                rounds
                    .iter()
                    .map(|round| measure(round, 1) / measure(round, 0)),
            )
        };
        println!(
            "| {} | {:.3} | {} | {} | {} | {} |",
            shape.name(),
            over(&|round, store| round.bytes[store]),
            over(&|round, store| round.archived[store].wall),
            over(&|round, store| round.archived[store].processor),
            over(&|round, store| round.read[store].wall),
            over(&|round, store| round.read[store].processor),
        );
        for (store, name) in [(0, "unpacked"), (1, "zips")] {
            let ratio = |round: &Round| {
                let unzip = round.unzip.as_ref()?;
                Some(unzip.wall / round.read[store].wall)
            };
            let ratios: Vec<f64> = rounds.iter().filter_map(ratio).collect();
            let peak = Spread::of(rounds.iter().map(|round| round.read[store].peak)).highest;
            let shown = match ratios.is_empty() {
                true => "unzip is not installed".to_owned(),
                false => Spread::of(ratios).to_string(),
            };
            speeds.push(format!(
                "| {name}, {} | {shown} | {peak:.0} |",
                shape.name()
            ));
        }
    }
    println!(
        "\n| `cat` of all windows | times as fast as `unzip -p` of their zips | peak MiB |\n|---|--:|--:|"
    );
    speeds.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn round(
    options: &Options,
    run: Run<'_>,
    number: usize,
    home: &Path,
) -> Result<Round, Box<dyn Error>> {
    let ours = &options.ours[0];
    let homes = ["unpacked", "zips"].map(|name| home.join(name));
    let mut archived = Vec::new();
    let in_turn = |number: usize| {
        if number.is_multiple_of(2) {
            [0, 1]
        } else {
            [1, 0]
        }
    };
    for store in in_turn(number) {
        fs::create_dir(&homes[store])?;
        let run = Run {
            keeps_zips: store == 1,
            ..run
        };
        archived.push((store, run.measured(ours, &homes[store])?));
    }
    let cat = |store: usize, output: &Path| {
        let mut command = Command::new(&ours.path);
        let [Some(first), Some(last)] = [run.windows.spans.first(), run.windows.spans.last()]
        else {
            return command;
        };
        command
            .arg("--config")
            .arg(homes[store].join("config.toml"));
        command
            .args(["cat", "--job", "speed", "--output"])
            .arg(output);
        command.args(["--from", &first.from().to_string()]);
        command.args(["--to", &last.to().to_string()]);
        command
    };
    if number == 0 {
        let outputs = [0, 1].map(|store| home.join(format!("out-{store}")));
        for (store, output) in outputs.iter().enumerate() {
            measure::run(&cat(store, output), &home.join("log"))?;
        }
        let same = Command::new("cmp").args(&outputs).status()?;
        if !same.success() {
            return Err("`cat` of both stores differs".into());
        }
    }
    let mut read = Vec::new();
    for store in in_turn(number) {
        let command = cat(store, Path::new("/dev/null"));
        read.push((store, measure::run(&command, &home.join("log"))?));
    }
    let mut zips = Vec::new();
    below(&homes[1].join("archive"), &mut |path, _| {
        if path.extension().is_some_and(|extension| extension == "zip") {
            zips.push(path);
        }
    })?;
    let mut unzip = Command::new("sh");
    unzip.args([
        "-c",
        "for zip; do unzip -p \"$zip\" || exit; done >/dev/null",
        "sh",
    ]);
    unzip.args(&zips);
    let has_unzip = Command::new("unzip").arg("-v").output().is_ok();
    let unzip = has_unzip.then(|| measure::run(&unzip, &home.join("log")));
    let sorted = |mut both: Vec<(usize, Spent)>| {
        both.sort_by_key(|(store, _)| *store);
        [both[0].1, both[1].1]
    };
    let mut bytes = [0.0; 2];
    for (store, home) in homes.iter().enumerate() {
        below(&home.join("archive"), &mut |_, allocated| {
            bytes[store] += allocated as f64;
        })?;
    }
    Ok(Round {
        archived: sorted(archived),
        bytes,
        read: sorted(read),
        unzip: unzip.transpose()?,
    })
}

/// Each file below a folder, with the bytes that the disk holds of it.
fn below(folder: &Path, each: &mut dyn FnMut(PathBuf, u64)) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        match found.is_dir() {
            true => below(&entry.path(), each)?,
            false => each(entry.path(), found.blocks() * 512),
        }
    }
    Ok(())
}
