//! How many notices each receiver got, for metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Ping,
    Webhook,
    Program,
}

impl Who {
    const ALL: [Self; 3] = [Self::Ping, Self::Webhook, Self::Program];

    /// As the config calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Webhook => "webhook",
            Self::Program => "on_archived",
        }
    }
}

/// What becomes of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    /// Tried as often as it may be.
    Failed,
    /// Not tried: there was no room, or no time at the end.
    Dropped,
}

/// The names of outcomes.
const OUTCOMES: [&str; 3] = ["delivered", "failed", "dropped"];

/// Notices since the start.
#[derive(Debug, Default)]
pub(crate) struct Tally([Counts; 3]);

#[derive(Debug, Default)]
struct Counts {
    is_used: AtomicBool,
    outcomes: [AtomicU64; 3],
}

impl Tally {
    /// So many more have ended so.
    pub(super) fn count(&self, who: Who, outcome: Outcome, more: u64) {
        self.0[who as usize].outcomes[outcome as usize].fetch_add(more, Ordering::Relaxed);
    }

    /// There is such a receiver.
    pub(super) fn is_used(&self, who: Who) {
        self.0[who as usize].is_used.store(true, Ordering::Relaxed);
    }

    /// Receiver, outcome and number, of each receiver that there was since the start.
    pub(crate) fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
        let each = Who::ALL.into_iter().zip(&self.0);
        let used = each.filter(|(_, counts)| counts.is_used.load(Ordering::Relaxed));
        let rows = used.flat_map(|(who, counts)| {
            let outcomes = OUTCOMES.into_iter().zip(&counts.outcomes);
            outcomes.map(move |(name, number)| (who.name(), name, number.load(Ordering::Relaxed)))
        });
        rows.collect()
    }
}
