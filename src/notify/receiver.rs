//! One receiver: what waits for it, and the task that tells it one after the other. Whoever has something to tell puts
//! it down and goes on. Carries *Isolated* and *Bounded*.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::tally::{Outcome, Tally, Who};
use crate::domain::notice::backlog::Backlog;
use crate::domain::retry::{Decision, Failure, Policy};

/// How long the log is spared what is known already.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Why one was not delivered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) failure: Failure,
    /// In words, without what is secret.
    pub(super) message: String,
}

/// How a receiver is told.
pub(super) trait Delivery: Send + Sync + 'static {
    /// What it is told.
    type One: Send + Sync;
    /// Where it is.
    type Target: Send + Sync;
    const WHO: Who;
    const POLICY: Policy;
    /// How many may wait.
    const MOST: usize;

    /// Tries once. `hurry` is cancelled when the program ends.
    fn deliver(
        target: &Self::Target,
        one: &Self::One,
        hurry: &CancellationToken,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Whether others give way to it where there is no room.
    fn is_critical(one: &Self::One) -> bool;

    /// Whether what waits need not be told any more, now that there is something `newer`.
    fn is_stale(_waiting: &Self::One, _newer: &Self::One) -> bool {
        false
    }

    /// What else follows when one could not be delivered, for this reason.
    fn failed(_one: &Self::One, _why: &str) -> Option<Consequence> {
        None
    }
}

/// Told on when one could not be delivered.
pub(super) type Consequence = crate::domain::notice::Event;

/// A receiver.
pub(super) struct Receiver<D: Delivery> {
    state: Mutex<State<D>>,
    wake: Notify,
    tally: Arc<Tally>,
    /// Cancelled when nothing more comes: what waits is the last.
    last: CancellationToken,
    /// Cancelled when there is no time left to try again.
    hurry: CancellationToken,
    /// Who is told what follows from a failure.
    then: Box<dyn Fn(Consequence) + Send + Sync>,
}

struct State<D: Delivery> {
    waiting: Backlog<D::One>,
    target: Option<Arc<D::Target>>,
    is_busy: bool,
    /// How many were given up because the program ends.
    left: u64,
    failed: Trouble,
    dropped: Trouble,
}

fn tell_failed<D: Delivery>(failed: u64, why: &str) {
    tracing::warn!(
        receiver = D::WHO.name(),
        failed,
        "a notice could not be delivered, and no window waits for it: {why}"
    );
}

/// What is wrong, and how much of it the log has not said.
#[derive(Default)]
struct Trouble {
    untold: u64,
    told: Option<Instant>,
}

impl Trouble {
    /// One more. Returns how many there are to tell of, if it is time.
    fn one_more(&mut self) -> Option<u64> {
        self.untold += 1;
        let is_time = self.told.is_none_or(|told| told.elapsed() >= BETWEEN_LINES);
        is_time.then(|| {
            self.told = Some(Instant::now());
            std::mem::take(&mut self.untold)
        })
    }
}

impl<D: Delivery> Receiver<D> {
    /// Nowhere yet. What follows from a failure is for `then`.
    pub(super) fn new(
        tally: &Arc<Tally>,
        then: impl Fn(Consequence) + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Backlog::of(D::MOST),
                target: None,
                is_busy: false,
                left: 0,
                failed: Trouble::default(),
                dropped: Trouble::default(),
            }),
            wake: Notify::new(),
            tally: Arc::clone(tally),
            last: CancellationToken::new(),
            hurry: CancellationToken::new(),
            then: Box::new(then),
        }
    }

    /// Where it is from now on; what waits is told there. Nothing waits for nowhere.
    pub(super) fn is_at(&self, target: Option<Arc<D::Target>>) {
        let mut state = self.state();
        match &target {
            None => state.waiting.retain(|_| false),
            Some(_) => self.tally.is_used(D::WHO),
        }
        state.target = target;
    }

    /// Whether there is anybody to tell.
    pub(super) fn is_there(&self) -> bool {
        self.state().target.is_some()
    }

    /// Whether something is not told yet.
    pub(super) fn waits(&self) -> bool {
        let state = self.state();
        state.is_busy || state.waiting.len() > 0
    }

    /// Tells this as soon as it is its turn. Nobody waits for that.
    pub(super) fn tell(&self, one: D::One) {
        let mut state = self.state();
        if state.target.is_none() {
            return;
        }
        state.waiting.retain(|waiting| !D::is_stale(waiting, &one));
        if state.waiting.push(one, D::is_critical).is_some() {
            self.tally.count(D::WHO, Outcome::Dropped, 1);
            if let Some(dropped) = state.dropped.one_more() {
                tracing::warn!(
                    receiver = D::WHO.name(),
                    dropped,
                    "notices are dropped: {} wait already",
                    D::MOST
                );
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Tells what waits, until nothing more comes.
    pub(super) async fn work(&self) {
        while let Some((one, target)) = self.next().await {
            self.deliver(&one, target).await;
            self.state().is_busy = false;
        }
    }

    /// Nothing more comes: [`Receiver::work`] ends once what waits is told.
    pub(super) fn no_more(&self) {
        self.last.cancel();
    }

    /// What waits is tried once more and no longer.
    pub(super) fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Drops what waits still, and says so. The task must have ended.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        let is_busy = std::mem::take(&mut state.is_busy);
        let waiting = state.waiting.len() as u64 + u64::from(is_busy);
        let left = waiting + std::mem::take(&mut state.left);
        let dropped = left + std::mem::take(&mut state.dropped.untold);
        state.waiting.retain(|_| false);
        let failed = std::mem::take(&mut state.failed.untold);
        if failed > 0 {
            tell_failed::<D>(failed, "as the one that was told of before");
        }
        self.tally.count(D::WHO, Outcome::Dropped, left);
        if dropped > 0 {
            tracing::warn!(
                receiver = D::WHO.name(),
                dropped,
                "notices are dropped: the program ends"
            );
        }
    }

    async fn next(&self) -> Option<(D::One, Arc<D::Target>)> {
        loop {
            let is_last = self.last.is_cancelled();
            {
                let mut state = self.state();
                if let Some(target) = state.target.clone()
                    && let Some(one) = state.waiting.pop()
                {
                    state.is_busy = true;
                    return Some((one, target));
                }
            }
            if is_last {
                return None;
            }
            select! {
                () = self.wake.notified() => {}
                () = self.last.cancelled() => {}
            }
        }
    }

    async fn deliver(&self, one: &D::One, mut target: Arc<D::Target>) {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Err(refusal) = D::deliver(&target, one, &self.hurry).await else {
                return self.delivered();
            };
            let next = D::POLICY.next(refusal.failure, attempt, fastrand::f64());
            let (Decision::RetryLater { wait, .. }, false) = (next, self.hurry.is_cancelled())
            else {
                return self.failed(one, &refusal);
            };
            tracing::debug!(
                receiver = D::WHO.name(),
                attempt,
                wait_ms = wait.0,
                "not told: {}",
                refusal.message
            );
            // Whatever time it names: what comes meanwhile may matter more.
            let wait = wait.min(D::POLICY.longest.max(D::POLICY.quota));
            select! {
                () = sleep(wait.to_std()) => {}
                () = self.hurry.cancelled() => {}
            }
            let state = self.state();
            if state.waiting.has(|newer| D::is_stale(one, newer)) {
                return;
            }
            match &state.target {
                Some(now) => target = Arc::clone(now),
                None => return,
            }
        }
    }

    fn delivered(&self) {
        self.tally.count(D::WHO, Outcome::Delivered, 1);
        let mut state = self.state();
        if std::mem::take(&mut state.failed).told.is_some() {
            tracing::info!(receiver = D::WHO.name(), "the receiver is told again");
        }
    }

    fn failed(&self, one: &D::One, refusal: &Refusal) {
        if refusal.failure == Failure::Stopped {
            self.state().left += 1;
            return;
        }
        self.tally.count(D::WHO, Outcome::Failed, 1);
        if let Some(failed) = self.state().failed.one_more() {
            tell_failed::<D>(failed, &refusal.message);
        }
        if let Some(consequence) = D::failed(one, &refusal.message) {
            (self.then)(consequence);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
