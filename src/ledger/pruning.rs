//! The mark of a prune that has begun: a file beside the ledger. Written before the lines that announce it, and removed
//! after the last folder is done, it tells a start what to finish without a look at ten years of folders. Carries
//! *Self-healing*.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::line::{Event, Line};
use super::{LedgerError, unreadable};
use crate::domain::span::UtcMs;
use crate::domain::window::Window;
use crate::durable::{Disk, DiskError, letting_go, off_the_runtime};

/// Where the mark for a ledger's job is.
fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("pruning")
}

/// Marks that what lines after number `lines` announce is to be let go of.
///
/// # Errors
/// When it can't be written.
pub(super) fn mark(ledger: &Path, lines: u64, disk: &Disk) -> Result<(), DiskError> {
    letting_go::mark(disk, &path(ledger), &format!("{lines}\n"))
}

/// After which line a prune has begun that is not known to be done; `None` where there is none.
///
/// # Errors
/// When it is there and can't be read or understood.
pub(crate) fn begun_after(ledger: &Path) -> Result<Option<u64>, LedgerError> {
    let path = path(ledger);
    match off_the_runtime(|| fs::read_to_string(&path)) {
        Ok(text) => match text.trim().parse() {
            Ok(lines) => Ok(Some(lines)),
            Err(_) => Err(LedgerError::Mark { path }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// Removes the mark.
///
/// # Errors
/// When it can't be removed: what is done is looked at once more then.
pub(super) fn unmark(ledger: &Path, disk: &Disk) -> Result<(), DiskError> {
    letting_go::unmark(disk, &path(ledger))
}

/// When the mark of a prune was written; `None` where there is none, or nothing tells.
pub(crate) fn begun_at(ledger: &Path) -> Option<UtcMs> {
    let written = fs::metadata(path(ledger)).and_then(|found| found.modified());
    let since = written.ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UtcMs)
}

/// The windows that lines after a mark announce.
#[derive(Debug)]
pub(super) struct Announced {
    after: u64,
    windows: BTreeSet<Window>,
}

impl Announced {
    /// Nothing yet of what comes after a line. A ledger that has fewer `lines` was made anew since.
    pub(super) const fn after(after: u64, lines: u64) -> Self {
        Self {
            after: if after > lines { 0 } else { after },
            windows: BTreeSet::new(),
        }
    }

    /// Takes the next line in.
    pub(super) fn take(&mut self, line: &Line) {
        if line.seq <= self.after {
            return;
        }
        match &line.event {
            Event::Pruned(pruned) => _ = self.windows.insert(pruned.window),
            // The prune was cut off, and then the ledger was lost.
            Event::Archived(archived) if archived.is_pruned => {
                self.windows.insert(archived.window);
            }
            // It came back, or holds something else by now.
            Event::Archived(archived) => _ = self.windows.remove(&archived.window),
            _ => {}
        }
    }

    /// Whether a window is among them.
    pub(super) fn has(&self, window: Window) -> bool {
        self.windows.contains(&window)
    }
}
