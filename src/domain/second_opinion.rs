//! The second opinion: whether the count of a window is asked for again, in which pieces, what the
//! second answer means beside the first, and what is done when they disagree. Carries *Confirmed*.
//!
//! - By search, a count `n` is right when a record comes at `offset` n - 1 and none at `offset` n.
//!   Nothing is known of the form of its answer (`ELSA-API.md`, *Search*), so only the number of
//!   objects in it counts: an answer with a record holds more of them than one without.
//! - By download, pieces of the window are asked for again and must hold as many as the first answer
//!   had there.

use serde::{Deserialize, Serialize};

use super::span::{Millis, Span, UtcMs};
use super::split::histogram::Histogram;

/// `offset + limit` of a search is at most so many (`ELSA-API.md`, *Search*), so with a limit of 1
/// this is the largest count that it can confirm.
pub(crate) const MOST_BY_SEARCH: u64 = 9_999;

/// One in so many of a window's records is downloaded again.
const SHARE: u64 = 16;
/// The share is taken in so many pieces: the earliest, the latest, and one between.
const PIECES: u64 = 3;
/// A window with at most so many records is downloaded again as a whole: a share of it would be three
/// records at most.
const FEW: u64 = 50;

/// So many windows must have agreed before search is believed.
const CALIBRATION: u64 = 3;

/// Of the windows that are not new, one in so many is asked for again: a cap or a shard that is gone
/// for good is found within a day.
const SAMPLE: i64 = 24;
/// So long after it has settled, a window counts as new: also after a night without the daemon.
const NEW_FOR: Millis = Millis::from_days(1);

/// A gap at an edge of a window is suspicious from so many mean distances between records on. By
/// chance one window in a million has such a gap, since e^-14 is about 10^-6.
const LONGEST_GAP: f64 = 14.0;
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

fn is_sampled(window: Span) -> bool {
    let number = window.from().0.div_euclid(window.length().0);
    number.rem_euclid(SAMPLE) == SAMPLE / 2
}

/// Whether something about a window speaks for records that were left out.
fn is_suspicious(facts: Facts<'_>) -> bool {
    let is_repeated = facts.records > 0 && facts.before == Some(facts.records);
    let is_nearly_full = facts.largest < facts.cap && facts.largest >= facts.cap - facts.cap / 10;
    is_repeated || is_nearly_full || has_bare_edge(facts.histogram)
}

/// Whether the first record comes implausibly late, or the last one implausibly early, for how dense
/// the records between them are.
fn has_bare_edge(histogram: &Histogram) -> bool {
    let (Some((first, last)), records) = (histogram.extent(), histogram.total()) else {
        return false;
    };
    let held = (last - first + 1) as f64;
    let distance = held / records as f64;
    let bare = first.max(histogram.bins() - 1 - last).saturating_sub(1) as f64;
    records >= DENSITY_FROM && bare > LONGEST_GAP * distance.max(1.0)
}

/// A span whose count is asked for again, and how many records the first answer had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The span.
    pub span: Span,
    /// Records counted in it.
    pub expected: u64,
}

/// The pieces that search can confirm: the window, or where it holds too many the earliest, the latest,
/// one between, and a gap that is too long. `draw` in [0, 1) chooses that one. Empty when there is none.
#[must_use]
pub(crate) fn by_search(histogram: &Histogram, records: u64, draw: f64) -> Vec<Piece> {
    if records <= MOST_BY_SEARCH {
        return whole(histogram, records);
    }
    if histogram.total() < records {
        return Vec::new();
    }
    let pieces = edges_and_one(histogram, MOST_BY_SEARCH, draw);
    pieces
        .into_iter()
        .chain(hole(histogram))
        .filter(|piece| piece.expected <= MOST_BY_SEARCH)
        .collect()
}

/// The pieces that are downloaded again: about a sixteenth of the window's records, from its earliest,
/// its latest and one other place, and a gap that is too long. Of a window with few records, or one
/// that was contradicted (`is_doubtful`), all of it, in other spans than before: a service that leaves
/// out part of a span would leave out the same of the same span. Of one without readable times, all of
/// it at once. A piece holds fewer records than `cap`.
#[must_use]
pub(crate) fn by_download(
    histogram: &Histogram,
    records: u64,
    cap: u64,
    draw: f64,
    is_doubtful: bool,
) -> Vec<Piece> {
    let pieces = if histogram.total() < records {
        whole(histogram, records)
    } else if records <= FEW || is_doubtful {
        all_of(histogram, (records / 2).min(cap / 2))
    } else {
        let mut pieces = edges_and_one(histogram, records / SHARE / PIECES, draw);
        pieces.extend(hole(histogram));
        pieces
    };
    let is_small = |piece: &Piece| piece.expected < cap;
    pieces.into_iter().filter(is_small).collect()
}

/// All of the window, in at least two pieces with about `most` records each, and of a bin at least.
fn all_of(histogram: &Histogram, most: u64) -> Vec<Piece> {
    let bins = histogram.bins();
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < bins {
        let last = if first == 0 { bins.div_ceil(2) } else { bins };
        let (_, end) = grow(histogram, (first..last).collect(), most);
        pieces.extend(piece(histogram, first, end));
        first = end;
    }
    pieces
}

/// The bins from `first` up to and without `end`; `None` when there are none.
fn piece(histogram: &Histogram, first: usize, end: usize) -> Option<Piece> {
    Some(Piece {
        span: histogram.span(first, end)?,
        expected: (first..end).map(|bin| histogram.count(bin)).sum(),
    })
}

/// Half of the longest gap between two records, where it is implausible: a page may be missing. Half,
/// since the whole may be just the page that is left out again.
fn hole(histogram: &Histogram) -> Option<Piece> {
    let (first, last) = histogram.extent()?;
    let (mut longest, mut since) = ((0, 0), first);
    for bin in first..=last {
        if histogram.count(bin) > 0 {
            if bin - since > longest.1 - longest.0 {
                longest = (since, bin);
            }
            since = bin + 1;
        }
    }
    let (from, to) = longest;
    let distance = (last - first + 1) as f64 / histogram.total() as f64;
    if ((to - from) as f64) < LONGEST_GAP * distance.max(1.0) {
        return None;
    }
    Some(Piece {
        span: histogram.span(from, from + (to - from) / 2)?,
        expected: 0,
    })
}

fn whole(histogram: &Histogram, records: u64) -> Vec<Piece> {
    vec![Piece {
        span: histogram.window(),
        expected: records,
    }]
}

/// The earliest, the latest, and one piece between that begins where `draw` says, each with about
/// `most` records, and of a bin at least. None overlaps another.
fn edges_and_one(histogram: &Histogram, most: u64, draw: f64) -> Vec<Piece> {
    let bins = histogram.bins();
    let earliest = grow(histogram, (0..bins).collect(), most);
    let latest = grow(histogram, (earliest.1..bins).rev().collect(), most);
    let (from, to) = (earliest.1, latest.0.max(earliest.1));
    let start = from + ((to - from) as f64 * draw) as usize;
    let between = grow(histogram, (start..to).collect(), most);
    [earliest, between, latest]
        .into_iter()
        .filter_map(|(first, end)| piece(histogram, first, end))
        .collect()
}

/// As many of `bins` as hold at most `most` records, at least the first: from which bin, and up to
/// and without which.
fn grow(histogram: &Histogram, bins: Vec<usize>, most: u64) -> (usize, usize) {
    let Some(&start) = bins.first() else {
        return (0, 0);
    };
    let mut last = start;
    let mut held = 0;
    for bin in bins {
        held += histogram.count(bin);
        if held > most && bin != start {
            break;
        }
        last = bin;
    }
    (start.min(last), start.max(last) + 1)
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

/// What is known of search for one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Windows with records on which search has agreed with the download.
    pub agreed: u64,
    /// Objects in an answer without a record, if known.
    pub objects_of_none: Option<u64>,
}

impl Calibration {
    /// Whether search alone confirms or contradicts a count.
    #[must_use]
    pub const fn is_believed(self) -> bool {
        self.agreed >= CALIBRATION
    }

    /// What is known after other windows, which may have ended meanwhile, have learnt `other`.
    pub fn learn(&mut self, other: Self) {
        self.agreed = self.agreed.max(other.agreed);
        self.objects_of_none = other.objects_of_none.or(self.objects_of_none);
    }

    /// What is known of search, for people.
    #[must_use]
    pub fn words(self) -> String {
        format!(
            "search has agreed on {} of {CALIBRATION} windows that it takes to believe it",
            self.agreed.min(CALIBRATION)
        )
    }

    /// What the two answers to a piece mean: `before` are the objects in the answer to `offset`
    /// n - 1 (`None` for an empty piece, where nothing is asked), `at` in that to `offset` n.
    ///
    /// # Errors
    /// Says why they can't be told apart.
    pub(crate) fn judge(self, before: Option<u64>, at: u64) -> Result<Verdict, &'static str> {
        const FORM: &str = "the answers of search can't be told apart";
        match (before, self.objects_of_none) {
            (_, Some(none)) if at > none => Ok(Verdict::More),
            (_, Some(none)) if at < none => Err(FORM),
            (None, Some(_)) => Ok(Verdict::Same),
            (Some(before), Some(none)) if before > none => Ok(Verdict::Same),
            (Some(_), Some(_)) => Ok(Verdict::Fewer),
            (Some(before), None) if before > at => Ok(Verdict::Same),
            (_, None) => Err(FORM),
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
    /// Not again. It stays `unproven`.
    Not,
}

/// What follows a disagreement, the `round`th of a window (1 for the first), whose largest answer held
/// so many records, in a span of so many. A cap in records or bytes is overcome by smaller answers,
/// one in time by shorter spans; what neither overcomes is for the operator.
#[must_use]
pub(crate) fn after(verdict: Verdict, round: u32, largest: u64, histogram: &Histogram) -> Again {
    let window = histogram.window().length();
    let part = |of: i64| Again::NoLongerThan(Millis((window.0 / of).max(1)));
    let steps = match verdict {
        Verdict::Same => vec![],
        Verdict::Fewer => vec![Again::AsBefore],
        Verdict::More if largest == 0 => vec![Again::AsBefore, part(8), part(64)],
        Verdict::More => vec![Again::AsBefore, Again::CappedAt(largest), part(8), part(64)],
    };
    let step = (round as usize).checked_sub(1).and_then(|at| steps.get(at));
    step.copied().unwrap_or(Again::Not)
}

#[cfg(test)]
mod tests;
