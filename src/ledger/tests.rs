//! Ledgers on a real disk: torn lines, failing writes, checkpoints, and adoption.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::archive::adopt::adopt;
use crate::archive::publish::tests::{published, span};
use crate::archive::store::Store;
use crate::domain::span::Ms;

const HOUR: i64 = 3_600_000;

struct World {
    dir: tempfile::TempDir,
    job: JobName,
    disk: Disk,
}

impl World {
    fn new() -> Self {
        Self::on(Disk::default())
    }

    fn on(disk: Disk) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            job: JobName::parse("shop").unwrap(),
            disk,
        }
    }

    fn store(&self) -> Store {
        Store::new(self.dir.path().join("archive"), 0, Disk::default())
    }

    fn open(&self) -> Ledger {
        let clock = Clock::new(|| Ms(1_795_000_000_000));
        Ledger::open(self.dir.path(), &self.job, &self.disk, &clock).unwrap()
    }

    fn path(&self) -> PathBuf {
        Ledger::path(self.dir.path(), &self.job)
    }

    /// Publishes and records the hours `from..to`.
    fn archive(&self, ledger: &mut Ledger, hours: std::ops::Range<i64>) {
        for hour in hours {
            let window = span(hour * HOUR, (hour + 1) * HOUR);
            let previous = ledger.replay().last_manifest;
            ledger
                .record(published(&self.store(), window, previous).unwrap())
                .unwrap();
        }
    }

    fn adopt(&self, ledger: &mut Ledger) -> Vec<String> {
        let job = crate::domain::plan::tests::job();
        let (coverage, last) = (
            ledger.replay().coverage.clone(),
            ledger.replay().last_manifest,
        );
        let found = adopt(&self.store(), &job, &coverage, last).unwrap();
        for published in found.adopted {
            ledger.record(published).unwrap();
        }
        found.strays.into_iter().map(|stray| stray.why).collect()
    }
}

#[test]
fn a_ledger_reads_back_what_was_recorded() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    let failed = Failed {
        span: span(3 * HOUR, 4 * HOUR),
        message: "no".into(),
    };
    ledger.record_failure(failed).unwrap();
    let shown = ledger.replay().clone();
    drop(ledger);
    assert_eq!(world.open().replay(), &shown);
    assert_eq!(
        shown.coverage.spans().collect::<Vec<_>>(),
        [span(0, 3 * HOUR)]
    );
    assert_eq!((shown.records, shown.lines), (3, 4));
}

#[test]
fn a_torn_last_line_is_cut_off_and_its_folder_adopted_again() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    let shown = ledger.replay().clone();
    drop(ledger);
    let text = fs::read(world.path()).unwrap();
    for torn in [1, 50, 300] {
        fs::write(world.path(), &text[..text.len() - torn]).unwrap();
        let mut ledger = world.open();
        assert_eq!(ledger.replay().lines, 2);
        assert_eq!(world.adopt(&mut ledger), [""; 0]);
        assert_eq!(ledger.replay(), &shown);
    }
}

#[test]
fn a_lost_ledger_is_made_anew_from_the_manifests() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..5);
    let shown = ledger.replay().clone();
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let mut ledger = world.open();
    assert_eq!(ledger.replay().lines, 0);
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(ledger.replay(), &shown);
}

#[test]
fn a_folder_that_does_not_continue_the_chain_is_not_adopted() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    // Follows nothing: as if another program, or another state directory, had written it.
    published(&world.store(), span(5 * HOUR, 6 * HOUR), None).unwrap();
    let why = world.adopt(&mut ledger);
    assert_eq!(why.len(), 1);
    assert!(why[0].contains("does not continue the chain"), "{why:?}");
    assert_eq!(ledger.replay().lines, 2);
}

#[test]
fn a_folder_with_a_missing_or_cut_file_is_not_adopted() {
    let world = World::new();
    let window = span(0, HOUR);
    published(&world.store(), window, None).unwrap();
    let folder = world.store().published(&world.job).unwrap().remove(0).1;
    let file = world
        .store()
        .root()
        .join(folder)
        .join("part-0001/logs.json");
    fs::write(&file, "[").unwrap();
    let mut ledger = world.open();
    assert!(world.adopt(&mut ledger)[0].contains("another length"));
    fs::remove_file(&file).unwrap();
    assert!(world.adopt(&mut ledger)[0].contains("is missing"));
    assert_eq!(ledger.replay().lines, 0);
}

#[test]
fn a_line_that_could_not_be_written_or_flushed_is_cut_off_before_the_next() {
    for failing in [Step::Append, Step::SyncLedger] {
        let broken = Arc::new(AtomicBool::new(false));
        let world = World::on(Disk::gated({
            let broken = Arc::clone(&broken);
            move |step, _| match step == failing && broken.load(Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }));
        let mut ledger = world.open();
        world.archive(&mut ledger, 0..1);
        let before = ledger.replay().clone();
        broken.store(true, Ordering::Relaxed);
        let window = published(&world.store(), span(HOUR, 2 * HOUR), before.last_manifest).unwrap();
        let error = ledger.record(window).unwrap_err().to_string();
        assert!(error.contains("free some space"), "{error}");
        assert_eq!(ledger.replay(), &before);
        broken.store(false, Ordering::Relaxed);
        assert_eq!(world.adopt(&mut ledger), [""; 0]);
        assert_eq!(ledger.replay().lines, 2);
        let shown = ledger.replay().clone();
        drop(ledger);
        assert_eq!(world.open().replay(), &shown);
    }
}

#[test]
fn damage_in_the_middle_stops_the_job_and_says_how_to_go_on() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    drop(ledger);
    let text = fs::read_to_string(world.path()).unwrap();
    fs::write(world.path(), text.replacen("complete", "truncated", 1)).unwrap();
    let error = Ledger::open(world.dir.path(), &world.job, &world.disk, &Clock::system())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 2") && error.contains("move this file away"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_counts_only_while_the_ledger_holds_its_line() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    checkpoint::save(&world.path(), ledger.replay(), &world.disk).unwrap();
    world.archive(&mut ledger, 2..3);
    let failed = Failed {
        span: span(3 * HOUR, 4 * HOUR),
        message: "no".into(),
    };
    ledger.record_failure(failed).unwrap();
    checkpoint::save(&world.path(), ledger.replay(), &world.disk).unwrap();
    world.archive(&mut ledger, 4..5);
    let shown = ledger.replay().clone();
    let glance = || Ledger::glance(world.dir.path(), &world.job);
    assert_eq!(glance().unwrap(), shown);

    // It was really used: damage before it goes unseen, and only by a glance.
    let text = fs::read_to_string(world.path()).unwrap();
    fs::write(world.path(), text.replacen("complete", "unproven", 1)).unwrap();
    assert_eq!(glance().unwrap(), shown);
    assert!(Ledger::read(world.dir.path(), &world.job, |_| {}).is_err());

    // Another ledger, a shorter one, none, and a damaged checkpoint: it is left out.
    let other = text.replacen("\"seq\":1", "\"seq\": 1", 1);
    fs::write(world.path(), &other).unwrap();
    assert!(glance().is_err());
    let shorter = text.lines().next().unwrap().to_owned() + "\n";
    fs::write(world.path(), shorter).unwrap();
    assert_eq!(glance().unwrap().lines, 1);
    fs::remove_file(world.path()).unwrap();
    assert_eq!(glance().unwrap().lines, 0);
    fs::write(world.path(), &text).unwrap();
    let kept = world.path().with_extension("checkpoint");
    let spoilt = fs::read_to_string(&kept)
        .unwrap()
        .replace("\"truncated\":0", "\"truncated\":9");
    fs::write(&kept, spoilt).unwrap();
    assert_eq!(glance().unwrap(), shown);
}

#[test]
fn a_lost_ledger_is_made_anew_also_where_the_oldest_folders_were_taken_away() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..5);
    drop(ledger);
    fs::remove_file(world.path()).unwrap();
    let oldest = world.store().published(&world.job).unwrap().remove(0).1;
    fs::remove_dir_all(world.store().root().join(oldest)).unwrap();
    let mut ledger = world.open();
    assert_eq!(world.adopt(&mut ledger), [""; 0]);
    assert_eq!(
        ledger.replay().coverage.spans().collect::<Vec<_>>(),
        [span(HOUR, 5 * HOUR)]
    );
}
