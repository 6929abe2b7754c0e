//! Notifications to systemd: READY, STATUS and STOPPING (sd_notify(3)). Without systemd, none. What STATUS says,
//! `domain/standing.rs` decides. Carries *Candid*.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};

use crate::domain::job::{Job, JobName};
use crate::domain::standing::{self, Standing};
use crate::job::Progress;

/// While windows are archived, systemd is told no more often: it tells each change to others.
const BETWEEN: Duration = Duration::from_secs(1);

/// What systemd was told so far. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Systemd(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    jobs: BTreeMap<JobName, Standing>,
    /// Why the configuration that was read last is refused.
    refused: Option<String>,
    /// For which jobs a new configuration waits.
    leaving: BTreeSet<JobName>,
    /// Whether the start is over; before it nothing is told, and after the end has begun nothing any more.
    is_telling: bool,
    status: String,
    last: Option<Instant>,
    /// Whether somebody waits until it may be told.
    is_waiting: bool,
}

impl Systemd {
    /// How a job stands: at the start, and after each cycle.
    pub(crate) fn stands(&self, job: &JobName, standing: Standing) {
        let mut told = self.told();
        told.jobs.insert(job.clone(), standing);
        if told.is_telling {
            let line = told.line();
            told.tell(line);
        }
    }

    /// The start is over.
    pub(super) fn ready(&self) {
        let mut told = self.told();
        told.is_telling = true;
        told.status = told.line();
        told.last = Some(Instant::now());
        tell(&[NotifyState::Ready, NotifyState::Status(&told.status)]);
    }

    /// The configuration is being read anew.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("can't read the monotonic clock: {error}"),
        }
    }

    /// It was read, or refused for this reason.
    pub(super) fn reloaded(&self, read: Result<(), String>, leaving: BTreeSet<JobName>) {
        {
            let mut told = self.told();
            (told.refused, told.leaving) = (read.err(), leaving);
        }
        self.ready();
    }

    /// A job is at work no more; these are still to leave.
    pub(super) fn left(&self, job: &JobName, leaving: BTreeSet<JobName>) {
        let mut told = self.told();
        told.jobs.remove(job);
        told.leaving = leaving;
        told.tell_news();
    }

    /// The configuration that was read last is in force.
    pub(super) fn in_force(&self) {
        let mut told = self.told();
        told.leaving.clear();
        told.tell_news();
    }

    /// No other jobs than these are the daemon's any more.
    pub(crate) fn retain(&self, jobs: &BTreeSet<JobName>) {
        self.told().jobs.retain(|name, _| jobs.contains(name));
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.told().is_telling = false;
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Systemd {
    fn stands(&self, job: &Job, now: &Standing) {
        let mut told = self.told();
        told.jobs.insert(job.name.clone(), now.clone());
        let next = told.last.map(|last| last + BETWEEN);
        match next.filter(|&next| next > Instant::now()) {
            None => told.tell_news(),
            Some(next) if !told.is_waiting => {
                told.is_waiting = true;
                let all = self.clone();
                tokio::spawn(async move {
                    sleep(next - Instant::now()).await;
                    let mut told = all.told();
                    told.is_waiting = false;
                    told.tell_news();
                });
            }
            Some(_) => {}
        }
    }
}

impl Told {
    fn line(&self) -> String {
        let line = standing::line(&self.jobs);
        match (&self.refused, self.leaving.is_empty()) {
            (Some(why), _) => format!("{}; {line}", standing::refused(why)),
            (None, false) => format!("{}; {line}", standing::waits_for(&self.leaving)),
            (None, true) => line,
        }
    }

    /// Tells what has changed.
    fn tell_news(&mut self) {
        let line = self.line();
        if self.is_telling && line != self.status {
            self.tell(line);
        }
    }

    fn tell(&mut self, line: String) {
        tell(&[NotifyState::Status(&line)]);
        self.status = line;
        self.last = Some(Instant::now());
    }
}

/// The start waits for something that may take long. It is ready for systemd, which would end it otherwise.
pub(crate) fn waiting(what: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(what)]);
}

/// Within what time systemd wants to hear that the daemon is well (`WatchdogSec=`); `None` where it does not ask.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|within| !within.is_zero())
}

/// The daemon is well.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The process ends for this reason, which `systemctl status` shows from then on.
pub(crate) fn ending(why: &str) {
    tell(&[NotifyState::Status(&standing::end(why))]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("can't notify systemd: {error}");
    }
}
