//! What the windows so far have shown of the service, and how a contradicted window is asked for.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Counted, Source};
use crate::archive::count::LOG_TIME;
use crate::domain::bound::to_bound;
use crate::domain::job::{Job, ToBound};
use crate::domain::second_opinion::{Again, Calibration, Cap, Cut, reaches};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::resolve::SpanLimit;
use crate::domain::split::shape::{Picture, Shape};

/// What the windows so far have shown of the service.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// How long a span it can answer.
    pub span_limit: SpanLimit,
    /// Whether its search can be believed.
    pub search: Calibration,
    /// Bytes of the largest zip of the last window with records.
    pub zip_bytes: Option<u64>,
    /// When an answer has last shown that `to` is inclusive.
    pub inclusive_at: Option<UtcMs>,
    /// Whether times are written too coarsely to tell what `to` means.
    pub is_blind: bool,
    /// Where in a day records lie, of a job that has held much in a window. All its windows share it.
    pub(crate) shape: Arc<Mutex<Shape>>,
}

/// What is known of how the service takes `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToBoundKnown {
    /// How it is asked.
    pub bound: ToBound,
    /// Whether an answer to this window has told.
    pub is_found: bool,
    /// Whether an answer to this window has shown that none can tell.
    pub is_blind: bool,
}

impl ToBoundKnown {
    /// As it is before any answer.
    pub(super) const fn of(bound: ToBound) -> Self {
        Self {
            bound,
            is_found: false,
            is_blind: false,
        }
    }
}

impl Learnt {
    /// Takes in where the records of a window lie, unless the times of some can't be read. A job whose windows are
    /// far from `cap` records is asked for whole windows, and needs no picture.
    pub(super) fn note(&self, counted: &Counted, cap: u64) {
        let total = counted.histogram.total();
        let mut shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.records == Some(total) && (total >= cap / 2 || !shape.is_empty()) {
            shape.note(&counted.histogram);
        }
    }

    /// What is known of where records lie, to be kept.
    pub(crate) fn known_shape(&self) -> Shape {
        let shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        shape.clone()
    }

    /// Where the records of `window` are expected, if that is known.
    pub(super) fn picture(&self, window: Span) -> Option<Picture> {
        let shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        shape.picture(window)
    }

    /// A window that began with what `began` knew has ended with `ended`; others that were under way
    /// at once may have ended before.
    pub fn learn(&mut self, began: &Self, ended: &Self) {
        self.span_limit.learn(began.span_limit, ended.span_limit);
        self.search.learn(&ended.search);
        self.zip_bytes = ended.zip_bytes.or(self.zip_bytes);
        self.inclusive_at = self.inclusive_at.max(ended.inclusive_at);
        self.is_blind |= ended.is_blind;
    }

    /// How a span of `job` is asked for at `now`.
    pub(super) fn to_bound(&self, job: &Job, now: UtcMs) -> ToBound {
        let fields = &job.include_fields;
        let has_times = fields.is_empty() || fields.iter().any(|field| field == LOG_TIME);
        let is_blind = self.is_blind || !has_times;
        to_bound(job.to_bound, self.inclusive_at, is_blind, now)
    }
}

/// How the answers of a window are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// A cap in records that the service seems to have.
    pub(super) cap: Option<u64>,
    /// Bytes of the zip with so many records.
    pub(super) zip_bytes: u64,
    /// The longest span that it seems to answer whole.
    pub(super) longest: Option<Millis>,
}

impl Manner {
    /// The same, changed by what follows a disagreement on answers of which the largest zip has so many
    /// bytes.
    pub(super) fn and(self, again: Again, zip_bytes: u64) -> Self {
        match again {
            Again::AsBefore => self,
            Again::CappedAt(records) => Self {
                cap: Some(records),
                zip_bytes,
                ..self
            },
            Again::NoLongerThan(longest) => Self {
                longest: Some(longest),
                ..self
            },
        }
    }

    /// The window was confirmed, so what it took is remembered for the next ones.
    /// `cap` is what of it was not disproved meanwhile.
    pub(super) fn believe(self, source: &Source, cap: Option<u64>, learnt: &mut Learnt) {
        let cap = self.cap.and(cap);
        let manner = Self { cap, ..self };
        match manner {
            Self {
                longest: Some(longest),
                ..
            } => {
                tracing::warn!(
                    job = %source.job.name,
                    longest_s = longest.as_secs(),
                    "the service leaves out part of a long span; until the next start shorter ones \
                     are asked for"
                );
                learnt.span_limit = learnt.span_limit.at_most(longest);
            }
            Self {
                cap: Some(records),
                zip_bytes,
                ..
            } => learn_cap(source, Cut { records, zip_bytes }),
            Self { .. } => {}
        }
    }
}

/// Remembers the cap that explains an answer which was cut.
fn learn_cap(source: &Source, cut: Cut) {
    match source.client.cuts().cap(cut) {
        Cap::Records(cap) => {
            tracing::warn!(
                job = %source.job.name,
                cap,
                "the service cuts answers without saying so; from now on answers of this account with \
                 so many records are taken to be cut"
            );
            source.client.learn_hidden_cap(cap);
        }
        Cap::Bytes(bytes) => {
            tracing::warn!(
                job = %source.job.name,
                bytes,
                "the service cuts answers at a number of bytes without saying so; from now on zips of \
                 this account with about so many bytes are taken to be cut"
            );
            // What was learnt of the cut before was its bytes' doing.
            source.client.forget_hidden_cap();
        }
    }
}

/// Whether a zip has about as many bytes as the service was found to hand out at most. A longer one
/// shows that there is no such cap.
pub(super) fn is_full(source: &Source, zip_bytes: u64) -> bool {
    let cuts = source.client.cuts();
    if cuts.disproved(zip_bytes) {
        tracing::warn!(
            job = %source.job.name,
            zip_bytes,
            "the service hands out more bytes than it had seemed to; answers are believed again \
             whatever their length"
        );
    }
    reaches(zip_bytes, cuts.bytes())
}
