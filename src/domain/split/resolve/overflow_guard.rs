//! The overflow guard: when to stop splitting the answers of a service that is always full. Carries
//! *Complete*: never an endless loop, and no honest window is stopped, however dense, that can be
//! fetched whole.
//!
//! A span is cut because an answer of it held some number of records. A service that tells the
//! truth hands out at least as many in its pieces. So while fewer records have been kept than the
//! least of these numbers, no span that was cut meanwhile is done with: they all lie within each
//! other. Each is at most half as long as the one around it (a recounted answer, which is cut where
//! half of its records lie, makes one exception), and a millisecond is not cut. That makes
//! log2(window) + 1 spans at most, 23 for an hour and 28 for a day, whatever the cap, the order and
//! the distribution of the records, and whether their times can be read. More of them are proof
//! that the service does not hand out what it says it has; twice as many are allowed, since it may
//! forget records while it is asked.
//!
//! A service that is always full keeps its word even so, one full millisecond after another. More
//! than a hundred of them in a window end it too.

use crate::domain::span::Span;

/// How many milliseconds over the cap a window may have. Each costs a full answer and its place on
/// the disk, and none can be fetched whole; at the default cap it takes 200,000 logs in a
/// millisecond.
const FULL_MILLISECONDS: u32 = 100;

/// How often a service may count differently. Records may be forgotten while they are asked for,
/// but that happens at one end of a window, and not again and again.
const CONTRADICTIONS: u32 = 3;

/// The cuts that are left.
#[derive(Debug)]
pub(super) struct OverflowGuard {
    /// Cuts without gain that are allowed.
    most: u32,
    left: u32,
    /// The fewest records that any cut since the last gain was made for.
    promised: u64,
    /// Records kept since then.
    kept: u64,
    /// Milliseconds over the cap that are left.
    full_ms_left: u32,
    /// Contradictions before that of them which ends it.
    contradictions_left: u32,
    tripped: bool,
}

impl OverflowGuard {
    /// Of a window.
    pub(super) const fn new(window: Span) -> Self {
        Self::allowing(2 * Self::most_within_each_other(window))
    }

    /// With so many cuts without gain.
    pub(super) const fn allowing(most: u32) -> Self {
        Self {
            most,
            left: most,
            promised: u64::MAX,
            kept: 0,
            full_ms_left: FULL_MILLISECONDS,
            contradictions_left: CONTRADICTIONS - 1,
            tripped: false,
        }
    }

    /// How many spans of `window` an honest service can have cut without gain.
    pub(super) const fn most_within_each_other(window: Span) -> u32 {
        let levels = i64::BITS - (window.length().0 - 1).leading_zeros();
        levels + 1
    }

    /// Whether `span` may be cut, of which an answer held so many records. A millisecond that is
    /// over the cap never may, and is kept. Once a span may not, no other may.
    pub(super) fn cut(&mut self, span: Span, records: u64) -> bool {
        if span.length().0 == 1 {
            self.keep(records);
            self.tripped |= self.full_ms_left == 0;
            self.full_ms_left = self.full_ms_left.saturating_sub(1);
            return false;
        }
        self.promised = self.promised.min(records);
        self.tripped |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.tripped
    }

    /// Records that so many records were kept.
    pub(super) const fn keep(&mut self, records: u64) {
        self.kept = self.kept.saturating_add(records);
        if self.kept >= self.promised {
            self.left = self.most;
            self.promised = u64::MAX;
            self.kept = 0;
        }
    }

    /// The service has counted differently than before.
    pub(super) fn contradicted(&mut self) {
        if self.contradictions_left == 0 {
            self.left = 0;
            self.most = 0;
        }
        self.contradictions_left = self.contradictions_left.saturating_sub(1);
    }

    /// Whether a cut was refused.
    pub(super) const fn has_tripped(&self) -> bool {
        self.tripped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;

    fn span(len_ms: i64) -> Span {
        Span::new(UtcMs(0), UtcMs(len_ms)).unwrap()
    }

    /// Guarantee: Complete
    #[test]
    fn spans_within_each_other_are_halved_down_to_a_millisecond() {
        let most = |len_ms| OverflowGuard::most_within_each_other(span(len_ms));
        assert_eq!(
            [1, 2, 3, 4, 5, 3_600_000, 86_400_000].map(most),
            [1, 2, 3, 3, 4, 23, 28]
        );
        assert_eq!(most(i64::MAX), 64);
    }

    /// Guarantee: Complete
    #[test]
    fn what_a_cut_was_made_for_buys_the_next_ones() {
        let mut guard = OverflowGuard::allowing(2);
        for _ in 0..1000 {
            assert!(guard.cut(span(9), 10) && guard.cut(span(4), 8));
            guard.keep(7);
            guard.keep(1);
        }
        assert!(guard.cut(span(9), 10) && guard.cut(span(4), 8));
        guard.keep(7);
        assert!(!guard.has_tripped() && !guard.cut(span(2), 9));
        // Nothing that comes later makes it good.
        guard.keep(1000);
        assert!(guard.has_tripped() && !guard.cut(span(2), 1));
    }

    /// Guarantee: Bounded
    #[test]
    fn more_than_a_hundred_milliseconds_over_the_cap_end_it() {
        let mut guard = OverflowGuard::allowing(2);
        for _ in 0..FULL_MILLISECONDS {
            assert!(guard.cut(span(9), 5) && !guard.cut(span(1), 5));
        }
        assert!(guard.cut(span(9), 5) && !guard.has_tripped());
        assert!(!guard.cut(span(1), 5) && guard.has_tripped());
    }

    /// Guarantee: Bounded
    #[test]
    fn the_third_contradiction_ends_it() {
        let mut guard = OverflowGuard::allowing(2);
        for _ in 1..CONTRADICTIONS {
            guard.contradicted();
            assert!(guard.cut(span(9), 5));
            guard.keep(5);
        }
        guard.contradicted();
        guard.keep(5);
        assert!(!guard.cut(span(9), 5) && guard.has_tripped());
    }
}
