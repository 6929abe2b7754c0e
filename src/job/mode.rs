//! Who wants a cycle, and what that implies.

use crate::domain::queue::Pauses;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::span::Span;

/// Who wants a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The daemon, whenever a schedule fires.
    Daemon,
    /// The operator, everything that is due, now.
    Once,
    /// The operator, a span, now.
    Backfill,
    /// The operator, a span, now, and what is archived of it once more.
    Again(Span),
}

impl Mode {
    /// Whether a failed window waits until its pause is over.
    #[must_use]
    pub const fn pauses(self) -> Pauses {
        match self {
            Self::Daemon => Pauses::Kept,
            Self::Once | Self::Backfill | Self::Again(_) => Pauses::Skipped,
        }
    }

    /// Whether archived windows are asked for again where the job says so.
    #[must_use]
    pub const fn rechecks(self) -> bool {
        matches!(self, Self::Daemon | Self::Once)
    }

    /// Whether what was recorded lost is asked for once more.
    #[must_use]
    pub const fn asks_for_losses(self) -> bool {
        matches!(self, Self::Backfill | Self::Again(_))
    }

    /// Whether a window that settles during the cycle goes before its rechecks: the next cycle of
    /// the daemon takes it.
    #[must_use]
    pub const fn yields_to_new_windows(self) -> bool {
        matches!(self, Self::Daemon)
    }

    /// Whose count is asked for a second time, where the job says `cross_check`.
    #[must_use]
    pub const fn cross_check(self, cross_check: CrossCheck) -> CrossCheck {
        match (self, cross_check) {
            (Self::Backfill, CrossCheck::All) => CrossCheck::Some,
            (_, as_said) => as_said,
        }
    }

    /// Whether one of the windows in flight is the newest that is due, so that it does not wait behind
    /// a backlog. A span is archived in its order.
    #[must_use]
    pub const fn asks_from_both_ends(self) -> bool {
        matches!(self, Self::Daemon | Self::Once)
    }
}
