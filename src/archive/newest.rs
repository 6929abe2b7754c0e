//! What the folders of a job tell of it where its ledger does not. Carries *Its own*: where a job ended is known
//! from its archive too, and nothing is archived twice.

use super::fits::{self, Claim};
use super::manifest::{MANIFEST, Manifest};
use super::plain_file;
use super::store::Store;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;

/// The folders of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// Where its first window begins.
    pub begins: UtcMs,
    /// Where the newest window of which the manifest can be read ends.
    pub until: UtcMs,
    /// The ELSA project that it is of.
    pub project_id: i64,
}

/// Looks for the newest folder of `job` whose manifest can be what it is called, of this project where that is
/// known. `None` where there is none, or the archive can't be read.
pub(crate) fn newest(store: &Store, job: &JobName, project_id: Option<i64>) -> Option<Newest> {
    let published = store.published(job).ok()?;
    let begins = published.first()?.0.window.from();
    published.into_iter().rev().find_map(|(named, folder)| {
        let place = store.root().join(&folder).join(MANIFEST);
        let manifest = Manifest::parse(&plain_file::read(&place).ok()?).ok()?;
        let claim = Claim {
            job: job.as_str(),
            project_id,
            folder: &folder,
        };
        fits::check(&manifest, claim).ok()?;
        Some(Newest {
            begins,
            until: named.window.to(),
            project_id: manifest.project_id,
        })
    })
}
