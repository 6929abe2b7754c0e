//! Which answers become a window's parts, in which order, and what the window is worth. Carries
//! *Complete*: the worst part is the window's status, and one reason is kept for the operator.

use std::collections::BTreeMap;

use super::recheck::Content;
use super::records_digest::RecordsDigest;
use super::span::{Span, UtcMs};
use super::split::Status;

/// An answer, as far as the window is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What was asked for.
    pub span: Span,
    /// What is known of it.
    pub status: Status,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// What they are; `None` when they can't be counted.
    pub digest: Option<RecordsDigest>,
    /// Bytes of what is kept of it.
    pub bytes: u64,
}

/// The answers of one window so far, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assembly {
    /// Answers that may still become parts.
    open: BTreeMap<usize, Piece>,
    /// The parts.
    kept: Vec<(usize, Piece)>,
    unproven_reason: Option<String>,
}

/// A window whose parts are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assembled {
    /// The answers that are parts, in order of time.
    pub parts: Vec<(usize, Piece)>,
    /// Why something in it is unproven, if known.
    pub unproven_reason: Option<String>,
}

impl Assembly {
    /// No answers yet.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            kept: Vec::new(),
            unproven_reason: None,
        }
    }

    /// Adds an answer.
    pub(crate) fn answered(&mut self, answer: usize, piece: Piece) {
        self.open.insert(answer, piece);
    }

    /// The answer is a part, and worth `status`.
    pub(crate) fn keep(&mut self, answer: usize, status: Status) {
        if let Some(piece) = self.open.remove(&answer) {
            self.kept.push((answer, Piece { status, ..piece }));
        }
    }

    /// The answer is not a part.
    pub(crate) fn discard(&mut self, answer: usize) {
        self.open.remove(&answer);
    }

    /// Marks something about the window as unproven; the first reason stays.
    pub(crate) fn mark_unproven(&mut self, reason: String) {
        self.unproven_reason.get_or_insert(reason);
    }

    /// The service contradicts itself about `span`, so its parts are unproven at best. This reason
    /// replaces others.
    pub(crate) fn contradict(&mut self, span: Span, reason: String) {
        self.unproven_reason = Some(reason);
        for (_, piece) in &mut self.kept {
            if span.covers(piece.span) {
                piece.status = piece.status.max(Status::Unproven);
            }
        }
    }

    /// The rest of the window is kept as it comes. This reason replaces others.
    pub(crate) fn overflow(&mut self, reason: String) {
        self.unproven_reason = Some(reason);
    }

    /// The worst of the parts.
    #[must_use]
    pub(crate) fn status(&self) -> Status {
        let statuses = self.kept.iter().map(|(_, piece)| piece.status);
        statuses.max().unwrap_or(Status::Unproven)
    }

    /// Records in all parts; `None` when a part can't be counted.
    #[must_use]
    pub(crate) fn records(&self) -> Option<u64> {
        let mut pieces = self.kept.iter().map(|(_, piece)| piece);
        pieces.try_fold(0u64, |sum, piece| sum.checked_add(piece.records?))
    }

    /// Records of the largest part.
    #[must_use]
    pub(crate) fn largest(&self) -> u64 {
        let records = self.kept.iter().filter_map(|(_, piece)| piece.records);
        records.max().unwrap_or(0)
    }

    /// Bytes of all answers that were not discarded.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        let kept = self.kept.iter().map(|(_, piece)| piece);
        kept.chain(self.open.values())
            .fold(0, |sum, piece| sum.saturating_add(piece.bytes))
    }

    /// The window. Parts that begin before `reach`, before which the service keeps nothing, may
    /// lack what it had forgotten by the time they came.
    #[must_use]
    pub(crate) fn finish(self, reach: Option<UtcMs>) -> Assembled {
        let mut parts = self.kept;
        let mut unproven_reason = self.unproven_reason;
        parts.sort_by_key(|(_, piece)| piece.span.from());
        let is_beyond = |piece: &Piece| reach.is_some_and(|reach| piece.span.from() < reach);
        for (_, piece) in parts.iter_mut().filter(|(_, piece)| is_beyond(piece)) {
            piece.status = piece.status.max(Status::Unproven);
            unproven_reason = Some("the service may have forgotten its beginning already".into());
        }
        Assembled {
            parts,
            unproven_reason,
        }
    }
}

impl Assembled {
    /// What the parts make up.
    #[must_use]
    pub(crate) fn content(&self) -> Content {
        let pieces = || self.parts.iter().map(|(_, piece)| piece);
        let statuses = pieces().map(|piece| piece.status);
        Content {
            status: statuses.max().unwrap_or(Status::Unproven),
            records: pieces().try_fold(0u64, |sum, piece| sum.checked_add(piece.records?)),
            digest: pieces().try_fold(RecordsDigest::default(), |mut sum, piece| {
                sum.merge(piece.digest?);
                Some(sum)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of one record.
    fn digest(hash: u64) -> RecordsDigest {
        let mut digest = RecordsDigest::default();
        digest.add(hash.into());
        digest
    }

    fn piece(from: i64, to: i64, records: Option<u64>) -> Piece {
        Piece {
            span: Span::new(UtcMs(from), UtcMs(to)).unwrap(),
            status: Status::Unproven,
            records,
            digest: records.map(digest),
            bytes: 10,
        }
    }

    /// Two answers that are kept, and one that is not; the later half came first.
    fn halves() -> Assembly {
        let mut assembly = Assembly::default();
        assembly.answered(1, piece(0, 10, Some(100)));
        assembly.discard(1);
        assembly.answered(2, piece(5, 10, Some(3)));
        assembly.answered(3, piece(0, 5, Some(4)));
        assembly.keep(2, Status::Complete);
        assembly.keep(3, Status::Complete);
        assembly
    }

    fn order(assembled: &Assembled) -> Vec<usize> {
        assembled.parts.iter().map(|(answer, _)| *answer).collect()
    }

    /// Guarantee: Complete
    #[test]
    fn parts_are_in_order_of_time_and_make_up_the_window() {
        let assembly = halves();
        assert_eq!(assembly.bytes(), 20);
        let assembled = assembly.finish(None);
        assert_eq!(order(&assembled), [3, 2]);
        let content = assembled.content();
        assert_eq!(content.records, Some(7));
        assert_eq!(content.digest, Some(digest(4 + 3)));
        assert_eq!(content.status, Status::Complete);
        assert_eq!(assembled.unproven_reason, None);
    }

    #[test]
    fn a_contradiction_makes_the_parts_of_its_span_unproven_and_no_others() {
        let mut assembly = halves();
        assembly.mark_unproven("first".into());
        assembly.mark_unproven("second".into());
        assert_eq!(assembly.unproven_reason.as_deref(), Some("first"));
        let first_half = Span::new(UtcMs(0), UtcMs(5)).unwrap();
        assembly.contradict(first_half, "it counts differently".into());
        let assembled = assembly.finish(None);
        let statuses: Vec<_> = assembled
            .parts
            .iter()
            .map(|(_, piece)| piece.status)
            .collect();
        assert_eq!(statuses, [Status::Unproven, Status::Complete]);
        assert_eq!(assembled.content().status, Status::Unproven);
        let reason = assembled.unproven_reason.as_deref();
        assert_eq!(reason, Some("it counts differently"));
    }

    #[test]
    fn what_the_service_may_have_forgotten_is_unproven() {
        let assembled = halves().finish(Some(UtcMs(1)));
        let statuses: Vec<_> = assembled
            .parts
            .iter()
            .map(|(_, piece)| piece.status)
            .collect();
        assert_eq!(statuses, [Status::Unproven, Status::Complete]);
        assert!(assembled.unproven_reason.unwrap().contains("forgotten"));
        assert_eq!(halves().finish(Some(UtcMs(0))).unproven_reason, None);
    }

    #[test]
    fn what_can_t_be_counted_leaves_the_window_without_a_number() {
        let mut assembly = halves();
        assembly.answered(4, piece(10, 11, None));
        assembly.keep(4, Status::Unproven);
        let content = assembly.finish(None).content();
        assert_eq!((content.records, content.status), (None, Status::Unproven));
        assert_eq!(content.digest, None);
        let nothing = Assembly::default().finish(None).content();
        assert_eq!(nothing.status, Status::Unproven);
    }
}
