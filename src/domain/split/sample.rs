//! A bounded sample of the times in an answer: where its records lie, whatever their order.

use crate::domain::span::{Millis, Span, UtcMs};

/// How many times are kept; a cut is as fine as one part in so many.
const MOST: usize = 4096;

/// Collects a sample while records stream by; memory is bounded.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    kept: Vec<UtcMs>,
    /// Every so many-th time is kept, less one.
    skip: u64,
    seen: u64,
}

impl Sampler {
    /// Adds the next record's time.
    pub fn add(&mut self, time: UtcMs) {
        let stride = self.skip + 1;
        if self.seen.is_multiple_of(stride) {
            if self.kept.len() == MOST {
                let mut number = 0;
                self.kept.retain(|_| {
                    number += 1;
                    number % 2 == 1
                });
                self.skip = stride * 2 - 1;
            }
            if self.seen.is_multiple_of(self.skip + 1) {
                self.kept.push(time);
            }
        }
        self.seen += 1;
    }

    /// The sample of everything added.
    #[must_use]
    pub fn finish(self) -> Sample {
        let mut times = self.kept;
        times.sort_unstable();
        let weight = if times.is_empty() {
            0.0
        } else {
            self.seen as f64 / times.len() as f64
        };
        Sample { times, weight }
    }
}

/// Times of an answer's records, each standing for as many of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    times: Vec<UtcMs>,
    weight: f64,
}

impl Sample {
    /// The part of the sample that lies in `span`.
    #[must_use]
    pub fn within(&self, span: Span) -> Self {
        Self {
            times: self.slice(span).to_vec(),
            weight: self.weight,
        }
    }

    fn slice(&self, span: Span) -> &[UtcMs] {
        let from = self.times.partition_point(|&time| time < span.from());
        let to = self.times.partition_point(|&time| time < span.to());
        &self.times[from..to]
    }

    /// About how many records of the answer lie in `span`.
    #[must_use]
    pub fn records_in(&self, span: Span) -> f64 {
        self.slice(span).len() as f64 * self.weight
    }

    /// The span from the first time to the last one, both inside; `None` without times.
    #[must_use]
    pub fn extent(&self) -> Option<Span> {
        Span::new(*self.times.first()?, self.times.last()?.plus(Millis(1)))
    }

    /// The time below which the share `q` (0 to 1) of the records lies.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<UtcMs> {
        let at = (self.times.len() as f64 * q) as usize;
        self.times
            .get(at.min(self.times.len().checked_sub(1)?))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(UtcMs(from), UtcMs(to)).unwrap()
    }

    fn sample(times: impl IntoIterator<Item = i64>) -> Sample {
        let mut sampler = Sampler::default();
        times.into_iter().for_each(|time| sampler.add(UtcMs(time)));
        sampler.finish()
    }

    #[test]
    fn a_small_answer_is_kept_whole() {
        let sample = sample([5, 1, 3, 3]);
        assert_eq!(sample.extent(), Some(span(1, 6)));
        assert_eq!(sample.records_in(span(3, 4)), 2.0);
        assert_eq!(sample.quantile(0.5), Some(UtcMs(3)));
        assert_eq!(sample.within(span(2, 9)).extent(), Some(span(3, 6)));
        assert_eq!(Sample::default().quantile(0.5), None);
    }

    /// Guarantee: Bounded
    #[test]
    fn a_large_answer_is_thinned_evenly_and_stays_bounded() {
        let sample = sample(0..200_000);
        assert!(sample.times.len() <= MOST && sample.times.len() > MOST / 4);
        let half = sample.records_in(span(0, 100_000));
        assert!((half - 100_000.0).abs() < 500.0, "{half}");
    }
}
