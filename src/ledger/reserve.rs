//! A reserve of space beside a ledger. It is released when the disk is full, so that a window that
//! could not be archived, or one that still was, can be recorded.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::{Disk, DiskError, off_the_runtime};

/// Bytes of the reserve: room for more than a hundred lines.
pub(crate) const BYTES: u64 = 64 * 1024;

/// Where the reserve of a ledger is.
#[must_use]
pub(crate) fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("reserve")
}

/// Reserves the space if there is no reserve yet. It is not flushed: a reserve that a crash takes
/// is made again.
///
/// # Errors
/// When it can't be written; then nothing of it is left.
pub(crate) fn keep(ledger: &Path, disk: &Disk) -> Result<(), DiskError> {
    let path = path(ledger);
    let found = off_the_runtime(|| fs::symlink_metadata(&path));
    if found.is_ok_and(|found| found.len() == BYTES) {
        return Ok(());
    }
    // Noise: neither a hole nor what a file system compresses takes space.
    disk.set_aside(&path, &noise())
}

/// Bytes that don't compress, the same each time.
fn noise() -> Vec<u8> {
    let mut bytes = vec![0; BYTES as usize];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes
}

/// Releases the space; returns whether there was any.
///
/// # Errors
/// When it can't be removed.
pub(crate) fn give_up(ledger: &Path, disk: &Disk) -> Result<bool, DiskError> {
    disk.give_up(&path(ledger))
}
