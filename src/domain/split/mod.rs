//! What an answer is worth, and how a span is cut when it is worth too little. Carries
//! *Complete*: an answer that may have been cut at a cap is never success.

pub(crate) mod estimate;
pub(crate) mod histogram;
pub(crate) mod resolve;
pub(crate) mod sample;
pub(crate) mod shape;

use serde::{Deserialize, Serialize};

use crate::domain::span::{Span, UtcMs};

/// What is known of an archived span. The worst of its parts is a window's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The answer held fewer records than it was asked for.
    Complete,
    /// The answer's content can't be counted, so nothing is known.
    Unproven,
    /// The answer held as many records as it was asked for, so there may be more.
    Truncated,
}

/// Cuts a span in the middle; `None` when it is a single millisecond, the floor below which
/// nothing is split.
#[must_use]
pub(crate) fn halve(span: Span) -> Option<(Span, Span)> {
    let middle = UtcMs(span.from().0 + span.length().0 / 2);
    Some((
        Span::new(span.from(), middle)?,
        Span::new(middle, span.to())?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Complete
    #[test]
    fn the_worst_part_is_the_window_s_status() {
        let parts = [Status::Complete, Status::Truncated, Status::Unproven];
        assert_eq!(parts.into_iter().max(), Some(Status::Truncated));
    }

    /// Guarantee: Complete
    #[test]
    fn halves_make_up_the_whole_down_to_one_millisecond() {
        let span = Span::new(UtcMs(10), UtcMs(13)).unwrap();
        let (first, second) = halve(span).unwrap();
        assert_eq!((first.from(), second.to()), (span.from(), span.to()));
        assert_eq!(first.to(), second.from());
        assert_eq!(halve(Span::new(UtcMs(10), UtcMs(11)).unwrap()), None);
    }
}
