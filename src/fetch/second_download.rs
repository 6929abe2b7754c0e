//! What a second download of pieces of a window shows, of which nothing is kept; and whether a record
//! beside a window with few records shows in a span as long as the window. Carries *Confirmed*.

use tokio::task::spawn_blocking;

use super::asked::Asked;
use super::attempt::Answered;
use super::retry::until_answered;
use super::staging::Place;
use super::{Counted, Neighbour, Source, Wanted};
use crate::archive::manifest::{ConfirmedSpan, Manifest};
use crate::archive::store::Store;
use crate::domain::job::ToBound;
use crate::domain::second_opinion::{Piece, Verdict, Witness, witnesses};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::histogram::Histogram;
use crate::domain::window_error::WindowError;

/// What a second download of some pieces shows.
pub(super) enum Downloaded {
    /// Of the last piece, and which were asked for.
    Told(Verdict, Vec<ConfirmedSpan>),
    /// Why it failed.
    Failed(String),
    /// Why none tells anything of this window.
    Untold(&'static str),
}

/// Downloads the pieces again, up to the first that differs, and keeps none of it.
///
/// # Errors
/// When the program is being stopped, or the disk fails.
pub(super) async fn downloaded(
    source: &Source,
    wanted: Wanted,
    pieces: &[Piece],
    to_bound: ToBound,
) -> Result<Downloaded, WindowError> {
    if pieces.is_empty() {
        return Ok(Downloaded::Untold("no piece of it can be asked for alone"));
    }
    let mut spans = Vec::new();
    let mut verdict = Verdict::Same;
    for &Piece { span, expected } in pieces {
        let asked = Asked {
            window: span,
            span,
            to_bound,
        };
        let found = match again(source, wanted, asked).await? {
            Ok(answered) => records(&answered, to_bound),
            // That is how some services say that there is nothing (`ELSA-API.md`, *Unknown*).
            Err(WindowError::Rejected(_)) => Some(0),
            Err(error) => return Ok(Downloaded::Failed(format!("a second download: {error}"))),
        };
        let Some(found) = found else {
            return Ok(Downloaded::Untold(
                "the records of a second download can't be counted",
            ));
        };
        verdict = Verdict::of(expected, found);
        spans.push(ConfirmedSpan {
            from_ms: span.from(),
            to_ms: span.to(),
            expected,
            found: Some(found),
        });
        if verdict != Verdict::Same {
            break;
        }
    }
    Ok(Downloaded::Told(verdict, spans))
}

/// The records of an answer; those at exactly `to` are the next span's.
fn records(answered: &Answered, to_bound: ToBound) -> Option<u64> {
    let at_end = match to_bound {
        ToBound::Exclusive => answered.unpacked.seen.at_end,
        ToBound::Inclusive => 0,
    };
    let records = answered.unpacked.records;
    records.map(|records| records.saturating_sub(at_end))
}

/// What the records beside a window say of it.
pub(super) enum Witnessed {
    /// Nothing against it, by these spans, which reach beyond it.
    Same(Vec<ConfirmedSpan>),
    /// The window holds another number of them here.
    Differs(Verdict, ConfirmedSpan),
    /// An answer to this span lacks a record at its end that a short span shows.
    Cut(Span),
}

/// Asks for spans that begin with a record before the window, or end with one after it, and are no longer
/// than `longest`. Where the answer lacks that record, it is asked for alone: it may be gone. One with as
/// many records as the `cap` lacks any for that reason.
///
/// # Errors
/// When the program is being stopped, or the disk fails.
pub(super) async fn witnessed(
    source: &Source,
    wanted: Wanted,
    counted: &Counted,
    to_bound: ToBound,
    cap: u64,
    longest: Option<Millis>,
) -> Result<Witnessed, WindowError> {
    let window = wanted.window.span();
    let [before, after] = wanted.neighbours;
    let before = record_of(source, before, true).await?;
    let after = record_of(source, after, false).await?;
    let mut spans = Vec::new();
    for Witness { span, record } in witnesses(window, longest, before, after) {
        let asked = |span| Asked {
            window,
            span,
            to_bound,
        };
        let (found, seen) = match again(source, wanted, asked(span)).await? {
            Ok(answered) => {
                let Some(found) = records(&answered, to_bound) else {
                    continue;
                };
                (found, answered.unpacked.seen.histogram)
            }
            Err(WindowError::Rejected(_)) => (0, Histogram::of(window)),
            Err(_) => continue,
        };
        if found < cap && found <= seen.total() {
            let alone = again(source, wanted, asked(record)).await?;
            if alone.is_ok_and(|alone| records(&alone, to_bound) > Some(0)) {
                return Ok(Witnessed::Cut(span));
            }
            continue;
        }
        let Some(inside) = span.intersection(window) else {
            continue;
        };
        let (is_full, beside) = (found >= cap, found.saturating_sub(seen.total()));
        let (expected, found) = (counted.histogram.within(inside), seen.within(inside));
        let verdict = Verdict::of(expected, found);
        if is_full && verdict != Verdict::More {
            continue;
        }
        if verdict != Verdict::Same {
            let span = ConfirmedSpan {
                from_ms: inside.from(),
                to_ms: inside.to(),
                expected,
                found: Some(found),
            };
            return Ok(Witnessed::Differs(verdict, span));
        }
        spans.push(ConfirmedSpan {
            from_ms: span.from(),
            to_ms: span.to(),
            expected: expected + beside,
            found: Some(found + beside),
        });
    }
    Ok(Witnessed::Same(spans))
}

/// The time of the last record of an archived window, or of the first one, if its manifest tells.
async fn record_of(
    source: &Source,
    neighbour: Option<Neighbour>,
    is_last: bool,
) -> Result<Option<UtcMs>, WindowError> {
    let Some(Neighbour { window, revision }) = neighbour else {
        return Ok(None);
    };
    let first = Store::folder(&source.job.name, window, &source.job.zone);
    let folder = match revision {
        1 => first,
        later => format!("{first}.r{later}"),
    };
    let storage = source.shared.store.storage();
    let read = move || {
        let manifest = Manifest::read(&storage, &folder).ok()?;
        let files = manifest.parts.iter().flat_map(|part| &part.files);
        let time = match is_last {
            true => files.filter_map(|file| file.last_ms).max(),
            false => files.filter_map(|file| file.first_ms).min(),
        };
        time.filter(|&at| window.span().contains(at))
    };
    Ok(spawn_blocking(read).await?)
}

/// Downloads a span of which nothing is kept. The inner error is one that says nothing of other windows.
async fn again(
    source: &Source,
    wanted: Wanted,
    asked: Asked,
) -> Result<Result<Answered, WindowError>, WindowError> {
    let shared = &source.shared;
    let staged = shared.store.staging(&source.job.name, wanted.window);
    let place = Place::new(staged.with_extension("again"), None);
    source.count_opinion_requests(1);
    let answered = until_answered(source, asked, &place, 0).await;
    place.clear(shared).await?;
    match answered {
        Ok((answered, _)) => Ok(Ok(answered)),
        Err(
            error @ (WindowError::Stopped
            | WindowError::Disk {
                whole_job: true, ..
            }),
        ) => Err(error),
        Err(error) => Ok(Err(error)),
    }
}
