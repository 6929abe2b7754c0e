//! The pass itself: what is due, and what is due for a recheck, is collected (several windows at
//! once where that was asked for), published and recorded one after the other. Carries *Isolated*
//! (a failing window is left behind, not waited for) and *Ordered* (nothing is recorded before it
//! is published).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::collect::{self, Asking, Collected, NotCollected};
use super::{JobRunner, Outcome};
use crate::archive::publish::{Archived, Published};
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::plan::{plan, reach};
use crate::domain::recheck::Asked;
use crate::domain::retry::{LONGEST_PAUSE_MS, LONGEST_RECHECK_PAUSE_MS};
use crate::domain::span::{Ms, Span};
use crate::domain::split::foresight::is_trial;
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
#[derive(Clone, Copy)]
enum Work {
    Archive(Span),
    Recheck(Span, Asked),
}

impl Work {
    const fn window(self) -> Span {
        match self {
            Self::Archive(window) | Self::Recheck(window, _) => window,
        }
    }
}

/// What has become of it.
enum Done {
    Archive(Collected),
    Recheck(Archived, Collected),
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

/// Whether a pause that ends at `next` is over; one that is longer than any was begun by a clock
/// that was ahead.
fn is_over(next: Option<Ms>, now: Ms, longest_ms: i64) -> bool {
    next.is_none_or(|next| next <= now || next.0.saturating_sub(now.0) > longest_ms)
}

impl JobRunner {
    /// Archives the windows that `planned` names, and rechecks those that are due for it.
    pub async fn cycle(
        &mut self,
        planned: impl Fn(Ms, &Coverage, &Job) -> Vec<Span>,
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
        let now = self.time_of_both_clocks(&planned, stop).await;
        if let Err(error) = self.ledger.take_acknowledgement() {
            // Not worth stopping for: it says only that somebody knows.
            tracing::warn!(job = %self.job.name, "{error}");
        }
        let mut due = planned(now, &self.ledger.replay().coverage, &self.job);
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
            due.retain(|&window| is_over(replay.next_try(window), now, LONGEST_PAUSE_MS));
            rechecks.retain(|&window| {
                is_over(replay.next_recheck(window), now, LONGEST_RECHECK_PAUSE_MS)
            });
        }
        // What is missing comes first: it is what the service may forget.
        let archive = due.into_iter().map(Work::Archive);
        let recheck = rechecks.into_iter().filter_map(|window| {
            let asked = replay.recheckable.asked(window)?;
            Some(Work::Recheck(window, asked))
        });
        let works = archive.chain(recheck).collect();
        self.work(works, pass, stop, &mut outcome).await;
        outcome
    }

    /// The earlier of our clock and the service's. Where a window is due by our clock alone, the
    /// service is asked what time it is: it may have been our clock that was ahead, which is right
    /// by now, and nothing might be asked for ever after.
    async fn time_of_both_clocks(
        &self,
        planned: &impl Fn(Ms, &Coverage, &Job) -> Vec<Span>,
        stop: &CancellationToken,
    ) -> Ms {
        let (ours, both) = (self.shared.clock.now(), self.client.now());
        if both == ours {
            return ours;
        }
        let due = |now: Ms| planned(now, &self.ledger.replay().coverage, &self.job);
        let known = due(both);
        let Some(window) = due(ours).into_iter().find(|due| !known.contains(due)) else {
            return both;
        };
        let asked = self.ask_the_time(window, stop).await;
        let now = asked.and_then(Result::ok).unwrap_or(both);
        if now < window.to().plus(self.job.settle_ms) {
            tracing::warn!(
                job = %self.job.name,
                window = %window,
                ahead_s = (ours.0 - now.0) / 1000,
                "this machine's clock is ahead of the service's, by which the window has not \
                 settled yet; check NTP"
            );
        }
        now
    }

    fn unknown_losses(&self) -> u64 {
        let unknown = |(span, known): &(Span, bool)| !known && span.to() > self.job.since;
        let lost = self.ledger.replay().lost();
        lost.iter().filter(|lost| unknown(lost)).count() as u64
    }

    /// Whether a window has settled since this pass was planned: it is not to wait for rechecks.
    fn has_news(&self) -> bool {
        let (now, replay) = (self.client.now(), self.ledger.replay());
        let due = plan(now, &replay.closed(reach(now, &self.job)), &self.job);
        due.iter().any(|&window| replay.next_try(window).is_none())
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
        let mut halted = false;
        let mut collecting = JoinSet::new();
        loop {
            while collecting.len() < at_once
                && !halt.is_cancelled()
                && let Some(work) = works.pop_front()
            {
                if matches!(work, Work::Recheck(..)) && pass.patient && self.has_news() {
                    works.clear();
                    break;
                }
                self.begin(work, &mut collecting, &halt);
            }
            let Some(done) = collecting.join_next().await else {
                break;
            };
            let ended = match done {
                Ok((work, mut done)) => {
                    if halted {
                        // A folder may be there of which the ledger knows nothing yet.
                        done = self.throw_away(done).await;
                    }
                    let ended = self.finish(work, done, outcome).await;
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
                    halted = true;
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
        collecting: &mut JoinSet<(Work, Result<Done, NotCollected>)>,
        stop: &CancellationToken,
    ) {
        let before = match work {
            Work::Archive(window) => Ok((None, self.foreseen(window))),
            Work::Recheck(window, asked) => self
                .ledger
                .archived_at(window, asked.line)
                .map(|before| (before.records, before))
                .map(|(records, before)| (Some(before), records))
                .map_err(|error| NotCollected::Job(error.to_string())),
        };
        let before = match self.blocking_stray(work.window()) {
            Some(message) => Err(NotCollected::Window(message)),
            None => before,
        };
        let (job, client) = (Arc::clone(&self.job), Arc::clone(&self.client));
        let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
        let (window, pace) = (work.window(), self.pace);
        let after_ms = match work {
            Work::Archive(_) => None,
            Work::Recheck(..) => job.recheck_ms,
        };
        let settled_at = window.to().plus(after_ms.unwrap_or(job.settle_ms));
        collecting.spawn(async move {
            let collected = async {
                let (before, foreseen) = before?;
                if let Some(before) = &before {
                    Self::check_project(Arc::clone(&shared), Arc::clone(&job), before).await?;
                }
                let asked = Asking {
                    window,
                    foreseen,
                    pace,
                    settled_at,
                };
                let collected = collect::collect(&job, &client, &shared, asked, &stop).await?;
                Ok(match before {
                    None => Done::Archive(collected),
                    Some(before) => Done::Recheck(before, collected),
                })
            };
            (work, collected.await)
        });
    }

    /// How many records are expected of `window`. While the service seems to cut answers below what
    /// is asked for, some windows are asked for as if nothing were expected, that is whole: more
    /// records than that show that it does not, or no longer.
    fn foreseen(&self, window: Span) -> Option<u64> {
        let has_hidden_cap = self.client.hidden_cap() < u64::from(self.job.count);
        if has_hidden_cap && is_trial(window) {
            return None;
        }
        self.ledger.replay().foresight.records_in(window)
    }

    async fn throw_away(&self, done: Result<Done, NotCollected>) -> Result<Done, NotCollected> {
        let (Done::Archive(collected) | Done::Recheck(_, collected)) = done?;
        self.clean(collected.staged).await;
        Err(NotCollected::Stopped)
    }

    async fn finish(
        &mut self,
        work: Work,
        done: Result<Done, NotCollected>,
        outcome: &mut Outcome,
    ) -> Result<(), End> {
        let published = match done {
            Err(not_collected) => Err(not_collected),
            Ok(Done::Archive(collected)) => {
                self.pace = collected.pace;
                self.publish(work.window(), collected, None).await.map(Some)
            }
            Ok(Done::Recheck(before, collected)) => self.revise(&before, collected).await,
        };
        let recorded = match published {
            Ok(published) => self.record(work, published, outcome),
            Err(not_collected) => Err(not_collected),
        };
        recorded.or_else(|not_collected| self.fail(work, not_collected, outcome))
    }

    /// Records what was published, or that there was nothing to publish.
    fn record(
        &mut self,
        work: Work,
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
        work: Work,
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
            Work::Recheck(..) => {
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
