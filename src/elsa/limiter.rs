//! The limits of one account, shared by all its jobs: requests in flight at once, requests begun
//! in a second, and the pauses that the service asks for; and how its jobs share them. Carries *Bounded* and
//! *Isolated*.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The limiter of one account.
#[derive(Debug)]
pub(crate) struct Limiter {
    slots: Arc<Semaphore>,
    seats: Seats,
    interval: Duration,
    rate: Mutex<Rate>,
}

#[derive(Debug)]
struct Rate {
    /// When the next request may begin.
    next: Instant,
    /// Before this nothing begins at all.
    held_until: Instant,
}

/// The permit for one request in flight; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The windows that jobs of the account have in flight beside their first ones: together fewer than there may be
/// requests. Each job waits for one at a time, and they are given in the order of asking, so in turn: a job with a
/// thousand windows has no more of them than another, and the requests before those of a job's first window are
/// at most those of the other jobs' first ones and `max_in_flight` more. So the requests themselves may begin in the order of
/// asking.
#[derive(Clone, Debug)]
pub(crate) struct Seats(Arc<Semaphore>);

/// One more window in flight; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    fn beside_the_first(max_in_flight: u32) -> Self {
        let more = max_in_flight.saturating_sub(1) as usize;
        Self(Arc::new(Semaphore::new(more)))
    }

    /// The one that each job has for its first window, whatever others do.
    pub(crate) fn of_one_job() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// One that is free and for which nobody waits.
    pub(crate) fn free(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Seat { _permit: permit })
    }

    /// Waits for one; `None` never comes, since nobody ends them.
    pub(crate) async fn next(self) -> Option<Seat> {
        let permit = self.0.acquire_owned().await.ok()?;
        Some(Seat { _permit: permit })
    }
}

impl Limiter {
    /// At most `max_in_flight` requests at once (at least 1), and `per_second` begun in a second
    /// (above 0).
    #[must_use]
    pub(crate) fn new(max_in_flight: u32, per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::ZERO);
        let now = Instant::now();
        Self {
            slots: Arc::new(Semaphore::new(max_in_flight.max(1) as usize)),
            seats: Seats::beside_the_first(max_in_flight),
            interval,
            rate: Mutex::new(Rate {
                next: now,
                held_until: now,
            }),
        }
    }

    /// The windows in flight beside each job's first one.
    pub(crate) const fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Waits until a request may begin, in the order of asking.
    pub(crate) async fn slot(&self) -> Slot {
        // The semaphore is never closed; without a permit the rate alone would bound.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        let mut start = self.place_after(None);
        loop {
            sleep_until(start).await;
            let Some(held_until) = self.held_beyond(start) else {
                return Slot { _permit: permit };
            };
            // A pause was asked for meanwhile. After it they begin one by one again, not together.
            start = self.place_after(Some(held_until));
        }
    }

    /// Takes the next free instant, not before `earliest`.
    fn place_after(&self, earliest: Option<Instant>) -> Instant {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let start = rate.next.max(earliest.unwrap_or_else(Instant::now));
        rate.next = start + self.interval;
        start
    }

    /// The end of a pause that is not over at `start`.
    fn held_beyond(&self, start: Instant) -> Option<Instant> {
        let rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        (rate.held_until > start).then_some(rate.held_until)
    }

    /// Lets nothing begin for `wait`.
    pub(crate) fn hold(&self, wait: Duration) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        rate.held_until = rate.held_until.max(until);
        rate.next = rate.next.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Bounded
    #[tokio::test(start_paused = true)]
    async fn requests_begin_no_faster_than_the_rate() {
        let limiter = Limiter::new(10, 4.0);
        let begun = Instant::now();
        for _ in 0..5 {
            drop(limiter.slot().await);
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    /// Guarantee: Bounded
    #[tokio::test(start_paused = true)]
    async fn no_more_are_under_way_than_allowed() {
        let limiter = Arc::new(Limiter::new(2, 1000.0));
        let (first, _second) = (limiter.slot().await, limiter.slot().await);
        let third = tokio::time::timeout(Duration::from_secs(60), limiter.slot());
        assert!(third.await.is_err());
        drop(first);
        let third = tokio::time::timeout(Duration::from_secs(60), limiter.slot());
        assert!(third.await.is_ok());
    }

    /// Guarantee: Bounded
    /// Guarantee: Isolated
    #[tokio::test(start_paused = true)]
    async fn jobs_with_a_backlog_share_the_seats_in_turn_whoever_came_first() {
        let seats = Limiter::new(5, 1.0).seats().clone();
        // One job has taken all that there are, and goes on asking; then another one comes.
        let mut held: [Vec<Seat>; 2] = [(0..4).filter_map(|_| seats.free()).collect(), Vec::new()];
        assert_eq!(held[0].len(), 4);
        assert!(seats.free().is_none());
        let mut waiting = [0, 1].map(|_| tokio::spawn(seats.clone().next()));
        tokio::task::yield_now().await;
        for ended in [0, 0, 0, 0, 0, 1, 0, 1] {
            held[ended].pop();
            // It is another's that waits, so nobody can go before.
            assert!(seats.free().is_none());
            for (job, wait) in waiting.iter_mut().enumerate() {
                tokio::task::yield_now().await;
                if wait.is_finished() {
                    let next = tokio::spawn(seats.clone().next());
                    let seat = std::mem::replace(wait, next).await.unwrap().unwrap();
                    held[job].push(seat);
                }
            }
            tokio::task::yield_now().await;
            assert_eq!(held[0].len() + held[1].len(), 4);
        }
        assert_eq!([held[0].len(), held[1].len()], [2, 2]);
    }

    /// Guarantee: Bounded
    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_also_those_who_wait_already() {
        let limiter = Arc::new(Limiter::new(3, 1.0));
        drop(limiter.slot().await);
        let begun = Instant::now();
        let waiting = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move {
                drop(limiter.slot().await);
                begun.elapsed()
            }
        });
        tokio::task::yield_now().await;
        limiter.hold(Duration::from_secs(30));
        drop(limiter.slot().await);
        assert!(begun.elapsed() >= Duration::from_secs(30));
        assert!(waiting.await.unwrap() >= Duration::from_secs(30));
    }

    /// Guarantee: Bounded
    #[tokio::test(start_paused = true)]
    async fn those_who_waited_out_a_pause_begin_one_by_one() {
        let limiter = Arc::new(Limiter::new(10, 4.0));
        drop(limiter.slot().await);
        let begun = Instant::now();
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                tokio::spawn(async move {
                    drop(limiter.slot().await);
                    begun.elapsed()
                })
            })
            .collect();
        tokio::task::yield_now().await;
        limiter.hold(Duration::from_secs(30));
        let mut ended = Vec::new();
        for task in waiting {
            ended.push(task.await.unwrap().as_millis());
        }
        ended.sort_unstable();
        assert_eq!(ended, [30_000, 30_250, 30_500, 30_750]);
    }
}
