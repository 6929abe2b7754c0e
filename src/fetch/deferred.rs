//! A window whose answers are not believed yet: what they said so far, and how it is asked for again.
//! Carries *Confirmed*, and *Isolated*: it waits behind the cycle's other windows.

use tokio::select;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::confirm::Opinion;
use super::learnt::Manner;
use super::{Counted, Source, Wanted};
use crate::archive::manifest::ConfirmedSpan;
use crate::domain::second_opinion::{Again, Verdict, Way};
use crate::domain::span::{Millis, Span};
use crate::domain::window_error::WindowError;

/// How long to wait before a window is asked for again that was contradicted: a log may be on its
/// way, and the two calls of the service need not learn of it at once.
const PAUSE: Millis = Millis::from_secs(2);

/// A window that is asked for again.
#[derive(Clone, Debug)]
pub struct Deferred {
    round: Round,
    not_before: Instant,
}

impl Deferred {
    /// Waits until it may be asked for.
    ///
    /// # Errors
    /// When the program is being stopped.
    pub(super) async fn wait(self, stop: &CancellationToken) -> Result<Round, WindowError> {
        select! {
            () = stop.cancelled() => Err(WindowError::Stopped),
            () = sleep_until(self.not_before) => Ok(self.round),
        }
    }
}

/// One time that a window is asked for.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// How many second opinions on it there will have been, 1 or more.
    pub(super) number: u32,
    /// How it is asked for.
    pub(super) manner: Manner,
    /// What contradicts its answers so far.
    doubt: Option<String>,
    /// How many records some answer has shown of which spans.
    heard: Vec<Heard>,
    /// If it was answered without records before, and nothing has contradicted that: why search did
    /// not tell.
    pub(super) was_empty: Option<String>,
}

/// A span of which some answer has shown so many records.
#[derive(Clone, Debug)]
struct Heard {
    by: Way,
    span: Span,
    /// At least.
    records: u64,
}

impl Round {
    pub(super) fn first(wanted: Wanted) -> Self {
        Self {
            number: 1,
            manner: Manner::default(),
            doubt: None,
            heard: Vec::new(),
            was_empty: wanted
                .was_empty
                .then(|| "it is asked for as a whole".to_owned()),
        }
    }

    /// Whether the window was not asked for before.
    pub(super) const fn is_first(&self) -> bool {
        self.number == 1 && self.was_empty.is_none()
    }

    /// Whether its answers are contradicted.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.number > 1
    }

    /// The same, once its answers hold so many records: they contradict an answer without any.
    pub(super) fn after(self, records: Option<u64>) -> Self {
        match records {
            Some(records) if self.was_empty.is_some() && records > 0 => Self {
                number: self.number + 1,
                doubt: Some(format!(
                    "the first answer held no records, the second one {records}"
                )),
                was_empty: None,
                ..self
            },
            _ => self,
        }
    }

    /// What shows that the answers to this round lack records: more of them came in an earlier one.
    pub(super) fn contradicted(&self, counted: &Counted) -> Option<(Way, ConfirmedSpan)> {
        let histogram = &counted.histogram;
        self.heard.iter().find_map(|heard| {
            let is_whole = heard.span == histogram.window();
            let held = match counted.records {
                Some(records) if is_whole => records,
                _ => histogram.at_most_within(heard.span),
            };
            (held < heard.records).then(|| {
                let span = ConfirmedSpan {
                    from_ms: heard.span.from(),
                    to_ms: heard.span.to(),
                    expected: held,
                    found: Some(heard.records),
                };
                (heard.by, span)
            })
        })
    }

    /// Logs that the window is asked for again after what `opinion` says of it.
    pub(super) fn note(&self, source: &Source, wanted: Wanted, opinion: &Opinion) {
        let (job, window, round) = (&source.job.name, wanted.window, self.number);
        match opinion.is_deferred {
            // That happens in any quiet hour.
            true => tracing::info!(
                job = %job,
                window = %window,
                "it was answered without records; it is asked for again after the other windows"
            ),
            false => tracing::warn!(
                job = %job,
                window = %window,
                round,
                "{}; it is asked for again after the other windows",
                opinion.words()
            ),
        }
    }

    /// The next round, after what `opinion` says of this one.
    pub(super) fn deferred(self, counted: &Counted, opinion: &Opinion, again: Again) -> Deferred {
        let pause = match again {
            Again::AsBefore => PAUSE,
            Again::CappedAt(_) | Again::NoLongerThan(_) => Millis::ZERO,
        };
        let round = match opinion.is_deferred {
            true => Self {
                was_empty: Some(opinion.words()),
                ..self
            },
            false => {
                let mut heard = self.heard;
                let window = counted.histogram.window();
                let whole = counted.records.map(|all| (Way::Download, window, all));
                // Without its time nobody knows whether a record is among the later ones.
                let has_times = counted.records == Some(counted.histogram.total());
                let parts = counted.parts.iter().filter(|_| has_times);
                let parts = parts.map(|&(span, records)| (Way::Download, span, records));
                let shown = opinion.shown().chain(whole).chain(parts);
                heard.extend(shown.map(|(by, span, records)| Heard { by, span, records }));
                Self {
                    number: self.number + 1,
                    manner: self.manner.and(again, counted.zip_bytes),
                    doubt: Some(opinion.words()),
                    heard,
                    was_empty: None,
                }
            }
        };
        Deferred {
            round,
            not_before: Instant::now() + pause.to_std(),
        }
    }

    /// Whether the service was found to cut answers: a contradiction took smaller answers to end, or
    /// has not ended.
    pub(super) fn is_cut(&self, opinion: &Opinion) -> bool {
        let Manner { cap, longest, .. } = self.manner;
        let shown = matches!(opinion.verdict, Some(Verdict::More | Verdict::Cut));
        cap.is_some() || longest.is_some() || shown
    }

    /// Why a window is unproven that the last opinion has not cleared.
    pub(super) fn why_unproven(&self, opinion: &Opinion) -> String {
        match &self.doubt {
            Some(doubt) if opinion.verdict.is_none() => {
                format!("{doubt}; since then: {}", opinion.words())
            }
            _ => opinion.words(),
        }
    }
}
