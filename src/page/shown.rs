//! What a job's ledger shows, read without its lock as `status` reads it: only what is asked for is kept, since a ledger
//! may tell of millions of windows. Carries *Candid* and *Bounded*.

use std::collections::BTreeMap;
use std::path::Path;

use super::state::State;
use crate::digest::Digest;
use crate::domain::failures::{Failures, Task};
use crate::domain::job::JobName;
use crate::domain::second_opinion::Way;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::{FolderName, Window};
use crate::ledger::line::{Event, Line};
use crate::ledger::outline::Outline;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, LedgerError, acknowledgement};

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Of the windows that begin in it; `None` for all.
    pub(crate) span: Option<Span>,
    /// Whether where they are is kept too.
    pub(crate) places: bool,
}

impl Wanted {
    fn has(self, window: Window) -> bool {
        self.span.is_none_or(|span| span.contains(window.from()))
    }
}

/// An archived window, by its newest folder.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What it is.
    pub(crate) state: State,
    /// Whether the operator knows that it is truncated or unproven.
    pub(crate) is_known: bool,
    /// Its records; `None` where they can't be counted.
    pub(crate) records: Option<u64>,
    /// Bytes of the data files in its folder.
    pub(crate) bytes: u64,
    /// Which way confirmed its count.
    pub(crate) by: Way,
    /// Where it is; `None` where that is not wanted.
    pub(crate) place: Option<Box<Place>>,
    revision: u32,
}

impl Held {
    /// What it counts as in a day.
    pub(crate) const fn counts_as(&self) -> State {
        match self.is_known {
            true => State::Acknowledged,
            false => self.state,
        }
    }
}

/// Where an archived window is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Relative to the archive's root.
    pub(crate) folder: String,
    /// Digest of its manifest.
    pub(crate) manifest: Digest,
    /// When it was recorded.
    pub(crate) at: UtcMs,
}

/// What a ledger shows.
#[derive(Debug)]
pub(crate) struct Shown {
    /// How much is archived.
    pub(crate) outline: Outline,
    /// The archived windows that are wanted.
    pub(crate) windows: BTreeMap<Window, Held>,
    /// The windows that have failed and are not archived since.
    pub(crate) failures: BTreeMap<Window, Failures>,
}

impl Shown {
    /// Reads a ledger; one that is not there shows nothing.
    ///
    /// # Errors
    /// When it can't be read, or is damaged.
    pub(crate) fn read(
        state_dir: &Path,
        job: &JobName,
        wanted: Wanted,
    ) -> Result<Self, LedgerError> {
        let mut windows = BTreeMap::new();
        let mut replay = Ledger::read(state_dir, job, |line| note(&mut windows, line, wanted))?;
        acknowledgement::count_at_once(&Ledger::path(state_dir, job), &mut replay);
        Ok(Self::made(&replay, windows))
    }

    /// What these lines show, which are in order.
    pub(crate) fn of(ledger: &[u8]) -> Self {
        let wanted = Wanted {
            span: None,
            places: false,
        };
        let mut windows = BTreeMap::new();
        let replay = Replay::read(ledger, |line| note(&mut windows, line, wanted));
        Self::made(&replay.unwrap_or_default(), windows)
    }

    fn made(replay: &Replay, mut windows: BTreeMap<Window, Held>) -> Self {
        for (window, recorded) in replay.incomplete.windows() {
            if let Some(held) = windows.get_mut(&window) {
                held.state = State::of(recorded.status, held.records, held.by);
                held.is_known = recorded.acknowledged;
            }
        }
        let failures = replay.failures(Task::Archive).iter();
        let failures = failures.filter(|(window, _)| !replay.coverage.covers(window.span()));
        Self {
            outline: Outline::of(replay),
            failures: failures
                .map(|(&window, failed)| (window, failed.clone()))
                .collect(),
            windows,
        }
    }
}

/// Takes note of a line.
fn note(windows: &mut BTreeMap<Window, Held>, line: &Line, wanted: Wanted) {
    match &line.event {
        Event::Archived(archived) if wanted.has(archived.window) => {
            let revision = FolderName::revision_of(&archived.folder);
            let known = windows.get(&archived.window);
            if known.is_some_and(|known| known.revision > revision) {
                return;
            }
            let by = archived.opinion.by.unwrap_or(Way::None);
            let place = || Place {
                folder: archived.folder.clone(),
                manifest: archived.manifest_sha256,
                at: line.at,
            };
            let held = Held {
                // What is truncated or unproven, `Incomplete` says.
                state: State::of(archived.status, archived.records, by),
                is_known: false,
                records: archived.records,
                bytes: archived.bytes,
                by,
                place: wanted.places.then(|| Box::new(place())),
                revision,
            };
            windows.insert(archived.window, held);
        }
        Event::Missing(missing) => {
            let gone = FolderName::revision_of(&missing.archived.folder);
            let window = missing.archived.window;
            if windows
                .get(&window)
                .is_some_and(|held| held.revision <= gone)
            {
                windows.remove(&window);
            }
        }
        Event::Confirmed(agreement) => {
            if let Some(held) = windows.get_mut(&agreement.window) {
                held.by = agreement.by;
                if held.state == State::Complete {
                    held.state = State::of(Status::Complete, held.records, held.by);
                }
            }
        }
        _ => {}
    }
}
