//! How large the directory of a zip claims to be, read from its end before any of it is believed:
//! the library reads a directory into memory as a whole. Carries *Bounded*.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// The end record (APPNOTE 4.3.16) and what it is followed by at most, a comment of 64 KiB.
pub(super) const END: &[u8] = b"PK\x05\x06";
pub(super) const END_BYTES: usize = 22;
const TAIL_BYTES: u64 = END_BYTES as u64 + 65_535;
/// The end record of ZIP64 (APPNOTE 4.3.14) and the locator that points to it (4.3.15).
pub(super) const END_64: &[u8] = b"PK\x06\x06";
pub(super) const LOCATOR: &[u8] = b"PK\x06\x07";
pub(super) const END_64_BYTES: usize = 56;
pub(super) const LOCATOR_BYTES: usize = 20;

/// Bytes of a directory that are always allowed.
const ALWAYS_BYTES: u64 = 4 * 1024 * 1024;
/// Beyond that, bytes of it for each entry that is allowed: its record has 46 and its name, which
/// is a page's number.
const ENTRY_BYTES: u64 = 200;

/// How many bytes the directory of a zip of so many entries may have.
pub(super) fn most_bytes(entries: u64) -> u64 {
    ALWAYS_BYTES.max(ENTRY_BYTES.saturating_mul(entries))
}

/// What an end record announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    /// Entries in the directory.
    pub entries: u64,
    /// Its length in bytes, or its end record's where that is longer.
    pub bytes: u64,
}

impl Announced {
    /// Whether there is room for such a directory before `position`. Compressed data may hold the
    /// bytes of an end record by chance; what follows them then hardly ever makes sense.
    const fn fits_before(self, position: u64) -> bool {
        self.bytes <= position && self.entries.saturating_mul(46) <= self.bytes
    }

    fn larger(self, other: Self) -> Self {
        Self {
            entries: self.entries.max(other.entries),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// What the end records in a zip's tail announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// The largest directory of any: which of several a reader believes does not matter then.
    pub largest: Announced,
    /// Entries that the last of them announces, which is the one that counts.
    pub entries: u64,
}

/// Reads the end records. `None` when there is none, or none where a locator points.
///
/// # Errors
/// When the file can't be read.
pub(super) fn ends(zip: &mut File) -> io::Result<Option<Ends>> {
    let length = zip.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(TAIL_BYTES + (END_64_BYTES + LOCATOR_BYTES) as u64);
    zip.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    zip.take(length - start).read_to_end(&mut tail)?;
    let mut largest: Option<Announced> = None;
    let mut last = 0;
    let mut add = |announced: Announced| {
        largest = Some(largest.map_or(announced, |largest| largest.larger(announced)));
    };
    for at in memchr::memmem::find_iter(&tail, END) {
        let whole = tail.len() - at >= END_BYTES;
        let (Some(entries), Some(bytes), true) = (
            number::<2>(&tail, at + 10),
            number::<4>(&tail, at + 12),
            whole,
        ) else {
            continue;
        };
        last = entries;
        let announced = Announced { entries, bytes };
        if announced.fits_before(start + at as u64) {
            add(announced);
        }
        let Some(locator) = at.checked_sub(LOCATOR_BYTES) else {
            continue;
        };
        if !tail[locator..].starts_with(LOCATOR) {
            continue;
        }
        let (mut record, end) = (None::<Announced>, start + locator as u64);
        let mut see = |bytes: &[u8], at: usize, place: u64| {
            if let Some(seen) = end_64(bytes, at, end.saturating_sub(place)) {
                record = Some(record.map_or(seen, |record| record.larger(seen)));
            }
        };
        if let Some(place) = number::<8>(&tail, locator + 8).filter(|&place| place < length) {
            let mut head = Vec::new();
            zip.seek(SeekFrom::Start(place))?;
            zip.take(END_64_BYTES as u64).read_to_end(&mut head)?;
            see(&head, 0, place);
        }
        // With other bytes before the zip, the locator points beside its record.
        for at in memchr::memmem::find_iter(&tail[..locator], END_64) {
            see(&tail, at, start + at as u64);
        }
        // A reader could find either record, so neither is believed.
        let Some(record) = record else {
            return Ok(None);
        };
        last = record.entries;
        add(record);
    }
    zip.seek(SeekFrom::Start(0))?;
    Ok(largest.map(|largest| Ends {
        largest,
        entries: last,
    }))
}

/// The record at `at`, if there is one that ends where its locator begins, `length` bytes on.
fn end_64(bytes: &[u8], at: usize, length: u64) -> Option<Announced> {
    let record_bytes = number::<8>(bytes, at + 4)?;
    if !bytes[at..].starts_with(END_64) || record_bytes.checked_add(12)? != length {
        return None;
    }
    Some(Announced {
        entries: number::<8>(bytes, at + 32)?,
        // The record is read into memory too.
        bytes: number::<8>(bytes, at + 40)?.max(record_bytes),
    })
}

/// The little-endian number of `N` bytes at `at`.
pub(super) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(N)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn of(bytes: &[u8]) -> Option<Announced> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let ends = ends(&mut file).unwrap()?;
        Some(ends.largest)
    }

    fn end(entries: u16, bytes: u32) -> Vec<u8> {
        let mut end = END.to_vec();
        end.extend([0; 6]);
        end.extend(entries.to_le_bytes());
        end.extend(bytes.to_le_bytes());
        end.extend([0; 6]);
        end
    }

    /// Guarantee: Bounded
    #[test]
    fn the_largest_directory_that_is_announced_counts() {
        assert_eq!(of(b""), None);
        assert_eq!(of(b"no zip at all"), None);
        let after = |ends: &[Vec<u8>]| [vec![0; 10_000], ends.concat()].concat();
        let announced = |entries, bytes| Some(Announced { entries, bytes });
        assert_eq!(of(&after(&[end(3, 200)])), announced(3, 200));
        assert_eq!(
            of(&after(&[end(90, 5000), end(3, 700)])),
            announced(90, 5000)
        );
        // Chance bytes in compressed data: there is no room for such a directory.
        assert_eq!(
            of(&after(&[end(50_000, 20_000), end(3, 700)])),
            announced(3, 700)
        );
        assert_eq!(
            of(&after(&[end(50_000, 5000), end(3, 700)])),
            announced(3, 700)
        );
        assert_eq!(of(&END[..3]), None);
        assert_eq!(of(&end(3, 200)[..15]), None);
    }

    /// A zip's end with a ZIP64 record of so many bytes more than usual, and its locator.
    fn end_64(entries: u64, bytes: u64, more: usize, place: u64) -> Vec<u8> {
        let mut zip = END_64.to_vec();
        zip.extend((44 + more as u64).to_le_bytes());
        zip.extend([0; 20]);
        zip.extend(entries.to_le_bytes());
        zip.extend(bytes.to_le_bytes());
        zip.extend(vec![0; 8 + more]);
        zip.extend(LOCATOR);
        zip.extend([0; 4]);
        zip.extend(place.to_le_bytes());
        zip.extend([0; 4]);
        zip.extend(end(u16::MAX, u32::MAX));
        zip
    }

    /// Guarantee: Suspicious
    #[test]
    fn the_last_end_says_how_many_entries_there_are() {
        let entries = |zip: Vec<u8>| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&zip).unwrap();
            ends(&mut file).unwrap().map(|ends| ends.entries)
        };
        assert_eq!(entries([end(0, 0), end(2, 104)].concat()), Some(2));
        assert_eq!(entries([end(2, 0), end(0, 0)].concat()), Some(0));
        assert_eq!(entries(end_64(7, 400, 0, 0)), Some(7));
        let cut = [end(0, 0), end(2, 104)[..21].to_vec()].concat();
        assert_eq!(entries(cut), Some(0));
    }

    /// Guarantee: Bounded
    #[test]
    fn a_zip64_end_is_found_where_its_locator_points() {
        let announced = |entries, bytes| Some(Announced { entries, bytes });
        let found = announced(3_000_000, 140_000_000);
        assert_eq!(of(&end_64(3_000_000, 140_000_000, 0, 0)), found);
        // So long that only the locator leads to its beginning.
        assert_eq!(of(&end_64(3_000_000, 140_000_000, 200_000, 0)), found);
        // Beside it, since other bytes come first.
        let after = |zip: Vec<u8>| [vec![0; 500], zip].concat();
        assert_eq!(of(&after(end_64(3_000_000, 140_000_000, 0, 0))), found);
        // The record itself would be read into memory.
        assert_eq!(of(&end_64(1, 50, 900_000, 0)), announced(1, 900_044));
        // No room for such a directory: a lie, but a reader might reserve memory for it.
        let lie = announced(u64::MAX / 2, 10_000);
        assert_eq!(of(&after(end_64(u64::MAX / 2, 10_000, 0, 0))), lie);
        // A reader might search for what the locator misses.
        assert_eq!(of(&after(end_64(1, 50, 200_000, 0))), None);
        assert_eq!(of(&end_64(1, 50, 0, u64::MAX)), announced(1, 50));
    }
}
