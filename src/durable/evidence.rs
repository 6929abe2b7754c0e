//! The step that writes a file of evidence, or an order: whole and durable under its name, or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::lack::rename_without_replacing;
use super::{Disk, DiskError, Step};

/// Writes a file that must not exist yet, whole; its name is not flushed. Whoever may read the folder can read it.
///
/// # Errors
/// When it exists, see [`DiskError::name_is_taken`], or can't be written.
pub(crate) fn write_new(disk: &Disk, step: Step, path: &Path, text: &str) -> Result<(), DiskError> {
    let folder = path.parent().unwrap_or(path);
    disk.step(step, path, || {
        let mut new = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        let mode = fs::Permissions::from_mode(0o644);
        new.as_file().set_permissions(mode)?;
        new.as_file().sync_all()?;
        rename_without_replacing(new.path(), path, disk.accepts_lacks())?;
        // It has another name by now.
        let _ = new.keep().map_err(io::Error::from)?;
        Ok(())
    })
}
