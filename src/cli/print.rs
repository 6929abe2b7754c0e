//! Results to stdout, and numbers that people can read.

use std::io::{self, Write as _};

use indicatif::{BinaryBytes, HumanCount};
use jiff::{RoundMode, SpanRound, Unit};
use serde::Serialize;

use super::exit::Stop;
use super::wrap::fitted;
use crate::domain::span::Millis;

/// Writes `text` to stdout. A reader that has gone (`| head`) is no error.
///
/// # Errors
/// When stdout can't be written for another reason, such as a full disk.
pub(super) fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::failed(format!("can't write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// The same, for text of sentences: on a terminal its lines are broken between words, and what is left of
/// an indented line hangs so many columns from the left.
///
/// # Errors
/// Likewise.
pub(super) fn print_fitted(text: &str, hanging: usize) -> Result<(), Stop> {
    print(&fitted(text, Some(hanging), io::stdout()))
}

/// Writes `value` to stdout as one line of JSON.
///
/// # Errors
/// When stdout can't be written.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Stop> {
    print(&as_json(value)?)
}

/// `value` as one line of JSON.
///
/// # Errors
/// When it can't be written so.
pub(super) fn as_json(value: &impl Serialize) -> Result<String, Stop> {
    let json = serde_json::to_string(value)
        .map_err(|error| Stop::failed(format!("can't write JSON: {error}")))?;
    Ok(json + "\n")
}

/// A number with its noun, `1 window` or `2 windows`.
#[must_use]
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with its digits in groups of three.
#[must_use]
pub(super) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A number of bytes in the unit that leaves few digits, `1.50 KiB`.
#[must_use]
pub(super) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

/// A length of time in its two largest units, `23h 50m`, rounded down.
#[must_use]
pub(super) fn at_least(length: Millis) -> String {
    duration(length, RoundMode::Trunc)
}

/// The same, rounded up.
#[must_use]
pub(super) fn at_most(length: Millis) -> String {
    duration(length, RoundMode::Expand)
}

fn duration(length: Millis, mode: RoundMode) -> String {
    let length = length.max(Millis::ZERO);
    let smallest = match length.as_secs() {
        0..3600 => Unit::Second,
        3600..86_400 => Unit::Minute,
        _ => Unit::Hour,
    };
    let rounding = SpanRound::new()
        .largest(Unit::Day)
        .smallest(smallest)
        .mode(mode)
        .days_are_24_hours();
    let rounded = jiff::Span::new()
        .try_milliseconds(length.0)
        .and_then(|span| span.round(rounding));
    rounded.map_or_else(
        |_| format!("{}s", length.as_secs()),
        |span| format!("{span:#}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(1, "window"), "1 window");
        assert_eq!(count(1_234_567, "record"), "1,234,567 records");
        assert_eq!(grouped(999), "999");
        let lengths = [0, 59_999, 3_600_000, 86_399_000, 90_061_000].map(Millis);
        assert_eq!(
            lengths.map(at_least),
            ["0s", "59s", "1h", "23h 59m", "1d 1h"]
        );
        // A bound above must not be below what was seen.
        let lengths = [0, 59_001, 3_600_000, 3_605_000, 86_520_000].map(Millis);
        assert_eq!(lengths.map(at_most), ["0s", "1m", "1h", "1h 1m", "1d 1h"]);
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024)],
            ["0 B", "1023 B", "1.00 KiB"]
        );
        assert_eq!(bytes(u64::MAX), "16.00 EiB");
    }
}
