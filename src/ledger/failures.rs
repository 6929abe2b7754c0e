//! How windows have failed so far, and until when they are to be left alone. Carries *Candid*, and
//! *Self-healing*: what failed for this machine's disk waits for space, and not for its pause.

use std::collections::BTreeMap;

use super::line::Failed;
use crate::domain::backoff::Backoff;
use crate::domain::span::{Span, UtcMs};

/// What is done about a window, and may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Archiving it.
    Archive,
    /// Asking for it again later.
    Recheck,
}

impl Task {
    const fn backoff(self) -> Backoff {
        match self {
            Self::Archive => Backoff::WINDOW,
            Self::Recheck => Backoff::RECHECK,
        }
    }
}

/// How a window has failed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How often.
    pub(super) times: u32,
    /// When last.
    pub(super) last: UtcMs,
    /// Why, the last time.
    pub(super) message: String,
    /// As [`Failed::needs_bytes`], the last time.
    pub needs_bytes: Option<u64>,
}

impl Failures {
    pub(super) fn note(known: &mut BTreeMap<Span, Self>, failed: &Failed, at: UtcMs) {
        let times = known.get(&failed.span).map_or(0, |known| known.times);
        let failures = Self {
            times: times.saturating_add(1),
            last: at,
            message: failed.message.clone(),
            needs_bytes: failed.needs_bytes,
        };
        known.insert(failed.span, failures);
    }

    /// When `task` is worth another try.
    #[must_use]
    pub fn next(&self, task: Task) -> UtcMs {
        task.backoff().next_try(self.times, self.last)
    }

    /// Whether the pause after `task` has failed is not over at `now`.
    #[must_use]
    pub fn is_paused(&self, task: Task, now: UtcMs) -> bool {
        task.backoff().is_paused(self.times, self.last, now)
    }

    /// Whether `failed` says nothing new: of a disk that fails it may be another file's turn.
    #[must_use]
    pub fn says(&self, failed: &Failed) -> bool {
        self.needs_bytes == failed.needs_bytes
    }
}
