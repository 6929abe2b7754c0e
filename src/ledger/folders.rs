//! The folders that a ledger has recorded, in the order of its lines, and which of them are gone.

use std::collections::HashMap;

use super::line::{Event, Line};
use crate::archive::manifest::ChainBreak;
use crate::archive::recorded::Recorded;
use crate::digest::Digest;
use crate::domain::window::Window;

/// The folders of a ledger, as its lines tell of them.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    recorded: Vec<Recorded>,
    /// Where each is, by the digest of its manifest.
    by_manifest: HashMap<Digest, usize>,
    /// Where those of each window are.
    by_window: HashMap<Window, Vec<usize>>,
    breaks: Vec<ChainBreak>,
}

impl Folders {
    /// Takes the next line in.
    pub(crate) fn take(&mut self, line: &Line) {
        match &line.event {
            Event::Archived(archived) => {
                let digest = archived.manifest_sha256;
                // A folder that is back has been there before.
                let known = self.by_manifest.get(&digest).copied();
                match known.and_then(|at| self.recorded.get_mut(at)) {
                    Some(known) => known.is_missing = false,
                    None => {
                        self.by_manifest.insert(digest, self.recorded.len());
                        let of_it = self.by_window.entry(archived.window).or_default();
                        of_it.push(self.recorded.len());
                        self.recorded.push(Recorded {
                            archived: archived.clone(),
                            is_missing: false,
                            is_pruned: archived.is_pruned,
                        });
                    }
                }
            }
            Event::Missing(missing) => {
                let known = self.by_manifest.get(&missing.archived.manifest_sha256);
                if let Some(known) = known.and_then(|&at| self.recorded.get_mut(at)) {
                    known.is_missing = true;
                }
            }
            Event::Pruned(pruned) => {
                let all = self.by_window.get(&pruned.window);
                for &at in all.into_iter().flatten() {
                    if let Some(known) = self.recorded.get_mut(at) {
                        known.is_pruned = true;
                    }
                }
            }
            Event::Rebuilt(rebuilt) => self.breaks.extend(&rebuilt.breaks),
            _ => {}
        }
    }

    /// Where the chain of their manifests is known to break.
    pub(crate) fn breaks(&self) -> &[ChainBreak] {
        &self.breaks
    }

    /// All of them, in the order in which they were recorded first.
    pub(crate) fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }
}
