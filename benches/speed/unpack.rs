//! One zip, unpacked, checked, hashed and counted by our code, beside Info-ZIP's `unzip`; in memory, so that no
//! disk is measured.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elsa_archiver::archive::store::Store;
use elsa_archiver::archive::unpack::Unpacking;
use elsa_archiver::domain::job::Format;
use elsa_archiver::domain::limits::Limits;
use elsa_archiver::durable::Disk;

use crate::baselines::answers;
use crate::measure::{self, Spent};
use crate::options::Options;
use crate::ours::Windows;
use crate::place::Place;
use crate::ratios::Spread;
use crate::zips::{self, RECORDS, SHAPES, Shape};

/// The bench's first argument where it unpacks: then the zip, the folder, the zip's entries, its window's `from`.
pub const ARGUMENT: &str = "--unpack";

/// Where Linux has a file system in memory.
const IN_MEMORY: &str = "/dev/shm";

/// Unpacks as these arguments say, in a process that is measured.
pub fn act(arguments: impl Iterator<Item = OsString>) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = arguments.collect();
    let [zip, folder, entries] = arguments.as_slice() else {
        return Err("not the arguments to unpack".into());
    };
    let folder = PathBuf::from(folder);
    let entries = entries.to_str().unwrap_or_default().parse()?;
    let windows = Windows::days(1);
    let span = *windows.spans.first().ok_or("no window")?;
    let unpacking = Unpacking {
        store: &Store::new(folder.clone(), 0, Disk::default()),
        folder: Some(&folder.join("part")),
        span,
        window: span,
        format: Format::Json,
        include_fields: &[],
        records_zone: None,
        limit: Shape { entries }.limit() as u32,
        limits: Limits::default(),
    };
    let unpacked = unpacking.run(Path::new(zip), &|| false)?;
    if unpacked.records != Some(RECORDS as u64) {
        return Err(format!("{:?} records: {:?}", unpacked.records, unpacked.uncountable).into());
    }
    Ok(())
}

/// Prints the table.
pub fn print(options: &Options) -> Result<(), Box<dyn Error>> {
    if answers("unzip", &["-v"]).is_none() || !Path::new(IN_MEMORY).is_dir() {
        println!("Unpacking is left out: it takes `unzip` and {IN_MEMORY}.");
        return Ok(());
    }
    let place = Place::below(Path::new(IN_MEMORY))?;
    println!(
        "| unpacked, checked, hashed, counted, in memory: times as fast as `unzip`, which does not hash and count \
         | wall | processor | peak MiB |\n|---|--:|--:|--:|"
    );
    let windows = Windows::days(1);
    let span = *windows.spans.first().ok_or("no window")?;
    for shape in SHAPES {
        let (zip, _) = zips::full(shape, span)?;
        let kept = tempfile::NamedTempFile::new_in(IN_MEMORY)?;
        fs::write(kept.path(), &zip)?;
        let entries = shape.entries.to_string();
        let mut rounds = Vec::new();
        for round in 0..=options.rounds.max(3) {
            let ours = || -> Result<Spent, Box<dyn Error>> {
                let home = place.fresh()?;
                let mut command = Command::new(std::env::current_exe()?);
                command
                    .arg(ARGUMENT)
                    .arg(kept.path())
                    .arg(&home)
                    .arg(&entries);
                measure::run(&command, &home.join("log"))
            };
            let theirs = || -> Result<Spent, Box<dyn Error>> {
                let home = place.fresh()?;
                let mut command = Command::new("unzip");
                command
                    .arg("-q")
                    .arg(kept.path())
                    .arg("-d")
                    .arg(home.join("part"));
                measure::run(&command, &home.join("log"))
            };
            let pair = if round % 2 == 0 {
                let ours = ours()?;
                (ours, theirs()?)
            } else {
                let theirs = theirs()?;
                (ours()?, theirs)
            };
            // The first is to warm up.
            if round > 0 {
                rounds.push(pair);
            }
        }
        let faster = |measure: fn(&Spent) -> f64| {
            Spread::of(
                rounds
                    .iter()
                    .map(|(ours, theirs)| measure(theirs) / measure(ours)),
            )
        };
        let wall = faster(|spent| spent.wall);
        let processor = faster(|spent| spent.processor);
        let peak = Spread::of(rounds.iter().map(|(ours, _)| ours.peak)).highest;
        println!("| {} | {wall} | {processor} | {peak:.0} |", shape.name());
    }
    Ok(())
}
