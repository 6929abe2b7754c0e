//! What a cycle may ask the service for, by the job's circuit breaker and by what is known of the account's
//! service. Carries *Bounded*, *Isolated* and *Self-healing*.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::JobRunner;
use crate::domain::circuit_breaker::State;
use crate::domain::coverage::Coverage;
use crate::domain::failures::Task;
use crate::domain::job::{Job, JobName};
use crate::domain::outage::Gate;
use crate::domain::queue::{Known, Pauses, Work};
use crate::domain::second_opinion::CrossCheck;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::elsa::client::Client;
use crate::job::{Mode, Outcome};

/// What a job knew of the account's service when it looked last.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// How often an outage was over.
    recoveries: u64,
    /// Whether one was over since the service was last asked for everything.
    is_recovered: bool,
    /// The change since which this job has nothing to ask for, or can't.
    declined: Option<u64>,
}

/// What a cycle may ask for.
pub(super) struct Turn {
    /// Whether windows wait for their pauses.
    pub(super) pauses: Pauses,
    /// The window that is tried alone is the one to show whether the service answers again.
    probe: Option<Probe>,
}

impl Turn {
    /// Whether it is to show that the service answers again.
    pub(super) const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

/// Asks whether an outage is over. It ends when it is dropped, whatever came of it.
struct Probe {
    client: Arc<Client>,
    job: JobName,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.client.availability().end_probe(&self.job);
    }
}

impl JobRunner {
    /// Takes note of what is known of the service, and looks at the archive.
    ///
    /// # Errors
    /// When the archive can't be used. Nobody looks again for the service's sake then, until something
    /// changes there.
    pub(super) async fn prepare(&mut self) -> Result<(), String> {
        let availability = self.client.availability();
        let looks = &mut self.looks;
        looks.declined = Some(availability.changes());
        let recoveries = availability.recoveries();
        looks.is_recovered |= recoveries != looks.recoveries;
        looks.recoveries = recoveries;
        self.recorder.prepare().await
    }

    /// What a cycle may ask for; the outcome of one that may not ask for anything.
    pub(super) fn turn(
        &mut self,
        planned: &impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        mode: Mode,
        ours: UtcMs,
    ) -> Result<Turn, Outcome> {
        let keeps_pauses = mode.pauses() == Pauses::Kept;
        let is_recovered = std::mem::take(&mut self.looks.is_recovered);
        let gate = self
            .client
            .availability()
            .gate(&self.job.name, !keeps_pauses);
        if is_recovered || gate == Gate::Probe {
            self.recorder.breaker.give_time_a_try();
        }
        if let State::Open { message } = self.recorder.breaker.state(ours)
            && keeps_pauses
        {
            return Err(self.view().paused(planned, mode, message.to_owned()));
        }
        let idle = match &gate {
            Gate::Free => None,
            Gate::Probe => Some("the service is down for all windows".to_owned()),
            Gate::Held(why) => Some(format!("the service is down for all windows: {why}")),
        };
        let Some(why) = idle else {
            self.looks.declined = None;
            let pauses = match is_recovered {
                true => Pauses::Skipped,
                false => mode.pauses(),
            };
            let probe = None;
            return Ok(Turn { pauses, probe });
        };
        let mut held = self.view().paused(planned, mode, why);
        if held.left == 0 && held.unchecked == 0 {
            // Nothing of it is missing, so nothing is wrong with the job.
            held.error = None;
            return Err(held);
        }
        self.looks.declined = None;
        match self.probe(!keeps_pauses) {
            Some(probe) => Ok(Turn {
                pauses: mode.pauses(),
                probe: Some(probe),
            }),
            None => Err(held),
        }
    }

    fn probe(&self, asks: bool) -> Option<Probe> {
        let (client, job) = (Arc::clone(&self.client), self.job.name.clone());
        let may = client.availability().begin_probe(&job, asks);
        may.then_some(Probe { client, job })
    }

    /// What is tried first of what is due, where the circuit breaker `was_closed` or not.
    pub(super) fn first(
        &mut self,
        turn: &Turn,
        was_closed: bool,
        due: &[Window],
        rechecks: &[Window],
    ) -> VecDeque<Work> {
        self.recorder.breaker.tried();
        let queue = self.view().queue(due, rechecks, turn.pauses);
        if !turn.is_probe() && (was_closed || !queue.is_empty()) {
            return queue;
        }
        // One is enough to see whether it is over.
        let next = self.view().next_in_turn(due, rechecks);
        next.into_iter().collect()
    }

    /// Whether nothing that is known would fail each of the job's windows.
    pub(super) fn may_go_on(&self, stop: &CancellationToken) -> bool {
        self.recorder.breaker.is_closed()
            && !self.client.availability().holds(&self.job.name)
            && !stop.is_cancelled()
            && !self.leaving.is_cancelled()
    }

    /// Whether what the next window shows of search spares those after it a second download.
    fn calibrates(&self) -> bool {
        let (search, now) = (&self.learnt.search, self.shared.clock.now());
        let is_open = !search.is_believed() && !search.rests(now);
        is_open && self.job.cross_check != CrossCheck::Off
    }

    /// How windows of the job have failed.
    pub(super) fn known(&self) -> Known<'_> {
        let replay = self.recorder.ledger.replay();
        Known {
            archive: replay.failures(Task::Archive),
            recheck: replay.failures(Task::Recheck),
            is_suspected: self.client.availability().is_suspected(&self.job.name),
            teaches: self.calibrates(),
            settled: self.client.now().minus(self.job.settle),
        }
    }

    /// Ends when a look may be worth while, although no schedule says so: the service answers again, or
    /// somebody may ask whether it does.
    pub(crate) async fn service_may_be_back(&self) {
        let availability = self.client.availability();
        let job = &self.job.name;
        let Looks {
            recoveries,
            declined,
            ..
        } = self.looks;
        availability.turn(job, recoveries, declined).await;
    }
}
