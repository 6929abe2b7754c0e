//! What of a replay says how much is archived, without what is kept of each window: small enough to be handed to
//! whoever watches a job while it goes on. Carries *Candid*.

use super::losses::Losses;
use super::pruned::Amount;
use super::replay::Replay;
use crate::domain::coverage::Coverage;
use crate::domain::incomplete::Numbers;
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::silence::silent;
use crate::domain::span::{Span, UtcMs};

/// How much is archived of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    coverage: Coverage,
    losses: Losses,
    /// Windows whose folders are missing.
    pub(crate) missing: Vec<Span>,
    /// Windows that are not known to be complete.
    pub(crate) incomplete: Numbers,
    /// Those of them that the operator knows of.
    pub(crate) acknowledged: Numbers,
    /// Windows by the way that confirmed their count.
    pub(crate) confirmed: ConfirmedWindows,
    /// The newest windows without a log, where some were to be expected.
    pub(crate) silent_windows: u64,
    /// Records archived, as far as they can be counted.
    pub(crate) records: u64,
    /// Bytes of data files archived.
    pub(crate) bytes: u64,
    /// What was let go of.
    pub(crate) pruned: Amount,
    /// When a window was archived last.
    pub(crate) last_success: Option<UtcMs>,
}

impl Outline {
    /// What `replay` shows.
    #[must_use]
    pub(crate) fn of(replay: &Replay) -> Self {
        let archived = replay.recheckable.windows();
        let mut held = archived.map(|(window, asked)| (window.span(), asked.records));
        // There may be as many as a month has minutes.
        let is_empty = held.next_back().filter(|(_, records)| *records == Some(0));
        let held: Vec<_> = match is_empty {
            Some(newest) => held.chain([newest]).collect(),
            None => Vec::new(),
        };
        Self {
            coverage: replay.coverage.clone(),
            losses: replay.losses.clone(),
            missing: replay.missing.spans(),
            incomplete: replay.incomplete.all(),
            acknowledged: replay.incomplete.acknowledged(),
            confirmed: replay.confirmed,
            silent_windows: silent(&held).len() as u64,
            records: replay.records,
            bytes: replay.bytes,
            pruned: replay.pruned.amount(),
            last_success: replay.last_success.map(|(_, at)| at),
        }
    }

    /// The spans archived.
    pub(crate) const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// What need not be asked for: what is archived, and what is lost and ends before `reach`.
    #[must_use]
    pub(crate) fn closed(&self, reach: Option<UtcMs>) -> Coverage {
        self.losses.closed(&self.coverage, reach)
    }

    /// The end of the span since `since` that is archived, or known to be lost, without a gap.
    #[must_use]
    pub(crate) fn covered_until(&self, since: UtcMs) -> UtcMs {
        self.losses.accounted(&self.coverage).covered_until(since)
    }

    /// The spans that are lost, and not archived since; with each, whether it is acknowledged. What is known of a span is
    /// told apart from the rest of it.
    #[must_use]
    pub(crate) fn lost(&self) -> Vec<(Span, bool)> {
        let mut lost = Vec::new();
        for (span, _) in self.losses.without(&self.coverage) {
            let unknown = self.losses.acknowledged.missing_in(span);
            let mut rest = Coverage::new();
            unknown.iter().for_each(|&unknown| rest.add(unknown));
            let known = rest.missing_in(span).into_iter();
            lost.extend(known.map(|known| (known, true)));
            lost.extend(unknown.into_iter().map(|unknown| (unknown, false)));
        }
        lost
    }
}
