//! Archive against ledger, before a cycle asks for anything. Folders that the ledger lacks are adopted or
//! block their windows. Carries *Self-healing* and
//! *Candid*.

use std::io;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::archive::adopt::{Found, Known, UnrecordedFolder, adopt};
use crate::archive::manifest::MANIFEST;
use crate::archive::storage::{Storage as _, below};
use crate::domain::job::Job;
use crate::domain::plan::{deadline_of, is_close};
use crate::domain::span::UtcMs;
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::durable::Step;
use crate::fetch::Shared;
use crate::ledger::replay::Replay;

/// Looks for folders that are published and not recorded.
///
/// # Errors
/// When the archive can't be looked at.
pub(super) async fn unrecorded(
    shared: &Arc<Shared>,
    job: &Arc<Job>,
    replay: &Replay,
) -> Result<Found, String> {
    let (shared, job) = (Arc::clone(shared), Arc::clone(job));
    let (coverage, revisions) = (replay.coverage.clone(), replay.revisions.clone());
    let last_manifest = replay.last_manifest;
    let looked = spawn_blocking(move || {
        let known = Known {
            coverage: &coverage,
            revisions: &revisions,
            last_manifest,
        };
        adopt(&shared.store, &job.name, Some(job.project_id), known)
    });
    looked
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

/// Looks for the folder that the ledger has recorded last: a root may have been restored from an older
/// copy.
///
/// # Errors
/// When it is not there, or the archive can't be looked at.
pub(super) async fn newest_is_there(
    shared: &Arc<Shared>,
    job: &Job,
    replay: &Replay,
) -> Result<(), String> {
    let Some(folder) = replay.last_folder.clone() else {
        return Ok(());
    };
    let (store, manifest) = (shared.store.clone(), below(&folder, MANIFEST));
    let looked = spawn_blocking(move || {
        let storage = store.storage();
        let look = || match storage.length(&manifest) {
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            // What else has its name is for `verify` to tell.
            Err(error) if error.kind() == io::ErrorKind::Other => Ok(()),
            looked => looked.map(drop),
        };
        let place = storage.place(&manifest);
        store.disk().step(Step::ReadPublished, &place, look)
    });
    match looked.await.map_err(|error| error.to_string())? {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Err(format!(
            "{folder}, which was archived last, is not there: the archive's root was restored from an \
             older copy, or the folder was deleted. Put it back, or run `elsa-archiver repair --job {}`",
            job.name
        )),
        looked => looked.map_err(|error| error.to_string()),
    }
}

/// Why a window can't be archived: a folder that the ledger lacks is in its way.
pub(super) fn blocked_by(folders: &[UnrecordedFolder], window: Window) -> Option<WindowError> {
    let blocks = |folder: &&UnrecordedFolder| {
        let theirs = folder.window.span();
        theirs.intersection(window.span()).is_some()
    };
    folders.iter().find(blocks).map(|folder| WindowError::Disk {
        message: in_the_way(folder),
        needs_bytes: 0,
        whole_job: false,
    })
}

/// The message about a folder that is in the way.
pub(super) fn in_the_way(folder: &UnrecordedFolder) -> String {
    format!(
        "{} is in the way: the ledger lacks it and it can't be adopted ({}); `elsa-archiver repair` moves it \
         aside, or you move it out of the archive and keep it, then the next cycle asks the service for its \
         window",
        folder.folder, folder.why
    )
}

/// Why a window that seems to be lost is not given up.
pub(super) const NO_TIME: &str = "it seems to be lost, since the service has no logs of it and `retention` is \
     over by this machine's clock, but the service does not tell the time";

/// Says when what is not archived will be out of reach, once little of the time is left.
pub(super) fn warn_of_deadline(job: &Job, now: UtcMs, due: &[Window]) {
    if let Some(&oldest) = due.iter().min()
        && let Some(deadline) = deadline_of(oldest, job)
        && now < deadline
        && is_close(deadline, now, job)
    {
        tracing::warn!(
            job = %job.name,
            window = %oldest,
            deadline = %deadline,
            "the oldest window that is not archived is about to be out of reach"
        );
    }
}
