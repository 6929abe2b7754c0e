//! The few things that are written outside archive and state: for the demo, for a collector of metrics, a first
//! configuration, what a bug report takes, and files that were asked for by name.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, IntoInnerError, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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
    let written = file
        .write_all(content.as_ref())
        .and_then(|()| file.sync_all());
    let folder = path.parent().filter(|above| !above.as_os_str().is_empty());
    let flushed = written.and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all());
    flushed.inspect_err(|_| {
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

/// Adds a line to a file outside archive and state, which everybody may read where it is new.
///
/// # Errors
/// When it can't be written.
pub(crate) fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(0o644);
    let mut file = options.open(path)?;
    // Somebody may have edited it, and left its last line open.
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    let begin = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{begin}{line}\n").as_bytes())?;
    file.sync_all()
}

/// Writes a file outside archive and state that somebody has asked for by name; who may read it, the umask says. A
/// plain file that is there is replaced whole; into anything else, a pipe say, it is written.
///
/// # Errors
/// When it can't be written or moved into place.
pub(crate) fn write_asked_for(path: &Path, text: &str) -> io::Result<()> {
    let mut file = AskedFor::open(path)?;
    file.write_all(text.as_bytes())?;
    file.close()
}

/// A file outside archive and state that somebody has asked for by name, while it is written. A plain file that is
/// there is replaced once all is written; into anything else, a pipe say, it is written at once.
#[derive(Debug)]
pub(crate) enum AskedFor {
    /// Beside its place, under a name that nobody can have put there.
    Plain(BufWriter<NamedTempFile>, PathBuf),
    /// In its place.
    Other(BufWriter<File>),
    /// It is in its place.
    Done,
}

impl AskedFor {
    /// Opens it.
    ///
    /// # Errors
    /// When it can't be opened, or made beside its place.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // A link stays, whatever it leads to.
        if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)?;
            return Ok(Self::Other(BufWriter::new(file)));
        }
        let new = new_beside(path)?;
        Ok(Self::Plain(BufWriter::new(new), path.to_owned()))
    }

    /// Lets everybody read it, whatever the umask says.
    ///
    /// # Errors
    /// When that can't be changed.
    pub(crate) fn for_everybody(&self) -> io::Result<()> {
        match self {
            Self::Plain(file, _) => {
                let mode = Permissions::from_mode(0o644);
                file.get_ref().as_file().set_permissions(mode)
            }
            Self::Other(_) | Self::Done => Ok(()),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When they can't be written.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file, _) => file.write_all(bytes),
            Self::Other(file) => file.write_all(bytes),
            Self::Done => Ok(()),
        }
    }

    /// Puts it in its place, whole.
    ///
    /// # Errors
    /// When what is left can't be written, or it can't be moved.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Done) {
            Self::Plain(file, path) => {
                let file = file.into_inner().map_err(IntoInnerError::into_error)?;
                file.persist(path)?;
                Ok(())
            }
            Self::Other(mut file) => match file.flush() {
                // Whoever read it has enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                flushed => flushed,
            },
            Self::Done => Ok(()),
        }
    }
}

/// A file beside `path`; who may read it, the umask says.
fn new_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
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
