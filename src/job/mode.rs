//! Who wants a cycle, and what that implies.

use crate::domain::queue::Pauses;

/// Who wants a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The daemon, whenever a schedule fires.
    Daemon,
    /// The operator, everything that is due, now.
    Once,
    /// The operator, a span, now.
    Backfill,
}

impl Mode {
    /// Whether a failed window waits until its pause is over.
    #[must_use]
    pub const fn pauses(self) -> Pauses {
        match self {
            Self::Daemon => Pauses::Kept,
            Self::Once | Self::Backfill => Pauses::Skipped,
        }
    }

    /// Whether archived windows are asked for again where the job says so.
    #[must_use]
    pub const fn rechecks(self) -> bool {
        matches!(self, Self::Daemon | Self::Once)
    }

    /// Whether a window that settles during the cycle goes before its rechecks: the next cycle of
    /// the daemon takes it.
    #[must_use]
    pub const fn yields_to_new_windows(self) -> bool {
        matches!(self, Self::Daemon)
    }

    /// How many windows of a job are fetched at once, where its account allows `max_in_flight`
    /// requests.
    #[must_use]
    pub const fn windows_at_once(self, max_in_flight: usize) -> usize {
        match self {
            Self::Daemon | Self::Once => 1,
            Self::Backfill => max_in_flight,
        }
    }
}
