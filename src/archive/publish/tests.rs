//! Publishing: the order of its steps, and that nothing half-done is ever visible.

use std::fs;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::archive::manifest::{self, Bounds, DataFile, Part, Request, Zip};
use crate::domain::job::{Format, JobName, ToBound};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::{FolderName, Zone};
use crate::durable::Disk;

pub(crate) const DATA: &[u8] = b"[{\"logTime\":1}]";

pub(crate) fn span(from: i64, to: i64) -> Span {
    Span::new(UtcMs(from), UtcMs(to)).unwrap()
}

/// The manifest of a window with one part and one file.
pub(crate) fn manifest(span: Span, previous: Option<Digest>) -> Manifest {
    let file = DataFile {
        path: "part-0001/logs.json".into(),
        bytes: DATA.len() as u64,
        sha256: Digest::of(DATA),
        records: Some(1),
        first_ms: Some(span.from().plus(Millis(1))),
        last_ms: Some(span.from().plus(Millis(1))),
    };
    Manifest {
        schema: manifest::SCHEMA,
        job: "shop".into(),
        project_key: "Pb_shop".into(),
        project_id: 1,
        window: Bounds::of(span, &Zone::utc()),
        status: Status::Complete,
        records: Some(1),
        request: Request {
            endpoint: "https://example".into(),
            format: Format::Json,
            limit: 1000,
            count: 200_000,
            include_fields: Vec::new(),
            to_bound: ToBound::Inclusive,
            to_bound_found: false,
        },
        parts: vec![Part {
            from_ms: span.from(),
            to_ms: span.to(),
            status: Status::Complete,
            records: Some(1),
            attempts: 1,
            received_at: span.to().plus(Millis(1)).to_string(),
            zip: Zip {
                bytes: 100,
                sha256: Digest::of(b"zip"),
                path: None,
            },
            files: vec![file],
        }],
        confirmed: None,
        records_digest: None,
        previous,
        breaks: Vec::new(),
        supersedes: None,
        archived_at: "2026-11-22T00:00:00Z".into(),
        tool: manifest::tool(),
    }
}

/// Stages and publishes the window of `before` anew, with a record more.
pub(crate) fn revised(
    store: &Store,
    before: &Archived,
    previous: Option<Digest>,
) -> Result<Published, PublishError> {
    let mut manifest = manifest(before.window.span(), previous);
    manifest.records = before.records.map(|records| records + 1);
    manifest.parts[0].records = manifest.records;
    manifest.parts[0].files[0].records = manifest.records;
    manifest.supersedes = Some(Box::new(Supersedes {
        folder: before.folder.clone(),
        manifest_sha256: before.manifest_sha256,
        status: before.status,
        records: before.records,
        bytes: before.bytes,
        confirmed: None,
        asked_ms: before.window.to().plus(Millis(1)),
        found_ms: before.window.to().plus(Millis(1000)),
        missing: false,
    }));
    let folder = FolderName::of_next_revision(&before.folder).unwrap();
    stage_and_publish(store, folder, &manifest)
}

/// Stages and publishes a window with one file.
pub(crate) fn published(
    store: &Store,
    span: Span,
    previous: Option<Digest>,
) -> Result<Published, PublishError> {
    let folder = Store::folder(
        &JobName::parse("shop").unwrap(),
        Window::of(span),
        &Zone::utc(),
    );
    stage_and_publish(store, folder, &manifest(span, previous))
}

/// Stages and publishes a window whose zip is kept, with an entry of these bytes for its file.
pub(crate) fn published_as_zip(store: &Store, span: Span, entry: &[u8]) -> Archived {
    let window = Window::of(span);
    let job = JobName::parse("shop").unwrap();
    let mut manifest = manifest(span, None);
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("logs.json", options).unwrap();
    zip.write_all(entry).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    manifest.parts[0].zip = Zip {
        bytes: zip.len() as u64,
        sha256: Digest::of(&zip),
        path: Some("part-0001.zip".into()),
    };
    let staged = store.staging(&job, window);
    fs::create_dir_all(&staged).unwrap();
    fs::write(staged.join("part-0001.zip"), zip).unwrap();
    let staged = Staged {
        staged,
        folder: Store::folder(&job, window, &Zone::utc()),
        window,
        manifest,
    };
    let chain = Chain::default();
    let published = publish(store, vec![staged], chain).remove(0);
    published.unwrap().into_archived()
}

fn stage_and_publish(
    store: &Store,
    folder: String,
    manifest: &Manifest,
) -> Result<Published, PublishError> {
    let span = manifest.window.span().unwrap();
    let staged = store.staging(&JobName::parse("shop").unwrap(), Window::of(span));
    fs::create_dir_all(staged.join("part-0001")).unwrap();
    fs::write(staged.join("part-0001/logs.json"), DATA).unwrap();
    let chain = Chain {
        previous: manifest.previous,
        breaks: manifest.breaks.clone(),
    };
    let staged = Staged {
        staged,
        folder,
        window: Window::of(span),
        manifest: manifest.clone(),
    };
    publish(store, vec![staged], chain).remove(0)
}

const WINDOW: &str = "shop/1970-01-01/19700101T000000+0000--19700101T010000+0000";

/// Guarantee: Ordered
#[test]
fn every_step_is_durable_before_the_next_one_exists() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let disk = Disk::gated({
        let steps = Arc::clone(&steps);
        move |step, _| {
            steps.lock().unwrap().push(step);
            Ok(())
        }
    });
    let store = Store::new(dir.path().into(), 0, disk);
    published(&store, span(0, 3_600_000), None).unwrap();
    use Step::*;
    assert_eq!(
        *steps.lock().unwrap(),
        [
            StageManifest,
            StageManifest,
            StageSums,
            StageSums,
            SyncManifest,
            SyncSums,
            SyncFolder,
            MakeParent,
            SyncGrandparent,
            MakeParent,
            SyncGrandparent,
            Publish,
            SyncParent
        ]
    );
}

/// Guarantee: Atomic
/// Guarantee: Ordered
#[test]
fn a_failure_of_any_step_leaves_either_nothing_or_the_whole_folder() {
    let all = [
        Step::StageManifest,
        Step::SyncManifest,
        Step::StageSums,
        Step::SyncSums,
        Step::SyncFolder,
        Step::MakeParent,
        Step::SyncGrandparent,
        Step::Publish,
        Step::SyncParent,
    ];
    for failing in all {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::gated(move |step, _| match step == failing {
            true => Err(io::Error::other("injected")),
            false => Ok(()),
        });
        let store = Store::new(dir.path().into(), 0, disk);
        let error = published(&store, span(0, 3_600_000), None).unwrap_err();
        assert!(
            error.to_string().contains("injected"),
            "{failing:?}: {error}"
        );
        let folder = dir.path().join(WINDOW);
        // Only the flush of the parent comes after the rename.
        assert_eq!(folder.exists(), failing == Step::SyncParent, "{failing:?}");
        if folder.exists() {
            assert!(folder.join(MANIFEST).exists() && folder.join(SUMS).exists());
        }
    }
}

/// Guarantee: Atomic
#[test]
fn a_folder_in_the_way_is_an_error_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().into(), 0, Disk::default());
    fs::create_dir_all(dir.path().join(WINDOW)).unwrap();
    fs::write(dir.path().join(WINDOW).join("mine"), "precious").unwrap();
    let error = published(&store, span(0, 3_600_000), None).unwrap_err();
    assert!(matches!(error, PublishError::InTheWay(_)));
    assert!(error.to_string().contains("looks at it again"), "{error}");
    assert_eq!(
        fs::read(dir.path().join(WINDOW).join("mine")).unwrap(),
        b"precious"
    );
}

/// Guarantee: Evident
#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let written = manifest(span(0, 3_600_000), Some(Digest::of(b"before")));
    let json = written.to_json().unwrap();
    assert_eq!(Manifest::parse(&json), Ok(written));
    let newer = String::from_utf8(json)
        .unwrap()
        .replace("\"schema\": 1", "\"schema\": 2");
    assert!(
        Manifest::parse(newer.as_bytes())
            .unwrap_err()
            .contains("schema is 2")
    );
    let nasty = newer.replace("complete", r"\u001b[2J\n\u202e");
    let why = Manifest::parse(nasty.as_bytes()).unwrap_err();
    let raw = |c: char| c.is_control() || c == '\u{202e}';
    assert!(
        why.contains("unknown variant") && !why.contains(raw),
        "{why}"
    );
}

/// Guarantee: Bounded
#[test]
fn a_manifest_that_nothing_would_read_again_is_refused() {
    assert!(may_be_read_back(MOST_TEXT).is_ok());
    let error = may_be_read_back(MOST_TEXT + 1).unwrap_err().to_string();
    assert!(error.contains("256 MiB"), "{error}");
}

/// The windows of `hours`, staged, in that order.
fn staged(store: &Store, hours: &[i64]) -> Vec<Staged> {
    let job = JobName::parse("shop").unwrap();
    let stage = |&hour: &i64| {
        let span = span(hour * 3_600_000, (hour + 1) * 3_600_000);
        let window = Window::of(span);
        let staged = store.staging(&job, window);
        fs::create_dir_all(staged.join("part-0001")).unwrap();
        fs::write(staged.join("part-0001/logs.json"), DATA).unwrap();
        Staged {
            staged,
            folder: Store::folder(&job, window, &Zone::utc()),
            window,
            manifest: manifest(span, None),
        }
    };
    hours.iter().map(stage).collect()
}

/// Windows of two days.
const GROUPS: [&[i64]; 3] = [&[3], &[2, 25], &[0, 1, 2, 3, 26, 30, 31]];

/// Guarantee: Ordered
/// Guarantee: Evident
#[test]
fn a_group_is_durable_before_any_of_it_is_visible_and_each_parent_is_flushed_once() {
    for hours in GROUPS {
        let dir = tempfile::tempdir().unwrap();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let disk = Disk::gated({
            let steps = Arc::clone(&steps);
            move |step, path| {
                steps.lock().unwrap().push((step, path.to_owned()));
                Ok(())
            }
        });
        let store = Store::new(dir.path().into(), 0, disk);
        let chain = Chain {
            previous: Some(Digest::of(b"before")),
            breaks: Vec::new(),
        };
        let published = publish(&store, staged(&store, hours), chain);
        let archived: Vec<Archived> = published
            .into_iter()
            .map(|published| published.unwrap().into_archived())
            .collect();
        let found: Vec<i64> = archived
            .iter()
            .map(|archived| archived.window.from().0 / 3_600_000)
            .collect();
        assert_eq!(found, hours);
        let steps = steps.lock().unwrap();
        let of = |wanted: Step| {
            let is_it =
                move |(at, (step, _)): &(usize, &(Step, PathBuf))| (*step == wanted).then_some(*at);
            steps
                .iter()
                .enumerate()
                .filter_map(move |step| is_it(&step))
        };
        let first = of(Step::Publish).next().unwrap();
        for durable in [Step::SyncManifest, Step::SyncSums, Step::SyncFolder] {
            assert_eq!(of(durable).count(), hours.len());
            assert!(of(durable).all(|at| at < first));
        }
        let mut parents: Vec<&PathBuf> = of(Step::SyncParent).map(|at| &steps[at].1).collect();
        for (at, (_, place)) in steps
            .iter()
            .enumerate()
            .filter(|(at, _)| of(Step::Publish).any(|publish| publish == *at))
        {
            let after = of(Step::SyncParent).find(|sync| *sync > at).unwrap();
            assert_eq!(steps[after].1, place.parent().unwrap());
        }
        let all = parents.len();
        parents.sort();
        parents.dedup();
        assert_eq!((all, all <= 2), (parents.len(), true));
        assert_is_one_chain(dir.path(), &archived);
    }
}

/// Asserts that windows are whole, and that their manifests follow each other. Returns how many follow.
fn assert_is_one_chain(root: &Path, archived: &[Archived]) {
    let mut previous = Some(Digest::of(b"before"));
    let mut left: Vec<(Digest, Manifest)> = archived
        .iter()
        .map(|archived| {
            let folder = root.join(&archived.folder);
            assert!(folder.join(SUMS).exists() && folder.join("part-0001/logs.json").exists());
            let json = fs::read(folder.join(MANIFEST)).unwrap();
            assert_eq!(Digest::of(&json), archived.manifest_sha256);
            (Digest::of(&json), Manifest::parse(&json).unwrap())
        })
        .collect();
    while !left.is_empty() {
        let next = left.iter().position(|(_, one)| one.previous == previous);
        previous = Some(left.swap_remove(next.unwrap()).0);
    }
}

/// Guarantee: Atomic
/// Guarantee: Ordered
#[test]
fn a_failure_of_any_step_of_a_group_leaves_whole_folders_in_one_chain_from_its_begin() {
    for hours in GROUPS {
        for failing in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let (steps, failed) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(None)));
            let disk = Disk::gated({
                let (steps, failed) = (Arc::clone(&steps), Arc::clone(&failed));
                move |step, _| {
                    let mut steps = steps.lock().unwrap();
                    *steps += 1;
                    if *steps != failing + 1 {
                        return Ok(());
                    }
                    *failed.lock().unwrap() = Some(step);
                    Err(io::Error::other("injected"))
                }
            });
            let store = Store::new(dir.path().into(), 0, disk);
            let group = staged(&store, hours);
            let places: Vec<PathBuf> = group
                .iter()
                .map(|one| dir.path().join(&one.folder))
                .collect();
            let chain = Chain {
                previous: Some(Digest::of(b"before")),
                breaks: Vec::new(),
            };
            let published = publish(&store, group, chain);
            let Some(step) = *failed.lock().unwrap() else {
                assert!(published.iter().all(Result::is_ok));
                break;
            };
            let injected = published.iter().filter(|one| {
                let told = one.as_ref().err().map(ToString::to_string);
                told.is_some_and(|told| told.contains("injected"))
            });
            assert_eq!(injected.count(), 1, "{step:?}");
            // What is visible and not published is to be adopted: it continues what is.
            let visible = places.iter().filter(|place| place.exists()).count();
            let archived: Vec<Archived> = published
                .iter()
                .flatten()
                .map(|one| one.archived().clone())
                .collect();
            assert_is_one_chain(dir.path(), &archived);
            assert!(visible >= archived.len());
            match step {
                // Only that window's files are missing.
                Step::StageManifest | Step::StageSums => {
                    assert_eq!(archived.len(), hours.len() - 1, "{step:?}");
                }
                Step::SyncParent => assert!(visible > archived.len()),
                _ => assert_eq!(visible, archived.len(), "{step:?}"),
            }
        }
    }
}
