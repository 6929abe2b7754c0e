//! The daemon: every job looks when its schedule fires and at the start, one cycle at a time,
//! side by side with the others. Carries *Isolated*.

pub(crate) mod signals;
pub(crate) mod systemd;
mod trigger;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::select;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::plan::plan;
use crate::domain::window::Zone;
use crate::job::{JobRunner, Mode, Pace, Proof, prove};
use systemd::Systemd;
use trigger::{Triggers, Wakes};

/// How long the cycles may take to notice that they must stop. The next start cleans up what they
/// leave behind.
const LAST_CALL: Duration = Duration::from_secs(8);

/// How often it is looked whether a ledger is to be proven: each is, once a day.
const LOOK_FOR_PROOFS: Duration = Duration::from_secs(60 * 60);

/// Why the daemon could not start.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// Signals can't be listened for.
    #[error("can't listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// A job's task has ended by itself: a bug. systemd restarts the daemon, and what is due is
    /// made good.
    #[error("the program failed within itself, please report it: {0}")]
    Died(String),
    /// The scheduler refuses.
    #[error("can't start the scheduler: {0}")]
    Scheduler(#[from] tokio_cron_scheduler::JobSchedulerError),
}

/// Runs the jobs until SIGTERM or SIGINT.
///
/// # Errors
/// When signals or scheduler can't be set up.
pub(crate) async fn serve(
    runners: Vec<JobRunner>,
    zone: Zone,
    clock: Clock,
    systemd: Systemd,
) -> Result<(), ServeError> {
    let stop = CancellationToken::new();
    let signals = signals::stop_on_signal(&stop)?;
    let wakes: Vec<_> = runners
        .iter()
        .map(|runner| Wakes {
            job: runner.job().clone(),
            wake: Arc::new(Notify::new()),
        })
        .collect();
    let wake: Vec<_> = wakes.iter().map(|wakes| Arc::clone(&wakes.wake)).collect();
    let proven_by = clock.clone();
    let mut triggers = Triggers::start(wakes, zone, clock).await?;
    // Before any job can say how it goes.
    for runner in &runners {
        systemd.stands(&runner.job().name, runner.standing(None));
    }
    systemd.ready();
    tracing::info!(jobs = runners.len(), "running");
    let proofs = runners.iter().map(JobRunner::proof).collect();
    let proving = tokio::spawn(prove_daily(proofs, wake.clone(), proven_by, stop.clone()));
    let mut cycles = JoinSet::new();
    for (runner, wake) in runners.into_iter().zip(wake) {
        // Every job looks at the start, whatever its schedule says.
        wake.notify_one();
        let (systemd, stop) = (systemd.clone(), stop.clone());
        cycles.spawn(look_when_woken(runner, wake, stop, systemd));
    }

    let died = select! {
        () = stop.cancelled() => None,
        () = triggers.follow_clock() => None,
        // Ended before it was told to.
        ended = cycles.join_next(), if !cycles.is_empty() => {
            ended.filter(|_| !stop.is_cancelled())
        }
    };
    stop.cancel();
    systemd.stopping();
    tracing::info!("stopping");
    triggers.stop().await;
    signals.abort();
    proving.abort();
    if timeout(LAST_CALL, async {
        while cycles.join_next().await.is_some() {}
    })
    .await
    .is_err()
    {
        tracing::warn!("some work did not stop in time; the next start cleans up");
        cycles.abort_all();
    }
    match died {
        Some(ended) => Err(ServeError::Died(
            ended.err().map_or_else(String::new, |e| e.to_string()),
        )),
        None => Ok(()),
    }
}

async fn look_when_woken(
    mut runner: JobRunner,
    wake: Arc<Notify>,
    stop: CancellationToken,
    systemd: Systemd,
) {
    loop {
        let woken = async {
            select! {
                () = wake.notified() => {}
                () = runner.service_may_be_back() => {}
            }
        };
        if stop.run_until_cancelled(woken).await.is_none() {
            break;
        }
        let outcome = runner.cycle(plan, Mode::Daemon, &stop).await;
        systemd.stands(&runner.job().name, runner.standing(Some(&outcome)));
    }
    runner.close();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::Job;
    use crate::elsa::client::Deadlines;
    use crate::job::Progress;
    use crate::job::tests::Rig;

    struct Deadly;

    impl Progress for Deadly {
        fn planned(&self, _: &Job, _: usize) {
            panic!("a bug");
        }
    }

    /// Guarantee: Self-healing
    #[tokio::test]
    async fn a_job_that_dies_ends_the_daemon_instead_of_being_left_alone() {
        let rig = Rig::at(0).await;
        let runner = rig.runner(Arc::new(Deadly), Deadlines::default());
        let served = serve(vec![runner], Zone::utc(), rig.clock(), Systemd::default()).await;
        assert!(matches!(served, Err(ServeError::Died(_))), "{served:?}");
    }
}
