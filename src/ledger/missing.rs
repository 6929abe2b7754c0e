//! The windows that were archived, whose folders are missing, and that are not archived since. Carries
//! *Curable*: what is gone is due again, wherever `since` is.

use std::collections::BTreeMap;

use crate::archive::manifest::Supersedes;
use crate::archive::publish::Archived;
use crate::domain::coverage::Coverage;
use crate::domain::span::Span;
use crate::domain::window::Window;

/// These windows, and what was archived of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing(BTreeMap<Window, Supersedes>);

impl Missing {
    /// Records that what was archived `before` of `window` is gone.
    pub(super) fn gone(&mut self, window: Window, before: Supersedes) {
        self.0.insert(window, before);
    }

    /// Forgets what `coverage` covers again.
    pub(super) fn archived(&mut self, coverage: &Coverage) {
        self.0.retain(|gone, _| !coverage.covers(gone.span()));
    }

    /// Whether what is archived is the very folder that was missing, brought back.
    pub(crate) fn is_awaited(&self, archived: &Archived) -> bool {
        let gone = self.0.get(&archived.window);
        gone.is_some_and(|gone| gone.manifest_sha256 == archived.manifest_sha256)
    }

    /// What was archived of `window`, if that is gone.
    #[must_use]
    pub fn of(&self, window: Window) -> Option<&Supersedes> {
        self.0.get(&window)
    }

    /// Whether a span overlaps with one of them.
    #[must_use]
    pub fn has(&self, span: Span) -> bool {
        let mut windows = self.0.keys();
        windows.any(|gone| gone.span().intersection(span).is_some())
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.0.keys().map(|window| window.span()).collect()
    }

    /// All of them with what was archived, for a checkpoint.
    pub(super) fn windows(&self) -> impl Iterator<Item = (Window, &Supersedes)> {
        self.0.iter().map(|(&window, before)| (window, before))
    }
}
