//! Why search did not confirm the newest archived window, as its manifest says. What can't be read is not
//! told: `verify` proves the archive, `status` only looks.

use std::path::Path;

use serde::Serialize;

use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::archive::store::Store;
use crate::domain::job::Job;
use crate::domain::second_opinion::{Calibration, Way};
use crate::ledger::replay::Replay;
use crate::printable::printable;

/// The newest archived window, which search did not confirm.
#[derive(Serialize)]
pub(super) struct NotBySearch {
    #[serde(skip)]
    by: Way,
    /// Why.
    reason: String,
    /// Windows with records on which search has agreed so far.
    search_agreed: u64,
}

impl NotBySearch {
    /// What the manifest below `root` says; `None` where search has confirmed the window, nothing is
    /// archived, or the manifest can't be read or does not say.
    pub(super) fn read(root: &Path, job: &Job, replay: &Replay) -> Option<Self> {
        let (window, _) = replay.recheckable.windows().last()?;
        let mut folder = Store::folder(&job.name, window, &job.zone);
        if let Some(revision) = replay.revisions.get(&window) {
            folder += &format!(".r{revision}");
        }
        let json = plain_file::read(&root.join(folder).join(MANIFEST)).ok()?;
        let confirmed = Manifest::parse(&json).ok()?.confirmed?;
        (confirmed.by != Way::Search).then_some(())?;
        Some(Self {
            by: confirmed.by,
            reason: printable(&confirmed.reason?),
            search_agreed: replay.search_agreed,
        })
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let reason = &self.reason;
        if self.by == Way::None {
            return format!("none on the newest window: {reason}");
        }
        let search = Calibration::of(self.search_agreed).words();
        let more = match reason.contains(&search) {
            true => String::new(),
            false => format!("; {search}"),
        };
        format!("the newest window by a second download: {reason}{more}")
    }
}
