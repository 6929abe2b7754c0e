//! Every byte of a zip is accounted for, from the first one to the end of the comment. A server that
//! fails while it streams may write an error into its answer and go on; readers skip what no header
//! speaks of. Carries *Complete* and *Suspicious*.
//!
//! A byte belongs to an entry's local header, its data, its data descriptor, to the directory, or to
//! the end records and their comment. Entries, directory and end agree in number and extent. A
//! directory may list the entries in another order than they lie in: their extents still leave
//! nothing out, and the order of the files means nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::UnpackError;
use super::whole::{Archive, damaged};
use crate::archive::directory::{
    Announced, END, END_64, END_64_BYTES, END_BYTES, LOCATOR, LOCATOR_BYTES, number,
};
use crate::printable;

/// A record of the directory (APPNOTE 4.3.12), and its bytes without name, extra fields and comment.
const RECORD: &[u8] = b"PK\x01\x02";
const RECORD_BYTES: usize = 46;

/// What a data descriptor (APPNOTE 4.3.9) may begin with.
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// Its bytes at most: this, a checksum, and two sizes of 8 bytes.
const DESCRIPTOR_BYTES: usize = 24;

/// How many bytes that belong to nothing are shown.
const SHOWN_BYTES: usize = 80;

/// Checks that nothing lies in `zip` but what `archive`, which is read from it, speaks of. Reads a few
/// bytes of each entry, and the directory once.
///
/// # Errors
/// When there is something else, whose beginning is told, or when the end announces another directory.
pub(super) fn check(zip: &File, archive: &mut Archive) -> Result<(), UnpackError> {
    let start = archive.central_directory_start();
    let entries = archive.len();
    let mut extents = extents(archive)?;
    extents.sort_unstable_by_key(|extent| extent.start);
    let starts = extents.iter().skip(1).map(|next| next.start).chain([start]);

    let first = extents.first().map_or(start, |first| first.start);
    let place = match entries {
        0 => "before its end",
        _ => "before its first entry",
    };
    foreign(zip, 0, first, place)?;
    for (number, (extent, next)) in extents.iter().zip(starts).enumerate() {
        let end = extent.data_end + extent.descriptor_bytes(zip, archive, next)?;
        let place = match number + 1 == entries {
            true => "between its last entry and its directory",
            false => "between its entries",
        };
        foreign(zip, end, next, place)?;
    }
    let directory = Directory {
        announced: Announced {
            entries: entries as u64,
            bytes: directory_bytes(zip, start, entries)?,
        },
        start,
    };
    directory.check_end(zip)
}

/// Where an entry lies.
struct Extent {
    index: usize,
    /// Where its header begins.
    start: u64,
    /// Where its data ends, and its descriptor begins if it has one.
    data_end: u64,
}

/// Where each entry lies, in the directory's order.
fn extents(archive: &mut Archive) -> Result<Vec<Extent>, UnpackError> {
    let mut extents = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let data_end = entry
            .data_start()
            .and_then(|start| start.checked_add(entry.compressed_size()))
            .ok_or_else(|| UnpackError::Damaged("an entry has no end".into()))?;
        extents.push(Extent {
            index,
            start: entry.header_start(),
            data_end,
        });
    }
    Ok(extents)
}

impl Extent {
    /// Length of the data descriptor, which lies before `next`: none, unless the entry announces one.
    /// Four forms are known: with or without a signature, with sizes of 4 or of 8 bytes. Of those that
    /// tell what the directory tells, the longest counts.
    fn descriptor_bytes(
        &self,
        zip: &File,
        archive: &Archive,
        next: u64,
    ) -> Result<u64, UnpackError> {
        let entry = archive.by_index_data(self.index).map_err(damaged)?;
        if !entry.flags().is_using_data_descriptor() {
            return Ok(0);
        }
        let room = next.saturating_sub(self.data_end);
        let found = read(zip, self.data_end, DESCRIPTOR_BYTES.min(clamped(room)))?;
        let crc = entry.crc32().to_le_bytes();
        let sizes = [entry.compressed_size(), entry.size()];
        let wide = sizes.map(u64::to_le_bytes).concat();
        let narrow = sizes.map(|size| u32::try_from(size).map(u32::to_le_bytes));
        let mut forms = vec![
            [DESCRIPTOR, &crc, &wide].concat(),
            [&crc[..], &wide].concat(),
        ];
        if let [Ok(packed), Ok(size)] = narrow {
            let narrow = [packed, size].concat();
            forms.push([DESCRIPTOR, &crc, &narrow].concat());
            forms.push([&crc[..], &narrow].concat());
        }
        let matching = forms.iter().find(|form| found.starts_with(form));
        match matching {
            Some(form) => Ok(form.len() as u64),
            None if room == 0 => Err(UnpackError::Damaged(format!(
                "entry {} announces a data descriptor and has none",
                self.index + 1
            ))),
            None => Ok(0),
        }
    }
}

/// Length of a directory with so many entries.
fn directory_bytes(zip: &File, start: u64, entries: usize) -> Result<u64, UnpackError> {
    let mut at = start;
    for _ in 0..entries {
        let record = read(zip, at, RECORD_BYTES)?;
        let lengths = [28, 30, 32].map(|field| number::<2>(&record, field));
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            return Err(UnpackError::Damaged("its directory is cut off".into()));
        };
        if !record.starts_with(RECORD) {
            return Err(UnpackError::Damaged("its directory has a gap".into()));
        }
        at += RECORD_BYTES as u64 + name + extra + comment;
    }
    Ok(at - start)
}

/// A directory as it lies in the file.
struct Directory {
    /// What the end has to announce.
    announced: Announced,
    start: u64,
}

impl Directory {
    /// Checks what follows the directory: an end that announces it, a comment, and nothing else.
    fn check_end(&self, zip: &File) -> Result<(), UnpackError> {
        const PLACE: &str = "between its directory and its end";
        let length = zip.metadata().map_err(UnpackError::Unreadable)?.len();
        let mut at = self.start + self.announced.bytes;
        let record_64 = read(zip, at, END_64_BYTES)?;
        let is_64 = record_64.starts_with(END_64);
        if is_64 {
            self.agrees(&record_64, [24, 32, 40, 48].map(|field| (field, 8)), false)?;
            let record_bytes = number::<8>(&record_64, 4).and_then(|bytes| bytes.checked_add(12));
            let after = record_bytes.and_then(|bytes| at.checked_add(bytes));
            let locator_at = after.filter(|&after| after <= length).unwrap_or(length);
            let locator = read(zip, locator_at, LOCATOR_BYTES)?;
            if !locator.starts_with(LOCATOR) {
                return foreign(zip, locator_at, length, PLACE);
            }
            if number::<8>(&locator, 8) != Some(at) {
                let what = "its ZIP64 end lies elsewhere than its locator says";
                return Err(UnpackError::Damaged(what.into()));
            }
            at = locator_at + LOCATOR_BYTES as u64;
        }
        let record = read(zip, at, END_BYTES)?;
        let comment = number::<2>(&record, 20).filter(|_| record.starts_with(END));
        let Some(comment) = comment else {
            return foreign(zip, at, length, PLACE);
        };
        self.agrees(&record, [(8, 2), (10, 2), (12, 4), (16, 4)], is_64)?;
        at += END_BYTES as u64 + comment;
        foreign(zip, at, length, "after its end")
    }

    /// Checks what an end record says in `fields`, each a place and a length in bytes: how many
    /// entries there are on this disk and in all, the directory's length, and where it begins. Where
    /// there is a ZIP64 record besides (`or_all_ones`), a field may refer to that.
    fn agrees(
        &self,
        record: &[u8],
        fields: [(usize, usize); 4],
        or_all_ones: bool,
    ) -> Result<(), UnpackError> {
        let Announced { entries, bytes } = self.announced;
        let found = fields.map(|(at, length)| match length {
            2 => number::<2>(record, at),
            4 => number::<4>(record, at),
            _ => number::<8>(record, at),
        });
        let as_is = [entries, entries, bytes, self.start];
        let told = found.iter().zip(as_is).zip(fields);
        let agrees = told.into_iter().all(|((&found, as_is), (_, length))| {
            let all_ones = u64::MAX >> (64 - 8 * length);
            found == Some(as_is) || (or_all_ones && found == Some(all_ones))
        });
        if agrees {
            return Ok(());
        }
        let [_, entries, bytes, start] = found.map(Option::unwrap_or_default);
        Err(UnpackError::Damaged(format!(
            "its end announces {entries} entries in a directory of {bytes} bytes at byte {start}; \
             there are {} in {} bytes at byte {}",
            self.announced.entries, self.announced.bytes, self.start
        )))
    }
}

/// Checks that nothing lies in `from..to`, which is the `place` that no part of the zip takes.
fn foreign(zip: &File, from: u64, to: u64, place: &str) -> Result<(), UnpackError> {
    let Some(bytes) = to.checked_sub(from) else {
        return Err(UnpackError::Damaged("its parts overlap".into()));
    };
    if bytes == 0 {
        return Ok(());
    }
    let mut beginning = read(zip, from, SHOWN_BYTES.min(clamped(bytes)))?;
    if let Some(end) = memchr::memmem::find(&beginning, END) {
        beginning.truncate(end);
    }
    // The excerpt comes last and is not cut again: a key that the cut has left half of is recognised
    // at the end of a text alone (`elsa/redact.rs`).
    Err(UnpackError::Damaged(format!(
        "it has bytes {place}, from byte {from} on, that belong to none of its parts and begin with: {}",
        printable::whole(&String::from_utf8_lossy(&beginning))
    )))
}

/// The bytes at `at`: `most` of them, or as many as there are.
fn read(zip: &File, at: u64, most: usize) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match zip.read_at(rest, at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(UnpackError::Unreadable(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn clamped(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
