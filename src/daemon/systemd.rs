//! Notifications to systemd: READY, STATUS and STOPPING (sd_notify(3)). Without systemd, none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sd_notify::NotifyState;

use crate::domain::job::{Job, JobName};
use crate::job::Outcome;

/// What systemd was told so far.
#[derive(Debug)]
pub(super) struct Systemd {
    jobs: AtomicUsize,
    /// Why the configuration that was read last is refused.
    refused: Mutex<Option<String>>,
    /// The failing jobs, each with its windows that are not archived and not rechecked.
    unwell: Mutex<BTreeMap<JobName, (u64, u64)>>,
}

impl Systemd {
    /// For a daemon with so many jobs.
    #[must_use]
    pub(super) const fn new(jobs: usize) -> Self {
        Self {
            jobs: AtomicUsize::new(jobs),
            refused: Mutex::new(None),
            unwell: Mutex::new(BTreeMap::new()),
        }
    }

    /// The start is over.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status(&self.status())]);
    }

    /// A job has looked.
    pub(super) fn looked(&self, job: &Job, outcome: &Outcome) {
        {
            let mut unwell = self.unwell.lock().unwrap_or_else(PoisonError::into_inner);
            let open = (outcome.left, outcome.unchecked);
            match outcome.error.is_some() || outcome.left > 0 {
                true => unwell.insert(job.name.clone(), open),
                false => unwell.remove(&job.name),
            };
        }
        tell(&[NotifyState::Status(&self.status())]);
    }

    /// The configuration is being read anew.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("can't read the monotonic clock: {error}"),
        }
    }

    /// It was read, or refused for this reason.
    pub(super) fn reloaded(&self, read: Result<(), String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = read.err();
        self.ready();
    }

    /// A job is at work no more.
    pub(super) fn left(&self, job: &JobName) {
        let mut unwell = self.unwell.lock().unwrap_or_else(PoisonError::into_inner);
        unwell.remove(job);
    }

    /// So many jobs are at work.
    pub(super) fn runs(&self, jobs: usize) {
        self.jobs.store(jobs, Ordering::Relaxed);
        tell(&[NotifyState::Status(&self.status())]);
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn status(&self) -> String {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused.as_ref().map_or_else(String::new, |why| {
            let first = why.lines().next().unwrap_or_default();
            format!("the configuration is refused, the one before is in force: {first}; ")
        });
        let unwell = self.unwell.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = self.jobs.load(Ordering::Relaxed);
        if unwell.is_empty() {
            return format!("{refused}jobs: {jobs}; everything due is archived");
        }
        let names: Vec<String> = unwell
            .iter()
            .map(|(name, &(left, unchecked))| match unchecked {
                0 => format!("{name} (windows not archived: {left})"),
                _ => format!("{name} (windows not archived: {left}, not rechecked: {unchecked})"),
            })
            .collect();
        format!("{refused}jobs: {jobs}; failing: {}", names.join(", "))
    }
}

/// The start waits for something that may take long. It is ready for systemd, which would end it otherwise.
pub(crate) fn waiting(what: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(what)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("can't notify systemd: {error}");
    }
}
