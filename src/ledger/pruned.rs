//! The windows whose data were let go of. Carries *Candid*: how much that is can be told without their folders.

use serde::{Deserialize, Serialize};

use super::line::Pruned;
use crate::domain::coverage::Coverage;
use crate::domain::span::Span;
use crate::domain::window::Window;

/// How much was let go of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Windows.
    pub windows: u64,
    /// Bytes of their data files.
    pub bytes: u64,
}

/// These windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedWindows {
    pub(super) spans: Coverage,
    pub(super) amount: Amount,
}

impl PrunedWindows {
    /// Records that a window's data are let go of. Said twice, it was brought back between.
    pub(super) fn take(&mut self, pruned: &Pruned) {
        let span = pruned.window.span();
        if self.spans.covers(span) {
            return;
        }
        self.spans.add(span);
        self.amount.windows += 1;
        self.amount.bytes = self.amount.bytes.saturating_add(pruned.bytes);
    }

    /// Forgets a window that is gone, or archived once more; it had so many bytes.
    pub(super) fn forget(&mut self, window: Window, bytes: u64) {
        if self.spans.covers(window.span()) {
            self.spans.remove(window.span());
            self.amount.windows = self.amount.windows.saturating_sub(1);
            self.amount.bytes = self.amount.bytes.saturating_sub(bytes);
        }
    }

    /// Whether the data of all of `span` were let go of.
    #[must_use]
    pub fn covers(&self, span: Span) -> bool {
        self.spans.covers(span)
    }

    /// How much that is.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }
}
