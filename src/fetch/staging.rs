//! Folders below `.staging`: what is there is removed before a window is fetched and after it
//! failed, and the answers that are parts move into the window's folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Shared;
use crate::domain::job::Job;
use crate::domain::window_error::WindowError;

/// Where an attempt puts its bytes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The answer's own folder.
    pub(super) folder: PathBuf,
    /// The zip, beside it.
    pub(super) zip: PathBuf,
}

impl Place {
    /// The place of an answer that is unpacked into `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        let zip = folder.with_extension("zip");
        Self { folder, zip }
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
