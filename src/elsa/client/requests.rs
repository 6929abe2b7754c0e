//! What became of the requests of an account since the start, job by job, for whoever watches. Nothing is decided
//! by it. Carries *Candid*.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use crate::domain::job::JobName;
use crate::domain::retry::Failure;

/// Upper bounds of the histogram of durations, in seconds: from an answer at once to the deadline of a whole zip.
pub(crate) const BOUNDS: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

/// What becomes of a request, by its place in [`OUTCOMES`].
const ABANDONED: u8 = 0;
const ANSWERED: u8 = 1;

/// What may become of a request, as metrics call it.
pub(crate) const OUTCOMES: [&str; 11] = [
    // This program gave it up: it stops, or its disk can't take the answer.
    "abandoned",
    "answered",
    // Answered, but not with what was asked for.
    "bad_answer",
    "clock_skew",
    // A torn stream, or 5xx.
    "passing",
    "refused",
    "rejected",
    "throttled",
    "too_slow",
    "unreachable",
    "wrong_key",
];

fn place(failure: Failure) -> u8 {
    let name = match failure {
        Failure::Passing => "passing",
        Failure::Unreachable => "unreachable",
        Failure::TooSlow => "too_slow",
        Failure::Throttled { .. } | Failure::QuotaExceeded { .. } => "throttled",
        Failure::BadAnswer => "bad_answer",
        Failure::ClockSkew { .. } => "clock_skew",
        Failure::WrongKey => "wrong_key",
        Failure::Rejected => "rejected",
        Failure::Refused => "refused",
        Failure::NoRoom { .. } | Failure::Local | Failure::Stopped => "abandoned",
    };
    let place = OUTCOMES.iter().position(|&known| known == name);
    place
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(ABANDONED)
}

/// The requests of one job that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// How many ended in which way, as [`OUTCOMES`] lists them.
    pub(crate) outcomes: [u64; OUTCOMES.len()],
    /// How many took no longer than each of [`BOUNDS`], and longer than the one before.
    pub(crate) within: [u64; BOUNDS.len()],
    /// How long all of them took, from the first byte sent to the end of the answer.
    pub(crate) took: Duration,
}

impl Tally {
    /// How many there are.
    pub(crate) fn all(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    fn note(&mut self, outcome: u8, took: Duration) {
        if let Some(number) = self.outcomes.get_mut(usize::from(outcome)) {
            *number += 1;
        }
        let seconds = took.as_secs_f64();
        let within = BOUNDS.iter().position(|&bound| seconds <= bound);
        if let Some(number) = within.and_then(|at| self.within.get_mut(at)) {
            *number += 1;
        }
        self.took = self.took.saturating_add(took);
    }
}

/// The requests of an account.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    in_flight: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    jobs: BTreeMap<JobName, Tally>,
    last_ended: Option<Instant>,
}

impl Requests {
    /// One of `job` begins now.
    pub(super) fn begin(self: &Arc<Self>, job: &JobName) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight {
            requests: Arc::clone(self),
            job: job.clone(),
            begun: Instant::now(),
            outcome: AtomicU8::new(ABANDONED),
        }
    }

    /// How many are in flight now.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Those of `job` that have ended.
    pub(crate) fn of(&self, job: &JobName) -> Tally {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.jobs.get(job).copied().unwrap_or_default()
    }

    /// When the last of them has ended; `None` before the first.
    pub(crate) fn last_ended(&self) -> Option<Instant> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.last_ended
    }
}

/// A request on its way. It is counted when this is dropped: as abandoned, unless something else was noted.
#[derive(Debug)]
pub(super) struct InFlight {
    requests: Arc<Requests>,
    job: JobName,
    begun: Instant,
    outcome: AtomicU8,
}

impl InFlight {
    /// The whole answer has come.
    pub(super) fn answered(&self) {
        self.outcome.store(ANSWERED, Ordering::Relaxed);
    }

    /// It has failed so.
    pub(super) fn failed(&self, failure: Failure) {
        self.outcome.store(place(failure), Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.requests.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = Instant::now();
        let known = self.requests.known.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        known.last_ended = Some(now);
        let tally = known.jobs.entry(self.job.clone()).or_default();
        tally.note(self.outcome.load(Ordering::Relaxed), now - self.begun);
    }
}

impl Client {
    /// What became of its requests.
    #[must_use]
    pub(crate) const fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> JobName {
        JobName::parse(name).unwrap()
    }

    /// Guarantee: Candid
    #[tokio::test(start_paused = true)]
    async fn a_request_is_counted_once_by_what_became_of_it_and_by_how_long_it_took() {
        let requests = Arc::new(Requests::default());
        let (first, second) = (requests.begin(&job("a")), requests.begin(&job("a")));
        assert_eq!((requests.in_flight(), requests.last_ended()), (2, None));
        tokio::time::advance(Duration::from_secs(2)).await;
        first.answered();
        drop(first);
        tokio::time::advance(Duration::from_secs(3_000)).await;
        // What came at last is what counts.
        second.answered();
        second.failed(Failure::WrongKey);
        drop(second);
        drop(requests.begin(&job("b")));
        assert_eq!(requests.in_flight(), 0);
        let tally = requests.of(&job("a"));
        let number = |name| {
            let at = OUTCOMES.iter().position(|&known| known == name).unwrap();
            tally.outcomes[at]
        };
        assert_eq!((number("answered"), number("wrong_key")), (1, 1));
        assert_eq!(tally.all(), 2);
        // One is longer than all bounds.
        assert_eq!(tally.within.iter().sum::<u64>(), 1);
        assert_eq!(tally.within[5], 1);
        assert_eq!(tally.took, Duration::from_secs(3_004));
        assert_eq!(requests.of(&job("b")).outcomes[usize::from(ABANDONED)], 1);
        assert_eq!(requests.of(&job("c")), Tally::default());
    }

    #[test]
    fn every_failure_has_a_name() {
        assert_eq!(OUTCOMES[usize::from(ANSWERED)], "answered");
        assert_eq!(OUTCOMES[usize::from(ABANDONED)], "abandoned");
        for failure in [
            Failure::Passing,
            Failure::Unreachable,
            Failure::TooSlow,
            Failure::Throttled { wait: None },
            Failure::BadAnswer,
            Failure::WrongKey,
            Failure::Rejected,
            Failure::Refused,
        ] {
            assert!(place(failure) > ANSWERED, "{failure:?}");
        }
    }
}
