//! Taking stock before a cycle: folders that the ledger lacks are taken over or block their spans,
//! and what the service has forgotten is given up. Carries *Self-healing* and *Candid*.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::JobRunner;
use crate::archive::adopt::{Known, UnrecordedFolder, adopt};
use crate::domain::circuit_breaker::Remedy;
use crate::domain::plan::out_of_reach;
use crate::domain::retry::Failure;
use crate::domain::span::{Span, UtcMs};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;
use crate::ledger::Ledger;

impl JobRunner {
    /// Takes over folders that are published but not recorded.
    pub(super) async fn adopt(&mut self) -> Result<(), String> {
        let (shared, job) = (Arc::clone(&self.shared), Arc::clone(&self.job));
        let replay = self.ledger.replay();
        let (coverage, revisions) = (replay.coverage.clone(), replay.revisions.clone());
        let last_manifest = replay.last_manifest;
        let looked = spawn_blocking(move || {
            let known = Known {
                coverage: &coverage,
                revisions: &revisions,
                last_manifest,
            };
            adopt(&shared.store, &job, known)
        });
        let found = looked
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        for published in found.adopted {
            let folder = published.archived().folder.clone();
            self.ledger
                .record(published)
                .map_err(|error| error.to_string())?;
            tracing::warn!(
                job = %self.job.name,
                folder,
                "adopted a folder that was published but not in the ledger"
            );
        }
        for unrecorded in &found.unrecorded {
            tracing::error!(job = %self.job.name, "{}", in_the_way(unrecorded));
        }
        self.unrecorded = found.unrecorded;
        // Strays are looked at again: somebody may move them away.
        self.look_for_folders = !self.unrecorded.is_empty();
        Ok(())
    }

    pub(super) fn blocking_folder(&self, window: Span) -> Option<String> {
        let blocks =
            |unrecorded: &&UnrecordedFolder| unrecorded.span.intersection(window).is_some();
        self.unrecorded.iter().find(blocks).map(in_the_way)
    }

    /// Asks the service what time it is, which any answer about `window` tells; `None` when the
    /// program is being stopped.
    pub(super) async fn ask_the_time(
        &self,
        window: Span,
        stop: &CancellationToken,
    ) -> Option<Result<UtcMs, CallError>> {
        let request = Request::new(&self.job, window).for_at_most(1);
        match stop.run_until_cancelled(self.client.ask(&request)).await? {
            Err(error) if !error.failure.is_answer() => Some(Err(error)),
            _ if !self.client.is_dated() => Some(Err(CallError::new(
                Failure::Passing,
                "its answer does not say what time it is".to_owned(),
            ))),
            _ => Some(Ok(self.client.now())),
        }
    }

    /// Takes out of `due` what is out of reach at the service, and records it, once, so that it is
    /// not asked for ever after. Should clock or `retention` turn out to have been wrong, it is due
    /// again.
    pub(super) async fn close_what_is_lost(
        &mut self,
        now: UtcMs,
        due: &mut Vec<Span>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let Some(&oldest) = due.iter().min() else {
            return Ok(());
        };
        let mut lost = out_of_reach(now, &self.job, due);
        if lost.is_empty() {
            self.warn_of_deadline(now, oldest);
            return Ok(());
        }
        let is_new = |ledger: &Ledger, span: &Span| !ledger.replay().is_known_lost(*span);
        if lost.iter().any(|span| is_new(&self.ledger, span)) {
            // Nothing is given up on the word of our clock alone, which may have jumped ahead.
            match self.ask_the_time(oldest, stop).await {
                None => return Ok(()),
                Some(Err(error)) => {
                    if !error.failure.is_answer() {
                        self.stand_still(Remedy::Time, &error.message);
                    }
                    return Err(format!(
                        "windows seem to be lost, but the service does not tell the time: {error}"
                    ));
                }
                Some(Ok(now)) => lost = out_of_reach(now, &self.job, due),
            }
        }
        for &span in lost
            .iter()
            .filter(|span| is_new(&self.ledger, span))
            .collect::<Vec<_>>()
        {
            tracing::error!(
                job = %self.job.name,
                span = %span,
                "lost: it was not archived before the service's retention was over; `status` shows \
                 it until `elsa-archiver status --ack {}` says that somebody knows",
                self.job.name
            );
            self.ledger
                .record_lost(span)
                .map_err(|error| error.to_string())?;
        }
        due.retain(|window| !lost.iter().any(|span| span.covers(*window)));
        Ok(())
    }

    /// Says when what is not archived will be out of reach, in the second half of the time.
    fn warn_of_deadline(&self, now: UtcMs, oldest: Span) {
        let Some(keeps) = self.job.retention else {
            return;
        };
        let deadline = oldest.from().plus(keeps);
        if deadline.since(now) < keeps.part(0.5) {
            tracing::warn!(
                job = %self.job.name,
                window = %oldest,
                deadline = %deadline,
                "the oldest window that is not archived is about to be out of reach"
            );
        }
    }
}

fn in_the_way(unrecorded: &UnrecordedFolder) -> String {
    format!(
        "{} is in the way: the ledger lacks it and it can't be adopted ({}); move it away, the \
         next cycle makes good",
        unrecorded.folder, unrecorded.why
    )
}
