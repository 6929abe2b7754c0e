//! The mark of a prune that has begun: a file beside the ledger. Written before the lines that announce it, and removed
//! after the last folder is done, it tells a start what to finish without a look at ten years of folders. Carries
//! *Self-healing*.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{LedgerError, unreadable};
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

/// After which line a prune has begun that is not known to be done; `None` where there is none. A mark that can't be
/// understood stands for every line.
///
/// # Errors
/// When it is there and can't be read.
pub(crate) fn begun_after(ledger: &Path) -> Result<Option<u64>, LedgerError> {
    let path = path(ledger);
    match off_the_runtime(|| fs::read_to_string(&path)) {
        Ok(text) => Ok(Some(text.trim().parse().unwrap_or(0))),
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
