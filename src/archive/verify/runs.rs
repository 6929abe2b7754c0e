//! Which folders a copy holds whole, in short: runs of the chain of manifests. Pure. Carries *Evident*: what a receipt says
//! of a copy is these.

use std::collections::{HashMap, HashSet};

use crate::digest::Digest;

/// Folders that follow each other in the chain, each whole with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Digest of the first one's manifest.
    pub(crate) first: Digest,
    /// Digest of the last one's.
    pub(crate) last: Digest,
    /// How many they are, superseded ones too.
    pub(crate) windows: u64,
    /// Bytes of their data files.
    pub(crate) bytes: u64,
}

/// A folder of the copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// Digest of its manifest.
    pub(super) digest: Digest,
    /// The manifest that it follows.
    pub(super) previous: Option<Digest>,
    /// Bytes of its data files; `None` where it is not whole, or its data were let go of.
    pub(super) whole: Option<u64>,
}

/// The runs of these folders, in the order of the chain; where that begins several times, in the given order.
pub(super) fn runs(folders: &[Looked]) -> Vec<Run> {
    let here: HashSet<Digest> = folders.iter().map(|folder| folder.digest).collect();
    let mut followers: HashMap<Option<Digest>, Vec<&Looked>> = HashMap::new();
    for folder in folders.iter().rev() {
        followers.entry(folder.previous).or_default().push(folder);
    }
    let is_head = |folder: &&Looked| {
        folder
            .previous
            .is_none_or(|previous| !here.contains(&previous))
    };
    let mut waiting: Vec<(&Looked, bool)> = folders
        .iter()
        .filter(is_head)
        .map(|folder| (folder, false))
        .rev()
        .collect();
    let mut runs: Vec<Run> = Vec::new();
    // Whether the run that was made last ends where the next folder follows.
    while let Some((folder, goes_on)) = waiting.pop() {
        match (folder.whole, runs.last_mut()) {
            (None, _) => {}
            (Some(bytes), Some(run)) if goes_on => {
                run.last = folder.digest;
                run.windows += 1;
                run.bytes = run.bytes.saturating_add(bytes);
            }
            (Some(bytes), _) => runs.push(Run {
                first: folder.digest,
                last: folder.digest,
                windows: 1,
                bytes,
            }),
        }
        // Of several that follow it, only one goes on; each is taken once.
        let next = followers.remove(&Some(folder.digest)).unwrap_or_default();
        let alone = next.len() == 1;
        let next = next.into_iter();
        waiting.extend(next.map(|next| (next, alone && folder.whole.is_some())));
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::of(&[number])
    }

    fn looked(number: u8, previous: Option<u8>, whole: Option<u64>) -> Looked {
        Looked {
            digest: digest(number),
            previous: previous.map(digest),
            whole,
        }
    }

    fn run(first: u8, last: u8, windows: u64, bytes: u64) -> Run {
        Run {
            first: digest(first),
            last: digest(last),
            windows,
            bytes,
        }
    }

    /// Guarantee: Evident
    #[test]
    fn a_run_ends_where_a_folder_is_not_whole_and_where_the_chain_does() {
        let chain = [
            looked(3, Some(2), Some(30)),
            looked(1, None, Some(10)),
            looked(2, Some(1), Some(20)),
            looked(4, Some(3), None),
            looked(5, Some(4), Some(50)),
            // A part that begins elsewhere.
            looked(9, Some(8), Some(90)),
        ];
        assert_eq!(
            runs(&chain),
            [run(1, 3, 3, 60), run(5, 5, 1, 50), run(9, 9, 1, 90)]
        );
        // Two follow the same one: neither goes on.
        let forked = [
            looked(1, None, Some(1)),
            looked(2, Some(1), Some(1)),
            looked(3, Some(1), Some(1)),
        ];
        assert_eq!(runs(&forked).len(), 3);
        // One that follows itself is no chain, and no endless loop.
        assert_eq!(runs(&[looked(1, Some(1), Some(1))]), []);
        assert_eq!(runs(&[]), []);
    }
}
