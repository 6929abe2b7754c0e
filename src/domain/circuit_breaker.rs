//! The circuit breaker of a job. A failure that all windows share opens it, and the daemon asks for
//! none of them until a pause is over. Then it is half-open: one window is tried. An archived
//! window closes it. Carries *Bounded* (a wrong key is not tried at each firing of the schedule).
//!
//! It lives in memory alone. A restart is how an operator changes a key, so it starts half-open.

use super::backoff::Backoff;
use super::span::{Millis, UtcMs};

/// What can end a failure that all windows of a job share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Time: a network comes back, a service recovers.
    Time,
    /// The operator, who corrects a key or grants a permission.
    Operator,
}

impl Remedy {
    /// The pauses between two looks at the job.
    #[must_use]
    pub const fn backoff(self) -> Backoff {
        match self {
            // A recovery must be noticed soon.
            Self::Time => Backoff::up_to(Millis::from_mins(4)),
            Self::Operator => Backoff::up_to(Millis::from_hours(1)),
        }
    }
}

/// What a job may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'a> {
    /// Every window that is due.
    Closed,
    /// One window, to see whether the failure is over.
    HalfOpen,
    /// Nothing.
    Open {
        /// The failure, for the operator.
        message: &'a str,
    },
}

/// The circuit breaker of one job.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    /// The failures since which no window was archived.
    failures: Option<Failures>,
    /// Whether nothing was tried since the program started.
    is_new: bool,
}

#[derive(Clone, Debug)]
struct Failures {
    remedy: Remedy,
    /// How many times in a row.
    times: u32,
    last: UtcMs,
    message: String,
}

impl Default for CircuitBreaker {
    /// Half-open.
    fn default() -> Self {
        Self {
            failures: None,
            is_new: true,
        }
    }
}

impl CircuitBreaker {
    /// What may be asked for at `now`, by this machine's clock.
    #[must_use]
    pub fn state(&self, now: UtcMs) -> State<'_> {
        match &self.failures {
            Some(known) if known.is_paused(now) => State::Open {
                message: &known.message,
            },
            Some(_) => State::HalfOpen,
            None if self.is_new => State::HalfOpen,
            None => State::Closed,
        }
    }

    /// Something is tried now: the start alone no longer makes it half-open.
    pub const fn tried(&mut self) {
        self.is_new = false;
    }

    /// A failure that all windows share, and that `remedy` may end, happened at `now`.
    pub fn open(&mut self, remedy: Remedy, message: &str, now: UtcMs) {
        let before = self.failures.take();
        let times = before.map_or(0, |before| match before.remedy == remedy {
            true => before.times,
            false => 0,
        });
        self.failures = Some(Failures {
            remedy,
            times: times.saturating_add(1),
            last: now,
            message: message.to_owned(),
        });
    }

    /// A window was archived, or proved to be archived.
    pub fn close(&mut self) {
        self.failures = None;
    }

    /// Time has helped: the service is not down any more, or is asked whether it is.
    pub fn give_time_a_try(&mut self) {
        self.failures.take_if(|known| known.remedy == Remedy::Time);
    }

    /// Since a failure that all windows share: when something is tried again, and the failure.
    #[must_use]
    pub fn pause(&self) -> Option<(UtcMs, &str)> {
        let known = self.failures.as_ref()?;
        let until = known.remedy.backoff().next_try(known.times, known.last);
        Some((until, &known.message))
    }

    /// Whether no such failure is known since the last archived window.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.failures.is_none()
    }
}

impl Failures {
    fn is_paused(&self, now: UtcMs) -> bool {
        self.remedy.backoff().is_paused(self.times, self.last, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Bounded
    #[test]
    fn a_job_that_needs_the_operator_is_left_alone_for_longer_than_one_that_needs_time() {
        let minutes = |remedy: Remedy| {
            let next = |failures| remedy.backoff().next_try(failures, UtcMs(0)).0 / 60_000;
            (1..9).map(next).collect::<Vec<_>>()
        };
        assert_eq!(minutes(Remedy::Time), [1, 2, 4, 4, 4, 4, 4, 4]);
        assert_eq!(minutes(Remedy::Operator), [1, 2, 4, 8, 16, 32, 60, 60]);
        let last = Remedy::Operator.backoff().next_try(u32::MAX, UtcMs(5));
        assert_eq!(last.0, 3_600_005);
    }

    #[test]
    fn it_starts_half_open_opens_for_growing_pauses_and_closes_at_the_first_success() {
        let minute = 60_000;
        let mut breaker = CircuitBreaker::default();
        assert_eq!(breaker.state(UtcMs(0)), State::HalfOpen);
        breaker.tried();
        assert_eq!(breaker.state(UtcMs(0)), State::Closed);
        let open = State::Open { message: "down" };
        breaker.open(Remedy::Time, "down", UtcMs(0));
        assert_eq!(breaker.state(UtcMs(minute - 1)), open);
        assert_eq!(breaker.pause(), Some((UtcMs(minute), "down")));
        assert_eq!(breaker.state(UtcMs(minute)), State::HalfOpen);
        breaker.open(Remedy::Time, "down", UtcMs(minute));
        assert_eq!(breaker.state(UtcMs(3 * minute - 1)), open);
        assert_eq!(breaker.state(UtcMs(3 * minute)), State::HalfOpen);
        breaker.close();
        assert_eq!(breaker.pause(), None);
        assert_eq!(breaker.state(UtcMs(3 * minute)), State::Closed);
    }

    #[test]
    fn another_remedy_begins_with_the_shortest_pause() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..5 {
            breaker.open(Remedy::Time, "down", UtcMs(0));
        }
        breaker.open(Remedy::Operator, "wrong key", UtcMs(0));
        assert_eq!(breaker.state(UtcMs(60_000)), State::HalfOpen);
    }

    #[test]
    fn a_pause_that_a_wrong_clock_began_in_the_future_holds_nobody_up() {
        let mut breaker = CircuitBreaker::default();
        breaker.open(Remedy::Operator, "wrong key", UtcMs(i64::MAX / 2));
        assert_eq!(breaker.state(UtcMs(0)), State::HalfOpen);
    }
}
