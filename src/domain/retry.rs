//! What to do after a failed attempt, as data: the table of `ELSA-API.md` made into decisions.

use super::span::UtcMs;

/// What a failed attempt means, whatever its wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A fault of network or service that passes: torn stream, 5xx.
    Passing,
    /// No connection at all, so that no other request would do better.
    Unreachable,
    /// No answer in time; the span may be too big (504, errorCode 510, our own deadlines).
    TooSlow,
    /// The account asks too often; how long it was told to wait, in milliseconds.
    Throttled {
        /// From `Retry-After`, where it was given.
        wait_ms: Option<i64>,
    },
    /// The account's quota is used up; how long it was told to wait, in milliseconds.
    QuotaExceeded {
        /// From `Retry-After`, where it was given.
        wait_ms: Option<i64>,
    },
    /// The answer came whole but is not what was asked for: no zip, a damaged or hostile one.
    BadAnswer,
    /// The gateway refused the signature because the clocks disagree.
    ClockSkew {
        /// The service's clock minus ours, in milliseconds.
        skew_ms: i64,
    },
    /// The gateway does not accept the key.
    WrongKey,
    /// This request is refused, which says nothing of the job's others: what was not found may
    /// be a window without logs (`ELSA-API.md`, *Unknown*), a bad request one beyond retention.
    Rejected,
    /// Whatever the job asks for is refused until somebody changes something.
    Refused,
    /// The answer does not fit the disk, on which there was space before it came.
    NoRoom {
        /// How many bytes it takes, as far as that is known.
        bytes: u64,
    },
    /// A fault of this machine: disk full, permission, no such folder.
    Local,
}

impl Failure {
    /// Whether the service itself has answered, whatever it said.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !matches!(
            self,
            Self::Passing | Self::Unreachable | Self::TooSlow | Self::Local
        )
    }
}

/// What may end a failure that all windows of a job share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Time: a network comes back, a service recovers.
    Time,
    /// Somebody, who corrects a key or grants a permission.
    Somebody,
}

impl Remedy {
    /// The longest pause between two looks at the job, in milliseconds.
    #[must_use]
    pub const fn longest_pause_ms(self) -> i64 {
        match self {
            // What is back again has to be noticed soon.
            Self::Time => 4 * 60_000,
            Self::Somebody => LONGEST_PAUSE_MS,
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask again at once; the next attempt is signed with a clock moved by `skew_ms`.
    RetryNow {
        /// The service's clock minus ours, in milliseconds.
        skew_ms: i64,
    },
    /// Ask again after a pause.
    RetryLater {
        /// Milliseconds to wait.
        wait_ms: i64,
        /// Whether every job of the account has to wait, not only this one.
        whole_account: bool,
    },
    /// Ask for smaller spans; where that is not possible, as [`Self::GiveUpWindow`].
    AskForLess,
    /// Leave this window for a later cycle and go on with the next one.
    GiveUpWindow,
    /// Leave the rest of this job for a later cycle: its other windows would fail alike.
    GiveUpJob(Remedy),
}

/// How often and how patiently one span is asked for within a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Most attempts, at least 1.
    pub attempts: u32,
    /// Pause after the first failure, in milliseconds; it doubles with each further one.
    pub base_ms: i64,
    /// Longest pause, in milliseconds.
    pub longest_ms: i64,
    /// Pause after a quota was exceeded and no time was named, in milliseconds.
    pub quota_ms: i64,
}

impl Default for Policy {
    /// Five attempts within about half a minute: long enough for a restart of a gateway, short
    /// enough that the next cycle, not this one, waits out an outage.
    fn default() -> Self {
        Self {
            attempts: 5,
            base_ms: 1_000,
            longest_ms: 30_000,
            quota_ms: 60_000,
        }
    }
}

impl Policy {
    /// Decides after `attempt` (1 for the first) has failed. `jitter` is a random number in
    /// [0, 1) that keeps many jobs from asking in step; a pause is between half of its nominal
    /// length and all of it. A time that the service named is never shortened, but made longer by
    /// at most [`Policy::base_ms`].
    #[must_use]
    pub fn next(self, failure: Failure, attempt: u32, jitter: f64) -> Decision {
        let last = attempt >= self.attempts;
        match failure {
            Failure::WrongKey | Failure::Refused => Decision::GiveUpJob(Remedy::Somebody),
            Failure::Local => Decision::GiveUpJob(Remedy::Time),
            Failure::Rejected | Failure::NoRoom { .. } => Decision::GiveUpWindow,
            // A skew is measured against the clock that signed, so each one is news; a service
            // whose own clocks disagree must not keep us busy for ever.
            Failure::ClockSkew { .. } if last => Decision::GiveUpJob(Remedy::Time),
            Failure::ClockSkew { skew_ms } => Decision::RetryNow { skew_ms },
            Failure::Unreachable | Failure::Throttled { .. } | Failure::QuotaExceeded { .. }
                if last =>
            {
                Decision::GiveUpJob(Remedy::Time)
            }
            // Once may be chance; time spent is often size.
            Failure::TooSlow if attempt >= 2 || last => Decision::AskForLess,
            _ if last => Decision::GiveUpWindow,
            Failure::Throttled { wait_ms } => Decision::RetryLater {
                wait_ms: self.named_or(wait_ms, self.pause(attempt, jitter), jitter),
                whole_account: true,
            },
            Failure::QuotaExceeded { wait_ms } => Decision::RetryLater {
                wait_ms: self.named_or(
                    wait_ms,
                    self.quota_ms + part_of(self.base_ms, jitter),
                    jitter,
                ),
                whole_account: true,
            },
            Failure::Passing | Failure::Unreachable | Failure::TooSlow | Failure::BadAnswer => {
                Decision::RetryLater {
                    wait_ms: self.pause(attempt, jitter),
                    whole_account: false,
                }
            }
        }
    }

    fn pause(self, attempt: u32, jitter: f64) -> i64 {
        let doublings = attempt.saturating_sub(1).min(30);
        let nominal = self
            .base_ms
            .saturating_mul(1 << doublings)
            .min(self.longest_ms);
        let half = nominal / 2;
        half + part_of(half, jitter)
    }

    /// The time that the service named, where it is longer than `own_ms`, and a bit: others that
    /// were told the same must not come back at the same moment.
    fn named_or(self, named_ms: Option<i64>, own_ms: i64, jitter: f64) -> i64 {
        match named_ms.map(|ms| ms.min(LONGEST_NAMED_WAIT_MS)) {
            Some(named_ms) if named_ms >= own_ms => named_ms + part_of(self.base_ms, jitter),
            _ => own_ms,
        }
    }
}

fn part_of(ms: i64, jitter: f64) -> i64 {
    (ms as f64 * jitter.clamp(0.0, 1.0)) as i64
}

/// The longest pause between two tries of a window, in milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 3_600_000;
/// The same for a recheck.
pub const LONGEST_RECHECK_PAUSE_MS: i64 = 24 * 3_600_000;

/// When a window that has failed in `failures` cycles (1 or more), the last time at `failed_at`,
/// is worth another try: growing pauses, from a minute to an hour.
#[must_use]
pub fn next_try(failures: u32, failed_at: UtcMs) -> UtcMs {
    failed_at.plus(growing_pause(failures, LONGEST_PAUSE_MS))
}

/// The same for a recheck, of which nothing is about to be lost: up to a day.
#[must_use]
pub fn next_recheck(failures: u32, failed_at: UtcMs) -> UtcMs {
    failed_at.plus(growing_pause(failures, LONGEST_RECHECK_PAUSE_MS))
}

/// The same for a whole job of which `failures` cycles in a row were ended by a failure that all its
/// windows share: up to what its remedy allows.
#[must_use]
pub fn next_look(remedy: Remedy, failures: u32, failed_at: UtcMs) -> UtcMs {
    failed_at.plus(growing_pause(failures, remedy.longest_pause_ms()))
}

/// Whether a pause that ends at `next` is over; one that is longer than any was begun by a clock
/// that was ahead.
#[must_use]
pub fn is_over(next: Option<UtcMs>, now: UtcMs, longest_ms: i64) -> bool {
    next.is_none_or(|next| next <= now || next.0.saturating_sub(now.0) > longest_ms)
}

fn growing_pause(failures: u32, longest_ms: i64) -> i64 {
    const FIRST_MS: i64 = 60_000;
    let doublings = failures.saturating_sub(1).min(20);
    (FIRST_MS << doublings).min(longest_ms)
}

/// Longest that a cycle waits because it was told to; beyond it the next cycle is soon enough.
pub const LONGEST_NAMED_WAIT_MS: i64 = 15 * 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        attempts: 4,
        base_ms: 1000,
        longest_ms: 3000,
        quota_ms: 60_000,
    };

    fn wait(decision: Decision) -> i64 {
        match decision {
            Decision::RetryLater { wait_ms, .. } => wait_ms,
            other => panic!("no wait: {other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_only_shortens_them() {
        let waits: Vec<i64> = (1..4)
            .map(|attempt| wait(POLICY.next(Failure::Passing, attempt, 1.0)))
            .collect();
        assert_eq!(waits, [1000, 2000, 3000]);
        assert_eq!(wait(POLICY.next(Failure::Passing, 1, 0.0)), 500);
    }

    #[test]
    fn the_last_attempt_leaves_the_window_to_a_later_cycle() {
        assert_eq!(
            POLICY.next(Failure::Passing, 4, 0.5),
            Decision::GiveUpWindow
        );
        assert_eq!(
            POLICY.next(Failure::BadAnswer, 4, 0.5),
            Decision::GiveUpWindow
        );
        let throttled = Failure::Throttled { wait_ms: None };
        let ended = Decision::GiveUpJob(Remedy::Time);
        assert_eq!(POLICY.next(throttled, 4, 0.5), ended);
        assert_eq!(POLICY.next(Failure::Unreachable, 4, 0.5), ended);
    }

    #[test]
    fn what_takes_too_long_twice_is_asked_for_in_smaller_spans() {
        assert!(matches!(
            POLICY.next(Failure::TooSlow, 1, 0.5),
            Decision::RetryLater { .. }
        ));
        assert_eq!(POLICY.next(Failure::TooSlow, 2, 0.5), Decision::AskForLess);
    }

    #[test]
    fn a_time_that_the_service_named_is_waited_in_full_by_the_whole_account() {
        let throttled = Failure::Throttled {
            wait_ms: Some(7000),
        };
        assert_eq!(
            POLICY.next(throttled, 1, 0.0),
            Decision::RetryLater {
                wait_ms: 7000,
                whole_account: true
            }
        );
        assert_eq!(wait(POLICY.next(throttled, 1, 0.999)), 7999);
        let endless = Failure::Throttled {
            wait_ms: Some(i64::MAX),
        };
        assert_eq!(wait(POLICY.next(endless, 1, 0.0)), LONGEST_NAMED_WAIT_MS);
        assert_eq!(
            wait(POLICY.next(Failure::QuotaExceeded { wait_ms: None }, 1, 0.0)),
            60_000
        );
    }

    #[test]
    fn a_skewed_clock_is_corrected_and_a_wrong_key_is_never_retried() {
        let skewed = Failure::ClockSkew { skew_ms: -400_000 };
        assert_eq!(
            POLICY.next(skewed, 1, 0.0),
            Decision::RetryNow { skew_ms: -400_000 }
        );
        let for_somebody = Decision::GiveUpJob(Remedy::Somebody);
        assert_eq!(
            POLICY.next(skewed, 4, 0.0),
            Decision::GiveUpJob(Remedy::Time)
        );
        assert_eq!(POLICY.next(Failure::WrongKey, 1, 0.0), for_somebody);
        assert_eq!(POLICY.next(Failure::Refused, 1, 0.0), for_somebody);
        assert_eq!(
            POLICY.next(Failure::Rejected, 1, 0.0),
            Decision::GiveUpWindow
        );
    }

    #[test]
    fn what_does_not_fit_the_disk_is_left_and_a_disk_that_fails_ends_the_job_s_cycle() {
        let too_much = Failure::NoRoom { bytes: 1 };
        assert_eq!(POLICY.next(too_much, 1, 0.0), Decision::GiveUpWindow);
        let for_time = Decision::GiveUpJob(Remedy::Time);
        assert_eq!(POLICY.next(Failure::Local, 1, 0.0), for_time);
    }

    #[test]
    fn a_window_that_keeps_failing_is_tried_at_least_once_an_hour() {
        let minutes: Vec<i64> = (1..9)
            .map(|failures| next_try(failures, UtcMs(0)).0 / 60_000)
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next_try(u32::MAX, UtcMs(5)).0, 3_600_005);
        assert_eq!(next_recheck(9, UtcMs(0)).0, 256 * 60_000);
        assert_eq!(
            next_recheck(u32::MAX, UtcMs(5)).0,
            LONGEST_RECHECK_PAUSE_MS + 5
        );
    }

    #[test]
    fn a_job_that_needs_somebody_is_left_alone_for_longer_than_one_that_needs_time() {
        let minutes = |remedy| {
            let next = |failures| next_look(remedy, failures, UtcMs(0)).0 / 60_000;
            (1..9).map(next).collect::<Vec<_>>()
        };
        assert_eq!(minutes(Remedy::Time), [1, 2, 4, 4, 4, 4, 4, 4]);
        assert_eq!(minutes(Remedy::Somebody), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next_look(Remedy::Somebody, u32::MAX, UtcMs(5)).0, 3_600_005);
    }

    #[test]
    fn a_pause_is_over_at_its_end_and_where_it_began_in_the_future() {
        assert!(is_over(None, UtcMs(0), 60));
        assert!(is_over(Some(UtcMs(100)), UtcMs(100), 60));
        assert!(!is_over(Some(UtcMs(100)), UtcMs(99), 60));
        assert!(!is_over(Some(UtcMs(100)), UtcMs(40), 60));
        assert!(is_over(Some(UtcMs(100)), UtcMs(39), 60));
        assert!(is_over(Some(UtcMs(i64::MAX)), UtcMs(i64::MIN), 60));
    }
}
