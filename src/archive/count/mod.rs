//! Counts the records of one unpacked file while its bytes stream by, and tells their times and what
//! they are, by a hash.
//!
//! *Complete*: whether an answer was capped is decided by this count, so a file is either
//! counted exactly or is [`Uncountable`]; nothing is guessed. Well-formed is not enough: an error,
//! or a wrapper around the list of records, would count as one record or none. So each record must
//! also show a field that was asked for ([`expected_fields`]). *Suspicious* and *Bounded*: any bytes in
//! chunks of any size are taken, in the same few kilobytes of memory.

use std::ops::Range;

use thiserror::Error;

use crate::domain::job::Format;
use crate::domain::window::Zone;
use log_time::LogTime;

mod csv;
mod hashing;
mod json;
pub mod log_time;

/// The field whose value is the record's time (`ELSA-API.md`, *Records*).
pub const LOG_TIME: &str = "logTime";

/// UTF-8's byte-order mark, which some writers put before everything else.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One record that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its time, where it can be read.
    pub time: Option<LogTime>,
    /// The XXH3 hash, of 128 bits and with seed 0, of its bytes as they are written: of a JSON object from
    /// its brace to its brace, of a CSV record without the line break that ends it.
    pub hash: u128,
    /// Where these bytes begin, from the start of the file, a byte-order mark included.
    pub from: u64,
    /// The first byte behind them.
    pub to: u64,
}

impl Record {
    /// The same, so many bytes further.
    const fn behind(self, bytes: u64) -> Self {
        Self {
            from: self.from + bytes,
            to: self.to + bytes,
            ..self
        }
    }
}

/// Takes each record that was counted.
type Each<'a> = &'a mut dyn FnMut(Record);

/// What a file's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Objects, one after another or in arrays.
    Json,
    /// A header line and comma-separated records.
    Csv,
}

impl Kind {
    /// What an entry of the zip holds: what its name's ending says (`.json`, `.jsonl`, `.ndjson`
    /// or `.csv`, upper or lower case), and without such an ending what was asked for.
    #[must_use]
    pub fn of(entry_name: &str, requested: Format) -> Self {
        let ending = entry_name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is = |known: &str| ending.eq_ignore_ascii_case(known);
        if is("csv") {
            Self::Csv
        } else if is("json") || is("jsonl") || is("ndjson") {
            Self::Json
        } else {
            match requested {
                Format::Json => Self::Json,
                Format::Csv => Self::Csv,
            }
        }
    }
}

/// The fields by which a file shows that it holds what was asked for: a CSV header must name one of
/// them, and each JSON record must have one. Every record has a `logTime`. If `include_fields`
/// (empty for all) leaves it out, a CSV header still has a column for the first field. A JSON record
/// may lack some of the fields, but one without any of them can't be told from an error.
#[must_use]
pub fn expected_fields(kind: Kind, include_fields: &[String]) -> Vec<&str> {
    match (kind, include_fields) {
        (_, []) => vec![LOG_TIME],
        (_, fields) if fields.iter().any(|field| field == LOG_TIME) => vec![LOG_TIME],
        (Kind::Csv, [first, ..]) => vec![first],
        (Kind::Json, fields) => fields.iter().map(String::as_str).collect(),
    }
}

/// Why the records of a file can't be counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("its records can't be counted: at byte {offset}, {problem}")]
pub struct Uncountable {
    /// Where, in bytes from the start of the file, a byte-order mark included. For CSV: where the
    /// record in question begins.
    pub offset: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a file whose records can't be counted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Something else than an object, or an array of objects, at the top of a JSON file.
    #[error("a record (a JSON object) should begin; compare the job's `format` with the file")]
    NotARecord,
    /// JSON's grammar asks for something else.
    #[error("JSON needs {0}")]
    Expected(&'static str),
    /// A raw control character in a JSON string.
    #[error("a JSON string holds a raw control character")]
    ControlCharacter,
    /// An unknown escape in a JSON string.
    #[error("a JSON string holds an escape that JSON does not have")]
    Escape,
    /// A JSON string that is not UTF-8.
    #[error("a JSON string is not valid UTF-8")]
    Utf8,
    /// More levels than are followed.
    #[error("JSON is nested deeper than {} levels", json::MAX_DEPTH)]
    TooDeep,
    /// The file ends where JSON can't end.
    #[error("the file ends in the middle of JSON; it was cut off")]
    CutOff,
    /// A CSV record with another number of fields than the header: quoting went wrong somewhere.
    #[error("a CSV record has {found} fields where the header has {expected}")]
    FieldCount {
        /// Fields of the record.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// A quoted CSV field without an end.
    #[error("a CSV record has a quoted field that never ends; it was cut off")]
    OpenQuote,
    /// A blank line in a CSV file of one column, which may be a record with an empty field.
    #[error("a CSV file of one column has a blank line, which may or may not be a record")]
    BlankLine,
    /// A JSON object without any field that was asked for: an error, or a wrapper around the records.
    #[error(
        "an object has no {}, so it may be no record; look at the file",
        any_of(_0)
    )]
    NoKey(Vec<String>),
    /// A CSV file whose first line lacks the field that was asked for.
    #[error("the first line has no column {0:?}, so it may be no header; look at the file")]
    NoColumn(String),
    /// A CSV record in which nothing stands.
    #[error("a CSV record has nothing in any column, so it may be none; look at the file")]
    NoCell,
    /// A CSV line that begins like a JSON object.
    #[error("a line of CSV begins like a JSON object, so it may be an error; look at the file")]
    ObjectInCsv,
    /// A CSV record whose time begins with a digit where others' does not, or the other way round.
    #[error(
        "what stands in the column {LOG_TIME:?} is a time in some records and none in others; look at \
         the file"
    )]
    OtherTime,
    /// A CSV header with two columns for the time: it is not clear which one counts.
    #[error("the header has two columns {LOG_TIME:?}")]
    TwoColumns,
    /// A CSV record that is the header again: two files may have been joined.
    #[error("the header comes again, so this is no record, or parts were joined; look at the file")]
    HeaderAgain,
}

/// The first few field names for a message: `"body" or "host"`.
fn any_of(fields: &[String]) -> String {
    let first: Vec<_> = fields
        .iter()
        .take(3)
        .map(|field| format!("{field:?}"))
        .collect();
    let more = if fields.len() > first.len() {
        " or others"
    } else {
        ""
    };
    first.join(" or ") + more
}

/// Counts the records of one file.
pub struct Counter {
    scanner: Scanner,
    /// How many bytes of a byte-order mark have come; all of them once the start is over.
    bom_seen: usize,
    /// Bytes that the scanner has not seen.
    skipped: u64,
    /// The first fault, its offset as the scanner counts.
    fault: Option<Uncountable>,
}

enum Scanner {
    Json(Box<json::Scanner>),
    Csv(Box<csv::Scanner>),
}

impl Counter {
    /// A counter for a new file; `expected` are the fields of which the header or each record must
    /// show one, see [`expected_fields`]. Nothing is expected if it is empty. A time without an offset is
    /// in `zone`, or unknown.
    #[must_use]
    pub fn new(kind: Kind, expected: &[&str], zone: Option<&Zone>) -> Self {
        let mut expected: Vec<_> = expected.iter().map(|&field| field.to_owned()).collect();
        let zone = zone.cloned();
        Self {
            scanner: match kind {
                Kind::Json => Scanner::Json(Box::new(json::Scanner::new(expected, zone))),
                Kind::Csv => Scanner::Csv(Box::new(csv::Scanner::new(expected.pop(), zone))),
            },
            bom_seen: 0,
            skipped: 0,
            fault: None,
        }
    }

    /// Takes the file's next bytes and calls `each` once for every record that they complete. After
    /// the first fault the rest is ignored.
    pub fn feed(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(Record)) {
        while let Some(expected) = BOM.get(self.bom_seen) {
            let Some((first, rest)) = bytes.split_first() else {
                return;
            };
            if first != expected {
                self.start_without_bom(each);
                break;
            }
            bytes = rest;
            self.bom_seen += 1;
            if self.bom_seen == BOM.len() {
                self.skipped = BOM.len() as u64;
            }
        }
        self.scan(bytes, each);
    }

    /// Whether what has come makes the count uncertain: what follows is ignored.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Where the header of a CSV file lies, without the line break that ends it, from the start of the file; `None`
    /// until it has come, and of JSON.
    #[must_use]
    pub fn header(&self) -> Option<Range<u64>> {
        match &self.scanner {
            Scanner::Json(_) => None,
            Scanner::Csv(csv) => csv
                .header()
                .map(|header| header.start + self.skipped..header.end + self.skipped),
        }
    }

    /// The number of the file's records, after its last byte. `each` is called for a last CSV
    /// record that no line break ends.
    ///
    /// # Errors
    /// The first thing that makes the count uncertain. Of the file's records any number may have
    /// been told by then.
    pub fn finish(mut self, each: &mut dyn FnMut(Record)) -> Result<u64, Uncountable> {
        self.start_without_bom(each);
        let skipped = self.skipped;
        let counted = match (self.fault, &mut self.scanner) {
            (Some(fault), _) => Err(fault),
            (None, Scanner::Json(json)) => json.finish(),
            (None, Scanner::Csv(csv)) => csv.finish(&mut |record| each(record.behind(skipped))),
        };
        counted.map_err(|fault| Uncountable {
            offset: fault.offset + self.skipped,
            ..fault
        })
    }

    /// Shows the scanner what looked like a byte-order mark and was not.
    fn start_without_bom(&mut self, each: Each<'_>) {
        let seen = std::mem::replace(&mut self.bom_seen, BOM.len());
        if seen < BOM.len() {
            self.scan(&BOM[..seen], each);
        }
    }

    fn scan(&mut self, bytes: &[u8], each: Each<'_>) {
        if self.fault.is_none() {
            let skipped = self.skipped;
            let each: Each<'_> = &mut |record| each(record.behind(skipped));
            let scanned = match &mut self.scanner {
                Scanner::Json(json) => json.feed(bytes, each),
                Scanner::Csv(csv) => csv.feed(bytes, each),
            };
            self.fault = scanned.err();
        }
    }
}

#[cfg(test)]
mod tests;
