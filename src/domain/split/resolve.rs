//! Resolving a window: asking for it in spans that each stay below the cap. Carries *Complete*:
//! whatever the order of the records, the cap and the distribution in time, the spans that are kept
//! make up the window, without gap or overlap, and each is known to be whole, or recorded
//! otherwise. What is recorded `truncated` is a single millisecond, unless the service does not
//! keep its word.
//!
//! The effect comes in as an argument ([`Ask`]), so that all of this is tested without network.
//! How the spans are chosen:
//!
//! - The window is swept in pieces that should fill some part of the cap, by what the days or the
//!   windows before have shown; without that, it is asked for whole. A burst that was not expected is
//!   swept by its own density until it is over, the rest by what was expected.
//! - A capped answer is thrown away, but its times show where records lie. They can mean two
//!   things: the answer is a thinned picture of the whole span, or (where the service orders by
//!   time) an exact one of a part of it. A probe in its middle tells: it holds more than the
//!   answer had there, or just as many. From there the rest is swept to both sides, by the picture
//!   in the first case, and by the density at the picture's edge in the second.
//! - Every piece of a capped span is at most half as long, so at most 64 levels are possible; in
//!   practice two or three are. A service that is always full would be followed down to each single
//!   millisecond all the same, so there is a guard (`overflow_guard.rs`). It ends after cuts
//!   that no honest service needs, or after a hundred milliseconds over the cap. After that nothing
//!   is cut any more, and what is capped is kept as it came, `truncated`.
//! - What was too slow for the service is asked for in shorter spans from then on ([`SpanLimit`]).

mod expected;
mod overflow_guard;
mod recount;
mod span_limit;

use std::pin::Pin;

use expected::{Expected, Side};
use overflow_guard::OverflowGuard;
pub(crate) use span_limit::SpanLimit;

use super::sample::Sample;
use super::shape::Picture;
use super::{Status, halve};
use crate::domain::records_digest::RecordsDigest;
use crate::domain::span::{Millis, Span, UtcMs};

/// A probe that holds at most this much more than the capped answer had there was not thinned.
const EXACT: f64 = 1.1;
/// Where a capped answer is probed: the quantiles between which 35 % of its records lie, half of
/// what should fit, since it may hold twice as much.
const PROBE: (f64, f64) = (0.30, 0.65);

/// What is expected of a window.
#[derive(Clone, Debug)]
pub(crate) enum Estimate {
    /// So many records, by the windows just before.
    Records(u64),
    /// Records in these places, by the days before.
    Picture(Picture),
}

/// An answer, as far as splitting is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// By which [`Ask::keep`] and [`Ask::discard`] know it.
    pub id: usize,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// What they are; `None` when they can't be counted.
    pub digest: Option<RecordsDigest>,
    /// Where those lie that are inside the span.
    pub sample: Sample,
    /// How many are known to lie outside.
    pub outside: u64,
    /// Whether it has about as many bytes as the service was found to hand out at most.
    pub is_full: bool,
}

/// Asks the service, and keeps or discards what it has answered.
pub(crate) trait Ask: Send {
    /// Why a span could not be fetched at all.
    type Error: Send;

    /// Asks for a span.
    fn ask(&mut self, span: Span) -> impl Future<Output = Result<Answer, Self::Error>> + Send;

    /// The answer is a part of the window.
    fn keep(&mut self, answer: usize, status: Status);

    /// The answer is not.
    fn discard(&mut self, answer: usize) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether a smaller span might succeed.
    fn may_be_too_big(error: &Self::Error) -> bool;

    /// The smallest number of records at which an answer may have been cut.
    fn cap(&self) -> u64;

    /// An answer of `records` was cut although more had been asked for.
    fn learn_cap(&mut self, records: u64);

    /// An answer held more than the cap that had been learnt.
    fn forget_cap(&mut self);

    /// The service has counted `first` records in a span, and then `second` in its parts, or as many but
    /// others: what is kept of it is [`Status::Unproven`] at best.
    fn note_contradiction(&mut self, span: Span, first: u64, second: u64);

    /// The service has filled its answers too often without gain, the last time for `span`. What is
    /// left of the window is asked for in as few spans as possible, and kept as it comes.
    fn note_overflow(&mut self, span: Span);
}

/// Resolves `window`. `limit` is the service's page size; `estimate` is how many records are
/// expected, by the windows before, and `span_limit` what was learnt from them; it learns on, also
/// where this ends in an error.
///
/// # Errors
/// The first error of asking that a smaller span does not help against.
pub(crate) async fn resolve<A: Ask>(
    ask: &mut A,
    window: Span,
    limit: u32,
    estimate: Option<Estimate>,
    span_limit: &mut SpanLimit,
) -> Result<(), A::Error> {
    resolve_within(
        OverflowGuard::new(window),
        ask,
        window,
        limit,
        estimate,
        span_limit,
    )
    .await
}

async fn resolve_within<A: Ask>(
    guard: OverflowGuard,
    ask: &mut A,
    window: Span,
    limit: u32,
    estimate: Option<Estimate>,
    span_limit: &mut SpanLimit,
) -> Result<(), A::Error> {
    let mut resolver = Resolver {
        ask,
        limit: limit.into(),
        guard,
        span_limit,
        largest: 0,
        unsure: 0,
    };
    let expected = match estimate {
        Some(Estimate::Records(records)) => {
            Expected::even(records as f64 / window.length().0 as f64)
        }
        Some(Estimate::Picture(picture)) => Expected::Known {
            picture,
            scale: 1.0,
            near: None,
            uneven_to: None,
        },
        None => Expected::Unknown,
    };
    resolver
        .sweep(window, Side::Left, expected, window.length().0)
        .await
        .map(drop)
}

struct Resolver<'a, A> {
    ask: &'a mut A,
    limit: u64,
    guard: OverflowGuard,
    span_limit: &'a mut SpanLimit,
    /// The largest answer so far.
    largest: u64,
    /// Answers so far whose number is unknown or contradicts another: sums that hold them prove
    /// nothing.
    unsure: u64,
}

type Resolving<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

impl<A: Ask> Resolver<'_, A> {
    /// Resolves `span` piece by piece from `side`, none longer than `longest_ms`. Returns how many
    /// records it holds.
    async fn sweep(
        &mut self,
        span: Span,
        side: Side,
        mut expected: Expected,
        mut longest_ms: i64,
    ) -> Result<f64, A::Error> {
        let mut total = 0.0;
        let mut rest = Some(span);
        while let Some(left) = rest {
            if self.guard.has_tripped() {
                (expected, longest_ms) = (Expected::Unknown, i64::MAX);
            }
            let longest_ms = longest_ms.min(self.span_limit.longest_ms());
            let piece = expected.piece(left, side, self.ask.cap(), longest_ms);
            let answer = match self.ask.ask(piece).await {
                Err(error) if A::may_be_too_big(&error) && self.span_limit.shorten(piece) => {
                    continue;
                }
                answer => answer?,
            };
            self.span_limit.answered(piece);
            let is_cut = answer
                .records
                .is_none_or(|records| records >= self.ask.cap());
            let records = self.judge(piece, answer).await?;
            total += records;
            expected = expected.after(piece, records, is_cut);
            rest = match side {
                Side::Left => Span::new(piece.to(), left.to()),
                Side::Right => Span::new(left.from(), piece.from()),
            };
        }
        Ok(total)
    }

    async fn judge(&mut self, span: Span, answer: Answer) -> Result<f64, A::Error> {
        let Some(records) = answer.records else {
            self.unsure += 1;
            self.ask.keep(answer.id, Status::Unproven);
            return Ok(0.0);
        };
        if answer.outside.saturating_mul(2) > records {
            // The service does not search what it is asked for: smaller spans would go on for ever.
            self.unsure += 1;
            self.ask.keep(answer.id, Status::Unproven);
            return Ok(0.0);
        }
        if records > self.ask.cap() {
            // More than a cap that was only learnt: it is none.
            self.ask.forget_cap();
        }
        let more_was_had = records < self.largest;
        self.largest = self.largest.max(records);
        if records >= self.ask.cap() || answer.is_full {
            return self.capped(span, answer, records).await;
        }
        if records > 0 && records.is_multiple_of(self.limit) && !more_was_had {
            return self.recount(span, answer, records).await;
        }
        Ok(self.keep(complete(&answer), &answer, records))
    }

    fn keep(&mut self, status: Status, answer: &Answer, records: u64) -> f64 {
        self.guard.keep(records);
        self.ask.keep(answer.id, status);
        records as f64
    }

    /// Whether `span`, of which an answer held so many records, may be cut because of it.
    fn may_cut(&mut self, span: Span, records: u64) -> bool {
        let said = self.guard.has_tripped();
        let may = self.guard.cut(span, records);
        if self.guard.has_tripped() && !said {
            self.ask.note_overflow(span);
        }
        may
    }

    fn contradicted(&mut self, span: Span, first: u64, second: u64) {
        self.unsure += 1;
        self.guard.contradicted();
        self.ask.note_contradiction(span, first, second);
    }

    /// An answer that may have been cut.
    async fn capped(&mut self, span: Span, answer: Answer, records: u64) -> Result<f64, A::Error> {
        if !self.may_cut(span, records) {
            self.ask.keep(answer.id, Status::Truncated);
            return Ok(records as f64);
        }
        self.ask.discard(answer.id).await?;
        let unsure = self.unsure;
        let total = self.cut(span, answer.sample).await?;
        if total < records as f64 && self.unsure == unsure {
            self.contradicted(span, records, total as u64);
        }
        Ok(total)
    }

    /// Resolves a span of which a capped answer shows `sample`.
    async fn cut(&mut self, span: Span, sample: Sample) -> Result<f64, A::Error> {
        let sample = sample.within(span);
        let Some(probe) = probe(&sample, span) else {
            return self.halves(span).await;
        };
        let found = self.whole(probe).await?;
        let shown = sample.records_in(probe);
        let scale = (found / shown).max(1.0);
        let exact = scale < EXACT;
        // Beyond an exact picture of a part, the rest may be just as dense as the part.
        let beyond = if exact {
            found / probe.length().0 as f64
        } else {
            0.0
        };
        let expected = Expected::Sampled {
            sample,
            scale,
            beyond,
        };
        let longest_ms = span.length().0 / 2;
        let mut total = found;
        if let Some(after) = Span::new(probe.to(), span.to()) {
            total += self
                .sweep_boxed(after, Side::Left, expected.clone(), longest_ms)
                .await?;
        }
        if let Some(before) = Span::new(span.from(), probe.from()) {
            total += self
                .sweep_boxed(before, Side::Right, expected, longest_ms)
                .await?;
        }
        Ok(total)
    }

    fn sweep_boxed(
        &mut self,
        span: Span,
        side: Side,
        expected: Expected,
        longest_ms: i64,
    ) -> Resolving<'_, f64, A::Error> {
        Box::pin(self.sweep(span, side, expected, longest_ms))
    }

    async fn halves(&mut self, span: Span) -> Result<f64, A::Error> {
        let Some((first, second)) = halve(span) else {
            return Ok(0.0);
        };
        Ok(self.whole(first).await? + self.whole(second).await?)
    }

    /// Resolves `span` by asking for all of it first.
    fn whole(&mut self, span: Span) -> Resolving<'_, f64, A::Error> {
        self.sweep_boxed(span, Side::Left, Expected::Unknown, span.length().0)
    }
}

/// What an uncut answer is worth: one that holds records from elsewhere is not what was asked for.
fn complete(answer: &Answer) -> Status {
    if answer.outside == 0 {
        Status::Complete
    } else {
        Status::Unproven
    }
}

/// The middle of what a capped answer shows, at most half as long as its span; `None` when it
/// shows nothing.
fn probe(sample: &Sample, span: Span) -> Option<Span> {
    let from = sample.quantile(PROBE.0)?;
    let to = sample.quantile(PROBE.1)?.max(from.plus(Millis(1)));
    let longest = (span.length().0 / 2).max(1);
    Span::new(from, UtcMs(to.0.min(from.plus(Millis(longest)).0)))?.intersection(span)
}

#[cfg(test)]
mod tests;
