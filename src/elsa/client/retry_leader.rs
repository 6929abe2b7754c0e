//! Which window of a job leads: it asks again for all after attempts without a word of the service. Where several windows
//! are in flight and the service is down, each of them would make all its attempts; the others wait until the job is
//! answered or the one that leads is given up. Carries *Bounded*; what is answered meanwhile holds nobody up, so
//! *Isolated* too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::domain::job::JobName;

/// One for each of an account's jobs.
#[derive(Debug, Default)]
pub(super) struct RetryLeaders(Mutex<BTreeMap<JobName, Arc<RetryLeader>>>);

impl RetryLeaders {
    /// That of one job.
    pub(super) fn of(&self, job: &JobName) -> Arc<RetryLeader> {
        let mut leaders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let leader = leaders.entry(job.clone()).or_default();
        Arc::clone(leader)
    }
}

/// What a job's windows know of each other: whether the service answers, and whether one of them leads.
#[derive(Debug)]
pub(crate) struct RetryLeader {
    /// The number of answers so far.
    answers: watch::Sender<u64>,
    one: Arc<Semaphore>,
}

impl Default for RetryLeader {
    fn default() -> Self {
        Self {
            answers: watch::Sender::new(0),
            one: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The right to ask for all; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Asking {
    _permit: OwnedSemaphorePermit,
}

impl RetryLeader {
    /// How many of the job's requests were answered since the start.
    pub(crate) fn answers(&self) -> u64 {
        *self.answers.borrow()
    }

    /// One of the job's requests is answered.
    pub(crate) fn answered(&self) {
        self.answers.send_modify(|answers| *answers += 1);
    }

    /// Waits until another attempt may be made after one that failed, when so many `answers` had come: at
    /// once where there were more since, and otherwise once no other window asks for all.
    pub(crate) async fn may_ask(&self, answers: u64) -> Option<Asking> {
        let mut heard = self.answers.subscribe();
        tokio::select! {
            biased;
            _ = heard.wait_for(|&now| now > answers) => None,
            permit = Arc::clone(&self.one).acquire_owned() => {
                Some(Asking { _permit: permit.ok()? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Guarantee: Bounded
    /// Guarantee: Isolated
    #[tokio::test(start_paused = true)]
    async fn one_window_asks_for_all_that_have_failed_until_the_job_is_answered() {
        let leaders = RetryLeaders::default();
        let [ours, theirs] = ["a", "b"].map(|name| leaders.of(&JobName::parse(name).unwrap()));
        let hour = Duration::from_hours(1);
        let asking = ours.may_ask(0).await;
        assert!(asking.is_some());
        assert!(timeout(hour, ours.may_ask(0)).await.is_err());
        // What fails for one job is no other's.
        assert!(theirs.may_ask(0).await.is_some());
        // It is given up; the next one asks.
        drop(asking);
        let asking = ours.may_ask(0).await;
        let waiting = tokio::spawn({
            let ours = Arc::clone(&ours);
            async move { ours.may_ask(0).await.is_none() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        // Any answer sets all free that failed before it, and not those that fail later.
        ours.answered();
        assert!(waiting.await.unwrap());
        assert!(ours.may_ask(0).await.is_none());
        assert!(timeout(hour, ours.may_ask(ours.answers())).await.is_err());
        drop(asking);
    }
}
