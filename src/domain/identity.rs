//! Whether an archive's root and a state directory belong together. Carries *Its own*: what does not is
//! refused before anything is written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The random id of an archive: 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ArchiveId(String);

impl ArchiveId {
    /// The id of so many random bits.
    #[must_use]
    pub fn of(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }
}

impl TryFrom<String> for ArchiveId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match text.len() == 32 && text.chars().all(is_hex) {
            true => Ok(Self(text)),
            false => Err("an archive's id has 32 hexadecimal digits"),
        }
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What root and state directory show of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The root's id.
    pub root: Option<ArchiveId>,
    /// The state directory's.
    pub state: Option<ArchiveId>,
    /// A folder that a ledger has recorded last and that the root lacks, relative to the root. It counts
    /// only where an id is missing.
    pub lacks: Option<String>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They belong together.
    Same(ArchiveId),
    /// Neither has an id: it is the first start, or a version before ids made both. Both get one.
    New,
    /// The state directory has none: it was lost, and takes the root's.
    TakenOver(ArchiveId),
    /// They do not.
    Refused(Why),
}

/// Why they don't belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The root has no id: its disk is not mounted, or it was emptied, or it is another disk.
    RootHasNone(ArchiveId),
    /// They have different ids.
    Another {
        /// The root's.
        root: ArchiveId,
        /// The state directory's.
        state: ArchiveId,
    },
    /// The ledgers were not written for this root: it lacks this folder.
    Lacks(String),
}

/// Whether root and state directory belong together.
#[must_use]
pub fn verdict(facts: Facts) -> Verdict {
    match (facts.root, facts.state, facts.lacks) {
        (Some(root), Some(state), _) if root == state => Verdict::Same(root),
        (Some(root), Some(state), _) => Verdict::Refused(Why::Another { root, state }),
        (None, Some(state), _) => Verdict::Refused(Why::RootHasNone(state)),
        (_, None, Some(lacks)) => Verdict::Refused(Why::Lacks(lacks)),
        (Some(root), None, None) => Verdict::TakenOver(root),
        (None, None, None) => Verdict::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Its own
    #[test]
    fn root_and_state_go_on_only_where_they_belong_together() {
        let id = |number| Some(ArchiveId::of(number));
        let lacks = || Some("shop/2026-11-20/x".to_owned());
        let (one, two) = (ArchiveId::of(1), ArchiveId::of(2));
        let another = Why::Another {
            root: one.clone(),
            state: two.clone(),
        };
        for (root, state, lacks, expected) in [
            (id(1), id(1), None, Verdict::Same(one.clone())),
            (id(1), id(1), lacks(), Verdict::Same(one.clone())),
            (id(1), id(2), None, Verdict::Refused(another)),
            (
                None,
                id(2),
                None,
                Verdict::Refused(Why::RootHasNone(two.clone())),
            ),
            (
                None,
                id(2),
                lacks(),
                Verdict::Refused(Why::RootHasNone(two)),
            ),
            (id(1), None, None, Verdict::TakenOver(one)),
            (
                id(1),
                None,
                lacks(),
                Verdict::Refused(Why::Lacks(lacks().unwrap())),
            ),
            (None, None, None, Verdict::New),
            (
                None,
                None,
                lacks(),
                Verdict::Refused(Why::Lacks(lacks().unwrap())),
            ),
        ] {
            let facts = Facts { root, state, lacks };
            assert_eq!(verdict(facts.clone()), expected, "{facts:?}");
        }
    }

    #[test]
    fn an_id_is_hexadecimal_digits_and_nothing_else() {
        let id = ArchiveId::of(u128::MAX - 1);
        assert_eq!(id.to_string(), "fffffffffffffffffffffffffffffffe");
        assert_eq!(ArchiveId::try_from(id.to_string()), Ok(id));
        for wrong in ["", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "\u{1b}[2J"] {
            assert!(ArchiveId::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
