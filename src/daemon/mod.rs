//! The daemon: every job looks when its schedule fires and at the start, one cycle at a time,
//! side by side with the others. Carries *Isolated*.
//!
//! SIGHUP has the configuration read anew (`reload.rs`): what is wrong with it changes nothing. Jobs that it is
//! about end their windows in flight; once all of them have, those that it names begin.

mod crew;
pub(crate) mod heads;
pub(crate) mod reload;
pub(crate) mod signals;
pub(crate) mod stamper;
pub(crate) mod systemd;
mod trigger;

use std::time::Duration;

use thiserror::Error;
use tokio::select;
use tokio::signal::unix::Signal;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::window::Zone;
use crate::job::JobRunner;
use crew::{Crew, Watch};
use reload::Configuration;
use systemd::Systemd;

/// How long the cycles may take to notice that they must stop. The next start cleans up what they
/// leave behind.
const LAST_CALL: Duration = Duration::from_secs(8);

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
/// When signals or scheduler can't be set up, and when a job's task dies.
pub(crate) async fn serve(
    runners: Vec<JobRunner>,
    configuration: &mut dyn Configuration,
    (zone, clock): (Zone, Clock),
    (systemd, mut hangups): (Systemd, Signal),
) -> Result<(), ServeError> {
    let stop = CancellationToken::new();
    let signals = signals::stop_on_signal(&stop)?;
    let mut crew = Crew::new(&stop, &systemd);
    let jobs = runners.len();
    let mut watch = Watch::start(crew.enter(runners), &zone, &clock, &stop).await?;
    // Before any job can say how it goes.
    systemd.ready();
    tracing::info!(jobs, "running");
    crew.begin();
    let died = loop {
        select! {
            () = stop.cancelled() => break None,
            _ = hangups.recv() => {
                systemd.reloading();
                let read = reload::read(configuration, &mut crew);
                systemd.reloaded(read, crew.leaving());
            }
            ended = crew.next() => if let Err(why) = ended && !stop.is_cancelled() {
                break Some(why);
            }
        }
        if let Some(staying) = crew.all_have_left().filter(|_| !stop.is_cancelled()) {
            let runners = configuration.open(&staying);
            let jobs = crew.enter(runners);
            if crew.is_another() {
                watch.end().await;
                watch = Watch::start(jobs, &zone, &clock, &stop).await?;
                crew.begin();
            }
            // Of those that have entered and left.
            systemd.in_force();
            tracing::info!(jobs = crew.len(), "the configuration is in force");
        }
    };
    stop.cancel();
    systemd.stopping();
    tracing::info!("stopping");
    watch.end().await;
    signals.abort();
    if timeout(LAST_CALL, crew.end()).await.is_err() {
        tracing::warn!("some work did not stop in time; the next start cleans up");
    }
    died.map_or(Ok(()), |why| Err(ServeError::Died(why)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::job::Job;
    use crate::domain::job_changes::JobChanges;
    use crate::elsa::client::Deadlines;
    use crate::job::Progress;
    use crate::job::tests::Rig;

    struct Deadly;

    impl Progress for Deadly {
        fn planned(&self, _: &Job, _: usize) {
            panic!("a bug");
        }
    }

    struct Fixed;

    impl Configuration for Fixed {
        fn read_anew(&mut self) -> Result<JobChanges, String> {
            Err("there is no other".to_owned())
        }

        fn open(&mut self, _: &reload::Names) -> Vec<JobRunner> {
            Vec::new()
        }
    }

    /// Guarantee: Self-healing
    #[tokio::test]
    async fn a_job_that_dies_ends_the_daemon_instead_of_being_left_alone() {
        let rig = Rig::at(0).await;
        let runner = rig.runner(Arc::new(Deadly), Deadlines::default());
        let place = (Zone::utc(), rig.clock());
        let told = (Systemd::default(), signals::hangups().unwrap());
        let served = serve(vec![runner], &mut Fixed, place, told).await;
        assert!(matches!(served, Err(ServeError::Died(_))), "{served:?}");
    }
}
