//! Breaks of the chain of manifests that only the ledger names. Pure. Carries *Evident*: the next manifest
//! that is published names them, so that a copy without the ledger proves as much.

use serde::{Deserialize, Serialize};

use super::rebuilt::Rebuilt;
use crate::archive::manifest::ChainBreak;

/// Breaks that no manifest names yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Untold {
    breaks: Vec<ChainBreak>,
    /// How many of the lines that come next are of folders that were there already.
    adopting: u64,
    /// Breaks of the chain, and folders that are missing of it.
    holes: u64,
}

impl Untold {
    /// Folders are taken over.
    pub(super) fn rebuilt(&mut self, rebuilt: &Rebuilt) {
        self.breaks.extend(&rebuilt.breaks);
        self.holes += rebuilt.breaks.len() as u64;
        self.adopting = rebuilt.windows;
    }

    /// A folder is recorded. One that was published since names them all.
    pub(super) fn archived(&mut self) {
        match self.adopting.checked_sub(1) {
            Some(left) => self.adopting = left,
            None => self.breaks.clear(),
        }
    }

    /// A folder is gone, or set aside.
    pub(super) const fn gone(&mut self) {
        self.holes += 1;
    }

    /// The very folder is back.
    pub(super) const fn back(&mut self) {
        self.holes = self.holes.saturating_sub(1);
    }

    /// At how many places the chain may break.
    pub(crate) const fn holes(&self) -> u64 {
        self.holes
    }

    /// What the next manifest has to name.
    #[must_use]
    pub(crate) fn breaks(&self) -> &[ChainBreak] {
        &self.breaks
    }
}
