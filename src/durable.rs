//! The only place that makes things durable or visible on disk: each fsync, rename, create and
//! remove in archive and state is a named [`Step`], and a test can watch the order of the steps or
//! make any of them fail. Lock files and what is written outside of both have no step. Carries
//! *Atomic* and *Ordered*.

#![allow(clippy::disallowed_methods, reason = "this is where they are allowed")]

pub(crate) mod denied;
mod error;
pub(crate) mod evidence;
mod flush;
mod lack;
pub(crate) mod letting_go;
mod outside;
mod step;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

pub use error::{DiskError, advice, advice_on, advice_on_folder};
pub use flush::Flush;
pub use lack::{Lack, try_lock};
use lack::{is_lack, rename_without_replacing};
pub(crate) use outside::{AskedFor, append_line, replace_readable, write_asked_for, write_new};
pub use outside::{make_plain_folder, write_private};
pub use step::Step;

type Gate = dyn Fn(Step, &Path) -> io::Result<()> + Send + Sync;

/// The disk as the program writes to it.
#[derive(Clone)]
pub struct Disk {
    /// Called before each step; its error becomes the step's.
    gate: Arc<Gate>,
    /// Whether it goes on without what a file system lacks.
    accepts_lacks: bool,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::gated(|_, _| Ok(()))
    }
}

impl Disk {
    /// A disk whose every step passes `gate` first: a test's way to watch the order of the steps
    /// and to make one fail.
    pub fn gated(gate: impl Fn(Step, &Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self {
            gate: Arc::new(gate),
            accepts_lacks: false,
        }
    }

    /// Runs one step.
    ///
    /// # Errors
    /// The step's, with its name and path.
    pub fn step<T>(
        &self,
        step: Step,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        off_the_runtime(|| (self.gate)(step, path).and_then(|()| act())).map_err(|source| {
            DiskError {
                step,
                path: path.to_owned(),
                source,
            }
        })
    }

    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    /// When it exists or can't be created.
    pub fn create(&self, step: Step, path: &Path) -> Result<Output, DiskError> {
        let file = self.step(step, path, || {
            OpenOptions::new().write(true).create_new(true).open(path)
        })?;
        Ok(Output {
            disk: self.clone(),
            step,
            path: path.to_owned(),
            file: Arc::new(file),
        })
    }

    /// Makes a folder, and those above it.
    ///
    /// # Errors
    /// When one can't be made.
    pub fn make_folders(&self, step: Step, path: &Path) -> Result<(), DiskError> {
        self.step(step, path, || fs::create_dir_all(path))
    }

    /// Makes a folder and those above it, and each new name durable in the folder above it.
    ///
    /// # Errors
    /// When one can't be made or flushed.
    pub fn make_durable_folder(&self, path: &Path) -> Result<(), DiskError> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.make_durable_folder(above)?;
            self.make_folders(Step::MakeParent, path)?;
            return self.sync_folder(Step::SyncGrandparent, above);
        }
        self.make_folders(Step::MakeParent, path)
    }

    /// Makes the names in a folder durable, where the file system can or must.
    ///
    /// # Errors
    /// When the folder can't be opened or flushed.
    pub fn sync_folder(&self, step: Step, path: &Path) -> Result<(), DiskError> {
        let synced = self.step(step, path, || File::open(path)?.sync_all());
        synced.or_else(|error| match is_lack(&error.source) {
            true if self.accepts_lacks => Ok(()),
            true => Err(DiskError {
                source: Lack::SyncFolder.refused(&error.source),
                ..error
            }),
            false => Err(error),
        })
    }

    /// Moves a part's folder, or its zip, to its place in the window's folder.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn place_part(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step(Step::PlacePart, to, || fs::rename(from, to))
    }

    /// Renames a refused zip, or its reason, to the name under which it is kept.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn keep_refused(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step(Step::KeepRefused, to, || fs::rename(from, to))
    }

    /// Renames a folder to a name that must not exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken; nothing is replaced, ever.
    pub fn publish(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let accepts = self.accepts_lacks;
        self.step(Step::Publish, to, || {
            rename_without_replacing(from, to, accepts)
        })
    }

    /// Renames what is damaged to a name that must not exist.
    ///
    /// # Errors
    /// When the name is taken, see [`DiskError::name_is_taken`], or it can't be renamed.
    pub fn set_folder_aside(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let accepts = self.accepts_lacks;
        self.step(Step::SetAside, to, || {
            rename_without_replacing(from, to, accepts)
        })
    }

    /// Replaces a file that can be made anew at any time. Readers see the old or the new one;
    /// after a power cut there may be neither.
    ///
    /// # Errors
    /// When it can't be written or moved into place.
    pub fn replace_cache(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        self.step(Step::ReplaceCheckpoint, path, || {
            let new = path.with_extension("new");
            let replaced = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
            replaced.inspect_err(|_| {
                // Half a cache would take what little is left of a full disk.
                let _ = fs::remove_file(&new);
            })
        })
    }

    /// Opens a ledger for appending, and makes an empty one where there is none.
    ///
    /// # Errors
    /// When it can't be opened or made.
    pub fn open_ledger(&self, path: &Path) -> Result<File, DiskError> {
        self.step(Step::CreateLedger, path, || {
            OpenOptions::new().append(true).create(true).open(path)
        })
    }

    /// Makes durable what a ledger holds; one that is not there is fine.
    ///
    /// # Errors
    /// When it can't be opened or flushed.
    pub(crate) fn flush_ledger(&self, path: &Path) -> Result<(), DiskError> {
        self.step(Step::SyncLedger, path, || match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.sync_all(),
        })
    }

    /// Opens a file that must be there, to add to its end. What is added to it is a step, not this.
    ///
    /// # Errors
    /// When it is not there, or can't be opened.
    pub fn append(&self, path: &Path) -> Result<Output, DiskError> {
        let step = Step::Append;
        let open = || OpenOptions::new().append(true).open(path);
        let file = off_the_runtime(open).map_err(|source| DiskError {
            step,
            path: path.to_owned(),
            source,
        })?;
        Ok(Output {
            disk: self.clone(),
            step,
            path: path.to_owned(),
            file: Arc::new(file),
        })
    }

    /// Writes a file that is removed when the disk is full. It is not flushed: what a crash takes
    /// is made again.
    ///
    /// # Errors
    /// When it can't be written; then nothing of it is left.
    pub fn set_aside(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        self.step(Step::KeepReserve, path, || {
            fs::write(path, bytes).inspect_err(|_| {
                // Half a reserve would take what little is left from those who need it.
                let _ = fs::remove_file(path);
            })
        })
    }

    /// Removes that file. Returns whether there was one.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn give_up(&self, path: &Path) -> Result<bool, DiskError> {
        self.step(Step::GiveReserve, path, || match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Replaces the acknowledgement beside a ledger. The daemon's user can read it, whoever writes
    /// it.
    ///
    /// # Errors
    /// When it can't be written or moved into place.
    pub fn acknowledge(&self, path: &Path, text: &str) -> Result<(), DiskError> {
        self.step(Step::Acknowledge, path, || {
            let new = path.with_extension("acknowledged.new");
            fs::write(&new, text)?;
            fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
            fs::rename(&new, path)
        })
    }

    /// Writes the file that says which archive this is, durable.
    ///
    /// # Errors
    /// When it can't be written, moved into place or flushed.
    pub fn write_identity(&self, path: &Path, text: &str) -> Result<(), DiskError> {
        evidence::replace(self, (Step::WriteIdentity, Step::SyncIdentity), path, text)
    }

    /// Removes a folder with all that is in it, or a file; what does not exist is fine.
    ///
    /// # Errors
    /// When something in it can't be removed.
    pub fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.step(Step::Clean, path, || {
            let removed = match fs::symlink_metadata(path) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(path),
                Ok(_) => fs::remove_file(path),
                Err(error) => Err(error),
            };
            removed.or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
        })
    }
}

/// Opens the file of a lock, and makes an empty one where there is none.
///
/// # Errors
/// When it can't be opened or made.
pub fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Runs work that waits for a disk without blocking other tasks: a disk may hang for minutes, and
/// the runtime has no more threads than the machine has cores. On other threads it simply runs.
pub fn off_the_runtime<T>(act: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(act),
        _ => act(),
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct Output {
    disk: Disk,
    step: Step,
    path: PathBuf,
    file: Arc<File>,
}

impl Output {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the disk refuses; the file may then hold a part of them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let Self {
            disk,
            step,
            path,
            file,
        } = self;
        disk.step(*step, path, || (&**file).write_all(bytes))
    }

    /// What makes the file durable from another thread, while this one writes on or is done.
    #[must_use]
    pub fn flush(&self) -> Flush {
        Flush::new(self.disk.clone(), self.path.clone(), Arc::clone(&self.file))
    }

    /// Makes everything written durable.
    ///
    /// # Errors
    /// When the disk refuses; after that nothing written can be relied on.
    pub fn sync(&self, step: Step) -> Result<(), DiskError> {
        self.disk.step(step, &self.path, || self.file.sync_all())
    }

    /// Checks that the file still has the `bytes` with which it was left: a line behind others would break
    /// the chain.
    ///
    /// # Errors
    /// When something else has changed it.
    pub fn is_as_left(&self, bytes: u64) -> Result<(), DiskError> {
        let length = off_the_runtime(|| self.file.metadata()).map(|found| found.len());
        let changed = || {
            io::Error::other(
                "something else has changed it meanwhile; restart elsa-archiver, which reads it anew",
            )
        };
        let same = length.and_then(|length| (length == bytes).then_some(()).ok_or_else(changed));
        same.map_err(|source| DiskError {
            step: self.step,
            path: self.path.clone(),
            source,
        })
    }

    /// Cuts the file to `bytes`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn cut(&self, bytes: u64) -> Result<(), DiskError> {
        self.disk
            .step(Step::CutLedger, &self.path, || self.file.set_len(bytes))
    }
}

#[cfg(test)]
mod tests;
