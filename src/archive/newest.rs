//! What the folders of a job tell of it where its ledger does not. Carries *Its own*: where a job ended is known
//! from its archive too, and nothing is archived twice.

use super::fits::{self, Claim};
use super::manifest::Manifest;
use super::store::Store;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Format, JobName};
use crate::domain::span::UtcMs;

/// The folders of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// The windows that they are called after.
    pub windows: Coverage,
    /// Where the newest window of which the manifest can be read ends.
    pub until: UtcMs,
    /// The ELSA project that it is of.
    pub project_id: i64,
    /// The format of that newest one.
    pub format: Format,
    /// Its fields; empty for all.
    pub include_fields: Vec<String>,
}

/// Looks for the newest folder of `job` whose manifest can be what it is called, of this project where that is
/// known. `None` where there is none, or the archive can't be read.
pub(crate) fn newest(store: &Store, job: &JobName, project_id: Option<i64>) -> Option<Newest> {
    let published = store.published(job).ok()?;
    let mut windows = Coverage::new();
    let named = published.iter().map(|(named, _)| named.window.span());
    named.for_each(|window| windows.add(window));
    let newest = published.into_iter().rev().find_map(|(named, folder)| {
        let manifest = Manifest::read(&store.storage(), &folder).ok()?;
        let claim = Claim {
            job: job.as_str(),
            project_id,
            folder: &folder,
        };
        fits::check(&manifest, claim).ok()?;
        Some((named.window.to(), manifest))
    });
    let (until, manifest) = newest?;
    Some(Newest {
        windows,
        until,
        project_id: manifest.project_id,
        format: manifest.request.format,
        include_fields: manifest.request.include_fields,
    })
}
