//! A folder as a ledger remembers it, for what proves and repairs an archive.

use super::publish::Archived;

/// A folder that a ledger has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// What was archived there.
    pub archived: Archived,
    /// Whether it is known to be gone, or set aside.
    pub is_missing: bool,
    /// Whether its data were let go of: it may lack them.
    pub is_pruned: bool,
}
