//! How fast an archive grows, and how long what is free lasts.

use super::coverage::Coverage;
use super::span::{Millis, Span, UtcMs};

/// How much of what was logged last counts: a week has its busy days and its quiet ones.
const LOOK_BACK: Millis = Millis::from_days(7);

/// Less tells nothing: an hour of the night is not a day.
const LEAST: Millis = Millis::from_days(1);

/// What a job's windows of the last seven days of its coverage take on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    since: UtcMs,
    archived: Coverage,
    bytes: u64,
}

impl Growth {
    /// Nothing yet, of a job whose newest archived instant is `end`.
    pub(crate) fn until(end: UtcMs) -> Self {
        Self {
            since: end.minus(LOOK_BACK),
            archived: Coverage::new(),
            bytes: 0,
        }
    }

    /// Where that time begins: what was recorded before it does not count.
    pub(crate) const fn since(&self) -> UtcMs {
        self.since
    }

    /// Takes in a folder. One that was published anew takes its bytes once more.
    pub(crate) fn note(&mut self, window: Span, bytes: u64) {
        if window.from() >= self.since {
            self.archived.add(window);
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Bytes for a day of logs; `None` where less than a day is archived of that time.
    pub(crate) fn bytes_per_day(&self) -> Option<u64> {
        let lengths = self.archived.spans().map(|span| span.length().0);
        let length = Millis(lengths.sum());
        let days = length.0 as f64 / Millis::from_days(1).0 as f64;
        (length >= LEAST).then(|| (self.bytes as f64 / days).round() as u64)
    }
}

/// For how long `free` bytes last, of which `reserved` stay free, where each day takes so many. `None` where they last for
/// longer than a hundred years.
pub(crate) fn lasts(free: u64, reserved: u64, bytes_per_day: u64) -> Option<Millis> {
    const LONGEST: f64 = 100.0 * 365.0;
    let days = free.saturating_sub(reserved) as f64 / bytes_per_day as f64;
    (days <= LONGEST).then(|| Millis((days * Millis::from_days(1).0 as f64) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn days(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from * DAY), UtcMs(to * DAY)).unwrap()
    }

    /// Guarantee: Candid
    #[test]
    fn a_week_counts_and_less_than_a_day_tells_nothing() {
        let mut growth = Growth::until(UtcMs(10 * DAY));
        assert_eq!(growth.bytes_per_day(), None);
        growth.note(days(0, 3), 1_000_000);
        assert_eq!(growth.bytes_per_day(), None, "that is longer ago");
        let half = Span::new(UtcMs(9 * DAY), UtcMs(9 * DAY + DAY / 2)).unwrap();
        growth.note(half, 50);
        assert_eq!(growth.bytes_per_day(), None);
        growth.note(Span::new(half.to(), UtcMs(10 * DAY)).unwrap(), 50);
        assert_eq!(growth.bytes_per_day(), Some(100));
        // What is not archived between is no quiet day.
        growth.note(days(4, 5), 300);
        assert_eq!(growth.bytes_per_day(), Some(200));
        // The same window once more takes no more time, but space.
        growth.note(days(4, 5), 200);
        assert_eq!(growth.bytes_per_day(), Some(300));
    }

    #[test]
    fn what_must_stay_free_does_not_last() {
        assert_eq!(lasts(1100, 100, 500), Some(Millis(2 * DAY)));
        assert_eq!(lasts(100, 100, 500), Some(Millis::ZERO));
        assert_eq!(lasts(50, 100, 500), Some(Millis::ZERO));
        assert_eq!(lasts(u64::MAX, 0, 1), None);
        assert_eq!(lasts(1 << 40, 0, 0), None, "nothing is logged");
    }
}
