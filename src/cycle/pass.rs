//! A cycle from its beginning: folders that the ledger lacks are adopted, and it is found out what
//! time it is, what is due, what is lost, and what is due for a recheck. Carries *Self-healing* and
//! *Candid*.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::{JobRunner, Outcome};
use crate::domain::backoff::is_over;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::plan::reach;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::ledger::failures::Task;
use crate::ledger::line::Failed;

/// How long the service is not asked again what time it is, while our clock is ahead of its.
const TIME_PAUSE: Millis = Millis::from_mins(1);

/// How a cycle goes about its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What failed before is left alone until its pause is over.
    pub patient: bool,
    /// Archived windows are asked for again where the job says so.
    pub rechecks: bool,
    /// As many windows are collected at once as the account allows requests.
    pub side_by_side: bool,
}

impl Pass {
    /// The daemon's.
    pub const DAEMON: Self = Self {
        patient: true,
        rechecks: true,
        side_by_side: false,
    };
    /// Somebody wants everything that is due, now.
    pub const ONCE: Self = Self {
        patient: false,
        ..Self::DAEMON
    };
    /// Somebody wants a span, now.
    pub const BACKFILL: Self = Self {
        patient: false,
        rechecks: false,
        side_by_side: true,
    };
}

impl JobRunner {
    /// Archives the windows that `planned` names, and rechecks those that are due for it.
    pub async fn cycle(
        &mut self,
        planned: impl Fn(UtcMs, &Coverage, &Job) -> Vec<Span>,
        pass: Pass,
        stop: &CancellationToken,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        // Nothing of this job is under way yet.
        self.clean(self.shared.store.staging_of(&self.job.name))
            .await;
        if self.look_for_folders
            && let Err(message) = self.adopt().await
        {
            tracing::error!(job = %self.job.name, "{message}");
            self.note_standstill(&planned, message, &mut outcome);
            return outcome;
        }
        if let Err(error) = self.ledger.take_acknowledgement() {
            // Not worth stopping for: it says only that somebody knows.
            tracing::warn!(job = %self.job.name, "{error}");
        }
        if pass.patient
            && let Some(why) = self.why_it_stands_still()
        {
            return self.what_stands_still(&planned, pass, why);
        }
        let now = self.time_of_both_clocks(&planned, stop).await;
        let mut due = planned(now, &self.ledger.replay().coverage, &self.job);
        if let Err(message) = self.close_what_is_lost(now, &mut due, stop).await {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
        }
        outcome.lost = self.unknown_losses();
        let rechecks = match pass.rechecks {
            true => self.due_rechecks(now),
            false => Vec::new(),
        };
        outcome.left = due.len() as u64;
        outcome.unchecked = rechecks.len() as u64;
        self.work_off(due, rechecks, pass, stop, &mut outcome).await;
        outcome
    }

    /// Does what is worth a try of what is due.
    async fn work_off(
        &mut self,
        mut due: Vec<Span>,
        mut rechecks: Vec<Span>,
        pass: Pass,
        stop: &CancellationToken,
        outcome: &mut Outcome,
    ) {
        // After a start, too: it may be how somebody has mended something.
        let stood_still = !std::mem::replace(&mut self.has_begun, true) || self.stands_still();
        let mut works = self.works(&due, &rechecks, pass.patient);
        if works.is_empty() && stood_still {
            // One is enough to see whether it is over.
            works.extend(self.next_in_turn(&due, &rechecks));
        }
        let tried: BTreeSet<Span> = works.iter().map(|work| work.window()).collect();
        self.work(works, pass, stop, outcome).await;
        if pass.patient && stood_still && !self.stands_still() && outcome.archived > 0 {
            // The pauses of the others were the job's failure's.
            due.retain(|window| !tried.contains(window));
            rechecks.retain(|window| !tried.contains(window));
            let works = self.works(&due, &rechecks, false);
            self.work(works, pass, stop, outcome).await;
        }
    }

    /// Nothing is archived while folders can't be looked at. The oldest due window's failure says so
    /// in `status`, as often as that window would be tried.
    fn note_standstill(
        &mut self,
        planned: &impl Fn(UtcMs, &Coverage, &Job) -> Vec<Span>,
        message: String,
        outcome: &mut Outcome,
    ) {
        let (now, replay) = (self.client.now(), self.ledger.replay());
        let closed = replay.closed(reach(now, &self.job));
        let due = planned(now, &closed, &self.job);
        let ours = self.shared.clock.now();
        outcome.left = (due.len() as u64).max(1);
        // What is lost shows as such, and not as a failure.
        let mut missing = due.into_iter().filter(|&due| !replay.is_known_lost(due));
        if let Some(span) = missing.next()
            && replay
                .failures_of(Task::Archive, span)
                .is_none_or(|known| !known.is_paused(Task::Archive, ours))
        {
            let failed = Failed {
                span,
                message: message.clone(),
                needs_bytes: Some(0),
            };
            if let Err(error) = self.ledger.record_failure(failed) {
                tracing::error!(job = %self.job.name, "{error}");
            }
        }
        outcome.error = Some(message);
    }

    /// The earlier of our clock and the service's. Where a window is due by our clock alone, the
    /// service is asked what time it is: it may have been our clock that was ahead, which is right
    /// by now, and nothing might be asked for ever after.
    async fn time_of_both_clocks(
        &mut self,
        planned: &impl Fn(UtcMs, &Coverage, &Job) -> Vec<Span>,
        stop: &CancellationToken,
    ) -> UtcMs {
        let (ours, both) = (self.shared.clock.now(), self.client.now());
        let again = self.time_asked.map(|asked| asked.plus(TIME_PAUSE));
        if both == ours || again.is_some_and(|again| !is_over(again, ours, TIME_PAUSE)) {
            return both;
        }
        let due = |now: UtcMs| planned(now, &self.ledger.replay().coverage, &self.job);
        let known = due(both);
        let Some(window) = due(ours).into_iter().find(|due| !known.contains(due)) else {
            return both;
        };
        let asked = self.ask_the_time(window, stop).await;
        self.time_asked = Some(ours);
        let now = asked.and_then(Result::ok).unwrap_or(both);
        if now < window.to().plus(self.job.settle) {
            tracing::warn!(
                job = %self.job.name,
                window = %window,
                ahead_s = ours.since(now).as_secs(),
                "this machine's clock is ahead of the service's, by which the window has not \
                 settled yet; check NTP"
            );
        }
        now
    }

    pub(super) fn unknown_losses(&self) -> u64 {
        let unknown = |(span, known): &(Span, bool)| !known && span.to() > self.job.since;
        let lost = self.ledger.replay().lost();
        lost.iter().filter(|lost| unknown(lost)).count() as u64
    }
}
