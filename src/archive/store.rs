//! The archive's root: where things are in it, what is staged, and how much space is free.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::identity::{self, UnreadableId};
use super::storage::{Local, Storage as _};
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::store_kind::StoreKind;
use crate::domain::window::{FolderName, Named, Window, Zone};
use crate::durable::{Disk, DiskError, Lack, Step, advice_on, off_the_runtime};

/// The folder below the root in which windows are put together; collectors skip its name.
pub const STAGING: &str = ".staging";

/// The archive's root.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    disk: Disk,
    min_free_space: u64,
    kind: StoreKind,
    /// The archive that it is, once that is known.
    id: Option<ArchiveId>,
}

/// Another disk is where the archive was, or none.
#[derive(Debug, Error)]
pub enum WrongRoot {
    /// Its id is not the archive's.
    #[error(
        "the archive's root {root} is not archive {id} any more, so its disk is not mounted, or it is \
         another one; mount it, then the next cycle goes on"
    )]
    Another {
        /// The root.
        root: PathBuf,
        /// The archive that it was.
        id: ArchiveId,
    },
    /// Its id can't be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableId),
}

/// Not enough free space to begin, or to go on.
#[derive(Debug, Error)]
pub enum NoSpace {
    /// Too little is free.
    #[error(
        "{root} has {free_mib} MiB free and {needed_mib} MiB are needed (min_free_space, and what \
         the window takes); free some space, then the next cycle tries again"
    )]
    Short {
        /// The archive's root.
        root: PathBuf,
        /// MiB that are free.
        free_mib: u64,
        /// MiB that must be free.
        needed_mib: u64,
    },
    /// The file system does not say.
    #[error("can't tell how much space is free on {root}: {source}")]
    Unknown {
        /// The archive's root.
        root: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The root can't be used.
#[derive(Debug, Error)]
#[error(
    "can't write to the archive's root {root}: {source}{}",
    advice_on(path, source)
)]
pub struct UnusableRoot {
    root: PathBuf,
    path: PathBuf,
    source: io::Error,
}

impl Store {
    /// An archive at `root` on whose disk `min_free_space` bytes stay free.
    #[must_use]
    pub const fn new(root: PathBuf, min_free_space: u64, disk: Disk) -> Self {
        Self {
            root,
            disk,
            min_free_space,
            kind: StoreKind::Unpacked,
            id: None,
        }
    }

    /// The same, in which new windows are kept as `kind` says; [`Store::new`] keeps files.
    #[must_use]
    pub fn keeping(self, kind: StoreKind) -> Self {
        Self { kind, ..self }
    }

    /// What of an answer is kept.
    #[must_use]
    pub const fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The same, which is the archive `id` from now on.
    #[must_use]
    pub fn bound_to(self, id: ArchiveId) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    /// Checks that the root still is the archive that it was: a disk can go and come at any time.
    ///
    /// # Errors
    /// When it is not, or its id can't be read. Nothing must be written then.
    pub fn check_identity(&self) -> Result<(), WrongRoot> {
        let Some(id) = &self.id else {
            return Ok(());
        };
        let found = off_the_runtime(|| identity::read(&identity::of_root(&self.root)))?;
        match found.as_ref() == Some(id) {
            true => Ok(()),
            false => Err(WrongRoot::Another {
                root: self.root.clone(),
                id: id.clone(),
            }),
        }
    }

    /// Makes a folder below `.staging`, and those above it, where the root still is the archive that it
    /// was: they would be made on the mount point too.
    ///
    /// # Errors
    /// When it is not, or the folder can't be made.
    pub fn make_staging(&self, path: &Path) -> Result<(), DiskError> {
        self.check_before(Step::StageFolder, path)?;
        self.disk.make_folders(Step::StageFolder, path)
    }

    /// As [`Store::check_identity`], as an error of the step that is not taken.
    ///
    /// # Errors
    /// When the root is not the archive that it was.
    pub(super) fn check_before(&self, step: Step, path: &Path) -> Result<(), DiskError> {
        self.check_identity().map_err(|error| DiskError {
            step,
            path: path.to_owned(),
            source: io::Error::other(error),
        })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What lies below it, to be read.
    pub(crate) fn storage(&self) -> Local {
        Local::at(&self.root)
    }

    /// The disk below it.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Makes root and `.staging` where they don't exist, empties `.staging`, and proves that it
    /// can be written. The state directory's lock must be held.
    ///
    /// # Errors
    /// When the root can't be made, read or written.
    pub fn prepare(&self) -> Result<(), UnusableRoot> {
        let staging = self.root.join(STAGING);
        let prepared = (|| {
            self.disk.remove(&staging)?;
            self.disk.make_folders(Step::StageFolder, &staging)?;
            self.disk.ask_rename(&staging)
        })();
        if let Ok(Some(lack)) = prepared {
            tell_of(lack, &self.root);
        }
        let prepared = prepared.map(drop);
        prepared.map_err(|error: DiskError| UnusableRoot {
            root: self.root.clone(),
            path: error.path,
            source: error.source,
        })
    }

    /// Where the windows of a job are put together.
    #[must_use]
    pub fn staging_of(&self, job: &JobName) -> PathBuf {
        self.root.join(STAGING).join(job.as_str())
    }

    /// Where a window of a job is put together.
    #[must_use]
    pub fn staging(&self, job: &JobName, window: Window) -> PathBuf {
        // Milliseconds keep the name short: the paths of the zip's entries come on top.
        let name = format!("{}-{}", window.from().0, window.to().0);
        self.staging_of(job).join(name)
    }

    /// The folder of a window, relative to the root.
    #[must_use]
    pub fn folder(job: &JobName, window: Window, zone: &Zone) -> String {
        format!("{job}/{}", FolderName::of(window, zone).relative())
    }

    /// Checks that `announced` bytes fit and leave `min_free_space` free.
    ///
    /// # Errors
    /// When they don't, or the file system does not say.
    pub fn check_space(&self, announced: u64) -> Result<(), NoSpace> {
        let free =
            off_the_runtime(|| free_bytes(&self.root)).map_err(|source| NoSpace::Unknown {
                root: self.root.clone(),
                source,
            })?;
        let needed = self.min_free_space.saturating_add(announced);
        if free < needed {
            let mib = |bytes: u64| bytes >> 20;
            return Err(NoSpace::Short {
                root: self.root.clone(),
                free_mib: mib(free),
                needed_mib: mib(needed).saturating_add(1),
            });
        }
        Ok(())
    }

    /// Bytes that are free beyond `min_free_space`; `None` when there are fewer, or the file system
    /// does not say.
    #[must_use]
    pub fn spare_bytes(&self) -> Option<u64> {
        free_bytes(&self.root)
            .ok()?
            .checked_sub(self.min_free_space)
    }

    /// The folders of a job that are published and what they are called after, in order of their
    /// windows' starts. What has no window's name is skipped.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub fn published(&self, job: &JobName) -> io::Result<Vec<(Named, String)>> {
        let mut found = Vec::new();
        for date in entries(&self.root.join(job.as_str()))? {
            for name in entries(&self.root.join(job.as_str()).join(&date))? {
                if let Some(named) = FolderName::parse(&name) {
                    found.push((named, format!("{job}/{date}/{name}")));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Says what a file system lacks, and that this is accepted.
pub(crate) fn tell_of(lack: Lack, folder: &Path) {
    tracing::warn!(
        folder = %folder.display(),
        "this file system {}; going on, since archive.durable_folders is false",
        lack.words()
    );
}

/// Bytes that are free where `path` is, for this process's user.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = off_the_runtime(|| rustix::fs::statvfs(path))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The names in a folder; none when it does not exist or is a file. Names that are not UTF-8 are
/// not ours.
pub fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let found = Local::at(folder).list("")?;
    Ok(found.into_iter().map(|entry| entry.name).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Guarantee: Bounded
    #[test]
    fn nothing_is_begun_without_the_space_that_must_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        let roomy = Store::new(dir.path().into(), 0, Disk::default());
        roomy.check_space(0).unwrap();
        assert!(roomy.check_space(u64::MAX).is_err());
        let full = Store::new(dir.path().into(), u64::MAX, Disk::default());
        let text = full.check_space(0).unwrap_err().to_string();
        assert!(text.contains("min_free_space"), "{text}");
    }

    /// Guarantee: Atomic
    #[test]
    fn preparing_empties_staging_and_touches_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().into(), 0, Disk::default());
        fs::create_dir_all(dir.path().join(".staging/shop/half")).unwrap();
        fs::create_dir_all(dir.path().join("shop/2026-11-22")).unwrap();
        store.prepare().unwrap();
        assert!(dir.path().join("shop/2026-11-22").exists());
        assert_eq!(entries(&dir.path().join(".staging")).unwrap(), [""; 0]);
    }

    #[test]
    fn a_root_that_is_a_file_is_one_clear_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Store::new(file, 0, Disk::default()).prepare().unwrap_err();
        assert!(error.to_string().contains("archive's root"), "{error}");
    }
}
