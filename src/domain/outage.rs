//! Whether the service is down for all jobs of an account. Windows that failed after all their attempts,
//! with none answered in between, show it: then nothing is asked for but one request after each of growing
//! pauses, until one is answered. Carries *Bounded* and *Isolated*: one window that fails does not show
//! it, and what fails for one job alone holds no other job up.
//!
//! It lives in memory alone, so a start asks for everything.

use std::collections::{BTreeMap, BTreeSet};

use super::backoff::Backoff;
use super::job::JobName;
use super::span::{Millis, UtcMs};

/// How many windows must fail. Two may be chance; more would only ask a service that is down more often.
const WINDOWS: usize = 3;

/// A recovery must be noticed soon.
const PAUSES: Backoff = Backoff::up_to(Millis::from_mins(5));

/// What a job may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Whatever it wants.
    Free,
    /// One window, with one request, to see whether it is over.
    Probe,
    /// Nothing, for this reason.
    Held(String),
}

/// An outage for `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// When the first of the windows failed.
    pub since: UtcMs,
    /// When it was asked last.
    pub last: UtcMs,
    /// When it is asked next.
    pub next: UtcMs,
    /// The last failure, for the operator.
    pub message: String,
    /// The jobs of which windows have failed.
    pub jobs: Vec<JobName>,
}

/// What is known of one account.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    /// The windows, by their begin, that failed since the last answer.
    failed: BTreeMap<JobName, BTreeSet<UtcMs>>,
    since: Option<UtcMs>,
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    /// How many times it was found down, 1 or more.
    times: u32,
    last: UtcMs,
    message: String,
    /// Who is asking whether it is over.
    prober: Option<JobName>,
}

impl Outage {
    /// What `job` may ask for at `now`. Somebody who `asks` is not kept waiting by a pause.
    #[must_use]
    pub fn gate(&self, job: &JobName, now: UtcMs, asks: bool) -> Gate {
        let Some(open) = self.open.as_ref().filter(|_| self.concerns(job)) else {
            return Gate::Free;
        };
        let is_paused = PAUSES.is_paused(open.times, open.last, now);
        match open.prober.is_some() || (is_paused && !asks) {
            true => Gate::Held(open.message.clone()),
            false => Gate::Probe,
        }
    }

    /// Whether it is known to be down, for `job` too.
    #[must_use]
    pub fn holds(&self, job: &JobName) -> bool {
        self.open.is_some() && self.concerns(job)
    }

    /// Whether one more window of this job that fails would show it. Then it should be one that has
    /// least in common with the others.
    #[must_use]
    pub fn is_suspected(&self, job: &JobName) -> bool {
        self.open.is_none() && self.failed.contains_key(job) && self.windows() + 1 >= WINDOWS
    }

    /// Where windows of one job alone have failed, it may be that job's project.
    fn concerns(&self, job: &JobName) -> bool {
        self.failed.len() > 1 || self.failed.contains_key(job)
    }

    fn windows(&self) -> usize {
        self.failed.values().map(BTreeSet::len).sum()
    }

    /// `job` asks whether it is over.
    pub fn begin_probe(&mut self, job: &JobName) {
        if let Some(open) = &mut self.open {
            open.prober = Some(job.clone());
        }
    }

    /// `job` does not ask any more. Returns whether nothing had come of it.
    pub fn end_probe(&mut self, job: &JobName, now: UtcMs) -> bool {
        let Some(open) = self
            .open
            .as_mut()
            .filter(|open| open.prober.as_ref() == Some(job))
        else {
            return false;
        };
        open.prober = None;
        open.last = now;
        true
    }

    /// An attempt of `job` has failed, and the service said nothing. Where it is known to be down, that
    /// is enough.
    pub fn failed(&mut self, job: &JobName, message: &str, now: UtcMs) {
        if let Some(open) = &mut self.open
            && open.prober.as_ref() == Some(job)
        {
            open.prober = None;
            open.times = open.times.saturating_add(1);
            open.last = now;
            open.message = message.to_owned();
        }
    }

    /// The window of `job` that begins at `from` is given up, after the last of its attempts. Returns
    /// whether that has shown that the service is down.
    pub fn given_up(&mut self, job: &JobName, from: UtcMs, message: &str, now: UtcMs) -> bool {
        self.since.get_or_insert(now);
        self.failed.entry(job.clone()).or_default().insert(from);
        if self.open.is_some() || self.windows() < WINDOWS {
            return false;
        }
        self.open = Some(Open {
            times: 1,
            last: now,
            message: message.to_owned(),
            prober: None,
        });
        true
    }

    /// The service has answered `job`. Returns how long it was down, where that was known and is over.
    pub fn answered(&mut self, job: &JobName, now: UtcMs) -> Option<Millis> {
        if self.open.is_some() && !self.concerns(job) {
            return None;
        }
        let was_open = self.open.take().is_some();
        self.failed.clear();
        let since = self.since.take()?;
        was_open.then(|| now.since(since).max(Millis::ZERO))
    }

    /// `job` is no more: what it has shown counts no longer. Returns whether that has changed anything.
    pub fn forget(&mut self, job: &JobName) -> bool {
        if self.failed.remove(job).is_none() {
            return false;
        }
        if let Some(open) = &mut self.open
            && open.prober.as_ref() == Some(job)
        {
            open.prober = None;
        }
        if self.failed.is_empty() {
            (self.since, self.open) = (None, None);
        }
        true
    }

    /// What is known, while it is down.
    #[must_use]
    pub fn down(&self) -> Option<Down> {
        let open = self.open.as_ref()?;
        Some(Down {
            since: self.since.unwrap_or(open.last),
            last: open.last,
            next: PAUSES.next_try(open.times, open.last),
            message: open.message.clone(),
            jobs: self.failed.keys().cloned().collect(),
        })
    }

    /// How long until `job` may ask again, by `now`; `None` while it need not, or somebody asks.
    #[must_use]
    pub fn wait(&self, job: &JobName, now: UtcMs) -> Option<Millis> {
        let open = self.open.as_ref().filter(|_| self.concerns(job))?;
        if open.prober.is_some() {
            return None;
        }
        match PAUSES.is_paused(open.times, open.last, now) {
            true => Some(PAUSES.next_try(open.times, open.last).since(now)),
            false => Some(Millis::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn job(name: &str) -> JobName {
        JobName::parse(name).unwrap()
    }

    /// Guarantee: Isolated
    #[test]
    fn what_a_job_that_is_no_more_has_shown_counts_no_longer() {
        let mut alone = down_for(&["a", "a", "a"]);
        alone.begin_probe(&job("a"));
        assert!(!alone.forget(&job("b")));
        assert!(alone.forget(&job("a")));
        assert_eq!(alone.down(), None);
        // As at the first start: one window is not enough.
        assert!(!alone.given_up(&job("a"), UtcMs(0), "503", UtcMs(9)));

        // It is down for whoever else has shown it, and for nobody who has not.
        let mut shared = down_for(&["a", "a", "b"]);
        assert!(shared.holds(&job("c")));
        shared.begin_probe(&job("a"));
        assert!(shared.forget(&job("a")));
        assert_eq!(shared.down().unwrap().jobs, [job("b")]);
        assert!(!shared.holds(&job("c")));
        // Nobody waits for one who asks no more.
        assert!(shared.wait(&job("b"), UtcMs(0)).is_some());
    }

    fn down_for(jobs: &[&str]) -> Outage {
        let mut outage = Outage::default();
        let opened: Vec<bool> = (0..WINDOWS)
            .map(|at| {
                let name = job(jobs[at % jobs.len()]);
                outage.given_up(&name, UtcMs(at as i64), "503", UtcMs(0))
            })
            .collect();
        assert_eq!(opened, [false, false, true]);
        outage
    }

    /// Guarantee: Isolated
    #[test]
    fn one_window_that_fails_however_often_shows_nothing_nor_do_several_with_an_answer_between() {
        let mut outage = Outage::default();
        let (a, b) = (job("a"), job("b"));
        for _ in 0..100 {
            assert!(!outage.given_up(&a, UtcMs(7), "500", UtcMs(0)));
        }
        for from in 8..100 {
            assert!(!outage.given_up(&a, UtcMs(from), "500", UtcMs(0)));
            assert_eq!(outage.answered(&b, UtcMs(0)), None);
        }
        assert_eq!(outage.gate(&a, UtcMs(0), false), Gate::Free);
    }

    /// Guarantee: Bounded
    #[test]
    fn a_service_that_is_down_is_asked_by_one_at_a_time_in_pauses_that_grow_to_five_minutes() {
        let mut outage = down_for(&["a", "b"]);
        let (a, other) = (job("a"), job("other"));
        let mut asked = Vec::new();
        for second in 0..40 * 60 {
            let now = UtcMs(second * 1000);
            if outage.gate(&other, now, false) != Gate::Probe {
                continue;
            }
            assert_eq!(outage.wait(&other, now), Some(Millis::ZERO));
            outage.begin_probe(&other);
            assert_eq!(outage.gate(&a, now, true), Gate::Held("503".into()));
            assert_eq!(outage.wait(&other, now), None);
            // Who else was under way counts for nothing.
            outage.failed(&a, "late", now);
            outage.failed(&other, "503", now);
            outage.end_probe(&other, now);
            asked.push(second / 60);
        }
        assert_eq!(asked, [1, 3, 7, 12, 17, 22, 27, 32, 37]);
        let took = outage.answered(&other, UtcMs(41 * MINUTE));
        assert_eq!(took, Some(Millis::from_mins(41)));
        assert_eq!(outage.answered(&a, UtcMs(42 * MINUTE)), None);
        assert_eq!(outage.gate(&a, UtcMs(42 * MINUTE), false), Gate::Free);
    }

    /// Guarantee: Isolated
    #[test]
    fn what_fails_for_one_job_alone_holds_no_other_up_and_is_over_when_that_job_is_answered() {
        let mut outage = down_for(&["a"]);
        let (a, b) = (job("a"), job("b"));
        assert!(outage.holds(&a) && !outage.holds(&b));
        assert_eq!(outage.gate(&b, UtcMs(0), false), Gate::Free);
        assert_eq!(outage.answered(&b, UtcMs(MINUTE)), None);
        assert!(outage.holds(&a));
        // Until it fails for another one too.
        outage.given_up(&b, UtcMs(9), "503", UtcMs(MINUTE));
        assert!(outage.holds(&b) && outage.holds(&job("c")));
        assert!(outage.answered(&b, UtcMs(MINUTE)).is_some());
        assert!(!outage.holds(&a));
    }

    #[test]
    fn a_probe_that_comes_to_nothing_is_followed_by_the_same_pause() {
        let mut outage = down_for(&["a", "b"]);
        let a = job("a");
        outage.begin_probe(&a);
        outage.end_probe(&job("b"), UtcMs(MINUTE));
        assert_eq!(outage.wait(&a, UtcMs(MINUTE)), None);
        outage.end_probe(&a, UtcMs(MINUTE));
        assert_eq!(outage.wait(&a, UtcMs(MINUTE)), Some(Millis::from_mins(1)));
        // A clock that was ahead holds nobody up.
        assert_eq!(outage.wait(&a, UtcMs(-99 * MINUTE)), Some(Millis::ZERO));
        assert_eq!(outage.gate(&a, UtcMs(MINUTE), true), Gate::Probe);
    }

    #[test]
    fn the_last_window_before_it_is_known_is_chosen_with_care() {
        let mut outage = Outage::default();
        let (a, b) = (job("a"), job("b"));
        for (from, suspected) in [(1, false), (1, false), (2, true)] {
            outage.given_up(&a, UtcMs(from), "500", UtcMs(0));
            assert_eq!(outage.is_suspected(&a), suspected);
            assert!(!outage.is_suspected(&b));
        }
    }
}
