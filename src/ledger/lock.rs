//! The lock of the state directory: one instance at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::durable::advice;

/// The lock, held until it is dropped or the process ends, however it ends. It is advisory and
/// is never stolen: a file left behind by a dead process is no lock.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the lock can't be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another instance has it.
    #[error(
        "another elsa-archiver is running on {0}; stop it first (systemctl stop elsa-archiver), \
         or give this one a state directory of its own"
    )]
    Held(PathBuf),
    /// The directory can't be used.
    #[error("can't use the state directory {dir}: {source}{}", advice(source))]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the lock of a state directory, making the directory where there is none.
    ///
    /// # Errors
    /// At once when another instance has it; when the directory can't be made or written.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable {
            dir: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(unusable)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("lock"))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let first = StateLock::acquire(&state).unwrap();
        assert!(matches!(
            StateLock::acquire(&state),
            Err(LockError::Held(_))
        ));
        drop(first);
        StateLock::acquire(&state).unwrap();
    }

    #[test]
    fn a_state_directory_that_is_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(
            StateLock::acquire(&file),
            Err(LockError::Unusable { .. })
        ));
    }
}
