//! The steps that write a file of evidence, or an order: whole and durable under its name, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::lack::rename_without_replacing;
use super::{Disk, DiskError, Step};

/// What the name of a file begins with that is not whole yet.
const HALF: &str = ".new-";

/// Whether a file is one that was not written to its end.
pub(crate) fn is_half(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(HALF)
}

/// Writes a file that must not exist yet, whole; its name is not flushed. Whoever may read the folder can read it.
///
/// # Errors
/// When it exists, see [`DiskError::name_is_taken`], or can't be written.
pub(crate) fn write_new(disk: &Disk, step: Step, path: &Path, text: &str) -> Result<(), DiskError> {
    let folder = path.parent().unwrap_or(path);
    disk.step(step, path, || {
        let mut new = tempfile::Builder::new().prefix(HALF).tempfile_in(folder)?;
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

/// Creates a file in the place of one that a kill has left half. A link that somebody has put there is not followed: it could
/// lead to a ledger.
fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Writes a file that must not exist yet, whole, as the umask lets it be read; its name is not flushed.
///
/// # Errors
/// When it exists, see [`DiskError::name_is_taken`], or can't be written.
pub(crate) fn write_whole(
    disk: &Disk,
    step: Step,
    path: &Path,
    content: impl AsRef<[u8]>,
) -> Result<(), DiskError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!("{HALF}{name}"));
    disk.step(step, path, || {
        let write = || {
            let mut file = create_anew(&new)?;
            file.write_all(content.as_ref())?;
            file.sync_all()?;
            rename_without_replacing(&new, path, disk.accepts_lacks())
        };
        write().inspect_err(|_| _ = fs::remove_file(&new))
    })
}

/// Writes a file whole, in the place of the one that may be there. Durable with its name.
///
/// # Errors
/// When it can't be written, moved into place or flushed; the one that was there stays.
pub(crate) fn replace(
    disk: &Disk,
    (step, sync): (Step, Step),
    path: &Path,
    text: &str,
) -> Result<(), DiskError> {
    disk.step(step, path, || {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = create_anew(Path::new(&new))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    })?;
    disk.sync_folder(sync, path.parent().unwrap_or(path))
}
