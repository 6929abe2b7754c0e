//! Whether the service's `to` is inclusive, decided from what it answers around one known record.
//! Carries *Suspicious*: an answer that could have come about otherwise decides nothing.

use thiserror::Error;

use super::job::{Job, ToBound};
use super::span::{Millis, Span, UtcMs};

const HOUR: Millis = Millis::from_hours(1);
const DAY: Millis = Millis::from_days(1);
/// How far back to look for a record if `retention` is not set.
const REACH: Millis = Millis::from_days(30);

/// Where to look for a record of `job`, the cheapest first: the last settled hour, the last settled
/// day, and everything back to `since` or to what the service has forgotten.
#[must_use]
pub(crate) fn places_to_look(job: &Job, now: UtcMs) -> Vec<Span> {
    let settled = now.minus(job.settle);
    let kept = now.minus(job.retention.unwrap_or(REACH));
    // A job that has only begun still asks for an hour: a record before `since` will do.
    let floor = job.since.max(kept).min(settled.minus(HOUR));
    let begins = [HOUR, DAY, Millis::MAX].map(|length| settled.minus(length).max(floor));
    let mut places: Vec<Span> = begins
        .into_iter()
        .filter_map(|begin| Span::new(begin, settled))
        .collect();
    places.dedup();
    places
}

/// How long it is believed that `to` is inclusive, once an answer has shown it: a service that changes
/// its mind is noticed within a day, for an answer that is thrown away.
const BELIEVED_FOR: Millis = Millis::from_days(1);

/// How a span is asked for. Where the config leaves it to the answers, `to` is the first millisecond
/// after the span: if it is exclusive, that is right. If it is inclusive, an answer without a record at
/// exactly `to` is right all the same, and one with such a record tells (`inclusive_at` is when). Where
/// answers can't tell (`is_blind`), since times are not written to the millisecond or not at all, it is
/// taken for inclusive: no log is doubled.
#[must_use]
pub(crate) fn to_bound(
    configured: Option<ToBound>,
    inclusive_at: Option<UtcMs>,
    is_blind: bool,
    now: UtcMs,
) -> ToBound {
    let is_told = inclusive_at.is_some_and(|at| at <= now && now < at.plus(BELIEVED_FOR));
    configured.unwrap_or(match is_told || is_blind {
        true => ToBound::Inclusive,
        false => ToBound::Exclusive,
    })
}

/// A request near a known record, its `from` and `to` as they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// `to` is the record's millisecond, `from` the one before.
    UpTo,
    /// `from` and `to` are the record's millisecond.
    Alone,
    /// `from` is the record's millisecond, `to` the one after; it has to answer the record.
    From,
}

impl Probe {
    /// The `from` and `to` of the request.
    #[must_use]
    pub(crate) const fn bounds(self, known: UtcMs) -> (UtcMs, UtcMs) {
        match self {
            Self::UpTo => (known.minus(Millis(1)), known),
            Self::Alone => (known, known),
            Self::From => (known, known.plus(Millis(1))),
        }
    }
}

/// What the answer to a probe showed; by default one without records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Whether a record at the known millisecond was in it.
    pub known: bool,
    /// Whether a record before `from` or after `to` was in it.
    pub outside: bool,
    /// Whether it held as many records as it was asked for.
    pub full: bool,
}

/// What the answers to all probes showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sightings {
    /// To [`Probe::UpTo`].
    pub up_to: Shown,
    /// To [`Probe::Alone`].
    pub alone: Shown,
    /// To [`Probe::From`].
    pub from: Shown,
}

/// Why the answers don't show whether `to` is inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Inconclusive {
    /// The service does not keep to spans.
    #[error("the service answers records outside the span that was asked for")]
    OutsideSpan,
    /// The record is not where its time says.
    #[error(
        "asked from the very millisecond of a record on, the service does not answer it; its \
         `logTime` may be written less precisely than it is searched"
    )]
    NotAtItsTime,
    /// The record may have been cut off.
    #[error("there are too many records in one millisecond to see the one in question")]
    Cut,
    /// Two answers contradict each other.
    #[error(
        "asked up to a record's millisecond, and for that millisecond alone, the service answers \
         the record once and once not"
    )]
    Contradiction,
}

/// What the service does with a record at exactly `to`.
///
/// # Errors
/// When the answers could have come about with either meaning.
pub(crate) fn judge(seen: Sightings) -> Result<ToBound, Inconclusive> {
    let all = [seen.up_to, seen.alone, seen.from];
    if all.iter().any(|shown| shown.outside) {
        return Err(Inconclusive::OutsideSpan);
    }
    if all.iter().any(|shown| shown.full && !shown.known) {
        return Err(Inconclusive::Cut);
    }
    match (seen.from.known, seen.up_to.known, seen.alone.known) {
        (false, ..) => Err(Inconclusive::NotAtItsTime),
        (true, true, true) => Ok(ToBound::Inclusive),
        (true, false, false) => Ok(ToBound::Exclusive),
        (true, ..) => Err(Inconclusive::Contradiction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_looked_for_in_an_hour_a_day_and_all_that_may_be_there() {
        let now = UtcMs(100 * DAY.0);
        let job = Job {
            settle: Millis(1000),
            ..crate::domain::plan::tests::job()
        };
        let looks = |job: &Job| -> Vec<i64> {
            let places = places_to_look(job, now);
            assert!(
                places
                    .iter()
                    .all(|place| place.to() == now.minus(Millis(1000)))
            );
            places.into_iter().map(|place| place.from().0).collect()
        };
        let (hour, day) = (now.0 - 1000 - HOUR.0, now.0 - 1000 - DAY.0);
        assert_eq!(looks(&job), [hour, day, 70 * DAY.0]);
        let kept_a_week = Job {
            retention: Some(Millis::from_days(7)),
            ..job.clone()
        };
        assert_eq!(looks(&kept_a_week), [hour, day, 93 * DAY.0]);
        let since_half_a_day = Job {
            since: UtcMs(now.0 - DAY.0 / 2),
            ..job.clone()
        };
        assert_eq!(looks(&since_half_a_day), [hour, now.0 - DAY.0 / 2]);
        let just_begun = Job { since: now, ..job };
        assert_eq!(looks(&just_begun), [hour]);
    }

    const KNOWN: Shown = Shown {
        known: true,
        outside: false,
        full: false,
    };
    const NOTHING: Shown = Shown {
        known: false,
        ..KNOWN
    };

    fn judged(up_to: Shown, alone: Shown, from: Shown) -> Result<ToBound, Inconclusive> {
        judge(Sightings { up_to, alone, from })
    }

    /// Guarantee: Exactly once
    #[test]
    fn to_is_what_all_answers_agree_on() {
        let full = Shown {
            full: true,
            ..KNOWN
        };
        assert_eq!(judged(KNOWN, KNOWN, KNOWN), Ok(ToBound::Inclusive));
        assert_eq!(judged(full, full, full), Ok(ToBound::Inclusive));
        assert_eq!(judged(NOTHING, NOTHING, KNOWN), Ok(ToBound::Exclusive));
        assert_eq!(judged(NOTHING, NOTHING, full), Ok(ToBound::Exclusive));
    }

    /// Guarantee: Exactly once
    #[test]
    fn answers_that_either_meaning_could_give_decide_nothing() {
        let cut = Shown {
            full: true,
            ..NOTHING
        };
        let outside = Shown {
            outside: true,
            ..KNOWN
        };
        for (up_to, alone, from, reason) in [
            (NOTHING, NOTHING, NOTHING, Inconclusive::NotAtItsTime),
            (KNOWN, KNOWN, NOTHING, Inconclusive::NotAtItsTime),
            (KNOWN, NOTHING, KNOWN, Inconclusive::Contradiction),
            (NOTHING, KNOWN, KNOWN, Inconclusive::Contradiction),
            (cut, NOTHING, KNOWN, Inconclusive::Cut),
            (NOTHING, cut, KNOWN, Inconclusive::Cut),
            (KNOWN, KNOWN, cut, Inconclusive::Cut),
            (outside, KNOWN, KNOWN, Inconclusive::OutsideSpan),
            (NOTHING, NOTHING, outside, Inconclusive::OutsideSpan),
        ] {
            assert_eq!(judged(up_to, alone, from), Err(reason));
        }
    }

    /// Guarantee: Complete
    #[test]
    fn what_the_answers_have_told_of_to_is_believed_for_a_day() {
        let day = Millis::from_days(1);
        let (at, told) = (UtcMs(5), Some(UtcMs(5)));
        for (configured, told, now, expected) in [
            (None, None, at, ToBound::Exclusive),
            (None, told, at, ToBound::Inclusive),
            (
                None,
                told,
                at.plus(day).minus(Millis(1)),
                ToBound::Inclusive,
            ),
            (None, told, at.plus(day), ToBound::Exclusive),
            // A clock that was ahead dated it: it says nothing.
            (None, told, at.minus(Millis(1)), ToBound::Exclusive),
            (Some(ToBound::Exclusive), told, at, ToBound::Exclusive),
            (Some(ToBound::Inclusive), None, at, ToBound::Inclusive),
        ] {
            assert_eq!(to_bound(configured, told, false, now), expected);
        }
        assert_eq!(to_bound(None, None, true, at), ToBound::Inclusive);
    }
}
