//! A recheck: what a window holds now is held against what is archived of it, and published beside
//! that where it is more. Carries *Complete* (logs that came late are not lost) and *Atomic* (what
//! was published stays as it is).

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::collect::{Collected, NotCollected};
use super::{JobRunner, Shared, broken};
use crate::archive::manifest::{MANIFEST, Manifest, Supersedes};
use crate::archive::plain_file;
use crate::archive::publish::{Archived, Published};
use crate::domain::job::Job;
use crate::domain::recheck::{Content, Verdict, verdict};

impl JobRunner {
    /// Publishes what was collected when it is more than `before`.
    pub(super) async fn revise(
        &mut self,
        before: &Archived,
        collected: Collected,
    ) -> Result<Option<Published>, NotCollected> {
        let window = before.span;
        let was = Content {
            status: before.status,
            records: before.records,
        };
        let is = collected.content();
        match verdict(was, is) {
            Verdict::Same => {
                self.clean(collected.staged).await;
                tracing::info!(
                    job = %self.job.name,
                    window = %window,
                    records = is.records,
                    "rechecked: it holds what is archived of it"
                );
                return Ok(None);
            }
            Verdict::Less => {
                self.clean(collected.staged).await;
                let found = match is.records {
                    Some(records) => format!("{records} records"),
                    None => "records that can't be counted".to_owned(),
                };
                return Err(NotCollected::Window(format!(
                    "the service has {found} of it now, and {} are archived; what is archived \
                     stays, and is asked for again later",
                    was.records.unwrap_or(0)
                )));
            }
            Verdict::More => {}
        }
        tracing::warn!(
            job = %self.job.name,
            window = %window,
            before = was.records,
            records = is.records,
            "rechecked: more is known of it than is archived; all of it is published beside the \
             first folder, which stays"
        );
        let asked = self.ledger.replay().recheckable.asked(window);
        let found = self.shared.clock.now();
        let supersedes = Supersedes {
            folder: before.folder.clone(),
            manifest_sha256: before.manifest_sha256,
            status: before.status,
            records: before.records,
            bytes: before.bytes,
            asked_ms: asked.map_or(found, |asked| asked.at),
            found_ms: found,
        };
        self.publish(window, collected, Some(supersedes))
            .await
            .map(Some)
    }

    /// Refuses to ask for the window of `before` where it is another project's.
    pub(super) async fn check_project(
        shared: Arc<Shared>,
        job: Arc<Job>,
        before: &Archived,
    ) -> Result<(), NotCollected> {
        let path = shared.store.root().join(&before.folder).join(MANIFEST);
        let shown = path.display().to_string();
        let read = spawn_blocking(move || plain_file::read(&path)).await;
        let read = read.map_err(|error| broken(&error))?;
        let manifest = read
            .map_err(|error| error.to_string())
            .and_then(|json| Manifest::parse(&json))
            .map_err(|why| NotCollected::Window(format!("can't read {shown}: {why}")))?;
        if (&manifest.project_key, manifest.project_id) == (&job.project_key, job.project_id) {
            return Ok(());
        }
        Err(NotCollected::Window(format!(
            "it was archived from the project {} ({}), which is not the job's any more",
            manifest.project_key, manifest.project_id
        )))
    }
}
