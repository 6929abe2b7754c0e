//! Zips put together byte by byte, so that every field can lie. Field names and numbers are those
//! of the format's description (APPNOTE).

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bits of the flags.
pub const ENCRYPTED: u16 = 1;
pub const DESCRIPTOR: u16 = 1 << 3;
pub const UTF_8: u16 = 1 << 11;

/// What a header says of an entry.
#[derive(Clone)]
pub struct Header {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u64,
    pub size: u64,
    pub extra: Vec<u8>,
}

/// An entry: its own header, its data, and what the directory says of it.
#[derive(Clone)]
pub struct Entry {
    pub local: Header,
    pub data: Vec<u8>,
    /// What follows the data.
    pub descriptor: Vec<u8>,
    pub central: Header,
    /// The system that made it: 3 is Unix.
    pub system: u8,
    pub mode: u32,
    /// Where the directory says that it begins, if that is a lie.
    pub at: Option<u64>,
    /// Sizes and place are in ZIP64 fields.
    pub zip64: bool,
    /// Only the directory knows it.
    pub unwritten: bool,
    /// Only its header knows it.
    pub unlisted: bool,
}

impl Entry {
    /// A stored file.
    pub fn stored(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let header = Header {
            name: name.as_ref().to_vec(),
            flags: UTF_8,
            method: 0,
            crc: crc(content),
            packed: content.len() as u64,
            size: content.len() as u64,
            extra: Vec::new(),
        };
        Self {
            local: header.clone(),
            data: content.to_vec(),
            descriptor: Vec::new(),
            central: header,
            system: 3,
            mode: 0o100_644,
            at: None,
            zip64: false,
            unwritten: false,
            unlisted: false,
        }
    }

    /// A deflated file.
    pub fn deflated(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let data = deflate(content);
        let packed = data.len() as u64;
        let stored = Self::stored(name, content).both(|header| {
            header.method = 8;
            header.packed = packed;
        });
        Self { data, ..stored }
    }

    /// Changes both headers alike.
    pub fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    /// Changes what the directory says.
    pub fn central(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.central);
        self
    }

    /// With a file type by mode bits.
    pub fn of_mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// With sizes that only follow the data, as streaming writers do it.
    pub fn streamed(mut self) -> Self {
        let Header {
            crc, packed, size, ..
        } = self.local;
        self = self.both(|header| header.flags |= DESCRIPTOR);
        (self.local.crc, self.local.packed, self.local.size) = (0, 0, 0);
        self.descriptor = b"PK\x07\x08".to_vec();
        self.descriptor.extend(crc.to_le_bytes());
        self.descriptor.extend((packed as u32).to_le_bytes());
        self.descriptor.extend((size as u32).to_le_bytes());
        self
    }
}

impl Header {
    /// The fields that both headers have, from the version on; with `zip64`, the sizes (and the
    /// place) as that extra field.
    fn write(&self, out: &mut Vec<u8>, zip64: bool, place: Option<u64>, comment: &[u8; 12]) {
        let mut extra = self.extra.clone();
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let (mut packed, mut size) = (narrow(self.packed), narrow(self.size));
        if zip64 {
            (packed, size) = (u32::MAX, u32::MAX);
            let mut field = [self.size.to_le_bytes(), self.packed.to_le_bytes()].concat();
            field.extend(place.map_or(Vec::new(), |place| place.to_le_bytes().to_vec()));
            extra.extend(1u16.to_le_bytes());
            extra.extend((field.len() as u16).to_le_bytes());
            extra.extend(field);
        }
        out.extend(if zip64 { 45u16 } else { 20 }.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        // Noon of 22 November 2026.
        out.extend([0x00, 0x60, 0x76, 0x5d]);
        out.extend(self.crc.to_le_bytes());
        out.extend(packed.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((extra.len() as u16).to_le_bytes());
        if let Some(place) = place {
            out.extend(&comment[..10]);
            out.extend(if zip64 { u32::MAX } else { narrow(place) }.to_le_bytes());
        }
        out.extend(&self.name);
        out.extend(extra);
    }
}

/// A zip in the making.
#[derive(Clone, Default)]
pub struct Zip {
    pub before: Vec<u8>,
    pub entries: Vec<Entry>,
    /// The end record is a ZIP64 one.
    pub zip64: bool,
    /// Entries and bytes of the directory, if those are lies.
    pub announces: Option<(u64, u64)>,
    /// What lies between the last entry and the directory.
    pub before_directory: Vec<u8>,
    /// What lies between the directory and its end record.
    pub before_end: Vec<u8>,
    pub comment: Vec<u8>,
    pub after: Vec<u8>,
}

impl Zip {
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Its bytes. Places count from the first byte of the zip, not from what comes before.
    pub fn bytes(&self) -> Vec<u8> {
        let mut zip = Vec::new();
        let mut directory = Vec::new();
        let mut listed = 0u64;
        for entry in &self.entries {
            let place = entry.at.unwrap_or(zip.len() as u64);
            if !entry.unwritten {
                zip.extend(b"PK\x03\x04");
                entry.local.write(&mut zip, entry.zip64, None, &[0; 12]);
                zip.extend(&entry.data);
                zip.extend(&entry.descriptor);
            }
            if !entry.unlisted {
                listed += 1;
                directory.extend(b"PK\x01\x02");
                directory.extend([if entry.zip64 { 45 } else { 20 }, entry.system]);
                let mut rest = [0; 12];
                rest[6..10].copy_from_slice(&(entry.mode << 16).to_le_bytes());
                entry
                    .central
                    .write(&mut directory, entry.zip64, Some(place), &rest);
            }
        }
        zip.extend(&self.before_directory);
        let start = zip.len() as u64;
        let (entries, bytes) = self.announces.unwrap_or((listed, directory.len() as u64));
        zip.extend(&directory);
        zip.extend(&self.before_end);
        if self.zip64 {
            let record = zip.len() as u64;
            zip.extend(b"PK\x06\x06");
            zip.extend(44u64.to_le_bytes());
            zip.extend([45, 3, 45, 0]);
            zip.extend([0; 8]);
            for number in [entries, entries, bytes, start] {
                zip.extend(number.to_le_bytes());
            }
            zip.extend(b"PK\x06\x07\0\0\0\0");
            zip.extend(record.to_le_bytes());
            zip.extend(1u32.to_le_bytes());
        }
        zip.extend(b"PK\x05\x06\0\0\0\0");
        let (entries, bytes, start) = match self.zip64 {
            true => (u16::MAX, u32::MAX, u32::MAX),
            false => (entries as u16, bytes as u32, start as u32),
        };
        for number in [entries, entries] {
            zip.extend(number.to_le_bytes());
        }
        zip.extend(bytes.to_le_bytes());
        zip.extend(start.to_le_bytes());
        zip.extend((self.comment.len() as u16).to_le_bytes());
        zip.extend(&self.comment);
        [&self.before[..], &zip, &self.after].concat()
    }
}

/// An extra field.
pub fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    let mut field = id.to_le_bytes().to_vec();
    field.extend((content.len() as u16).to_le_bytes());
    field.extend(content);
    field
}

/// The checksum of the format.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Deflated bytes, taken out of a zip that the library has written.
pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9));
    zip.start_file("x", options).unwrap();
    zip.write_all(content).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let entry = archive.by_index_raw(0).unwrap();
    let start = entry.data_start().unwrap() as usize;
    bytes[start..start + entry.compressed_size() as usize].to_vec()
}
