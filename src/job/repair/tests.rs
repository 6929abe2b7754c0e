//! A repair that is stopped at any of its steps is done to the end by the next one, and loses nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::archive::publish::tests::{published, span};
use crate::archive::storage::Local;
use crate::archive::verify::{Depth, copy};
use crate::clock::Clock;
use crate::domain::span::UtcMs;
use crate::durable::Disk;
use crate::ledger::folders::Folders;

const HOUR: i64 = 3_600_000;

/// Five hours of a job of which the first is missing, the second damaged, the third has a stray file, and the
/// fourth no sums.
struct Scene {
    dir: tempfile::TempDir,
    job: JobName,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            dir: tempfile::tempdir().unwrap(),
            job: JobName::parse("shop").unwrap(),
        };
        let (store, mut ledger) = scene.open(&Disk::default());
        for hour in 0..5 {
            let window = span(hour * HOUR, (hour + 1) * HOUR);
            let previous = ledger.replay().last_manifest;
            ledger
                .record(published(&store, window, previous).unwrap())
                .unwrap();
        }
        let folder = |hour| scene.folder(hour);
        fs::remove_dir_all(folder(0)).unwrap();
        fs::write(folder(1).join("part-0001/logs.json"), "[]").unwrap();
        fs::write(folder(2).join("part-0001/stray"), "stray").unwrap();
        fs::remove_file(folder(3).join("SHA256SUMS")).unwrap();
        scene
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn folder(&self, hour: usize) -> PathBuf {
        self.root()
            .join(&self.recorded().recorded()[hour].archived.folder)
    }

    fn recorded(&self) -> Folders {
        let mut folders = Folders::default();
        Ledger::read(self.dir.path(), &self.job, |line| folders.take(line)).unwrap();
        folders
    }

    fn open(&self, disk: &Disk) -> (Store, Ledger) {
        let clock = Clock::new(|| UtcMs(9 * HOUR));
        let ledger = Ledger::open(self.dir.path(), &self.job, &Disk::default(), &clock).unwrap();
        drop(ledger);
        let ledger = Ledger::open(self.dir.path(), &self.job, disk, &clock);
        let ledger = ledger.unwrap_or_else(|_| {
            // The very first step failed: nothing is begun.
            Ledger::open(self.dir.path(), &self.job, &Disk::default(), &clock).unwrap()
        });
        (Store::new(self.root(), 0, disk.clone()), ledger)
    }

    /// Repairs what there is to repair. Returns how many cures failed.
    fn repair(&self, disk: &Disk) -> usize {
        let (store, mut ledger) = self.open(disk);
        let folders = self.recorded();
        let cures = cures(
            &store,
            folders.recorded(),
            ledger.replay(),
            (Depth::Stored, None),
            &mut || {},
        );
        let done = cures
            .into_iter()
            .map(|one| cure(&store, &mut ledger, one, Depth::Stored));
        done.filter(Result::is_err).count()
    }
}

/// Every file below a folder, by its content.
fn contents(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push(fs::read_to_string(path).unwrap()),
        }
    }
    found.sort();
    found
}

/// Guarantee: Curable
/// Guarantee: Ordered
#[test]
fn a_repair_that_fails_at_any_step_is_done_by_the_next_and_loses_nothing() {
    let whole = Scene::new();
    assert_eq!(whole.repair(&Disk::default()), 0);
    let damaged = contents(&whole.root().join(".damaged"));
    assert!(damaged.contains(&"[]".to_owned()) && damaged.contains(&"stray".to_owned()));
    let (_, ledger) = whole.open(&Disk::default());
    let owed = [span(0, HOUR), span(HOUR, 2 * HOUR)];
    assert_eq!(ledger.replay().missing.spans(), owed);

    let mut fails_at = 0;
    loop {
        let scene = Scene::new();
        let steps = Arc::new(AtomicUsize::new(0));
        let disk = Disk::gated({
            let steps = Arc::clone(&steps);
            move |_, _| match steps.fetch_add(1, Ordering::Relaxed) == fails_at {
                true => Err(io::ErrorKind::Other.into()),
                false => Ok(()),
            }
        });
        scene.repair(&disk);
        let is_over = steps.load(Ordering::Relaxed) <= fails_at;
        assert_eq!(scene.repair(&Disk::default()), 0, "after step {fails_at}");
        let (store, ledger) = scene.open(&Disk::default());
        let folders = scene.recorded();
        let left = cures(
            &store,
            folders.recorded(),
            ledger.replay(),
            (Depth::Stored, None),
            &mut || {},
        );
        assert_eq!(left, [], "after step {fails_at}");
        assert_eq!(
            ledger.replay().missing.spans(),
            owed,
            "after step {fails_at}"
        );
        assert_eq!(
            contents(&scene.root().join(".damaged")),
            damaged,
            "after step {fails_at}"
        );
        // What is left of the archive is as it was published.
        let folders = copy::folders(&Local::at(&scene.root())).unwrap();
        let report = copy::verify(
            &Local::at(&scene.root()),
            &folders,
            Depth::Stored,
            (std::num::NonZeroUsize::MIN, &|| {}),
        )
        .remove(0);
        assert_eq!((report.windows, report.files), (3, 3));
        if is_over {
            break;
        }
        fails_at += 1;
    }
    assert!(fails_at > 15, "only {fails_at} steps");
}

/// Guarantee: Ordered
#[test]
fn the_folders_above_what_is_set_aside_are_durable_also_where_a_killed_repair_has_made_them() {
    let scene = Scene::new();
    let (store, _) = scene.open(&Disk::default());
    let damaged = scene.recorded().recorded()[1].archived.folder.clone();
    let above = PathBuf::from(".damaged").join(&damaged);
    let above = above.parent().unwrap();
    fs::create_dir_all(scene.root().join(above)).unwrap();
    let synced = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&synced);
    let disk = Disk::gated(move |step, path| {
        if step == crate::durable::Step::SyncGrandparent {
            seen.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    });
    let store = Store::new(store.root().to_owned(), 0, disk);
    set_aside(&store, Path::new(&damaged)).unwrap();
    for folder in above.ancestors().skip(1) {
        let folder = scene.root().join(folder);
        let synced = synced.lock().unwrap();
        assert!(synced.contains(&folder), "{folder:?}: {synced:?}");
    }
}

/// Guarantee: Curable
#[test]
fn what_was_mended_since_it_was_found_damaged_stays_in_its_place() {
    let scene = Scene::new();
    let (store, mut ledger) = scene.open(&Disk::default());
    let all = cures(
        &store,
        scene.recorded().recorded(),
        ledger.replay(),
        (Depth::Stored, None),
        &mut || {},
    );
    let is_damaged = |one: &Cure| matches!(one, Cure::Folder(_, Remedy::SetAside(_)));
    let damaged = all.into_iter().find(is_damaged).unwrap();
    let data = scene.folder(1).join("part-0001/logs.json");
    let good = fs::read(scene.folder(4).join("part-0001/logs.json")).unwrap();
    fs::write(data, good).unwrap();
    let lines = ledger.replay().lines;
    let why = cure(&store, &mut ledger, damaged, Depth::Stored).unwrap_err();
    assert!(why.contains("read once more"), "{why}");
    assert!(scene.folder(1).exists());
    assert_eq!(ledger.replay().lines, lines);
}

/// Guarantee: Curable
#[test]
fn a_folder_is_moved_only_if_it_is_damaged_twice_and_what_can_t_be_read_again_is_told() {
    let damaged = || Remedy::SetAside("a: was changed".into());
    assert_eq!(
        seen_twice("a: was changed", damaged()).unwrap(),
        "a: was changed"
    );
    let denied = Remedy::Leave("a: can't be read: Too many open files".into());
    let told = seen_twice("a: was changed", denied).unwrap_err();
    assert!(told.contains("Too many open files"), "{told}");
    let told = seen_twice("a: was changed", Remedy::Nothing).unwrap_err();
    assert!(told.contains("it was not so"), "{told}");
}
