//! Why search did not confirm the newest archived window, as its manifest says. What can't be read is not
//! told: `verify` proves the archive, `status` only looks.

use std::path::Path;

use serde::Serialize;

use crate::archive::manifest::{Confirmed, MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::archive::store::Store;
use crate::domain::job::Job;
use crate::domain::second_opinion::{Calibration, Way};
use crate::domain::window::Window;
use crate::ledger::replay::Replay;
use crate::printable::printable;

/// What the reason says of a window that search was not asked for, since it had failed for one before:
/// that one's reason tells more.
const RESTS: &str = "search: it failed not long ago";
/// How many windows are looked at for that one.
const LOOK_BACK: usize = 100;

/// The newest archived window, which search did not confirm.
#[derive(Serialize)]
pub(super) struct NotBySearch {
    #[serde(skip)]
    by: Way,
    /// Why; where search rested, why it failed before.
    reason: String,
    /// Windows with records on which search has agreed so far.
    search_agreed: u64,
}

impl NotBySearch {
    /// What the manifests below `root` say; `None` where search has confirmed the newest window, nothing
    /// is archived, or its manifest can't be read or does not say.
    pub(super) fn read(root: &Path, job: &Job, replay: &Replay) -> Option<Self> {
        let windows: Vec<Window> = replay.recheckable.windows().map(|(at, _)| at).collect();
        let mut newest_first = windows.into_iter().rev().take(LOOK_BACK);
        let of = |window| confirmed(root, job, replay, window);
        let window = newest_first.next()?;
        let newest = of(window)?;
        let is_as_published = replay
            .recheckable
            .asked(window)
            .map(|asked| asked.confirmed)
            == Some(newest.by);
        (is_as_published && newest.by != Way::Search).then_some(())?;
        let newest_reason = newest.reason?;
        let mut reasons = newest_first
            .map_while(of)
            .map_while(|earlier| earlier.reason);
        let reason = match newest_reason.contains(RESTS) {
            true => reasons.find(|reason| !reason.contains(RESTS)),
            false => None,
        };
        Some(Self {
            by: newest.by,
            reason: printable(&reason.unwrap_or(newest_reason)),
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

/// What a window's manifest says, if it can be read.
fn confirmed(root: &Path, job: &Job, replay: &Replay, window: Window) -> Option<Confirmed> {
    let mut folder = Store::folder(&job.name, window, &job.zone);
    if let Some(revision) = replay.revisions.get(&window) {
        folder += &format!(".r{revision}");
    }
    let json = plain_file::read(&root.join(folder).join(MANIFEST)).ok()?;
    Manifest::parse(&json).ok()?.confirmed
}
