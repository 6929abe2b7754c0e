//! A damage matrix: whatever is done to an archive, `verify` names it, with and without ledger.

mod unsure;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::archive::publish::Archived;
use crate::archive::publish::tests::{DATA, published, published_as_zip, revised, span};
use crate::archive::recorded::Recorded;
use crate::archive::storage::Local;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::plan::tests::job;
use crate::durable::Disk;

const HOUR: i64 = 3_600_000;

struct World {
    dir: tempfile::TempDir,
    store: Store,
    archived: Vec<Archived>,
}

impl World {
    /// Four hourly windows.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().into(), 0, Disk::default());
        let mut archived: Vec<Archived> = Vec::new();
        for hour in 0..4 {
            let window = span(hour * HOUR, (hour + 1) * HOUR);
            let previous: Option<Digest> = archived.last().map(|last| last.manifest_sha256);
            archived.push(published(&store, window, previous).unwrap().into_archived());
        }
        Self {
            dir,
            store,
            archived,
        }
    }

    fn folder(&self, number: usize) -> PathBuf {
        self.dir.path().join(&self.archived[number].folder)
    }

    fn with_ledger(&self) -> JobReport {
        let mut coverage = Coverage::new();
        self.archived
            .iter()
            .for_each(|archived| coverage.add(archived.window.span()));
        let job = job();
        let owner = Owner {
            job: job.name.as_str(),
            project_id: Some(job.project_id),
        };
        let recorded: Vec<_> = self
            .archived
            .iter()
            .map(|archived| Recorded {
                archived: archived.clone(),
                is_missing: false,
                is_pruned: false,
            })
            .collect();
        let published = self.store.published(&job.name).unwrap();
        let published: Vec<String> = published.into_iter().map(|(_, folder)| folder).collect();
        against::verify(
            &self.store,
            (owner, job.since),
            &published,
            Known {
                recorded: &recorded,
                breaks: &[],
                coverage: &coverage,
            },
            Depth::Stored,
            (std::num::NonZeroUsize::MIN, &|_| {}),
        )
    }

    /// A window whose zip is kept, with an entry of these bytes for its file.
    fn of_zip(entry: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().into(), 0, Disk::default());
        let archived = vec![published_as_zip(&store, span(0, HOUR), entry)];
        Self {
            dir,
            store,
            archived,
        }
    }

    fn as_copy(&self) -> JobReport {
        self.as_copy_to(Depth::Stored)
    }

    fn as_copy_to(&self, depth: Depth) -> JobReport {
        let folders = copy::folders(&Local::at(self.dir.path())).unwrap();
        let mut reports = copy::verify(
            &Local::at(self.dir.path()),
            &folders,
            depth,
            (std::num::NonZeroUsize::MIN, &|| {}),
        );
        assert_eq!(reports.len(), 1);
        reports.remove(0)
    }

    fn both(&self) -> [JobReport; 2] {
        [self.with_ledger(), self.as_copy()]
    }
}

fn told(report: &JobReport) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

/// Guarantee: Evident
#[test]
fn an_archive_as_it_was_published_is_proven() {
    for report in World::new().both() {
        assert!(report.is_proven(), "{report:?}");
        assert_eq!((report.windows, report.files, report.records), (4, 4, 4));
    }
}

/// Guarantee: Evident
#[test]
fn what_lies_in_a_zip_is_proven_too_where_that_is_asked_for() {
    let whole = World::of_zip(DATA).as_copy_to(Depth::Entries);
    assert!(whole.is_proven(), "{whole:?}");
    assert_eq!((whole.files, whole.entries), (1, 1));
    for (entry, finding) in [
        (
            &b"[{\"logTime\":2}]"[..],
            "was changed after it was published",
        ),
        (b"[]", "another length than the manifest says"),
        (b"[{\"logTime\":1},{\"logTime\":1}]", "another length"),
    ] {
        let world = World::of_zip(entry);
        let stored = world.as_copy();
        assert!(stored.is_proven(), "the zip is as it was: {stored:?}");
        let told = told(&world.as_copy_to(Depth::Entries));
        let file = &world.archived[0].folder;
        let is_told = |told: &String| told.contains(finding) && told.contains(file);
        assert!(told.len() == 1 && told.iter().all(is_told), "{told:?}");
    }
}

/// Guarantee: Evident
#[test]
fn a_file_changed_removed_or_added_is_named() {
    let world = World::new();
    fs::write(
        world.folder(0).join("part-0001/logs.json"),
        "[{\"logTime\":2}]",
    )
    .unwrap();
    fs::remove_file(world.folder(1).join("part-0001/logs.json")).unwrap();
    fs::write(world.folder(2).join("part-0001/more.json"), "[]").unwrap();
    fs::write(world.folder(3).join("SHA256SUMS"), "").unwrap();
    for report in world.both() {
        let told = told(&report);
        assert_eq!(told.len(), 4, "{told:?}");
        for (number, end) in [
            (
                0,
                "/part-0001/logs.json: was changed after it was published",
            ),
            (1, "/part-0001/logs.json: is missing"),
            (
                2,
                "/part-0001/more.json: was added after the folder was published",
            ),
            (3, "/SHA256SUMS: was changed after it was published"),
        ] {
            assert!(
                told.contains(&format!("{}{end}", world.archived[number].folder)),
                "{told:?}"
            );
        }
    }
}

/// Guarantee: Evident
#[test]
fn a_folder_removed_shows_in_the_ledger_or_in_chain_and_time() {
    let world = World::new();
    fs::remove_dir_all(world.folder(1)).unwrap();
    let report = world.with_ledger();
    assert_eq!(
        told(&report),
        [format!("{}: is missing", world.archived[1].folder)]
    );
    let report = world.as_copy();
    assert_eq!(report.gaps, [Bounds::from(span(HOUR, 2 * HOUR))]);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].folder, world.archived[2].folder);
    assert_eq!(report.findings[0].problem, Problem::PreviousMissing);
}

/// Guarantee: Evident
#[test]
fn a_manifest_that_was_changed_with_its_sums_breaks_the_chain() {
    let world = World::new();
    let path = world.folder(1).join("manifest.json");
    let json = fs::read_to_string(&path)
        .unwrap()
        .replace("\"attempts\": 1", "\"attempts\": 2");
    let sums = world.folder(1).join("SHA256SUMS");
    let old = Digest::of(&fs::read(&path).unwrap()).to_string();
    let forged = fs::read_to_string(&sums)
        .unwrap()
        .replace(&old, &Digest::of(json.as_bytes()).to_string());
    fs::write(&path, json).unwrap();
    fs::write(&sums, forged).unwrap();
    let report = world.with_ledger();
    assert!(told(&report)[0].ends_with("manifest.json: was changed after it was published"));
    let report = world.as_copy();
    assert_eq!(report.findings[0].problem, Problem::PreviousMissing);
}

/// Guarantee: Evident
#[test]
fn a_folder_that_the_ledger_lacks_is_named() {
    let mut world = World::new();
    world.archived.pop();
    let report = world.with_ledger();
    assert_eq!(report.findings[0].problem, Problem::NotInLedger);
}

/// Guarantee: Evident
#[test]
fn a_window_published_anew_is_proven_and_counts_once() {
    let mut world = World::new();
    let previous = Some(world.archived[3].manifest_sha256);
    let again = revised(&world.store, &world.archived[1], previous).unwrap();
    world.archived.push(again.into_archived());
    for report in world.both() {
        assert!(report.is_proven(), "{report:?}");
        assert_eq!((report.windows, report.superseded), (5, 1));
        assert_eq!(report.records, 5);
    }
    // The first folder is proven as well as before.
    fs::write(world.folder(1).join("part-0001/logs.json"), "[]").unwrap();
    for report in world.both() {
        assert_eq!(report.findings.len(), 1, "{report:?}");
    }
    fs::remove_dir_all(world.folder(1)).unwrap();
    for report in world.both() {
        assert!(!report.is_proven());
    }
}

/// Guarantee: Evident
#[test]
fn a_revision_of_another_window_is_no_excuse_for_an_overlap() {
    let mut world = World::new();
    // It says to supersede the third, and holds the second.
    let mut other = world.archived[2].clone();
    (other.window, other.folder) = (world.archived[1].window, world.archived[1].folder.clone());
    let previous = Some(world.archived[3].manifest_sha256);
    let again = revised(&world.store, &other, previous).unwrap();
    world.archived.push(again.into_archived());
    let report = world.as_copy();
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.problem == Problem::Overlaps),
        "{report:?}"
    );
}

/// Guarantee: Evident
#[test]
fn folders_that_overlap_or_fork_are_named() {
    let world = World::new();
    let previous = Some(world.archived[2].manifest_sha256);
    published(&world.store, span(3 * HOUR + 1000, 4 * HOUR), previous).unwrap();
    let report = world.as_copy();
    let problems: Vec<_> = report
        .findings
        .iter()
        .map(|finding| &finding.problem)
        .collect();
    assert!(problems.contains(&&Problem::Overlaps), "{problems:?}");
    assert!(problems.contains(&&Problem::Forked), "{problems:?}");
}

/// Guarantee: Suspicious
#[test]
fn a_manifest_that_points_outside_is_not_followed() {
    let world = World::new();
    let path = world.folder(0).join("manifest.json");
    let json = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        json.replace("part-0001/logs.json", "../../../../etc/passwd"),
    )
    .unwrap();
    let report = world.as_copy();
    let outside = "manifest.json: can't be read: it names a file outside the folder";
    assert!(
        told(&report).iter().any(|told| told.ends_with(outside)),
        "{:?}",
        told(&report)
    );
}

/// Guarantee: Evident
#[test]
fn any_folder_of_an_archive_can_be_verified_by_itself() {
    let world = World::new();
    let job = world.dir.path().join("shop");
    assert_eq!(copy::folders(&Local::at(&job)).unwrap().len(), 4);
    assert_eq!(
        copy::folders(&Local::at(&job.join("1970-01-01")))
            .unwrap()
            .len(),
        4
    );
    assert_eq!(copy::folders(&Local::at(&world.folder(0))).unwrap(), [""]);
    assert!(copy::folders(&Local::at(&world.folder(0).join("manifest.json"))).is_err());
    fs::create_dir_all(world.dir.path().join(".staging/shop/x")).unwrap();
    fs::write(
        world.dir.path().join(".staging/shop/x/manifest.json"),
        "half",
    )
    .unwrap();
    assert_eq!(
        copy::folders(&Local::at(world.dir.path())).unwrap().len(),
        4
    );
}

/// Guarantee: Evident
#[test]
fn folders_whose_names_were_swapped_or_whose_manifest_is_gone_are_named() {
    let world = World::new();
    let (one, two, aside) = (
        world.folder(0),
        world.folder(1),
        world.dir.path().join("aside"),
    );
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    fs::remove_file(world.folder(3).join("manifest.json")).unwrap();
    fs::remove_file(world.folder(3).join("SHA256SUMS")).unwrap();
    let told = told(&world.as_copy());
    for number in [0, 1] {
        let renamed = format!(
            "{}: its manifest is another window's",
            world.archived[number].folder
        );
        assert!(told.contains(&renamed), "{told:?}");
    }
    let bare = format!("{}/manifest.json: is missing", world.archived[3].folder);
    assert!(told.contains(&bare), "{told:?}");
}

/// Guarantee: Suspicious
#[test]
fn a_pipe_or_a_link_in_the_place_of_a_file_is_named_and_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let world = World::new();
    let pipe = |path: PathBuf| {
        fs::remove_file(&path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    pipe(world.folder(0).join("manifest.json"));
    pipe(world.folder(1).join("SHA256SUMS"));
    pipe(world.folder(2).join("part-0001/logs.json"));
    let linked = world.folder(3);
    fs::rename(&linked, world.dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(world.dir.path().join("elsewhere"), &linked).unwrap();
    for report in world.both() {
        assert!(!report.is_proven());
        let told = told(&report);
        assert_eq!(
            told.iter()
                .filter(|told| told.contains("no plain file"))
                .count(),
            3,
            "{told:?}"
        );
    }
}
