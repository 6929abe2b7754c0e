//! What search shows of the pieces of a window. `domain/second_opinion/calibration.rs` says what its answers
//! mean. Carries *Confirmed* and *Bounded* (a search that fails rests for a while).

use std::ops::Range;

use super::Source;
use super::retry::until_found;
use crate::archive::manifest::ConfirmedSpan;
use crate::domain::job::ToBound;
use crate::domain::retry::Failure;
use crate::domain::second_opinion::{Calibration, MOST_BY_SEARCH, Piece, Verdict};
use crate::domain::span::Span;
use crate::elsa::client::Found;
use crate::elsa::request::Search;

/// What search says of a window.
pub(super) struct Searched {
    /// Of the last piece.
    pub(super) verdict: Verdict,
    /// The pieces that were asked for.
    pub(super) spans: Vec<ConfirmedSpan>,
    /// Whether it shows plainly that there is more, whatever the form of its answers.
    pub(super) is_plain: bool,
}

/// Why search does not tell.
enum Untold {
    /// The program is being stopped.
    Stopped,
    /// It is refused, or fails: it rests for a while.
    Failed(String),
    /// It says nothing of this window.
    OfThis(&'static str),
}

impl Untold {
    /// The reason; `None` when the program is being stopped.
    fn reason(self) -> Option<String> {
        match self {
            Self::Stopped => None,
            Self::Failed(reason) => Some(reason),
            Self::OfThis(reason) => Some(reason.to_owned()),
        }
    }
}

/// Searches for the last record of each piece, and for one after it, up to the first that differs.
/// Why search does not tell is the error; `None` when the program is being stopped.
pub(super) async fn searched(
    source: &Source,
    pieces: &[Piece],
    to_bound: ToBound,
    search: &mut Calibration,
) -> Result<Searched, Option<String>> {
    if pieces.is_empty() {
        return Err(Some("no piece of it is small enough for search".to_owned()));
    }
    let now = source.shared.clock.now();
    if search.rests(now) {
        return Err(Some("search: it failed not long ago, and rests".to_owned()));
    }
    let asked = pieces_searched(source, pieces, to_bound, search).await;
    if let Err(Untold::Failed(_)) = asked {
        *search = search.clone().failed(now);
    }
    asked.map_err(Untold::reason)
}

async fn pieces_searched(
    source: &Source,
    pieces: &[Piece],
    to_bound: ToBound,
    search: &mut Calibration,
) -> Result<Searched, Untold> {
    let mut searched = Searched {
        verdict: Verdict::Same,
        spans: Vec::new(),
        is_plain: false,
    };
    for &piece in pieces {
        let Piece { span, expected } = piece;
        if search.nothing.is_none() {
            // Refused, nothing is learnt of it: a service may not look so far back.
            search.nothing = match ask(source, span, &Search::of_nothing(&source.job)).await {
                Err(Untold::Stopped) => return Err(Untold::Stopped),
                asked => asked.ok(),
            };
        }
        let mut to_bound = to_bound;
        let mut verdict = judged(source, piece, to_bound, search).await?;
        let is_open = source.job.to_bound.is_none() && to_bound == ToBound::Exclusive;
        if verdict == Verdict::More && is_open {
            // It may be a record at exactly `to`, which is the next span's.
            to_bound = ToBound::Inclusive;
            verdict = judged(source, piece, to_bound, search).await?;
        }
        let counts = match verdict {
            Verdict::Same | Verdict::Cut => None,
            Verdict::More => Some(expected + 1..MOST_BY_SEARCH),
            Verdict::Fewer => Some(0..expected - 1),
        };
        let found = match counts {
            None => Some(expected),
            Some(counts) => match counted(source, span, counts, to_bound, search).await {
                Err(Untold::Stopped) => return Err(Untold::Stopped),
                // That it differs is known, by however many records.
                counted => counted.unwrap_or_default(),
            },
        };
        searched.verdict = verdict;
        searched.spans.push(ConfirmedSpan {
            from_ms: span.from(),
            to_ms: span.to(),
            expected,
            found,
        });
        if verdict != Verdict::Same {
            searched.is_plain = verdict == Verdict::More && expected < MOST_BY_SEARCH;
            break;
        }
    }
    Ok(searched)
}

/// What search shows of one piece.
async fn judged(
    source: &Source,
    Piece { span, expected }: Piece,
    to_bound: ToBound,
    search: &Calibration,
) -> Result<Verdict, Untold> {
    let request = |offset| Search::at(&source.job, to_bound, span, offset);
    let at = ask(source, span, &request(expected)).await?;
    let before = match expected.checked_sub(1) {
        Some(last) => Some(ask(source, span, &request(last)).await?),
        None => None,
    };
    let far = match search.is_more(&at) && expected < MOST_BY_SEARCH {
        true => Some(ask(source, span, &request(MOST_BY_SEARCH)).await?),
        false => None,
    };
    search
        .judge(before.as_ref(), &at, far.as_ref())
        .map_err(Untold::OfThis)
}

/// How many records search shows in a span that has at least the first of `counts`, and at most their
/// end: both numbers of a contradiction are told. It takes at most 14 requests. `None` where there
/// are more than search can count.
async fn counted(
    source: &Source,
    span: Span,
    mut counts: Range<u64>,
    to_bound: ToBound,
    search: &Calibration,
) -> Result<Option<u64>, Untold> {
    let is_there = async |offset| {
        let request = Search::at(&source.job, to_bound, span, offset);
        let found = ask(source, span, &request).await?;
        Ok(search.is_more(&found))
    };
    let is_open = counts.end == MOST_BY_SEARCH;
    if is_open && (counts.start > counts.end || is_there(counts.end).await?) {
        return Ok(None);
    }
    while counts.start < counts.end {
        let middle = counts.start + (counts.end - counts.start) / 2;
        match is_there(middle).await? {
            true => counts.start = middle + 1,
            false => counts.end = middle,
        }
    }
    Ok(Some(counts.start))
}

async fn ask(source: &Source, span: Span, request: &Search<'_>) -> Result<Found, Untold> {
    source.count_opinion_requests(1);
    until_found(source, span, request)
        .await
        .map_err(|error| match error.failure {
            Failure::Stopped => Untold::Stopped,
            _ => Untold::Failed(format!("search: {error}")),
        })
}
