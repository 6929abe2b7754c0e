//! How old the oldest record is that the service hands out, to the day, held against `retention`. Carries
//! *Candid*: `retention` says when the operator is warned, so a wrong one is told.

use super::Live;
use crate::domain::job::ToBound;
use crate::domain::retry::Failure;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;

/// Further back nobody looks: longer than the service is known to keep logs.
const FARTHEST: Millis = Millis::from_days(400);
/// As exactly as the age is told.
const DAY: Millis = Millis::from_days(1);
/// Most requests: each halves 400 days, until a day is left.
const MOST_REQUESTS: u32 = 10;

/// What was found out about the oldest record.
pub(in crate::cli) enum Oldest {
    /// One of this time, and none a day before it.
    At(UtcMs),
    /// It could not be found out: why.
    Unknown(String),
}

impl Oldest {
    /// Looks for it, beginning at a record that is `known`.
    pub(super) async fn of(live: &Live<'_>, known: UtcMs, now: UtcMs) -> Self {
        let (mut none_before, mut oldest) = (now.minus(FARTHEST), known);
        for _ in 0..MOST_REQUESTS {
            if oldest.since(none_before) <= DAY {
                break;
            }
            let middle = UtcMs(i64::midpoint(none_before.0, oldest.0));
            let Some(span) = Span::new(none_before, middle) else {
                break;
            };
            match first_in(live, span).await {
                Ok(Some(found)) => oldest = found,
                Ok(None) => none_before = middle,
                Err(error) => return Self::Unknown(error.to_string()),
            }
        }
        Self::At(oldest)
    }

    /// For people; `retention` is the job's.
    #[must_use]
    pub(in crate::cli) fn words(&self, retention: Option<Millis>, now: UtcMs) -> String {
        let oldest = match self {
            Self::At(oldest) => *oldest,
            Self::Unknown(why) => {
                return format!("how old the oldest log is could not be found out: {why}");
            }
        };
        let days = |length: Millis| length.as_secs() / 86_400;
        let age = now.since(oldest);
        let found = format!(
            "the oldest log that the service hands out is {} days old",
            days(age)
        );
        match retention {
            None => format!(
                "{found}; set `retention` to what the console of the service says, and `status` warns in \
                 time"
            ),
            Some(keeps) if age > keeps.plus(DAY) => format!(
                "{found}, older than `retention` ({} days) says: look it up in the console of the service",
                days(keeps)
            ),
            Some(keeps) if age.plus(DAY).plus(DAY) < keeps => format!(
                "{found}: `retention` ({} days) is right only if the project is younger than that",
                days(keeps)
            ),
            Some(keeps) => format!("{found}, as `retention` ({} days) says", days(keeps)),
        }
    }
}

/// The time of some record in `span`, the earliest of the few that are handed out; `None` where there is
/// none.
async fn first_in(live: &Live<'_>, span: Span) -> Result<Option<UtcMs>, CallError> {
    let request = Request::new(live.job, ToBound::Exclusive, span).for_at_most(super::FEW_RECORDS);
    match live.fetch(&request, span).await {
        // The project is known to exist: this is how the service says that nothing is there.
        Err(error) if error.failure == Failure::Rejected => Ok(None),
        Err(error) => Err(error),
        Ok(unpacked) if unpacked.records == Some(0) => Ok(None),
        Ok(unpacked) => {
            let extent = unpacked.seen.inside.finish().extent();
            Ok(Some(extent.map_or(span.from(), Span::from)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_the_oldest_log_is_held_against_retention() {
        let now = UtcMs(1_795_000_000_000);
        let oldest = |days| Oldest::At(now.minus(Millis::from_days(days)));
        let keeps = Some(Millis::from_days(30));
        for (oldest, retention, told) in [
            (oldest(29), keeps, "as `retention` (30 days) says"),
            (oldest(45), keeps, "older than `retention`"),
            (oldest(5), keeps, "only if the project is younger"),
            (oldest(29), None, "set `retention`"),
            (
                Oldest::Unknown("x".into()),
                keeps,
                "could not be found out: x",
            ),
        ] {
            let words = oldest.words(retention, now);
            assert!(words.contains(told), "{words}");
        }
    }
}
