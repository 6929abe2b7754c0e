//! Notifications to systemd: READY, STATUS and STOPPING (sd_notify(3)). Without systemd, none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sd_notify::NotifyState;

use crate::domain::job::{Job, JobName};
use crate::job::Outcome;

/// What systemd was told so far.
#[derive(Debug)]
pub(super) struct Systemd {
    jobs: usize,
    /// The failing jobs, each with its windows that are not archived and not rechecked.
    unwell: Mutex<BTreeMap<JobName, (u64, u64)>>,
}

impl Systemd {
    /// For a daemon with so many jobs.
    #[must_use]
    pub(super) const fn new(jobs: usize) -> Self {
        Self {
            jobs,
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

    /// The end has begun.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn status(&self) -> String {
        let unwell = self.unwell.lock().unwrap_or_else(PoisonError::into_inner);
        if unwell.is_empty() {
            return format!("jobs: {}; everything due is archived", self.jobs);
        }
        let names: Vec<String> = unwell
            .iter()
            .map(|(name, &(left, unchecked))| match unchecked {
                0 => format!("{name} (windows not archived: {left})"),
                _ => format!("{name} (windows not archived: {left}, not rechecked: {unchecked})"),
            })
            .collect();
        format!("jobs: {}; failing: {}", self.jobs, names.join(", "))
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
