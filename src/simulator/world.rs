//! The world behind the simulator: projects with a known set of records, and who may read them.
//!
//! A project of millions of records costs eight bytes each: only the log times are held, the
//! content of a record is made from the seed and its `seq` whenever it is asked for.

use std::fmt;
use std::ops::Range;

use crate::domain::job::ToBound;
use crate::domain::span::{Millis, Span, UtcMs};

use super::noise::{self, Noise};

/// One record that an archive must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Truth {
    /// The record's number, unique in its project.
    pub seq: u64,
    /// When it was logged.
    pub log_time: UtcMs,
}

/// Keeps the choice of late records apart from every other use of a project's seed.
const LATE_STREAM: u64 = 0x6C61_7465;

/// Longest average body, which keeps one record well within memory.
const MAX_BODY_SIZE: usize = 1 << 20;

/// A project and every record that it will ever hold.
///
/// A record's `seq` is its place, from 0, among the project's records in order of log time. The
/// `with_` methods that add records renumber them, so a project is finished before it is used.
#[derive(Clone, Debug)]
pub struct Project {
    pub(super) key: String,
    pub(super) id: i64,
    pub(super) seed: u64,
    pub(super) body_size: usize,
    /// Log times in UTC milliseconds, ascending; the index is the record's `seq`.
    times: Vec<i64>,
    late: Option<Late>,
}

#[derive(Clone, Copy, Debug)]
struct Late {
    one_in: u64,
    by: Millis,
}

impl Project {
    /// `count` records, spread evenly but irregularly over `span`.
    #[must_use]
    pub fn uniform(key: &str, id: i64, seed: u64, span: Span, count: usize) -> Self {
        Self::from_times(key, id, seed, random_times(seed, span, count))
    }

    /// A project that holds nothing.
    #[must_use]
    pub fn silent(key: &str, id: i64) -> Self {
        Self::from_times(key, id, 0, Vec::new())
    }

    /// One record for each of `times`, in any order and repeated at will.
    #[must_use]
    pub fn from_times(key: &str, id: i64, seed: u64, times: Vec<UtcMs>) -> Self {
        let mut times: Vec<i64> = times.into_iter().map(|time| time.0).collect();
        times.sort_unstable();
        Self {
            key: key.to_owned(),
            id,
            seed,
            body_size: 200,
            times,
            late: None,
        }
    }

    /// Adds `count` records in the `width` (at least a millisecond) from `at` on.
    #[must_use]
    pub fn with_spike(mut self, at: UtcMs, count: usize, width: Millis) -> Self {
        let seed = noise::at(self.seed, self.times.len() as u64);
        if let Some(span) = Span::new(at, at.plus(width.max(Millis(1)))) {
            self.times
                .extend(random_times(seed, span, count).iter().map(|time| time.0));
            self.times.sort_unstable();
        }
        self
    }

    /// Makes bodies about `bytes` long on average (200 unless told otherwise, 1 MiB at most); 0
    /// for none at all.
    #[must_use]
    pub fn with_body_size(mut self, bytes: usize) -> Self {
        self.body_size = bytes.min(MAX_BODY_SIZE);
        self
    }

    /// Has one record in `one_in` (1 for all of them, 0 for none) indexed `by`
    /// after its log time; the others can be found at once.
    #[must_use]
    pub fn with_late(mut self, one_in: u64, by: Millis) -> Self {
        self.late = Some(Late { one_in, by });
        self
    }

    /// The project's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The project's number.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// How many records it holds, late and future ones too.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The ground truth: every record whose log time lies in `span`, in order of `seq`, whether
    /// or not it is indexed yet.
    pub fn truth(&self, span: Span) -> impl Iterator<Item = Truth> + '_ {
        self.found(span.from(), span.to(), ToBound::Exclusive)
            .filter_map(|index| {
                Some(Truth {
                    seq: index as u64,
                    log_time: self.log_time(index)?,
                })
            })
    }

    /// The instant from which the service can find a record; `None` when there is no such record.
    #[must_use]
    pub fn indexed_at(&self, seq: u64) -> Option<UtcMs> {
        let log_time = self.log_time(usize::try_from(seq).ok()?)?;
        let is_late = |late: &Late| {
            noise::at(self.seed ^ LATE_STREAM, seq).checked_rem(late.one_in) == Some(0)
        };
        let by = self
            .late
            .filter(is_late)
            .map_or(Millis::ZERO, |late| late.by);
        Some(log_time.plus(by))
    }

    /// Whether the service still has the record, and keeps what was logged at `kept_from` or later.
    pub(super) fn keeps(&self, seq: u64, kept_from: UtcMs) -> bool {
        let at = usize::try_from(seq).ok();
        at.and_then(|at| self.log_time(at))
            .is_some_and(|at| at >= kept_from)
    }

    /// A project of the same name with `count` records in `span`.
    pub(super) fn made_up(&self, span: Option<Span>, count: u32) -> Self {
        match span {
            Some(span) => Self::uniform(&self.key, self.id, self.seed, span, count as usize),
            None => Self::silent(&self.key, self.id),
        }
    }

    pub(super) fn log_time(&self, index: usize) -> Option<UtcMs> {
        self.times.get(index).copied().map(UtcMs)
    }

    /// The places of the records from `from` to `to`, where `from` <= `to`.
    pub(super) fn found(&self, from: UtcMs, to: UtcMs, to_bound: ToBound) -> Range<usize> {
        let start = self.times.partition_point(|&time| time < from.0);
        let end = self.times.partition_point(|&time| match to_bound {
            ToBound::Inclusive => time <= to.0,
            ToBound::Exclusive => time < to.0,
        });
        start..end
    }
}

fn random_times(seed: u64, span: Span, count: usize) -> Vec<UtcMs> {
    let mut noise = Noise::new(seed);
    let length = span.length().0.unsigned_abs();
    (0..count)
        .map(|_| span.from().plus(Millis(noise.below(length).cast_signed())))
        .collect()
}

/// The keys of an account, and what they open.
#[derive(Clone)]
pub struct KeyPair {
    /// Names the account.
    pub access_key: String,
    /// Signs its requests.
    pub secret_key: String,
    /// The projects that it may read.
    pub permitted: Permitted,
}

/// Which projects an account may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    /// Every project.
    All,
    /// Those with one of these keys.
    Only(Vec<String>),
}

impl KeyPair {
    pub(super) fn may_read(&self, project_key: &str) -> bool {
        match &self.permitted {
            Permitted::All => true,
            Permitted::Only(keys) => keys.iter().any(|key| key == project_key),
        }
    }
}

/// Keys that are valid for every project here, and nowhere else.
impl Default for KeyPair {
    fn default() -> Self {
        Self {
            access_key: "SIMULATORACCESSKEY01".into(),
            secret_key: "SIMULATORSECRETKEYSIMULATORSECRETKEY0001".into(),
            permitted: Permitted::All,
        }
    }
}

/// Hides the secret key, so that a log of a test never looks like a leak.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("access_key", &self.access_key)
            .field("permitted", &self.permitted)
            .finish_non_exhaustive()
    }
}

/// Which records are there to be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visible {
    /// Those that are indexed by this instant.
    pub(super) at: UtcMs,
    /// Those that were logged at this instant or later: the service has forgotten the others.
    pub(super) kept_from: UtcMs,
}
