//! The bytes of a ledger, line by line: what is whole, what is torn, and what is too long to be ours.

use std::io::{self, BufRead};

use thiserror::Error;

use super::torn::{is_zero, rest_is_torn};

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
    /// A newer version wrote a line.
    #[error("line {line}: {what}")]
    Newer {
        /// Its number, 1 for the first.
        line: u64,
        /// What of it this version does not know.
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
        let is_torn = memchr::memchr(0, line).is_some() && is_zero(lines)?;
        return Ok(if is_torn { Next::End } else { Next::Line });
    }
    match read as u64 == limit && !rest_is_torn(lines, line)? {
        true => Ok(Next::TooLong),
        false => Ok(Next::End),
    }
}
