//! Archived windows that are not known to be complete, and which of them the operator knows of. Carries
//! *Candid*: each is red until somebody says "known", or something better is published.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::span::UtcMs;
use super::split::Status;
use super::window::Window;

/// The archived windows that are `truncated` or `unproven`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incomplete {
    windows: BTreeMap<Window, Recorded>,
}

/// What was recorded of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Its status, not [`Status::Complete`].
    pub status: Status,
    /// When, by this machine's clock.
    pub at: UtcMs,
    /// Whether the operator knows of it.
    pub acknowledged: bool,
    /// Whether it was archived as complete, and a later answer contradicts that.
    pub contradicted: bool,
}

/// Numbers of windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// Those recorded `truncated`.
    pub truncated: u64,
    /// Those recorded `unproven`.
    pub unproven: u64,
}

impl Incomplete {
    /// Records that `window` was archived at `at`, for the first time or anew. What was known of it
    /// before counts no longer.
    pub(crate) fn archived(&mut self, window: Window, status: Status, at: UtcMs) {
        if status == Status::Complete {
            self.windows.remove(&window);
            return;
        }
        let recorded = Recorded {
            status,
            at,
            acknowledged: false,
            contradicted: false,
        };
        self.windows.insert(window, recorded);
    }

    /// Records that an answer at `at` contradicts what is archived of `window`: it is unproven until
    /// another one agrees, whether or not the service is asked again.
    pub(crate) fn contradicted(&mut self, window: Window, at: UtcMs) {
        self.windows.entry(window).or_insert(Recorded {
            status: Status::Unproven,
            at,
            acknowledged: false,
            contradicted: true,
        });
    }

    /// Records that an answer agrees with what is archived of `window`.
    pub(crate) fn agreed(&mut self, window: Window) {
        let recorded = self.windows.get(&window);
        if recorded.is_some_and(|recorded| recorded.contradicted) {
            self.windows.remove(&window);
        }
    }

    /// Records that nothing is archived of `window` any more.
    pub(crate) fn forget(&mut self, window: Window) {
        self.windows.remove(&window);
    }

    /// Records that the operator knows what is archived of `window`.
    pub(crate) fn acknowledge(&mut self, window: Window) {
        if let Some(recorded) = self.windows.get_mut(&window) {
            recorded.acknowledged = true;
        }
    }

    /// The windows that were recorded up to `until` and that the operator does not know of. A window
    /// of long ago that is archived later is not among them: nobody has seen it.
    #[must_use]
    pub(crate) fn unknown_until(&self, until: UtcMs) -> Vec<Window> {
        let unknown = self
            .windows
            .iter()
            .filter(|(_, recorded)| !recorded.acknowledged && recorded.at <= until);
        unknown.map(|(&window, _)| window).collect()
    }

    /// Whether `window` is one of them and the operator knows of it.
    #[must_use]
    pub(crate) fn is_acknowledged(&self, window: Window) -> bool {
        let recorded = self.windows.get(&window);
        recorded.is_some_and(|recorded| recorded.acknowledged)
    }

    /// Whether `window` was archived as complete, and a later answer contradicts that.
    #[must_use]
    pub(crate) fn is_contradicted(&self, window: Window) -> bool {
        let recorded = self.windows.get(&window);
        recorded.is_some_and(|recorded| recorded.contradicted)
    }

    /// How many there are.
    #[must_use]
    pub fn all(&self) -> Numbers {
        self.count(|_| true)
    }

    /// How many of them the operator knows of.
    #[must_use]
    pub fn acknowledged(&self) -> Numbers {
        self.count(|recorded| recorded.acknowledged)
    }

    fn count(&self, counts: impl Fn(&Recorded) -> bool) -> Numbers {
        let mut numbers = Numbers::default();
        for recorded in self.windows.values().filter(|recorded| counts(recorded)) {
            match recorded.status {
                Status::Complete => {}
                Status::Truncated => numbers.truncated += 1,
                Status::Unproven => numbers.unproven += 1,
            }
        }
        numbers
    }

    /// Every one of them, for a checkpoint.
    pub(crate) fn windows(&self) -> impl Iterator<Item = (Window, Recorded)> + '_ {
        self.windows
            .iter()
            .map(|(&window, &recorded)| (window, recorded))
    }

    /// Puts back what a checkpoint holds of one of them.
    pub(crate) fn restore(&mut self, window: Window, recorded: Recorded) {
        self.windows.insert(window, recorded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::Span;

    fn window(number: i64) -> Window {
        Window::of(Span::new(UtcMs(number * 10), UtcMs(number * 10 + 10)).unwrap())
    }

    /// Guarantee: Candid
    #[test]
    fn what_was_recorded_after_the_operator_has_looked_is_not_known_however_old_its_window() {
        let mut incomplete = Incomplete::default();
        incomplete.archived(window(5), Status::Unproven, UtcMs(100));
        incomplete.archived(window(6), Status::Truncated, UtcMs(101));
        incomplete.archived(window(1), Status::Unproven, UtcMs(102));
        assert_eq!(incomplete.unknown_until(UtcMs(101)), [window(5), window(6)]);
        incomplete.acknowledge(window(5));
        incomplete.acknowledge(window(7));
        assert_eq!(incomplete.unknown_until(UtcMs(101)), [window(6)]);
        assert!(incomplete.is_acknowledged(window(5)) && !incomplete.is_acknowledged(window(1)));
        let numbers = |truncated, unproven| Numbers {
            truncated,
            unproven,
        };
        assert_eq!(incomplete.all(), numbers(1, 2));
        assert_eq!(incomplete.acknowledged(), numbers(0, 1));
    }

    /// Guarantee: Candid
    #[test]
    fn a_revision_takes_a_window_out_or_makes_it_a_new_one() {
        let mut incomplete = Incomplete::default();
        for number in 0..2 {
            incomplete.archived(window(number), Status::Unproven, UtcMs(100));
            incomplete.acknowledge(window(number));
        }
        incomplete.archived(window(0), Status::Complete, UtcMs(200));
        incomplete.archived(window(1), Status::Truncated, UtcMs(200));
        assert_eq!(incomplete.unknown_until(UtcMs(200)), [window(1)]);
        assert_eq!(incomplete.all().unproven, 0);
        assert_eq!(incomplete.acknowledged(), Numbers::default());
    }
}
