//! Instants, lengths of time and half-open spans: the one algebra of time that everything uses.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant, in UTC milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMs(pub i64);

impl UtcMs {
    /// This instant moved forward; saturates at the ends of the range.
    #[must_use]
    pub const fn plus(self, length: Millis) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// This instant moved back; saturates at the ends of the range.
    #[must_use]
    pub const fn minus(self, length: Millis) -> Self {
        Self(self.0.saturating_sub(length.0))
    }

    /// The time from `earlier` to this instant; negative when `earlier` is the later one. Saturates.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
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

/// The zone in which instants are shown to people; UTC until it is known.
static SHOWN_IN: RwLock<Option<TimeZone>> = RwLock::new(None);

/// Shows instants in this zone from now on, in the whole process: a message is made in many places, and whoever
/// reads it has one clock. Nothing that a program reads goes by it.
pub(crate) fn show_instants_in(zone: TimeZone) {
    *SHOWN_IN.write().unwrap_or_else(PoisonError::into_inner) = Some(zone);
}

/// RFC 3339 with the offset of the zone that instants are shown in, and with as many fractional digits as
/// needed, or as are asked for. For people alone: what is kept is written in UTC, whatever is shown.
impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = self.timestamp();
        match &*SHOWN_IN.read().unwrap_or_else(PoisonError::into_inner) {
            Some(zone) => {
                let offset = zone.to_offset(timestamp);
                fmt::Display::fmt(&timestamp.display_with_offset(offset), f)
            }
            None => fmt::Display::fmt(&timestamp, f),
        }
    }
}

/// A length of time, in whole milliseconds; negative where it is a difference.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest length there is.
    pub const MAX: Self = Self(i64::MAX);

    /// So many seconds; saturates.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many minutes; saturates.
    #[must_use]
    pub const fn from_mins(minutes: i64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// So many hours; saturates.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// So many times 24 hours; saturates.
    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        Self::from_hours(days.saturating_mul(24))
    }

    /// Both together; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// So many times this length; saturates.
    #[must_use]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// A share of this length, `part` from 0 to 1; values outside are pulled to the nearer end.
    #[must_use]
    pub fn part(self, part: f64) -> Self {
        Self((self.0 as f64 * part.clamp(0.0, 1.0)) as i64)
    }

    /// Whole seconds, rounded towards zero.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0 / 1000
    }

    /// This length for timers; a negative one is none.
    #[must_use]
    pub fn to_std(self) -> Duration {
        Duration::from_millis(self.0.try_into().unwrap_or(0))
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

    /// Its length, at least a millisecond.
    #[must_use]
    pub const fn length(self) -> Millis {
        self.to.since(self.from)
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
        assert_eq!(
            Span::new(UtcMs(5), UtcMs(6)).map(Span::length),
            Some(Millis(1))
        );
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
