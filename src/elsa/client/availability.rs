//! Whether the service is down for an account, shared by all its jobs, and who is told when that changes.
//! `domain/outage.rs` decides. Carries *Bounded* and *Isolated*.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::domain::account::Endpoint;
use crate::domain::job::JobName;
use crate::domain::outage::{Down, Gate, Outage};
use crate::domain::span::{Millis, UtcMs};

/// What is known of the service.
#[derive(Debug)]
pub struct Availability {
    endpoint: Endpoint,
    clock: Clock,
    known: Mutex<Known>,
    /// The number of changes so far.
    changes: watch::Sender<u64>,
    /// For whoever watches.
    is_down: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    outage: Outage,
    /// How often an outage was over.
    recoveries: u64,
    /// The change that was written down last.
    written: u64,
}

impl Availability {
    pub(super) fn new(endpoint: Endpoint, clock: Clock) -> Self {
        Self {
            endpoint,
            clock,
            known: Mutex::default(),
            changes: watch::Sender::new(0),
            is_down: AtomicBool::new(false),
        }
    }

    /// What `job` may ask for now. Somebody who `asks` is not kept waiting by a pause.
    #[must_use]
    pub fn gate(&self, job: &JobName, asks: bool) -> Gate {
        self.known().outage.gate(job, self.clock.now(), asks)
    }

    /// Whether the service is known to be down, for `job` too.
    #[must_use]
    pub fn holds(&self, job: &JobName) -> bool {
        self.known().outage.holds(job)
    }

    /// The outage for which `job` is held up.
    #[must_use]
    pub fn down_for(&self, job: &JobName) -> Option<Down> {
        let known = self.known();
        known.outage.down().filter(|_| known.outage.holds(job))
    }

    /// Whether one more window of `job` that fails would show that it is down.
    #[must_use]
    pub fn is_suspected(&self, job: &JobName) -> bool {
        self.known().outage.is_suspected(job)
    }

    /// Whether it is known to be down for any job. It waits for nobody, as the others may who write down what is known.
    #[must_use]
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// How often an outage was over since the start.
    #[must_use]
    pub fn recoveries(&self) -> u64 {
        self.known().recoveries
    }

    /// How often anything has changed since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        *self.changes.borrow()
    }

    /// `job` asks whether it is over, unless somebody does or it is too early. It must say when it has
    /// ended.
    #[must_use]
    pub fn begin_probe(&self, job: &JobName, asks: bool) -> bool {
        let mut known = self.known();
        let may = known.outage.gate(job, self.clock.now(), asks) == Gate::Probe;
        if may {
            known.outage.begin_probe(job);
            self.changed();
        }
        may
    }

    /// `job` does not ask any more.
    pub fn end_probe(&self, job: &JobName) {
        let mut known = self.known();
        if known.outage.end_probe(job, self.clock.now()) {
            self.changed();
        }
    }

    /// `job` is no more, so what it has shown counts no longer.
    pub(crate) fn forget(&self, job: &JobName) {
        let mut known = self.known();
        if known.outage.forget(job) {
            self.is_down
                .store(known.outage.down().is_some(), Ordering::Relaxed);
            self.changed();
        }
    }

    /// The service has answered `job`.
    pub fn answered(&self, job: &JobName) {
        let mut known = self.known();
        if let Some(length) = known.outage.answered(job, self.clock.now()) {
            known.recoveries += 1;
            self.is_down.store(false, Ordering::Relaxed);
            tracing::warn!(
                endpoint = %self.endpoint,
                "the service answers again after {}; what is due goes on in all jobs of the account",
                minutes(length)
            );
            self.changed();
        }
    }

    /// The service has refused what `job` asked for: so it is not down, whatever else is wrong.
    pub fn refused(&self, job: &JobName) {
        if self.holds(job) {
            self.answered(job);
        }
    }

    /// An attempt of `job` has failed without a word of the service. Returns whether no other is worth it.
    #[must_use]
    pub fn failed(&self, job: &JobName, message: &str) -> bool {
        let mut known = self.known();
        if !known.outage.holds(job) {
            return false;
        }
        known.outage.failed(job, message, self.clock.now());
        self.changed();
        true
    }

    /// The window of `job` that begins at `from` has failed for good, without a word of the service.
    /// Returns whether the service is down.
    #[must_use]
    pub fn given_up(&self, job: &JobName, from: UtcMs, message: &str) -> bool {
        let mut known = self.known();
        let now = self.clock.now();
        if known.outage.given_up(job, from, message, now) {
            self.is_down.store(true, Ordering::Relaxed);
            let jobs = known.outage.down().map_or(0, |down| down.jobs.len());
            tracing::error!(
                endpoint = %self.endpoint,
                jobs,
                "the service does not answer, so it is asked by one request after pauses of 1 to 5 \
                 minutes until it does; `status` shows it: {message}"
            );
            self.changed();
        }
        known.outage.failed(job, message, now);
        known.outage.holds(job)
    }

    /// Ends when a look of `job` may be worth while, although no schedule says so: when it may ask whether
    /// the outage is over, at a change after `declined`, or when one is over that `recoveries` did not
    /// count yet.
    pub async fn turn(&self, job: &JobName, recoveries: u64, declined: Option<u64>) {
        let mut changes = self.changes.subscribe();
        loop {
            let change = *changes.borrow_and_update();
            let (wait, is_over) = {
                let known = self.known();
                let wait = known.outage.wait(job, self.clock.now());
                (wait, known.recoveries != recoveries)
            };
            if is_over {
                return;
            }
            let changed = changes.changed();
            match wait.filter(|_| declined != Some(change)) {
                // The sender lives as long as this does.
                None => drop(changed.await),
                // A timer would take a moment to say so.
                Some(wait) if wait <= Millis::ZERO => return,
                Some(wait) => tokio::select! {
                    _ = changed => {}
                    () = sleep(wait.to_std()) => return,
                },
            }
        }
    }

    /// Has `write` keep what is known, where that has changed since the last time. It writes one at a time.
    pub fn write_down<E>(
        &self,
        write: impl FnOnce(Option<Down>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut known = self.known();
        let change = self.changes();
        if known.written != change {
            known.written = change;
            write(known.outage.down())?;
        }
        Ok(())
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A length of time, in whole minutes from two on.
fn minutes(length: Millis) -> String {
    match length.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Guarantee: Candid
    #[test]
    fn the_log_says_once_that_the_service_is_down_and_once_how_long_it_was() {
        let log = Log::default();
        let to = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || to.clone())
            .finish();
        let now = Arc::new(AtomicI64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || UtcMs(now.load(Ordering::Relaxed))
        });
        let endpoint = Endpoint::parse("http://127.0.0.1:9").unwrap();
        let availability = Availability::new(endpoint, clock);
        let jobs = ["a", "b"].map(|name| JobName::parse(name).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            for from in 0..9 {
                let _ = availability.given_up(&jobs[from as usize % 2], UtcMs(from), "503");
            }
            for minute in [10, 41, 42] {
                now.store(minute * 60_000, Ordering::Relaxed);
                match minute {
                    10 => assert!(availability.failed(&jobs[0], "503")),
                    _ => availability.answered(&jobs[0]),
                }
            }
        });
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(log.contains("answers again after 41 min"), "{log}");
        assert_eq!(availability.recoveries(), 1);
    }
}
