//! Verifying a job's archive against its ledger: every line has its folder, every folder its
//! line.

use std::collections::HashSet;

use super::{JobReport, Problem, folder};
use crate::archive::publish::Archived;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;

/// Verifies what the ledger says of `job`, whose lines are `archived` in their order. `seen` is
/// called after each folder.
pub fn verify(
    store: &Store,
    job: &Job,
    archived: &[Archived],
    coverage: &Coverage,
    seen: &mut dyn FnMut(),
) -> JobReport {
    let mut report = JobReport::new(job.name.as_str());
    let mut previous: Option<Digest> = None;
    for line in archived {
        let found = folder::verify(
            store.root(),
            &line.folder,
            Some(line.manifest_sha256),
            &mut report,
        );
        if let Some((manifest, _)) = found {
            let disagreements = [
                (manifest.job != job.name.as_str(), "the job"),
                (manifest.window.span() != Some(line.span), "the window"),
                (manifest.status != line.status, "the status"),
                (manifest.records != line.records, "the number of records"),
                (manifest.previous != previous, "the manifest before"),
            ];
            for (_, what) in disagreements.iter().filter(|(disagrees, _)| *disagrees) {
                report.find(&line.folder, None, Problem::Disagrees(what));
            }
        }
        previous = Some(line.manifest_sha256);
        seen();
    }
    let recorded: HashSet<&str> = archived.iter().map(|line| line.folder.as_str()).collect();
    match store.published(&job.name) {
        Ok(published) => {
            for (_, folder) in published {
                if !recorded.contains(folder.as_str()) {
                    report.find(&folder, None, Problem::NotInLedger);
                }
            }
        }
        Err(error) => report.find(
            job.name.as_str(),
            None,
            Problem::Unreadable(error.to_string()),
        ),
    }
    report.gaps = coverage
        .gaps(job.since)
        .into_iter()
        .map(Into::into)
        .collect();
    report
}
