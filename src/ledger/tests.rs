//! Ledgers on a real disk: torn lines, failing writes, checkpoints, and adoption.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::archive::adopt::{Known, adopt};
use crate::archive::publish::tests::{published, revised, span};
use crate::archive::store::Store;
use crate::domain::failures::{Failed, Task};
use crate::domain::job::Job;
use crate::domain::recheck::Recheck;
use crate::domain::span::{Millis, UtcMs};
use crate::durable::Step;
use rebuilt::Group;

mod acknowledged;
mod adoption;
mod missing;
mod ten_years;

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
        // Soon enough after the windows that they may still be rechecked.
        let clock = Clock::new(|| UtcMs(9 * HOUR));
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

    /// Publishes an hour anew.
    fn revise(&self, ledger: &Ledger, hour: i64) -> Published {
        let window = span(hour * HOUR, (hour + 1) * HOUR);
        let line = ledger
            .replay()
            .recheckable
            .asked(Window::of(window))
            .unwrap()
            .line;
        let before = ledger.archived_at(Window::of(window), line).unwrap();
        revised(&self.store(), &before, ledger.replay().last_manifest).unwrap()
    }

    fn adopt(&self, ledger: &mut Ledger) -> Vec<String> {
        let job = crate::domain::plan::tests::job();
        let known = Known {
            coverage: &ledger.replay().coverage,
            revisions: &ledger.replay().revisions,
            last_manifest: ledger.replay().last_manifest,
        };
        let found = adopt(&self.store(), &job.name, Some(job.project_id), known).unwrap();
        for Group { rebuilt, folders } in rebuilt::groups(found.adopted) {
            if let Some(rebuilt) = rebuilt {
                ledger.record_rebuilt(rebuilt).unwrap();
            }
            for published in folders {
                ledger.record(published).unwrap();
            }
        }
        found
            .unrecorded
            .into_iter()
            .map(|unrecorded| unrecorded.why)
            .collect()
    }
}

#[test]
fn a_ledger_reads_back_what_was_recorded() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    let failed = Failed {
        window: Window::of(span(3 * HOUR, 4 * HOUR)),
        message: "no".into(),
        needs_bytes: Some(7),
        contradicts: false,
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

/// Guarantee: Self-healing
#[test]
fn lines_of_a_group_are_one_write_and_torn_they_are_whole_up_to_where_they_end() {
    let (writes, flushes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let world = World::on(Disk::gated({
        let (writes, flushes) = (Arc::clone(&writes), Arc::clone(&flushes));
        move |step, _| {
            match step {
                Step::Append => drop(writes.fetch_add(1, Ordering::Relaxed)),
                Step::SyncLedger => drop(flushes.fetch_add(1, Ordering::Relaxed)),
                _ => {}
            }
            Ok(())
        }
    }));
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..1);
    let group = |ledger: &Ledger, hours: std::ops::Range<i64>| {
        let mut previous = ledger.replay().last_manifest;
        let publish = |hour| {
            let window = span(hour * HOUR, (hour + 1) * HOUR);
            let published = published(&world.store(), window, previous).unwrap();
            previous = Some(published.archived().manifest_sha256);
            published
        };
        hours.map(publish).collect::<Vec<_>>()
    };
    let before = [&writes, &flushes].map(|count| count.load(Ordering::Relaxed));
    ledger.record_all(group(&ledger, 1..8)).unwrap();
    let after = [&writes, &flushes].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(after, before.map(|count| count + 1));
    let (lines, end) = (ledger.replay().lines, ledger.replay().end);
    assert_eq!(lines, 8);
    // The next one continues the last of them.
    world.archive(&mut ledger, 8..9);
    drop(ledger);
    let text = fs::read(world.path()).unwrap();
    let whole = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    for torn in (0..end as usize).step_by(7) {
        fs::write(world.path(), &text[..torn]).unwrap();
        let ledger = world.open();
        assert_eq!(ledger.replay().lines, whole(&text[..torn]));
        drop(ledger);
        assert_eq!(
            fs::read(world.path()).unwrap(),
            text[..torn - torn_rest(&text[..torn])]
        );
    }
    fs::write(world.path(), &text).unwrap();
    assert_eq!(world.open().replay().lines, 9);
}

/// How many bytes come after the last newline.
fn torn_rest(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .count()
}

/// Guarantee: Self-healing
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

/// Guarantee: Ordered
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

/// Guarantee: Candid
#[test]
fn a_full_disk_is_recorded_in_the_space_that_was_set_aside() {
    let full = Arc::new(AtomicBool::new(false));
    let given = Arc::new(AtomicBool::new(false));
    let world = World::on(Disk::gated({
        let (full, given) = (Arc::clone(&full), Arc::clone(&given));
        move |step, _| {
            let (full, freed) = (full.load(Ordering::Relaxed), given.load(Ordering::Relaxed));
            match step {
                Step::GiveReserve => given.store(true, Ordering::Relaxed),
                Step::KeepReserve if full => return Err(io::ErrorKind::StorageFull.into()),
                Step::Append if full && !freed => return Err(io::ErrorKind::StorageFull.into()),
                _ => {}
            }
            Ok(())
        }
    }));
    let mut ledger = world.open();
    let reserve = reserve::path(&world.path());
    assert_eq!(fs::metadata(&reserve).unwrap().len(), reserve::BYTES);
    full.store(true, Ordering::Relaxed);
    let failed = Failed {
        window: Window::of(span(0, HOUR)),
        message: "no space left".into(),
        needs_bytes: None,
        contradicts: false,
    };
    ledger.record_failure(failed).unwrap();
    assert!(!reserve.exists());
    world.archive(&mut ledger, 0..1);
    assert!(!reserve.exists());
    full.store(false, Ordering::Relaxed);
    world.archive(&mut ledger, 1..2);
    assert_eq!(fs::metadata(&reserve).unwrap().len(), reserve::BYTES);
    let shown = ledger.replay().clone();
    drop(ledger);
    assert_eq!(shown.lines, 3);
    assert_eq!(world.open().replay(), &shown);
}

/// Guarantee: Candid
#[test]
fn without_a_reserve_left_a_full_disk_is_an_error_that_says_so() {
    let world = World::on(Disk::gated(|step, _| match step {
        Step::Append | Step::KeepReserve => Err(io::ErrorKind::QuotaExceeded.into()),
        _ => Ok(()),
    }));
    let mut ledger = world.open();
    let failed = Failed {
        window: Window::of(span(0, HOUR)),
        message: "no".into(),
        needs_bytes: None,
        contradicts: false,
    };
    let error = ledger.record_failure(failed).unwrap_err().to_string();
    assert!(error.contains("free some space"), "{error}");
    assert_eq!(ledger.replay().lines, 0);
}

/// Guarantee: Candid
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
        error.contains("line 2") && error.contains("rename it and keep it"),
        "{error}"
    );
}

/// Guarantee: Evident
#[test]
fn a_checkpoint_counts_only_while_the_ledger_holds_its_line() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    checkpoint::save(&world.path(), ledger.replay(), &world.disk).unwrap();
    world.archive(&mut ledger, 2..3);
    let failed = Failed {
        window: Window::of(span(3 * HOUR, 4 * HOUR)),
        message: "no".into(),
        needs_bytes: Some(7),
        contradicts: false,
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
        .replace("\"records\":4", "\"records\":9");
    fs::write(&kept, spoilt).unwrap();
    assert_eq!(glance().unwrap(), shown);
}

/// Guarantee: Exactly once
#[test]
fn a_window_published_anew_counts_once_and_in_place_of_the_first() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..3);
    let before = ledger.replay().clone();
    ledger.record(world.revise(&ledger, 1)).unwrap();
    let shown = ledger.replay().clone();
    assert_eq!(shown.coverage, before.coverage);
    assert_eq!((shown.records, shown.bytes), (4, before.bytes));
    assert_eq!(shown.last_success, before.last_success);
    assert_eq!((shown.lateness.changed, shown.lateness.records), (1, 1));
    // And once more: the third in place of the second.
    ledger.record(world.revise(&ledger, 1)).unwrap();
    assert_eq!(ledger.replay().records, 5);
    assert_eq!(
        ledger.replay().revisions[&Window::of(span(HOUR, 2 * HOUR))],
        3
    );
    let shown = ledger.replay().clone();
    drop(ledger);
    assert_eq!(world.open().replay(), &shown);
}

/// Guarantee: Candid
#[test]
fn a_recheck_that_fails_is_the_last_error_until_it_succeeds() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..2);
    let window = Window::of(span(0, HOUR));
    let failed = || Failed {
        window,
        message: "the gateway said no".into(),
        needs_bytes: None,
        contradicts: false,
    };
    ledger.record_recheck_failure(failed()).unwrap();
    ledger.record_recheck_failure(failed()).unwrap();
    let replay = ledger.replay();
    let now = UtcMs(9 * HOUR);
    let job = Job {
        recheck: Recheck::After(Millis(HOUR)),
        ..crate::domain::plan::tests::job()
    };
    // Once it is not due any more, it fails no more.
    assert_eq!(replay.last_error(UtcMs(900 * HOUR), &job), None);
    assert_eq!(
        replay.last_error(now, &job).unwrap(),
        ("the gateway said no", UtcMs(9 * HOUR))
    );
    let known = replay.failures(Task::Recheck).get(&window).unwrap();
    assert!(known.is_paused(Task::Recheck, UtcMs(9 * HOUR + 119_999)));
    assert!(!known.is_paused(Task::Recheck, UtcMs(9 * HOUR + 120_000)));
    assert_eq!(replay.failures(Task::Archive).get(&window), None);
    checkpoint::save(&world.path(), replay, &world.disk).unwrap();
    let glanced = Ledger::glance(world.dir.path(), &world.job).unwrap();
    assert_eq!(&glanced, replay);
    ledger.record_unchanged(window).unwrap();
    assert_eq!(ledger.replay().last_error(now, &job), None);
    assert_eq!(ledger.replay().failures(Task::Recheck).get(&window), None);
    assert_eq!(ledger.replay().lateness.rechecked, 1);
}

/// Guarantee: Evident
/// Guarantee: Self-healing
#[test]
fn a_ledger_that_something_else_has_changed_or_taken_away_is_not_added_to() {
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..1);
    let before = fs::read(world.path()).unwrap();
    let lost = span(HOUR, 2 * HOUR);

    fs::write(world.path(), &before[..before.len() / 2]).unwrap();
    let error = ledger.record_lost(lost).unwrap_err().to_string();
    assert!(error.contains("something else has changed it"), "{error}");
    fs::remove_file(world.path()).unwrap();
    ledger.record_lost(lost).unwrap_err();
    assert!(!world.path().exists());

    fs::write(world.path(), &before).unwrap();
    ledger.record_lost(lost).unwrap();
    drop(ledger);
    assert_eq!(world.open().replay().lines, 2);
}

/// Guarantee: Bounded
#[test]
fn a_ledger_holds_no_file_open() {
    let open = |path: &std::path::Path| {
        let files = fs::read_dir("/proc/self/fd").unwrap();
        let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        targets.filter(|target| target == path).count()
    };
    let world = World::new();
    let mut ledger = world.open();
    world.archive(&mut ledger, 0..1);
    assert_eq!(open(&world.path()), 0);
}
