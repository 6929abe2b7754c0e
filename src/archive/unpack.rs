//! Unpacking one zip into a folder below `.staging`, every limit enforced on the bytes that
//! really come, and every byte hashed and counted on its way. Carries *Suspicious* and
//! *Bounded*: memory depends on neither the zip's nor an entry's size.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::count::{Counter, Kind, expected_field};
use super::directory;
use super::entry_name::{BadName, Names};
use super::manifest::DataFile;
use super::store::{NoSpace, Store};
use crate::digest::{CHUNK_BYTES, Hasher};
use crate::domain::job::Format;
use crate::domain::span::{Ms, Span};
use crate::domain::split::sample::Sampler;
use crate::durable::{DiskError, Step};

/// Bounds on what one zip may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of all its files together.
    pub unpacked_bytes: u64,
    /// Most entries. A file a page makes 200 of the largest answer with the largest pages.
    pub entries: usize,
    /// Most bytes out of one byte in, once a file has passed 16 MiB. Deflate
    /// itself can't exceed 1032.
    pub ratio: u64,
}

/// Up to here a file's compression ratio does not matter: it can do no harm.
const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// Most bytes of a zip's directory, which is read into memory as a whole.
const MOST_DIRECTORY_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes between two looks at free space and at whether to stop.
const LOOK_BYTES: u64 = 4 * 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 8 * 1024 * 1024 * 1024,
            entries: 20_000,
            ratio: 1000,
        }
    }
}

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
    /// There is not enough free space.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// There is not enough for what the zip declares.
    #[error("the zip does not fit: {0}")]
    NoRoom(NoSpace),
    /// The zip can't be opened again.
    #[error("can't open the answer that was just written: {0}")]
    Unreadable(io::Error),
    /// The program is being stopped.
    #[error("stopped")]
    Stopped,
}

/// Why an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryFault {
    /// Its name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A link, a device or the like.
    #[error("it is no plain file (mode {0:o})")]
    NoPlainFile(u32),
    /// Encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// Compressed in a way that is not supported.
    #[error("its compression is not supported")]
    Method,
}

/// What a zip became.
#[derive(Clone, Debug, Default)]
pub struct Unpacked {
    /// Its files, in its order; paths are relative to the part's folder.
    pub files: Vec<DataFile>,
    /// Records in all files; `None` when one can't be counted.
    pub records: Option<u64>,
    /// Why the records can't be counted: the file, and what is wrong with it.
    pub uncountable: Option<String>,
    /// The times in it.
    pub seen: Seen,
}

/// The times in an answer.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Those inside the span that was asked for.
    pub inside: Sampler,
    /// How many lie outside.
    pub outside: u64,
}

/// Unpacks one zip.
#[derive(Debug)]
pub struct Unpacking<'a> {
    /// Where free space is looked at and files are written.
    pub store: &'a Store,
    /// Where the files go; made with the first of them.
    pub folder: &'a Path,
    /// What was asked for.
    pub span: Span,
    /// What the request asked for.
    pub format: Format,
    /// The fields that the request asked for; empty for all.
    pub include_fields: &'a [String],
    /// The bounds.
    pub limits: Limits,
}

impl Unpacking<'_> {
    /// Unpacks `zip`; every file and folder is durable afterwards. A zip without a file makes no
    /// folder.
    ///
    /// # Errors
    /// When the zip is damaged or refused, when the disk fails, or when `stop` says so. What was
    /// written by then stays for the caller to remove.
    pub fn run(&self, zip: &Path, stop: &dyn Fn() -> bool) -> Result<Unpacked, UnpackError> {
        let mut source = File::open(zip).map_err(UnpackError::Unreadable)?;
        self.check_directory(&mut source)?;
        let mut archive = ZipArchive::new(BufReader::new(source)).map_err(damaged)?;
        self.check_whole(&mut archive)?;

        let mut names = Names::default();
        let mut folders = Folders::default();
        let mut unpacked = Unpacked {
            records: Some(0),
            ..Unpacked::default()
        };
        let mut left = self.limits.unpacked_bytes;
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
            let (is_folder, packed) = (raw.is_dir(), raw.compressed_size());
            drop(raw);
            if is_folder {
                continue;
            }
            folders.make_above(self, &name)?;
            let entry = archive.by_index(index).map_err(damaged)?;
            let seen = &mut unpacked.seen;
            let (file, uncountable) = self.write_file(entry, name, packed, left, seen, stop)?;
            left -= file.bytes;
            unpacked.records = unpacked
                .records
                .zip(file.records)
                .map(|(sum, records)| sum.saturating_add(records));
            unpacked.uncountable = unpacked.uncountable.or(uncountable);
            unpacked.files.push(file);
        }
        folders.sync(self)?;
        Ok(unpacked)
    }

    /// Looks at the size of the zip's directory before it is read into memory.
    fn check_directory(&self, zip: &mut File) -> Result<(), UnpackError> {
        let announced = directory::largest(zip).map_err(UnpackError::Unreadable)?;
        let Some(announced) = announced else {
            return Err(UnpackError::Damaged("its end is missing".into()));
        };
        if announced.entries > self.limits.entries as u64 {
            let (entries, most) = (announced.entries, self.limits.entries);
            return Err(UnpackError::Refused(format!(
                "{entries} entries, {most} is the most"
            )));
        }
        if announced.bytes > MOST_DIRECTORY_BYTES {
            let what = format!("a directory of {} MiB", announced.bytes >> 20);
            return Err(UnpackError::Refused(what));
        }
        Ok(())
    }

    fn check_whole(&self, archive: &mut ZipArchive<BufReader<File>>) -> Result<(), UnpackError> {
        let refused = |what: &str| Err(UnpackError::Refused(what.into()));
        if archive.len() > self.limits.entries {
            let what = format!(
                "{} entries, {} is the most",
                archive.len(),
                self.limits.entries
            );
            return Err(UnpackError::Refused(what));
        }
        if archive.has_duplicate_names() {
            return refused("two entries have one name");
        }
        if archive.has_overlapping_entries().map_err(damaged)? {
            return refused("entries overlap");
        }
        // The central directory and each entry's own header must tell the same story, or two
        // programs would unpack two different archives.
        archive.validate_header_consistency().map_err(damaged)?;
        let declared = archive.decompressed_size().unwrap_or(0);
        if declared > u128::from(self.limits.unpacked_bytes) {
            return refused("it declares more bytes than are allowed");
        }
        let declared = u64::try_from(declared).unwrap_or(u64::MAX);
        self.store.check_space(0)?;
        self.store
            .check_space(declared)
            .map_err(UnpackError::NoRoom)
    }

    fn write_file(
        &self,
        mut entry: ZipFile<'_, BufReader<File>>,
        path: String,
        packed: u64,
        left: u64,
        seen: &mut Seen,
        stop: &dyn Fn() -> bool,
    ) -> Result<(DataFile, Option<String>), UnpackError> {
        let mut out = self
            .store
            .disk()
            .create(Step::StageData, &self.folder.join(&path))?;
        let mut hasher = Hasher::default();
        let kind = Kind::of(&path, self.format);
        let mut counter = Counter::new(kind, expected_field(kind, self.include_fields));
        let (mut first, mut last) = (None::<Ms>, None::<Ms>);
        let mut see = |time: Option<Ms>| {
            if let Some(time) = time {
                match self.span.contains(time) {
                    true => seen.inside.add(time),
                    false => seen.outside += 1,
                }
                first = Some(first.map_or(time, |first| first.min(time)));
                last = last.max(Some(time));
            }
        };
        let allowed_by_ratio = packed
            .saturating_mul(self.limits.ratio)
            .max(RATIO_FREE_BYTES);
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut bytes, mut looked_at) = (0u64, 0u64);
        loop {
            let read = match entry.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(UnpackError::Damaged(error.to_string())),
            };
            bytes += read as u64;
            if bytes > left {
                let what = format!("more than {} bytes unpacked", self.limits.unpacked_bytes);
                return Err(UnpackError::Refused(what));
            }
            if bytes > allowed_by_ratio {
                let what = format!("a file is over {} times its packed size", self.limits.ratio);
                return Err(UnpackError::Refused(what));
            }
            if bytes - looked_at >= LOOK_BYTES {
                looked_at = bytes;
                self.store.check_space(0)?;
            }
            if stop() {
                return Err(UnpackError::Stopped);
            }
            out.write(&chunk[..read])?;
            hasher.update(&chunk[..read]);
            counter.feed(&chunk[..read], &mut see);
        }
        out.sync(Step::SyncData)?;
        let counted = counter.finish(&mut see);
        let uncountable = counted
            .as_ref()
            .err()
            .map(|error| format!("{path}: {error}"));
        let file = DataFile {
            path,
            bytes,
            sha256: hasher.finish(),
            records: counted.ok(),
            first_ms: first.map(|ms| ms.0),
            last_ms: last.map(|ms| ms.0),
        };
        Ok((file, uncountable))
    }
}

/// The folders made for the files of one zip.
#[derive(Debug, Default)]
struct Folders {
    made: BTreeSet<PathBuf>,
}

impl Folders {
    /// Makes the folders above `path`, which is relative to the part's folder, and that one.
    fn make_above(&mut self, unpacking: &Unpacking<'_>, path: &str) -> Result<(), DiskError> {
        let above = path
            .match_indices('/')
            .map(|(at, _)| unpacking.folder.join(&path[..at]));
        for folder in [unpacking.folder.to_owned()].into_iter().chain(above) {
            if !self.made.contains(&folder) {
                unpacking
                    .store
                    .disk()
                    .make_folders(Step::StageFolder, &folder)?;
                self.made.insert(folder);
            }
        }
        Ok(())
    }

    /// Makes the names in all of them durable, a folder after those in it.
    fn sync(self, unpacking: &Unpacking<'_>) -> Result<(), DiskError> {
        let disk = unpacking.store.disk();
        self.made
            .iter()
            .rev()
            .try_for_each(|made| disk.sync_folder(Step::SyncDataFolder, made))
    }
}

fn check_kind<R: Read>(entry: &ZipFile<'_, R>) -> Result<(), EntryFault> {
    const FILE_TYPE: u32 = 0o170_000;
    if let Some(mode) = entry.unix_mode() {
        let expected = if entry.is_dir() { 0o040_000 } else { 0o100_000 };
        let kind = mode & FILE_TYPE;
        if kind != 0 && kind != expected {
            return Err(EntryFault::NoPlainFile(mode));
        }
    }
    if entry.encrypted() {
        return Err(EntryFault::Encrypted);
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        _ => Err(EntryFault::Method),
    }
}

fn damaged(error: ZipError) -> UnpackError {
    UnpackError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests;
