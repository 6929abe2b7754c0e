//! The bytes of a ledger, line by line: what is whole, what is torn, and what is too long to be ours.

use std::io::{self, BufRead};

use thiserror::Error;

/// Longest line that is read, in bytes; what this program writes stays far below.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// Damage that is not a torn last line.
#[derive(Debug, Error)]
pub enum Damage {
    /// The file can't be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// A line does not say what a line must.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, 1 for the first.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// What comes next in a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole line.
    Line,
    /// Nothing, or the torn end of what was being written.
    End,
    /// A line that is longer than [`LONGEST_LINE`].
    TooLong,
}

/// Reads the next line into `line`, without its newline.
///
/// # Errors
/// When it can't be read.
pub(super) fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    let limit = LONGEST_LINE as u64 + 1;
    let read = io::Read::take(&mut *lines, limit).read_until(b'\n', line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Next::Line);
    }
    match read as u64 == limit && !rest_is_torn(lines)? {
        true => Ok(Next::TooLong),
        false => Ok(Next::End),
    }
}

/// Whether no newline follows. Old file systems leave a long run of zeros after a power cut.
fn rest_is_torn(lines: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(true);
        }
        if memchr::memchr(b'\n', buffer).is_some() {
            return Ok(false);
        }
        let length = buffer.len();
        lines.consume(length);
    }
}
