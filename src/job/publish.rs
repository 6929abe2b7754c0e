//! Windows that lie in `.staging` become [`Published`]: their manifests, the renames, and what the
//! log says of them. Carries *Atomic* and *Evident*.

use std::path::PathBuf;

use tokio::task::spawn_blocking;

use crate::archive::manifest::{self, Manifest, Part, Supersedes};
use crate::archive::publish::{self, Chain, PublishError, Published, Staged};
use crate::archive::store::Store;
use crate::domain::job::Job;
use crate::domain::span::Millis;
use crate::domain::split::Status;
use crate::domain::window::{FolderName, Window};
use crate::domain::window_error::WindowError;
use crate::fetch::{Fetched, Source, staging};
use crate::ledger::replay::Replay;

/// What is to be published of `window`: as a new folder, or beside the folder that it supersedes.
///
/// # Errors
/// When what it supersedes is no window's folder.
pub(super) fn stage(
    source: &Source,
    window: Window,
    fetched: &Fetched,
    supersedes: Option<Supersedes>,
) -> Result<Staged, WindowError> {
    let job = &*source.job;
    let folder = match &supersedes {
        None => Store::folder(&job.name, window, &job.zone),
        Some(before) => FolderName::of_next_revision(&before.folder).ok_or_else(|| {
            WindowError::Window(format!("{} is no window's folder", before.folder))
        })?,
    };
    let manifest = manifest(source, window, fetched, supersedes);
    report_status(job, window, &manifest, fetched.unproven_reason.as_deref());
    Ok(Staged {
        staged: fetched.staged.clone(),
        folder,
        window,
        manifest,
    })
}

/// What the job's next manifest continues.
pub(super) fn chain(replay: &Replay) -> Chain {
    Chain {
        previous: replay.last_manifest,
        breaks: replay.untold.breaks().to_vec(),
    }
}

/// Publishes windows together; what is returned has their order. After an error of the disk a folder may be in
/// place all the same, and is to be adopted.
pub(super) async fn publish(
    source: Source,
    group: Vec<Staged>,
    chain: Chain,
) -> Vec<Result<Published, WindowError>> {
    let Source { job, shared, .. } = &source;
    let staged: Vec<PathBuf> = group.iter().map(|one| one.staged.clone()).collect();
    let store = shared.store.clone();
    let published = spawn_blocking(move || publish::publish(&store, group, chain)).await;
    let published = match published {
        Ok(published) => published,
        Err(error) => {
            let failed = |_: &PathBuf| Err(WindowError::disk(&error));
            return staged.iter().map(failed).collect();
        }
    };
    let mut ended = Vec::new();
    for (published, staged) in published.into_iter().zip(&staged) {
        if published.is_err() {
            staging::clean(shared, job, staged).await;
        }
        ended.push(published.map_err(|error| match error {
            PublishError::TooManyFiles(_) => WindowError::Window(error.to_string()),
            PublishError::Behind => WindowError::Stopped,
            error => WindowError::disk(&error),
        }));
    }
    for published in ended.iter().flatten() {
        let archived = published.archived();
        tracing::info!(
            job = %job.name,
            folder = %archived.folder,
            records = archived.records,
            bytes = archived.bytes,
            "archived"
        );
    }
    ended
}

fn manifest(
    source: &Source,
    window: Window,
    fetched: &Fetched,
    supersedes: Option<Supersedes>,
) -> Manifest {
    let job = &*source.job;
    Manifest {
        schema: manifest::SCHEMA,
        job: job.name.to_string(),
        project_key: job.project_key.clone(),
        project_id: job.project_id,
        window: manifest::Bounds::of(window.span(), &job.zone),
        status: fetched.content.status,
        records: fetched.content.records,
        request: manifest::Request::of(
            job,
            source.client.endpoint().to_string(),
            fetched.to_bound.bound,
            fetched.to_bound.is_found,
        ),
        parts: fetched.parts.clone(),
        confirmed: Some(fetched.confirmed.clone()),
        records_digest: fetched.content.digest,
        previous: None,
        breaks: Vec::new(),
        supersedes: supersedes.map(Box::new),
        archived_at: manifest::local_time(source.shared.clock.now(), &job.zone),
        tool: manifest::tool(),
    }
}

fn report_status(job: &Job, window: Window, manifest: &Manifest, unproven_reason: Option<&str>) {
    match manifest.status {
        Status::Complete => {}
        Status::Truncated => tracing::error!(
            job = %job.name,
            window = %window,
            records = manifest.records,
            "truncated: {}; logs may be missing",
            why_truncated(&manifest.parts)
                .or(unproven_reason)
                .unwrap_or("no reason is known")
        ),
        Status::Unproven => tracing::error!(
            job = %job.name,
            window = %window,
            "unproven: what the window holds is not certain: {}",
            unproven_reason.unwrap_or("no reason is known")
        ),
    }
}

fn why_truncated(parts: &[Part]) -> Option<&'static str> {
    let mut truncated = parts.iter().filter(|part| part.status == Status::Truncated);
    truncated
        .all(|part| part.to_ms.since(part.from_ms) == Millis(1))
        .then_some("a single millisecond holds as many records as the service hands out at once")
}
