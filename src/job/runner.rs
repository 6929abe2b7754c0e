//! One cycle of one job, from top to bottom: what was published is reconciled with the ledger, what
//! is due is fetched, published and recorded, window by window. Carries *Ordered* (nothing is
//! recorded before it is published), *Isolated*, *Self-healing* and *Candid*.

mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use turn::Looks;

use super::executor::{Ended, Executor, Found, Landed, Start};
use super::recorder::{Done, Recorder};
use super::suspects::Suspects;
use super::view::View;
use super::{Mode, Outcome, Progress, publish, reconcile, revise};
use crate::domain::backoff::is_over;
use crate::domain::circuit_breaker::State;
use crate::domain::coverage::Coverage;
use crate::domain::failures::Task;
use crate::domain::job::Job;
use crate::domain::plan::due_by_our_clock_alone;
use crate::domain::queue::{Pauses, Work};
use crate::domain::second_opinion::Calibration;
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::durable::Disk;
use crate::elsa::client::Client;
use crate::fetch::{Deferred, Learnt, Shared, Source, Wanted, staging};
use crate::ledger::{Ledger, LedgerError};

/// How long the service is not asked again what time it is, while our clock is ahead of its.
const TIME_PAUSE: Millis = Millis::from_mins(1);

/// A job with its ledger, ready for cycles. The state directory's lock must be held.
pub struct JobRunner {
    job: Arc<Job>,
    client: Arc<Client>,
    shared: Arc<Shared>,
    progress: Arc<dyn Progress>,
    recorder: Recorder,
    /// What the windows so far have shown of the service.
    learnt: Learnt,
    /// When the service was asked what time it is because our clock was ahead, by our clock.
    time_asked: Option<UtcMs>,
    suspects: Suspects,
    looks: Looks,
}

impl JobRunner {
    /// Opens the ledger of `job` in `state_dir`.
    ///
    /// # Errors
    /// When the ledger can't be read or written, or is damaged.
    pub fn open(
        job: Arc<Job>,
        client: Arc<Client>,
        state_dir: &Path,
        disk: &Disk,
        shared: Arc<Shared>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(state_dir, &job.name, disk, &shared.clock)?;
        let learnt = Learnt {
            search: Calibration::of(ledger.replay().search_agreed),
            inclusive_at: ledger.replay().inclusive_at,
            ..Learnt::default()
        };
        Ok(Self {
            recorder: Recorder::new(
                Arc::clone(&job),
                Arc::clone(&client),
                Arc::clone(&shared),
                state_dir.to_owned(),
                ledger,
            ),
            looks: Looks::default(),
            job,
            client,
            shared,
            progress,
            learnt,
            time_asked: None,
            suspects: Suspects::default(),
        })
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Whether answers of the account were found cut since its last cycle looked.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.suspects.has_news(&self.client)
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.recorder.ledger
    }

    /// Archives the windows that `planned` names, and rechecks those that are due for it.
    pub async fn cycle(
        &mut self,
        planned: impl Fn(UtcMs, &Coverage, &Job) -> Vec<Window>,
        mode: Mode,
        stop: &CancellationToken,
    ) -> Outcome {
        if let Err(message) = self.prepare().await {
            let (outcome, failed) = self.view().blocked(&planned, message.clone());
            self.recorder.blocked(failed, &message);
            return outcome;
        }
        self.recorder.acknowledgement();
        let ours = self.shared.clock.now();
        let turn = match self.turn(&planned, mode, ours) {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };

        let replay = self.recorder.ledger.replay();
        self.suspects.note(&self.client, &self.job, replay, ours);
        let mut outcome = Outcome::default();
        let now = self.time(&planned, stop).await;
        let mut due = planned(now, &self.recorder.ledger.replay().coverage, &self.job);
        if let Err(message) = self.give_up_lost(now, &mut due, stop).await {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
        }
        let mut rechecks = self.view().due_rechecks(now, mode);
        outcome.lost = self.view().unacknowledged_losses();
        outcome.left = due.len() as u64;
        outcome.unchecked = rechecks.len() as u64;

        let was_closed = !turn.is_probe() && self.recorder.breaker.state(ours) == State::Closed;
        let queue = self.first(&turn, was_closed, &due, &rechecks);
        let tried: BTreeSet<Window> = queue.iter().map(|work| work.window).collect();
        let mut counted: BTreeSet<Window> = rechecks.iter().copied().collect();
        self.work_off(queue, mode, stop, &mut outcome).await;
        let is_over = !was_closed && self.may_go_on(stop) && outcome.archived > 0;
        if is_over && (turn.is_probe() || mode.pauses() == Pauses::Kept) {
            // The other windows paused because of the job's failure.
            due.retain(|window| !tried.contains(window));
            rechecks.retain(|window| !tried.contains(window));
            let queue = self.view().queue(&due, &rechecks, Pauses::Skipped);
            self.work_off(queue, mode, stop, &mut outcome).await;
        }
        while self.may_go_on(stop) {
            // The service may have been found to cut answers meanwhile.
            let replay = self.recorder.ledger.replay();
            self.suspects.note(&self.client, &self.job, replay, ours);
            let mut more = self.view().suspects(now, mode);
            more.retain(|&window| counted.insert(window));
            if more.is_empty() {
                break;
            }
            outcome.unchecked += more.len() as u64;
            let queue = self.view().queue(&[], &more, Pauses::Kept);
            self.work_off(queue, mode, stop, &mut outcome).await;
        }
        outcome
    }

    /// Fetches, publishes and records what is in the queue, the first window alone.
    async fn work_off(
        &mut self,
        mut queue: VecDeque<Work>,
        mode: Mode,
        stop: &CancellationToken,
        outcome: &mut Outcome,
    ) {
        self.progress.planned(&self.job, queue.len());
        let mut executor = Executor::new(mode.windows_at_once(self.client.max_in_flight()), stop);
        let mut deferred = BTreeMap::new();
        loop {
            while executor.has_room()
                && let Some(work) = self.take(&mut queue)
            {
                if work.task == Task::Recheck
                    && mode.yields_to_new_windows()
                    && self
                        .view()
                        .has_new_window(|window| deferred.contains_key(window))
                {
                    queue.retain(|work| work.task == Task::Archive);
                    continue;
                }
                let start = self.start(work, mode, deferred.remove(&work.window));
                executor.begin(work, start, self.source(stop));
            }
            let failed = match executor.next().await {
                None => break,
                Some(Err(error)) => Some(WindowError::from(error).to_string()),
                Some(Ok(Landed::Deferred(again))) => {
                    let (began, learnt) = again.learnt;
                    self.learnt.learn(&began, &learnt);
                    deferred.insert(again.work.window, again.deferred);
                    queue.push_back(again.work);
                    executor.widen();
                    None
                }
                Some(Ok(Landed::Ended(ended))) => {
                    let window = ended.work.window;
                    let done = self
                        .finish(*ended, executor.is_halted(), outcome, stop)
                        .await;
                    self.progress.done(&self.job, window);
                    match done {
                        Ok(()) => {
                            executor.widen();
                            None
                        }
                        Err(ends_cycle) => ends_cycle,
                    }
                }
            };
            if let Some(message) = failed {
                executor.halt();
                let left = queue.len() + executor.in_flight();
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

    /// What is known of a window before it is fetched; an error when it can't be.
    fn start(
        &self,
        work: Work,
        mode: Mode,
        deferred: Option<Deferred>,
    ) -> Result<Start, WindowError> {
        let (window, replay) = (work.window, self.recorder.ledger.replay());
        if let Some(error) = reconcile::blocked_by(&self.recorder.unrecorded, window) {
            return Err(error);
        }
        let (before, estimate, settled_at) = match work.task {
            Task::Archive => {
                let has_hidden_cap = self.client.hidden_cap() < u64::from(self.job.count);
                let estimate = replay.estimator.estimate(window.span(), has_hidden_cap);
                (None, estimate, window.to().plus(self.job.settle))
            }
            Task::Recheck => {
                let before = self.recorder.ledger.archived_before(window);
                let before = before.map_err(|error| WindowError::Job {
                    remedy: None,
                    message: error.to_string(),
                })?;
                let records = before.records;
                (Some(before), records, self.view().recheck_at(window))
            }
        };
        let wanted = Wanted {
            estimate,
            settled_at,
            zip_bytes_before: self.learnt.zip_bytes,
            ..self.view().wanted(window, before.as_ref(), mode)
        };
        Ok(Start {
            work,
            before,
            wanted,
            deferred,
            learnt: self.learnt.clone(),
        })
    }

    /// Publishes and records a window that was fetched, or records why it was not. An error is why
    /// the job's other windows would fail alike; `None` within where they would not.
    async fn finish(
        &mut self,
        ended: Ended,
        is_halted: bool,
        outcome: &mut Outcome,
        stop: &CancellationToken,
    ) -> Result<(), Option<String>> {
        let (began, learnt) = ended.learnt;
        self.learnt.learn(&began, &learnt);
        let work = ended.work;
        let finished = match ended.found {
            Ok(Found::Unchanged(confirmed)) => {
                let done = Done::Unchanged(confirmed);
                self.recorder.done(work, done, outcome)
            }
            Ok(Found::Fetched(fetched)) if is_halted => {
                // There may be a folder that the ledger lacks.
                staging::clean(&self.shared, &self.job, &fetched.staged).await;
                Err(WindowError::Stopped)
            }
            Ok(Found::Fetched(fetched)) => {
                let source = self.source(stop);
                let replay = self.recorder.ledger.replay();
                let published = match ended.before {
                    None => {
                        let previous = replay.last_manifest;
                        let published =
                            publish::publish(&source, work.window, *fetched, None, previous);
                        published.await.map(Done::Published)
                    }
                    Some(before) => revise::revise(&source, &before, *fetched, replay).await,
                };
                if let Err(WindowError::Disk { .. }) = published {
                    self.recorder.look_for_folders = true;
                }
                published.and_then(|published| self.recorder.done(work, published, outcome))
            }
            Err(error) => Err(error),
        };
        finished
            .map(|()| self.suspects.clear(work.window))
            .map_err(|error| self.recorder.failed(work, error, outcome))
    }

    /// Takes out of `due` what is out of reach at the service, and records it, once, so that it is
    /// not asked for ever after. Should clock or `retention` turn out to have been wrong, it is due
    /// again.
    async fn give_up_lost(
        &mut self,
        now: UtcMs,
        due: &mut Vec<Window>,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let source = self.source(stop);
        let losses = reconcile::losses(&source, self.recorder.ledger.replay(), now, due).await;
        let losses = match losses.map_err(WindowError::consequence) {
            Ok(losses) => losses,
            Err(None) => return Ok(()),
            Err(Some(follows)) => {
                let message = follows.message;
                self.recorder.open_breaker(follows.opens_breaker, &message);
                return Err(message);
            }
        };
        let recorded = self.recorder.lost(losses.new);
        recorded.map_err(|error| error.to_string())?;
        due.retain(|window| !losses.all.iter().any(|span| span.covers(window.span())));
        Ok(())
    }

    /// The earlier of our clock and the service's. Where a window is due by our clock alone, the
    /// service is asked what time it is: it may have been our clock that was ahead, which is right
    /// by now, and nothing might be asked for ever after.
    async fn time(
        &mut self,
        planned: &impl Fn(UtcMs, &Coverage, &Job) -> Vec<Window>,
        stop: &CancellationToken,
    ) -> UtcMs {
        let View { ours, both, .. } = self.view();
        let again = self.time_asked.map(|asked| asked.plus(TIME_PAUSE));
        if both == ours || again.is_some_and(|again| !is_over(again, ours, TIME_PAUSE)) {
            return both;
        }
        let due = |now| planned(now, &self.recorder.ledger.replay().coverage, &self.job);
        let Some(window) = due_by_our_clock_alone(&due(ours), &due(both)) else {
            return both;
        };
        self.time_asked = Some(ours);
        reconcile::time(&self.source(stop), window, ours, both).await
    }

    fn view(&self) -> View<'_> {
        View {
            job: &self.job,
            replay: self.recorder.ledger.replay(),
            store: &self.shared.store,
            suspects: &self.suspects,
            ours: self.shared.clock.now(),
            both: self.client.now(),
        }
    }

    fn source(&self, stop: &CancellationToken) -> Source {
        Source {
            job: Arc::clone(&self.job),
            client: Arc::clone(&self.client),
            shared: Arc::clone(&self.shared),
            stop: stop.clone(),
            opinion_requests: self.recorder.ledger.opinion_requests(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
