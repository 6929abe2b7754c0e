//! The mark of a prune that has begun: a file beside the ledger that names its windows. Written before the lines that
//! announce them, and removed after the last folder is done, it tells a start what to finish without a look at ten years
//! of folders. Carries *Self-healing*.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{LedgerError, unreadable};
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::durable::{Disk, DiskError, letting_go, off_the_runtime};

/// Where the mark for a ledger's job is.
fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("pruning")
}

/// Marks that these windows are to be let go of, before that is announced.
///
/// # Errors
/// When it can't be written.
pub(super) fn mark(
    ledger: &Path,
    windows: impl Iterator<Item = Window>,
    disk: &Disk,
) -> Result<(), DiskError> {
    let mut text = String::new();
    for window in windows {
        let _ = writeln!(text, "{} {}", window.from().0, window.to().0);
    }
    letting_go::mark(disk, &path(ledger), &text)
}

/// The windows of a prune that has begun and is not known to be done; `None` where there is none.
///
/// # Errors
/// When the mark is there and can't be read or understood.
pub(crate) fn begun(ledger: &Path) -> Result<Option<BTreeSet<Window>>, LedgerError> {
    let path = path(ledger);
    let text = match off_the_runtime(|| fs::read_to_string(&path)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, error)),
    };
    let window = |line: &str| {
        let (from, to) = line.split_once(' ')?;
        let bound = |text: &str| text.parse().ok().map(UtcMs);
        Some(Window::of(Span::new(bound(from)?, bound(to)?)?))
    };
    let windows: Option<BTreeSet<Window>> = text.lines().map(window).collect();
    match windows {
        Some(windows) => Ok(Some(windows)),
        None => Err(LedgerError::Mark { path }),
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
