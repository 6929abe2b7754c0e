//! The jobs at work, each in a task of its own, and what wakes them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

use super::reload::Names;
use super::systemd::Systemd;
use super::trigger::{Triggers, Wakes};
use crate::clock::Clock;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::plan;
use crate::domain::window::Zone;
use crate::job::{JobRunner, Mode, Pace, Proof, prove};

/// How long a job that leaves may take for its windows in flight. They are asked for again after that.
const GRACE: Duration = Duration::from_secs(300);

/// How often it is looked whether a ledger is to be proven: each is, once a day.
const LOOK_FOR_PROOFS: Duration = Duration::from_secs(60 * 60);

/// A job at work.
#[derive(Clone)]
pub(super) struct Member {
    job: Job,
    wake: Arc<Notify>,
    proof: Proof,
    leaving: CancellationToken,
}

/// The jobs at work.
pub(super) struct Crew {
    cycles: JoinSet<JobName>,
    members: BTreeMap<JobName, Member>,
    /// Those that have not begun yet.
    entering: Vec<(JobRunner, Arc<Notify>)>,
    /// Whether others are to enter once those that leave have left.
    is_changing: bool,
    /// Whether one has entered or left since the others began.
    is_another: bool,
    stop: CancellationToken,
    systemd: Systemd,
}

impl Crew {
    /// Nobody yet.
    pub(super) fn new(stop: &CancellationToken, systemd: &Systemd) -> Self {
        Self {
            cycles: JoinSet::new(),
            members: BTreeMap::new(),
            entering: Vec::new(),
            is_changing: false,
            is_another: false,
            stop: stop.clone(),
            systemd: systemd.clone(),
        }
    }

    /// Takes these in. Returns all that are in.
    pub(super) fn enter(&mut self, runners: Vec<JobRunner>) -> Vec<Member> {
        self.is_another |= !runners.is_empty();
        for runner in runners {
            let member = Member {
                job: runner.job().clone(),
                wake: Arc::default(),
                proof: runner.proof(),
                leaving: runner.leaving().clone(),
            };
            // Before it can say how it goes.
            self.systemd
                .stands(&runner.job().name, runner.standing(None));
            self.entering.push((runner, Arc::clone(&member.wake)));
            self.members.insert(member.job.name.clone(), member);
        }
        self.is_changing = false;
        self.members.values().cloned().collect()
    }

    /// Those that have entered look, whatever their schedules say.
    pub(super) fn begin(&mut self) {
        self.is_another = false;
        for (runner, wake) in self.entering.drain(..) {
            wake.notify_one();
            let (systemd, stop) = (self.systemd.clone(), self.stop.child_token());
            self.cycles
                .spawn(look_when_woken(runner, wake, stop, systemd));
        }
    }

    /// Whether one has entered or left since [`Crew::begin`].
    pub(super) const fn is_another(&self) -> bool {
        self.is_another
    }

    /// Those that end their windows in flight.
    pub(super) fn leaving(&self) -> Names {
        let leaving = self
            .members
            .values()
            .filter(|member| member.leaving.is_cancelled());
        leaving.map(|member| member.job.name.clone()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// These end their windows in flight and leave. Then others enter.
    pub(super) fn leave(&mut self, names: &Names) {
        self.is_changing = true;
        let leaving = self
            .members
            .iter()
            .filter(|(name, _)| names.contains(*name));
        for (_, member) in leaving {
            member.leaving.cancel();
        }
    }

    /// Waits until one has left.
    ///
    /// # Errors
    /// When one has died, which is a bug: with what it said.
    pub(super) async fn next(&mut self) -> Result<(), String> {
        let Some(ended) = self.cycles.join_next().await else {
            return future::pending().await;
        };
        let name = ended.map_err(|error| error.to_string())?;
        self.members.remove(&name);
        self.is_another = true;
        self.systemd.left(&name, self.leaving());
        Ok(())
    }

    /// Those that stay, where others are to enter and nobody is leaving any more.
    pub(super) fn all_have_left(&self) -> Option<Names> {
        let mut members = self.members.values();
        let is_over = members.all(|member| !member.leaving.is_cancelled());
        (self.is_changing && is_over).then(|| self.members.keys().cloned().collect())
    }

    /// Waits until all have ended.
    pub(super) async fn end(mut self) {
        while self.cycles.join_next().await.is_some() {}
    }
}

async fn look_when_woken(
    mut runner: JobRunner,
    wake: Arc<Notify>,
    stop: CancellationToken,
    systemd: Systemd,
) -> JobName {
    let name = runner.job().name.clone();
    let leaving = runner.leaving().clone();
    loop {
        select! {
            () = stop.cancelled() => break,
            () = leaving.cancelled() => break,
            () = wake.notified() => {}
            () = runner.service_may_be_back() => {}
        }
        let outcome = select! {
            outcome = runner.cycle(plan, Mode::Daemon, &stop) => outcome,
            never = cut_short(&leaving, &stop) => match never {},
        };
        if !leaving.is_cancelled() {
            systemd.stands(&runner.job().name, runner.standing(Some(&outcome)));
        }
    }
    runner.close();
    name
}

/// Ends what a job that leaves still has in flight after its grace.
async fn cut_short(leaving: &CancellationToken, stop: &CancellationToken) -> Infallible {
    leaving.cancelled().await;
    sleep(GRACE).await;
    stop.cancel();
    future::pending().await
}

/// What wakes the jobs: their schedules, and what is found of their ledgers.
pub(super) struct Watch {
    stop: CancellationToken,
    triggers: JoinHandle<()>,
    proving: JoinHandle<()>,
}

impl Watch {
    /// Over these jobs, in the local time of `zone`.
    pub(super) async fn start(
        members: Vec<Member>,
        zone: &Zone,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<Self, JobSchedulerError> {
        let wake = members.iter().map(|member| Arc::clone(&member.wake));
        let wake: Vec<_> = wake.collect();
        let proofs = members.iter().map(|member| member.proof.clone()).collect();
        let wakes = members
            .into_iter()
            .map(|Member { job, wake, .. }| Wakes { job, wake });
        let triggers = Triggers::start(wakes.collect(), zone.clone(), clock.clone()).await?;
        let stop = stop.child_token();
        let proving = prove_daily(proofs, wake, clock.clone(), stop.clone());
        Ok(Self {
            triggers: tokio::spawn(triggers.run(stop.clone())),
            proving: tokio::spawn(proving),
            stop,
        })
    }

    /// Nobody is woken any more.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.proving.abort();
        if let Err(error) = self.triggers.await {
            tracing::debug!("the scheduler did not stop: {error}");
        }
    }
}

/// Proves the ledgers as they fall due, and wakes the job of one that is damaged: it stops.
async fn prove_daily(
    proofs: Vec<Proof>,
    wake: Vec<Arc<Notify>>,
    clock: Clock,
    stop: CancellationToken,
) {
    loop {
        let wake = wake.clone();
        let found = move |at: usize| wake.get(at).into_iter().for_each(|wake| wake.notify_one());
        let (all, clock, token) = (proofs.clone(), clock.clone(), stop.clone());
        prove(all, clock, Pace::Slowly, token, found).await;
        if stop
            .run_until_cancelled(sleep(LOOK_FOR_PROOFS))
            .await
            .is_none()
        {
            break;
        }
    }
}
