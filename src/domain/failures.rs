//! How windows have failed so far, and until when they are left alone. Carries *Candid* and
//! *Self-healing*: what failed for this machine's disk waits for space, and not for its pause.

use std::collections::BTreeMap;

use super::backoff::Backoff;
use super::span::UtcMs;
use super::window::Window;

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

/// Why a window is not archived, or not rechecked, yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The window.
    pub window: Window,
    /// The reason, for the operator.
    pub message: String,
    /// Where it was this machine's disk and not the service: how many bytes must be free beyond
    /// `min_free_space` for another try to be worth it.
    pub needs_bytes: Option<u64>,
}

/// How a window has failed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How often in a row.
    pub times: u32,
    /// When last, by this machine's clock.
    pub last: UtcMs,
    /// Why, the last time.
    pub message: String,
    /// As [`Failed::needs_bytes`], the last time.
    pub needs_bytes: Option<u64>,
}

impl Failures {
    /// Takes in that a window failed at `at`.
    pub fn note(known: &mut BTreeMap<Window, Self>, failed: &Failed, at: UtcMs) {
        let times = known.get(&failed.window).map_or(0, |known| known.times);
        let failures = Self {
            times: times.saturating_add(1),
            last: at,
            message: failed.message.clone(),
            needs_bytes: failed.needs_bytes,
        };
        known.insert(failed.window, failures);
    }

    /// When `task` is worth another try.
    #[must_use]
    pub fn next_try(&self, task: Task) -> UtcMs {
        task.backoff().next_try(self.times, self.last)
    }

    /// Whether the pause after `task` has failed is not over at `now`.
    #[must_use]
    pub fn is_paused(&self, task: Task, now: UtcMs) -> bool {
        task.backoff().is_paused(self.times, self.last, now)
    }

    /// Whether `failed` says nothing new. Where a disk fails, it may be another file's turn.
    #[must_use]
    pub fn says(&self, failed: &Failed) -> bool {
        self.needs_bytes == failed.needs_bytes
    }
}
