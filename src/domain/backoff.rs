//! Backoff between cycles: how long a window, a recheck or a job pauses after it failed.
//! Carries *Isolated* (what keeps failing does not take the turn of others) and *Self-healing* (no
//! pause outlives the clock that began it).
//!
//! Pauses between two attempts within a cycle are [`retry`](super::retry)'s.

use super::span::{Millis, UtcMs};

/// The first pause; each further one is twice as long.
const FIRST: Millis = Millis::from_mins(1);

/// Growing pauses up to a longest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    longest: Millis,
}

impl Backoff {
    /// For a window that is not archived yet: an hour at most, since the service may forget it.
    pub const WINDOW: Self = Self::up_to(Millis::from_hours(1));
    /// For a recheck: a day at most, since nothing is about to be lost.
    pub const RECHECK: Self = Self::up_to(Millis::from_days(1));

    /// Pauses from a minute up to `longest`.
    #[must_use]
    pub const fn up_to(longest: Millis) -> Self {
        Self { longest }
    }

    /// When another try is due after `failures` failures in a row (1 or more), the last one at
    /// `failed_at`.
    #[must_use]
    pub fn next_try(self, failures: u32, failed_at: UtcMs) -> UtcMs {
        let doublings = failures.saturating_sub(1).min(20);
        failed_at.plus(FIRST.times(1 << doublings).min(self.longest))
    }

    /// Whether the pause after these failures is not over at `now`.
    #[must_use]
    pub fn is_paused(self, failures: u32, failed_at: UtcMs, now: UtcMs) -> bool {
        !is_over(self.next_try(failures, failed_at), now, self.longest)
    }
}

/// Whether a pause that ends at `until` is over at `now`. A pause that would last longer than
/// `longest` was begun by a clock that was ahead, and is over too.
#[must_use]
pub(crate) fn is_over(until: UtcMs, now: UtcMs, longest: Millis) -> bool {
    until <= now || until.since(now) > longest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Isolated
    #[test]
    fn a_window_that_keeps_failing_is_tried_at_least_once_an_hour() {
        let minutes: Vec<i64> = (1..9)
            .map(|failures| Backoff::WINDOW.next_try(failures, UtcMs(0)).0 / 60_000)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        let last = Backoff::WINDOW.next_try(u32::MAX, UtcMs(5));
        assert_eq!(last.0, 3_600_005);
        assert_eq!(Backoff::RECHECK.next_try(9, UtcMs(0)).0, 256 * 60_000);
        let last = Backoff::RECHECK.next_try(u32::MAX, UtcMs(5));
        assert_eq!(last.since(UtcMs(5)), Millis::from_days(1));
    }

    #[test]
    fn a_pause_is_over_at_its_end_and_where_it_began_in_the_future() {
        let longest = Millis(60);
        assert!(is_over(UtcMs(100), UtcMs(100), longest));
        assert!(!is_over(UtcMs(100), UtcMs(99), longest));
        assert!(!is_over(UtcMs(100), UtcMs(40), longest));
        assert!(is_over(UtcMs(100), UtcMs(39), longest));
        assert!(is_over(UtcMs(i64::MAX), UtcMs(i64::MIN), longest));
    }
}
