//! What was recorded lost, and what of it the operator knows. Carries *Candid*: what is lost and archived
//! later all the same is lost no more.

use crate::domain::coverage::Coverage;
use crate::domain::span::{Span, UtcMs};

/// The spans that were recorded lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Which may have been archived later.
    pub(super) recorded: Coverage,
    /// Those of them that are acknowledged.
    pub(super) acknowledged: Coverage,
    /// Each loss that is not, and when it was recorded.
    pub(super) unknown: Vec<(Span, UtcMs)>,
}

impl Losses {
    /// Records that `span` was found lost at `at`.
    pub(super) fn record(&mut self, span: Span, at: UtcMs) {
        self.recorded.add(span);
        self.unknown.push((span, at));
    }

    /// Records that the operator knew, at the end of `span`, what was lost in it: what was recorded by then.
    pub(super) fn acknowledge(&mut self, span: Span) {
        let until = span.to();
        let recorded = self.unknown.iter().filter(|(_, at)| *at <= until);
        for known in recorded.filter_map(|(lost, _)| lost.intersection(span)) {
            self.acknowledged.add(known);
        }
        self.unknown
            .retain(|(lost, _)| !self.acknowledged.covers(*lost));
    }

    /// Forgets what was lost in `span`: it was archived since, and what is gone now may be had again.
    pub(super) fn forget(&mut self, span: Span) {
        self.recorded.remove(span);
        self.acknowledged.remove(span);
        let mut gone = Coverage::new();
        gone.add(span);
        let unknown = std::mem::take(&mut self.unknown).into_iter();
        let rest = |(lost, at)| {
            gone.missing_in(lost)
                .into_iter()
                .map(move |left| (left, at))
        };
        self.unknown = unknown.flat_map(rest).collect();
    }

    /// What is lost, since it is not in what is `archived`; with each span, whether it is acknowledged.
    pub(super) fn without(&self, archived: &Coverage) -> Vec<(Span, bool)> {
        self.recorded
            .spans()
            .flat_map(|span| archived.missing_in(span))
            .map(|span| (span, self.acknowledged.covers(span)))
            .collect()
    }

    /// `archived`, and what is lost and acknowledged: nobody needs to look for it.
    pub(super) fn accounted(&self, archived: &Coverage) -> Coverage {
        let mut accounted = archived.clone();
        let known = self.acknowledged.spans();
        known.for_each(|span| accounted.add(span));
        accounted
    }

    /// `archived`, and what is lost and ends before `reach`, before which the service keeps nothing; `None`
    /// when that is not known.
    pub(super) fn closed(&self, archived: &Coverage, reach: Option<UtcMs>) -> Coverage {
        let mut closed = archived.clone();
        let beyond = reach.and_then(|reach| Span::new(UtcMs(i64::MIN), reach));
        let recorded = self.recorded.spans();
        for span in recorded.filter_map(|span| beyond?.intersection(span)) {
            closed.add(span);
        }
        closed
    }
}
