//! Writes records as the service would: JSON objects and RFC 4180 rows, byte for byte repeatable.

use std::io::{self, Write as _};

use jiff::tz::Offset;

use crate::domain::span::UtcMs;

use super::dialect::{Newline, TimeStyle};
use super::record::{FIELDS, Record, Value};

/// Which fields are written, and how.
#[derive(Clone, Debug)]
pub struct Rendering {
    columns: Vec<String>,
    time: TimeStyle,
}

impl Rendering {
    /// The fields named by `include_fields`, in that order and each once; all of them when it
    /// names none. A field that no record has is a column without values in CSV, and left out of
    /// JSON.
    #[must_use]
    pub fn new(include_fields: &[String], time: TimeStyle) -> Self {
        let mut columns: Vec<String> = Vec::new();
        for field in include_fields {
            if !columns.contains(field) {
                columns.push(field.clone());
            }
        }
        if columns.is_empty() {
            columns = FIELDS.map(str::to_owned).to_vec();
        }
        Self { columns, time }
    }

    /// Appends the record as a JSON object, without any whitespace outside strings.
    ///
    /// # Errors
    /// None in practice: memory takes every byte.
    pub fn json(&self, record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
        let mut separator = '{';
        for column in &self.columns {
            let Some(value) = record.value(column) else {
                continue;
            };
            write!(out, "{separator}")?;
            separator = ',';
            serde_json::to_writer(&mut *out, column)?;
            out.push(b':');
            match value {
                Value::Text(text) => serde_json::to_writer(&mut *out, text)?,
                // A custom field is always a string to the service.
                Value::Number(number) => write!(out, "\"{number}\"")?,
                Value::Time(at) if self.time.is_bare() => write!(out, "{}", self.instant(at))?,
                Value::Time(at) => write!(out, "\"{}\"", self.instant(at))?,
            }
        }
        out.extend_from_slice(if separator == '{' { b"{}" } else { b"}" });
        Ok(())
    }

    /// Appends the CSV header line.
    pub fn csv_header(&self, newline: Newline, out: &mut Vec<u8>) {
        self.line(newline, out, |column| column.to_owned());
    }

    /// Appends the record as a CSV line.
    pub fn csv_row(&self, record: &Record, newline: Newline, out: &mut Vec<u8>) {
        self.line(newline, out, |column| match record.value(column) {
            None => String::new(),
            Some(Value::Text(text)) => text.to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Time(_)) if self.time == TimeStyle::Null => String::new(),
            Some(Value::Time(at)) => self.instant(at),
        });
    }

    fn line(&self, newline: Newline, out: &mut Vec<u8>, cell: impl Fn(&str) -> String) {
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            let cell = cell(column);
            // A lone empty cell would make an empty line, which readers skip.
            if cell.contains(['"', ',', '\r', '\n']) || (cell.is_empty() && self.columns.len() == 1)
            {
                out.push(b'"');
                out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            } else {
                out.extend_from_slice(cell.as_bytes());
            }
        }
        out.extend_from_slice(newline.bytes());
    }

    fn instant(&self, at: UtcMs) -> String {
        match self.time {
            TimeStyle::Number | TimeStyle::Decimal => at.0.to_string(),
            TimeStyle::Micros => format!("{}000", at.0),
            TimeStyle::Exponent => format!("{}0e-1", at.0),
            TimeStyle::Civil => {
                let text = at.timestamp().to_string();
                text.trim_end_matches('Z').to_owned()
            }
            TimeStyle::Null => "null".to_owned(),
            TimeStyle::Rfc3339 { offset_seconds } => {
                // RFC 3339 has no seconds in an offset.
                let whole = (offset_seconds % 60 == 0).then_some(offset_seconds);
                let offset = whole.and_then(|seconds| Offset::from_seconds(seconds).ok());
                let offset = offset.unwrap_or(Offset::UTC);
                at.timestamp().display_with_offset(offset).to_string()
            }
        }
    }
}
