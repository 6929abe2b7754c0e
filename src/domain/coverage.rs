//! Coverage: the set of instants that are known to be archived.

use std::collections::BTreeMap;

use super::span::{Span, UtcMs};

/// A set of instants, kept as disjoint spans that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// from -> to.
    spans: BTreeMap<UtcMs, UtcMs>,
}

impl Coverage {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a span; what was in already stays in.
    pub fn add(&mut self, span: Span) {
        let (mut from, mut to) = (span.from(), span.to());
        // Ledgers grow forward, so the span that this one continues is nearly always the last.
        while let Some((&start, &end)) = self.spans.range(..=to).next_back() {
            if end < from {
                break;
            }
            self.spans.remove(&start);
            from = from.min(start);
            to = to.max(end);
        }
        self.spans.insert(from, to);
    }

    /// Takes a span out; what of it was not in changes nothing.
    pub fn remove(&mut self, span: Span) {
        let cut: Vec<Span> = self
            .spans()
            .filter(|known| known.intersection(span).is_some())
            .collect();
        for known in cut {
            self.spans.remove(&known.from());
            for kept in [
                Span::new(known.from(), span.from()),
                Span::new(span.to(), known.to()),
            ] {
                self.spans.extend(kept.map(|kept| (kept.from(), kept.to())));
            }
        }
    }

    /// The spans, in order; no two of them overlap or touch.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = Span> + '_ {
        self.spans
            .iter()
            .filter_map(|(&from, &to)| Span::new(from, to))
    }

    /// Whether every instant of `span` is in.
    #[must_use]
    pub fn covers(&self, span: Span) -> bool {
        self.spans
            .range(..=span.from())
            .next_back()
            .is_some_and(|(_, &end)| span.to() <= end)
    }

    /// Whether `instant` is in.
    #[must_use]
    pub fn contains(&self, instant: UtcMs) -> bool {
        self.spans
            .range(..=instant)
            .next_back()
            .is_some_and(|(_, &end)| instant < end)
    }

    /// What of `span` is not in, in order.
    #[must_use]
    pub fn missing_in(&self, span: Span) -> Vec<Span> {
        let mut missing = Vec::new();
        let mut at = span.from();
        if let Some((_, &end)) = self.spans.range(..=at).next_back() {
            at = at.max(end);
        }
        for (&from, &to) in self.spans.range(at.min(span.to())..span.to()) {
            missing.extend(Span::new(at, from));
            at = to;
        }
        missing.extend(Span::new(at, span.to()));
        missing
    }

    /// First instant after everything that is in; `None` when nothing is.
    #[must_use]
    pub fn end(&self) -> Option<UtcMs> {
        self.spans.last_key_value().map(|(_, &to)| to)
    }

    /// End of the span that is in without a gap from `since` on; `since` itself when the instant
    /// `since` is not in.
    #[must_use]
    pub fn covered_until(&self, since: UtcMs) -> UtcMs {
        match self.spans.range(..=since).next_back() {
            Some((_, &end)) => end.max(since),
            None => since,
        }
    }

    /// The gaps: what is missing between `since` and the newest instant that is in.
    #[must_use]
    pub fn gaps(&self, since: UtcMs) -> Vec<Span> {
        match self.end().and_then(|end| Span::new(since, end)) {
            Some(known) => self.missing_in(known),
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    #[test]
    fn spans_that_touch_become_one() {
        let mut coverage = Coverage::new();
        coverage.add(span(0, 10));
        coverage.add(span(20, 30));
        coverage.add(span(10, 20));
        assert_eq!(coverage.spans().collect::<Vec<_>>(), [span(0, 30)]);
    }

    /// Guarantee: Candid
    #[test]
    fn gaps_end_at_the_newest_covered_instant() {
        let mut coverage = Coverage::new();
        assert_eq!(coverage.gaps(UtcMs(0)), []);
        coverage.add(span(20, 30));
        assert_eq!(coverage.gaps(UtcMs(5)), [span(5, 20)]);
        assert_eq!(coverage.covered_until(UtcMs(5)), UtcMs(5));
        assert_eq!(coverage.covered_until(UtcMs(25)), UtcMs(30));
        assert_eq!(coverage.gaps(UtcMs(40)), []);
        assert_eq!(coverage.covered_until(UtcMs(40)), UtcMs(40));
    }

    proptest! {
        /// The model is one flag a millisecond: too plain to be wrong.
        ///
        /// Guarantee: Exactly once
        #[test]
        fn the_algebra_agrees_with_a_plain_set_of_instants(
            changed in prop::collection::vec((0i64..60, 1i64..15, any::<bool>()), 0..12),
            asked in (0i64..60, 1i64..30),
            since in 0i64..70,
        ) {
            let mut coverage = Coverage::new();
            let mut model = [false; 80];
            for &(from, len, is_added) in &changed {
                match is_added {
                    true => coverage.add(span(from, from + len)),
                    false => coverage.remove(span(from, from + len)),
                }
                model[from as usize..(from + len) as usize].fill(is_added);
            }
            for instant in 0..80 {
                prop_assert_eq!(coverage.contains(UtcMs(instant)), model[instant as usize]);
            }
            let asked = span(asked.0, asked.0 + asked.1);
            let mut missing = [false; 120];
            for part in coverage.missing_in(asked) {
                prop_assert!(asked.covers(part));
                missing[part.from().0 as usize..part.to().0 as usize].fill(true);
            }
            for instant in asked.from().0..asked.to().0 {
                let known = model.get(instant as usize).copied().unwrap_or(false);
                prop_assert_eq!(missing[instant as usize], !known);
            }
            prop_assert_eq!(coverage.covers(asked), coverage.missing_in(asked).is_empty());

            let until = coverage.covered_until(UtcMs(since)).0;
            prop_assert!((since..until).all(|instant| model[instant as usize]));
            prop_assert!(!model.get(until as usize).copied().unwrap_or(false));

            let spans: Vec<_> = coverage.spans().collect();
            prop_assert!(spans.windows(2).all(|pair| pair[0].to() < pair[1].from()));
        }
    }
}
