//! One window's folder: every file re-hashed, and nothing there that should not be.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Depth, JobReport, Owner, Problem};
use crate::archive::entry_name;
use crate::archive::fits::{self, Claim, Unfit};
use crate::archive::manifest::{MANIFEST, Manifest, Part};
use crate::archive::plain_file::MOST_TEXT;
use crate::archive::prune::{self, PRUNED_SUMS};
use crate::archive::publish::{SUMS, sums};
use crate::archive::read_back::{PartFiles, ReadBackError};
use crate::archive::storage::{Lying, Storage, below, read, says_nothing};
use crate::digest::{Digest, Hasher};

/// What a ledger says of a folder.
#[derive(Clone, Copy, Debug)]
pub(in crate::archive) struct Expected {
    /// The digest of its manifest.
    pub(in crate::archive) manifest: Digest,
    /// Whether its data were let go of.
    pub(in crate::archive) is_pruned: bool,
}

/// Re-hashes `folder` below `root` and adds what is not as it was published to `report`, and what can't be
/// `owner`'s. Returns its manifest and the manifest's digest, when it has one that can be read.
pub(in crate::archive) fn verify(
    storage: &dyn Storage,
    folder: &str,
    owner: Option<Owner<'_>>,
    expected: Option<Expected>,
    depth: Depth,
    report: &mut JobReport,
) -> Option<(Manifest, Digest)> {
    let look = || {
        let mut of_it = JobReport::default();
        let found = look(storage, folder, owner, expected, depth, &mut of_it);
        (of_it, found)
    };
    let (mut of_it, mut found) = look();
    // Its data may have been let go of while it was read.
    if of_it.pruned == 0 && !of_it.findings.is_empty() && prune::is_pruned(storage, folder) {
        (of_it, found) = look();
    }
    report.absorb(of_it);
    found
}

fn look(
    storage: &dyn Storage,
    folder: &str,
    owner: Option<Owner<'_>>,
    expected: Option<Expected>,
    depth: Depth,
    report: &mut JobReport,
) -> Option<(Manifest, Digest)> {
    report.windows += 1;
    match storage.is_folder(folder) {
        Ok(true) => {}
        Ok(false) => {
            report.find(folder, None, Problem::Unreadable("it is no folder".into()));
            return None;
        }
        Err(error) => {
            report.find(folder, None, reading(&error));
            return None;
        }
    }
    let json = match read(storage, &below(folder, MANIFEST), MOST_TEXT) {
        Ok(json) => json,
        Err(error) => {
            report.find(folder, Some(MANIFEST), reading(&error));
            return None;
        }
    };
    let digest = Digest::of(&json);
    if expected.is_some_and(|expected| expected.manifest != digest) {
        report.find(folder, Some(MANIFEST), Problem::Changed);
    }
    let manifest = match Manifest::parse(&json) {
        Ok(manifest) => manifest,
        Err(why) => {
            report.find(folder, Some(MANIFEST), Problem::Unreadable(why));
            return None;
        }
    };
    let claim = Claim {
        job: owner.map_or(manifest.job.as_str(), |owner| owner.job),
        project_id: owner.and_then(|owner| owner.project_id),
        folder,
    };
    match fits::check(&manifest, claim) {
        Ok(()) => {}
        Err(Unfit::Place(_)) => report.find(folder, None, Problem::AnotherWindow),
        Err(other) => report.find(folder, None, Problem::Unfit(other.to_string())),
    }
    let has_data = || prune::has_data(storage, folder, &manifest);
    // What the ledger says is let go of, and has no file of data, has lost its sums too.
    let may_lack = expected.is_some_and(|expected| expected.is_pruned) && !has_data();
    let expected_sums = sums(&manifest, digest);
    let is_pruned = verify_sums((storage, folder), &expected_sums, may_lack, report);
    if is_pruned {
        report.pruned += 1;
        match expected.is_some_and(|expected| !expected.is_pruned) {
            false => {}
            // Somebody has renamed the sums, and no more.
            true if has_data() => report.find(folder, Some(SUMS), Problem::Missing),
            true => report.find(folder, None, Problem::PruneNotInLedger),
        }
    }
    for part in &manifest.parts {
        if depth == Depth::Entries && part.zip.path.is_some() && !is_pruned {
            verify_zip((storage, folder), part, report);
            continue;
        }
        for file in part.stored() {
            if !entry_name::is_safe(file.path) {
                let why = "it names a file outside the folder".to_owned();
                report.find(folder, Some(MANIFEST), Problem::Unreadable(why));
                continue;
            }
            match hash(storage, &below(folder, file.path), file.bytes) {
                Ok((sha256, bytes)) => {
                    report.files += 1;
                    report.bytes = report.bytes.saturating_add(bytes);
                    if sha256 != file.sha256 || bytes != file.bytes {
                        report.find(folder, Some(file.path), Problem::Changed);
                    }
                }
                Err(error) if is_pruned && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => report.find(folder, Some(file.path), reading(&error)),
            }
        }
    }
    find_added((storage, folder), (&manifest, is_pruned), report);
    Some((manifest, digest))
}

/// Compares the sums of a folder with those that its manifest stands for. Returns whether they have the name that says
/// that its data were let go of, or would have it.
fn verify_sums(
    (storage, folder): (&dyn Storage, &str),
    expected: &str,
    may_lack: bool,
    report: &mut JobReport,
) -> bool {
    let look = |name: &str| match read(storage, &below(folder, name), MOST_TEXT) {
        Ok(found) if found == expected.as_bytes() => Ok(()),
        Ok(_) => Err(Problem::Changed),
        Err(error) => Err(reading(&error)),
    };
    match (look(SUMS), look(PRUNED_SUMS)) {
        (Ok(()), Ok(()) | Err(Problem::Missing)) => false,
        (Err(Problem::Missing), Ok(())) => true,
        // Nothing is there that other sums could be of.
        (Err(Problem::Changed), Ok(())) if may_lack => {
            report.find(folder, Some(SUMS), Problem::Added);
            report.added.push(PathBuf::from(SUMS));
            true
        }
        // The folder is whole: what lies beside its sums is not of it.
        (Ok(()), Err(Problem::Changed)) => {
            report.find(folder, Some(PRUNED_SUMS), Problem::Added);
            report.added.push(PathBuf::from(PRUNED_SUMS));
            false
        }
        (Ok(()), Err(problem)) => {
            report.find(folder, Some(PRUNED_SUMS), problem);
            false
        }
        (Err(Problem::Missing), Err(problem)) if may_lack || problem != Problem::Missing => {
            report.find(folder, Some(PRUNED_SUMS), problem);
            true
        }
        (Err(problem), _) => {
            report.find(folder, Some(SUMS), problem);
            false
        }
    }
}

/// Hashes a zip that is kept, and its entries.
fn verify_zip((storage, folder): (&dyn Storage, &str), part: &Part, report: &mut JobReport) {
    let told = |error: ReadBackError| match error {
        ReadBackError::Io(error) => reading(&error),
        ReadBackError::Changed => Problem::Changed,
        other => Problem::Unreadable(other.to_string()),
    };
    let mut files = match PartFiles::open((storage, folder), part, &|| false) {
        Ok(files) => files,
        Err(error) => {
            report.find(folder, part.zip.path.as_deref(), told(error));
            return;
        }
    };
    report.files += 1;
    report.bytes = report.bytes.saturating_add(part.zip.bytes);
    for (at, file) in part.files.iter().enumerate() {
        let mut hasher = Hasher::default();
        let read = files.read(at, &mut |piece| {
            hasher.update(piece);
            ControlFlow::Continue(())
        });
        match read {
            Ok(()) if hasher.finish() == file.sha256 => report.entries += 1,
            Ok(()) => report.find(folder, Some(&file.path), Problem::Changed),
            Err(error) => report.find(folder, Some(&file.path), told(error)),
        }
    }
    files.leave_the_cache();
}

/// Hashes a file that should have so many bytes: one more shows that it is another.
fn hash(storage: &dyn Storage, file: &str, bytes: u64) -> io::Result<(Digest, u64)> {
    let opened = storage.open_once(file)?;
    Digest::of_reader(opened.take(bytes.saturating_add(1)))
}

/// What an error says of a file that was to be read.
pub(crate) fn reading(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ if says_nothing(error) => Problem::Unreachable(match error.raw_os_error() {
            Some(_) => format!("{error}; try again as the user that it belongs to"),
            None => error.to_string(),
        }),
        _ => Problem::Unreadable(error.to_string()),
    }
}

fn find_added(
    (storage, folder): (&dyn Storage, &str),
    (manifest, is_pruned): (&Manifest, bool),
    report: &mut JobReport,
) {
    // By their bytes: a path with `//` in it is another key in a bucket.
    let mut known: HashSet<&OsStr> = manifest
        .stored()
        .map(|file| OsStr::new(file.path))
        .collect();
    known.extend([MANIFEST, SUMS, PRUNED_SUMS].map(OsStr::new));
    let shown = |at: &Path| at.to_string_lossy().escape_debug().to_string();
    for lying in storage.files_below(folder) {
        match lying {
            // A part's folder goes while it is looked at.
            Lying::Unlisted(_, error) if is_pruned && error.kind() == io::ErrorKind::NotFound => {}
            Lying::Unlisted(at, error) => report.find(folder, Some(&shown(&at)), reading(&error)),
            Lying::File(file) if known.contains(file.as_os_str()) => {}
            Lying::File(file) => {
                report.find(folder, Some(&shown(&file)), Problem::Added);
                report.added.push(file);
            }
        }
    }
}
