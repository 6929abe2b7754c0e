//! The pass itself: what is due, and what is due for a recheck, is collected (several windows at
//! once where that was asked for), published and recorded one after the other. Carries *Isolated*
//! (a failing window is left behind, not waited for) and *Ordered* (nothing is recorded before it
//! is published).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::collect::{self, Collected, NotCollected};
use super::{JobRunner, Outcome};
use crate::archive::publish::{Archived, Published};
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::span::{Ms, Span};
use crate::ledger::LedgerError;
use crate::ledger::line::Failed;

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

/// One window to collect.
enum Work {
    Archive(Span),
    Recheck(Archived),
}

impl Work {
    const fn window(&self) -> Span {
        match self {
            Self::Archive(window) => *window,
            Self::Recheck(before) => before.span,
        }
    }
}

/// Why a window was not done with.
enum End {
    /// It concerns this window only.
    Window,
    /// The job's other windows would fail alike.
    Job(String),
    /// The program is being stopped.
    Stopped,
}

impl JobRunner {
    /// Archives the windows that `plan` names, and rechecks those that are due for it.
    pub async fn cycle(
        &mut self,
        plan: impl FnOnce(Ms, &Coverage, &Job) -> Vec<Span>,
        pass: Pass,
        stop: &CancellationToken,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if self.look_for_folders
            && let Err(message) = self.adopt().await
        {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
            outcome.left = 1;
            return outcome;
        }
        let now = self.client.now();
        if let Err(error) = self.ledger.take_acknowledgement() {
            // Not worth stopping for: it says only that somebody knows.
            tracing::warn!(job = %self.job.name, "{error}");
        }
        let mut due = plan(now, &self.ledger.replay().coverage, &self.job);
        if let Err(message) = self.close_what_is_lost(now, &mut due, stop).await {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
        }
        outcome.lost = self.unknown_losses();
        let replay = self.ledger.replay();
        let mut rechecks = match pass.rechecks {
            true => replay.recheckable.due(now, &self.job),
            false => Vec::new(),
        };
        outcome.left = due.len() as u64;
        outcome.unchecked = rechecks.len() as u64;
        if pass.patient {
            let is_over = |pause: Option<Ms>| pause.is_none_or(|next| next <= now);
            due.retain(|&window| is_over(replay.next_try(window)));
            rechecks.retain(|&window| is_over(replay.next_recheck(window)));
        }
        match self.works(due, &rechecks) {
            Ok(works) => self.work(works, pass, stop, &mut outcome).await,
            Err(error) => {
                tracing::error!(job = %self.job.name, "{error}");
                outcome.error = Some(error.to_string());
            }
        }
        outcome
    }

    fn unknown_losses(&self) -> u64 {
        let unknown = |(span, known): &(Span, bool)| !known && span.to() > self.job.since;
        let lost = self.ledger.replay().lost();
        lost.iter().filter(|lost| unknown(lost)).count() as u64
    }

    /// What is missing comes first: it is what the service may forget.
    fn works(&self, due: Vec<Span>, rechecks: &[Span]) -> Result<VecDeque<Work>, LedgerError> {
        let mut works: VecDeque<Work> = due.into_iter().map(Work::Archive).collect();
        for &window in rechecks {
            if let Some(asked) = self.ledger.replay().recheckable.asked(window) {
                let before = self.ledger.archived_at(window, asked.line)?;
                works.push_back(Work::Recheck(before));
            }
        }
        Ok(works)
    }

    async fn work(
        &mut self,
        mut works: VecDeque<Work>,
        pass: Pass,
        stop: &CancellationToken,
        outcome: &mut Outcome,
    ) {
        self.watch.planned(&self.job, works.len());
        let most = match pass.side_by_side {
            true => self.client.max_in_flight(),
            false => 1,
        };
        // One at first: what fails for all windows is to fail once.
        let mut at_once = 1;
        let halt = stop.child_token();
        let mut collecting = JoinSet::new();
        loop {
            while collecting.len() < at_once
                && !halt.is_cancelled()
                && let Some(work) = works.pop_front()
            {
                self.begin(work, &mut collecting, &halt);
            }
            let Some(done) = collecting.join_next().await else {
                break;
            };
            let ended = match done {
                Ok((work, mut collected)) => {
                    if halt.is_cancelled() && !stop.is_cancelled() {
                        // A folder may be there of which the ledger knows nothing yet.
                        collected = self.drop_collected(collected).await;
                    }
                    let ended = self.finish(&work, collected, outcome).await;
                    self.watch.done(&self.job, work.window());
                    ended
                }
                Err(error) => Err(End::Job(format!(
                    "the program failed within itself: {error}"
                ))),
            };
            match ended {
                Ok(()) => at_once = most,
                Err(End::Window | End::Stopped) => {}
                Err(End::Job(message)) => {
                    // Others under way end at once and stay due, unless they are done already.
                    halt.cancel();
                    let left = works.len() + collecting.len();
                    if left > 0 {
                        tracing::warn!(
                            job = %self.job.name,
                            left,
                            "the job's other windows are left for the next cycle: {message}"
                        );
                    }
                    outcome.error = Some(message);
                }
            }
        }
    }

    fn begin(
        &self,
        work: Work,
        collecting: &mut JoinSet<(Work, Result<Collected, NotCollected>)>,
        stop: &CancellationToken,
    ) {
        let window = work.window();
        let blocked = self.blocking_stray(window);
        let foreseen = match &work {
            Work::Archive(_) => self.ledger.replay().foresight.records_in(window),
            Work::Recheck(before) => before.records,
        };
        let (job, client) = (Arc::clone(&self.job), Arc::clone(&self.client));
        let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
        collecting.spawn(async move {
            let collected = match blocked {
                Some(message) => Err(NotCollected::Window(message)),
                None => collect::collect(&job, &client, &shared, window, foreseen, &stop).await,
            };
            (work, collected)
        });
    }

    async fn drop_collected(
        &self,
        collected: Result<Collected, NotCollected>,
    ) -> Result<Collected, NotCollected> {
        self.clean(collected?.staged).await;
        Err(NotCollected::Stopped)
    }

    async fn finish(
        &mut self,
        work: &Work,
        collected: Result<Collected, NotCollected>,
        outcome: &mut Outcome,
    ) -> Result<(), End> {
        let done = match (collected, work) {
            (Err(not_collected), _) => Err(not_collected),
            (Ok(collected), Work::Archive(window)) => {
                self.publish(*window, collected, None).await.map(Some)
            }
            (Ok(collected), Work::Recheck(before)) => self.revise(before, collected).await,
        };
        let recorded = match done {
            Ok(published) => self.record(work, published, outcome),
            Err(not_collected) => Err(not_collected),
        };
        match recorded {
            Ok(()) => Ok(()),
            Err(not_collected) => self.fail(work, not_collected, outcome),
        }
    }

    /// Records what was published, or that there was nothing to publish.
    fn record(
        &mut self,
        work: &Work,
        published: Option<Published>,
        outcome: &mut Outcome,
    ) -> Result<(), NotCollected> {
        let archived = published
            .as_ref()
            .map(|published| published.archived().clone());
        let recorded = match published {
            Some(published) => self.ledger.record(published),
            None => self.ledger.record_unchanged(work.window()),
        };
        recorded.map_err(|error| {
            // A folder may be there without its line: nothing may be published on top before it
            // is adopted.
            self.look_for_folders = true;
            NotCollected::Job(error.to_string())
        })?;
        match (work, archived) {
            (Work::Archive(_), Some(archived)) => outcome.archived(&archived),
            (_, archived) => outcome.rechecked(archived.as_ref()),
        }
        Ok(())
    }

    fn fail(
        &mut self,
        work: &Work,
        not_collected: NotCollected,
        outcome: &mut Outcome,
    ) -> Result<(), End> {
        let (message, whole_job) = match not_collected {
            NotCollected::Stopped => return Err(End::Stopped),
            NotCollected::Window(message)
            | NotCollected::TooSlow(message)
            | NotCollected::Rejected(message) => (message, false),
            NotCollected::Job(message) => (message, true),
        };
        let window = work.window();
        outcome.error = Some(message.clone());
        let failed = Failed {
            span: window,
            message: message.clone(),
        };
        let recorded = match work {
            Work::Archive(_) => {
                tracing::error!(job = %self.job.name, window = %window, "not archived: {message}");
                self.ledger.record_failure(failed)
            }
            Work::Recheck(_) => {
                tracing::error!(job = %self.job.name, window = %window, "not rechecked: {message}");
                self.ledger.record_recheck_failure(failed)
            }
        };
        if let Err(error) = recorded {
            tracing::error!(job = %self.job.name, "{error}");
            return Err(End::Job(error.to_string()));
        }
        Err(match whole_job {
            true => End::Job(message),
            false => End::Window,
        })
    }
}
