//! What the ledger says when it takes over folders that it lacked: they are made lines from manifests, and
//! what else was known of them is lost. Carries *Candid*: where the chain of manifests breaks is told.

use crate::archive::adopt::Adopted;
use crate::archive::manifest::ChainBreak;
use crate::archive::publish::Published;
use crate::domain::span::Span;

/// Breaks that one line names at most: some 40 KB.
const MOST_BREAKS: usize = 150;

/// The lines that follow are made from manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// From the first of their windows to the last.
    pub span: Span,
    /// How many folders they are.
    pub windows: u64,
    /// Those of them that follow another manifest than that of the line before.
    pub breaks: Vec<ChainBreak>,
}

/// Folders that are recorded one after another, and what is said before them.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None` where nothing is lost but the one line that a kill has cost.
    pub rebuilt: Option<Rebuilt>,
    /// The folders.
    pub folders: Vec<Published>,
}

/// Groups folders in the order in which they are to be recorded.
pub(crate) fn groups(adopted: Vec<Adopted>) -> Vec<Group> {
    // A kill in the middle of a group costs several lines, and so does an older state that was put back: what it
    // has forgotten can't be told from nothing.
    let is_told = adopted.len() > 1 || adopted.iter().any(|one| one.breaks.is_some());
    let mut groups: Vec<Group> = Vec::new();
    for Adopted { published, breaks } in adopted {
        let window = published.archived().window.span();
        let has_room = |group: &&mut Group| {
            let rebuilt = group.rebuilt.as_ref();
            rebuilt.is_some_and(|known| known.breaks.len() < MOST_BREAKS)
        };
        let group = match groups.last_mut().filter(has_room) {
            Some(group) => group,
            None => {
                let rebuilt = Rebuilt {
                    span: window,
                    windows: 0,
                    breaks: Vec::new(),
                };
                groups.push(Group {
                    rebuilt: is_told.then_some(rebuilt),
                    folders: Vec::new(),
                });
                match groups.last_mut() {
                    Some(group) => group,
                    None => continue,
                }
            }
        };
        if let Some(rebuilt) = &mut group.rebuilt {
            rebuilt.span = hull(rebuilt.span, window);
            rebuilt.windows += 1;
            rebuilt.breaks.extend(breaks);
        }
        group.folders.push(published);
    }
    groups
}

/// The shortest span that holds both.
fn hull(one: Span, other: Span) -> Span {
    let (from, to) = (one.from().min(other.from()), one.to().max(other.to()));
    Span::new(from, to).unwrap_or(one)
}
