//! Counts CSV records: what follows the header line, where a quoted field may hold line breaks.
//!
//! Carries *Complete* and *Suspicious*. Quoting and line ends (CRLF, LF or a lone CR) are as the
//! `csv-core` crate reads RFC 4180. It takes a quote inside an unquoted field, and text after a
//! closing quote, for plain text; where the writer meant something else, the number of fields
//! goes wrong, and a record with another number than the header ends the count. Blank lines are
//! no records; in a file of one column they could be, and end the count too. So do a header that
//! comes again, since two files may have been joined, and a header with two times.
//!
//! Where a column is expected, so do lines that show no record: all cells are empty, the first begins like
//! a JSON object that no CSV writer leaves unquoted, or the time begins with no digit where others do.

use std::ops::Range;

use csv_core::{ReadFieldResult, Reader};

use super::hashing::Hashing;
use super::log_time::{LogTime, Snippet};
use super::{Each, LOG_TIME, Problem, Record, Uncountable};
use crate::domain::window::Zone;

/// How much of a field is unquoted at a time, in bytes.
const OUTPUT: usize = 4096;

/// How many bytes of a header are kept to notice it when it comes again. A longer one is not noticed.
const KEPT_HEADER: usize = 64 * 1024;

/// Ends each field of a kept header.
const FIELD_END: u8 = 0x1f;

pub(super) struct Scanner {
    reader: Reader,
    output: [u8; OUTPUT],
    /// Fields of the header; `None` until it has come.
    columns: Option<u64>,
    /// Where the header lies.
    header_at: Option<Range<u64>>,
    /// The column that the header must have and has not shown yet.
    expected: Option<String>,
    /// Index of the column with the time.
    time_column: Option<u64>,
    has_two_times: bool,
    /// Whether a column was expected, so that each record must show something.
    is_strict: bool,
    /// Whether the times of the records so far begin with a digit; `None` before the first.
    times_are_digits: Option<bool>,
    /// The header's fields, unquoted.
    header: Vec<u8>,
    records: u64,
    /// Bytes taken so far.
    offset: u64,
    /// The byte before `offset`: it tells the second half of CRLF from a blank line.
    previous: u8,
    /// The header or record that is coming; `None` between lines.
    line: Option<Line>,
    /// In the header the field that is coming, in a record the field with the time.
    text: Snippet,
    /// The zone of times without an offset.
    zone: Option<Zone>,
    hashing: Hashing,
}

struct Line {
    /// Where it begins.
    start: u64,
    /// Fields that have come whole.
    fields: u64,
    /// Whether no field has shown anything.
    is_bare: bool,
    /// Whether it begins like a JSON object, without a quote before it.
    begins_object: bool,
    /// Whether it goes on with a quote as one does.
    is_object: bool,
    /// The first byte of its time.
    time_begins: Option<u8>,
    /// How many bytes of the header this record has repeated; `None` once it differs.
    repeated: Option<usize>,
}

impl Scanner {
    pub(super) fn new(expected: Option<String>, zone: Option<Zone>) -> Self {
        let mut reader = Reader::new();
        // By itself the reader drops a byte-order mark when its first input holds it whole. What
        // is counted must not depend on chunks, so its first input is a blank line, which it skips.
        reader.read_field(b"\n", &mut [0]);
        Self {
            reader,
            output: [0; OUTPUT],
            columns: None,
            header_at: None,
            is_strict: expected.is_some(),
            times_are_digits: None,
            expected,
            time_column: None,
            has_two_times: false,
            header: Vec::new(),
            records: 0,
            offset: 0,
            previous: b'\n',
            line: None,
            text: Snippet::new(),
            zone,
            hashing: Hashing::new(),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], each: Each<'_>) -> Result<(), Uncountable> {
        self.hashing.enter(self.offset);
        let mut bytes = chunk;
        while let Some(&first) = bytes.first() {
            let taken = if self.line.is_none() && matches!(first, b'\r' | b'\n') {
                self.line_break(first)?;
                1
            } else {
                self.field(bytes, chunk, each)?
            };
            let (past, rest) = bytes.split_at(taken);
            self.previous = past.last().copied().unwrap_or(self.previous);
            self.offset += taken as u64;
            bytes = rest;
        }
        self.hashing.leave(chunk);
        Ok(())
    }

    pub(super) fn finish(&mut self, each: Each<'_>) -> Result<u64, Uncountable> {
        if self.line.is_some() {
            // A line break ends a last line that has none, unless it is inside quotes.
            self.hashing.enter(self.offset);
            self.field(b"\n", b"\n", each)?;
        }
        match &self.line {
            None => Ok(self.records),
            Some(line) => Err(Uncountable {
                offset: line.start,
                problem: Problem::OpenQuote,
            }),
        }
    }

    pub(super) fn header(&self) -> Option<Range<u64>> {
        self.header_at.clone()
    }

    /// A line break between lines: the rest of CRLF, or a blank line.
    fn line_break(&self, byte: u8) -> Result<(), Uncountable> {
        let blank = byte == b'\r' || self.previous != b'\r';
        if blank && self.columns == Some(1) {
            return Err(Uncountable {
                offset: self.offset,
                problem: Problem::BlankLine,
            });
        }
        Ok(())
    }

    /// Reads on to the end of a field, or as far as `bytes`, the rest of `chunk`, or `output` go;
    /// returns the number of bytes taken.
    fn field(&mut self, bytes: &[u8], chunk: &[u8], each: Each<'_>) -> Result<usize, Uncountable> {
        let line = self.line.get_or_insert_with(|| {
            self.hashing.begin(self.offset);
            Line {
                start: self.offset,
                fields: 0,
                is_bare: true,
                begins_object: bytes.first() == Some(&b'{'),
                is_object: false,
                time_begins: None,
                repeated: (self.header.len() <= KEPT_HEADER).then_some(0),
            }
        });
        let in_header = self.columns.is_none();
        let (result, taken, unquoted) = self.reader.read_field(bytes, &mut self.output);
        let text = &self.output[..unquoted];
        if in_header || self.time_column == Some(line.fields) {
            self.text.push(text);
            line.time_begins = line.time_begins.or(text.first().copied());
        }
        line.is_bare &= text.is_empty();
        line.is_object |= line.begins_object && line.fields == 0 && text.contains(&b'"');
        let field_end: &[u8] = match result {
            ReadFieldResult::Field { .. } => &[FIELD_END],
            _ => &[],
        };
        if in_header && self.header.len() <= KEPT_HEADER {
            self.header.extend_from_slice(text);
            self.header.extend_from_slice(field_end);
        } else if let Some(at) = line.repeated {
            let rest = self.header.get(at..).unwrap_or_default();
            let rest = rest.strip_prefix(text);
            let rest = rest.and_then(|rest| rest.strip_prefix(field_end));
            line.repeated = rest.map(|rest| self.header.len() - rest.len());
        }
        if let ReadFieldResult::Field { record_end } = result {
            if in_header {
                if self.text.is(LOG_TIME) {
                    self.has_two_times = self.time_column.is_some();
                    self.time_column = Some(line.fields);
                }
                self.expected.take_if(|name| self.text.is(name));
                self.text.clear();
            }
            line.fields += 1;
            if record_end {
                // The last byte taken is the line break.
                let end = self.offset + taken.saturating_sub(1) as u64;
                let hash = self.hashing.end(chunk, end);
                let from = line.start;
                if in_header {
                    self.header_at = Some(from..end);
                }
                if let Some(time) = self.end_line()? {
                    each(Record {
                        time,
                        hash,
                        from,
                        to: end,
                    });
                }
            }
        }
        Ok(taken)
    }

    /// Ends the line that is coming. Returns a record's time; `None` for the header.
    fn end_line(&mut self) -> Result<Option<Option<LogTime>>, Uncountable> {
        let Some(line) = self.line.take() else {
            return Ok(None);
        };
        let Line {
            start,
            fields,
            repeated,
            ..
        } = line;
        let fault = |problem| Uncountable {
            offset: start,
            problem,
        };
        let time = match self.columns {
            None => {
                self.columns = Some(fields);
                if let Some(name) = self.expected.take() {
                    return Err(fault(Problem::NoColumn(name)));
                }
                if self.has_two_times {
                    return Err(fault(Problem::TwoColumns));
                }
                None
            }
            Some(_) if repeated == Some(self.header.len()) => {
                return Err(fault(Problem::HeaderAgain));
            }
            Some(columns) if columns == fields => {
                if let Some(problem) = self.is_none(&line) {
                    return Err(fault(problem));
                }
                self.records += 1;
                Some(self.text.time(self.zone.as_ref()))
            }
            Some(expected) => {
                let found = fields;
                return Err(fault(Problem::FieldCount { found, expected }));
            }
        };
        self.text.clear();
        Ok(time)
    }

    /// Why a line with as many fields as the header shows no record, if it does not.
    fn is_none(&mut self, line: &Line) -> Option<Problem> {
        if !self.is_strict {
            return None;
        }
        // One empty cell alone may be all that there is to a record.
        if line.is_bare && line.fields > 1 {
            return Some(Problem::NoCell);
        }
        if line.is_object {
            return Some(Problem::ObjectInCsv);
        }
        self.time_column?;
        let is_digit = line.time_begins.is_some_and(|byte| byte.is_ascii_digit());
        let others = *self.times_are_digits.get_or_insert(is_digit);
        (others != is_digit).then_some(Problem::OtherTime)
    }
}

#[cfg(test)]
mod tests;
