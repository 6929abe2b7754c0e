//! A little space set aside beside a ledger, given up when the disk is full: that a window could
//! not be archived, or that one still was, can then be recorded all the same.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::{Disk, DiskError, off_the_runtime};

/// Bytes set aside: room for more than a hundred lines.
pub(crate) const BYTES: u64 = 64 * 1024;

/// Where the reserve of a ledger is.
#[must_use]
pub(crate) fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("reserve")
}

/// Sets the space aside where it is not yet. It is not flushed: a reserve that a crash takes is
/// made again.
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

/// Gives the space up; returns whether there was any.
///
/// # Errors
/// When it can't be removed.
pub(crate) fn give_up(ledger: &Path, disk: &Disk) -> Result<bool, DiskError> {
    disk.give_up(&path(ledger))
}
