//! The last steps of windows: manifests, sums, and of each the one rename that makes it visible. Carries
//! *Atomic* and *Ordered*: what says "published" is a value that only this module makes, and the
//! ledger records nothing else.

mod group;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::manifest::{Confirmed, MANIFEST, Manifest, Supersedes};
use super::plain_file::MOST_TEXT;
use super::store::Store;
use crate::digest::Digest;
use crate::domain::second_opinion::SecondOpinion;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::durable::{DiskError, Step};
pub(crate) use group::{Chain, Staged, publish};

/// The file that lists the digests of all the others, for `sha256sum -c`.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// The folder that holds a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// The window.
    pub window: Window,
    /// What is known of it.
    pub status: Status,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// Bytes of the data files in its folder.
    pub bytes: u64,
    /// Its folder, relative to the archive's root.
    pub folder: String,
    /// Digest of its `manifest.json`.
    pub manifest_sha256: Digest,
    /// The folder that it supersedes, if the window was archived before.
    pub supersedes: Option<Box<Supersedes>>,
    /// When the service was asked, if that is not about when this was recorded.
    pub asked: Option<UtcMs>,
    /// What the second opinion on it came to.
    pub opinion: SecondOpinion,
    /// Whether an answer has told that `to` is inclusive.
    pub is_inclusive: bool,
    /// Whether its data were let go of when it was recorded.
    pub is_pruned: bool,
}

/// The proof that a window's folder is whole, durable and in place.
#[derive(Debug)]
pub struct Published(Archived);

impl Published {
    /// What the ledger will say of it.
    #[must_use]
    pub fn into_archived(self) -> Archived {
        self.0
    }

    /// What the ledger will say of it.
    #[must_use]
    pub const fn archived(&self) -> &Archived {
        &self.0
    }

    /// The window of a folder that is already in place: published by an earlier run that did not
    /// record it. Its name is made durable first, since the run may have ended
    /// before that. With `anew`, the ledger learns of the window for the first time, whatever the
    /// folder supersedes.
    ///
    /// # Errors
    /// When the folder above it can't be flushed.
    pub(super) fn adopted(
        store: &Store,
        mut archived: Archived,
        anew: bool,
    ) -> Result<Self, DiskError> {
        make_names_durable(store, &archived.folder)?;
        if anew {
            archived.supersedes = None;
        }
        Ok(Self(archived))
    }

    /// A folder that was recorded before, was recorded missing, and is back as it was published. Its
    /// bytes must have been proven. Its name is made durable first.
    ///
    /// # Errors
    /// When the folders above it can't be flushed.
    pub(crate) fn brought_back(store: &Store, archived: Archived) -> Result<Self, DiskError> {
        make_names_durable(store, &archived.folder)?;
        Ok(Self(Archived {
            supersedes: None,
            ..archived
        }))
    }
}

impl Supersedes {
    /// What takes the place of another folder takes the place of `before`: the other one is gone.
    pub(super) fn is(&mut self, before: &Archived) {
        if self.manifest_sha256 != before.manifest_sha256 {
            self.folder.clone_from(&before.folder);
            self.manifest_sha256 = before.manifest_sha256;
            (self.status, self.records) = (before.status, before.records);
            (self.bytes, self.confirmed) = (before.bytes, before.opinion.by);
            self.missing = false;
        }
    }
}

impl Archived {
    /// What the ledger says of the window in `folder`, whose manifest has this digest.
    pub(super) fn of(
        folder: String,
        window: Window,
        manifest: &Manifest,
        manifest_sha256: Digest,
    ) -> Self {
        Self {
            window,
            status: manifest.status,
            records: manifest.records,
            bytes: manifest.bytes(),
            folder,
            manifest_sha256,
            // Of a folder that is gone nothing counts any more.
            supersedes: manifest.supersedes.clone().filter(|before| !before.missing),
            asked: manifest.asked(),
            opinion: manifest
                .confirmed
                .as_ref()
                .map_or_else(SecondOpinion::default, Confirmed::in_short),
            is_inclusive: manifest.request.to_bound_found,
            is_pruned: false,
        }
    }
}

/// Why a window could not be published.
#[derive(Debug, Error)]
pub(crate) enum PublishError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A folder of that name exists, and is never replaced.
    #[error(
        "{0} is in the way: it is not in the ledger, and came after the archive was looked at; the next \
         cycle looks at it again, and takes it over or says why not"
    )]
    InTheWay(PathBuf),
    /// The manifest would be too long to be read again.
    #[error(
        "its manifest would have {0} MiB, which is more than is ever read; a shorter `window`, or a \
         larger `limit`, makes fewer files"
    )]
    TooManyFiles(u64),
    /// It would continue a window that could not be published.
    #[error("the window before it in its group could not be published")]
    Behind,
    /// The manifest can't be written.
    #[error("can't write the manifest: {0}")]
    Manifest(String),
}

/// Refuses a manifest, of so many bytes, that nothing would read again. `SHA256SUMS` is always
/// shorter.
const fn may_be_read_back(bytes: u64) -> Result<(), PublishError> {
    match bytes > MOST_TEXT {
        true => Err(PublishError::TooManyFiles(bytes >> 20)),
        false => Ok(()),
    }
}

/// Makes the names of a folder that is in its place durable, up to the root.
fn make_names_durable(store: &Store, folder: &str) -> Result<(), DiskError> {
    for above in Path::new(folder).ancestors().skip(1) {
        let above = store.root().join(above);
        store.disk().sync_folder(Step::SyncParent, &above)?;
    }
    Ok(())
}

/// Makes the folders above one, as those of job and date, each durable in the one above it.
///
/// # Errors
/// When one can't be made or flushed.
pub(super) fn make_parents(store: &Store, folder: &Path) -> Result<(), DiskError> {
    let mut above = store.root().to_owned();
    for component in folder.parent().into_iter().flat_map(Path::components) {
        let below = above.join(component);
        if !below.is_dir() {
            store.disk().make_folders(Step::MakeParent, &below)?;
        }
        // Also for a folder that exists: its maker may have been killed before this step.
        store.disk().sync_folder(Step::SyncGrandparent, &above)?;
        above = below;
    }
    Ok(())
}

/// The bytes of `SHA256SUMS` for a manifest with this digest.
pub(super) fn sums(manifest: &Manifest, manifest_sha256: Digest) -> String {
    let mut text = format!("{manifest_sha256}  {MANIFEST}\n");
    for file in manifest.stored() {
        let _ = writeln!(text, "{}  {}", file.sha256, file.path);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
