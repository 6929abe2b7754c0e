//! Reading back the files of a window's part, whichever way it is kept. Carries *Suspicious*: what lies in the
//! folder is held against its digest, a zip before anything in it is inflated; and *Bounded*: files are read in
//! pieces.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};
use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use self::at_once::AtOnce;
use super::manifest::{DataFile, Part};
use super::storage::{self, Storage};
use super::{directory, entry_name};
use crate::digest::Hasher;
use crate::domain::limits::Limits;
use crate::printable;

/// Bytes of a file that are read or inflated at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a file can't be read back.
#[derive(Debug, Error)]
pub(crate) enum ReadBackError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What lies there is not what was published.
    #[error("its bytes are not those of the manifest")]
    Changed,
    /// The zip is what was published, and its entries are not what the manifest names.
    #[error("{0}")]
    Entries(String),
    /// The manifest names a file outside the window's folder.
    #[error("a manifest names a file outside its folder")]
    Outside,
    /// Whoever asked wants no more.
    #[error("stopped")]
    Stopped,
}

/// The files of a part, opened for reading. A clone reads apart from it.
#[derive(Clone)]
pub(crate) struct PartFiles<'a> {
    storage: &'a dyn Storage,
    folder: &'a str,
    part: &'a Part,
    /// Where the zip is kept.
    zip: Option<Kept>,
}

#[derive(Clone)]
struct Kept {
    archive: ZipArchive<Positioned>,
    file: Arc<File>,
    /// The entry of each of the part's files.
    entries: Vec<usize>,
    at_once: AtOnce,
}

impl<'a> PartFiles<'a> {
    /// Opens the files of a part of the window in `folder` of a storage. Where the zip is kept, all of it is read once and held
    /// against its digest, unless `stop` says so before.
    ///
    /// # Errors
    /// When the zip can't be read, or is not what was published.
    pub(crate) fn open(
        (storage, folder): (&'a dyn Storage, &'a str),
        part: &'a Part,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, ReadBackError> {
        let zip = part.zip.path.as_deref().map(|path| {
            let file = storage.open_whole(&place(folder, path)?, part.zip.bytes)?;
            let mut hasher = Hasher::default();
            let mut bytes = 0;
            let read = pieces(&file, &mut |piece| {
                hasher.update(piece);
                bytes += piece.len() as u64;
                match stop() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            if read.is_break() {
                return Err(ReadBackError::Stopped);
            }
            if (hasher.finish(), bytes) != (part.zip.sha256, part.zip.bytes) {
                return Err(ReadBackError::Changed);
            }
            Kept::open(file, part)
        });
        Ok(Self {
            storage,
            folder,
            part,
            zip: zip.transpose()?,
        })
    }

    /// Reads the part's file of number `at`, 0 for the first, and calls `take` with its bytes, until that breaks off.
    /// Bytes of an unpacked file that is not what was published are told too, before that is known.
    ///
    /// # Errors
    /// When it can't be read, or what lies there is not what was published.
    pub(crate) fn read(
        &mut self,
        at: usize,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadBackError> {
        let Some(file) = self.part.files.get(at) else {
            return Ok(());
        };
        match &mut self.zip {
            Some(kept) => kept.read(at, file, take),
            None => {
                let opened = self.storage.open(&place(self.folder, &file.path)?)?;
                read_plain(opened, file, take)
            }
        }
    }
}

impl PartFiles<'_> {
    /// What was read of a zip once leaves the system's cache again: a server's memory is for its users.
    pub(crate) fn leave_the_cache(&self) {
        if let Some(kept) = &self.zip {
            let _ = fadvise(&kept.file, 0, None, Advice::DontNeed);
        }
    }
}

/// Where a file of a window is.
fn place(folder: &str, path: &str) -> Result<String, ReadBackError> {
    match entry_name::is_safe(path) {
        true => Ok(storage::below(folder, path)),
        false => Err(ReadBackError::Outside),
    }
}

fn read_plain(
    opened: impl Read,
    file: &DataFile,
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), ReadBackError> {
    let mut hasher = Hasher::default();
    let read = pieces(opened, &mut |piece| {
        hasher.update(piece);
        take(piece)
    })?;
    match read.is_break() || hasher.finish() == file.sha256 {
        true => Ok(()),
        false => Err(ReadBackError::Changed),
    }
}

/// Reads all of `reader`, unless `take` breaks off.
fn pieces(
    mut reader: impl Read,
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(ControlFlow::Continue(())),
            Ok(read) => {
                if take(piece.get(..read).unwrap_or_default()).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Kept {
    /// Opens a zip whose bytes are those of the manifest, and finds the entry of each of the part's files: they
    /// are named in the zip's order.
    fn open(mut file: File, part: &Part) -> Result<Self, ReadBackError> {
        check_directory(&mut file, part.files.len() as u64)?;
        let length = file.metadata()?.len();
        let file = Arc::new(file);
        let positioned = Positioned {
            file: Arc::clone(&file),
            at: 0,
            length,
        };
        let mut archive = ZipArchive::new(positioned).map_err(unreadable)?;
        let mut files = part.files.iter();
        let mut entries = Vec::with_capacity(part.files.len());
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(unreadable)?;
            if entry.is_dir() {
                continue;
            }
            let name = files.next().and_then(|file| file.path.split_once('/'));
            if name.is_none_or(|(_, name)| name.as_bytes() != entry.name_raw()) {
                return Err(ReadBackError::Entries(format!(
                    "entry {} of the zip is not what the manifest names",
                    index + 1
                )));
            }
            entries.push(index);
        }
        match files.next() {
            None => Ok(Self {
                archive,
                file,
                entries,
                at_once: AtOnce::default(),
            }),
            Some(missing) => Err(ReadBackError::Entries(format!(
                "the zip has no entry {}",
                printable::whole(&missing.path)
            ))),
        }
    }

    fn read(
        &mut self,
        at: usize,
        file: &DataFile,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadBackError> {
        let Some(&index) = self.entries.get(at) else {
            return Ok(());
        };
        if let Some(bytes) = self.at_once.inflate(&mut self.archive, index, file.bytes) {
            let mut pieces = bytes.chunks(PIECE_BYTES);
            let _ = pieces.try_for_each(take);
            return Ok(());
        }
        let entry = self.archive.by_index(index).map_err(unreadable)?;
        // A byte more shows that there are more.
        let mut left = file.bytes;
        let mut is_longer = false;
        let read = pieces(entry.take(file.bytes.saturating_add(1)), &mut |piece| {
            let length = piece.len() as u64;
            is_longer |= length > left;
            left = left.saturating_sub(length);
            match is_longer {
                true => ControlFlow::Break(()),
                false => take(piece),
            }
        })
        .map_err(|error| unreadable(error.into()))?;
        let is_whole = !is_longer && (left == 0 || read.is_break());
        is_whole.then_some(()).ok_or_else(|| {
            let path = printable::whole(&file.path);
            let what = format!("the entry {path} has another length than the manifest says");
            ReadBackError::Entries(what)
        })
    }
}

/// Refuses a zip that announces a directory larger than that of a zip with so many `files`: the library reads it into memory as a
/// whole. Folders have entries too.
fn check_directory(file: &mut File, files: u64) -> Result<(), ReadBackError> {
    let most = files
        .saturating_mul(4)
        .max(Limits::default().entries as u64);
    let ends = directory::ends(file)?;
    let ends = ends.ok_or_else(|| ReadBackError::Entries("the zip's end is missing".into()))?;
    let is_usual =
        ends.largest.entries <= most && ends.largest.bytes <= directory::most_bytes(most);
    is_usual.then_some(()).ok_or_else(|| {
        let directory::Announced { entries, bytes } = ends.largest;
        ReadBackError::Entries(format!(
            "the zip announces {entries} entries in a directory of {bytes} bytes, and the manifest names {files} files"
        ))
    })
}

/// What an error of the library means: a fault of the disk has the system's number.
fn unreadable(error: ZipError) -> ReadBackError {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => ReadBackError::Io(error),
        other => ReadBackError::Entries(printable::whole(&other.to_string())),
    }
}

/// A file with a place of its own, so that several can read it.
#[derive(Clone)]
struct Positioned {
    file: Arc<File>,
    at: u64,
    length: u64,
}

impl Read for Positioned {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        // Without the system's number: it is the zip that says so.
        let outside = || io::Error::other("something in it is said to lie outside of it");
        self.at = at.filter(|&at| at <= self.length).ok_or_else(outside)?;
        Ok(self.at)
    }
}

mod at_once;
#[cfg(test)]
mod tests;
