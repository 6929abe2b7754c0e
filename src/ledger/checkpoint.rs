//! A checkpoint: what a ledger showed up to some line, kept beside it so that no start needs to read
//! ten years of lines.
//!
//! It is a cache and no state: it counts only while the ledger still holds the very line at which
//! it was taken (whose digest stands for the whole chain before it), and can be deleted at any
//! time. Whoever archives goes on from it, and has the lines before it proven once a day (`proof.rs`).
//! `verify` and `repair` read every line.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::pruned::Amount;
use super::replay::Replay;
use super::untold::Untold;
use crate::archive::manifest::{Supersedes, tool};
use crate::digest::Digest;
use crate::domain::failures::Failures;
use crate::domain::hold::{Hold, HoldOrder};
use crate::domain::incomplete::Recorded;
use crate::domain::recheck::{Asked, Lateness};
use crate::domain::second_opinion::{ConfirmedWindows, Way};
use crate::domain::settings::Settings;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::Window;
use crate::durable::{Disk, DiskError};

/// Lines between two checkpoints; as many are read in less than a millisecond.
pub(super) const INTERVAL: u64 = 100;

/// Changes when [`Stored`] does.
const SCHEMA: u32 = 15;

/// A [`Replay`] in a form that JSON can hold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schema: u32,
    /// Which version has read the lines: another one may read them otherwise.
    tool: String,
    coverage: Vec<(UtcMs, UtcMs)>,
    lost: Vec<(UtcMs, UtcMs)>,
    acknowledged: Vec<(UtcMs, UtcMs)>,
    unknown: Vec<(UtcMs, UtcMs, UtcMs)>,
    incomplete: Vec<(UtcMs, UtcMs, Recorded)>,
    confirmed: ConfirmedWindows,
    opinion_requests: u64,
    search_agreed: u64,
    inclusive_at: Option<UtcMs>,
    records: u64,
    bytes: u64,
    folders: u64,
    last_success: Option<(UtcMs, UtcMs, UtcMs)>,
    recent: Vec<(UtcMs, UtcMs, u64)>,
    last_manifest: Option<Digest>,
    untold: Untold,
    lines: u64,
    end: u64,
    last_line_bytes: u64,
    last_line: Option<Digest>,
    failures: Vec<StoredFailures>,
    recheck_failures: Vec<StoredFailures>,
    unconfirmed_since: u64,
    recheckable: Vec<StoredAsked>,
    revisions: Vec<(UtcMs, UtcMs, u32)>,
    missing: Vec<(UtcMs, UtcMs, Supersedes)>,
    pruned: (Vec<(UtcMs, UtcMs)>, Amount),
    holds: Vec<(UtcMs, UtcMs, String)>,
    last_folder: Option<String>,
    settings: Option<Settings>,
    lateness: (u64, u64, u64, Millis, Millis),
}

/// A window, and what is known of the last request for it.
#[derive(Serialize, Deserialize)]
struct StoredAsked(
    UtcMs,
    UtcMs,
    UtcMs,
    u64,
    Way,
    [bool; 2],
    Option<u64>,
    Option<UtcMs>,
);

/// A window, how often it failed, when first, when last, why, and what it needs.
type StoredFailures = (UtcMs, UtcMs, u32, UtcMs, UtcMs, String, Option<u64>);

fn stored(failures: &BTreeMap<Window, Failures>) -> Vec<StoredFailures> {
    failures
        .iter()
        .map(|(window, known)| {
            let (message, needs) = (known.message.clone(), known.needs_bytes);
            (
                window.from(),
                window.to(),
                known.times,
                known.first,
                known.last,
                message,
                needs,
            )
        })
        .collect()
}

fn restored(stored: Vec<StoredFailures>) -> Option<BTreeMap<Window, Failures>> {
    stored
        .into_iter()
        .map(|(from, to, times, first, last, message, needs_bytes)| {
            let failures = Failures {
                times,
                first,
                last,
                message,
                needs_bytes,
            };
            Some((Window::of(Span::new(from, to)?), failures))
        })
        .collect()
}

pub(super) fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("checkpoint")
}

/// Keeps what `replay` shows of `ledger`.
///
/// # Errors
/// When the file can't be written or moved into place; an older one then stays.
pub(super) fn save(ledger: &Path, replay: &Replay, disk: &Disk) -> Result<(), DiskError> {
    let bounds = |span: Span| (span.from(), span.to());
    let stored = Stored {
        schema: SCHEMA,
        tool: tool(),
        coverage: replay.coverage.spans().map(bounds).collect(),
        lost: replay.losses.recorded.spans().map(bounds).collect(),
        acknowledged: replay.losses.acknowledged.spans().map(bounds).collect(),
        unknown: replay
            .losses
            .unknown
            .iter()
            .map(|(span, at)| (span.from(), span.to(), *at))
            .collect(),
        incomplete: replay
            .incomplete
            .windows()
            .map(|(window, recorded)| (window.from(), window.to(), recorded))
            .collect(),
        confirmed: replay.confirmed,
        opinion_requests: replay.opinion_requests,
        search_agreed: replay.search_agreed,
        inclusive_at: replay.inclusive_at,
        unconfirmed_since: replay.unconfirmed_since,
        records: replay.records,
        bytes: replay.bytes,
        folders: replay.folders,
        last_success: replay
            .last_success
            .map(|(span, at)| (span.from(), span.to(), at)),
        recent: replay
            .estimator
            .recent()
            .iter()
            .map(|&(span, records)| (span.from(), span.to(), records))
            .collect(),
        last_manifest: replay.last_manifest,
        untold: replay.untold.clone(),
        lines: replay.lines,
        end: replay.end,
        last_line_bytes: replay.last_line_bytes,
        last_line: replay.last_line,
        failures: stored(&replay.failures),
        recheck_failures: stored(&replay.recheck_failures),
        recheckable: replay
            .recheckable
            .windows()
            .map(|(span, asked)| {
                let Asked {
                    at,
                    line,
                    again,
                    confirmed,
                    records,
                    retry,
                    suspected,
                } = asked;
                let flags = [again, retry];
                StoredAsked(
                    span.from(),
                    span.to(),
                    at,
                    line,
                    confirmed,
                    flags,
                    records,
                    suspected,
                )
            })
            .collect(),
        revisions: replay
            .revisions
            .iter()
            .map(|(span, &revision)| (span.from(), span.to(), revision))
            .collect(),
        missing: replay
            .missing
            .windows()
            .map(|(window, before)| (window.from(), window.to(), before.clone()))
            .collect(),
        pruned: (
            replay.pruned.spans.spans().map(bounds).collect(),
            replay.pruned.amount,
        ),
        holds: replay
            .holds
            .all()
            .map(|hold| (hold.span.from(), hold.span.to(), hold.reason.clone()))
            .collect(),
        last_folder: replay.last_folder.clone(),
        settings: replay.settings.clone(),
        lateness: (
            replay.lateness.rechecked,
            replay.lateness.changed,
            replay.lateness.records,
            replay.lateness.over,
            replay.lateness.until,
        ),
    };
    let Ok(json) = serde_json::to_string(&stored) else {
        return Ok(());
    };
    let text = format!("{}\n{json}\n", Digest::of(json.as_bytes()));
    disk.replace_cache(&path(ledger), text.as_bytes())
}

/// What was kept of `ledger`, when it still fits; `file` is the ledger itself.
pub(super) fn load(ledger: &Path, file: &mut File) -> Option<Replay> {
    let text = fs::read_to_string(path(ledger)).ok()?;
    let (digest, json) = text.split_once('\n')?;
    let json = json.strip_suffix('\n')?;
    if digest.parse() != Ok(Digest::of(json.as_bytes())) {
        return None;
    }
    let replay = serde_json::from_str::<Stored>(json).ok()?.replay()?;
    fits(&replay, file).ok()?.then_some(replay)
}

/// Whether the line at which the checkpoint was taken is still there, unchanged.
fn fits(replay: &Replay, file: &mut File) -> io::Result<bool> {
    let Some(start) = replay.end.checked_sub(replay.last_line_bytes) else {
        return Ok(false);
    };
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(replay.last_line_bytes).read_to_end(&mut line)?;
    Ok(line.pop() == Some(b'\n') && replay.last_line == Some(Digest::of(&line)))
}

impl Stored {
    fn replay(self) -> Option<Replay> {
        if self.schema != SCHEMA || self.tool != tool() {
            return None;
        }
        let mut replay = Replay {
            confirmed: self.confirmed,
            opinion_requests: self.opinion_requests,
            search_agreed: self.search_agreed,
            inclusive_at: self.inclusive_at,
            unconfirmed_since: self.unconfirmed_since,
            records: self.records,
            bytes: self.bytes,
            folders: self.folders,
            last_manifest: self.last_manifest,
            untold: self.untold,
            lines: self.lines,
            end: self.end,
            last_line_bytes: self.last_line_bytes,
            last_line: self.last_line,
            ..Replay::default()
        };
        for (kept, set) in [
            (self.coverage, &mut replay.coverage),
            (self.lost, &mut replay.losses.recorded),
            (self.acknowledged, &mut replay.losses.acknowledged),
            (self.pruned.0, &mut replay.pruned.spans),
        ] {
            for (from, to) in kept {
                set.add(Span::new(from, to)?);
            }
        }
        for (from, to, at) in self.unknown {
            replay.losses.unknown.push((Span::new(from, to)?, at));
        }
        if let Some((from, to, at)) = self.last_success {
            replay.last_success = Some((Window::of(Span::new(from, to)?), at));
        }
        for (from, to, records) in self.recent {
            replay.estimator.note(Span::new(from, to)?, records);
        }
        for stored in self.recheckable {
            let StoredAsked(from, to, at, line, confirmed, flags, records, suspected) = stored;
            let [again, retry] = flags;
            let asked = Asked {
                at,
                line,
                again,
                confirmed,
                records,
                retry,
                suspected,
            };
            let window = Window::of(Span::new(from, to)?);
            replay.recheckable.restore(window, asked);
        }
        for (from, to, recorded) in self.incomplete {
            let window = Window::of(Span::new(from, to)?);
            replay.incomplete.restore(window, recorded);
        }
        for (from, to, revision) in self.revisions {
            replay
                .revisions
                .insert(Window::of(Span::new(from, to)?), revision);
        }
        for (from, to, before) in self.missing {
            replay
                .missing
                .gone(Window::of(Span::new(from, to)?), before);
        }
        replay.pruned.amount = self.pruned.1;
        for (from, to, reason) in self.holds {
            let span = Span::new(from, to)?;
            replay.holds.take(&HoldOrder::Hold(Hold { span, reason }));
        }
        replay.last_folder = self.last_folder;
        replay.settings = self.settings;
        let (rechecked, changed, records, over, until) = self.lateness;
        replay.lateness = Lateness {
            rechecked,
            changed,
            records,
            over,
            until,
        };
        replay.failures = restored(self.failures)?;
        replay.recheck_failures = restored(self.recheck_failures)?;
        Some(replay)
    }
}
