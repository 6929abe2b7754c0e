//! A recheck: what a window holds now is held against what is archived of it, and published beside
//! that where it differs. Carries *Complete* (logs that came late are not lost) and *Atomic* (what
//! was published stays as it is).

use super::JobRunner;
use super::collect::{Collected, NotCollected};
use crate::archive::manifest::Supersedes;
use crate::archive::publish::{Archived, Published};
use crate::domain::recheck::{Content, revision};

impl JobRunner {
    /// Publishes what was collected when it is news beside `before`.
    pub(super) async fn revise(
        &mut self,
        before: &Archived,
        mut collected: Collected,
    ) -> Result<Option<Published>, NotCollected> {
        let window = before.span;
        let was = Content {
            status: before.status,
            records: before.records,
        };
        let is = collected.content();
        let Some(status) = revision(was, is) else {
            self.clean(collected.staged).await;
            tracing::info!(
                job = %self.job.name,
                window = %window,
                records = is.records,
                "rechecked: it holds what is archived of it"
            );
            return Ok(None);
        };
        tracing::warn!(
            job = %self.job.name,
            window = %window,
            before = was.records,
            records = is.records,
            "rechecked: it holds something else than is archived of it; all of it is published \
             beside the first folder, which stays"
        );
        if let (Some(before), Some(now)) = (was.records, is.records)
            && now < before
        {
            let what = format!("there were {before} records, and {now} when it was rechecked");
            collected.doubt = collected.doubt.take().or(Some(what));
        }
        let asked = self.ledger.replay().recheckable.asked(window);
        let found = self.shared.clock.now();
        let supersedes = Supersedes {
            folder: before.folder.clone(),
            manifest_sha256: before.manifest_sha256,
            status: before.status,
            records: before.records,
            bytes: before.bytes,
            asked_ms: asked.map_or(found, |asked| asked.at).0,
            found_ms: found.0,
        };
        self.publish(window, collected, Some((supersedes, status)))
            .await
            .map(Some)
    }
}
