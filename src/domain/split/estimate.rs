//! What a window may be expected to hold, by the windows before it, so that a dense one is cut
//! beforehand and nothing is downloaded twice.

use crate::domain::span::Span;

/// How many earlier windows count. The denser one counts, and a rise is expected to go on: a
/// window that turns out thinner costs a request more at most, since the pieces grow as they are
/// asked for; one that turns out denser costs a whole answer that is thrown away.
const WINDOWS: usize = 2;

/// How many windows go by from one trial to the next: it costs an answer that is thrown away, as
/// long as the cap is there.
const TRIAL: i64 = 24;

/// Whether `window` tests again whether the service has a hidden cap.
const fn is_trial(window: Span) -> bool {
    window
        .from()
        .0
        .div_euclid(window.length().0)
        .rem_euclid(TRIAL)
        == 0
}

/// The windows archived last, with their records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimator {
    recent: Vec<(Span, u64)>,
}

impl Estimator {
    /// Records that a window was archived with so many records.
    pub fn note(&mut self, window: Span, records: u64) {
        if self.recent.len() == WINDOWS {
            self.recent.remove(0);
        }
        self.recent.push((window, records));
    }

    /// How many records the window archived last held, if known.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.recent.last().map(|&(_, records)| records)
    }

    /// How many records `window` may be expected to hold; `None` when nothing is known.
    fn records_in(&self, window: Span) -> Option<u64> {
        let per_ms = |&(window, records): &(Span, u64)| records as f64 / window.length().0 as f64;
        let (before, last) = (per_ms(self.recent.first()?), per_ms(self.recent.last()?));
        let expected = before.max(last + (last - before).max(0.0));
        Some((expected * window.length().0 as f64).ceil() as u64)
    }

    /// How many records are expected of `window`. While the service seems to cut answers below what
    /// is asked for (`has_hidden_cap`), some windows are asked for as if nothing were expected,
    /// that is whole: more records than that show that it does not, or no longer.
    #[must_use]
    pub fn estimate(&self, window: Span, has_hidden_cap: bool) -> Option<u64> {
        match has_hidden_cap && is_trial(window) {
            true => None,
            false => self.records_in(window),
        }
    }

    /// The windows that count, the older first.
    #[must_use]
    pub fn recent(&self) -> &[(Span, u64)] {
        &self.recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    /// Guarantee: Complete
    #[test]
    fn one_window_in_twenty_four_is_a_trial() {
        let windows = (-48..48).map(|number| span(number * 60 + 7, number * 60 + 67));
        assert_eq!(windows.filter(|&window| is_trial(window)).count(), 4);
    }

    #[test]
    fn a_density_that_rises_is_expected_to_go_on_rising() {
        let mut estimator = Estimator::default();
        estimator.note(span(0, 10), 100);
        assert_eq!(estimator.records_in(span(10, 20)), Some(100));
        estimator.note(span(10, 20), 130);
        assert_eq!(estimator.records_in(span(20, 30)), Some(160));
    }

    #[test]
    fn the_denser_of_the_last_two_windows_counts_for_each_millisecond() {
        let mut estimator = Estimator::default();
        assert_eq!(estimator.records_in(span(0, 10)), None);
        estimator.note(span(0, 10), 1000);
        estimator.note(span(10, 20), 50);
        assert_eq!(estimator.records_in(span(20, 25)), Some(500));
        estimator.note(span(20, 30), 10);
        assert_eq!(estimator.records_in(span(30, 40)), Some(50));
    }
}
