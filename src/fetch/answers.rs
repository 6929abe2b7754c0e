//! The answers of one window: splitting's hands. Each is requested, counted and put aside until it is known
//! whether it is a part. Carries *Candid*: what is odd about one is logged, and makes the window unproven.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::asked::Asked;
use super::attempt::Answered;
use super::learnt::is_full;
use super::retry::until_answered;
use super::staging::Place;
use super::{Counted, Source, ToBoundKnown, Wanted};
use crate::archive::manifest::{Part, Zip, local_time};
use crate::digest::Digest;
use crate::domain::assembly::{Assembled, Assembly, Piece};
use crate::domain::job::ToBound;
use crate::domain::records_digest::RecordsDigest;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::split::histogram::Histogram;
use crate::domain::split::resolve::{Answer, Ask};
use crate::domain::store_kind::StoreKind;
use crate::domain::window_error::WindowError;

/// A window in the making.
pub(super) struct Answers<'a> {
    source: &'a Source,
    /// The folder that holds what there is of each answer.
    folder: PathBuf,
    /// Requests so far, without retries.
    asked: usize,
    /// Whether the service has answered any of them with a zip.
    any_answered: bool,
    wanted: Wanted,
    /// A cap in records that this window's second opinion suggests.
    suspected_cap: Option<u64>,
    to_bound: ToBoundKnown,
    assembly: Assembly,
    /// What the manifest says of each answer, should it become a part.
    parts: BTreeMap<usize, Part>,
    /// Where the records of each answer lie that may still become a part.
    histograms: BTreeMap<usize, Histogram>,
    /// Where those of the parts lie.
    histogram: Histogram,
}

impl<'a> Answers<'a> {
    pub(super) fn new(
        source: &'a Source,
        folder: PathBuf,
        wanted: Wanted,
        suspected_cap: Option<u64>,
        to_bound: ToBoundKnown,
    ) -> Self {
        Self {
            source,
            folder,
            asked: 0,
            any_answered: false,
            wanted,
            suspected_cap,
            to_bound,
            assembly: Assembly::new(),
            parts: BTreeMap::new(),
            histograms: BTreeMap::new(),
            histogram: Histogram::of(wanted.window.span()),
        }
    }

    /// What the answers that are parts hold.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            histogram: self.histogram.clone(),
            records: self.assembly.records(),
            largest: self.assembly.largest(),
            zip_bytes: self
                .parts
                .values()
                .map(|part| part.zip.bytes)
                .max()
                .unwrap_or(0),
            parts: self
                .parts
                .values()
                .filter_map(|part| Span::new(part.from_ms, part.to_ms).zip(part.records))
                .collect(),
            status: self.assembly.status(),
        }
    }

    /// How many requests it took, without retries.
    pub(super) const fn asked(&self) -> u64 {
        self.asked as u64
    }

    /// The suspected cap, unless an answer has disproved it.
    pub(super) const fn suspected_cap(&self) -> Option<u64> {
        self.suspected_cap
    }

    /// What is known of `to` by now.
    pub(super) const fn to_bound(&self) -> ToBoundKnown {
        self.to_bound
    }

    /// Requests a span until it is answered. An answer that holds a log at exactly `to`, and nothing
    /// else outside, tells that `to` is inclusive: the span is asked for again, up to the
    /// millisecond before. So it is where no answer could tell.
    async fn answer(&mut self, span: Span, place: &Place) -> Result<(Answered, u32), WindowError> {
        let staged_bytes = self.assembly.bytes();
        let asked = Asked {
            window: self.wanted.window.span(),
            span,
            to_bound: self.to_bound.bound,
        };
        let answered = until_answered(self.source, asked, place, staged_bytes).await?;
        let unpacked = &answered.0.unpacked;
        let is_found = unpacked.seen.at_end > 0 && unpacked.seen.at_end == unpacked.seen.outside;
        let is_blind =
            unpacked.records.is_some_and(|records| records > 0) && !unpacked.seen.is_precise;
        let is_open = self.source.job.to_bound.is_none() && asked.to_bound == ToBound::Exclusive;
        if !is_open || !(is_found || is_blind) {
            return Ok(answered);
        }
        self.to_bound = ToBoundKnown {
            bound: ToBound::Inclusive,
            is_found,
            is_blind: is_blind && !is_found,
        };
        let why = match is_found {
            true => "the service includes a log at exactly `to`",
            false => "no time is written to the millisecond, so answers can't tell what `to` means",
        };
        tracing::info!(
            job = %self.source.job.name,
            span = %span,
            "{why}; the span is asked for up to the millisecond before"
        );
        place.clear(&self.source.shared).await?;
        let asked = Asked {
            to_bound: ToBound::Inclusive,
            ..asked
        };
        until_answered(self.source, asked, place, staged_bytes).await
    }

    /// The second opinion contradicts the window, which is unproven then.
    pub(super) fn contradict(&mut self, why: String) {
        let window = self.wanted.window.span();
        tracing::error!(job = %self.source.job.name, window = %window, "{why}");
        self.assembly.contradict(window, why);
    }

    /// Whether the service has answered anything with a zip.
    pub(super) const fn any_answered(&self) -> bool {
        self.any_answered
    }

    /// The window; its parts; what moves where below `staged`; and the folder that holds
    /// the other answers. The service keeps nothing before `reach`.
    pub(super) fn finish(
        mut self,
        reach: Option<UtcMs>,
        staged: &Path,
    ) -> (Assembled, Vec<Part>, Vec<(PathBuf, PathBuf)>, PathBuf) {
        let assembled = self.assembly.finish(reach);
        let (mut parts, mut moves) = (Vec::new(), Vec::new());
        for (answer, piece) in &assembled.parts {
            let Some(mut part) = self.parts.remove(answer) else {
                continue;
            };
            part.status = piece.status;
            let place = Place::of_answer(&self.source.shared, &self.folder, *answer);
            moves.extend(place.name(&mut part, parts.len() + 1, staged));
            parts.push(part);
        }
        (assembled, parts, moves, self.folder)
    }

    fn put_aside(&mut self, answer: usize, part: Part, digest: Option<RecordsDigest>) {
        let bytes = match self.source.shared.store.kind() {
            StoreKind::Unpacked => part.files.iter().map(|file| file.bytes).sum(),
            StoreKind::Zip => part.zip.bytes,
        };
        if let Some(span) = Span::new(part.from_ms, part.to_ms) {
            let piece = Piece {
                span,
                status: part.status,
                records: part.records,
                digest,
                bytes,
            };
            self.assembly.answered(answer, piece);
        }
        self.parts.insert(answer, part);
    }

    /// A part of the window that the service refuses while it answers others: perhaps it holds no
    /// logs (`ELSA-API.md`, *Unknown*). The others are worth keeping, and nothing is known of this
    /// one.
    fn refused(&mut self, span: Span, id: usize, message: &str) -> Answer {
        let part = Part {
            from_ms: span.from(),
            to_ms: span.to(),
            status: Status::Unproven,
            records: None,
            attempts: 1,
            received_at: local_time(self.source.shared.clock.now(), &self.source.job.zone),
            zip: Zip {
                bytes: 0,
                sha256: Digest::of(b""),
                path: None,
            },
            files: Vec::new(),
        };
        self.put_aside(id, part, None);
        self.assembly
            .mark_unproven(format!("a part of it was refused: {message}"));
        Answer {
            id,
            ..Answer::default()
        }
    }

    /// A window that has settled by our clock, but not by the service's, would be archived before
    /// its logs have come, and never be looked at again.
    fn check_clocks(&self) -> Result<(), WindowError> {
        let theirs = self.source.client.now();
        if theirs >= self.wanted.settled_at {
            return Ok(());
        }
        let ahead_s = self.source.shared.clock.now().since(theirs).as_secs();
        Err(WindowError::Job {
            remedy: None,
            message: format!(
                "this machine's clock is {ahead_s} s ahead of the service's, by which the window \
                 has not settled yet; check NTP"
            ),
        })
    }

    /// Logs what is odd about an answer, and says why the window is unproven then.
    fn note_oddities(&mut self, span: Span, answered: &mut Answered) {
        let job = &self.source.job;
        let outside = answered.unpacked.seen.outside;
        if outside > 0 {
            tracing::error!(
                job = %job.name,
                span = %span,
                outside,
                "the answer holds records outside the span that was asked for; they are kept as \
                 they came. `elsa-archiver check --live` says whether to_bound is right"
            );
            self.assembly.mark_unproven(format!(
                "{outside} records lie outside the span that was asked for"
            ));
        }
        let records = answered.unpacked.records;
        if let Some(records) = records.filter(|&records| records > job.count.into()) {
            tracing::warn!(
                job = %job.name,
                span = %span,
                records,
                count = job.count,
                "the answer holds more records than were asked for"
            );
        }
        if let Some(why) = answered.unpacked.uncountable.take() {
            self.assembly.mark_unproven(why);
        }
    }
}

impl Ask for Answers<'_> {
    type Error = WindowError;

    async fn ask(&mut self, span: Span) -> Result<Answer, WindowError> {
        self.asked += 1;
        let id = self.asked;
        self.check_clocks()?;
        let place = Place::of_answer(&self.source.shared, &self.folder, id);
        let answered = self.answer(span, &place).await;
        let (mut answered, attempts) = match answered {
            Err(WindowError::Rejected(message)) if self.any_answered => {
                return Ok(self.refused(span, id, &message));
            }
            other => other?,
        };
        self.any_answered = true;
        // The answer tells what time it is there, perhaps for the first time.
        self.check_clocks()?;
        self.note_oddities(span, &mut answered);
        let Answered {
            zip,
            unpacked,
            received_at,
        } = answered;
        let zip_bytes = zip.bytes;
        let part = Part {
            from_ms: span.from(),
            to_ms: span.to(),
            status: Status::Unproven,
            records: unpacked.records,
            attempts,
            received_at: local_time(received_at, &self.source.job.zone),
            zip,
            files: unpacked.files,
        };
        let digest = unpacked.records.map(|_| unpacked.seen.digest);
        self.put_aside(id, part, digest);
        self.histograms.insert(id, unpacked.seen.histogram);
        let is_full = is_full(self.source, zip_bytes);
        if is_full {
            // So many records fit into such a zip here.
            self.suspected_cap = unpacked.records.or(self.suspected_cap);
        }
        Ok(Answer {
            id,
            is_full,
            records: unpacked.records,
            digest,
            sample: unpacked.seen.inside.finish(),
            outside: unpacked.seen.outside,
        })
    }

    fn keep(&mut self, answer: usize, status: Status) {
        self.assembly.keep(answer, status);
        if let Some(more) = self.histograms.remove(&answer) {
            self.histogram.merge(&more);
        }
    }

    async fn discard(&mut self, answer: usize) -> Result<(), WindowError> {
        self.assembly.discard(answer);
        self.parts.remove(&answer);
        self.histograms.remove(&answer);
        Place::of_answer(&self.source.shared, &self.folder, answer)
            .clear(&self.source.shared)
            .await
    }

    fn may_be_too_big(error: &WindowError) -> bool {
        matches!(error, WindowError::TooSlow(_))
    }

    fn cap(&self) -> u64 {
        u64::from(self.source.job.count)
            .min(self.source.client.hidden_cap())
            .min(self.suspected_cap.unwrap_or(u64::MAX))
    }

    fn learn_cap(&mut self, records: u64) {
        tracing::warn!(
            job = %self.source.job.name,
            records,
            count = self.source.job.count,
            "the service cuts answers below the count that is asked for; from now on answers of \
             this account are taken to be cut there"
        );
        self.source.client.learn_hidden_cap(records);
    }

    fn forget_cap(&mut self) {
        self.suspected_cap = None;
        if self.source.client.hidden_cap() < u64::from(self.source.job.count) {
            tracing::warn!(
                job = %self.source.job.name,
                "the service hands out more than it had seemed to; answers are believed again up \
                 to the count that is asked for"
            );
        }
        self.source.client.forget_hidden_cap();
    }

    fn note_contradiction(&mut self, span: Span, first: u64, second: u64) {
        let what = match first == second {
            false => {
                format!("the service counts {first} records in {span}, then {second} in its parts")
            }
            true => format!(
                "the service has {first} records in {span}, then as many in its parts, but others"
            ),
        };
        tracing::error!(job = %self.source.job.name, "{what}");
        self.assembly.contradict(span, what);
    }

    fn note_overflow(&mut self, span: Span) {
        let what = format!(
            "after {} requests the service still fills its answers, the last one for {span}; the \
             rest of the window is not asked for in smaller spans",
            self.asked
        );
        tracing::error!(job = %self.source.job.name, "{what}");
        self.assembly.overflow(what);
    }
}
