//! The files that say which archive a root and a state directory belong to:
//! `<root>/_archive/archive.json` and `<state.dir>/archive.json`. Carries *Its own*.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::plain_file::{self, MOST_TEXT};
use super::storage::{self, Storage, below};
use crate::domain::identity::ArchiveId;
use crate::durable::{Disk, DiskError, Step, advice_on};
use crate::printable::printable;

/// The folder of the archive's own files in its root. No job has such a name.
pub const FOLDER: &str = "_archive";
const FILE: &str = "archive.json";
const SCHEMA: u32 = 1;

/// Such a file.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    id: ArchiveId,
    /// RFC 3339.
    created_at: String,
}

/// An id can't be read.
#[derive(Debug, Error)]
#[error(
    "can't read {path}: {why}; it says which archive this is, so nothing is done until it can be read"
)]
pub struct UnreadableId {
    path: PathBuf,
    why: String,
}

/// The file of a root.
#[must_use]
pub fn of_root(root: &Path) -> PathBuf {
    root.join(FOLDER).join(FILE)
}

/// The same, relative to the root.
pub(crate) fn relative() -> String {
    below(FOLDER, FILE)
}

/// The file of a state directory.
#[must_use]
pub fn of_state(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// The id in a file; `None` where there is none.
///
/// # Errors
/// When it is there and can't be read, or was written by a newer version.
pub fn read(path: &Path) -> Result<Option<ArchiveId>, UnreadableId> {
    parsed(path, plain_file::read(path))
}

/// The id of an archive, or of a copy; `None` where it has none.
///
/// # Errors
/// As [`read`].
pub(crate) fn of_storage(storage: &dyn Storage) -> Result<Option<ArchiveId>, UnreadableId> {
    let file = relative();
    let read = storage::read(storage, &file, MOST_TEXT);
    parsed(&storage.place(&file), read)
}

fn parsed(path: &Path, read: io::Result<Vec<u8>>) -> Result<Option<ArchiveId>, UnreadableId> {
    let unreadable = |why: String| UnreadableId {
        path: path.to_owned(),
        why,
    };
    let json = match read {
        Ok(json) => json,
        // Where a folder above it is a file, that is told when it is written to.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        // What lies elsewhere has no user of this machine.
        Err(error) if error.raw_os_error().is_none() => return Err(unreadable(error.to_string())),
        Err(error) => return Err(unreadable(format!("{error}{}", advice_on(path, &error)))),
    };
    let stored: Stored = serde_json::from_slice(&json).map_err(|error| {
        unreadable(format!(
            "{}; root and state directory hold the same file, so where it is damaged, copy the other one \
             over it",
            printable(&error.to_string())
        ))
    })?;
    match stored.schema {
        SCHEMA => Ok(Some(stored.id)),
        newer => Err(unreadable(format!(
            "its schema is {newer}; a newer version wrote it"
        ))),
    }
}

/// Writes an id to a file, durable, and makes the folders above it.
///
/// # Errors
/// When it can't be written.
pub fn write(
    path: &Path,
    id: &ArchiveId,
    created_at: String,
    disk: &Disk,
) -> Result<(), DiskError> {
    let stored = Stored {
        schema: SCHEMA,
        id: id.clone(),
        created_at,
    };
    let mut json = serde_json::to_string(&stored).unwrap_or_default();
    json.push('\n');
    if let Some(folder) = path.parent() {
        disk.make_durable_folder(folder)?;
        // In the root its name may not be durable yet, if the program was killed while it was made. What
        // lies above the state directory may be somebody else's.
        if let Some(above) = folder.parent().filter(|_| folder.ends_with(FOLDER)) {
            disk.sync_folder(Step::SyncGrandparent, above)?;
        }
    }
    disk.write_identity(path, &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Its own
    #[test]
    fn what_is_written_is_read_and_what_is_not_understood_is_no_missing_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = of_root(dir.path());
        assert_eq!(read(&path).unwrap(), None);
        let id = ArchiveId::of(7);
        write(&path, &id, "2026-11-29T00:00:00Z".into(), &Disk::default()).unwrap();
        assert_eq!(read(&path).unwrap(), Some(id));
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        for wrong in [
            "",
            "{}",
            r#"{"schema":2,"id":"00000000000000000000000000000007","created_at":""}"#,
        ] {
            std::fs::write(&path, wrong).unwrap();
            let why = read(&path).unwrap_err().to_string();
            assert!(why.contains("archive.json"), "{why}");
        }
    }
}
