//! Publishing: the order of its steps, and that nothing half-done is ever visible.

use std::fs;
use std::sync::{Arc, Mutex};

use super::*;
use crate::archive::manifest::{self, Bounds, DataFile, Part, Request, Zip};
use crate::domain::job::{Format, JobName, ToBound};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::{FolderName, Zone};
use crate::durable::Disk;

const DATA: &[u8] = b"[{\"logTime\":1}]";

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

fn stage_and_publish(
    store: &Store,
    folder: String,
    manifest: &Manifest,
) -> Result<Published, PublishError> {
    let span = manifest.window.span().unwrap();
    let staged = store.staging(&JobName::parse("shop").unwrap(), Window::of(span));
    fs::create_dir_all(staged.join("part-0001")).unwrap();
    fs::write(staged.join("part-0001/logs.json"), DATA).unwrap();
    publish(store, &staged, folder, Window::of(span), manifest)
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
            SyncManifest,
            StageSums,
            StageSums,
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
