//! *Isolated*, *Self-healing*, *Candid* on a disk that fails: every call that touches it is made
//! to fail or to do half its work, and disks are filled to the brim for real.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use elsa_archiver::durable::Step;
use nix::errno::Errno;

use super::call::Kind;
use super::flushed::relied_on_too_early;
use super::ground::{Ground, can_mount, own_namespace, sh};
use super::lie::Lie;
use super::matrix::{self, Dice};
use super::scene::{JOBS, Scene, Start};
use super::tracer::{At, Point, Seen, Traced, What};
use super::violation::violation;
use crate::harness::{left_out, tell};

/// A call that is made to fail.
struct Fault {
    start: Start,
    point: Point,
    step: Option<Step>,
    keeps_aside: bool,
    what: What,
}

impl Fault {
    /// The number of the error that it comes back with; `None` for half a write.
    const fn errno(&self) -> Option<i32> {
        match self.what {
            What::Fail(errno) | What::FailFromHereOn(errno) => Some(errno as i32),
            _ => None,
        }
    }

    /// What each sample has one of.
    const fn combination(&self) -> (Kind, Option<i32>) {
        (self.point.kind, self.errno())
    }
}

/// What each kind of call may come back with.
const fn errors(kind: Kind) -> &'static [Errno] {
    use Errno::{EDQUOT, EIO, EMFILE, ENOSPC, EROFS};
    match kind {
        Kind::Open => &[EIO, EMFILE],
        Kind::Create => &[EIO, EMFILE, ENOSPC, EDQUOT, EROFS],
        Kind::Write | Kind::SyncFile | Kind::SyncFolder => &[EIO, ENOSPC, EDQUOT],
        Kind::MakeFolder | Kind::Rename => &[EIO, ENOSPC, EDQUOT, EROFS],
        Kind::Remove | Kind::Truncate => &[EIO, EROFS],
    }
}

fn faults(calls: &[Seen], start: Start) -> Vec<Fault> {
    let mut faults = Vec::new();
    for Seen { point, call, .. } in calls.iter().filter(|seen| start.is_about(&seen.call)) {
        let mut whats: Vec<What> = Vec::new();
        for &errno in errors(call.kind) {
            whats.extend([What::Fail(errno), What::FailFromHereOn(errno)]);
        }
        if call.kind == Kind::Write && call.bytes > 1 {
            whats.push(What::WriteHalf);
        }
        faults.extend(whats.into_iter().map(|what| {
            let point = point.clone();
            Fault {
                start,
                point,
                step: call.step(),
                keeps_aside: call.keeps_aside(),
                what,
            }
        }));
    }
    faults
}

/// Guarantee: Self-healing
/// Guarantee: Isolated
#[test]
fn whatever_the_disk_refuses_is_told_harms_nothing_and_is_made_good() {
    let begun = Instant::now();
    let mut dice = Dice(super::seed());
    let seed = dice.0;
    let mut scene = Scene::new(Ground::Folder);
    let mut all = Vec::new();
    for start in super::starts() {
        let calls = matrix::reference(&mut scene, start, Lie::None);
        all.extend(faults(&calls, start));
    }
    let there_are = all.len();
    dice.shuffle(&mut all);
    let combinations: HashSet<_> = all.iter().map(Fault::combination).collect();
    let all = matrix::in_turns(all, |fault| (fault.step, fault.keeps_aside, fault.errno()));
    let mut all = matrix::in_turns(all, Fault::combination);
    all.truncate(super::size().faults);
    let tried: HashSet<_> = all.iter().map(Fault::combination).collect();
    assert_eq!(
        tried, combinations,
        "too few to try each error of each call"
    );
    let mut steps = BTreeSet::new();
    let mut violations = Vec::new();
    let (mut failed, mut harmless, mut not_reached) = (0, 0, 0);
    for fault in &all {
        scene.lay(fault.start);
        let traced = scene.traced(Some((At::Point(&fault.point), fault.what)), Lie::None);
        match (&traced.hit, traced.code) {
            (None, _) => not_reached += 1,
            (_, Some(0)) => harmless += 1,
            _ => failed += 1,
        }
        if traced.hit.is_some() {
            steps.insert(super::step_name(fault.step));
        }
        let what = format!("{:?} at {:?}, {:?}", fault.what, fault.point, fault.start);
        let checked = judge(&scene, &traced, fault).and_then(|()| {
            scene
                .converge()
                .map_err(|why| format!("the next cycle: {why}"))
        });
        if let Err(why) = checked {
            // At once: the others take minutes.
            crate::harness::tell(format!("VIOLATION: {what}: {why}"));
            violations.push(format!("{what}: {why}\n{}", traced.log));
        }
    }
    tell(format!(
        "\ndisk faults, seed {seed}: {} of {there_are}, {} combinations of call and error",
        all.len(),
        combinations.len()
    ));
    tell(format!(
        "  a cycle failed {failed}, did without {harmless}, not reached {not_reached}"
    ));
    tell(format!(
        "  violations: {}  ({:?})",
        violations.len(),
        begun.elapsed()
    ));
    assert!(violations.is_empty(), "{}", violations.join("\n\n"));
    let reached = failed + harmless;
    assert!(
        reached > 10 * not_reached,
        "most points are no longer reached"
    );
    assert!(
        2 * failed > reached,
        "most faults no longer fail anything: is the disk still what fails?"
    );
    if super::size().each_step && super::starts() == super::STARTS {
        super::assert_each_step(&steps, "what a fault hits");
    }
}

/// A failing call ends in exit code 1 with a message, or does no harm at all; the other job never
/// notices.
fn judge(scene: &Scene, traced: &Traced, fault: &Fault) -> Result<(), String> {
    relied_on_too_early(&traced.calls)?;
    scene.look()?;
    let Some(hit) = &traced.hit else {
        return Ok(());
    };
    violation(|| {
        assert!(!traced.log.contains("panicked"), "it panicked");
        let said = || {
            let Some(errno) = fault.errno() else {
                return false;
            };
            let disks = scene.disks();
            let places = [disks.root(), disks.state_dir()];
            let names = |line: &str| {
                // What is found in a folder is told of it by its place in the archive.
                let found = hit.path.strip_prefix("archive").ok();
                let found = found.and_then(Path::to_str);
                found.is_some_and(|place| line.contains(place))
                    || places
                        .iter()
                        .any(|place| line.contains(place.to_str().unwrap()))
            };
            let error = format!("(os error {errno})");
            traced
                .log
                .lines()
                .any(|line| line.contains(&error) && names(line))
        };
        if hit.keeps_aside() && !matches!(fault.what, What::FailFromHereOn(_)) {
            assert_eq!(traced.code, Some(0), "more than a warning");
            assert!(said() || fault.errno().is_none(), "no warning");
        }
        match traced.code {
            // Then it did without. What could not be removed goes at the next start.
            Some(0) => {
                scene.assert_all_is_done();
                let staged = scene.world.staged();
                assert!(staged.is_empty() || said(), "left untold: {staged:?}");
            }
            Some(1) => assert!(said(), "no line tells path and reason"),
            other => panic!("ended with {other:?}"),
        }
        // `.staging` is emptied for all of them at once, and which archive it is concerns them all.
        let for_all = traced.log.contains("can't write to the archive's root")
            || fault.point.path.ends_with("archive.json")
            || fault.point.path.contains("_archive");
        let is_cycle = super::CYCLES.contains(&fault.start);
        if let Some(job) = hit.job().filter(|_| !for_all && is_cycle) {
            let other = JOBS.into_iter().find(|other| *other != job).unwrap();
            let archived = scene.world.folders(other).len();
            assert_eq!(archived, scene.folders(other).len(), "{other} was held up");
        }
    })
}

/// A disk that is full, or can't be written.
#[derive(Clone, Copy, Debug)]
enum Full {
    /// So many KiB are left.
    Bytes(u64),
    Inodes,
    ReadOnly,
}

impl Full {
    fn begin(self, disk: &Path) {
        let at = disk.display();
        let script = match self {
            Self::Bytes(left) => format!(
                "dd if=/dev/zero of={at}/ballast bs=64k; dd if=/dev/zero of={at}/ballast.2 bs=1k; \
                 sync -f {at}; truncate -s -{left}K {at}/ballast; sync -f {at}"
            ),
            Self::Inodes => {
                format!("mkdir {at}/ballast; cd {at}/ballast; seq 100000 | xargs touch")
            }
            Self::ReadOnly => format!("mount -o remount,ro {at}"),
        };
        // dd and touch end with an error: that is what they are here for.
        let _ = Command::new("sh").args(["-c", &script]).output().unwrap();
    }

    fn end(self, disk: &Path) {
        let at = disk.to_str().unwrap();
        match self {
            Self::ReadOnly => sh(&["mount", "-o", "remount,rw", at]),
            _ => sh(&["sh", "-c", &format!("rm -r {at}/ballast*")]),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Bytes(_) | Self::Inodes => "free some space, then the next cycle tries again",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Guarantee: Self-healing
#[test]
fn a_disk_that_is_full_or_read_only_fails_windows_and_the_next_cycle_makes_good() {
    if let Err(why) = can_mount() {
        left_out("disks that are really full", why);
        return;
    }
    let begun = Instant::now();
    own_namespace().unwrap();
    let (mut tried, mut given_up) = (0, 0);
    let all = super::size().all_full_disks;
    for ground in [Ground::Ext4, Ground::Xfs]
        .into_iter()
        .take(if all { 2 } else { 1 })
    {
        let mut scene = Scene::new(ground);
        let mut fulls = vec![Full::ReadOnly, Full::Bytes(0)];
        if all {
            fulls.extend([4, 16, 64].map(Full::Bytes));
        }
        if all && ground == Ground::Ext4 {
            fulls.push(Full::Inodes);
        }
        for full in fulls {
            for &start in super::CYCLES {
                archive_is(&mut scene, start, full);
                given_up += usize::from(state_is(&mut scene, start, full));
                tried += 2;
            }
        }
    }
    tell(format!(
        "\ndisks that are really full or read-only: {tried}, reserves given up {given_up}  ({:?})",
        begun.elapsed()
    ));
    assert!(given_up > 0, "no reserve was needed");
}

fn archive_is(scene: &mut Scene, start: Start, full: Full) {
    scene.lay(start);
    // Down to the last byte.
    let config = scene.world.config().replace("\"1MiB\"", "\"1B\"");
    scene.world.write_config(&config);
    let disk = scene.disks().archive;
    full.begin(&disk);
    let ran = scene.world.once().exits(1).says(full.words());
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    scene.look().unwrap();
    full.end(&disk);
    scene
        .converge()
        .unwrap_or_else(|why| panic!("{full:?}, {start:?}: {why}\n{ran:?}"));
}

/// Returns whether the space beside a ledger was given up.
fn state_is(scene: &mut Scene, start: Start, full: Full) -> bool {
    scene.lay(start);
    let disk = scene.disks().state;
    full.begin(&disk);
    let reserves = JOBS.map(|job| scene.world.ledger(job).with_extension("reserve"));
    let had = reserves[0].exists();
    let ran = scene.world.once();
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    match ran.code {
        // What is left, or what was set aside, is enough.
        Some(0) => {
            scene.assert_all_is_archived();
            assert!(scene.world.staged().is_empty(), "{full:?}: {ran:?}");
        }
        _ => {
            let ran = ran.exits(1).says(full.words());
            assert!(!(had && matches!(full, Full::Bytes(_))), "{ran:?}");
        }
    }
    let given_up = had && !reserves.iter().all(|reserve| reserve.exists());
    scene.look().unwrap();
    full.end(&disk);
    scene
        .converge()
        .unwrap_or_else(|why| panic!("{full:?}, {start:?}: {why}"));
    for reserve in reserves {
        assert_eq!(fs::metadata(reserve).unwrap().len(), 64 * 1024);
    }
    given_up
}
