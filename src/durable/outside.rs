//! The few things that are written outside archive and state: for the demo, for a collector of metrics, a first
//! configuration, and what a bug report takes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// Makes a folder outside archive and state, and those above it.
///
/// # Errors
/// When one can't be made.
pub fn make_plain_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Writes a new file outside archive and state that only this user may read.
///
/// # Errors
/// When it exists or can't be written. Then nothing of it is left.
pub fn write_private(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_ref()).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

/// Writes a new file outside archive and state, durable, which `group` may read; its folder is made if there is none, and
/// belongs to that group too. Both are as open as the process's umask lets them be.
///
/// # Errors
/// When it exists or can't be written. Then nothing of it is left.
pub(crate) fn write_new(path: &Path, text: &str, group: Option<u32>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let is_new = !folder.exists();
    fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut write = || {
        file.write_all(text.as_bytes())?;
        if group.is_some() {
            chown(path, None, group)?;
        }
        file.sync_all()?;
        if is_new && group.is_some() {
            chown(folder, None, group)?;
        }
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

/// Writes a file outside archive and state that somebody has asked for by name; who may read it, the umask says. A
/// plain file that is there is replaced whole; into anything else, a pipe say, it is written.
///
/// # Errors
/// When it can't be written or moved into place.
pub(crate) fn write_asked_for(path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, text);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A name that nobody can have put there.
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.persist(path)?;
    Ok(())
}

/// Replaces a file outside archive and state, for programs of other users to read. They see the old or the new one,
/// whole. It is made beside it, under the same name with `.new` in place of what follows the last dot.
///
/// # Errors
/// When it can't be written or moved into place.
pub(crate) fn replace_readable(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let replaced = fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&new, path));
    replaced.inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}
