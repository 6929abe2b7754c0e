//! Lies: what the service may leave out of an answer, or repeat, without saying so, and in which
//! answers.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::span::{Millis, Span};

use super::call::Call;
use super::noise;
use super::world::Project;

/// Keeps the choice of the records that a shard holds apart from every other use of a project's
/// seed.
const SHARD_STREAM: u64 = 0x7368_6172;

/// Something that the service leaves out of its answers, or repeats, without saying so. An answer that a fault
/// makes up is none of its business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lie {
    /// What is left out or repeated.
    pub kind: LieKind,
    /// How many answers are spoilt, those first that would be changed by it; `None` for all.
    pub times: Option<u32>,
    /// Which calls lie.
    pub calls: LyingCalls,
}

/// The calls that a lie is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LyingCalls {
    /// Downloads alone.
    Download,
    /// Searches alone.
    Search,
    /// Each of them.
    Both,
}

/// What a lie leaves out or repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LieKind {
    /// It holds nothing.
    Empty,
    /// One record in so many is left out, always the same ones, as by a shard that does not
    /// answer: 1 for all of them, 0 for none.
    OneIn(u64),
    /// At most so many records, the first ones in the dialect's order.
    CapRecords(u64),
    /// At most about so many bytes of zip: records are dropped from the end, in the dialect's
    /// order, until the zip is at most so long or holds nothing. Searches ignore it.
    CapBytes(u64),
    /// Only the records of the newest so much of the span.
    Newest(Millis),
    /// Only the records of the oldest so much of the span.
    Oldest(Millis),
    /// It holds nothing where the span is shorter than this.
    EmptyBelow(Millis),
    /// Of the whole pages of `limit` records the middle one is left out; nothing is where there is
    /// no whole page.
    LostPage,
    /// The same page comes twice. Searches ignore it.
    DoubledPage,
    /// In place of the same page the one before it comes again, where there is one: as many records as
    /// there are, but others. Searches ignore it.
    RepeatedPage,
}

impl LieKind {
    /// Leaves out of `found` what is not found: all that lies in `span`, in the dialect's order.
    pub(super) fn hide(self, project: &Project, span: Option<Span>, found: &mut Vec<u64>) {
        let mut keep = |within: Option<Span>| {
            let log_time = |seq: u64| project.log_time(seq as usize);
            let is_within = |seq| Some(within?.contains(log_time(seq)?));
            found.retain(|&seq| is_within(seq) == Some(true));
        };
        match self {
            Self::Empty => found.clear(),
            Self::EmptyBelow(length) => {
                if span.is_none_or(|span| span.length() < length) {
                    found.clear();
                }
            }
            Self::OneIn(shards) => found.retain(|&seq| {
                noise::at(project.seed ^ SHARD_STREAM, seq).checked_rem(shards) != Some(0)
            }),
            Self::CapRecords(most) => found.truncate(most as usize),
            Self::Newest(length) => {
                keep(span.and_then(|span| {
                    Span::new(span.from().max(span.to().minus(length)), span.to())
                }))
            }
            Self::Oldest(length) => {
                keep(span.and_then(|span| {
                    Span::new(span.from(), span.to().min(span.from().plus(length)))
                }))
            }
            Self::CapBytes(_) | Self::LostPage | Self::DoubledPage | Self::RepeatedPage => {}
        }
    }
}

/// Loses the middle one of the whole pages of `limit` records.
pub(super) fn lose_page(seqs: &mut Vec<u64>, limit: u32) {
    if let Some(page) = middle_page(seqs, limit) {
        seqs.drain(page);
    }
}

/// Writes the same page twice.
pub(super) fn double_page(seqs: &mut Vec<u64>, limit: u32) {
    if let Some(page) = middle_page(seqs, limit) {
        let again = seqs[page.clone()].to_vec();
        seqs.splice(page.start..page.start, again);
    }
}

/// Writes the page before it in its place, where there is one.
pub(super) fn repeat_page(seqs: &mut [u64], limit: u32) {
    if let Some(page) = middle_page(seqs, limit)
        && let Some(before) = page.start.checked_sub(page.len())
    {
        seqs.copy_within(before..page.start, page.start);
    }
}

/// Where the middle one of the whole pages of `limit` records is.
fn middle_page(seqs: &[u64], limit: u32) -> Option<Range<usize>> {
    let limit = limit.max(1) as usize;
    let whole = seqs.len() / limit;
    let start = whole / 2 * limit;
    (whole > 0).then_some(start..start + limit)
}

/// A lie and how often it is still told.
#[derive(Debug)]
pub(super) struct Standing {
    lie: Lie,
    left: AtomicU32,
}

impl Standing {
    pub(super) fn new(lie: Lie) -> Self {
        let left = AtomicU32::new(lie.times.unwrap_or(u32::MAX));
        Self { lie, left }
    }

    fn is_told_by(&self, call: Call) -> bool {
        match self.lie.calls {
            LyingCalls::Download => call == Call::Download,
            LyingCalls::Search => call == Call::Search,
            LyingCalls::Both => true,
        }
    }

    /// Whether it is told once more, which is then counted.
    fn tell(&self) -> bool {
        let fewer = |left: u32| left.checked_sub(1);
        self.lie.times.is_none()
            || self
                .left
                .try_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
                .is_ok()
    }
}

/// What a call answers when each of the lies is told that changes its answer, and whether one
/// did. `answer` makes the answer that lies of these kinds leave.
pub(super) fn tell<A: PartialEq, E>(
    lies: &[Standing],
    call: Call,
    mut answer: impl FnMut(&[LieKind]) -> Result<A, E>,
) -> Result<(A, bool), E> {
    let mut kinds = Vec::new();
    let mut told = answer(&kinds)?;
    for standing in lies.iter().filter(|standing| standing.is_told_by(call)) {
        kinds.push(standing.lie.kind);
        let spoilt = answer(&kinds)?;
        if spoilt != told && standing.tell() {
            told = spoilt;
        } else {
            kinds.pop();
        }
    }
    Ok((told, !kinds.is_empty()))
}
