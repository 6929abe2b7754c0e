//! What is expected of the records in a span, and how large a piece to ask for accordingly.

use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::sample::Sample;
use crate::domain::split::shape::Picture;

/// Share of the cap that a piece should fill when its density was seen in a capped answer.
const FILL_BY_SAMPLE: f64 = 0.7;
/// The same when its density was counted just before. Chance alone moves a piece of 2,000 records
/// by 45 at one standard deviation; what is left of the margin is for a density that rises.
const FILL_BY_COUNT: f64 = 0.9;

/// By what factor a piece may differ from what the days before show, and by how many records it may in any case,
/// for the rest to be expected as they show.
const CLOSE: f64 = 1.6;
const FEW: f64 = 100.0;

/// From which side a span is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// What is expected of the records in a span.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// Nothing is known.
    Unknown,
    /// So many in a millisecond, as counted close by.
    Even { per_ms: f64 },
    /// As the days before show, times `scale`; until a burst that was just cut is over, `near` in a millisecond.
    /// Up to `uneven_to` records lie closer together than the picture can show: the first piece there lacked them.
    Known {
        picture: Picture,
        scale: f64,
        near: Option<f64>,
        uneven_to: Option<UtcMs>,
    },
    /// As a capped answer shows, times `scale`; outside the answer's extent `beyond` in a
    /// millisecond.
    Sampled {
        sample: Sample,
        scale: f64,
        beyond: f64,
    },
}

impl Expected {
    pub(super) const fn even(per_ms: f64) -> Self {
        Self::Even { per_ms }
    }

    fn fill(&self) -> f64 {
        match self {
            Self::Unknown | Self::Even { .. } | Self::Known { .. } => FILL_BY_COUNT,
            Self::Sampled { .. } => FILL_BY_SAMPLE,
        }
    }

    fn records_in(&self, span: Span) -> f64 {
        match self {
            Self::Unknown => 0.0,
            Self::Even { per_ms } => per_ms * span.length().0 as f64,
            Self::Known {
                near: Some(per_ms), ..
            } => per_ms * span.length().0 as f64,
            Self::Known { picture, scale, .. } => picture.records_in(span) * scale,
            Self::Sampled {
                sample,
                scale,
                beyond,
            } => {
                let known = sample.extent().and_then(|extent| extent.intersection(span));
                let outside = span.length().0 - known.map_or(0, |known| known.length().0);
                sample.records_in(span) * scale + beyond * outside as f64
            }
        }
    }

    /// The piece of `rest` to ask for next: all of it when it should fit below `cap`, otherwise
    /// one of as many even shares as are needed.
    pub(super) fn piece(&self, rest: Span, side: Side, cap: u64, longest_ms: i64) -> Span {
        if let Self::Known {
            uneven_to: Some(to),
            ..
        } = self
        {
            return end_of(rest, side, longest_ms.min(to.since(rest.from()).0).max(1));
        }
        let target = (cap as f64 * self.fill()).max(1.0);
        let shares = (self.records_in(rest) / target).ceil();
        let mut length = rest.length().0;
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

    /// What is expected next to a piece that held `records`; `is_cut` where it had to be cut for that.
    pub(super) fn after(self, piece: Span, records: f64, is_cut: bool) -> Self {
        if let Self::Known {
            picture,
            scale,
            near,
            uneven_to,
        } = self
        {
            let per_ms = records / piece.length().0 as f64;
            let was_uneven = uneven_to.is_some();
            let in_burst = !was_uneven && (is_cut || near.is_some_and(|near| per_ms > near / 2.0));
            let expected = picture.records_in(piece) * scale;
            let lacks = records + FEW < expected / CLOSE;
            let is_close = !lacks && records <= expected * CLOSE + FEW;
            // A burst out of its time, or a day that is another one so far, says little of the rest of the day.
            let scale = if in_burst || was_uneven || near.is_some() || !is_close {
                1.0
            } else {
                // Few records say little about the scale.
                let known = (expected.max(records) / 500.0).min(1.0);
                let ratio = (records + FEW / 2.0) / (expected + FEW / 2.0);
                scale * ratio.powf(known)
            };
            let cell_end = picture.cell_end(piece).filter(|_| lacks && near.is_none());
            let uneven_to = uneven_to.or(cell_end).filter(|&to| to > piece.to());
            return Self::Known {
                picture,
                scale,
                near: in_burst.then_some(per_ms),
                uneven_to,
            };
        }
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
        Self::even(records / piece.length().0 as f64)
    }
}

/// The piece of `length_ms` at one end of `rest`; all of it when it is no longer.
fn end_of(rest: Span, side: Side, length_ms: i64) -> Span {
    let cut = match side {
        Side::Left => Span::new(rest.from(), rest.from().plus(Millis(length_ms))),
        Side::Right => Span::new(rest.to().minus(Millis(length_ms)), rest.to()),
    };
    cut.and_then(|piece| piece.intersection(rest))
        .unwrap_or(rest)
}
