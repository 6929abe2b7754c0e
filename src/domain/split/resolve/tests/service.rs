//! A service that is asked without a network: an honest one with a known truth, or a liar.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use super::super::*;
use crate::domain::split::sample::Sampler;

/// More than any test may ask for: endless.
const ENDLESS: u64 = 100_000;

/// In which order the service hands out records, and so which ones a cap spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    Shuffled,
}

/// What it answers in place of the truth: times that lie evenly in whatever span is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// As many records as fit.
    Full,
    /// Any number of records below this one, another at each ask.
    Random { below: u64, seed: u64 },
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) times: Vec<i64>,
    pub(super) order: Order,
    /// What the request asks for.
    pub(super) count: u64,
    /// Its page size.
    pub(super) limit: u32,
    pub(super) lie: Option<Lie>,
    /// What the service hands out at most, without saying so.
    pub(super) hidden: Option<u64>,
    pub(super) learnt: Option<u64>,
    /// Whether its times can be read.
    pub(super) readable: bool,
    /// Spans longer than this time out.
    pub(super) slow_above_ms: Option<i64>,
    /// Adds so many records to every other answer.
    pub(super) fickle: u64,
    /// A log of this time turns up before the ask of this number.
    pub(super) late: Option<(u64, i64)>,
    /// The ask of this number is answered with one record twice, in place of another.
    pub(super) doubled: Option<u64>,
    pub(super) asked: u64,
    pub(super) handed_out: u64,
    pub(super) open: BTreeMap<usize, (Span, u64)>,
    pub(super) kept: Vec<(Span, u64, Status)>,
    /// Where it was found to count differently.
    pub(super) contradictions: Vec<Span>,
    /// Where the guard was used up.
    pub(super) stopped: Option<Span>,
}

impl Service {
    pub(super) fn new(mut times: Vec<i64>, order: Order, count: u64) -> Self {
        times.sort_unstable();
        Self {
            times,
            order,
            count,
            limit: 1000,
            lie: None,
            hidden: None,
            learnt: None,
            readable: true,
            slow_above_ms: None,
            fickle: 0,
            late: None,
            doubled: None,
            asked: 0,
            handed_out: 0,
            open: BTreeMap::new(),
            kept: Vec::new(),
            contradictions: Vec::new(),
            stopped: None,
        }
    }

    fn truth(&self, span: Span) -> &[i64] {
        let at = |ms: UtcMs| self.times.partition_point(|&time| time < ms.0);
        &self.times[at(span.from())..at(span.to())]
    }

    pub(super) fn resolve(
        &mut self,
        window: Span,
        estimate: Option<u64>,
    ) -> Result<(), &'static str> {
        self.resolve_at(&mut SpanLimit::default(), window, estimate)
    }

    pub(super) fn resolve_at(
        &mut self,
        span_limit: &mut SpanLimit,
        window: Span,
        estimate: Option<u64>,
    ) -> Result<(), &'static str> {
        self.resolve_as(span_limit, window, estimate.map(Estimate::Records))
    }

    pub(super) fn resolve_as(
        &mut self,
        span_limit: &mut SpanLimit,
        window: Span,
        estimate: Option<Estimate>,
    ) -> Result<(), &'static str> {
        // What an honest service needs at most, and nothing to spare.
        let guard = OverflowGuard::allowing(OverflowGuard::most_within_each_other(window));
        let guard = if self.lie.is_none() {
            guard
        } else {
            OverflowGuard::new(window)
        };
        let limit = self.limit;
        done(resolve_within(
            guard, self, window, limit, estimate, span_limit,
        ))
    }

    /// Milliseconds that hold as many records as the service hands out at once, or more.
    pub(super) fn full_ms_left(&self) -> usize {
        let cap = self.count.min(self.hidden.unwrap_or(u64::MAX));
        let same = self.times.chunk_by(|one, other| one == other);
        same.filter(|same| same.len() as u64 >= cap).count()
    }

    /// Every answer is kept or discarded, and those that are kept make up the window.
    pub(super) fn check_cover(&mut self, window: Span) {
        assert!(
            self.open.is_empty(),
            "neither kept nor discarded: {:?}",
            self.open
        );
        self.kept.sort_by_key(|&(span, ..)| span);
        let mut at = window.from();
        for &(span, ..) in &self.kept {
            assert_eq!(span.from(), at);
            at = span.to();
        }
        assert_eq!(at, window.to());
    }

    /// The parts also hold what the truth has there, as their status says, and nothing was called
    /// a lie.
    pub(super) fn check(&mut self, window: Span) {
        self.check_cover(window);
        assert_eq!((self.stopped, &*self.contradictions), (None, &[][..]));
        for &(span, records, status) in &self.kept {
            let truth = self.truth(span).len() as u64;
            match status {
                Status::Complete => assert_eq!(records, truth, "{span}"),
                Status::Truncated => assert_eq!(span.length().0, 1),
                // Whole pages in a single millisecond, which nothing can confirm.
                Status::Unproven => {
                    assert!(span.length().0 == 1 && records.is_multiple_of(self.limit.into()));
                }
            }
        }
    }

    /// How many records an answer holds, and their times as far as they can be read.
    fn answer(&self, span: Span) -> (u64, Vec<i64>) {
        let truth = self.truth(span);
        let cap = self.count.min(self.hidden.unwrap_or(u64::MAX));
        let made_up = |records: u64| {
            let at =
                |number: u64| (number as i128 * span.length().0 as i128 / records as i128) as i64;
            (0..records)
                .map(|number| span.from().0 + at(number))
                .collect()
        };
        match (self.lie, self.order) {
            (Some(Lie::Full), _) => (cap, made_up(cap)),
            (Some(Lie::Random { below, seed }), _) => {
                let number = seed.wrapping_mul(1_000_003).wrapping_add(self.asked);
                let random = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % below;
                (random.min(cap), made_up(random.min(cap)))
            }
            (None, order) => {
                let cut = truth.len().min(cap as usize);
                let times = match order {
                    Order::Ascending => truth[..cut].to_vec(),
                    Order::Descending => truth[truth.len() - cut..].to_vec(),
                    // Every so many-th: an even picture.
                    Order::Shuffled => (0..cut).map(|at| truth[at * truth.len() / cut]).collect(),
                };
                (cut as u64 + self.fickle * (self.asked % 2), times)
            }
        }
    }
}

/// The digest of records that are their times.
fn digest_of(times: &[i64]) -> RecordsDigest {
    let mut digest = RecordsDigest::default();
    for &time in times {
        let hash = xxhash_rust::xxh3::xxh3_128(&time.to_le_bytes());
        digest.add(hash);
    }
    digest
}

/// What comes of something that never waits.
fn done<T>(future: impl Future<Output = T>) -> T {
    match Box::pin(future)
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here ever waits"),
    }
}

impl Ask for Service {
    type Error = &'static str;

    fn ask(&mut self, span: Span) -> impl Future<Output = Result<Answer, Self::Error>> + Send {
        self.asked += 1;
        assert!(self.asked < ENDLESS, "endless");
        if let Some((_, time)) = self.late.take_if(|(ask, _)| *ask == self.asked) {
            self.times.push(time);
            self.times.sort_unstable();
        }
        let answer = if self
            .slow_above_ms
            .is_some_and(|above| span.length().0 > above)
        {
            Err("too slow")
        } else {
            let (records, times) = self.answer(span);
            let mut sampler = Sampler::default();
            let digest = (times.len() as u64 == records).then(|| {
                let mut written = times.clone();
                if self.doubled == Some(self.asked)
                    && let [one, two, ..] = &mut *written
                {
                    *one = *two;
                }
                digest_of(&written)
            });
            times
                .into_iter()
                .filter(|_| self.readable)
                .for_each(|time| sampler.add(UtcMs(time)));
            let id = self.asked as usize;
            self.handed_out += records;
            self.open.insert(id, (span, records));
            Ok(Answer {
                id,
                records: Some(records),
                digest,
                sample: sampler.finish(),
                outside: 0,
                is_full: false,
            })
        };
        std::future::ready(answer)
    }

    fn keep(&mut self, answer: usize, status: Status) {
        let (span, records) = self.open.remove(&answer).unwrap();
        self.kept.push((span, records, status));
    }

    fn discard(&mut self, answer: usize) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.open.remove(&answer).unwrap();
        std::future::ready(Ok(()))
    }

    fn may_be_too_big(error: &Self::Error) -> bool {
        *error == "too slow"
    }

    fn cap(&self) -> u64 {
        self.count.min(self.learnt.unwrap_or(u64::MAX))
    }

    fn learn_cap(&mut self, records: u64) {
        self.learnt = Some(self.cap().min(records));
    }

    fn forget_cap(&mut self) {
        self.learnt = None;
    }

    fn note_contradiction(&mut self, span: Span, _first: u64, _second: u64) {
        self.contradictions.push(span);
    }

    fn note_overflow(&mut self, span: Span) {
        assert_eq!(self.stopped, None, "said twice");
        self.stopped = Some(span);
    }
}
