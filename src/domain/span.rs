//! Instants and half-open spans: the one algebra of time that everything else uses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant, in UTC milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// This instant moved by `ms` milliseconds; saturates at the ends of the range.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This instant as a library timestamp; instants outside its range (years -9999 to 9999)
    /// are pulled to the nearer end.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        let end = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(end)
    }
}

impl From<jiff::Timestamp> for UtcMs {
    /// Rounds down to the millisecond.
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp.as_nanosecond().div_euclid(1_000_000) as i64)
    }
}

/// RFC 3339 in UTC, with as many fractional digits as needed.
impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp())
    }
}

/// A span `[from, to)` of UTC milliseconds that holds at least one millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    from: UtcMs,
    to: UtcMs,
}

impl Span {
    /// The span `[from, to)`; `None` when it would be empty or reversed.
    #[must_use]
    pub const fn new(from: UtcMs, to: UtcMs) -> Option<Self> {
        if from.0 < to.0 {
            Some(Self { from, to })
        } else {
            None
        }
    }

    /// First instant inside.
    #[must_use]
    pub const fn from(self) -> UtcMs {
        self.from
    }

    /// First instant after.
    #[must_use]
    pub const fn to(self) -> UtcMs {
        self.to
    }

    /// Length in milliseconds, at least 1.
    #[must_use]
    pub const fn len_ms(self) -> i64 {
        self.to.0.saturating_sub(self.from.0)
    }

    /// Whether `instant` lies in `[from, to)`.
    #[must_use]
    pub fn contains(self, instant: UtcMs) -> bool {
        self.from <= instant && instant < self.to
    }

    /// Whether every instant of `other` lies inside.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// What both have in common.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_reversed_span_does_not_exist() {
        assert_eq!(Span::new(UtcMs(5), UtcMs(5)), None);
        assert_eq!(Span::new(UtcMs(6), UtcMs(5)), None);
        assert_eq!(Span::new(UtcMs(5), UtcMs(6)).map(Span::len_ms), Some(1));
    }

    #[test]
    fn a_span_holds_its_start_and_not_its_end() {
        let span = Span::new(UtcMs(10), UtcMs(20)).unwrap();
        assert!(span.contains(UtcMs(10)) && span.contains(UtcMs(19)));
        assert!(!span.contains(UtcMs(9)) && !span.contains(UtcMs(20)));
    }

    #[test]
    fn a_timestamp_before_the_epoch_rounds_down() {
        let just_before = jiff::Timestamp::from_nanosecond(-1).unwrap();
        assert_eq!(UtcMs::from(just_before), UtcMs(-1));
    }
}
