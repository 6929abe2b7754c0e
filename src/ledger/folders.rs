//! The folders that a ledger has recorded, in the order of its lines, and which of them are gone.

use std::collections::HashMap;

use super::line::{Event, Line};
use crate::archive::manifest::ChainBreak;
use crate::archive::recorded::Recorded;
use crate::digest::Digest;

/// The folders of a ledger, as its lines tell of them.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    recorded: Vec<Recorded>,
    /// Where each is, by the digest of its manifest.
    by_manifest: HashMap<Digest, usize>,
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
                        self.recorded.push(Recorded {
                            archived: archived.clone(),
                            is_missing: false,
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
