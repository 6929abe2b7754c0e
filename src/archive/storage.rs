//! Where an archive, or a copy of one, lies to be read: the port through which proving and reading go. A local folder is one
//! adapter ([`Local`]), a bucket in object storage another (`object_storage`). Carries *Suspicious*: no link is
//! followed, and no more is read than a file of its kind can have.
//!
//! Paths are relative to the archive, with `/` between names and none at the ends; the empty one is the archive itself.

mod local;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

pub(crate) use local::Local;

/// An archive, or a part of one, to be read.
pub(crate) trait Storage: fmt::Debug + Send + Sync {
    /// What a path is called by people and by other tools.
    fn place(&self, path: &str) -> PathBuf;

    /// What lies in a folder, in any order; nothing where it does not exist. Names that are not UTF-8 are not ours.
    ///
    /// # Errors
    /// When it can't be listed.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;

    /// All files in and below a window's folder, and what of it can't be listed.
    fn files_below(&self, folder: &str) -> Vec<Lying>;

    /// Whether a folder, and nothing else, has this path.
    ///
    /// # Errors
    /// When nothing has, or it can't be looked at.
    fn is_folder(&self, path: &str) -> io::Result<bool>;

    /// How many bytes a file has; `None` where nothing has its path.
    ///
    /// # Errors
    /// When it can't be looked at, or something else has its path.
    fn length(&self, file: &str) -> io::Result<Option<u64>>;

    /// Opens a file, to be read once from its begin to its end.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    fn open(&self, file: &str) -> io::Result<Box<dyn Read + Send>>;

    /// The same, of what nobody reads again soon: it leaves the system's cache, since a server's memory is for its users.
    ///
    /// # Errors
    /// As [`Storage::open`].
    fn open_once(&self, file: &str) -> io::Result<Box<dyn Read + Send>> {
        self.open(file)
    }

    /// Opens a file of no more than `most` bytes, to be read in any order. What lies elsewhere is fetched whole.
    ///
    /// # Errors
    /// When there is none, it can't be read, or it has more than is fetched.
    fn open_whole(&self, file: &str, most: u64) -> io::Result<File>;
}

/// What lies in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
}

/// What lies below a window's folder.
#[derive(Debug)]
pub(crate) enum Lying {
    /// A file, relative to the folder; its name may be no text.
    File(PathBuf),
    /// What can't be listed, relative to the folder.
    Unlisted(PathBuf, io::Error),
}

/// Reads a file that has no more than `most` bytes.
///
/// # Errors
/// As [`Storage::open`], or when it is longer.
pub(crate) fn read(storage: &dyn Storage, file: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut opened = storage.open(file)?.take(most.saturating_add(1));
    match opened.read_to_end(&mut bytes)? as u64 > most {
        false => Ok(bytes),
        true => Err(io::Error::other(match most >> 20 {
            0 => format!("it is longer than {most} bytes"),
            mib => format!("it is longer than {mib} MiB"),
        })),
    }
}

/// Whether an error says nothing of what lies there.
pub(crate) fn says_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NotConnected
    ) || is_short_of_something(error)
}

/// Whether this process, or this machine, has too many files open or too little memory.
fn is_short_of_something(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

/// A path below another.
pub(crate) fn below(folder: &str, path: &str) -> String {
    match folder {
        "" => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}
