//! Locks: one instance at a time on a state directory, and on an archive's root.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::durable::{Disk, advice_on, advice_on_folder, open_lock, try_lock};

/// A lock on a folder. It is advisory and is never stolen: a file left behind by a dead process
/// is no lock.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

/// Why the lock can't be taken.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// Another instance has it.
    #[error(
        "another elsa-archiver works on {0}; stop it first (systemctl stop elsa-archiver), or let \
         it do the work"
    )]
    Held(PathBuf),
    /// The folder can't be used.
    #[error(
        "can't use {what} {folder}: {source}{}",
        advice_on_folder(folder, source)
    )]
    Unusable {
        /// What it is: the state directory, or the archive's root.
        what: &'static str,
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock's file can't be opened.
    #[error("can't open the lock {path}: {source}{}", advice_on(path, source))]
    Unopened {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LockError {
    /// Whether the file system has no locks.
    pub(crate) fn is_lack(&self) -> bool {
        match self {
            Self::Held(_) | Self::Unopened { .. } => false,
            Self::Unusable { source, .. } => source.kind() == io::ErrorKind::Unsupported,
        }
    }
}

impl FolderLock {
    /// Takes the lock `name` of a folder, which is called `what` in messages, making the folder
    /// where there is none.
    ///
    /// # Errors
    /// At once when another instance has it; when the folder can't be made or written.
    pub(crate) fn acquire(
        what: &'static str,
        folder: &Path,
        name: &str,
        disk: &Disk,
    ) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable {
            what,
            folder: folder.to_owned(),
            source,
        };
        disk.make_durable_folder(folder)
            .map_err(|error| unusable(error.source))?;
        let path = folder.join(name);
        let file = match open_lock(&path) {
            Ok(file) => file,
            Err(source) => return Err(LockError::Unopened { path, source }),
        };
        match try_lock(&file) {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(folder.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Holds the lock until the process ends, however it ends: work that is still under way when
    /// a command returns must not meet another instance.
    pub(crate) fn hold_for_life(self) {
        std::mem::forget(self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Exactly once
    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let first =
            FolderLock::acquire("the state directory", &state, "lock", &Disk::default()).unwrap();
        assert!(matches!(
            FolderLock::acquire("the state directory", &state, "lock", &Disk::default()),
            Err(LockError::Held(_))
        ));
        drop(first);
        FolderLock::acquire("the state directory", &state, "lock", &Disk::default()).unwrap();
    }

    #[test]
    fn a_state_directory_that_is_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(
            FolderLock::acquire("the state directory", &file, "lock", &Disk::default()),
            Err(LockError::Unusable { .. })
        ));
    }
}
