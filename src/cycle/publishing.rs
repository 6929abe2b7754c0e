//! Publishing what was collected: its manifest, the rename, and what the log says of it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::collect::{Collected, NotCollected};
use super::{JobRunner, broken};
use crate::archive::manifest::{self, Manifest, Part, Supersedes};
use crate::archive::publish::{PublishError, Published, publish};
use crate::archive::store::Store;
use crate::domain::job::Job;
use crate::domain::recheck::Content;
use crate::domain::span::{Millis, Span};
use crate::domain::split::Status;
use crate::domain::window::FolderName;

impl JobRunner {
    /// Publishes `window` as a folder of its own, or beside the one that it supersedes.
    pub(super) async fn publish(
        &mut self,
        window: Span,
        collected: Collected,
        supersedes: Option<Supersedes>,
    ) -> Result<Published, NotCollected> {
        let folder = match &supersedes {
            None => Store::folder(&self.job.name, window, &self.job.zone),
            Some(before) => FolderName::of_next_revision(&before.folder).ok_or_else(|| {
                NotCollected::Window(format!("{} is no window's folder", before.folder))
            })?,
        };
        let manifest = self.manifest(window, &collected, supersedes);
        report_status(
            &self.job,
            window,
            &manifest,
            collected.unproven_reason.as_deref(),
        );
        let (shared, staged) = (Arc::clone(&self.shared), collected.staged.clone());
        let published =
            spawn_blocking(move || publish(&shared.store, &staged, folder, window, &manifest));
        let published = published.await.map_err(|error| broken(&error))?;
        let published = published.map_err(|error| {
            if matches!(error, PublishError::TooManyFiles(_)) {
                return NotCollected::Window(error.to_string());
            }
            self.look_for_folders = true;
            NotCollected::disk(&error)
        });
        self.clean(collected.staged).await;
        let published = published?;
        let archived = published.archived();
        tracing::info!(
            job = %self.job.name,
            folder = %archived.folder,
            records = archived.records,
            bytes = archived.bytes,
            "archived"
        );
        Ok(published)
    }

    /// Removes what may be left below `.staging`; what can't be removed is when the next cycle begins.
    pub(super) async fn clean(&self, staged: PathBuf) {
        let shared = Arc::clone(&self.shared);
        match spawn_blocking(move || shared.store.disk().remove(&staged)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(job = %self.job.name, "{error}"),
            Err(error) => tracing::warn!(job = %self.job.name, "{error}"),
        }
    }

    fn manifest(
        &self,
        window: Span,
        collected: &Collected,
        supersedes: Option<Supersedes>,
    ) -> Manifest {
        let job = &*self.job;
        let content = collected.content();
        Manifest {
            schema: manifest::SCHEMA,
            job: job.name.to_string(),
            project_key: job.project_key.clone(),
            project_id: job.project_id,
            window: manifest::Window::of(window, &job.zone),
            status: content.status,
            records: content.records,
            request: manifest::Request::of(job, self.client.endpoint().to_string()),
            parts: collected.parts.clone(),
            previous: self.ledger.replay().last_manifest,
            supersedes: supersedes.map(Box::new),
            archived_at: manifest::local_time(self.shared.clock.now(), &job.zone),
            tool: manifest::tool(),
        }
    }
}

impl Collected {
    /// What its parts make up.
    pub(super) fn content(&self) -> Content {
        let statuses = self.parts.iter().map(|part| part.status);
        Content {
            status: statuses.max().unwrap_or(Status::Unproven),
            records: self
                .parts
                .iter()
                .try_fold(0u64, |sum, part| sum.checked_add(part.records?)),
        }
    }
}

fn report_status(job: &Job, window: Span, manifest: &Manifest, unproven_reason: Option<&str>) {
    match manifest.status {
        Status::Complete => {}
        Status::Truncated => tracing::error!(
            job = %job.name,
            window = %window,
            records = manifest.records,
            "truncated: {}; logs may be missing",
            why_truncated(&manifest.parts).or(unproven_reason).unwrap_or("no reason is known")
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
