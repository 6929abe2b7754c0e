//! In which pieces the count of a window is asked for again. Carries *Confirmed* and *Bounded*.

use super::LONGEST_GAP;
use crate::domain::span::{Millis, Span};
use crate::domain::split::histogram::Histogram;

/// `offset + limit` of a search is at most so many (`ELSA-API.md`, *Search*), so with a limit of 1
/// this is the largest count that it can confirm.
pub(crate) const MOST_BY_SEARCH: u64 = 9_999;

/// One in so many of a window's records is downloaded again.
const SHARE: u64 = 17;
/// The share is taken in so many pieces: the earliest, the latest, and one between.
const PIECES: u64 = 3;
/// A window with at most so many records is downloaded again as a whole: a share of it would be three
/// records at most.
pub(crate) const FEW: u64 = 50;

/// A span whose count is asked for again, and how many records the first answer had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The span.
    pub span: Span,
    /// Records counted in it.
    pub expected: u64,
}

/// How a window is downloaded again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Its records.
    pub records: u64,
    /// An answer with so many may be cut.
    pub cap: u64,
    /// The records of its largest answer.
    pub largest: u64,
    /// A longer span is not answered whole, as far as the service has shown.
    pub longest: Option<Millis>,
    /// In [0, 1): where a piece between the edges begins.
    pub draw: f64,
    /// Whether it was contradicted.
    pub is_doubtful: bool,
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
    let pieces = edges_and_one(histogram, MOST_BY_SEARCH, usize::MAX, draw);
    pieces
        .into_iter()
        .chain(hole(histogram, usize::MAX))
        .filter(|piece| piece.expected <= MOST_BY_SEARCH)
        .collect()
}

/// The pieces that are downloaded again: about a sixteenth of the window's records, from its earliest,
/// its latest and one other place, and a gap that is too long. Of a window with few records, or one
/// that was contradicted (`is_doubtful`), all of it, in other spans than before: a service that leaves
/// out part of a span would leave out the same of the same span. Of one without readable times, all of
/// it at once. A piece holds fewer records than the cap.
#[must_use]
pub(crate) fn by_download(histogram: &Histogram, manner: Manner) -> Vec<Piece> {
    let Manner {
        records,
        cap,
        largest,
        longest,
        draw,
        is_doubtful,
    } = manner;
    let has_times = histogram.total() >= records;
    let longest = longest.map_or(usize::MAX, |longest| histogram.bins_in(longest));
    let pieces = if !has_times {
        whole(histogram, records)
    } else if records <= FEW || is_doubtful {
        // As many as the largest answer held may be a cap that nothing tells.
        all_of(
            histogram,
            (records / 2).min(cap / 2).min(largest / 2),
            longest,
        )
    } else {
        edges_and_one(histogram, records / SHARE / PIECES, longest, draw)
    };
    let is_small = |piece: &Piece| piece.expected < cap;
    pieces
        .into_iter()
        .chain(hole(histogram, longest).filter(|_| has_times))
        .filter(is_small)
        .collect()
}

/// All of the window, in at least two pieces with about `most` records each, of a bin at least and
/// `longest` at most. The first is half as long as others may be, so that none ends where an answer
/// did.
fn all_of(histogram: &Histogram, most: u64, longest: usize) -> Vec<Piece> {
    let bins = histogram.bins();
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < bins {
        let end = match first {
            0 => bins.min(longest).div_ceil(2),
            _ => bins.min(first.saturating_add(longest)),
        };
        let (_, end) = grow(histogram, (first..end).collect(), most);
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

/// Half of the longest gap before, between or after records, where it is implausible, and `most` bins
/// of it: a page may be missing. Half, since the whole may be just the page that is left out again.
fn hole(histogram: &Histogram, most: usize) -> Option<Piece> {
    let (first, last) = histogram.extent()?;
    let (mut longest, mut since) = ((0, 0), 0);
    for bin in 0..=histogram.bins() {
        if histogram.count(bin) > 0 || bin == histogram.bins() {
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
        span: histogram.span(from, from + ((to - from) / 2).min(most))?,
        expected: 0,
    })
}

pub(super) fn whole(histogram: &Histogram, records: u64) -> Vec<Piece> {
    vec![Piece {
        span: histogram.window(),
        expected: records,
    }]
}

/// The earliest, the latest, and one piece between that begins where `draw` says, each with about
/// `most` records, of a bin at least and `longest` at most. None overlaps another.
fn edges_and_one(histogram: &Histogram, most: u64, longest: usize, draw: f64) -> Vec<Piece> {
    let bins = histogram.bins();
    let earliest = grow(histogram, (0..bins).take(longest).collect(), most);
    let of_the_rest = (earliest.1..bins).rev().take(longest);
    let latest = grow(histogram, of_the_rest.collect(), most);
    let (from, to) = (earliest.1, latest.0.max(earliest.1));
    let start = from + ((to - from) as f64 * draw) as usize;
    let between = grow(histogram, (start..to).take(longest).collect(), most);
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
