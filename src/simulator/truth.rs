//! Ground truth: what an archive must hold, and how what it does hold differs from that.
//!
//! Carries *Complete* and *Exactly once* into tests: both are the claim that a [`Difference`] is
//! empty.

use std::collections::HashMap;
use std::fmt;

use crate::domain::span::Span;

use super::world::Project;

/// How many numbers of each kind a [`Difference`] prints before it only counts.
const SHOWN: usize = 10;

/// The numbers of the records of `project` in `span`, ascending.
#[must_use]
pub fn seqs_in(project: &Project, span: Span) -> Vec<u64> {
    project.truth(span).map(|truth| truth.seq).collect()
}

/// How the records that were found differ from those that had to be there; each list ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Had to be there and were not.
    pub missing: Vec<u64>,
    /// Were there and should not have been.
    pub unknown: Vec<u64>,
    /// Were there more than once.
    pub repeated: Vec<u64>,
}

impl Difference {
    /// Compares; neither side needs an order.
    #[must_use]
    pub fn between(
        expected: impl IntoIterator<Item = u64>,
        found: impl IntoIterator<Item = u64>,
    ) -> Self {
        let mut times_found: HashMap<u64, u64> = expected.into_iter().map(|seq| (seq, 0)).collect();
        let mut difference = Self::default();
        for seq in found {
            match times_found.get_mut(&seq) {
                Some(times) => *times += 1,
                None => difference.unknown.push(seq),
            }
        }
        for (seq, times) in times_found {
            match times {
                0 => difference.missing.push(seq),
                1 => {}
                _ => difference.repeated.push(seq),
            }
        }
        difference.missing.sort_unstable();
        difference.unknown.sort_unstable();
        difference.repeated.sort_unstable();
        difference
    }

    /// Whether what was found is exactly what had to be there.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.repeated.is_empty()
    }
}

/// For a person: how many of each kind, and the first of them.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("no difference");
        }
        let kinds = [
            ("missing", &self.missing),
            ("unknown", &self.unknown),
            ("repeated", &self.repeated),
        ];
        let mut separator = "";
        for (kind, seqs) in kinds.into_iter().filter(|(_, seqs)| !seqs.is_empty()) {
            let shown = seqs.get(..SHOWN).unwrap_or(seqs);
            write!(f, "{separator}{} {kind}: {shown:?}", seqs.len())?;
            f.write_str(if seqs.len() > SHOWN { " and more" } else { "" })?;
            separator = "; ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_is_missing_unknown_and_repeated() {
        let difference = Difference::between([1, 2, 3, 4], [4, 2, 9, 2]);
        assert_eq!(difference.missing, [1, 3]);
        assert_eq!(difference.unknown, [9]);
        assert_eq!(difference.repeated, [2]);
        assert!(Difference::between([1, 2], [2, 1]).is_none());
        assert_eq!(
            difference.to_string(),
            "2 missing: [1, 3]; 1 unknown: [9]; 1 repeated: [2]"
        );
    }
}
