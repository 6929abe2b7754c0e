//! What `verify` prints for people.

use super::{Depth, Verified};
use crate::cli::print::{at_least, bytes, count, grouped};
use crate::domain::span::UtcMs;
use crate::printable;

/// What was found of a job, in lines, at this depth; of a copy where `is_copy` says so.
pub(super) fn listing(verified: &Verified, (depth, is_copy): (Depth, bool), now: UtcMs) -> String {
    let report = &verified.found;
    let mut text = format!(
        "{}: {}: {}, {}, {}, {} re-hashed{}\n",
        report.job,
        verified.verdict.words(),
        count(report.windows, "window"),
        count(report.records, "record"),
        count(report.files, "file"),
        bytes(report.bytes),
        match report.entries {
            0 => String::new(),
            entries => format!(", {} in zips too", count(entries, "file")),
        }
    );
    if let (Some(from), Some(until)) = (report.from_ms, report.until_ms) {
        text += &format!("  from {from} until {until}");
        let since = now.since(until);
        text += &match (is_copy, verified.due) {
            (true, _) => "; what should have come after can't be known from a copy\n".to_owned(),
            (false, 0) => format!(", {} ago\n", at_least(since)),
            (false, due) => format!(", {} ago; {} due\n", at_least(since), count(due, "window")),
        };
    } else if verified.due > 0 {
        text += &format!("  {} due\n", count(verified.due, "window"));
    }
    if let Some(newest) = &report.newest_manifest {
        text += &format!("  newest manifest {newest}\n");
    }
    if let Some(folder) = &report.begins_elsewhere {
        // A window's own folder has no name below itself.
        let folder = match folder.as_str() {
            "" => "this window".to_owned(),
            folder => printable::whole(folder),
        };
        text += &format!("  begins with {folder}, which follows a manifest that is elsewhere\n");
    }
    if report.superseded > 0 {
        text += &format!(
            "  {} of these folders {} superseded by a later one of the same window\n",
            grouped(report.superseded),
            if report.superseded == 1 { "is" } else { "are" },
        );
    }
    if report.pruned > 0 {
        text += &format!(
            "  the data of {} of these folders were let go of (pruned); their manifests prove what was there\n",
            grouped(report.pruned),
        );
    }
    for broken in &report.breaks {
        text += &format!(
            "  {}: the chain of manifests breaks before it, as was found when the ledger was rebuilt\n",
            printable::whole(&broken.folder)
        );
    }
    if let Some(older) = &report.older_heads {
        text += &format!("  since replaced, as the newest head knows: {older}\n");
    }
    for finding in &report.findings {
        text += &format!("  {finding}\n");
    }
    for gap in &report.gaps {
        text += &format!(
            "  gap: nothing is archived from {} to {}\n",
            gap.from_ms, gap.to_ms
        );
    }
    for (folders, what) in [
        (
            &report.truncated,
            "truncated: the service may have left logs out",
        ),
        (&report.unproven, "unproven: what it holds is not certain"),
    ] {
        for folder in folders {
            let known = match verified.acknowledged.contains(folder) {
                true => " (acknowledged)",
                false => "",
            };
            let folder = match folder.as_str() {
                "" => "the folder".to_owned(),
                folder => printable::whole(folder),
            };
            text += &format!("  {folder}: {what}{known}\n");
        }
    }
    if let (Some(cure), false) = (verified.cure(depth), is_copy) {
        text += &format!("  what to do: {cure}\n");
    }
    text
}
