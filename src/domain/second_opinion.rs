//! The second opinion: whether the count of a window is asked for again, in which pieces, what the
//! second answer means beside the first, and what is done when they disagree. Carries *Confirmed*.
//!
//! - By search, a count `n` is right when a record comes at `offset` n - 1 and none at `offset` n.
//!   Nothing is known of the form of its answer (`ELSA-API.md`, *Search*), so only the number of
//!   objects in it counts: an answer with a record holds more of them than one without.
//! - By download, pieces of the window are asked for again and must hold as many as the first answer
//!   had there.

mod calibration;
mod cap;
mod pieces;
mod witness;

use serde::{Deserialize, Serialize};

use super::span::{Millis, Span, UtcMs};
use super::split::histogram::Histogram;
pub use calibration::{Calibration, Found};
pub use cap::{Cap, Cut};
pub(crate) use cap::{disproves, reaches};
pub(crate) use pieces::{FEW, MOST_BY_SEARCH, Manner, Piece, by_download, by_search};
pub(crate) use witness::{Witness, witnesses};

/// Of the windows that are not new, one in so many is asked for again: a cap or a shard that is gone
/// for good is found within a day.
const SAMPLE: i64 = 24;
/// So long after it has settled, a window counts as new: also after a night without the daemon.
const NEW_FOR: Millis = Millis::from_days(1);

/// A gap at an edge of a window is suspicious from so many mean distances between records on. By
/// chance one window in a million has such a gap, since e^-14 is about 10^-6.
const LONGEST_GAP: f64 = 14.0;
/// Zips are alike that differ by no more than one in so many bytes: a service that cuts at a number of
/// bytes may end an answer at the last whole record.
const ALIKE: u64 = 100;
/// Fewer records tell nothing of a density.
const DENSITY_FROM: u64 = 20;

/// Whose count is asked for a second time; the config's `cross_check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossCheck {
    /// Each new window, and of the others as [`CrossCheck::Some`].
    All,
    /// One window in 24, each that is empty, and each that is suspicious.
    Some,
    /// None.
    Off,
}

/// The way by which a count was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By the search call.
    Search,
    /// By a second download.
    Download,
    /// It was not.
    None,
}

/// What the second opinion on a window came to, as the ledger keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondOpinion {
    /// Which way confirmed its count; `None` in what older versions wrote.
    pub by: Option<Way>,
    /// Whether search agreed while it was not believed yet.
    pub search_agrees: bool,
    /// Whether it could not be had, or contradicts, and is asked for again later.
    pub retry: bool,
    /// Whether it has shown that the service cuts answers without saying so.
    pub cut: bool,
}

/// How many windows are confirmed, by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedWindows {
    /// By search.
    pub search: u64,
    /// By a second download.
    pub download: u64,
    /// Not at all: it could not be had, or was not asked for.
    pub none: u64,
}

impl ConfirmedWindows {
    /// The number of one way.
    pub(crate) const fn of(&mut self, way: Way) -> &mut u64 {
        match way {
            Way::Search => &mut self.search,
            Way::Download => &mut self.download,
            Way::None => &mut self.none,
        }
    }
}

/// What is known of a window when it is decided whether to ask again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The window's records by time.
    pub histogram: &'a Histogram,
    /// Its records, also those without a readable time.
    pub records: u64,
    /// When it had settled.
    pub settled_at: UtcMs,
    /// Records of the window archived before, if known.
    pub before: Option<u64>,
    /// The smallest number of records at which an answer may have been cut.
    pub cap: u64,
    /// The records of its largest answer.
    pub largest: u64,
    /// Bytes of its largest zip.
    pub zip_bytes: u64,
    /// About how many bytes the service hands out at most.
    pub byte_cap: u64,
    /// Bytes of the largest zip of the window with records before it, if known.
    pub zip_bytes_before: Option<u64>,
}

/// Whether the count of a window is asked for again.
#[must_use]
pub(crate) fn is_asked(cross_check: CrossCheck, facts: Facts<'_>, now: UtcMs) -> bool {
    let is_new = now < facts.settled_at.plus(NEW_FOR);
    match cross_check {
        CrossCheck::Off => false,
        CrossCheck::All if is_new => true,
        CrossCheck::All | CrossCheck::Some => {
            is_sampled(facts.histogram.window()) || facts.records == 0 || is_suspicious(facts)
        }
    }
}

/// Whether the count of a window is asked for again whatever it holds, so that it is known before the
/// first answer.
#[must_use]
pub(crate) fn is_asked_in_any_case(
    cross_check: CrossCheck,
    window: Span,
    settled_at: UtcMs,
    now: UtcMs,
) -> bool {
    match cross_check {
        CrossCheck::Off => false,
        CrossCheck::All if now < settled_at.plus(NEW_FOR) => true,
        CrossCheck::All | CrossCheck::Some => is_sampled(window),
    }
}

fn is_sampled(window: Span) -> bool {
    let number = window.from().0.div_euclid(window.length().0);
    number.rem_euclid(SAMPLE) == SAMPLE / 2
}

/// Whether something about a window speaks for records that were left out.
fn is_suspicious(facts: Facts<'_>) -> bool {
    let is_repeated = facts.records > 0 && facts.before == Some(facts.records);
    let is_as_long = facts.records > 0
        && facts
            .zip_bytes_before
            .is_some_and(|before| cap::is_alike(before, facts.zip_bytes));
    let is_nearly_full = facts.largest < facts.cap && facts.largest >= facts.cap - facts.cap / 10
        || facts.zip_bytes >= facts.byte_cap - facts.byte_cap / 10;
    is_repeated || is_as_long || is_nearly_full || has_bare_edge(facts.histogram)
}

/// Whether the first record comes implausibly late, or the last one implausibly early, for how dense
/// the records between them are.
fn has_bare_edge(histogram: &Histogram) -> bool {
    let (first, last) = histogram.extent().unwrap_or_default();
    is_bare(histogram, first.max(histogram.bins() - 1 - last))
}

/// Whether the first record comes implausibly late for how dense those after it are. The service may
/// have forgotten what came before.
/// Logs may also begin slowly: the density of the first of them counts.
#[must_use]
pub(crate) fn begins_late(histogram: &Histogram) -> bool {
    let first = histogram.extent().map_or(0, |(first, _)| first);
    let mut records = 0;
    let dense = (first..histogram.bins()).find(|&bin| {
        records += histogram.count(bin);
        records >= DENSITY_FROM
    });
    let bare = |last| is_gap(first, last - first + 1, records);
    dense.is_some_and(bare) && is_bare(histogram, first)
}

/// Whether so many bins at an edge can't be without a record by chance.
fn is_bare(histogram: &Histogram, bins: usize) -> bool {
    let records = histogram.total();
    let extent = histogram.extent().filter(|_| records >= DENSITY_FROM);
    extent.is_some_and(|(first, last)| is_gap(bins, last - first + 1, records))
}

/// Whether so many bins without a record can't be chance beside so many bins with some.
fn is_gap(bare: usize, bins: usize, records: u64) -> bool {
    let distance = bins as f64 / records as f64;
    bare.saturating_sub(1) as f64 > LONGEST_GAP * distance.max(1.0)
}

/// What a second answer says of a piece, or of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As many records.
    Same,
    /// More: the first answer was cut.
    More,
    /// Fewer: the second answer was cut, or records were deleted meanwhile.
    Fewer,
    /// The second answer lacks a record that is there, and both may be cut alike.
    Cut,
}

impl Verdict {
    /// Of two counts.
    #[must_use]
    pub(crate) fn of(expected: u64, found: u64) -> Self {
        match found.cmp(&expected) {
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Greater => Self::More,
            std::cmp::Ordering::Less => Self::Fewer,
        }
    }
}

/// How a window is asked for after a second opinion that disagrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// As before, after a pause: the fault may have passed, or a log was on its way.
    AsBefore,
    /// As if an answer with so many records were capped.
    CappedAt(u64),
    /// In spans that are no longer.
    NoLongerThan(Millis),
}

/// What follows a second opinion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The window is what it is, and what it took is remembered for others.
    Believe,
    /// The window is what it is; nothing could be had.
    Publish,
    /// It is contradicted, now or before, and nothing took the doubt away.
    Unproven,
    /// It is asked for again.
    Again(Again),
}

/// What follows the `round`th opinion on a window (1 for the first); `None` where nothing could be had. Its
/// largest answer held so many records.
#[must_use]
pub(crate) fn next(
    verdict: Option<Verdict>,
    round: u32,
    largest: u64,
    histogram: &Histogram,
) -> Next {
    match verdict {
        Some(Verdict::Same) => Next::Believe,
        None if round == 1 => Next::Publish,
        // It was contradicted before, and no opinion is no agreement.
        None => Next::Unproven,
        Some(differs) => {
            after(differs, round, largest, histogram).map_or(Next::Unproven, Next::Again)
        }
    }
}

/// What follows a disagreement, the `round`th of a window (1 for the first), whose largest answer held
/// so many records, in a span of so many. A cap in records or bytes is overcome by smaller answers,
/// one in time by shorter spans; what neither overcomes is for the operator.
#[must_use]
fn after(verdict: Verdict, round: u32, largest: u64, histogram: &Histogram) -> Option<Again> {
    let window = histogram.window().length();
    let part = |of: i64| Again::NoLongerThan(Millis((window.0 / of).max(1)));
    let steps = match verdict {
        Verdict::Same => vec![],
        Verdict::Fewer => vec![Again::AsBefore],
        Verdict::Cut => vec![Again::AsBefore, part(8), part(64)],
        Verdict::More if largest == 0 => vec![Again::AsBefore, part(8), part(64)],
        Verdict::More => vec![Again::AsBefore, Again::CappedAt(largest), part(8), part(64)],
    };
    let step = (round as usize).checked_sub(1)?;
    steps.get(step).copied()
}

#[cfg(test)]
mod tests;
