//! Reads a zip from its first byte on, while it arrives: local headers, data, data descriptors (APPNOTE 4.3.7
//! to 4.3.9). Pure. It believes nothing and refuses nothing: what it does not understand is
//! [`Found::Unusual`], and is left to the reader of whole zips. Carries *Bounded*: it holds a header at most.

use crc32fast::Hasher as Crc;
use flate2::{Decompress, FlushDecompress, Status};

use crate::archive::directory::number;

/// What an entry begins with, and its bytes without name and extra fields.
const HEADER: &[u8] = b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
/// What the directory, or an end record, begins with.
const DIRECTORY: [&[u8]; 4] = [b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"];
/// What a data descriptor may begin with.
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// Its bytes at most: this, a checksum, and two sizes of 8 bytes. So many bytes
/// always follow the data, because a directory and its end are longer.
const DESCRIPTOR_BYTES: usize = 24;

/// The flag of an entry whose checksum and sizes follow its data.
const DESCRIPTOR_FOLLOWS: u64 = 1 << 3;
/// The flags that change nothing for who reads: how hard it was compressed, and that names are UTF-8.
const HARMLESS: u64 = 0b110 | DESCRIPTOR_FOLLOWS | 1 << 11;
/// The methods that are read.
const STORED: u64 = 0;
const DEFLATED: u64 = 8;

/// What came next.
#[derive(Debug)]
pub enum Found {
    /// Nothing yet.
    NeedsInput,
    /// An entry begins.
    Begins(Header),
    /// The output is to be handed on: it is full, or the last of an entry.
    Output {
        /// Bytes of the entry's data that were read so far.
        packed: u64,
    },
    /// The entry has ended.
    Ends(Ended),
    /// The entries are over, and the directory begins.
    Directory,
    /// Something that this reader does not understand.
    Unusual,
}

/// Where an entry begins, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes before it.
    pub start: u64,
    /// As it is written.
    pub name: Vec<u8>,
}

/// What an entry was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Bytes of its data.
    pub packed: u64,
    /// Bytes of its file.
    pub size: u64,
    /// CRC-32 of its file.
    pub crc: u32,
}

/// Reads a zip while it arrives.
#[derive(Debug)]
pub struct LocalReader {
    /// Bytes taken so far.
    at: u64,
    /// Those of a header that is not whole yet.
    held: Vec<u8>,
    place: Place,
    inflater: Decompress,
    crc: Crc,
    /// Bytes of the entry's data, and of its file, so far.
    packed: u64,
    size: u64,
}

/// Where in the zip the reader is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Header,
    Data(Entry),
    /// Before a descriptor, or before nothing.
    End(Entry),
    /// Nothing more is read.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    is_deflated: bool,
    /// What its header says of it, where no descriptor follows.
    declared: Option<Ended>,
}

impl Default for LocalReader {
    fn default() -> Self {
        Self {
            at: 0,
            held: Vec::new(),
            place: Place::Header,
            inflater: Decompress::new(false),
            crc: Crc::new(),
            packed: 0,
            size: 0,
        }
    }
}

impl LocalReader {
    /// Takes from `input`, and puts what it inflates behind what `output` holds, within its capacity.
    pub fn next(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> Found {
        let found = match self.place {
            Place::Header => self.header(input),
            Place::Data(entry) => self.data(entry, input, output),
            Place::End(entry) => self.end(entry, input),
            Place::Over => Some(Found::Directory),
        };
        found.unwrap_or_else(|| {
            self.place = Place::Over;
            Found::Unusual
        })
    }

    /// Holds at least so many bytes, if `input` has them.
    fn holds(&mut self, bytes: usize, input: &mut &[u8]) -> bool {
        let wanted = bytes.saturating_sub(self.held.len()).min(input.len());
        let (taken, rest) = input.split_at(wanted);
        self.held.extend_from_slice(taken);
        self.at += wanted as u64;
        *input = rest;
        self.held.len() >= bytes
    }

    fn header(&mut self, input: &mut &[u8]) -> Option<Found> {
        if !self.holds(HEADER.len(), input) {
            return Some(Found::NeedsInput);
        }
        if DIRECTORY.iter().any(|other| self.held.starts_with(other)) {
            self.place = Place::Over;
            return Some(Found::Directory);
        }
        if !self.held.starts_with(HEADER) {
            return None;
        }
        if !self.holds(HEADER_BYTES, input) {
            return Some(Found::NeedsInput);
        }
        let name = usize::try_from(number::<2>(&self.held, 26)?).ok()?;
        let extra = usize::try_from(number::<2>(&self.held, 28)?).ok()?;
        let whole = HEADER_BYTES + name + extra;
        if !self.holds(whole, input) {
            return Some(Found::NeedsInput);
        }
        let flags = number::<2>(&self.held, 6)?;
        let method = number::<2>(&self.held, 8)?;
        let declared = Ended {
            crc: u32::try_from(number::<4>(&self.held, 14)?).ok()?,
            packed: number::<4>(&self.held, 18)?,
            size: number::<4>(&self.held, 22)?,
        };
        let name = self.held.get(HEADER_BYTES..HEADER_BYTES + name)?.to_vec();
        let start = self.at - self.held.len() as u64;
        self.held.clear();
        let is_told_later = flags & DESCRIPTOR_FOLLOWS != 0;
        let is_known = match method {
            DEFLATED => true,
            // Where it ends can't be told.
            STORED => !is_told_later,
            _ => false,
        };
        if !is_known || flags & !HARMLESS != 0 {
            return None;
        }
        self.inflater.reset(false);
        self.crc.reset();
        (self.packed, self.size) = (0, 0);
        self.place = Place::Data(Entry {
            is_deflated: method == DEFLATED,
            declared: (!is_told_later).then_some(declared),
        });
        Some(Found::Begins(Header { start, name }))
    }

    fn data(&mut self, entry: Entry, input: &mut &[u8], output: &mut Vec<u8>) -> Option<Found> {
        // A decoder must not read on beyond what is declared.
        let left = entry.declared.map_or(u64::MAX, |declared| {
            declared.packed.saturating_sub(self.packed)
        });
        let most = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut available = input.get(..most)?;
        let before = output.len();
        let is_over = match entry.is_deflated {
            true => self.inflate(&mut available, output)?,
            false => {
                let room = output.capacity() - output.len();
                let (taken, rest) = available.split_at(available.len().min(room));
                output.extend_from_slice(taken);
                available = rest;
                left == taken.len() as u64
            }
        };
        let taken = most - available.len();
        *input = input.get(taken..)?;
        self.at += taken as u64;
        self.packed += taken as u64;
        self.size += (output.len() - before) as u64;
        self.crc.update(output.get(before..)?);
        if is_over {
            self.place = Place::End(entry);
        }
        if output.len() == output.capacity() || (is_over && !output.is_empty()) {
            return Some(Found::Output {
                packed: self.packed,
            });
        }
        if is_over {
            return self.end(entry, input);
        }
        // Otherwise neither input nor room is lacking, and yet nothing moves: the data is broken.
        (input.is_empty() && left > taken as u64).then_some(Found::NeedsInput)
    }

    /// Inflates until `input` or the room in `output` is used up. Returns whether the data is over.
    fn inflate(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> Option<bool> {
        loop {
            let (read, written) = (self.inflater.total_in(), output.len());
            let status = self
                .inflater
                .decompress_vec(input, output, FlushDecompress::None)
                .ok()?;
            let read = usize::try_from(self.inflater.total_in() - read).ok()?;
            *input = input.get(read..)?;
            match status {
                Status::StreamEnd => return Some(true),
                Status::Ok | Status::BufError
                    if output.len() == output.capacity()
                        || (read == 0 && output.len() == written) =>
                {
                    return Some(false);
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// Holds what was found against what the header or the descriptor says of it.
    fn end(&mut self, entry: Entry, input: &mut &[u8]) -> Option<Found> {
        let ended = Ended {
            packed: self.packed,
            size: self.size,
            crc: self.crc.clone().finalize(),
        };
        match entry.declared {
            Some(declared) if declared != ended => return None,
            Some(_) => {}
            None if !self.holds(DESCRIPTOR_BYTES, input) => return Some(Found::NeedsInput),
            None => {
                let form = descriptors(ended).into_iter();
                let form = form.flatten().find(|form| self.held.starts_with(form))?;
                self.held.drain(..form.len());
            }
        }
        self.place = Place::Header;
        Some(Found::Ends(ended))
    }
}

/// The forms of a descriptor that says this, the longest first: with or without a signature, with sizes of 8
/// or of 4 bytes.
fn descriptors(ended: Ended) -> [Option<Vec<u8>>; 4] {
    let Ended { packed, size, crc } = ended;
    let crc = crc.to_le_bytes();
    let wide = [packed.to_le_bytes(), size.to_le_bytes()].concat();
    let narrow = u32::try_from(packed).ok().zip(u32::try_from(size).ok());
    let narrow = narrow.map(|(packed, size)| [packed.to_le_bytes(), size.to_le_bytes()].concat());
    [
        Some([DESCRIPTOR, &crc, &wide].concat()),
        Some([&crc[..], &wide].concat()),
        narrow
            .as_ref()
            .map(|narrow| [DESCRIPTOR, &crc, narrow].concat()),
        narrow.as_ref().map(|narrow| [&crc[..], narrow].concat()),
    ]
}
