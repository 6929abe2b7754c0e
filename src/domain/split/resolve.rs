//! Resolving a window: asking for it in spans that each stay below the cap. Carries *Complete*:
//! whatever the order of the records, the cap and the distribution in time, the spans that are
//! kept make up the window, without gap or overlap, and each is known to be whole, or is a single
//! millisecond and recorded `truncated`.
//!
//! The effect comes in as an argument ([`Ask`]), so that all of this is tested without network.
//! How the spans are chosen:
//!
//! - The window is swept in pieces that should fill some part of the cap, by what the windows
//!   before have shown; without that, it is asked for whole.
//! - A capped answer is thrown away, but its times show where records lie. They can mean two
//!   things: the answer is a thinned picture of the whole span, or (where the service orders by
//!   time) an exact one of a part of it. A probe in its middle tells: it holds more than the
//!   answer had there, or just as many. From there the rest is swept to both sides, by the picture
//!   in the first case, and by the density at the picture's edge in the second.
//! - Every piece of a capped span is at most half as long, so at most 64 levels are possible; in
//!   practice two or three are.

use std::pin::Pin;

use super::sample::Sample;
use super::{Status, halve};
use crate::domain::span::{Ms, Span};

/// Share of the cap that a piece should fill when its density was seen in a capped answer.
const FILL_BY_SAMPLE: f64 = 0.7;
/// The same when its density was counted just before. Chance alone moves a piece of 2,000 records
/// by 45 at one standard deviation; what is left of the margin is for a density that rises.
const FILL_BY_COUNT: f64 = 0.9;
/// A probe that holds at most this much more than the capped answer had there was not thinned.
const EXACT: f64 = 1.1;
/// Where a capped answer is probed: the quantiles between which 35 % of its records lie, half of
/// what should fit, since it may hold twice as much.
const PROBE: (f64, f64) = (0.30, 0.65);
/// How often a span may be halved in a row because it took too long, and the shortest span, in
/// milliseconds, for which size can be the reason.
const SLOW_HALVINGS: u32 = 6;
const SLOW_SHORTEST_MS: i64 = 1000;

/// An answer, as far as splitting is concerned.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// By which [`Ask::keep`] and [`Ask::discard`] know it.
    pub id: usize,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// Where those lie that are inside the span.
    pub sample: Sample,
    /// How many are known to lie outside.
    pub outside: u64,
}

/// Asks the service, and keeps or discards what it has answered.
pub trait Ask: Send {
    /// Why a span could not be had at all.
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

    /// The service has counted `first` records in a span, and then `second` in its two halves.
    fn note_fickle(&mut self, span: Span, first: u64, second: u64);
}

/// Resolves `window`. `limit` is the service's page size; `foreseen` is how many records are
/// expected, by the windows before.
///
/// # Errors
/// The first error of asking that a smaller span does not help against.
pub async fn resolve<A: Ask>(
    ask: &mut A,
    window: Span,
    limit: u32,
    foreseen: Option<u64>,
) -> Result<(), A::Error> {
    let mut resolver = Resolver {
        ask,
        limit: limit.into(),
        halvings: SLOW_HALVINGS,
        largest: 0,
    };
    let expected = match foreseen {
        Some(records) => Expected::even(records as f64 / window.len_ms() as f64),
        None => Expected::Unknown,
    };
    resolver
        .sweep(window, Side::Left, expected, window.len_ms())
        .await
        .map(drop)
}

/// From which side a span is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// What is expected of the records in a span.
#[derive(Clone, Debug)]
enum Expected {
    /// Nothing is known.
    Unknown,
    /// So many in a millisecond, as counted close by.
    Even { per_ms: f64 },
    /// As a capped answer shows, times `scale`; outside the answer's extent `beyond` in a
    /// millisecond.
    Sampled {
        sample: Sample,
        scale: f64,
        beyond: f64,
    },
}

impl Expected {
    const fn even(per_ms: f64) -> Self {
        Self::Even { per_ms }
    }

    fn fill(&self) -> f64 {
        match self {
            Self::Unknown | Self::Even { .. } => FILL_BY_COUNT,
            Self::Sampled { .. } => FILL_BY_SAMPLE,
        }
    }

    fn records_in(&self, span: Span) -> f64 {
        match self {
            Self::Unknown => 0.0,
            Self::Even { per_ms } => per_ms * span.len_ms() as f64,
            Self::Sampled {
                sample,
                scale,
                beyond,
            } => {
                let known = sample.extent().and_then(|extent| extent.intersection(span));
                let outside = span.len_ms() - known.map_or(0, Span::len_ms);
                sample.records_in(span) * scale + beyond * outside as f64
            }
        }
    }

    /// The piece of `rest` to ask for next: all of it when it should fit below `cap`, otherwise
    /// one of as many even shares as are needed.
    fn piece(&self, rest: Span, side: Side, cap: u64, longest_ms: i64) -> Span {
        let target = (cap as f64 * self.fill()).max(1.0);
        let shares = (self.records_in(rest) / target).ceil();
        let mut length = rest.len_ms();
        if shares > 1.0 {
            let share = self.records_in(rest) / shares;
            // The shortest piece that is expected to hold a share.
            let (mut low, mut high) = (1, length);
            while low < high {
                let middle = low + (high - low) / 2;
                if self.records_in(end_of(rest, side, middle)) < share {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            length = low;
        }
        end_of(rest, side, length.min(longest_ms).max(1))
    }

    /// What is expected next to a piece that held `records`.
    fn after(self, piece: Span, records: f64) -> Self {
        if let Self::Sampled {
            sample,
            scale,
            beyond,
        } = self
        {
            let shown = sample.records_in(piece);
            if shown > 0.0 {
                // Few records say little about the scale.
                let known = shown.min(1000.0) / 1000.0;
                let scale = scale * (1.0 - known) + (records / shown).max(1.0) * known;
                return Self::Sampled {
                    sample,
                    scale,
                    beyond,
                };
            }
            if beyond == 0.0 {
                return Self::Sampled {
                    sample,
                    scale,
                    beyond,
                };
            }
        }
        Self::even(records / piece.len_ms() as f64)
    }
}

/// The piece of `length_ms` at one end of `rest`; all of it when it is no longer.
fn end_of(rest: Span, side: Side, length_ms: i64) -> Span {
    let cut = match side {
        Side::Left => Span::new(rest.from(), rest.from().plus(length_ms)),
        Side::Right => Span::new(rest.to().plus(-length_ms), rest.to()),
    };
    cut.and_then(|piece| piece.intersection(rest))
        .unwrap_or(rest)
}

struct Resolver<'a, A> {
    ask: &'a mut A,
    limit: u64,
    /// Halvings for slowness left before something succeeds.
    halvings: u32,
    /// The largest answer below the cap so far.
    largest: u64,
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
        longest_ms: i64,
    ) -> Result<f64, A::Error> {
        let mut total = 0.0;
        let mut rest = Some(span);
        while let Some(left) = rest {
            let piece = expected.piece(left, side, self.ask.cap(), longest_ms);
            let records = self.piece(piece).await?;
            total += records;
            expected = expected.after(piece, records);
            rest = match side {
                Side::Left => Span::new(piece.to(), left.to()),
                Side::Right => Span::new(left.from(), piece.from()),
            };
        }
        Ok(total)
    }

    /// Resolves `span` by asking for all of it first.
    fn piece(&mut self, span: Span) -> Resolving<'_, f64, A::Error> {
        Box::pin(async move {
            match self.ask.ask(span).await {
                Ok(answer) => {
                    self.halvings = SLOW_HALVINGS;
                    self.judge(span, answer).await
                }
                Err(error) => {
                    let may_help = A::may_be_too_big(&error)
                        && self.halvings > 0
                        && span.len_ms() >= SLOW_SHORTEST_MS;
                    if !may_help {
                        return Err(error);
                    }
                    self.halvings -= 1;
                    self.halves(span).await
                }
            }
        })
    }

    async fn judge(&mut self, span: Span, answer: Answer) -> Result<f64, A::Error> {
        let Some(records) = answer.records else {
            self.ask.keep(answer.id, Status::Unproven);
            return Ok(0.0);
        };
        if answer.outside.saturating_mul(2) > records {
            // The service does not search what it is asked for: smaller spans would go on for ever.
            self.ask.keep(answer.id, Status::Unproven);
            return Ok(0.0);
        }
        if records > self.ask.cap() {
            // More than a cap that was only learnt: it is none.
            self.ask.forget_cap();
        }
        if records >= self.ask.cap() {
            return self.capped(span, answer, records).await;
        }
        let more_was_had = records < self.largest;
        self.largest = self.largest.max(records);
        if records > 0 && records.is_multiple_of(self.limit) && !more_was_had {
            return self.doubted(span, answer, records).await;
        }
        self.ask.keep(answer.id, complete(&answer));
        Ok(records as f64)
    }

    /// An answer of whole pages below the cap that was asked for: a cap that the service's pages
    /// don't mention would look like this, unless a larger answer was had. Two halves confirm it,
    /// or show the cap.
    async fn doubted(&mut self, span: Span, answer: Answer, records: u64) -> Result<f64, A::Error> {
        let Some((first, second)) = halve_by(&answer.sample, span) else {
            // Nothing can confirm a single millisecond.
            self.ask.keep(answer.id, Status::Unproven);
            return Ok(records as f64);
        };
        let (one, two) = (self.ask.ask(first).await?, self.ask.ask(second).await?);
        let sum = one
            .records
            .zip(two.records)
            .map(|(one, two)| one.saturating_add(two));
        let all_in_one = [one.records, two.records].contains(&Some(records));
        match sum {
            // A half as full as the whole is as doubtful, so it is judged like it.
            Some(sum) if sum > records || (sum == records && all_in_one) => {
                self.ask.discard(answer.id).await?;
                if sum > records {
                    // A log that came late would look the same, but not twice.
                    let again = self.ask.ask(span).await?;
                    if again.records == Some(records) {
                        self.ask.learn_cap(records);
                    }
                    self.ask.discard(again.id).await?;
                }
                Ok(self.judge_half(first, one).await? + self.judge_half(second, two).await?)
            }
            agreed_or_fewer => {
                let status = if agreed_or_fewer == Some(records) {
                    complete(&answer)
                } else {
                    self.ask
                        .note_fickle(span, records, agreed_or_fewer.unwrap_or(0));
                    Status::Unproven
                };
                self.ask.discard(one.id).await?;
                self.ask.discard(two.id).await?;
                self.ask.keep(answer.id, status);
                Ok(records as f64)
            }
        }
    }

    fn judge_half(&mut self, span: Span, answer: Answer) -> Resolving<'_, f64, A::Error> {
        Box::pin(self.judge(span, answer))
    }

    /// An answer that may have been cut.
    async fn capped(&mut self, span: Span, answer: Answer, records: u64) -> Result<f64, A::Error> {
        if span.len_ms() == 1 {
            self.ask.keep(answer.id, Status::Truncated);
            return Ok(records as f64);
        }
        self.ask.discard(answer.id).await?;
        let sample = answer.sample.within(span);
        let Some(probe) = probe(&sample, span) else {
            return self.halves(span).await;
        };
        let found = self.piece(probe).await?;
        let shown = sample.records_in(probe);
        let scale = (found / shown).max(1.0);
        let exact = scale < EXACT;
        // Beyond an exact picture of a part, the rest may be just as dense as the part.
        let beyond = if exact {
            found / probe.len_ms() as f64
        } else {
            0.0
        };
        let expected = Expected::Sampled {
            sample,
            scale,
            beyond,
        };
        let longest_ms = span.len_ms() / 2;
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
        Ok(self.piece(first).await? + self.piece(second).await?)
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

/// Cuts a span so that both sides hold about as many records, or in the middle where that is not
/// known; `None` when it is a single millisecond.
fn halve_by(sample: &Sample, span: Span) -> Option<(Span, Span)> {
    let sides = |at: Ms| Some((Span::new(span.from(), at)?, Span::new(at, span.to())?));
    sample
        .within(span)
        .quantile(0.5)
        .and_then(sides)
        .or_else(|| halve(span))
}

/// The middle of what a capped answer shows, at most half as long as its span; `None` when it
/// shows nothing.
fn probe(sample: &Sample, span: Span) -> Option<Span> {
    let from = sample.quantile(PROBE.0)?;
    let to = sample.quantile(PROBE.1)?.max(from.plus(1));
    let longest = (span.len_ms() / 2).max(1);
    Span::new(from, Ms(to.0.min(from.plus(longest).0)))?.intersection(span)
}

#[cfg(test)]
mod tests;
