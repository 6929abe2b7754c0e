//! Entries of a zip that are inflated as a whole, which takes less time than in pieces. Carries *Bounded*: one of them is
//! in memory, and those that are larger are left to who inflates in pieces. So is each that is not as it should be: what
//! is wrong with it is told there alone.

use std::io::{Read, Seek};

use libdeflater::Decompressor;
use zip::{CompressionMethod, ZipArchive};

/// The longest entry that is held, packed and unpacked. Of much longer ones the memory costs more than is gained.
const MOST_HELD: u64 = 8 * 1024 * 1024;

/// What inflates them, and memory for the next one.
#[derive(Default)]
pub(super) struct AtOnce {
    inflater: Option<Decompressor>,
    packed: Vec<u8>,
    plain: Vec<u8>,
}

impl Clone for AtOnce {
    /// Another of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl AtOnce {
    /// What the entry of this number holds, if that is so many `bytes`, not too many, and nothing is wrong with it.
    pub(super) fn inflate(
        &mut self,
        archive: &mut ZipArchive<impl Read + Seek>,
        index: usize,
        bytes: u64,
    ) -> Option<&[u8]> {
        if bytes > MOST_HELD {
            return None;
        }
        let entry = archive.by_index_raw(index).ok()?;
        let is_usual = entry.compression() == CompressionMethod::Deflated && !entry.encrypted();
        if !is_usual || entry.size() != bytes || entry.compressed_size() > MOST_HELD {
            return None;
        }
        let crc = entry.crc32();
        self.packed.clear();
        entry.take(MOST_HELD).read_to_end(&mut self.packed).ok()?;
        let length = usize::try_from(bytes).ok()?;
        if self.plain.len() < length {
            self.plain.resize(length, 0);
        }
        let plain = self.plain.get_mut(..length)?;
        let inflater = self.inflater.get_or_insert_default();
        let inflated = inflater.deflate_decompress(&self.packed, plain).ok()?;
        let is_it = inflated == length && crc32fast::hash(plain) == crc;
        is_it.then_some(&*plain)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A zip with one entry, which holds this.
    fn zip_of(content: &[u8], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file("a.json", options).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn at_once(zip: &[u8], bytes: u64) -> Option<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(zip)).ok()?;
        let mut at_once = AtOnce::default();
        let found = at_once.inflate(&mut archive, 0, bytes);
        found.map(<[u8]>::to_vec)
    }

    fn in_pieces(zip: &[u8]) -> Option<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(zip)).ok()?;
        let mut content = Vec::new();
        let mut entry = archive.by_index(0).ok()?;
        entry.read_to_end(&mut content).ok()?;
        Some(content)
    }

    /// Guarantee: Suspicious
    #[test]
    fn whatever_byte_of_a_zip_is_another_nothing_is_held_that_could_not_be_read_in_pieces() {
        let content: Vec<u8> = (0..400_u32)
            .flat_map(|n| (n * n).to_string().into_bytes())
            .collect();
        let bytes = content.len() as u64;
        let zip = zip_of(&content, CompressionMethod::Deflated);
        assert_eq!(at_once(&zip, bytes).as_ref(), Some(&content));
        for at in 0..zip.len() {
            for flip in [1, 0x10, 0xff] {
                let mut changed = zip.clone();
                changed[at] ^= flip;
                if let Some(held) = at_once(&changed, bytes) {
                    assert_eq!(held, content, "{at}");
                    assert_eq!(in_pieces(&changed).as_ref(), Some(&content), "{at}");
                }
            }
        }
    }

    /// Guarantee: Bounded
    #[test]
    fn what_is_too_long_or_unusual_is_left_to_others() {
        let most = vec![b'1'; usize::try_from(MOST_HELD).unwrap()];
        let zip = zip_of(&most, CompressionMethod::Deflated);
        assert!(at_once(&zip, MOST_HELD).is_some_and(|held| held == most));
        let more = [&most[..], b"1"].concat();
        let zip = zip_of(&more, CompressionMethod::Deflated);
        assert_eq!(at_once(&zip, MOST_HELD + 1), None);
        // The manifest says less than the zip.
        assert_eq!(at_once(&zip, MOST_HELD), None);
        let stored = zip_of(b"1", CompressionMethod::Stored);
        assert_eq!(at_once(&stored, 1), None);
        assert_eq!(in_pieces(&stored).unwrap(), b"1");
    }

    #[test]
    fn the_memory_of_one_entry_serves_the_next() {
        let mut at_once = AtOnce::default();
        for content in [
            &b"longer than the next"[..],
            b"",
            b"short",
            b"as long as can be, or longer",
        ] {
            let zip = zip_of(content, CompressionMethod::Deflated);
            let mut archive = ZipArchive::new(Cursor::new(&zip[..])).unwrap();
            let bytes = content.len() as u64;
            assert_eq!(at_once.inflate(&mut archive, 0, bytes), Some(content));
        }
    }
}
