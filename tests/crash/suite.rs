//! The crash matrix: the real binary is killed at system calls that touch the disk, the power is cut
//! or not, and it is started again. Carries the proof that the matrix notices what it has to.
//!
//! `CRASH=ci` tries as many cases as a few minutes allow, `CRASH=full` every one there is, and
//! `CRASH_SEED` repeats a sample. `CRASH_STARTS=Zips,Pruned` tries cases of these starts alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod call;
mod damaged;
mod faults;
mod flushed;
mod ground;
mod heads;
mod lie;
mod matrix;
mod pruned;
mod refused;
mod scene;
mod tracer;
mod violation;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Instant, SystemTime};

use call::Disks;
use elsa_archiver::durable::Step;
use flushed::relied_on_too_early;
use ground::{Cut, Ground};
use lie::Lie;
use matrix::{Case, Dice, Mode};
use scene::{Scene, Start};

use crate::harness::{left_out, tell};

/// The named steps of a cycle, of a repair, of a prune and of a head. The others only read, are caches (a checkpoint), an operator's word,
/// or need a full disk.
const STEPS: [&str; 37] = [
    "StageFolder",
    "StageZip",
    "SyncZip",
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
    "StageRefused",
    "SyncRefused",
    "KeepRefused",
    "SyncQuarantine",
    "SetAside",
    "SyncAside",
    "MarkPruning",
    "RenameSums",
    "RemoveData",
    "SyncPruned",
    "UnmarkPruning",
    "WriteSignature",
    "WriteHead",
    "SyncHeads",
    "NoteHead",
];

const STARTS: [Start; 8] = [
    Start::Empty,
    Start::Interrupted,
    Start::Late,
    Start::Refused,
    Start::Group,
    Start::Zips,
    Start::Damaged,
    Start::Pruned,
];

/// Those from which a cycle is run.
const CYCLES: &[Start] = STARTS.split_at(6).0;

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
    /// Whether that is enough for each step to come up.
    each_step: bool,
}

fn size() -> Size {
    match std::env::var("CRASH").as_deref() {
        Ok("full") => Size {
            cases: usize::MAX,
            blind: 40,
            faults: usize::MAX,
            all_full_disks: true,
            each_step: true,
        },
        Ok("ci") => Size {
            cases: 1200,
            blind: 6,
            faults: 400,
            all_full_disks: true,
            each_step: true,
        },
        _ => Size {
            cases: 50,
            blind: 0,
            faults: 30,
            all_full_disks: false,
            each_step: false,
        },
    }
}

/// The starts that are tried: all, or those that `CRASH_STARTS` names.
fn starts() -> Vec<Start> {
    let named = std::env::var("CRASH_STARTS").ok();
    let is_named = |start: &Start| {
        let name = format!("{start:?}");
        named
            .as_ref()
            .is_none_or(|named| named.split(',').any(|one| one == name))
    };
    STARTS.into_iter().filter(is_named).collect()
}

fn seed() -> u64 {
    let given = std::env::var("CRASH_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// The name of a step in the tables.
fn step_name(step: Option<Step>) -> String {
    step.map_or("none".into(), |step| format!("{step:?}"))
}

/// Asserts that no named step is missing.
#[track_caller]
fn assert_each_step<'a>(found: impl IntoIterator<Item = &'a String>, what: &str) {
    let found: BTreeSet<&str> = found.into_iter().map(String::as_str).collect();
    for step in STEPS {
        assert!(found.contains(step), "{step} is never {what}");
    }
}

/// The modes that this machine is able to try.
fn modes() -> &'static [Mode] {
    match ground::can_mount() {
        Ok(()) => &matrix::ALL,
        Err(why) => {
            left_out("every power cut", why);
            &matrix::UNPRIVILEGED
        }
    }
}

/// Guarantee: Exactly once
/// Guarantee: Atomic
/// Guarantee: Ordered
#[test]
fn killed_and_cut_anywhere_the_archive_is_whole_and_ends_up_exact() {
    let (begun, seed, modes) = (Instant::now(), seed(), modes());
    let mut dice = Dice(seed);
    let mut scene = Scene::new(Ground::Folder);
    let mut all = Vec::new();
    let starts = starts();
    for &start in &starts {
        let calls = matrix::reference(&mut scene, start, Lie::None);
        relied_on_too_early(&calls).unwrap();
        all.extend(matrix::cases(&calls, start, Lie::None, modes, &mut dice));
    }
    let steps: BTreeSet<String> = all.iter().map(|case| step_name(case.step)).collect();
    let is_whole = starts == STARTS;
    if is_whole {
        assert_each_step(&steps, "taken");
    }
    let points: BTreeSet<_> = all.iter().map(|case| (case.start, &case.point)).collect();
    let (points, there_are) = (points.len(), all.len());
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
    if size().each_step && is_whole {
        assert_each_step(tally.steps.keys(), "where it was killed");
    }
    assert!(
        tally.kills > 10 * tally.not_reached,
        "most points are no longer reached"
    );
}

/// Whether a mode has to see that the layer is broken like this; the others may.
fn has_to_see(start: Start, lie: Lie, (ground, cut): Mode) -> bool {
    match lie {
        Lie::PublishByCopy | Lie::LedgerFirst | Lie::NoMark | Lie::SumsLast => {
            ground == Ground::Folder
        }
        // The ledger's flush takes the names along.
        Lie::NoFolderSync if start == Start::Pruned => false,
        Lie::NoFileSync => cut == Cut::KeepJournal,
        Lie::NoFolderSync => cut == Cut::LoseJournal,
        // The trace alone.
        Lie::NoStagingSync | Lie::FlushAfterRename | Lie::None => false,
    }
}

/// Whether the order of calls has to show it, and must not show anything else.
const fn leaves_a_flush_out(lie: Lie) -> bool {
    match lie {
        Lie::NoFileSync | Lie::NoFolderSync | Lie::NoStagingSync | Lie::FlushAfterRename => true,
        Lie::PublishByCopy | Lie::LedgerFirst | Lie::NoMark | Lie::SumsLast | Lie::None => false,
    }
}

const fn verdict(caught: bool) -> &'static str {
    if caught { "CAUGHT" } else { "-" }
}

/// The steps at which a broken layer does its damage, if it does any: to what is published, or to
/// a refused zip, of which the log has told by the time of the next answer.
const fn matters(start: Start, step: Step) -> bool {
    use Step::{Append, KeepRefused, MarkPruning, Publish, RemoveData, RenameSums, StageZip};
    use Step::{SyncLedger, SyncParent, SyncPruned, SyncQuarantine};
    match start {
        Start::Refused => matches!(step, KeepRefused | SyncQuarantine | StageZip),
        Start::Pruned => matches!(
            step,
            MarkPruning | Append | SyncLedger | RenameSums | SyncPruned | RemoveData
        ),
        _ => matches!(step, Publish | SyncParent | Append | SyncLedger),
    }
}

/// Guarantee: Atomic
/// Guarantee: Ordered
#[test]
fn the_matrix_notices_a_durable_layer_that_is_broken_on_purpose() {
    let (begun, seed, modes) = (Instant::now(), seed(), modes());
    let mut dice = Dice(seed);
    let mut scene = Scene::new(Ground::Folder);
    let lies = [
        (Start::Interrupted, Lie::NoFileSync),
        (Start::Interrupted, Lie::NoFolderSync),
        (Start::Interrupted, Lie::NoStagingSync),
        (Start::Interrupted, Lie::PublishByCopy),
        (Start::Interrupted, Lie::LedgerFirst),
        (Start::Group, Lie::NoFileSync),
        (Start::Group, Lie::NoFolderSync),
        (Start::Group, Lie::NoStagingSync),
        (Start::Group, Lie::FlushAfterRename),
        (Start::Group, Lie::LedgerFirst),
        (Start::Zips, Lie::NoFileSync),
        (Start::Zips, Lie::NoStagingSync),
        (Start::Refused, Lie::NoFileSync),
        (Start::Refused, Lie::NoFolderSync),
        (Start::Pruned, Lie::NoFileSync),
        (Start::Pruned, Lie::NoFolderSync),
        (Start::Pruned, Lie::NoMark),
        (Start::Pruned, Lie::SumsLast),
    ];
    let mut blind = Vec::new();
    let mut table = format!("\nbroken on purpose, seed {seed}:\n");
    for (start, lie) in lies {
        let calls = matrix::reference(&mut scene, start, lie);
        let by_trace = relied_on_too_early(&calls).is_err();
        let what = format!("{start:?}, {}", lie.words());
        let mut line = format!("  {what:40} trace of calls: {}", verdict(by_trace));
        if by_trace != leaves_a_flush_out(lie) {
            blind.push(format!("{lie:?} from {start:?} in the order of calls"));
        }
        for &mode in modes {
            let must = has_to_see(start, lie, mode);
            let most = if must { 60 } else { size().blind };
            let cases: Vec<Case> = matrix::cases(&calls, start, lie, &[mode], &mut dice)
                .into_iter()
                .filter(|case| case.step.is_some_and(|step| matters(start, step)))
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
                blind.push(format!("{lie:?} from {start:?} in {mode:?}"));
            }
        }
        table += &format!("{line}\n");
    }
    tell(format!("{table}  ({:?})", begun.elapsed()));
    assert!(blind.is_empty(), "not noticed: {blind:?}");
}

/// Otherwise that none is found would say nothing.
///
/// Guarantee: Suspicious
#[test]
fn a_key_on_a_disk_in_a_name_or_in_a_log_is_noticed() {
    let mut scene = Scene::new(Ground::Folder);
    let key = fs::read(scene.world.path("keys/secret")).unwrap();
    let name = String::from_utf8(key.clone()).unwrap();
    scene.lay(Start::Interrupted);
    scene.look().unwrap();
    let Disks { archive, state } = scene.disks();
    let planted = [&b"{\"x\":\""[..], &key, b"\"}"].concat();
    for (place, bytes) in [
        (archive.join("archive/.staging/shop.json"), &planted[..]),
        (state.join("state/shop.ledger.jsonl.new"), &planted),
        (state.join("state").join(name), b""),
        (scene.log(), &planted),
    ] {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        let why = scene.look().unwrap_err();
        assert!(why.starts_with("a key is in "), "{place:?}: {why}");
        fs::remove_file(place).unwrap();
    }
    scene.look().unwrap();
}
