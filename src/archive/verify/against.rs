//! Verifying a job's archive against its ledger: every line has its folder, every folder its
//! line.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use super::folder::Expected;
use super::{Break, Depth, JobReport, Known, Owner, Problem, folder, parallel};
use crate::archive::manifest::{ChainBreak, Manifest};
use crate::archive::publish::Archived;
use crate::archive::recorded::Recorded;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::domain::window::Window;

/// Verifies what the ledger says of `owner`'s job, which begins at `since`. Folders that are known to be
/// missing are not looked for.
/// `published` are the folders that were there before the ledger was read: a daemon may publish
/// more meanwhile. Folders are read by so many `threads`; `seen` is called after each, with its bytes.
pub(crate) fn verify(
    store: &Store,
    (owner, since): (Owner<'_>, UtcMs),
    published: &[String],
    known: Known<'_>,
    depth: Depth,
    (threads, seen): (NonZeroUsize, &(dyn Fn(u64) + Sync)),
) -> JobReport {
    let Known {
        recorded,
        breaks,
        coverage,
    } = known;
    let mut report = JobReport::new(owner.job);
    let broken = |one: &ChainBreak| (one.manifest_sha256, one.previous);
    let breaks: HashSet<_> = breaks.iter().map(broken).collect();
    let superseded: HashSet<Digest> = recorded
        .iter()
        .filter_map(|known| Some(known.archived.supersedes.as_ref()?.manifest_sha256))
        .collect();
    // Where the revision before it is gone, it supersedes those before that one.
    let here = recorded.iter().map(|known| known.archived.manifest_sha256);
    let here: HashSet<Digest> = here.collect();
    let lines = recorded.iter().map(|known| &known.archived);
    let alone = lines.enumerate().filter(|(_, line)| {
        let before = line.supersedes.as_ref();
        before.is_some_and(|before| !here.contains(&before.manifest_sha256))
    });
    let alone: HashMap<Window, usize> = alone.map(|(at, line)| (line.window, at)).collect();
    let mut previous: Option<Digest> = None;
    let look = |at: usize| {
        let Recorded {
            archived: line,
            is_missing,
            is_pruned,
        } = &recorded[at];
        let mut of_it = JobReport::default();
        let expected = Some(Expected {
            manifest: line.manifest_sha256,
            is_pruned: *is_pruned,
        });
        let (storage, owner) = (store.storage(), Some(owner));
        let look = || folder::verify(&storage, &line.folder, owner, expected, depth, &mut of_it);
        let found = (!is_missing).then(look).flatten();
        seen(line.bytes);
        (of_it, found)
    };
    parallel::in_order(threads, recorded.len(), look, |at, (of_it, found)| {
        let line = &recorded[at].archived;
        if recorded[at].is_missing {
            previous = Some(line.manifest_sha256);
            return;
        }
        report.absorb(of_it);
        let before_it = alone.get(&line.window).is_some_and(|&newest| at < newest);
        if superseded.contains(&line.manifest_sha256) || before_it {
            report.superseded += 1;
        } else if found.is_some() {
            report.note_content(&line.folder, line.status, line.records);
        }
        if let Some((manifest, digest)) = found {
            report.note_span(line.window.span());
            report.newest_manifest = Some(digest);
            // A ledger that was made anew may begin later than the archive did.
            let breaks_here = previous.is_some() && manifest.previous != previous;
            let is_known = breaks.contains(&(digest, manifest.previous));
            if breaks_here && is_known {
                report.breaks.push(Break {
                    folder: line.folder.clone(),
                    previous: manifest.previous,
                });
            }
            let disagreements = [
                (manifest.job != owner.job, "the job"),
                (
                    manifest.window.span() != Some(line.window.span()),
                    "the window",
                ),
                (manifest.status != line.status, "the status"),
                (manifest.records != line.records, "the number of records"),
                (
                    disagrees_on_before(line, &manifest, &here),
                    "what it supersedes",
                ),
                (breaks_here && !is_known, "the manifest before"),
            ];
            for (_, what) in disagreements.iter().filter(|(disagrees, _)| *disagrees) {
                report.find(&line.folder, None, Problem::Disagrees(what));
            }
        }
        previous = Some(line.manifest_sha256);
    });
    let known: HashSet<&str> = recorded
        .iter()
        .map(|known| known.archived.folder.as_str())
        .collect();
    for folder in published
        .iter()
        .filter(|folder| !known.contains(folder.as_str()))
    {
        report.find(folder, None, Problem::NotInLedger);
        let mut alone = JobReport::default();
        folder::verify(
            &store.storage(),
            folder,
            Some(owner),
            None,
            depth,
            &mut alone,
        );
        report.findings.extend(alone.findings);
    }
    report.gaps = coverage.gaps(since).into_iter().map(Into::into).collect();
    report
}

/// Whether a revision says to take the place of another folder than the ledger does. As adopted with a
/// ledger that was made anew, it may take that of nothing, or of what there is where the folder that it
/// names is gone.
fn disagrees_on_before(line: &Archived, manifest: &Manifest, here: &HashSet<Digest>) -> bool {
    let names = manifest.supersedes.as_ref();
    let is_here = names.is_none_or(|names| here.contains(&names.manifest_sha256));
    line.supersedes.is_some() && manifest.supersedes != line.supersedes && is_here
}
