//! Whether a line that can't be read is a newer version's. Pure. Carries *Candid*: what this version does not
//! know is not called damaged, and what is damaged is not called new.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::line::{EVENTS, Fault};
use super::lines::LONGEST_LINE;
use crate::digest::Digest;
use crate::printable::printable;

/// What a newer version may have meant by a line that can't be read because of `error`; `None` where
/// nothing speaks for one.
fn meant(json: &[u8], error: &serde_json::Error) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let event = fields.get("event")?.as_str()?;
    if !EVENTS.contains(&event) {
        return Some(unknown_event(event));
    }
    let error = error.to_string();
    let is_new = error.starts_with("unknown field") || error.starts_with("unknown variant");
    is_new.then(|| {
        format!(
            "this version does not know all of it: {}",
            printable(&error)
        )
    })
}

/// Why a line can't be read, where reading it failed with `error`.
pub(super) fn fault(json: &[u8], error: &serde_json::Error) -> Fault {
    match meant(json, error) {
        Some(what) => Fault::Newer(what),
        // The library repeats what it has read.
        None => Fault::Wrong(format!(
            "it can't be read: {}",
            printable(&error.to_string())
        )),
    }
}

/// What is said of an event that this version does not know.
pub(super) fn unknown_event(event: &str) -> String {
    format!(
        "its event \"{}\" is not known to this version",
        printable(event)
    )
}

/// Whether line `number` continues the chain, and what comes next in `rest`, if anything does, continues it.
/// Otherwise it is damaged, and not new.
///
/// # Errors
/// When `rest` can't be read.
pub(super) fn is_chained(
    line: &[u8],
    number: u64,
    previous: Option<Digest>,
    rest: impl BufRead,
) -> io::Result<bool> {
    let mut next = Vec::new();
    rest.take(LONGEST_LINE as u64)
        .read_until(b'\n', &mut next)?;
    let follows = |next| place(next) == Some((number + 1, Some(Digest::of(line))));
    let is_followed = next.strip_suffix(b"\n").is_none_or(follows);
    Ok(is_followed && place(line) == Some((number, previous)))
}

/// A line's number, and the digest of the line before it.
fn place(line: &[u8]) -> Option<(u64, Option<Digest>)> {
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let previous = serde_json::from_value(fields.get("prev")?.clone()).ok()?;
    Some((fields.get("seq")?.as_u64()?, previous))
}
