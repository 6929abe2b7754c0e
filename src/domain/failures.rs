//! How windows have failed so far, and how long they pause. Carries *Candid* and *Self-healing*: a
//! window that failed because of this machine's disk waits for space, not for its pause.

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
    /// If this machine's disk failed and not the service: how many bytes must be free beyond
    /// `min_free_space` before another try makes sense.
    pub needs_bytes: Option<u64>,
    /// Whether it is archived, and a second answer contradicts what is.
    pub contradicts: bool,
}

/// How a window has failed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many times in a row.
    pub times: u32,
    /// When it failed first, by this machine's clock.
    pub first: UtcMs,
    /// When it failed last, by this machine's clock.
    pub last: UtcMs,
    /// Why, the last time.
    pub message: String,
    /// As [`Failed::needs_bytes`], the last time.
    pub needs_bytes: Option<u64>,
}

impl Failures {
    /// Records that a window failed at `at`.
    pub fn note(known: &mut BTreeMap<Window, Self>, failed: &Failed, at: UtcMs) {
        let before = known.get(&failed.window);
        let failures = Self {
            times: before.map_or(0, |before| before.times).saturating_add(1),
            first: before.map_or(at, |before| before.first),
            last: at,
            message: failed.message.clone(),
            needs_bytes: failed.needs_bytes,
        };
        known.insert(failed.window, failures);
    }

    /// When `task` may be tried again.
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
