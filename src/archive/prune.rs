//! Letting go of a folder's data: what is removed, what stays, and how a folder without data is known. Carries *Atomic*
//! and *Evident*: before any data go, the sums have the name that says so, durable; the manifest stays as it is.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::entry_name;
use super::manifest::{MANIFEST, Manifest};
use super::plain_file;
use super::publish::{SUMS, sums};
use super::recorded::Recorded;
use super::storage::{Storage, below};
use super::store::Store;
use crate::digest::Digest;
use crate::durable::{DiskError, Step, letting_go};

/// The name of the sums in a folder whose data were let go of.
pub(crate) const PRUNED_SUMS: &str = "SHA256SUMS.pruned";

/// Whether a folder says that its data were let go of.
pub(crate) fn is_pruned(storage: &dyn Storage, folder: &str) -> bool {
    let length = |name: &str| storage.length(&below(folder, name));
    length(PRUNED_SUMS).is_ok_and(|found| found.is_some())
        && length(SUMS).is_ok_and(|found| found.is_none())
}

/// Whether any data file of a folder is there.
pub(crate) fn has_data(storage: &dyn Storage, folder: &str, manifest: &Manifest) -> bool {
    let is_there = |file: &str| !matches!(storage.length(&below(folder, file)), Ok(None));
    manifest.stored().any(|file| is_there(file.path))
}

/// How far the letting go of a folder's data is, by its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// They have their own name.
    NotBegun,
    /// They have the other one.
    Begun,
    /// They are there under both: the data were brought back.
    BroughtBack,
    /// They are not there, or can't be looked at.
    Unknown,
}

/// How far the letting go of the data of the folder at `path` is.
pub(crate) fn progress(path: &Path) -> Progress {
    let is_there = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
    match (is_there(SUMS), is_there(PRUNED_SUMS)) {
        (true, false) => Progress::NotBegun,
        (false, true) => Progress::Begun,
        (true, true) => Progress::BroughtBack,
        (false, false) => Progress::Unknown,
    }
}

/// Why the data of a folder that a ledger has recorded can't be let go of as it lies there; `None` where they can.
pub(crate) fn defect(store: &Store, known: &Recorded) -> Option<String> {
    let Recorded {
        archived,
        is_pruned: is_announced,
        ..
    } = known;
    let folder = &archived.folder;
    if !is_announced && is_pruned(&store.storage(), folder) {
        return Some(format!("{folder}: somebody else has removed its data"));
    }
    look(store, folder, archived.manifest_sha256).err()
}

/// The manifest of a folder that is as it was published as far as manifest and sums say, or was pruned before.
fn look(store: &Store, folder: &str, expected: Digest) -> Result<Manifest, String> {
    let path = own_folder(store, folder)?;
    let read = |name: &str| {
        let read = plain_file::read(&path.join(name));
        read.map_err(|error| format!("{folder}/{name}: {error}"))
    };
    let json = read(MANIFEST)?;
    if Digest::of(&json) != expected {
        return Err(format!("{folder}/{MANIFEST} was changed"));
    }
    let manifest = Manifest::parse(&json).map_err(|why| format!("{folder}/{MANIFEST}: {why}"))?;
    let name = if is_pruned(&store.storage(), folder) {
        PRUNED_SUMS
    } else {
        SUMS
    };
    if read(name)? != sums(&manifest, expected).as_bytes() {
        return Err(format!("{folder}/{name} was changed"));
    }
    let is_safe = manifest.stored().all(|file| entry_name::is_safe(file.path));
    match is_safe {
        true => Ok(manifest),
        false => Err(format!(
            "{folder}/{MANIFEST} names a file outside the folder"
        )),
    }
}

/// Where a folder is, if no link leads elsewhere on the way to it.
fn own_folder(store: &Store, folder: &str) -> Result<PathBuf, String> {
    let mut path = store.root().to_owned();
    for name in Path::new(folder).components() {
        path.push(name);
        is_folder(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(path)
}

fn is_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => Ok(()),
        false => Err(io::Error::other("it is no folder")),
    }
}

/// Lets go of the data of a folder, whose manifest has this digest. The ledger must have announced it. Done twice, or
/// after a kill anywhere, it ends the same.
///
/// # Errors
/// When the folder is not what was recorded, or the disk fails; why, in words. What is gone by then is known as pruned.
pub(crate) fn prune(store: &Store, folder: &str, manifest: Digest) -> Result<(), String> {
    let found = look(store, folder, manifest)?;
    let path = store.root().join(folder);
    let parts = parts(&path, &found)?;
    let pruned = || -> Result<(), DiskError> {
        let disk = store.disk();
        store.check_before(Step::RenameSums, &path)?;
        if !is_pruned(&store.storage(), folder) {
            letting_go::rename_sums(disk, &path.join(SUMS), &path.join(PRUNED_SUMS))?;
        }
        // Also where it had the name: whoever gave it may have been killed before this step.
        disk.sync_folder(Step::SyncPruned, &path)?;
        for file in found.stored() {
            letting_go::remove_data(disk, &path.join(file.path))?;
        }
        // Those within before those that hold them.
        for part in parts.iter().rev() {
            letting_go::remove_part(disk, part)?;
            if part.is_dir() {
                disk.sync_folder(Step::SyncPruned, part)?;
            }
        }
        disk.sync_folder(Step::SyncPruned, &path)
    };
    pruned().map_err(|error| error.to_string())
}

/// The folders between a window's folder and its data files, those within after those that hold them.
///
/// # Errors
/// When one is there and is none: what lies behind a link is not ours.
fn parts(path: &Path, manifest: &Manifest) -> Result<BTreeSet<PathBuf>, String> {
    let mut parts = BTreeSet::new();
    for file in manifest.stored() {
        let above = Path::new(file.path).ancestors().skip(1);
        let above = above.filter(|above| !above.as_os_str().is_empty());
        parts.extend(above.map(|above| path.join(above)));
    }
    for part in &parts {
        match is_folder(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", part.display()));
            }
            _ => {}
        }
    }
    Ok(parts)
}
