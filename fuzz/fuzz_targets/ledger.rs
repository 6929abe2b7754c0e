//! Any bytes as a ledger, as they are, and with each line that is JSON put in its place in the
//! chain, so that what the lines say is taken in too.

#![no_main]

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::failures::Task;
use elsa_archiver::domain::span::UtcMs;
use elsa_archiver::ledger::line::{Event, Line};
use elsa_archiver::ledger::replay::{Damage, Replay};
use elsa_archiver_fuzz::printable::assert_printable;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// Reads `ledger`, and asks what can be asked of a replay.
fn read(ledger: &[u8]) -> Result<Replay, Damage> {
    let mut lines = Vec::new();
    let result = Replay::read(ledger, |line| lines.push(line.clone()));
    for line in &lines {
        let json = line.to_json().expect("a line can be written");
        assert_eq!(Line::parse(json.as_bytes()).as_ref(), Ok(line), "{json}");
    }
    match &result {
        Ok(replay) => {
            assert_eq!(replay.lines, lines.len() as u64);
            ask(replay, &lines);
        }
        Err(damage) => assert_printable(&damage.to_string(), 1000),
    }
    result
}

fn ask(replay: &Replay, lines: &[Line]) {
    let now = UtcMs(1_795_000_000_000);
    for (lost, _) in replay.lost() {
        assert!(replay.is_known_lost(lost) && !replay.coverage.covers(lost));
    }
    for reach in [
        None,
        Some(now),
        Some(UtcMs(i64::MIN)),
        Some(UtcMs(i64::MAX)),
    ] {
        let closed = replay.closed(reach);
        assert!(replay.coverage.spans().all(|span| closed.covers(span)));
    }
    let has_missing = lines
        .iter()
        .any(|line| matches!(line.event, Event::Missing(_)));
    for line in lines {
        match &line.event {
            Event::Archived(archived) => {
                assert!(has_missing || replay.coverage.covers(archived.window.span()))
            }
            Event::Lost(span) => assert!(has_missing || replay.is_known_lost(*span)),
            Event::Failed(failed) | Event::RecheckFailed(failed) => {
                for task in [Task::Archive, Task::Recheck] {
                    let known = replay.failures(task).get(&failed.window);
                    let _ = known.map(|known| (known.next_try(task), known.is_paused(task, now)));
                }
            }
            Event::Missing(_)
            | Event::Job(_)
            | Event::Acknowledged(_)
            | Event::Rechecked(_)
            | Event::Confirmed(_)
            | Event::Pruned(_)
            | Event::Hold(_)
            | Event::Rebuilt(_) => {}
        }
    }
    let _ = replay.coverage.gaps(now);
}

fn after_last_newline(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

/// Whole lines end with the last newline, unless the last of them holds zeros.
fn assert_ends(replay: &Replay, ledger: &[u8]) {
    let end = after_last_newline(ledger) as u64;
    let has_zeros = ledger.contains(&0);
    assert!(replay.end == end || (has_zeros && replay.end < end));
}

/// A crash leaves a prefix: it shows the whole lines in it, or what was damage before.
fn cut(ledger: &[u8], whole: &Result<Replay, Damage>) {
    let at = ledger.len() - usize::from(ledger.first().copied().unwrap_or(0)).min(ledger.len());
    for prefix in [&ledger[..at], &ledger[..ledger.len().saturating_sub(1)]] {
        let kept = after_last_newline(prefix);
        match (
            Replay::read(prefix, |_| {}),
            Replay::read(&prefix[..kept], |_| {}),
        ) {
            (Ok(torn), Ok(lines)) => {
                assert_eq!(torn, lines);
                assert_ends(&torn, prefix);
            }
            (Err(torn), Err(lines)) => {
                assert_eq!(torn.to_string(), lines.to_string());
                assert!(whole.is_err(), "{torn}");
            }
            // Of a line with zeros nothing was durable, so nothing can follow it: not even a beginning.
            (Err(_), Ok(_)) if prefix[..kept].contains(&0) => {}
            (torn, lines) => panic!("{torn:?} and {lines:?}"),
        }
    }
}

/// The lines of `bytes` that are JSON objects, numbered and chained.
fn chained(bytes: &[u8]) -> Vec<u8> {
    let mut ledger = Vec::new();
    let (mut seq, mut prev) = (0u64, Value::Null);
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(line) else {
            continue;
        };
        seq += 1;
        fields.insert("seq".into(), seq.into());
        fields.insert("prev".into(), prev);
        let json = Value::Object(fields).to_string();
        prev = Digest::of(json.as_bytes()).to_string().into();
        ledger.extend(json.into_bytes());
        ledger.push(b'\n');
    }
    ledger
}

fuzz_target!(|bytes: &[u8]| {
    for ledger in [bytes, &chained(bytes)] {
        let whole = read(ledger);
        if let Ok(replay) = &whole {
            assert_ends(replay, ledger);
        }
        cut(ledger, &whole);
    }
});
