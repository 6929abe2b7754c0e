//! Places below `.staging`: what is there is removed before a window is fetched and after it
//! failed, and the answers that are parts move into the window's folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Shared;
use crate::archive::manifest::{Part, folder_of_part, zip_of_part};
use crate::domain::job::Job;
use crate::domain::store_kind::StoreKind;
use crate::domain::window_error::WindowError;

/// Where an attempt puts its bytes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The answer's own folder.
    pub(super) folder: PathBuf,
    /// The zip, beside it.
    pub(super) zip: PathBuf,
    /// What of it is kept; `None` where it is only counted.
    keeps: Option<StoreKind>,
}

impl Place {
    /// The place of an answer below `folder`, or beside it.
    pub(super) fn new(folder: PathBuf, keeps: Option<StoreKind>) -> Self {
        let zip = folder.with_extension("zip");
        Self { folder, zip, keeps }
    }

    /// The place of an answer below the folder `answers`; what of it is kept is as the archive keeps it.
    pub(super) fn of_answer(shared: &Shared, answers: &Path, answer: usize) -> Self {
        Self::new(
            answers.join(format!("{answer:04}")),
            Some(shared.store.kind()),
        )
    }

    /// Where its files are written, if they are.
    pub(super) fn files(&self) -> Option<&Path> {
        (self.keeps == Some(StoreKind::Unpacked)).then_some(&self.folder)
    }

    /// Whether the zip itself is kept.
    pub(super) fn keeps_zip(&self) -> bool {
        self.keeps == Some(StoreKind::Zip)
    }

    /// Names what is kept in `part`, which is number `number` of its window. Returns what moves where in the window's
    /// folder `staged`.
    pub(super) fn name(
        &self,
        part: &mut Part,
        number: usize,
        staged: &Path,
    ) -> Option<(PathBuf, PathBuf)> {
        let folder = folder_of_part(number);
        for file in &mut part.files {
            file.path = format!("{folder}/{}", file.path);
        }
        // Of an answer that was refused there is none.
        if self.keeps_zip() && part.zip.bytes > 0 {
            let zip = zip_of_part(number);
            let place = staged.join(&zip);
            part.zip.path = Some(zip);
            return Some((self.zip.clone(), place));
        }
        let has_files = self.files().is_some() && !part.files.is_empty();
        has_files.then(|| (self.folder.clone(), staged.join(folder)))
    }

    /// Removes what is there.
    ///
    /// # Errors
    /// When something can't be removed.
    pub(super) async fn clear(&self, shared: &Arc<Shared>) -> Result<(), WindowError> {
        remove(shared, &self.zip).await?;
        remove(shared, &self.folder).await
    }
}

/// Removes a file or a folder with all that is in it; what does not exist is fine.
///
/// # Errors
/// When something in it can't be removed.
pub(super) async fn remove(shared: &Arc<Shared>, path: &Path) -> Result<(), WindowError> {
    let (shared, path) = (Arc::clone(shared), path.to_owned());
    Ok(spawn_blocking(move || shared.store.disk().remove(&path)).await??)
}

/// Removes what may be left. What can't be removed now is when the job's next cycle begins, so
/// that is only a warning.
pub(crate) async fn clean(shared: &Arc<Shared>, job: &Job, path: &Path) {
    if let Err(error) = remove(shared, path).await {
        tracing::warn!(job = %job.name, "{error}");
    }
}

/// Moves the parts into `staged`, and removes the folder `answers` with all other answers.
pub(super) async fn place(
    shared: &Arc<Shared>,
    staged: PathBuf,
    moves: Vec<(PathBuf, PathBuf)>,
    answers: PathBuf,
) -> Result<(), WindowError> {
    let shared = Arc::clone(shared);
    let placed = spawn_blocking(move || {
        let disk = shared.store.disk();
        shared.store.make_staging(&staged)?;
        for (from, to) in &moves {
            disk.place_part(from, to)?;
        }
        disk.remove(&answers)
    });
    Ok(placed.await??)
}
