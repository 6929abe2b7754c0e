//! What a file system may lack: that folders are flushed, a rename that replaces nothing, locks. Older CIFS,
//! NFS and FUSE do. What lacks something is refused, unless the configuration accepts it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use super::{Disk, DiskError, Step};

/// What a file system can't do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// fsync of a folder.
    SyncFolder,
    /// A rename that fails where the new name is taken.
    RenameNew,
    /// flock.
    Lock,
}

impl Lack {
    /// What follows from it, to come after "this file system".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::SyncFolder => "can't promise that a rename survives a power cut",
            Self::RenameNew => "has no rename that replaces nothing",
            Self::Lock => "has no locks, so nothing on it keeps a second instance out",
        }
    }

    /// As an error of whatever needed it.
    pub(super) fn refused(self, error: &io::Error) -> io::Error {
        let what = self.words();
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "this file system {what} ({error}); use another one, or accept that with \
                 `durable_folders = false` in [archive]"
            ),
        )
    }
}

/// Whether an error says that the file system knows no such thing, rather than that it failed.
pub(super) fn is_lack(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOLCK];
    let errno = error.raw_os_error();
    known
        .iter()
        .any(|known| errno == Some(known.raw_os_error()))
}

impl Disk {
    /// The same, which goes on without what a file system lacks.
    #[must_use]
    pub fn accepting_lacks(self, accepts_lacks: bool) -> Self {
        Self {
            accepts_lacks,
            ..self
        }
    }

    /// Whether it goes on without what a file system lacks.
    #[must_use]
    pub const fn accepts_lacks(&self) -> bool {
        self.accepts_lacks
    }

    /// Asks whether the names in a folder, which must be there, can be made durable; what it lacks where they
    /// can't and that is accepted.
    ///
    /// # Errors
    /// When they can't and that is not accepted, or they can't be now.
    pub fn ask_sync(&self, step: Step, folder: &Path) -> Result<Option<Lack>, DiskError> {
        let asked = self.clone().accepting_lacks(false);
        self.told(asked.sync_folder(step, folder), Lack::SyncFolder)
    }

    /// Asks for a rename without replacing, below `.staging`, whose folder must be there and empty.
    ///
    /// # Errors
    /// As [`Disk::ask_sync`].
    pub fn ask_rename(&self, staging: &Path) -> Result<Option<Lack>, DiskError> {
        let [from, to] = [".asked", ".answered"].map(|name| staging.join(name));
        self.make_folders(Step::StageFolder, &from)?;
        let renamed = self
            .step(Step::PlacePart, &to, || {
                rename_without_replacing(&from, &to, false)
            })
            .map_err(|error| match is_lack(&error.source) {
                true => DiskError {
                    source: Lack::RenameNew.refused(&error.source),
                    ..error
                },
                false => error,
            });
        for left in [&from, &to] {
            self.remove(left)?;
        }
        self.told(renamed, Lack::RenameNew)
    }

    fn told(&self, asked: Result<(), DiskError>, lack: Lack) -> Result<Option<Lack>, DiskError> {
        match asked {
            Ok(()) => Ok(None),
            Err(error) if self.accepts_lacks && error.is_lack() => Ok(Some(lack)),
            Err(error) => Err(error),
        }
    }
}

impl DiskError {
    /// Whether the file system lacks what the step needs.
    #[must_use]
    pub fn is_lack(&self) -> bool {
        self.source.kind() == io::ErrorKind::Unsupported || is_lack(&self.source)
    }
}

/// Takes a lock that ends with the file.
///
/// # Errors
/// When another process has it; [`io::ErrorKind::Unsupported`] when the file system has no locks.
pub fn try_lock(file: &File) -> Result<(), TryLockError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(source) if is_lack(&source) => {
            TryLockError::Error(Lack::Lock.refused(&source))
        }
        other => other,
    })
}

/// Renames where the new name must not be taken.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when it is; [`io::ErrorKind::Unsupported`] when the file system has no such
/// rename and that is not accepted.
pub(super) fn rename_without_replacing(
    from: &Path,
    to: &Path,
    accepts_lacks: bool,
) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let renamed = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    match renamed.map_err(io::Error::from) {
        // Some file systems (NFS, older FUSE) don't know the flag. rename(2) itself refuses to
        // replace a folder that is not empty, and a published one never is.
        Err(error) if is_lack(&error) && accepts_lacks => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
            Err(error) => Err(error),
        },
        Err(error) if is_lack(&error) => Err(Lack::RenameNew.refused(&error)),
        other => other,
    }
}
