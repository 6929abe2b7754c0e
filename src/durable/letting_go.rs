//! The steps that let go of data, and that say what may not be let go of.

use std::fs;
use std::io;
use std::path::Path;

use super::{Disk, DiskError, Step, evidence};

/// Leaves an order beside a ledger, durable, under a name that must not be taken.
///
/// # Errors
/// When the name is taken, see [`DiskError::name_is_taken`], or it can't be written.
pub(crate) fn leave_order(disk: &Disk, path: &Path, text: &str) -> Result<(), DiskError> {
    let folder = path.parent().unwrap_or(path);
    evidence::write_new(disk, Step::LeaveOrder, path, text)?;
    disk.sync_folder(Step::SyncState, folder)
}

/// Writes the mark of a prune, durable.
///
/// # Errors
/// When it can't be written, moved into place or flushed.
pub(crate) fn mark(disk: &Disk, path: &Path, text: &str) -> Result<(), DiskError> {
    evidence::replace(disk, (Step::MarkPruning, Step::SyncState), path, text)
}

/// Removes the mark of a prune, durable.
///
/// # Errors
/// When it can't be removed or flushed.
pub(crate) fn unmark(disk: &Disk, path: &Path) -> Result<(), DiskError> {
    disk.step(Step::UnmarkPruning, path, || is_gone(fs::remove_file(path)))?;
    disk.sync_folder(Step::SyncState, path.parent().unwrap_or(path))
}

/// Gives the sums of a folder the name that they have where its data are let go of.
///
/// # Errors
/// When they can't be renamed.
pub(crate) fn rename_sums(disk: &Disk, from: &Path, to: &Path) -> Result<(), DiskError> {
    disk.step(Step::RenameSums, to, || fs::rename(from, to))
}

/// Removes a data file; one that is gone already is fine.
///
/// # Errors
/// When it can't be removed.
pub(crate) fn remove_data(disk: &Disk, path: &Path) -> Result<(), DiskError> {
    disk.step(Step::RemoveData, path, || is_gone(fs::remove_file(path)))
}

/// Removes the folder of a part. One that holds what was not published stays.
///
/// # Errors
/// When it can't be removed.
pub(crate) fn remove_part(disk: &Disk, path: &Path) -> Result<(), DiskError> {
    disk.step(Step::RemoveData, path, || match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => is_gone(removed),
    })
}

fn is_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Atomic
    #[test]
    fn a_part_s_folder_with_what_was_not_published_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, part) = (Disk::default(), dir.path().join("part-0001"));
        fs::create_dir(&part).unwrap();
        fs::write(part.join("notes.txt"), "mine").unwrap();
        fs::write(part.join("logs.json"), "{}").unwrap();
        for _ in 0..2 {
            remove_data(&disk, &part.join("logs.json")).unwrap();
            remove_part(&disk, &part).unwrap();
        }
        assert_eq!(fs::read_dir(&part).unwrap().count(), 1);
        fs::remove_file(part.join("notes.txt")).unwrap();
        remove_part(&disk, &part).unwrap();
        remove_part(&disk, &part).unwrap();
        assert!(!part.exists());
    }
}
