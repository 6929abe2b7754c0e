//! Counts JSON records in whatever layout they come: one array, one object a line, objects or
//! arrays one after another, with or without white space.
//!
//! Carries *Complete* and *Suspicious*. An object at the top is one record, an array at the top
//! holds records, and anything else in their places ends the count; so does whatever breaks the
//! grammar of RFC 8259, since what follows could not be trusted either. One thing beyond it is
//! accepted: `\u` escapes of half a surrogate pair, which bodies of logs do hold.
//! An object without any expected key ends the count too: it may be an error between records.
//!
//! The time is the value of the key `logTime` of the record itself, a number or a string; of
//! several the last counts. Key and value are compared as they are written, so one that is
//! written with escapes gives no time.

use self::grammar::{Next, Role, Word};
use self::number::Digits;
use self::plain::{first_control, plain};
use super::hashing::Hashing;
use super::log_time::Snippet;
use super::{Each, LOG_TIME, Problem, Record, Uncountable};
use crate::domain::window::Zone;

mod grammar;
mod number;
mod plain;

/// How deep arrays and objects may nest, the outermost included. Logs are flat; this is
/// about where common readers of JSON give up as well, and it fits the bits of one integer.
pub(super) const MAX_DEPTH: u32 = u128::BITS;

pub(super) struct Scanner {
    next: Next,
    /// The containers around this place, innermost in bit 0; set for an object.
    objects: u128,
    /// How many containers there are.
    depth: u32,
    /// The depth at which records are: 1 for an object at the top, 2 inside an array.
    record_depth: u32,
    records: u64,
    /// The keys of which a record must have one; empty when nothing is expected.
    expected: Vec<String>,
    /// Whether the record has had one of them.
    has_expected: bool,
    /// Where the record begins.
    record_start: u64,
    /// Bytes taken so far.
    offset: u64,
    /// A character of a string of which the last chunk held only a beginning.
    cut: Vec<u8>,
    /// The latest key of the record, as far as it is needed.
    key: Snippet,
    /// The record's time as it is written; empty when there is none.
    time: Snippet,
    /// The zone of times without an offset.
    zone: Option<Zone>,
    hashing: Hashing,
}

impl Scanner {
    pub(super) fn new(expected: Vec<String>, zone: Option<Zone>) -> Self {
        Self {
            next: Next::Top,
            objects: 0,
            depth: 0,
            record_depth: 0,
            records: 0,
            expected,
            has_expected: false,
            record_start: 0,
            offset: 0,
            cut: Vec::new(),
            key: Snippet::new(),
            time: Snippet::new(),
            zone,
            hashing: Hashing::new(),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], each: Each<'_>) -> Result<(), Uncountable> {
        self.hashing.enter(self.offset);
        let mut bytes = chunk;
        while let Some(&byte) = bytes.first() {
            let taken = self
                .step(byte, bytes, chunk, each)
                .map_err(|problem| self.fault(*problem))?;
            self.offset += taken as u64;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        self.hashing.leave(chunk);
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<u64, Uncountable> {
        match self.next {
            Next::Top => Ok(self.records),
            _ => Err(self.fault(Problem::CutOff)),
        }
    }

    const fn fault(&self, problem: Problem) -> Uncountable {
        Uncountable {
            offset: self.offset,
            problem,
        }
    }

    /// Takes some of `bytes`, the rest of `chunk`, of which `byte` is the first; returns how many. After a problem
    /// `offset` is its place.
    fn step(
        &mut self,
        byte: u8,
        bytes: &[u8],
        chunk: &[u8],
        each: Each<'_>,
    ) -> Result<usize, Box<Problem>> {
        self.next = match self.next {
            Next::Text(role) => return self.text(role, bytes),
            Next::Escape(role) => {
                self.keep(role, &[byte]);
                match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Next::Text(role),
                    b'u' => Next::Hex(role, 4),
                    _ => return Err(Problem::Escape.into()),
                }
            }
            Next::Hex(role, left) => {
                if !byte.is_ascii_hexdigit() {
                    return Err(Problem::Escape.into());
                }
                self.keep(role, &[byte]);
                match left {
                    0 | 1 => Next::Text(role),
                    _ => Next::Hex(role, left - 1),
                }
            }
            Next::Number(role, digits) => return self.number(role, digits, bytes),
            Next::Word(word, come) => {
                let rest = word.bytes().get(usize::from(come)..).unwrap_or_default();
                match rest {
                    [only] if *only == byte => Next::CommaOrEnd,
                    [first, ..] if *first == byte => Next::Word(word, come + 1),
                    _ => return Err(Problem::Expected("true, false or null").into()),
                }
            }
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => return Ok(1),
            Next::Top => match byte {
                b'{' => self.begin_object()?,
                b'[' => self.begin_array()?,
                _ => return Err(Problem::NotARecord.into()),
            },
            Next::Value(role) => self.value(role, byte)?,
            Next::ElementOrEnd if byte == b']' => self.end(chunk, each)?,
            Next::ElementOrEnd => self.value(Role::Value, byte)?,
            Next::KeyOrEnd if byte == b'}' => self.end(chunk, each)?,
            Next::Key | Next::KeyOrEnd => self.key(byte)?,
            Next::Colon(role) if byte == b':' => Next::Value(role),
            Next::Colon(_) => return Err(Problem::Expected("a colon").into()),
            Next::CommaOrEnd => match (byte, self.objects & 1) {
                (b',', 1) => Next::Key,
                (b',', _) => Next::Value(Role::Value),
                (b'}', 1) | (b']', 0) => self.end(chunk, each)?,
                (_, 1) => return Err(Problem::Expected("a comma or the end of the object").into()),
                _ => return Err(Problem::Expected("a comma or the end of the array").into()),
            },
        };
        Ok(1)
    }

    fn value(&mut self, role: Role, byte: u8) -> Result<Next, Box<Problem>> {
        if self.depth < self.record_depth && byte != b'{' {
            return Err(Problem::NotARecord.into());
        }
        let digits = match byte {
            b'{' => return Ok(self.begin_object()?),
            b'[' => return Ok(self.begin_array()?),
            b'"' => return Ok(Next::Text(role)),
            b't' => return Ok(Next::Word(Word::True, 1)),
            b'f' => return Ok(Next::Word(Word::False, 1)),
            b'n' => return Ok(Next::Word(Word::Null, 1)),
            b'-' => Digits::Minus,
            b'0' => Digits::Zero,
            b'1'..=b'9' => Digits::Whole,
            _ => return Err(Problem::Expected("a value").into()),
        };
        self.keep(role, &[byte]);
        Ok(Next::Number(role, digits))
    }

    /// Takes a number's bytes up to the one behind it.
    fn number(
        &mut self,
        role: Role,
        mut digits: Digits,
        bytes: &[u8],
    ) -> Result<usize, Box<Problem>> {
        let mut taken = 0;
        for &byte in bytes {
            if let Some(more) = digits.and(byte) {
                digits = more;
                taken += 1;
                continue;
            }
            if !digits.are_a_number() {
                self.offset += taken as u64;
                return Err(Problem::Expected("a digit").into());
            }
            let (number, rest) = bytes.split_at(taken);
            self.keep(role, number);
            self.next = Next::CommaOrEnd;
            return Ok(taken + self.between(rest)?);
        }
        self.next = Next::Number(role, digits);
        self.keep(role, bytes);
        Ok(taken)
    }

    fn key(&mut self, byte: u8) -> Result<Next, Box<Problem>> {
        if byte != b'"' {
            return Err(Problem::Expected("a key in quotes").into());
        }
        if self.depth == self.record_depth {
            self.key.clear();
            Ok(Next::Text(Role::RecordKey))
        } else {
            Ok(Next::Text(Role::Key))
        }
    }

    fn begin_object(&mut self) -> Result<Next, Problem> {
        self.begin(1)?;
        if self.depth == 1 {
            self.record_depth = 1;
        }
        if self.depth == self.record_depth {
            self.time.clear();
            self.has_expected = self.expected.is_empty();
            self.record_start = self.offset;
            self.hashing.begin(self.offset);
        }
        Ok(Next::KeyOrEnd)
    }

    fn begin_array(&mut self) -> Result<Next, Problem> {
        self.begin(0)?;
        if self.depth == 1 {
            self.record_depth = 2;
        }
        Ok(Next::ElementOrEnd)
    }

    const fn begin(&mut self, object: u128) -> Result<(), Problem> {
        if self.depth == MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | object;
        Ok(())
    }

    fn end(&mut self, chunk: &[u8], each: Each<'_>) -> Result<Next, Problem> {
        if self.depth == self.record_depth {
            if !self.has_expected {
                self.offset = self.record_start;
                return Err(Problem::NoKey(self.expected.clone()));
            }
            self.records += 1;
            each(Record {
                time: self.time.time(self.zone.as_ref()),
                hash: self.hashing.end(chunk, self.offset + 1),
                from: self.record_start,
                to: self.offset + 1,
            });
        }
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        Ok(match self.depth {
            0 => Next::Top,
            _ => Next::CommaOrEnd,
        })
    }

    /// Takes a string's bytes up to and with the next quote or backslash.
    fn text(&mut self, role: Role, bytes: &[u8]) -> Result<usize, Box<Problem>> {
        if !self.cut.is_empty() {
            return self.complete_cut(role, bytes);
        }
        let plain = plain(bytes);
        if plain > 0 {
            let (run, rest) = bytes.split_at(plain);
            self.keep(role, run);
            // Nearly every string is plain up to its quote.
            return Ok(match rest.first() {
                Some(b'"') => {
                    self.next = self.after_string(role);
                    plain + 1 + self.between(rest.get(1..).unwrap_or_default())?
                }
                _ => plain,
            });
        }
        let stop = memchr::memchr2(b'"', b'\\', bytes);
        let run = &bytes[..stop.unwrap_or(bytes.len())];
        let control = first_control(run);
        let plain = run.get(..control.unwrap_or(run.len())).unwrap_or_default();
        if let Err(error) = str::from_utf8(plain) {
            let at = error.valid_up_to();
            let chunk_ends = stop.is_none() && control.is_none() && error.error_len().is_none();
            if !chunk_ends {
                self.offset += at as u64;
                return Err(Problem::Utf8.into());
            }
            self.cut
                .extend_from_slice(plain.get(at..).unwrap_or_default());
        } else if let Some(at) = control {
            self.offset += at as u64;
            return Err(Problem::ControlCharacter.into());
        }
        self.keep(role, run);
        let Some(stop) = stop else {
            return Ok(bytes.len());
        };
        self.next = if bytes[stop] == b'"' {
            self.after_string(role)
        } else {
            self.keep(role, b"\\");
            Next::Escape(role)
        };
        Ok(stop + 1)
    }

    /// Takes what mostly lies between two strings of an object: a colon or a comma, and the next quote. Returns
    /// how many bytes that is; 0 where it is anything else, which is looked at byte by byte.
    fn between(&mut self, rest: &[u8]) -> Result<usize, Box<Problem>> {
        self.next = match (self.next, rest) {
            (Next::Colon(role), [b':', b'"', ..]) => Next::Text(role),
            (Next::CommaOrEnd, [b',', b'"', ..]) if self.objects & 1 == 1 => self.key(b'"')?,
            _ => return Ok(0),
        };
        Ok(2)
    }

    /// Takes one byte of a character whose beginning was in an earlier chunk.
    fn complete_cut(&mut self, role: Role, bytes: &[u8]) -> Result<usize, Box<Problem>> {
        let one = &bytes[..1];
        self.cut.extend_from_slice(one);
        match str::from_utf8(&self.cut) {
            Ok(_) => self.cut.clear(),
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.offset -= self.cut.len() as u64 - 1;
                return Err(Problem::Utf8.into());
            }
        }
        self.keep(role, one);
        Ok(1)
    }

    fn after_string(&mut self, role: Role) -> Next {
        match role {
            Role::RecordKey => {
                self.has_expected |= self.expected.iter().any(|key| self.key.is(key));
                if self.key.is(LOG_TIME) {
                    self.time.clear();
                    return Next::Colon(Role::Time);
                }
                Next::Colon(Role::Value)
            }
            Role::Key => Next::Colon(Role::Value),
            Role::Time | Role::Value => Next::CommaOrEnd,
        }
    }

    fn keep(&mut self, role: Role, bytes: &[u8]) {
        match role {
            Role::RecordKey => self.key.push(bytes),
            Role::Time => self.time.push(bytes),
            Role::Key | Role::Value => {}
        }
    }
}

#[cfg(test)]
mod tests;
