//! One window, from the inside: bytes in and out, syncs, and the time from its last byte to its durable name.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::baselines::answers;
use crate::options::Options;
use crate::ours::{Ours, Run, Windows};
use crate::place::Place;
use crate::ratios::Spread;
use crate::server::Server;
use crate::strace::{self, Seen};
use crate::wire::{self, RATES};
use crate::zips::{RECORDS, SHAPES, Shape};

/// Prints both tables.
pub fn print(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = Server::start(None)?;
    let windows = Windows::days(1);
    wire::offer(&server, &windows)?;
    let place = Place::below(&options.folder)?;
    let run = |shape| Run {
        server: &server,
        shape,
        windows: &windows,
        records: RECORDS,
        in_flight: 2,
        by_backfill: false,
        keeps_zips: false,
    };
    print_tails(options, run, &place)?;
    println!();
    if answers("strace", &["--version"]).is_none() {
        println!("The trace is left out: `strace` is not installed.");
        return Ok(());
    }
    print_traces(options, run, &place)
}

/// What the program's own log says, with nothing that slows it.
fn print_tails<'a>(
    options: &Options,
    run: impl Fn(Shape) -> Run<'a>,
    place: &Place,
) -> Result<(), Box<dyn Error>> {
    println!(
        "| last byte to durable name, ms, by the log, {} rounds | from the last byte sent | from `answered` |\n|---|--:|--:|",
        options.rounds
    );
    for (rate, name) in RATES {
        for shape in SHAPES {
            let mut tails = vec![Vec::new(); options.ours.len()];
            for round in 0..options.rounds {
                for turn in 0..options.ours.len() {
                    let at = (turn + round) % options.ours.len();
                    let run = run(shape);
                    run.server.set(rate, Duration::ZERO);
                    tails[at].push(tail(run, &options.ours[at], &place.fresh()?)?);
                }
            }
            for (Ours { label, .. }, tails) in options.ours.iter().zip(tails) {
                let sent = Spread::of(tails.iter().map(|tail| tail.since_sent));
                let answered = Spread::of(tails.iter().map(|tail| tail.since_answered));
                println!(
                    "| {label}, {name}, {} | {sent:.0} | {answered:.0} |",
                    shape.name()
                );
            }
        }
    }
    Ok(())
}

/// Milliseconds until the log says that the window is archived, which it does once its name is durable.
#[derive(Clone, Debug)]
struct Tail {
    /// Since the server has given its last byte to the system.
    since_sent: f64,
    /// Since the log said that the answer has ended.
    since_answered: f64,
}

fn tail(run: Run<'_>, ours: &Ours, home: &Path) -> Result<Tail, Box<dyn Error>> {
    let mut command = run.command(ours, home)?;
    command.env("RUST_LOG", "warn,elsa_archiver=debug");
    command.args(["--log-format", "json"]);
    let output = command.stdin(Stdio::null()).output()?;
    run.check(home)?;
    let log = String::from_utf8_lossy(&output.stderr);
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines: Vec<Value> = lines.collect();
    let at = |message: &str| -> Result<f64, Box<dyn Error>> {
        let line = lines.iter().rfind(|line| line["message"] == message);
        let line = line.ok_or_else(|| format!("the log does not say {message:?}: {log}"))?;
        let time: jiff::Timestamp = line["timestamp"].as_str().unwrap_or_default().parse()?;
        Ok(time.as_millisecond() as f64)
    };
    let archived = at("archived")?;
    Ok(Tail {
        since_sent: archived - run.server.last_sent_ms(),
        since_answered: archived - at("answered")?,
    })
}

fn print_traces<'a>(
    options: &Options,
    run: impl Fn(Shape) -> Run<'a>,
    place: &Place,
) -> Result<(), Box<dyn Error>> {
    let (rate, name) = RATES[1];
    println!(
        "| traced by strace, which slows it, at {name} | bytes in | bytes out: zip, other | syncs, ms in all | of them \
         after the last byte | `sync_file_range` | last byte to the rename, ms | to its folder's sync | to the ledger's |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for shape in SHAPES {
        for ours in &options.ours {
            let home = place.fresh()?;
            let run = run(shape);
            run.server.set(rate, Duration::ZERO);
            let traced = run.command(ours, &home)?;
            let written = home.join("strace");
            let mut command = Command::new("strace");
            command.args(strace::ARGUMENTS).arg("-o").arg(&written);
            command.arg(traced.get_program()).args(traced.get_args());
            let output = command.stdin(Stdio::null()).output()?;
            run.check(&home)
                .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
            let calls = strace::calls(&fs::read_to_string(&written)?);
            let Seen {
                bytes_in,
                zip_out,
                other_out,
                syncs,
                sync_ms,
                begun_writing,
                late_syncs,
                to_rename,
                to_durable,
                to_ledger,
            } = strace::seen(&calls, &home)?;
            println!(
                "| {}, {} | {bytes_in} | {zip_out}, {other_out} | {syncs}, {sync_ms:.0} | {late_syncs} | {begun_writing} | {to_rename:.0} \
                 | {to_durable:.0} | {to_ledger:.0} |",
                ours.label,
                shape.name()
            );
        }
    }
    Ok(())
}
