//! Why a step failed, in words that say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Step;
use super::denied::{denied, denied_folder, lacking_under_systemd};

/// A step that failed: what, on what, why, and what to do.
#[derive(Debug)]
pub struct DiskError {
    /// The step.
    pub step: Step,
    /// On which file or folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, path, source } = self;
        write!(
            f,
            "can't {} {}: {source}{}",
            step.words(),
            path.display(),
            advice_on(path, source)
        )
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl DiskError {
    /// Whether the new name is taken: nothing is replaced.
    #[must_use]
    pub fn name_is_taken(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
        )
    }

    /// Whether there is no room left for what the step writes.
    #[must_use]
    pub fn lacks_space(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded)
    }
}

/// What an operator can do about an error of the disk; begins with `"; "` where there is advice.
#[must_use]
pub fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => {
            "; free some space, then the next cycle tries again"
        }
        Kind::PermissionDenied => "; give the user that runs elsa-archiver write access",
        Kind::ReadOnlyFilesystem => {
            "; the file system is mounted read-only, or the unit does not name the path in ReadWritePaths="
        }
        Kind::NotADirectory => "; a part of that path is a file",
        _ => "",
    }
}

/// As [`advice`], for an error at a file or folder: says whose it is where this user is not let in.
#[must_use]
pub fn advice_on(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => denied(path),
        _ => advice(error).to_owned(),
    }
}

/// As [`advice_on`], for a folder that is made where it is lacking.
#[must_use]
pub fn advice_on_folder(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => denied_folder(path),
        io::ErrorKind::ReadOnlyFilesystem if !path.exists() => lacking_under_systemd(path),
        _ => advice(error).to_owned(),
    }
}
