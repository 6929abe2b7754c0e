//! Verifying a job's archive against its ledger: every line has its folder, every folder its
//! line.

use std::collections::HashSet;

use super::{JobReport, Problem, folder};
use crate::archive::recorded::Recorded;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;

/// Verifies what the ledger says of `job`, which begins at `since` and whose folders are `recorded` in the order of its lines. Those
/// that are known to be missing are not looked for.
/// `published` are the folders that were there before the ledger was read: a daemon may publish
/// more meanwhile. `seen` is called after each folder.
pub(crate) fn verify(
    store: &Store,
    (job, since): (&JobName, UtcMs),
    published: &[String],
    recorded: &[Recorded],
    coverage: &Coverage,
    seen: &mut dyn FnMut(),
) -> JobReport {
    let mut report = JobReport::new(job.as_str());
    let superseded: HashSet<Digest> = recorded
        .iter()
        .filter_map(|known| Some(known.archived.supersedes.as_ref()?.manifest_sha256))
        .collect();
    let mut previous: Option<Digest> = None;
    for Recorded {
        archived: line,
        is_missing,
    } in recorded
    {
        if *is_missing {
            previous = Some(line.manifest_sha256);
            seen();
            continue;
        }
        let found = folder::verify(
            store.root(),
            &line.folder,
            Some(line.manifest_sha256),
            &mut report,
        );
        if superseded.contains(&line.manifest_sha256) {
            report.superseded += 1;
        } else if found.is_some() {
            report.note_content(&line.folder, line.status, line.records);
        }
        if let Some((manifest, _)) = found {
            let disagreements = [
                (manifest.job != job.as_str(), "the job"),
                (
                    manifest.window.span() != Some(line.window.span()),
                    "the window",
                ),
                (manifest.status != line.status, "the status"),
                (manifest.records != line.records, "the number of records"),
                // As adopted with a ledger that was made anew, it may supersede nothing there is.
                (
                    line.supersedes.is_some() && manifest.supersedes != line.supersedes,
                    "what it supersedes",
                ),
                // A ledger that was made anew may begin later than the archive did.
                (
                    previous.is_some() && manifest.previous != previous,
                    "the manifest before",
                ),
            ];
            for (_, what) in disagreements.iter().filter(|(disagrees, _)| *disagrees) {
                report.find(&line.folder, None, Problem::Disagrees(what));
            }
        }
        previous = Some(line.manifest_sha256);
        seen();
    }
    let known: HashSet<&str> = recorded
        .iter()
        .map(|known| known.archived.folder.as_str())
        .collect();
    for folder in published
        .iter()
        .filter(|folder| !known.contains(folder.as_str()))
    {
        report.find(folder, None, Problem::NotInLedger);
    }
    report.gaps = coverage.gaps(since).into_iter().map(Into::into).collect();
    report
}
