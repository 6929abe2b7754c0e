//! The end of a ledger that a crash has left. Carries *Self-healing*: what was never durable as a whole is
//! told from damage.

use std::io::{self, BufRead};

/// Whether no whole line follows `begun`: no newline does, or only that of a line with zeros.
pub(super) fn rest_is_torn(lines: &mut impl BufRead, begun: &[u8]) -> io::Result<bool> {
    let mut has_zeros = memchr::memchr(0, begun).is_some();
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(true);
        }
        let newline = memchr::memchr(b'\n', buffer);
        let end = newline.unwrap_or(buffer.len());
        has_zeros |= memchr::memchr(0, &buffer[..end]).is_some();
        lines.consume(newline.map_or(end, |at| at + 1));
        if newline.is_some() {
            return Ok(has_zeros && is_zero(lines)?);
        }
    }
}

/// Whether nothing follows but zeros.
pub(super) fn is_zero(lines: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        let length = buffer.len();
        if length == 0 {
            return Ok(true);
        }
        lines.consume(length);
    }
}
