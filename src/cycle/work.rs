//! The work of a cycle: windows are collected (several at once where that was asked for), published
//! and recorded one after the other. Carries *Isolated* (a failing window is left behind, not waited
//! for) and *Ordered* (nothing is recorded before it is published).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::collect::{self, Asking, Collected, NotCollected};
use super::pass::Pass;
use super::{JobRunner, Outcome};
use crate::archive::publish::{Archived, Published};
use crate::domain::plan::{plan, reach};
use crate::domain::recheck::Asked;
use crate::domain::span::Span;
use crate::domain::split::estimate::is_trial;
use crate::domain::split::resolve::SpanLimit;
use crate::ledger::failures::Task;
use crate::ledger::line::Failed;

/// One window to collect.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Archive(Span),
    Recheck(Span, Asked),
}

impl Work {
    pub(super) const fn window(self) -> Span {
        match self {
            Self::Archive(window) | Self::Recheck(window, _) => window,
        }
    }

    const fn task(self) -> Task {
        match self {
            Self::Archive(_) => Task::Archive,
            Self::Recheck(..) => Task::Recheck,
        }
    }
}

/// What has come of collecting it.
struct Ended {
    work: Work,
    done: Result<Done, NotCollected>,
    /// What was known of how long a span the service can answer, and what is known now.
    span_limits: (SpanLimit, SpanLimit),
}

/// What was collected.
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

impl JobRunner {
    /// Whether a window has settled since this pass was planned: it is not to wait for rechecks.
    fn has_news(&self) -> bool {
        let (now, replay) = (self.client.now(), self.ledger.replay());
        let due = plan(now, &replay.closed(reach(now, &self.job)), &self.job);
        due.iter()
            .any(|&window| replay.failures_of(Task::Archive, window).is_none())
    }

    /// Does `works`, the first of them alone.
    pub(super) async fn work(
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
                    works.retain(|work| matches!(work, Work::Archive(_)));
                    continue;
                }
                self.begin(work, &mut collecting, &halt);
            }
            let Some(done) = collecting.join_next().await else {
                break;
            };
            let ended = match done {
                Ok(ended) => {
                    let (began, learnt) = ended.span_limits;
                    self.span_limit.learn(began, learnt);
                    let (work, mut done) = (ended.work, ended.done);
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
                            "the job's other windows are left for a later cycle: {message}"
                        );
                    }
                    outcome.error = Some(message);
                }
            }
        }
    }

    fn begin(&self, work: Work, collecting: &mut JoinSet<Ended>, stop: &CancellationToken) {
        let before = match work {
            Work::Archive(window) => Ok((None, self.estimate(window))),
            Work::Recheck(window, asked) => self
                .ledger
                .archived_at(window, asked.line)
                .map(|before| (before.records, before))
                .map(|(records, before)| (Some(before), records))
                .map_err(|error| NotCollected::Job(error.to_string())),
        };
        let before = match self.blocking_folder(work.window()) {
            Some(message) => Err(NotCollected::Disk {
                message,
                needs_bytes: 0,
                whole_job: false,
            }),
            None => before,
        };
        let (job, client) = (Arc::clone(&self.job), Arc::clone(&self.client));
        let (shared, stop) = (Arc::clone(&self.shared), stop.clone());
        let (window, began) = (work.window(), self.span_limit);
        let after_ms = match work {
            Work::Archive(_) => None,
            Work::Recheck(..) => job.recheck,
        };
        let settled_at = window.to().plus(after_ms.unwrap_or(job.settle));
        collecting.spawn(async move {
            let mut span_limit = began;
            let collect = async {
                let (before, estimate) = before?;
                if let Some(before) = &before {
                    Self::check_project(Arc::clone(&shared), Arc::clone(&job), before).await?;
                }
                let asked = Asking {
                    window,
                    estimate,
                    settled_at,
                };
                let collected =
                    collect::collect(&job, &client, &shared, asked, &mut span_limit, &stop).await?;
                Ok(match before {
                    None => Done::Archive(collected),
                    Some(before) => Done::Recheck(before, collected),
                })
            };
            let done = collect.await;
            Ended {
                work,
                done,
                span_limits: (began, span_limit),
            }
        });
    }

    /// How many records are expected of `window`. While the service seems to cut answers below what
    /// is asked for, some windows are asked for as if nothing were expected, that is whole: more
    /// records than that show that it does not, or no longer.
    fn estimate(&self, window: Span) -> Option<u64> {
        let has_hidden_cap = self.client.hidden_cap() < u64::from(self.job.count);
        if has_hidden_cap && is_trial(window) {
            return None;
        }
        self.ledger.replay().estimator.records_in(window)
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
            NotCollected::disk(&error)
        })?;
        self.standstill = None;
        match (work, archived) {
            (Work::Archive(_), Some(archived)) => outcome.archived(&archived),
            (_, archived) => outcome.rechecked(archived.as_ref()),
        }
        Ok(())
    }

    /// Whether the ledger says so already, and not so long ago that it is worth another line.
    fn says_already(&self, task: Task, failed: &Failed) -> bool {
        let known = self.ledger.replay().failures_of(task, failed.span);
        known.is_some_and(|known| {
            known.says(failed) && known.is_paused(task, self.shared.clock.now())
        })
    }

    fn fail(
        &mut self,
        work: Work,
        not_collected: NotCollected,
        outcome: &mut Outcome,
    ) -> Result<(), End> {
        let mut needs = None;
        let (message, whole_job) = match not_collected {
            NotCollected::Stopped => return Err(End::Stopped),
            NotCollected::Window(message)
            | NotCollected::TooSlow(message)
            | NotCollected::Rejected(message) => (message, false),
            NotCollected::Job(message) => (message, true),
            NotCollected::Unserved(remedy, message) => {
                self.stand_still(remedy, &message);
                (message, true)
            }
            NotCollected::Disk {
                message,
                needs_bytes,
                whole_job,
            } => {
                needs = Some(needs_bytes);
                (message, whole_job)
            }
        };
        let window = work.window();
        outcome.error = Some(message.clone());
        let failed = Failed {
            span: window,
            message: message.clone(),
            needs_bytes: needs,
        };
        let not_done = match work {
            Work::Archive(_) => "not archived",
            Work::Recheck(..) => "not rechecked",
        };
        // Tried at each cycle, it is not to fill the log, nor the ledger: that may be what is left of a
        // disk.
        let is_known = needs.is_some() && self.says_already(work.task(), &failed);
        match is_known {
            true => {
                tracing::debug!(job = %self.job.name, window = %window, "{not_done}: {message}")
            }
            false => {
                tracing::error!(job = %self.job.name, window = %window, "{not_done}: {message}")
            }
        }
        let recorded = match work {
            _ if is_known => Ok(()),
            Work::Archive(_) => self.ledger.record_failure(failed),
            Work::Recheck(..) => self.ledger.record_recheck_failure(failed),
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
