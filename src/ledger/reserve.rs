//! A little space set aside beside a ledger, given up when the disk is full: that a window could
//! not be archived, or that one still was, can then be recorded all the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable::{Disk, DiskError, Step, off_the_runtime};

/// Bytes set aside: room for more than a hundred lines.
pub const BYTES: u64 = 64 * 1024;

/// Where the reserve of a ledger is.
#[must_use]
pub fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("reserve")
}

/// Sets the space aside where it is not yet. It is not flushed: a reserve that a crash takes is
/// made again.
///
/// # Errors
/// When it can't be written; then nothing of it is left.
pub fn keep(ledger: &Path, disk: &Disk) -> Result<(), DiskError> {
    let path = path(ledger);
    let found = off_the_runtime(|| fs::symlink_metadata(&path));
    if found.is_ok_and(|found| found.len() == BYTES) {
        return Ok(());
    }
    disk.step(Step::KeepReserve, &path, || {
        // Noise: neither a hole nor what a file system compresses takes space.
        fs::write(&path, noise()).inspect_err(|_| {
            // Half a reserve would take what little is left from those who need it.
            let _ = fs::remove_file(&path);
        })
    })
}

/// Bytes that don't compress, from a linear congruential generator (Knuth's MMIX constants).
fn noise() -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(BYTES as usize).collect()
}

/// Gives the space up; returns whether there was any.
///
/// # Errors
/// When it can't be removed.
pub fn give_up(ledger: &Path, disk: &Disk) -> Result<bool, DiskError> {
    let path = path(ledger);
    disk.step(Step::GiveReserve, &path, || match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    })
}
