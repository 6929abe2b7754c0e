//! Records that are archived beside a window with few records, or none: a service that hands out only
//! an end of a long span does not show one at the other end. Carries *Confirmed*.

use crate::domain::span::{Millis, Span, UtcMs};

/// A service may write times no more precisely (`ELSA-API.md`, *Unknown*).
const SECOND: Millis = Millis::from_secs(1);

/// A span at one end of which a record is known to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    /// As long as the longest span that was asked for of the window, and partly inside it.
    pub span: Span,
    /// Where the record lies, outside the window.
    pub record: Span,
}

/// The spans that begin with the last record `before` a window and end with the first one `after` it,
/// and are no longer than `longest`. One that does not reach the window tells nothing of it.
#[must_use]
pub(crate) fn witnesses(
    window: Span,
    longest: Option<Millis>,
    before: Option<UtcMs>,
    after: Option<UtcMs>,
) -> Vec<Witness> {
    let length = longest.map_or(window.length(), |longest| longest.min(window.length()));
    let begins = |record: UtcMs| {
        let second = second_of(record);
        let record = Span::new(second, second.plus(SECOND).min(window.from()))?;
        let span = Span::new(record.from(), record.from().plus(length))?;
        Some(Witness { span, record })
    };
    let ends = |record: UtcMs| {
        let second = second_of(record);
        let record = Span::new(second.max(window.to()), second.plus(SECOND))?;
        let span = Span::new(record.to().minus(length), record.to())?;
        Some(Witness { span, record })
    };
    let is_near = |witness: &Witness| {
        let apart = window.length();
        witness.record.from().plus(apart) > window.from()
            && witness.record.to().minus(apart) < window.to()
    };
    let found = [before.and_then(begins), after.and_then(ends)];
    found.into_iter().flatten().filter(is_near).collect()
}

const fn second_of(at: UtcMs) -> UtcMs {
    UtcMs(at.0.div_euclid(SECOND.0) * SECOND.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    /// Guarantee: Confirmed
    #[test]
    fn a_record_that_is_known_lies_at_the_far_end_of_a_span_as_long_as_the_window() {
        let window = span(3_600_000, 7_200_000);
        let before = Some(UtcMs(3_540_500));
        let after = Some(UtcMs(7_200_000));
        let first = Witness {
            span: span(3_540_000, 7_140_000),
            record: span(3_540_000, 3_541_000),
        };
        let last = Witness {
            span: span(3_601_000, 7_201_000),
            record: span(7_200_000, 7_201_000),
        };
        assert_eq!(witnesses(window, None, before, after), [first, last]);
        assert_eq!(witnesses(window, None, None, None), []);
        let minute = Some(Millis::from_mins(1));
        let short = witnesses(window, minute, before, after);
        let spans: Vec<Span> = short.iter().map(|witness| witness.span).collect();
        assert_eq!(
            spans,
            [span(3_540_000, 3_600_000), span(7_141_000, 7_201_000)]
        );
        // Too far away for a span of the window's length to reach into it.
        assert_eq!(
            witnesses(window, None, Some(UtcMs(0)), Some(UtcMs(10_800_500))),
            []
        );
    }

    #[test]
    fn a_window_that_ends_within_a_second_is_no_part_of_where_the_record_lies() {
        let window = span(3_600_500, 7_200_500);
        let records = witnesses(window, None, Some(UtcMs(3_600_400)), Some(UtcMs(7_200_600)));
        let records: Vec<Span> = records.iter().map(|witness| witness.record).collect();
        assert_eq!(
            records,
            [span(3_600_000, 3_600_500), span(7_200_500, 7_201_000)]
        );
    }
}
