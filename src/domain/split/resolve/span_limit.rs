//! How long a span the service can answer in time, as far as it has shown. Carries *Bounded*: what
//! was too slow once is not tried again and again.

use crate::domain::span::{Millis, Span};

/// How often in a row a span may be too slow before something is answered (a day comes down to five
/// minutes), and the shortest span, in milliseconds, for which its length can be the reason.
const HALVINGS: u32 = 8;
const SHORTEST_MS: i64 = 1000;
/// After so many answers to spans of the longest length one twice as long is tried. It may take
/// several minutes to fail, so it is not tried often.
const ANSWERS: u32 = 16;

/// The longest span that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanLimit {
    longest_ms: Option<i64>,
    /// Halvings since something was answered.
    halvings: u32,
    /// Answers to spans of this length.
    answers: u32,
    /// A span that is longer is answered, but not whole, so none is tried again.
    most_ms: Option<i64>,
}

impl SpanLimit {
    /// The longest span to ask for, in milliseconds.
    pub(super) fn longest_ms(&self) -> i64 {
        self.longest_ms.unwrap_or(i64::MAX)
    }

    /// The longest span that is answered whole, as far as is known.
    pub(crate) fn longest(&self) -> Option<Millis> {
        self.longest_ms.map(Millis)
    }

    /// The same, and no span longer than `longest`, at least a millisecond, from now on.
    #[must_use]
    pub(crate) fn at_most(self, longest: Millis) -> Self {
        let most = longest.0.max(1).min(self.most_ms.unwrap_or(i64::MAX));
        Self {
            longest_ms: Some(self.longest_ms().min(most)),
            most_ms: Some(most),
            ..self
        }
    }

    /// A window that began with what `began` knew has ended with `ended`; others that were under way
    /// at once may have ended before.
    pub fn learn(&mut self, began: Self, ended: Self) {
        if self.longest_ms == began.longest_ms || ended.longest_ms() < self.longest_ms() {
            *self = ended;
        }
    }

    /// `span` took too long. Returns whether a shorter one may succeed.
    pub(super) const fn shorten(&mut self, span: Span) -> bool {
        if self.halvings == HALVINGS || span.length().0 < SHORTEST_MS {
            return false;
        }
        self.halvings += 1;
        self.answers = 0;
        self.longest_ms = Some(span.length().0 / 2);
        true
    }

    /// `span` was answered.
    pub(super) fn answered(&mut self, span: Span) {
        self.halvings = 0;
        if span.length().0 < self.longest_ms() {
            return;
        }
        self.answers += 1;
        if self.answers == ANSWERS {
            self.answers = 0;
            let most = self.most_ms.unwrap_or(i64::MAX);
            let longer = |longest: i64| longest.saturating_mul(2).min(most);
            self.longest_ms = self.longest_ms.map(longer);
        }
    }
}
