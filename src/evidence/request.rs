//! What asks whoever has the locks for a head: a file in the state directory.

use std::fs;
use std::path::Path;

use crate::durable::{Disk, DiskError, letting_go};

/// It lies there while a head is asked for.
const REQUEST: &str = "head.request";

/// Asks whoever has the locks for a head.
///
/// # Errors
/// When it can't be written.
pub(crate) fn request(state_dir: &Path, disk: &Disk) -> Result<(), DiskError> {
    match letting_go::leave_order(disk, &state_dir.join(REQUEST), "") {
        Err(error) if error.name_is_taken() => Ok(()),
        left => left,
    }
}

/// Whether one is asked for.
pub(crate) fn is_requested(state_dir: &Path) -> bool {
    fs::symlink_metadata(state_dir.join(REQUEST)).is_ok()
}

/// Says that what was asked for is done, or given up.
///
/// # Errors
/// When it can't be said.
pub(crate) fn end_request(state_dir: &Path, disk: &Disk) -> Result<(), DiskError> {
    disk.remove(&state_dir.join(REQUEST))
}
