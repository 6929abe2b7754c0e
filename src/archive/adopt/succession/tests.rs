//! Any part of any archive, in any order: what lies behind a hole is taken, and no instant twice.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::archive::manifest::{Manifest, Supersedes};
use crate::archive::publish::tests::{manifest, span};
use crate::domain::coverage::Coverage;
use crate::domain::job::JobName;
use crate::domain::span::Millis;
use crate::domain::window::{FolderName, Zone};

const HOUR: i64 = 3_600_000;

fn candidate(manifest: &Manifest, written: i64) -> Candidate {
    let window = Window::of(manifest.window.span().unwrap());
    let job = JobName::parse("shop").unwrap();
    let first = crate::archive::store::Store::folder(&job, window, &Zone::utc());
    let before = manifest.supersedes.as_ref();
    let folder = before.map_or(Some(first), |before| {
        FolderName::of_next_revision(&before.folder)
    });
    let sha256 = Digest::of(&manifest.to_json().unwrap());
    Candidate {
        named: Named {
            window,
            revision: manifest.revision().unwrap(),
        },
        archived: Archived::of(folder.unwrap(), window, manifest, sha256),
        previous: manifest.previous,
        written: Some(UtcMs(written)),
    }
}

/// A whole archive, in the order of archiving: an hour, or one of those before anew.
fn archive(steps: &[Option<usize>]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut hours = 0;
    for step in steps {
        let before = step.and_then(|step| {
            let at = step % all.len().max(1);
            let window = all.get(at)?.named.window;
            all.iter().rfind(|known| known.named.window == window)
        });
        let window = match before {
            Some(before) => before.named.window.span(),
            None => {
                hours += 1;
                span((hours - 1) * HOUR, hours * HOUR)
            }
        };
        let mut next = manifest(window, all.last().map(|last| last.archived.manifest_sha256));
        next.supersedes = before.map(|before| {
            Box::new(Supersedes {
                folder: before.archived.folder.clone(),
                manifest_sha256: before.archived.manifest_sha256,
                status: before.archived.status,
                records: before.archived.records,
                bytes: before.archived.bytes,
                confirmed: None,
                asked_ms: window.to(),
                found_ms: window.to().plus(Millis(1)),
                missing: false,
            })
        });
        all.push(candidate(&next, all.len() as i64));
    }
    all
}

fn nothing_is_known<T>(then: impl FnOnce(Known<'_>) -> T) -> T {
    then(Known {
        coverage: &Coverage::new(),
        revisions: &BTreeMap::new(),
        last_manifest: None,
    })
}

/// What is taken of `candidates` when the ledger is lost, and that nothing is left.
fn taken(candidates: &[Candidate]) -> Vec<(Candidate, Taken)> {
    let order = nothing_is_known(|known| order(candidates, known, &HashSet::new()));
    assert_eq!(order.left, [0usize; 0]);
    let of = |taken: Taken| (candidates[taken.candidate].clone(), taken);
    order.taken.into_iter().map(of).collect()
}

fn names(taken: &[(Candidate, Taken)]) -> Vec<&str> {
    taken
        .iter()
        .map(|(candidate, _)| candidate.archived.folder.as_str())
        .collect()
}

proptest! {
    /// Guarantee: Self-healing
    /// Guarantee: Exactly once
    #[test]
    fn all_that_is_left_of_an_archive_is_taken_in_the_order_of_archiving(
        steps in prop::collection::vec(prop::option::weighted(0.3, 0usize..24), 1..24),
        holes in prop::collection::vec(any::<Index>(), 0..8),
        clock in any::<bool>(),
    ) {
        let whole = archive(&steps);
        let holes: HashSet<usize> = holes.iter().map(|hole| hole.index(whole.len())).collect();
        let mut left: Vec<Candidate> = whole
            .iter()
            .enumerate()
            .filter(|(at, _)| !holes.contains(at))
            .map(|(_, candidate)| candidate.clone())
            .collect();
        let expected: Vec<String> = left.iter().map(|one| one.archived.folder.clone()).collect();
        // As a folder lists them.
        left.sort_by(|one, other| one.archived.folder.cmp(&other.archived.folder));
        if !clock {
            left.iter_mut().for_each(|candidate| candidate.written = None);
        }
        let taken = taken(&left);
        if clock {
            prop_assert_eq!(names(&taken), expected);
        }
        prop_assert_eq!(taken.len(), left.len());
        let mut revisions: BTreeMap<Window, u32> = BTreeMap::new();
        let mut before = None;
        for (candidate, taken) in &taken {
            let known = revisions.insert(candidate.named.window, candidate.named.revision);
            prop_assert!(known < Some(candidate.named.revision), "after its revision");
            prop_assert_eq!(taken.anew, known.is_none());
            prop_assert_eq!(taken.breaks, candidate.previous != before);
            before = Some(candidate.archived.manifest_sha256);
        }
        // What is recorded by then continues the archive without a fork.
        let end = before;
        prop_assert!(left.iter().all(|candidate| candidate.previous.is_none() || candidate.previous != end));
    }
}

/// Guarantee: Exactly once
#[test]
fn windows_of_another_size_that_overlap_are_taken_in_the_order_of_archiving() {
    let first = candidate(&manifest(span(0, HOUR), None), 1);
    let end = Some(first.archived.manifest_sha256);
    let longer = candidate(&manifest(span(0, 24 * HOUR), end), 2);
    let end = Some(longer.archived.manifest_sha256);
    let next = candidate(&manifest(span(HOUR, 2 * HOUR), end), 3);
    let all = [longer, next, first];
    let order = nothing_is_known(|known| order(&all, known, &HashSet::new()));
    let taken: Vec<usize> = order.taken.iter().map(|taken| taken.candidate).collect();
    assert_eq!((taken, order.left), (vec![2, 1], vec![0]));
    assert!(order.taken[1].breaks);
}

/// Guarantee: Exactly once
#[test]
fn a_revision_behind_a_hole_needs_what_it_takes_the_place_of() {
    let whole = archive(&[None, None, Some(0)]);
    let revision = whole[2].clone();
    let mut coverage = Coverage::new();
    coverage.add(span(0, 24 * HOUR));
    let known = Known {
        coverage: &coverage,
        revisions: &BTreeMap::new(),
        last_manifest: Some(Digest::of(b"another")),
    };
    let all = [revision];
    assert_eq!(order(&all, known, &HashSet::new()).left, [0]);
    let base = HashSet::from([whole[0].named.window]);
    assert_eq!(order(&all, known, &base).left, [0usize; 0]);
}
