//! The file of a zip as the library reads it: of which only so much can be read, and which knows how much
//! of an entry's data was. Carries *Bounded* and *Complete*.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::read::ZipFile;

use super::UnpackError;

/// How many bytes at the end of data are handed out one by one. Where a decoder has come to its end, it
/// may still take one piece that it has no use for; it never asks for the one after that.
const LAST_BYTES: u64 = 2;

/// What is measured.
#[derive(Debug)]
pub(super) struct Meter {
    /// How many bytes may still be read.
    left: Cell<u64>,
    /// Where the data ends that is being read.
    end: Cell<u64>,
    /// How far it was read.
    reached: Cell<u64>,
}

impl Meter {
    /// Lets so many bytes be read.
    pub(super) fn new(bytes: u64) -> Rc<Self> {
        Rc::new(Self {
            left: Cell::new(bytes),
            end: Cell::new(0),
            reached: Cell::new(0),
        })
    }

    /// Lets everything be read from now on.
    pub(super) fn open(&self) {
        self.left.set(u64::MAX);
    }

    /// From now on the data of `entry` is read.
    pub(super) fn watch<R: Read>(&self, entry: &ZipFile<'_, R>) {
        let start = entry.data_start().unwrap_or_default();
        self.reached.set(start);
        self.end.set(start.saturating_add(entry.compressed_size()));
    }

    /// Checks that all of the data was needed. A decoder passes over what comes after the end of what it
    /// decodes. A single byte may go unnoticed.
    ///
    /// # Errors
    /// When it was not. Where the text begins is not known, and an end of it could begin within a key,
    /// which nothing would recognise: so none of it is shown.
    pub(super) fn check_end(&self) -> Result<(), UnpackError> {
        let end = self.end.get();
        match self.reached.get() < end {
            true => Err(UnpackError::Damaged(format!(
                "a file's data has bytes behind its end, up to byte {end}"
            ))),
            false => Ok(()),
        }
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Metered {
    file: BufReader<File>,
    at: u64,
    meter: Rc<Meter>,
}

impl Metered {
    /// Measures what is read of `file`, from its first byte on.
    pub(super) fn new(file: File, meter: &Rc<Meter>) -> Self {
        Self {
            file: BufReader::new(file),
            at: 0,
            meter: Rc::clone(meter),
        }
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match self.meter.end.get().checked_sub(self.at) {
            None | Some(0) => u64::MAX,
            Some(1..=LAST_BYTES) => 1,
            Some(left) => left - LAST_BYTES,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let length = buffer.len().min(most);
        let read = self
            .file
            .read(buffer.get_mut(..length).unwrap_or_default())?;
        let Some(left) = self.meter.left.get().checked_sub(read as u64) else {
            return Err(io::Error::other("its directory is too long"));
        };
        self.meter.left.set(left);
        self.at += read as u64;
        let reached = self.meter.reached.get().max(self.at);
        self.meter.reached.set(reached);
        Ok(read)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // The disk has no part in this: it is the zip that points where nothing can be.
        let sought = self.file.seek(to);
        self.at = sought.map_err(|_| io::Error::other("it points outside"))?;
        Ok(self.at)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.at)
    }
}
