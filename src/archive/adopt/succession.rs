//! In which order the folders that a ledger lacks are taken over, and which can't be. Pure. Carries
//! *Self-healing* (what follows a hole is not disowned) and *Exactly once* (no instant is taken twice).
//!
//! A folder follows the one whose digest its manifest names. Where that one is gone, the chain breaks:
//! its followers are taken all the same, in the order of archiving, and the break is told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Known;
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::domain::window::{Named, Window};

/// A folder that can be what it is called.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// What it is called after.
    pub named: Named,
    /// What the ledger would say of it.
    pub archived: Archived,
    /// The manifest that it follows.
    pub previous: Option<Digest>,
    /// When its manifest was written; `None` where that can't be read.
    pub written: Option<UtcMs>,
}

/// A folder that is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Which candidate.
    pub candidate: usize,
    /// Whether its window was not known before.
    pub anew: bool,
    /// Whether it does not follow the folder that is recorded just before it.
    pub breaks: bool,
    /// Of a revision, which candidate it takes the place of: the one that its manifest names may be gone.
    pub replaces: Option<usize>,
}

/// What is to become of the candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// What is taken over, in this order.
    pub taken: Vec<Taken>,
    /// What is not, since it holds what is archived already.
    pub left: Vec<usize>,
}

/// Orders `candidates`. Of the windows that are `recorded` the ledger has a folder that is there.
pub(super) fn order(
    candidates: &[Candidate],
    known: Known<'_>,
    recorded: &HashSet<Window>,
) -> Order {
    let mut order = Order::default();
    let mut covered = known.coverage.clone();
    let mut newest: BTreeMap<Window, usize> = BTreeMap::new();
    let mut end = known.last_manifest;
    let mut waiting = Waiting::new(candidates);
    while let Some(next) = waiting.next(end) {
        let Candidate {
            named,
            archived,
            previous,
            ..
        } = &candidates[next];
        let span = named.window.span();
        let breaks = *previous != end;
        let replaces = newest.get(&named.window).copied();
        let has_base = !breaks || replaces.is_some() || recorded.contains(&named.window);
        let taken = replaces.map(|before| candidates[before].named.revision);
        let before = taken.or_else(|| known.revisions.get(&named.window).copied());
        // A revision of a window whose first folder was taken away is all there is of it.
        let anew = covered.missing_in(span) == [span];
        let revises = covered.covers(span) && has_base && named.revision > before.unwrap_or(1);
        if !anew && !revises {
            order.left.push(next);
            continue;
        }
        covered.add(span);
        newest.insert(named.window, next);
        end = Some(archived.manifest_sha256);
        order.taken.push(Taken {
            candidate: next,
            anew,
            breaks,
            replaces,
        });
    }
    order
}

/// By what those that nothing waits for are ordered: when they were written, then their names.
type Key = (Option<UtcMs>, Named, usize);

/// Candidates that have not had their turn.
struct Waiting<'a> {
    candidates: &'a [Candidate],
    /// By their digests.
    pending: HashMap<Digest, usize>,
    /// Their revisions, by their windows.
    windows: HashMap<Window, BTreeSet<u32>>,
    /// Those that follow a manifest.
    followers: HashMap<Option<Digest>, BTreeSet<Key>>,
    /// Those that follow none which has still to come.
    heads: BTreeSet<Key>,
}

impl<'a> Waiting<'a> {
    fn new(candidates: &'a [Candidate]) -> Self {
        let digests = candidates.iter().enumerate();
        let mut waiting = Self {
            candidates,
            pending: digests
                .map(|(at, candidate)| (candidate.archived.manifest_sha256, at))
                .collect(),
            windows: HashMap::new(),
            followers: HashMap::new(),
            heads: BTreeSet::new(),
        };
        for (at, candidate) in candidates.iter().enumerate() {
            let key = waiting.key(at);
            let Named { window, revision } = candidate.named;
            waiting.windows.entry(window).or_default().insert(revision);
            let previous = candidate.previous;
            let is_head = previous.is_none_or(|previous| !waiting.pending.contains_key(&previous));
            if is_head {
                waiting.heads.insert(key);
            }
            waiting.followers.entry(previous).or_default().insert(key);
        }
        waiting
    }

    fn key(&self, at: usize) -> Key {
        let candidate = &self.candidates[at];
        (candidate.written, candidate.named, at)
    }

    /// Whether an earlier revision of its window has still to come.
    fn waits(&self, at: usize) -> bool {
        let named = self.candidates[at].named;
        let oldest = self.windows.get(&named.window).and_then(BTreeSet::first);
        oldest.is_some_and(|&oldest| oldest < named.revision)
    }

    /// The next one, after the folder whose manifest is `end`.
    fn next(&mut self, end: Option<Digest>) -> Option<usize> {
        let is_free = |(_, _, at): &&Key| !self.waits(*at);
        let follows = self.followers.get(&end).and_then(BTreeSet::first);
        let free = || self.heads.iter().find(is_free);
        let next = follows.filter(is_free).or_else(free);
        let key = *next.or_else(|| self.heads.first())?;
        let at = key.2;
        self.heads.remove(&key);
        let candidate = &self.candidates[at];
        if let Some(followers) = self.followers.get_mut(&candidate.previous) {
            followers.remove(&key);
        }
        let digest = candidate.archived.manifest_sha256;
        if let Some(revisions) = self.windows.get_mut(&candidate.named.window) {
            revisions.remove(&candidate.named.revision);
        }
        if self.pending.get(&digest) == Some(&at) {
            self.pending.remove(&digest);
            // Where it is not taken, they follow a break.
            let followers = self.followers.get(&Some(digest));
            self.heads.extend(followers.into_iter().flatten());
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests;
