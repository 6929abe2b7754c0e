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
}

impl Untold {
    /// Folders are taken over.
    pub(super) fn rebuilt(&mut self, rebuilt: &Rebuilt) {
        self.breaks.extend(&rebuilt.breaks);
        self.adopting = rebuilt.windows;
    }

    /// A folder is recorded. One that was published since names them all.
    pub(super) fn archived(&mut self) {
        match self.adopting.checked_sub(1) {
            Some(left) => self.adopting = left,
            None => self.breaks.clear(),
        }
    }

    /// What the next manifest has to name.
    #[must_use]
    pub(crate) fn breaks(&self) -> &[ChainBreak] {
        &self.breaks
    }
}
