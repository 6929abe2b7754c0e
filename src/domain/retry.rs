//! What to do after a failed attempt, as data: the table of `ELSA-API.md` made into decisions.

use super::circuit_breaker::Remedy;
use super::span::Millis;

/// What a failed attempt means, whatever its wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A fault of network or service that passes: torn stream, 5xx.
    Passing,
    /// No connection at all, so that no other request would do better.
    Unreachable,
    /// No answer in time; the span may be too big (504, errorCode 510, our own deadlines).
    TooSlow,
    /// The account sends too many requests; how long it has to wait.
    Throttled {
        /// From `Retry-After`, where it was given.
        wait: Option<Millis>,
    },
    /// The account's quota is used up; how long it has to wait.
    QuotaExceeded {
        /// From `Retry-After`, where it was given.
        wait: Option<Millis>,
    },
    /// The answer came whole but is not what was asked for: no zip, a damaged or hostile one.
    BadAnswer,
    /// The gateway refused the signature because the clocks disagree.
    ClockSkew {
        /// The service's clock minus ours.
        skew: Millis,
    },
    /// The gateway does not accept the key.
    WrongKey,
    /// This request is refused, which says nothing of the job's others: what was not found may
    /// be a window without logs (`ELSA-API.md`, *Unknown*), a bad request one beyond retention.
    Rejected,
    /// Every request of the job is refused until the operator changes something.
    Refused,
    /// The answer does not fit the disk, although there was space before it came.
    NoRoom {
        /// How many bytes it takes, if known.
        bytes: u64,
    },
    /// A fault of this machine: disk full, permission, no such folder.
    Local,
    /// The program is being stopped.
    Stopped,
}

impl Failure {
    /// Whether the service itself has answered, whatever it said.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !matches!(
            self,
            Self::Passing | Self::Unreachable | Self::TooSlow | Self::Local | Self::Stopped
        )
    }

    /// Whether the service has not said anything of what it was asked, so that it may be down. What is
    /// too slow may be too big.
    #[must_use]
    pub const fn is_silence(self) -> bool {
        matches!(self, Self::Passing | Self::Unreachable)
    }

    /// Whether the service has refused what it was asked, so that it is not down.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        self.is_answer() && !matches!(self, Self::BadAnswer)
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask again at once; the next attempt is signed with a clock moved by `skew`.
    RetryNow {
        /// The service's clock minus ours.
        skew: Millis,
    },
    /// Ask again after a pause.
    RetryLater {
        /// Milliseconds to wait.
        wait: Millis,
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

/// How often one span is requested within a cycle, and with which pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many attempts there are, at least 1.
    pub attempts: u32,
    /// Pause after the first failure; each further failure doubles it.
    pub base: Millis,
    /// Longest pause.
    pub longest: Millis,
    /// Pause after a quota was exceeded and no time was named.
    pub quota: Millis,
}

impl Default for Policy {
    /// Five attempts within about half a minute: long enough for a restart of a gateway, short
    /// enough that the next cycle, not this one, waits out an outage.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Millis::from_secs(1),
            longest: Millis::from_secs(30),
            quota: Millis::from_mins(1),
        }
    }
}

impl Policy {
    /// Decides after `attempt` (1 for the first) has failed. `jitter` is a random number in
    /// [0, 1) that keeps many jobs from asking in step; a pause is between half of its nominal
    /// length and all of it. A time that the service named is never shortened, but made longer by
    /// at most [`Policy::base`].
    #[must_use]
    pub fn next(self, failure: Failure, attempt: u32, jitter: f64) -> Decision {
        let last = attempt >= self.attempts;
        match failure {
            Failure::WrongKey | Failure::Refused => Decision::GiveUpJob(Remedy::Operator),
            Failure::Local => Decision::GiveUpJob(Remedy::Time),
            Failure::Rejected | Failure::NoRoom { .. } | Failure::Stopped => Decision::GiveUpWindow,
            // A skew is measured against the clock that signed, so each one is news; a service
            // whose own clocks disagree must not keep us busy for ever.
            Failure::ClockSkew { .. } if last => Decision::GiveUpJob(Remedy::Time),
            Failure::ClockSkew { skew } => Decision::RetryNow { skew },
            Failure::Unreachable | Failure::Throttled { .. } | Failure::QuotaExceeded { .. }
                if last =>
            {
                Decision::GiveUpJob(Remedy::Time)
            }
            // Once may be chance; time spent is often size.
            Failure::TooSlow if attempt >= 2 || last => Decision::AskForLess,
            _ if last => Decision::GiveUpWindow,
            Failure::Throttled { wait } => Decision::RetryLater {
                wait: self.named_or(wait, self.pause(attempt, jitter), jitter),
                whole_account: true,
            },
            Failure::QuotaExceeded { wait } => Decision::RetryLater {
                wait: self.named_or(wait, self.quota.plus(self.base.part(jitter)), jitter),
                whole_account: true,
            },
            Failure::Passing | Failure::Unreachable | Failure::TooSlow | Failure::BadAnswer => {
                Decision::RetryLater {
                    wait: self.pause(attempt, jitter),
                    whole_account: false,
                }
            }
        }
    }

    fn pause(self, attempt: u32, jitter: f64) -> Millis {
        let doublings = attempt.saturating_sub(1).min(30);
        let nominal = self.base.times(1 << doublings).min(self.longest);
        let half = Millis(nominal.0 / 2);
        half.plus(half.part(jitter))
    }

    /// The time that the service named, where it is longer than `own`, and a bit: others that were
    /// told the same must not come back at the same moment.
    fn named_or(self, named: Option<Millis>, own: Millis, jitter: f64) -> Millis {
        match named.map(|named| named.min(LONGEST_NAMED_WAIT)) {
            Some(named) if named >= own => named.plus(self.base.part(jitter)),
            _ => own,
        }
    }
}

/// The longest time that a cycle waits because the service says so; the next cycle waits out the
/// rest.
pub const LONGEST_NAMED_WAIT: Millis = Millis::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        attempts: 4,
        base: Millis::from_secs(1),
        longest: Millis::from_secs(3),
        quota: Millis::from_mins(1),
    };

    fn wait(decision: Decision) -> Millis {
        match decision {
            Decision::RetryLater { wait, .. } => wait,
            other => panic!("no wait: {other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_only_shortens_them() {
        let waits: Vec<Millis> = (1..4)
            .map(|attempt| wait(POLICY.next(Failure::Passing, attempt, 1.0)))
            .collect();
        assert_eq!(waits, [1000, 2000, 3000].map(Millis));
        assert_eq!(wait(POLICY.next(Failure::Passing, 1, 0.0)), Millis(500));
    }

    /// Guarantee: Isolated
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
        let throttled = Failure::Throttled { wait: None };
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

    /// Guarantee: Bounded
    #[test]
    fn a_time_that_the_service_named_is_waited_in_full_by_the_whole_account() {
        let throttled = Failure::Throttled {
            wait: Some(Millis(7000)),
        };
        assert_eq!(
            POLICY.next(throttled, 1, 0.0),
            Decision::RetryLater {
                wait: Millis(7000),
                whole_account: true
            }
        );
        assert_eq!(wait(POLICY.next(throttled, 1, 0.999)), Millis(7999));
        let endless = Failure::Throttled {
            wait: Some(Millis::MAX),
        };
        assert_eq!(wait(POLICY.next(endless, 1, 0.0)), LONGEST_NAMED_WAIT);
        assert_eq!(
            wait(POLICY.next(Failure::QuotaExceeded { wait: None }, 1, 0.0)),
            Millis(60_000)
        );
    }

    /// Guarantee: Isolated
    #[test]
    fn a_skewed_clock_is_corrected_and_a_wrong_key_is_never_retried() {
        let skewed = Failure::ClockSkew {
            skew: Millis(-400_000),
        };
        assert_eq!(
            POLICY.next(skewed, 1, 0.0),
            Decision::RetryNow {
                skew: Millis(-400_000)
            }
        );
        let for_somebody = Decision::GiveUpJob(Remedy::Operator);
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

    /// Guarantee: Isolated
    #[test]
    fn what_does_not_fit_the_disk_is_left_and_a_disk_that_fails_ends_the_job_s_cycle() {
        let too_much = Failure::NoRoom { bytes: 1 };
        assert_eq!(POLICY.next(too_much, 1, 0.0), Decision::GiveUpWindow);
        let for_time = Decision::GiveUpJob(Remedy::Time);
        assert_eq!(POLICY.next(Failure::Local, 1, 0.0), for_time);
    }
}
