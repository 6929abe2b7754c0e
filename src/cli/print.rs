//! Results to stdout, and numbers that people can read.

use crate::domain::span::Millis;
use std::io::{self, Write as _};

use serde::Serialize;

use super::exit::Stop;

/// Writes `text` to stdout. A reader that has gone (`| head`) wants no more, which is no error.
///
/// # Errors
/// When stdout can't be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::failed(format!("can't write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes `value` to stdout as one line of JSON.
///
/// # Errors
/// When stdout can't be written.
pub fn print_json(value: &impl Serialize) -> Result<(), Stop> {
    let json = serde_json::to_string(value)
        .map_err(|error| Stop::failed(format!("can't write JSON: {error}")))?;
    print(&(json + "\n"))
}

/// A number with its noun, `1 window` or `2 windows`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number with its digits in groups of three.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the unit that leaves few digits.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A length of time in its two largest units, `23h 50m`.
#[must_use]
pub fn duration(length: Millis) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut seconds = length.as_secs().max(0);
    let mut words = Vec::new();
    for (unit, name) in UNITS {
        if seconds >= unit || (unit == 1 && words.is_empty()) {
            words.push(format!("{}{name}", seconds / unit));
            seconds %= unit;
        }
    }
    words.truncate(2);
    words.join(" ")
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
            lengths.map(duration),
            ["0s", "59s", "1h", "23h 59m", "1d 1h"]
        );
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024)],
            ["0 B", "1023 B", "1.0 KiB"]
        );
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
    }
}
