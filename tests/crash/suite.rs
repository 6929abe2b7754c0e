//! The crash matrix: the real binary is killed at system calls that touch the disk, the power is cut
//! or not, and it is started again. Carries the proof that the matrix notices what it has to.
//!
//! `CRASH=ci` tries as many cases as a few minutes allow, `CRASH=full` every one there is, and
//! `CRASH_SEED` repeats a sample.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod call;
mod faults;
mod flushed;
mod ground;
mod lie;
mod matrix;
mod scene;
mod tracer;
mod violation;

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Instant, SystemTime};

use elsa_archiver::durable::Step;
use flushed::relied_on_too_early;
use ground::{Cut, Ground};
use lie::Lie;
use matrix::{Case, Dice, Mode};
use scene::{Scene, Start};

/// The named steps of a cycle. The others only read, are caches (a checkpoint), an operator's word,
/// or need a full disk.
const STEPS: [&str; 21] = [
    "StageFolder",
    "StageZip",
    "StageData",
    "SyncData",
    "SyncDataFolder",
    "PlacePart",
    "StageManifest",
    "SyncManifest",
    "StageSums",
    "SyncSums",
    "SyncFolder",
    "MakeParent",
    "SyncGrandparent",
    "Publish",
    "SyncParent",
    "Append",
    "SyncLedger",
    "CreateLedger",
    "SyncState",
    "CutLedger",
    "Clean",
];

/// Prints past the test runner, which would keep it to itself: what is left out must be seen.
fn tell(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

const STARTS: [Start; 3] = [Start::Empty, Start::Interrupted, Start::Late];

/// How many cases are tried.
#[derive(Clone, Copy)]
struct Size {
    cases: usize,
    /// For each variant that is broken on purpose, in a mode that need not see it.
    blind: usize,
    /// How many calls are made to fail.
    faults: usize,
    /// Whether full disks are tried in every way.
    all_full_disks: bool,
}

fn size() -> Size {
    match std::env::var("CRASH").as_deref() {
        Ok("full") => Size {
            cases: usize::MAX,
            blind: 40,
            faults: usize::MAX,
            all_full_disks: true,
        },
        Ok("ci") => Size {
            cases: 1200,
            blind: 6,
            faults: 400,
            all_full_disks: true,
        },
        _ => Size {
            cases: 50,
            blind: 0,
            faults: 30,
            all_full_disks: false,
        },
    }
}

fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// The modes that this machine is able to try.
fn modes() -> &'static [Mode] {
    match ground::can_mount() {
        Ok(()) => &matrix::ALL,
        Err(why) => {
            tell(format!(
                "skipped: every power cut, since no file system can be mounted here ({why})"
            ));
            &matrix::UNPRIVILEGED
        }
    }
}

#[test]
fn killed_and_cut_anywhere_the_archive_is_whole_and_ends_up_exact() {
    let (begun, seed, modes) = (Instant::now(), seed(), modes());
    let mut dice = Dice(seed);
    let mut scene = Scene::new(Ground::Folder);
    let mut all = Vec::new();
    let mut points = 0;
    for start in STARTS {
        let calls = matrix::reference(&mut scene, start, Lie::None);
        relied_on_too_early(&calls).unwrap();
        points += calls.iter().filter(|seen| seen.call.changes()).count();
        all.extend(matrix::cases(&calls, start, Lie::None, modes, &mut dice));
    }
    let there_are = all.len();
    let cases = matrix::sample(all, size().cases, &mut dice);
    let tally = matrix::run(cases, usize::MAX);
    let mut table = format!(
        "\ncrash matrix, seed {seed}: {} of {points} points, {} of {there_are} cases\n  \
         kills {}, kills in recovery {}, cuts {}, points not reached {}\n",
        tally.points.len(),
        tally.kills + tally.not_reached,
        tally.kills,
        tally.kills_in_recovery,
        tally.cuts,
        tally.not_reached
    );
    for ((ground, cut), cases) in &tally.by_mode {
        table += &format!("  {ground:?}, {}: {cases}\n", cut.words());
    }
    let (steps, found) = (&tally.steps, tally.violations.len());
    let took = begun.elapsed();
    tell(format!(
        "{table}  kills by step: {steps:?}\n  violations: {found}  ({took:?})"
    ));
    assert!(
        tally.violations.is_empty(),
        "{}",
        tally.violations.join("\n\n")
    );
    if size().cases > there_are / 4 {
        for step in STEPS {
            assert!(tally.steps.contains_key(step), "never killed at {step}");
        }
    }
    assert!(
        tally.kills > 10 * tally.not_reached,
        "most points are no longer reached"
    );
}

/// Whether a mode has to see that the layer is broken like this; the others may.
fn has_to_see(lie: Lie, (ground, cut): Mode) -> bool {
    match lie {
        Lie::PublishByCopy | Lie::LedgerFirst => ground == Ground::Folder,
        Lie::NoFileSync => cut == Cut::KeepJournal,
        Lie::NoFolderSync => cut == Cut::LoseJournal,
        // The trace alone.
        Lie::NoStagingSync | Lie::None => false,
    }
}

const fn verdict(caught: bool) -> &'static str {
    if caught { "CAUGHT" } else { "-" }
}

/// The steps at which a broken layer does its damage, if it does any.
const fn matters(step: Step) -> bool {
    matches!(
        step,
        Step::Publish | Step::SyncParent | Step::Append | Step::SyncLedger
    )
}

#[test]
fn the_matrix_notices_a_durable_layer_that_is_broken_on_purpose() {
    let (begun, seed, modes) = (Instant::now(), seed(), modes());
    let mut dice = Dice(seed);
    let mut scene = Scene::new(Ground::Folder);
    let lies = [
        Lie::NoFileSync,
        Lie::NoFolderSync,
        Lie::NoStagingSync,
        Lie::PublishByCopy,
        Lie::LedgerFirst,
    ];
    let mut blind = Vec::new();
    let mut table = format!("\nbroken on purpose, seed {seed}:\n");
    for lie in lies {
        let calls = matrix::reference(&mut scene, Start::Interrupted, lie);
        let by_trace = relied_on_too_early(&calls).is_err();
        let mut line = format!("  {:27} trace of calls: {}", lie.words(), verdict(by_trace));
        if lie == Lie::NoStagingSync && !by_trace {
            blind.push(format!("{lie:?}"));
        }
        for &mode in modes {
            let must = has_to_see(lie, mode);
            let most = if must { 60 } else { size().blind };
            let cases: Vec<Case> =
                matrix::cases(&calls, Start::Interrupted, lie, &[mode], &mut dice)
                    .into_iter()
                    .filter(|case| case.step.is_some_and(matters))
                    .map(|case| Case { then: None, ..case })
                    .collect();
            let cases = matrix::sample(cases, most, &mut dice);
            if cases.is_empty() {
                continue;
            }
            let tally = matrix::run(cases, 1);
            let caught = !tally.violations.is_empty();
            line += &format!("; {:?}, {}: {}", mode.0, mode.1.words(), verdict(caught));
            if must && !caught {
                blind.push(format!("{lie:?} in {mode:?}"));
            }
        }
        table += &format!("{line}\n");
    }
    tell(format!("{table}  ({:?})", begun.elapsed()));
    assert!(blind.is_empty(), "not noticed: {blind:?}");
}
