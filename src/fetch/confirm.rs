//! The second opinion: the count of a window is asked for again, by search or by a second download.
//! `domain/second_opinion.rs` says in which pieces, and what the answers mean. Carries *Confirmed*.

use super::learnt::Learnt;
use super::search::{Searched, searched};
use super::second_download::{Downloaded, Witnessed, downloaded, witnessed};
use super::{Counted, Round, Source, Wanted};
use crate::archive::manifest::{Confirmed, ConfirmedSpan, Manifest, local_time};
use crate::domain::job::ToBound;
use crate::domain::plan::reach;
use crate::domain::second_opinion::{
    Calibration, CrossCheck, FEW, Facts, MOST_BY_SEARCH, Manner, Piece, Verdict, Way, begins_late,
    by_download, by_search, is_asked,
};
use crate::domain::span::{Millis, Span};
use crate::domain::split::Status;
use crate::domain::window_error::WindowError;

/// What a second opinion says of a window.
#[derive(Debug)]
pub(super) struct Opinion {
    /// `None` where nothing could be had.
    pub(super) verdict: Option<Verdict>,
    /// Whether the window is empty and is to be asked for once more, as a whole, for an opinion.
    pub(super) is_deferred: bool,
    confirmed: Confirmed,
}

impl Opinion {
    fn none(reason: impl Into<String>) -> Self {
        Self {
            verdict: None,
            is_deferred: false,
            confirmed: Confirmed::not(reason.into()),
        }
    }

    /// How many records it shows at least of which spans, and by which way.
    pub(super) fn shown(&self) -> impl Iterator<Item = (Way, Span, u64)> + '_ {
        self.confirmed.spans.iter().filter_map(|span| {
            let least = match self.verdict {
                Some(Verdict::More) => span.found.or(Some(span.expected + 1)),
                _ => span.found,
            };
            let whole = Span::new(span.from_ms, span.to_ms)?;
            Some((self.confirmed.by, whole, least?))
        })
    }

    /// The same, with why search did not tell.
    fn with(mut self, why: Option<String>, search_agrees: bool) -> Self {
        let confirmed = &mut self.confirmed;
        confirmed.reason = match (confirmed.reason.take(), why) {
            (Some(reason), Some(why)) => Some(format!("{reason}; {why}")),
            (reason, why) => reason.or(why),
        };
        confirmed.search_agrees = search_agrees;
        self
    }

    /// The same, where it may be had later.
    const fn for_now(mut self) -> Self {
        self.confirmed.retry = true;
        self
    }

    /// For the manifest.
    pub(super) fn confirmed(self) -> Confirmed {
        match self.verdict {
            Some(Verdict::Same) | None => self.confirmed,
            Some(Verdict::More | Verdict::Fewer | Verdict::Cut) => Confirmed {
                reason: Some(self.words()),
                by: Way::None,
                // The fault may have passed by then.
                retry: true,
                ..self.confirmed
            },
        }
    }

    /// What it says, for people.
    pub(super) fn words(&self) -> String {
        if let (None | Some(Verdict::Cut), Some(reason)) = (self.verdict, &self.confirmed.reason) {
            return reason.clone();
        }
        let differs = |span: &&ConfirmedSpan| span.found != Some(span.expected);
        let how = match self.confirmed.by {
            Way::Search => "search",
            Way::Download | Way::None => "a second download",
        };
        let Some(span) = self.confirmed.spans.iter().find(differs) else {
            return format!("{how} agrees");
        };
        let found = match (span.found, self.verdict) {
            (Some(found), _) => found.to_string(),
            (None, Some(Verdict::More)) => format!("more than {}", span.expected),
            (None, _) => format!("fewer than {}", span.expected),
        };
        format!(
            "{how} finds {found} records where the first answer held {}, from {} to {}",
            span.expected, span.from_ms, span.to_ms
        )
    }
}

/// Has the count of a window confirmed, where that is to be done in this `round`.
///
/// # Errors
/// When the program is being stopped, or the disk fails.
pub(super) async fn confirm(
    source: &Source,
    wanted: Wanted,
    counted: &Counted,
    to_bound: ToBound,
    round: &Round,
    learnt: &mut Learnt,
) -> Result<Opinion, WindowError> {
    let longest = [round.manner.longest, learnt.span_limit.longest()];
    let longest = longest.into_iter().flatten().min();
    let search = &mut learnt.search;
    let is_doubtful = round.is_doubtful();
    let Some(records) = counted.records else {
        return Ok(Opinion::none("its records can't be counted"));
    };
    if counted.status != Status::Complete {
        return Ok(Opinion::none("it is not complete in any case"));
    }
    let now = source.client.now();
    let cap = u64::from(source.job.count).min(source.client.hidden_cap());
    let facts = Facts {
        histogram: &counted.histogram,
        records,
        settled_at: wanted.settled_at,
        before: wanted.before,
        cap,
        largest: counted.largest,
        zip_bytes: counted.zip_bytes,
        byte_cap: source.client.cuts().bytes(),
        zip_bytes_before: wanted.zip_bytes_before,
    };
    if !is_doubtful && !is_asked(wanted.cross_check, facts, now) {
        return Ok(Opinion::none("it was not asked for, by cross_check"));
    }
    if let (0, Some(why)) = (records, &round.was_empty) {
        let spans = vec![ConfirmedSpan {
            from_ms: wanted.window.from(),
            to_ms: wanted.window.to(),
            expected: 0,
            found: Some(0),
        }];
        let twice = with_neighbours(source, wanted, counted, to_bound, cap, longest, spans).await?;
        return Ok(twice.with(Some(why.clone()), false));
    }
    if let Some((by, span)) = round.contradicted(counted) {
        return Ok(opinion(source, by, Verdict::More, vec![span]));
    }
    let draw = fastrand::f64();
    let pieces = by_search(&counted.histogram, records, draw);
    let searched = searched(source, &pieces, to_bound, search).await;
    let (mut why, mut search_agrees) = (None, false);
    match searched {
        Err(None) => return Err(WindowError::Stopped),
        Err(Some(reason)) => why = Some(reason),
        Ok(Searched {
            verdict,
            spans,
            is_plain,
        }) => {
            search_agrees = verdict == Verdict::Same && records > 0;
            if search_agrees {
                search.agreed += 1;
            }
            if (search.is_believed() && verdict != Verdict::Fewer) || is_plain {
                return Ok(opinion(source, Way::Search, verdict, spans));
            }
            why = why.or_else(|| match (search.is_believed(), verdict) {
                (false, _) => Some(search.words()),
                (true, _) => Some("search finds fewer records".to_owned()),
            });
        }
    }
    if records == 0 && !is_doubtful {
        return Ok(Opinion {
            is_deferred: true,
            ..Opinion::none(why.unwrap_or_default())
        });
    }
    let manner = Manner {
        records,
        cap,
        largest: counted.largest,
        longest,
        draw,
        is_doubtful,
    };
    let pieces = by_download(&counted.histogram, manner);
    let opinion = match downloaded(source, wanted, &pieces, to_bound).await? {
        Downloaded::Told(Verdict::Same, spans) if records <= FEW => {
            with_neighbours(source, wanted, counted, to_bound, cap, longest, spans).await?
        }
        Downloaded::Told(verdict, spans) => opinion(source, Way::Download, verdict, spans),
        Downloaded::Failed(reason) => Opinion::none(reason).for_now(),
        Downloaded::Untold(reason) => Opinion::none(reason),
    };
    Ok(opinion.with(why, search_agrees))
}

/// What a window with few records is, of which a second download of these `spans` agrees: a record
/// beside it is to show in a span as long as the window.
async fn with_neighbours(
    source: &Source,
    wanted: Wanted,
    counted: &Counted,
    to_bound: ToBound,
    cap: u64,
    longest: Option<Millis>,
    mut spans: Vec<ConfirmedSpan>,
) -> Result<Opinion, WindowError> {
    let agreed = |verdict, spans| opinion(source, Way::Download, verdict, spans);
    Ok(
        match witnessed(source, wanted, counted, to_bound, cap, longest).await? {
            Witnessed::Same(beside) => {
                spans.extend(beside);
                agreed(Verdict::Same, spans)
            }
            Witnessed::Differs(verdict, span) => agreed(verdict, vec![span]),
            Witnessed::Cut(span) => {
                let why = format!(
                    "the answer to {span} lacks a record at its end that is there when a second alone is asked \
                 for, so the service hands out only a part of a long span"
                );
                let mut cut = agreed(Verdict::Cut, Vec::new());
                cut.confirmed.reason = Some(why);
                cut
            }
        },
    )
}

/// Why the first window of a job may be half forgotten, where nothing but a download tells what it
/// holds: its records begin implausibly late.
pub(super) fn half_forgotten(
    source: &Source,
    wanted: Wanted,
    counted: &Counted,
    confirmed: &Confirmed,
) -> Option<String> {
    let is_kept =
        reach(source.client.now(), &source.job).is_some_and(|reach| reach <= wanted.window.from());
    let is_asked = wanted.is_first && wanted.cross_check != CrossCheck::Off && !is_kept;
    let is_searched = confirmed.by == Way::Search || confirmed.search_agrees;
    (is_asked && !is_searched && begins_late(&counted.histogram)).then(|| {
        "the first window of the job begins with a gap that is too long for chance, so the service may \
         have forgotten its beginning; set `retention`, or `since` to when logs begin"
            .to_owned()
    })
}

/// Whether search shows no record in `span`, of which there is no download; `None` if it does not tell.
/// The inner error says what it shows instead.
///
/// # Errors
/// When the program is being stopped.
pub(super) async fn is_empty(
    source: &Source,
    span: Span,
    to_bound: ToBound,
    search: &mut Calibration,
) -> Result<Option<Result<Confirmed, String>>, WindowError> {
    let piece = Piece { span, expected: 0 };
    match searched(source, &[piece], to_bound, search).await {
        Ok(Searched {
            verdict: Verdict::Same,
            spans,
            ..
        }) => Ok(Some(Ok(
            opinion(source, Way::Search, Verdict::Same, spans).confirmed
        ))),
        Ok(_) => Ok(Some(Err("search shows records in it".to_owned()))),
        Err(Some(_)) => Ok(None),
        Err(None) => Err(WindowError::Stopped),
    }
}

/// What confirms of an archived window, of which `manifest` tells, that it holds what is archived of
/// it: search, asked for the same spans as before, or for the whole. `None` where it does not.
///
/// # Errors
/// When the program is being stopped.
pub(super) async fn still_agrees(
    source: &Source,
    manifest: &Manifest,
    to_bound: ToBound,
    search: &mut Calibration,
) -> Result<Option<Confirmed>, WindowError> {
    let before = manifest.confirmed.as_ref();
    let known = before.filter(|confirmed| confirmed.by == Way::Search);
    let pieces: Vec<Piece> = match (known, manifest.records, manifest.window.span()) {
        (Some(confirmed), ..) => confirmed.spans.iter().filter_map(piece_of).collect(),
        (None, Some(expected @ ..=MOST_BY_SEARCH), Some(span)) => vec![Piece { span, expected }],
        _ => return Ok(None),
    };
    match searched(source, &pieces, to_bound, search).await {
        Ok(Searched {
            verdict: Verdict::Same,
            spans,
            ..
        }) => Ok(Some(
            opinion(source, Way::Search, Verdict::Same, spans).confirmed,
        )),
        Ok(_) => Ok(None),
        Err(None) => Err(WindowError::Stopped),
        Err(Some(reason)) => {
            tracing::warn!(job = %source.job.name, "{reason}; the window is downloaded again");
            Ok(None)
        }
    }
}

fn piece_of(span: &ConfirmedSpan) -> Option<Piece> {
    Some(Piece {
        span: Span::new(span.from_ms, span.to_ms)?,
        expected: span.expected,
    })
}

fn opinion(source: &Source, by: Way, verdict: Verdict, spans: Vec<ConfirmedSpan>) -> Opinion {
    let at = local_time(source.shared.clock.now(), &source.job.zone);
    Opinion {
        verdict: Some(verdict),
        is_deferred: false,
        confirmed: Confirmed::agreed(by, at, spans),
    }
}
