//! What the jobs have shown last. Jobs write it, whoever asks reads it, each under a lock that is held for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::facts::{AccountFacts, Facts, JobFacts, Running, Totals};
use super::health::{Verdict, health};
use crate::clock::Clock;
use crate::domain::job::{AccountName, Job, JobName};
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Window;
use crate::elsa::client::Client;
use crate::job::{JobRunner, Outcome, Progress};
use crate::ledger::outline::Outline;
use crate::ledger::replay::Replay;
use crate::notify::Tally as Notices;

/// For how long it counts how much space was free; a file system that hangs does not say.
const SPACE_COUNTS: Duration = Duration::from_secs(60);

/// What the jobs have shown last.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    started: UtcMs,
    known: Mutex<Known>,
    /// What became of notices.
    notices: OnceLock<Arc<Notices>>,
    /// Told when a cycle has ended.
    pub(super) looked: Notify,
}

#[derive(Debug, Default)]
struct Known {
    max_lag: Millis,
    jobs: BTreeMap<JobName, Seen>,
    accounts: BTreeMap<AccountName, Arc<Client>>,
    free: Option<(u64, Instant)>,
}

/// A job as it was seen last.
#[derive(Clone, Debug)]
struct Seen {
    job: Arc<Job>,
    /// Why it can't run.
    why: Option<Arc<str>>,
    /// Its ledger; `None` while it does not run.
    outline: Option<Arc<Outline>>,
    /// Counters never go back, whatever is published anew or goes missing.
    totals: Totals,
    is_open: bool,
    has_failed: bool,
    looked: Option<UtcMs>,
    running: Option<Instant>,
    progress: Option<Instant>,
}

impl Watch {
    /// Of the enabled ones of `jobs`, of which each is to be covered up to `max_lag` ago.
    #[must_use]
    pub(crate) fn new(jobs: &[Job], max_lag: Millis, clock: Clock) -> Self {
        let enabled = jobs.iter().filter(|job| job.enabled);
        let seen = enabled.map(|job| (job.name.clone(), Seen::of(Arc::new(job.clone()))));
        Self {
            started: clock.now(),
            clock,
            known: Mutex::new(Known {
                max_lag,
                jobs: seen.collect(),
                ..Known::default()
            }),
            notices: OnceLock::new(),
            looked: Notify::new(),
        }
    }

    /// Notices are counted there.
    pub(crate) fn counts(&self, notices: Arc<Notices>) {
        // There is one a process.
        let _ = self.notices.set(notices);
    }

    /// Takes note of the account of a job that runs.
    pub(crate) fn know(&self, runner: &JobRunner) {
        let (account, client) = (runner.job().account.clone(), Arc::clone(runner.client()));
        self.known().accounts.insert(account, client);
    }

    /// The jobs of the configuration that is in force from now on, each to be covered up to `max_lag` ago.
    pub(crate) fn is_about(&self, jobs: &[Job], max_lag: Millis) {
        let enabled = || jobs.iter().filter(|job| job.enabled);
        let names: BTreeSet<&JobName> = enabled().map(|job| &job.name).collect();
        let accounts: BTreeSet<&AccountName> = enabled().map(|job| &job.account).collect();
        let mut known = self.known();
        known.max_lag = max_lag;
        known.jobs.retain(|name, _| names.contains(name));
        known.accounts.retain(|name, _| accounts.contains(name));
        for job in enabled() {
            let seen = known.jobs.entry(job.name.clone());
            seen.or_insert_with(|| Seen::of(Arc::new(job.clone())));
        }
    }

    /// A job that can't run, for this reason: what it has shown before is no longer true.
    pub(crate) fn is_out(&self, job: &JobName, why: &str) {
        self.note(job, |seen| {
            seen.why = Some(why.into());
            (seen.outline, seen.running, seen.is_open) = (None, None, false);
        });
    }

    /// So many bytes are free where the archive is.
    pub(super) fn has_free(&self, bytes: u64) {
        self.known().free = Some((bytes, Instant::now()));
    }

    /// Whether no cycle hangs, as `/healthz` says it.
    pub(crate) fn makes_progress(&self) -> bool {
        health(&self.facts()) == Verdict::Well
    }

    /// All that is known, as it is now.
    pub(super) fn facts(&self) -> Facts {
        let (now, at) = (self.clock.now(), Instant::now());
        // Of what is the account's, nothing is asked under this lock: a job may wait for it.
        let (seen, clients, free, max_lag) = {
            let known = self.known();
            let seen: Vec<Seen> = known.jobs.values().cloned().collect();
            (seen, known.accounts.clone(), known.free, known.max_lag)
        };
        let jobs = seen.into_iter().map(|seen| {
            let client = clients.get(&seen.job.account);
            let requests = client.map(|client| client.requests());
            let last = requests.and_then(|requests| requests.last_ended());
            JobFacts {
                requests: requests.map(|requests| requests.of(&seen.job.name)),
                // No window is due by a clock that is ahead of the service's.
                now: client.map_or(now, |client| client.now().min(now)),
                running: seen.running.map(|since| Running {
                    quiet: length(since.max(seen.progress.max(last).unwrap_or(since)), at),
                    since: length(since, at),
                }),
                job: seen.job,
                why: seen.why,
                outline: seen.outline,
                totals: seen.totals,
                is_open: seen.is_open,
                has_failed: seen.has_failed,
                looked: seen.looked,
            }
        });
        let jobs: Vec<JobFacts> = jobs.collect();
        let accounts = clients.iter().map(|(name, client)| {
            let mut of_account = jobs.iter().filter(|facts| facts.job.account == *name);
            AccountFacts {
                name: name.clone(),
                in_flight: client.requests().in_flight(),
                is_open: client.availability().is_down() || of_account.any(|facts| facts.is_open),
            }
        });
        let accounts = accounts.collect();
        let free = free.filter(|(_, seen)| at.duration_since(*seen) < SPACE_COUNTS);
        Facts {
            now,
            started: self.started,
            max_lag,
            accounts,
            notices: self
                .notices
                .get()
                .map(|notices| notices.all())
                .unwrap_or_default(),
            free_bytes: free.map(|(bytes, _)| bytes),
            jobs,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, job: &JobName, note: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.known().jobs.get_mut(job) {
            note(seen);
        }
    }
}

impl Seen {
    const fn of(job: Arc<Job>) -> Self {
        Self {
            job,
            why: None,
            outline: None,
            totals: Totals {
                records: 0,
                bytes: 0,
            },
            is_open: false,
            has_failed: false,
            looked: None,
            running: None,
            progress: None,
        }
    }
}

impl Progress for Watch {
    fn began(&self, job: &Job) {
        let at = Instant::now();
        self.note(&job.name, |seen| seen.running = Some(at));
    }

    fn done(&self, job: &Job, _window: Window) {
        let at = Instant::now();
        self.note(&job.name, |seen| seen.progress = Some(at));
    }

    fn ended(&self, job: &Job, outcome: &Outcome) {
        let now = self.clock.now();
        self.note(&job.name, |seen| {
            seen.running = None;
            seen.looked = Some(now);
            seen.has_failed = outcome.error.is_some();
        });
        self.looked.notify_one();
    }

    fn shows(&self, job: &Arc<Job>, replay: &Replay, is_open: bool) {
        let outline = Arc::new(Outline::of(replay));
        let mut known = self.known();
        let seen = known.jobs.entry(job.name.clone());
        let seen = seen.or_insert_with(|| Seen::of(Arc::clone(job)));
        seen.job = Arc::clone(job);
        seen.totals = Totals {
            records: seen.totals.records.max(outline.records),
            bytes: seen.totals.bytes.max(outline.bytes),
        };
        seen.why = None;
        seen.outline = Some(outline);
        seen.is_open = is_open;
    }
}

fn length(since: Instant, now: Instant) -> Millis {
    let passed = now.saturating_duration_since(since).as_millis();
    Millis(i64::try_from(passed).unwrap_or(i64::MAX))
}
