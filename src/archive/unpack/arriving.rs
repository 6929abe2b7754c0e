//! A zip that is unpacked while it arrives. What it becomes counts only once the whole zip is there and its
//! directory agrees; until then it is a guess. Carries *Complete* and *Suspicious*: whatever is unusual is left to
//! the reader of whole zips, so that what is accepted and what is refused does not depend on this one.

use std::fs::File;
use std::path::Path;

use super::folders::Folders;
use super::local::{Ended, Found, Header, LocalReader};
use super::size::Size;
use super::whole::{self, damaged};
use super::writing::Writing;
use super::{LOOK_BYTES, UnpackError, Unpacked, Unpacking, check_kind};
use crate::archive::entry_name::Names;
use crate::domain::span::Span;
use crate::durable::{DiskError, Flush, Step};

/// Bytes of one file that are made durable before it is whole, so that little is left for its end.
const FLUSH_BYTES: u64 = 8 * 1024 * 1024;

/// What has become so far of a zip that arrives.
pub struct Arriving {
    names: Names,
    folders: Folders,
    /// The entries that have ended, as they lie in the zip.
    entries: Vec<Entry>,
    entry: Option<Begun>,
    unpacked: Unpacked,
    size: Size,
    is_over: bool,
}

struct Entry {
    header: Header,
    ended: Ended,
}

/// The entry that is being read.
struct Begun {
    header: Header,
    /// None of a folder.
    file: Option<Writing>,
}

/// Why no more of a zip is unpacked before it is whole.
#[derive(Debug)]
pub enum Halt {
    /// The reader of whole zips is to decide.
    Unusual,
    /// This machine's disk failed.
    Failed(UnpackError),
}

impl From<DiskError> for Halt {
    fn from(error: DiskError) -> Self {
        UnpackError::from(error).into()
    }
}

impl From<UnpackError> for Halt {
    fn from(error: UnpackError) -> Self {
        match error {
            // The whole zip tells how much room it needs.
            UnpackError::Disk(disk) if disk.lacks_space() => Self::Unusual,
            UnpackError::Disk(_) => Self::Failed(error),
            _ => Self::Unusual,
        }
    }
}

/// Unpacks `zip` as if it arrived in pieces of these `lengths`, at most, and is handed on in pieces of `output`
/// bytes: what `fetch` does, for tests and fuzzing, but on one thread and without its channels.
///
/// # Errors
/// As those of [`Unpacking::run`].
pub fn unpack_in_pieces(
    unpacking: &Unpacking<'_>,
    zip: &Path,
    mut lengths: impl Iterator<Item = usize>,
    output: usize,
) -> Result<Unpacked, UnpackError> {
    let bytes = std::fs::read(zip).map_err(UnpackError::Unreadable)?;
    let mut reader = LocalReader::default();
    let mut output = Vec::with_capacity(output.max(1));
    let mut arriving = Arriving::new(unpacking.window);
    let mut rest = &bytes[..];
    let mut piece = &bytes[..0];
    while !arriving.is_over {
        let found = reader.next(&mut piece, &mut output);
        if let Found::NeedsInput = found {
            if rest.is_empty() {
                break;
            }
            let length = lengths.next().unwrap_or(usize::MAX).clamp(1, rest.len());
            (piece, rest) = rest.split_at(length);
            continue;
        }
        let is_output = matches!(found, Found::Output { .. });
        match arriving.take(unpacking, found, &output) {
            Ok(None) => {}
            Ok(Some((flush, step))) => flush.sync(step)?,
            Err(Halt::Unusual) => return unpacking.finish(None, zip, &|| false),
            Err(Halt::Failed(error)) => return Err(error),
        }
        if is_output {
            output.clear();
        }
    }
    unpacking.finish(Some(arriving), zip, &|| false)
}

impl Arriving {
    /// Nothing yet, of `window`.
    #[must_use]
    pub fn new(window: Span) -> Self {
        Self {
            names: Names::default(),
            folders: Folders::default(),
            entries: Vec::new(),
            entry: None,
            unpacked: Unpacked::nothing(window),
            size: Size::default(),
            is_over: false,
        }
    }

    /// Takes what [`LocalReader`] found next, and `output` with it. Returns what is to be
    /// flushed, by which step. The caller must flush it before it calls [`Unpacking::finish`].
    ///
    /// # Errors
    /// Why nothing more is to be taken.
    pub fn take(
        &mut self,
        unpacking: &Unpacking<'_>,
        found: Found,
        output: &[u8],
    ) -> Result<Option<(Flush, Step)>, Halt> {
        match found {
            Found::NeedsInput => {}
            Found::Begins(header) => self.begin(unpacking, header)?,
            Found::Output { packed } => return self.write(unpacking, output, packed),
            Found::Ends(ended) => return self.end(unpacking, ended),
            Found::Directory => self.is_over = true,
            Found::Unusual => return Err(Halt::Unusual),
        }
        Ok(None)
    }

    fn begin(&mut self, unpacking: &Unpacking<'_>, header: Header) -> Result<(), Halt> {
        let index = self.entries.len();
        if index >= unpacking.limits.entries {
            return Err(Halt::Unusual);
        }
        let path = self.names.check(&header.name);
        let path = path.map_err(|_| Halt::Unusual)?.to_owned();
        let file = match header.name.ends_with(b"/") {
            true => None,
            false => {
                self.folders.make_above(unpacking, index, &path)?;
                Some(Writing::begin(unpacking, index, path)?)
            }
        };
        self.entry = Some(Begun { header, file });
        Ok(())
    }

    fn write(
        &mut self,
        unpacking: &Unpacking<'_>,
        output: &[u8],
        packed: u64,
    ) -> Result<Option<(Flush, Step)>, Halt> {
        let entry = self.entry.as_mut();
        let Some(file) = entry.and_then(|entry| entry.file.as_mut()) else {
            return Err(Halt::Unusual);
        };
        let before = file.bytes();
        let bytes = before + output.len() as u64;
        Size::of(bytes, packed).check(&unpacking.limits)?;
        self.size.and(bytes, packed).check(&unpacking.limits)?;
        let reaches = |bytes: u64, more: u64, step: u64| (bytes + more) / step > bytes / step;
        let more = output.len() as u64;
        // Over all files: most have less.
        if reaches(self.size.bytes() + before, more, LOOK_BYTES)
            && unpacking.check_space(0).is_err()
        {
            return Err(Halt::Unusual);
        }
        let written = file.take(output, unpacking, &mut self.unpacked.seen);
        written?;
        let flush = reaches(before, more, FLUSH_BYTES).then(|| file.flush());
        Ok(flush.flatten().map(|flush| (flush, Step::FlushData)))
    }

    fn end(
        &mut self,
        unpacking: &Unpacking<'_>,
        ended: Ended,
    ) -> Result<Option<(Flush, Step)>, Halt> {
        let Some(Begun { header, file }) = self.entry.take() else {
            return Err(Halt::Unusual);
        };
        self.entries.push(Entry { header, ended });
        let Some(file) = file else { return Ok(None) };
        Size::of(ended.size, ended.packed).check(&unpacking.limits)?;
        self.size = self.size.and(ended.size, ended.packed);
        self.size.check(&unpacking.limits)?;
        let flush = file.flush();
        let (file, uncountable) = file.end(unpacking, &mut self.unpacked.seen);
        self.unpacked.add(file, uncountable);
        Ok(flush.map(|flush| (flush, Step::SyncData)))
    }

    /// Whether all its entries have come.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_over
    }

    /// Holds what was unpacked against the whole zip; its files must be flushed. `None` where it is not what
    /// the zip's directory says.
    ///
    /// # Errors
    /// When the zip is damaged or refused, or the disk fails.
    pub(super) fn settle(
        self,
        unpacking: &Unpacking<'_>,
        zip: &Path,
    ) -> Result<Option<Unpacked>, UnpackError> {
        if !self.is_over {
            return Ok(None);
        }
        let zip = File::open(zip).map_err(UnpackError::Unreadable)?;
        let (mut archive, _) = whole::open(&zip, &unpacking.limits)?;
        let declared = whole::check(&zip, &mut archive, &unpacking.limits)?;
        if archive.len() != self.entries.len() {
            return Ok(None);
        }
        for (index, Entry { header, ended }) in self.entries.iter().enumerate() {
            let told = archive.by_index_raw(index).map_err(damaged)?;
            check_kind(&told).map_err(|why| UnpackError::Entry {
                index: index + 1,
                why,
            })?;
            let found = Ended {
                packed: told.compressed_size(),
                size: told.size(),
                crc: told.crc32(),
            };
            let is_same = told.header_start() == header.start
                && told.name_raw() == header.name
                && told.is_dir() == header.name.ends_with(b"/")
                && found == *ended;
            if !is_same {
                return Ok(None);
            }
        }
        // All that is declared is on the disk already, so only `min_free_space` must be left.
        let no_room = |why| UnpackError::NoRoom { declared, why };
        unpacking.check_space(0).map_err(no_room)?;
        self.folders.sync(unpacking)?;
        Ok(Some(self.unpacked.whole(unpacking.limit)))
    }
}
