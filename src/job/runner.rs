//! One cycle of one job, from top to bottom: what was published is reconciled with the ledger, what
//! is due is fetched side by side, and published and recorded in groups. Carries *Ordered* (nothing is
//! recorded before it is published), *Isolated*, *Self-healing* and *Candid*.

mod fresh;
mod keeping;
mod opening;
mod settle;
mod standing;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use fresh::Fresh;
use keeping::Keeping;
use tokio_util::sync::CancellationToken;
use turn::Looks;

use super::executor::{Event, Executor, Landed, Start};
use super::recorder::{self, Recorder};
use super::service_time::ServiceTime;
use super::suspects::Suspects;
use super::view::View;
use super::{Mode, Outcome, Progress, densities, reconcile};
use crate::archive::publish::Archived;
use crate::domain::circuit_breaker::State;
use crate::domain::coverage::Coverage;
use crate::domain::failures::Task;
use crate::domain::job::Job;
use crate::domain::loss::is_past;
use crate::domain::queue::{Flight, Pauses, Work};
use crate::domain::second_opinion::Calibration;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::elsa::client::Client;
use crate::fetch::{Deferred, Learnt, Shared, Source, Wanted};
use crate::ledger::Ledger;

/// A job with its ledger, ready for cycles. The state directory's lock must be held.
pub struct JobRunner {
    job: Arc<Job>,
    client: Arc<Client>,
    shared: Arc<Shared>,
    progress: Arc<dyn Progress>,
    recorder: Recorder,
    /// What the windows so far have shown of the service.
    learnt: Learnt,
    service_time: ServiceTime,
    suspects: Suspects,
    /// What is archived of the windows that the operator wants once more.
    again: BTreeMap<Window, Archived>,
    looks: Looks,
    keeping: Keeping,
    /// What settles during a cycle.
    fresh: Option<Fresh>,
    /// Cancelled when no other window is to begin.
    leaving: CancellationToken,
}

impl JobRunner {
    /// Of `job`, whose ledger is in `state_dir`.
    fn with(
        job: Arc<Job>,
        client: Arc<Client>,
        (state_dir, mut ledger): (&Path, Ledger),
        shared: Arc<Shared>,
        progress: Arc<dyn Progress>,
    ) -> Self {
        recorder::note_settings(&mut ledger, &job, client.endpoint().to_string());
        let learnt = Learnt {
            search: Calibration::of(ledger.replay().search_agreed),
            inclusive_at: ledger.replay().inclusive_at,
            shape: Arc::new(Mutex::new(densities::read(state_dir, &job.name))),
            ..Learnt::default()
        };
        let begun = Self {
            recorder: Recorder::new(
                Arc::clone(&job),
                Arc::clone(&client),
                Arc::clone(&shared),
                state_dir.to_owned(),
                (ledger, Arc::clone(&progress)),
            ),
            looks: Looks::default(),
            keeping: Keeping::default(),
            job,
            client,
            shared,
            progress,
            learnt,
            service_time: ServiceTime::default(),
            suspects: Suspects::default(),
            again: BTreeMap::new(),
            fresh: None,
            leaving: CancellationToken::new(),
        };
        begun.show();
        begun
    }

    /// Once it is cancelled, the windows in flight are the job's last ones.
    pub(crate) const fn leaving(&self) -> &CancellationToken {
        &self.leaving
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

    /// The account's client.
    pub(crate) const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Archives the windows that `planned` names, and rechecks those that are due for it.
    pub async fn cycle(
        &mut self,
        planned: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        mode: Mode,
        stop: &CancellationToken,
    ) -> Outcome {
        self.progress.began(&self.job);
        let outcome = self.look(planned, mode, stop).await;
        if !stop.is_cancelled() && !self.leaving.is_cancelled() {
            self.follow_keep(mode, &outcome, stop);
        }
        self.show();
        self.progress.ended(&self.job, &outcome);
        if !stop.is_cancelled() && !self.leaving.is_cancelled() {
            let now = self.standing(Some(&outcome));
            self.progress.rests(&self.job, &outcome, &now);
        }
        outcome
    }

    async fn look(
        &mut self,
        planned: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        mode: Mode,
        stop: &CancellationToken,
    ) -> Outcome {
        if let Some(outcome) = self.stopped(&planned, mode) {
            return outcome;
        }
        if let Err(message) = self.prepare().await {
            let (outcome, failed) = self.view().blocked(&planned, message.clone());
            self.recorder.blocked(failed, &message);
            return outcome;
        }
        self.recorder.acknowledgement();
        self.keep_order();
        self.again = match mode {
            Mode::Again(span) => match self.recorder.ledger.archived_in(span) {
                Ok(archived) => archived,
                Err(error) => return self.view().paused(&planned, mode, error.to_string()),
            },
            Mode::Daemon | Mode::Once | Mode::Backfill => BTreeMap::new(),
        };
        let ours = self.shared.clock.now();
        let turn = match self.turn(&planned, mode, ours) {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };

        let replay = self.recorder.ledger.replay();
        self.suspects.note(&self.client, &self.job, replay, ours);
        let mut outcome = Outcome::default();
        let source = self.source(stop);
        let mut service_time = std::mem::take(&mut self.service_time);
        let now = service_time.now(self.view(), &source, &planned).await;
        self.service_time = service_time;
        let replay = self.recorder.ledger.replay();
        let mut due = planned(now, &replay.coverage, &replay.missing.spans(), &self.job);
        if !mode.asks_for_losses() {
            let is_known = |window: &Window| replay.is_known_lost(window.span());
            due.retain(|window| !(is_known(window) && is_past(*window, now, &self.job)));
        }
        reconcile::warn_of_deadline(&self.job, now, &due);
        let mut rechecks = self.view().due_rechecks(now, mode);
        outcome.left = due.len() as u64;
        outcome.unchecked = rechecks.len() as u64;

        let was_closed = !turn.is_probe() && self.recorder.breaker.state(ours) == State::Closed;
        let queue = self.first(&turn, was_closed, &due, &rechecks);
        let tried: BTreeSet<Window> = queue.iter().map(|work| work.window).collect();
        self.fresh = Fresh::after(&due, now, mode);
        let mut counted: BTreeSet<Window> = rechecks.iter().copied().collect();
        let mut is_halted = self.work_off(queue, mode, stop, &mut outcome).await;
        let is_over = !was_closed && self.may_go_on(stop) && outcome.archived > 0 && !is_halted;
        if is_over && (turn.is_probe() || mode.pauses() == Pauses::Kept) {
            // The other windows paused because of the job's failure.
            due.retain(|window| !tried.contains(window));
            rechecks.retain(|window| !tried.contains(window));
            let queue = self.view().queue(&due, &rechecks, Pauses::Skipped);
            is_halted = self.work_off(queue, mode, stop, &mut outcome).await;
        }
        // What has halted may have left folders that the ledger lacks.
        while !is_halted && self.may_go_on(stop) {
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
            is_halted = self.work_off(queue, mode, stop, &mut outcome).await;
        }
        if outcome.archived > 0 {
            self.recorder.keep_densities(&self.learnt.known_shape());
        }
        outcome.lost = self.view().unacknowledged_losses();
        outcome
    }

    /// Fetches what is in the queue side by side, the first window alone, and publishes and records it in groups.
    /// Returns whether something has happened for which nothing more is to be published in this cycle.
    async fn work_off(
        &mut self,
        mut queue: VecDeque<Work>,
        mode: Mode,
        stop: &CancellationToken,
        outcome: &mut Outcome,
    ) -> bool {
        self.progress.planned(&self.job, queue.len());
        let mut executor = Executor::new(&self.client, stop, &self.leaving);
        let mut flight = Flight::new(mode.asks_from_both_ends());
        let (mut deferred, mut landed) = (BTreeMap::new(), VecDeque::new());
        loop {
            if self.may_go_on(stop) && !executor.is_halted() {
                self.join_fresh(&mut queue, outcome);
            }
            while let Some(at) = flight.next(&queue, self.known())
                && let Some(seat) = executor.room(landed.len())
                && let Some(work) = flight.begin(&mut queue, at, self.known())
            {
                if work.task == Task::Recheck
                    && mode.yields_to_new_windows()
                    && self.view().has_new_window(|window| flight.had(window))
                {
                    flight.landed(work.window);
                    queue.retain(|work| work.task == Task::Archive);
                    continue;
                }
                let start = self.start(work, mode, deferred.remove(&work.window));
                executor.begin(seat, work, start, self.source(stop));
            }
            let has_more = flight.next(&queue, self.known()).is_some();
            let happened = match executor.next(has_more, landed.len()).await {
                Event::Idle => break,
                Event::Room => continue,
                Event::Landed(landed) => landed,
            };
            let mut failed = match happened {
                Err(error) => {
                    // There may be a folder that the ledger lacks.
                    self.recorder.look_for_folders = true;
                    Some(WindowError::from(error).to_string())
                }
                Ok(Landed::Deferred(again)) => {
                    let (began, learnt) = again.learnt;
                    self.learnt.learn(&began, &learnt);
                    flight.landed(again.work.window);
                    deferred.insert(again.work.window, again.deferred);
                    queue.push_back(again.work);
                    executor.widen();
                    None
                }
                Ok(Landed::Ended(ended)) => {
                    let (began, learnt) = &ended.learnt;
                    self.learnt.learn(began, learnt);
                    flight.landed(ended.work.window);
                    if ended.found.is_err() {
                        executor.narrow();
                    }
                    landed.push_back(*ended);
                    None
                }
                Ok(Landed::Published(group)) => self.record(group, &mut executor, outcome),
            };
            if failed.is_some() {
                executor.halt();
            }
            let why = self.settle(&mut landed, &mut executor, outcome, stop).await;
            failed = failed.or(why);
            self.tell_standing(outcome);
            let replay = self.recorder.ledger.replay();
            self.progress.holds(&self.job, replay);
            if let Some(message) = failed {
                executor.halt();
                let left = queue.len() + executor.in_flight() + landed.len();
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
        executor.is_halted()
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
                let before = match self.again.get(&window) {
                    Some(before) => Ok(before.clone()),
                    None => self.recorder.ledger.archived_before(window),
                };
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

    /// Shows to whoever watches what the ledger says.
    fn show(&self) {
        let (replay, breaker) = (self.recorder.ledger.replay(), &self.recorder.breaker);
        self.progress.shows(&self.job, replay, !breaker.is_closed());
    }

    fn view(&self) -> View<'_> {
        View {
            job: &self.job,
            replay: self.recorder.ledger.replay(),
            store: &self.shared.store,
            suspects: &self.suspects,
            again: &self.again,
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
