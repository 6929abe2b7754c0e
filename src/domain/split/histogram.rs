//! How many records lie where in a window, exactly, in memory of bounded size. Made while counting,
//! so that a part of an answer can be held against a second answer to the same part.

use crate::domain::span::{Millis, Span, UtcMs};

/// How many bins a window has at most.
const MOST_BINS: i64 = 4096;

/// Bins begin and end at whole seconds: a service may write its times no more precisely, and find them by
/// the millisecond.
const SECOND: Millis = Millis::from_secs(1);

/// Records of a window by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    window: Span,
    /// Where the first bin begins, at or before the window.
    begin: UtcMs,
    /// Length of a bin; the last one may reach beyond the window's end.
    width: Millis,
    bins: Vec<u64>,
}

impl Histogram {
    /// Of a window without records.
    #[must_use]
    pub fn of(window: Span) -> Self {
        let begin = UtcMs(window.from().0.div_euclid(SECOND.0) * SECOND.0);
        let seconds = window.to().since(begin).0.div_euclid(SECOND.0) + 1;
        let seconds_a_bin = seconds.div_euclid(MOST_BINS) + 1;
        let bins = seconds.div_euclid(seconds_a_bin) + 1;
        Self {
            window,
            begin,
            width: SECOND.times(seconds_a_bin),
            bins: vec![0; usize::try_from(bins).unwrap_or(1)],
        }
    }

    /// Adds a record; one outside the window is none of its.
    pub fn add(&mut self, time: UtcMs) {
        let at = time.since(self.begin).0.div_euclid(self.width.0);
        let bin = usize::try_from(at)
            .ok()
            .filter(|_| self.window.contains(time));
        if let Some(bin) = bin.and_then(|bin| self.bins.get_mut(bin)) {
            *bin += 1;
        }
    }

    /// Adds what another histogram of the same window holds.
    pub fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            *bin += more;
        }
    }

    /// The window.
    #[must_use]
    pub const fn window(&self) -> Span {
        self.window
    }

    /// Its records whose time could be read.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// How many bins there are, at least 1.
    pub(crate) const fn bins(&self) -> usize {
        self.bins.len()
    }

    /// How many whole bins are no longer than `length`, at least 1.
    pub(crate) fn bins_in(&self, length: Millis) -> usize {
        usize::try_from(length.0.div_euclid(self.width.0)).map_or(1, |bins| bins.max(1))
    }

    /// Records in a bin.
    pub(crate) fn count(&self, bin: usize) -> u64 {
        self.bins.get(bin).copied().unwrap_or(0)
    }

    /// Records in `span`, as far as its bins lie inside it.
    pub(crate) fn within(&self, span: Span) -> u64 {
        let inside = |bin: &usize| self.span(*bin, bin + 1).is_some_and(|bin| span.covers(bin));
        (0..self.bins())
            .filter(inside)
            .map(|bin| self.count(bin))
            .sum()
    }

    /// Records in the bins that are not wholly outside `span`: it holds no more.
    pub(crate) fn at_most_within(&self, span: Span) -> u64 {
        let touches = |bin: &usize| {
            let bin = self.span(*bin, bin + 1);
            bin.is_some_and(|bin| bin.intersection(span).is_some())
        };
        (0..self.bins())
            .filter(touches)
            .map(|bin| self.count(bin))
            .sum()
    }

    /// The span of the bins from `first` up to and without `end`; `None` when there are none.
    pub(crate) fn span(&self, first: usize, end: usize) -> Option<Span> {
        let edge = |bin: usize| {
            let bin = i64::try_from(bin).unwrap_or(i64::MAX);
            self.begin.plus(self.width.times(bin))
        };
        Span::new(edge(first), edge(end))?.intersection(self.window)
    }

    /// The first bin that holds a record, and the last.
    pub(crate) fn extent(&self) -> Option<(usize, usize)> {
        let holds = |count: &u64| *count > 0;
        Some((
            self.bins.iter().position(holds)?,
            self.bins.iter().rposition(holds)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    /// Guarantee: Bounded
    #[test]
    fn bins_make_up_the_window_whatever_its_length() {
        for length in [1, 2, 999, 1000, 4_096_000, 4_097_001, 3_600_000, 86_400_000] {
            let window = span(7, 7 + length);
            let mut histogram = Histogram::of(window);
            assert!(histogram.bins() <= 4097, "{length}");
            for time in [6, 7, 7 + length / 2, 6 + length, 7 + length] {
                histogram.add(UtcMs(time));
            }
            assert_eq!(histogram.total(), 3, "{length}");
            let (mut at, mut records) = (window.from(), 0);
            for bin in 0..histogram.bins() {
                if let Some(span) = histogram.span(bin, bin + 1) {
                    assert_eq!(span.from(), at);
                    at = span.to();
                }
                records += histogram.count(bin);
            }
            assert_eq!((at, records), (window.to(), 3), "{length}");
            assert_eq!(histogram.span(0, histogram.bins()), Some(window));
        }
    }

    #[test]
    fn parts_of_a_window_add_up() {
        let window = span(500, 10_000);
        let (mut early, mut late) = (Histogram::of(window), Histogram::of(window));
        early.add(UtcMs(1_005));
        late.add(UtcMs(1_999));
        late.add(UtcMs(9_999));
        early.merge(&late);
        assert_eq!(early.total(), 3);
        assert_eq!(early.extent(), Some((1, 9)));
        assert_eq!(early.count(1), 2);
        assert_eq!(early.within(window), 3);
        assert_eq!(early.within(span(1_000, 9_000)), 2);
        assert_eq!(early.within(span(1_001, 9_000)), 0);
        // The edges between bins are whole seconds.
        assert_eq!(early.span(0, 1), Some(span(500, 1_000)));
        assert_eq!(early.span(1, 3), Some(span(1_000, 3_000)));
        assert_eq!(Histogram::of(window).extent(), None);
    }
}
