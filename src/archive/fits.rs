//! Whether a manifest can be what its folder is taken for: this window of this job. Pure. Carries
//! *Exactly once* and *Evident*: a folder that holds something else is neither adopted nor proven.
//!
//! What is asked here holds for all that any version has published. Bytes are not looked at.

use std::collections::HashSet;

use thiserror::Error;

use super::entry_name;
use super::manifest::{DataFile, Manifest, Part, folder_of_part, zip_of_part};
use crate::digest::Digest;
use crate::domain::records_digest::RecordsDigest;
use crate::domain::second_opinion::Way;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::FolderName;
use crate::printable;

/// A `logTime` in whole seconds may mean any millisecond of its second, so it may begin this much before
/// the span in which it lies.
const COARSEST: Millis = Millis(1000);

/// What a folder is taken for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The job.
    pub job: &'a str,
    /// The job's ELSA project; `None` where nobody knows it.
    pub project_id: Option<i64>,
    /// The window's folder below the archive's root, or as much of the end of that path as is known.
    pub folder: &'a str,
}

/// Why a manifest can't be what its folder is taken for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unfit {
    /// Its folder is called after another job, window or revision.
    #[error("its manifest is another window's: {0}")]
    Place(String),
    /// It is of another ELSA project.
    #[error("its manifest is of the project {found}, and the job's is {wanted}")]
    Project {
        /// The project that it names.
        found: i64,
        /// The job's.
        wanted: i64,
    },
    /// Its parts don't make up its window.
    #[error("its parts don't make up its window: {0}")]
    Parts(String),
    /// The numbers of records don't add up.
    #[error("its numbers of records don't agree: {0}")]
    Records(String),
    /// Its status is not what its parts are worth.
    #[error("its status is not what its parts are worth: {0}")]
    Status(String),
    /// A file can't be one of this window.
    #[error("{path} can't be a file of it: {why}", path = printable::whole(path))]
    File {
        /// The file, as the manifest names it.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Checks that `manifest` can be what `claim` says.
///
/// # Errors
/// The first thing that contradicts it.
pub(crate) fn check(manifest: &Manifest, claim: Claim<'_>) -> Result<(), Unfit> {
    let window = place(manifest, claim)?;
    if let Some(wanted) = claim.project_id
        && wanted != manifest.project_id
    {
        let found = manifest.project_id;
        return Err(Unfit::Project { found, wanted });
    }
    if manifest.parts.is_empty() {
        return without_parts(manifest);
    }
    tiles(&manifest.parts, window)?;
    let mut paths = HashSet::new();
    for (number, part) in (1..).zip(&manifest.parts) {
        counted(part, number)?;
        zip_named(part, number)?;
        for file in &part.files {
            let wrong = |why: String| Unfit::File {
                path: file.path.clone(),
                why,
            };
            named(file, number).map_err(wrong)?;
            if !paths.insert(file.path.as_str()) {
                return Err(wrong("it comes twice".into()));
            }
            content(file).map_err(wrong)?;
            timed(file, part).map_err(wrong)?;
        }
    }
    summed(manifest)
}

/// Checks the folder's name, and those of the folders above it. Returns the window.
fn place(manifest: &Manifest, claim: Claim<'_>) -> Result<Span, Unfit> {
    let wrong = |why: &str| Unfit::Place(why.to_owned());
    let window = manifest.window.span();
    let window = window.ok_or_else(|| wrong("it ends before it begins"))?;
    let mut names = claim.folder.rsplit('/');
    let name = names.next().unwrap_or_default();
    let (date, job) = (names.next(), names.next());
    if manifest.job != claim.job || job.is_some_and(|job| job != manifest.job) {
        let job = printable::whole(&manifest.job);
        return Err(Unfit::Place(format!("it is of the job {job}")));
    }
    let revision = manifest.revision();
    let revision = revision.ok_or_else(|| wrong("what it supersedes is no window's folder"))?;
    let Some(named) = FolderName::parse(name) else {
        return Ok(window);
    };
    if named.window.span() != window {
        return Err(Unfit::Place(format!("it is of {window}")));
    }
    if named.revision != revision {
        return Err(Unfit::Place(format!("it is revision {revision}")));
    }
    if date.is_some_and(|date| FolderName::date_of(name).as_deref() != Some(date)) {
        return Err(wrong("the folder above it is not its date's"));
    }
    let follows = |before: &str| {
        let next = FolderName::of_next_revision(before)?;
        Some(next.rsplit('/').next() == Some(name))
    };
    match &manifest.supersedes {
        Some(before) if follows(&before.folder) != Some(true) => {
            Err(wrong("what it supersedes is not the revision before it"))
        }
        _ => Ok(window),
    }
}

/// A window that the service refuses has no parts: search has shown that it is empty, or nothing is
/// known of it.
fn without_parts(manifest: &Manifest) -> Result<(), Unfit> {
    let by = manifest.confirmed.as_ref().map(|confirmed| confirmed.by);
    let is_empty = manifest.records == Some(0) && by == Some(Way::Search);
    let is_unknown = manifest.records.is_none();
    match manifest.status {
        Status::Complete if is_empty => Ok(()),
        Status::Unproven if is_unknown => Ok(()),
        _ => Err(Unfit::Parts("it has none".into())),
    }
}

/// Checks that the parts make up `window`, in order of time, without gap or overlap.
fn tiles(parts: &[Part], window: Span) -> Result<(), Unfit> {
    let mut at = window.from();
    for (number, part) in (1..).zip(parts) {
        if part.from_ms != at || part.to_ms <= part.from_ms {
            return Err(Unfit::Parts(format!(
                "part {number} is from {} to {}, and one that begins at {at} comes next",
                part.from_ms, part.to_ms
            )));
        }
        at = part.to_ms;
    }
    match at == window.to() {
        true => Ok(()),
        false => Err(Unfit::Parts(format!(
            "the last one ends at {at}, and the window at {}",
            window.to()
        ))),
    }
}

/// Checks a part's records against those of its files. Where they can't be counted they are null, also
/// where each file's can: pages may be missing.
fn counted(part: &Part, number: usize) -> Result<(), Unfit> {
    match part.records {
        None if part.status == Status::Complete => Err(Unfit::Status(format!(
            "part {number} is complete, and its records can't be counted"
        ))),
        Some(records) if sum(part.files.iter().map(|file| file.records)) != Some(records) => {
            Err(Unfit::Records(format!(
                "part {number} has {records}, and its files together have others"
            )))
        }
        _ => Ok(()),
    }
}

/// Checks the place of a file.
fn named(file: &DataFile, part: usize) -> Result<(), String> {
    let below = folder_of_part(part) + "/";
    match entry_name::is_safe(&file.path) && file.path.starts_with(&below) {
        true => Ok(()),
        false => Err(format!("it lies outside {below}")),
    }
}

/// Checks the place of a zip that is kept.
fn zip_named(part: &Part, number: usize) -> Result<(), Unfit> {
    let Some(path) = &part.zip.path else {
        return Ok(());
    };
    let wrong = |why: &str| Unfit::File {
        path: path.clone(),
        why: why.into(),
    };
    if *path != zip_of_part(number) {
        return Err(wrong("it is not what the zip of its part is called"));
    }
    match (part.zip.bytes == 0) == (part.zip.sha256 == Digest::of(b"")) {
        true => Ok(()),
        false => Err(wrong("its length and its digest don't agree")),
    }
}

/// Checks what a file without bytes, or without records, can't have.
fn content(file: &DataFile) -> Result<(), String> {
    if (file.bytes == 0) != (file.sha256 == Digest::of(b"")) {
        return Err("its length and its digest don't agree".into());
    }
    let has_records = file.records != Some(0);
    if has_records && file.records.is_some() && file.bytes == 0 {
        return Err("it has records and no bytes".into());
    }
    match (file.first_ms, file.last_ms) {
        (None, None) => Ok(()),
        (Some(first), Some(last)) if first <= last && has_records => Ok(()),
        _ => Err("its first and its last time don't agree".into()),
    }
}

/// Checks the times of a file's records. An answer with a record from outside its span is not complete,
/// whatever `to` means to the service; it is kept as it came.
fn timed(file: &DataFile, part: &Part) -> Result<(), String> {
    if part.status != Status::Complete {
        return Ok(());
    }
    let inside = |at: UtcMs| part.from_ms < at.plus(COARSEST) && at < part.to_ms;
    let times = file.first_ms.into_iter().chain(file.last_ms);
    match times.into_iter().find(|&at| !inside(at)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "it holds a record of {at}, and its part is from {} to {}",
            part.from_ms, part.to_ms
        )),
    }
}

/// Checks the window's records, their digest and its status against its parts.
fn summed(manifest: &Manifest) -> Result<(), Unfit> {
    let parts = &manifest.parts;
    let records = sum(parts.iter().map(|part| part.records));
    if records != manifest.records {
        let shown = |records: Option<u64>| records.map_or("none".into(), |n| n.to_string());
        return Err(Unfit::Records(format!(
            "the window has {}, and its parts together have {}",
            shown(manifest.records),
            shown(records)
        )));
    }
    let is_none = manifest.records_digest == Some(RecordsDigest::default());
    let must_be_none = records.is_none() || (records == Some(0) && !is_none);
    if manifest.records_digest.is_some() && must_be_none {
        let why = "it has a digest of records, and none that were counted";
        return Err(Unfit::Records(why.into()));
    }
    let worst = parts.iter().map(|part| part.status).max();
    match worst == Some(manifest.status) {
        true => Ok(()),
        false => Err(Unfit::Status("it is that of the worst part".into())),
    }
}

fn sum(mut records: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    records.try_fold(0u64, |sum, records| sum.checked_add(records?))
}

#[cfg(test)]
mod tests;
