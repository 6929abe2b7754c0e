//! Unpacking one zip into a folder below `.staging`, every limit enforced on the bytes that
//! really come, and every byte hashed and counted on its way. Carries *Suspicious* and
//! *Bounded*: memory depends on neither the zip's nor an entry's size.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::io::Errno;
use thiserror::Error;
use zip::read::ZipFile;

use super::entry_name::Names;
use super::manifest::DataFile;
use super::store::{NoSpace, Store};
use crate::domain::job::Format;
use crate::domain::limits::Limits;
use crate::domain::records_digest::RecordsDigest;
use crate::domain::span::Span;
use crate::domain::split::histogram::Histogram;
use crate::domain::split::sample::Sampler;
use crate::domain::window::Zone;
use crate::durable::{DiskError, Step};
pub use arriving::{Arriving, Halt, unpack_in_pieces};
pub use entry::EntryFault;
use entry::check_kind;
use folders::Folders;
pub use local::{Found, LocalReader};
use metered::Metered;
use size::Size;
use whole::damaged;
use writing::Writing;

mod arriving;
mod entry;
mod extents;
mod folders;
mod local;
mod metered;
mod pages;
mod size;
mod whole;
mod writing;

/// Bytes between two checks of free space.
const LOOK_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes that are inflated before they are hashed, counted and written: large pieces take less processor time
/// than small ones.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Why a zip was not unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// It is no whole zip.
    #[error("the answer is no whole zip: {0}")]
    Damaged(String),
    /// An entry breaks a rule.
    #[error("the zip is refused: entry {index}: {why}")]
    Entry {
        /// The entry's number, 1 for the first.
        index: usize,
        /// The rule.
        why: EntryFault,
    },
    /// The zip as a whole breaks a limit or a rule.
    #[error("the zip is refused: {0}")]
    Refused(String),
    /// This machine's disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is not enough free space for what the zip declares.
    #[error("the zip does not fit: {why}")]
    NoRoom {
        /// Bytes that it declares.
        declared: u64,
        /// What is free.
        why: NoSpace,
    },
    /// The zip can't be read again.
    #[error("can't read the answer that was just written: {0}")]
    Unreadable(io::Error),
    /// The program is being stopped.
    #[error("stopped")]
    Stopped,
}

impl UnpackError {
    /// Whether the zip is to blame, and not this machine.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_) | Self::Entry { .. } | Self::Refused(_)
        )
    }

    /// Making what entry `index` is called has failed: some file systems know no colon, or fewer
    /// bytes, and then it is the zip's name that is to blame.
    fn making(index: usize, error: DiskError) -> Self {
        match Errno::from_io_error(&error.source) {
            Some(errno @ (Errno::INVAL | Errno::ILSEQ | Errno::NAMETOOLONG)) => Self::Entry {
                index: index + 1,
                why: EntryFault::NoSuchName(errno),
            },
            _ => Self::Disk(error),
        }
    }
}

/// What a zip became.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Its files, in its order; paths are relative to the part's folder.
    pub files: Vec<DataFile>,
    /// Records in all files; `None` when one can't be counted, or when pages may be missing.
    pub records: Option<u64>,
    /// Why the records can't be counted or may not be all: the file, and what is wrong with it.
    pub uncountable: Option<String>,
    /// What its records are, and their times.
    pub seen: Seen,
}

/// What the records of an answer are, as far as they could be told apart, and their times.
#[derive(Clone, Debug)]
pub struct Seen {
    /// All of them.
    pub digest: RecordsDigest,
    /// Those inside the span that was asked for.
    pub inside: Sampler,
    /// How many lie outside for certain.
    pub outside: u64,
    /// How many of these lie at exactly the end of the span, which is outside.
    pub at_end: u64,
    /// Whether any time is written to the millisecond.
    pub is_precise: bool,
    /// How many lie where in the window.
    pub histogram: Histogram,
}

impl Unpacked {
    /// Nothing yet, of `window`.
    fn nothing(window: Span) -> Self {
        Self {
            files: Vec::new(),
            records: Some(0),
            uncountable: None,
            seen: Seen {
                digest: RecordsDigest::default(),
                inside: Sampler::default(),
                outside: 0,
                at_end: 0,
                is_precise: false,
                histogram: Histogram::of(window),
            },
        }
    }

    /// Adds the next file, and why its records can't be counted.
    fn add(&mut self, file: DataFile, uncountable: Option<String>) {
        self.records = self
            .records
            .zip(file.records)
            .map(|(sum, records)| sum.saturating_add(records));
        self.uncountable = self.uncountable.take().or(uncountable);
        self.files.push(file);
    }

    /// All files were added, which the service was to hand out on pages of `limit`.
    fn whole(mut self, limit: u32) -> Self {
        if self.uncountable.is_none()
            && let Some(doubt) = pages::doubt(&self.files, limit)
        {
            self.records = None;
            self.uncountable = Some(doubt.to_string());
        }
        self
    }
}

/// Unpacks one zip.
#[derive(Debug)]
pub struct Unpacking<'a> {
    /// Where free space is checked and files are written.
    pub store: &'a Store,
    /// Where the files go, made with the first of them; with `None` they are checked, hashed and counted, and not
    /// written.
    pub folder: Option<&'a Path>,
    /// What was asked for.
    pub span: Span,
    /// The window that it is a part of.
    pub window: Span,
    /// What the request asked for.
    pub format: Format,
    /// The fields that the request asked for; empty for all.
    pub include_fields: &'a [String],
    /// The zone of times without an offset; `None` when they are not to be read.
    pub records_zone: Option<&'a Zone>,
    /// How many records a full page has: the request's page size.
    pub limit: u32,
    /// The bounds.
    pub limits: Limits,
}

impl Unpacking<'_> {
    /// Unpacks `zip`; every file and folder that was written is durable afterwards. A zip without a file makes
    /// no folder.
    ///
    /// # Errors
    /// When the zip is damaged or refused, when the disk fails, or when `stop` says so. What was
    /// written by then stays for the caller to remove.
    pub fn run(&self, zip: &Path, stop: &dyn Fn() -> bool) -> Result<Unpacked, UnpackError> {
        let zip = File::open(zip).map_err(UnpackError::Unreadable)?;
        let (mut archive, meter) = whole::open(&zip, &self.limits)?;
        let declared = whole::check(&zip, &mut archive, &self.limits)?;
        let no_room = |why| UnpackError::NoRoom { declared, why };
        self.check_space(declared).map_err(no_room)?;

        let mut names = Names::default();
        let mut folders = Folders::default();
        let mut unpacked = Unpacked::nothing(self.window);
        let mut size = Size::default();
        for index in 0..archive.len() {
            let fault = |why| UnpackError::Entry {
                index: index + 1,
                why,
            };
            let raw = archive.by_index_raw(index).map_err(damaged)?;
            check_kind(&raw).map_err(fault)?;
            let name = names
                .check(raw.name_raw())
                .map_err(|bad| fault(bad.into()))?
                .to_owned();
            if raw.is_dir() {
                continue;
            }
            drop(raw);
            folders.make_above(self, index, &name)?;
            let entry = archive.by_index(index).map_err(damaged)?;
            meter.watch(&entry);
            let (packed, seen) = (entry.compressed_size(), &mut unpacked.seen);
            let written = self.write_file(entry, index, name, &size, seen, stop)?;
            meter.check_end()?;
            size = size.and(written.bytes(), packed);
            let (file, uncountable) = written.end(self, &mut unpacked.seen);
            unpacked.add(file, uncountable);
        }
        folders.sync(self)?;
        Ok(unpacked.whole(self.limit))
    }

    /// As [`Unpacking::run`], for a zip that was unpacked while it arrived. Where that gave up, or where what
    /// it unpacked is not what the zip's directory says, all is done anew.
    ///
    /// # Errors
    /// As those of [`Unpacking::run`].
    pub fn finish(
        &self,
        arrived: Option<Arriving>,
        zip: &Path,
        stop: &dyn Fn() -> bool,
    ) -> Result<Unpacked, UnpackError> {
        if let Some(arrived) = arrived
            && let Some(unpacked) = arrived.settle(self, zip)?
        {
            return Ok(unpacked);
        }
        if let Some(folder) = self.folder {
            self.store.disk().remove(folder)?;
        }
        self.run(zip, stop)
    }

    /// Checks that there is room for so many `bytes` more, where files are written.
    fn check_space(&self, bytes: u64) -> Result<(), NoSpace> {
        match self.folder {
            Some(_) => self.store.check_space(bytes),
            None => Ok(()),
        }
    }

    /// Reads an entry, writes its file, and makes it durable.
    fn write_file(
        &self,
        mut entry: ZipFile<'_, Metered>,
        index: usize,
        path: String,
        size: &Size,
        seen: &mut Seen,
        stop: &dyn Fn() -> bool,
    ) -> Result<Writing, UnpackError> {
        let mut file = Writing::begin(self, index, path)?;
        let declared = entry.size();
        let packed = entry.compressed_size();
        let mut chunk = vec![0; PIECE_BYTES.min(clamped(declared).max(1))];
        loop {
            let read = match entry.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(whole::unreadable(error)),
            };
            let bytes = file.bytes() + read as u64;
            // For each entry too: one with a high ratio must not hide among others.
            Size::of(bytes, packed).check(&self.limits)?;
            size.and(bytes, packed).check(&self.limits)?;
            if bytes / LOOK_BYTES > file.bytes() / LOOK_BYTES {
                let no_room = |why| UnpackError::NoRoom { declared, why };
                self.check_space(0).map_err(no_room)?;
            }
            if stop() {
                return Err(UnpackError::Stopped);
            }
            file.take(chunk.get(..read).unwrap_or_default(), self, seen)?;
        }
        if file.bytes() != declared {
            let what = format!("a file has {} bytes and declares {declared}", file.bytes());
            return Err(UnpackError::Damaged(what));
        }
        if let Some(flush) = file.flush() {
            flush.sync(Step::SyncData)?;
        }
        Ok(file)
    }
}

fn clamped(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
