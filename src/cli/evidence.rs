//! `evidence`: packs what an auditor needs to prove a span of a job with common tools. Carries *Evident* and *Candid*: the
//! same archive makes the same bytes, and what is not there is told.

mod coverage;
mod gathering;
mod packing;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Context;
use super::args::JobSpan;
use super::exit::Stop;
use super::holdings::span;
use super::identity;
use super::print::{bytes, count, print_fitted};
use crate::archive::identity::of_storage;
use crate::archive::recorded::Recorded;
use crate::archive::storage::Local;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::FolderName;
use crate::evidence::claims::{Pack, verify_txt};
use crate::evidence::head::Head;
use gathering::{OfLedger, add_folder, add_heads};

/// What is packed: by its name in the pack.
type Files = BTreeMap<String, Content>;

/// What a file of the pack holds.
enum Content {
    /// This.
    Text(Vec<u8>),
    /// What this file does, which was so long.
    File(PathBuf),
}

/// Packs a span.
pub(super) fn evidence(
    context: &Context<'_>,
    of: &JobSpan,
    out: &Path,
    has_data: bool,
) -> Result<(), Stop> {
    let config = context.config()?;
    if let Some(why) = identity::refusal(&config) {
        return Err(Stop::failed(why));
    }
    let job =
        JobName::parse(&of.job).map_err(|why| Stop::usage(&format!("--job {:?} {why}", of.job)))?;
    let span = span((&of.from, &of.to), Some(&config.archive.zone))?;
    let (mut files, mut missing) = (Files::new(), Vec::new());
    // Before the ledger: what a daemon adds meanwhile, no head here names.
    let heads = add_heads(&config, span, (&mut files, &mut missing))?;
    let ledger = OfLedger::read(context, &config, &job, span)?;
    let archive = Local::at(&config.archive.root);
    for folder in &ledger.folders {
        add_folder(&archive, folder, has_data, (&mut files, &mut missing));
    }
    let id = of_storage(&archive).map_err(|error| Stop::failed(error.to_string()))?;
    let pack = claims(id, (&job, span), &ledger, &heads, (&files, has_data));
    let newest_signed = heads.iter().rev().find(|head| head.key.is_some());
    let newest_signed = newest_signed.map(|head| format!("heads/{}", head.file_name()));
    // What older ones name, an operator may have repaired: a newer one says so.
    let weighs = |name: &&String| {
        Some(*name) == pack.newest_head.as_ref() || Some(*name) == newest_signed.as_ref()
    };
    missing.extend(pack.contradicted.iter().filter(weighs).map(|head| {
        format!("{head} names a line of the ledger that is not there: run `elsa-archiver verify`")
    }));
    let as_of = as_of(&ledger, &heads, span, context.clock.now());
    let page = coverage::coverage(&config, &pack, &ledger, as_of);
    files.insert("coverage.html".to_owned(), Content::Text(page.into_bytes()));
    let signers: String = pack
        .keys
        .iter()
        .map(|key| key.allowed_signer() + "\n")
        .collect();
    if !signers.is_empty() {
        files.insert(
            "allowed_signers".to_owned(),
            Content::Text(signers.into_bytes()),
        );
    }
    let text = verify_txt(&pack).into_bytes();
    files.insert("VERIFY.txt".to_owned(), Content::Text(text));
    files.insert("ledger.jsonl".to_owned(), Content::Text(ledger.bytes));
    let packed = packing::write(out, &files, span.to());
    let packed = packed
        .map_err(|error| Stop::failed(format!("can't pack into {}: {error}", out.display())))?;
    for missing in &missing {
        tracing::error!("{missing}");
    }
    print_fitted(&told(out, &pack, packed), 2)?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Stop::told()),
    }
}

/// The instant of which a pack tells what is due: a span that is over is told of as over. The same archive makes the same.
fn as_of(ledger: &OfLedger, heads: &[Head], span: Span, now: UtcMs) -> UtcMs {
    let newest = heads.last().map(|head| head.at);
    let known = ledger.newest_line.max(newest).unwrap_or(span.to());
    known.max(span.to().min(now))
}

/// What the pack proves.
fn claims<'a>(
    archive: Option<ArchiveId>,
    (job, span): (&'a JobName, Span),
    ledger: &OfLedger,
    heads: &[Head],
    (files, has_data): (&Files, bool),
) -> Pack<'a> {
    let mut covered = Coverage::new();
    // Of each window its newest folder.
    let mut newest = BTreeMap::new();
    for Recorded { archived, .. } in &ledger.folders {
        covered.add(archived.window.span());
        let revision = FolderName::revision_of(&archived.folder);
        let known = newest
            .entry(archived.window)
            .or_insert((revision, archived.status));
        if revision >= known.0 {
            *known = (revision, archived.status);
        }
    }
    let mut statuses = BTreeMap::new();
    for (_, status) in newest.into_values() {
        let status = format!("{status:?}").to_lowercase();
        *statuses.entry(status).or_default() += 1;
    }
    let lines: Vec<&[u8]> = ledger.bytes.split(|byte| *byte == b'\n').collect();
    let is_there = |head: &&Head| {
        let Some(of_job) = head.jobs.get(job) else {
            return true;
        };
        let at = usize::try_from(of_job.lines).unwrap_or(usize::MAX);
        let line = at.checked_sub(1).and_then(|at| lines.get(at));
        line.map(|line| Digest::of(line)) == of_job.ledger
    };
    let contradicted = heads.iter().filter(|head| !is_there(head));
    let name = |head: &Head| format!("heads/{}", head.file_name());
    let mut keys: Vec<_> = heads.iter().filter_map(|head| head.key.clone()).collect();
    keys.sort();
    keys.dedup();
    Pack {
        archive: archive.map(|id| id.to_string()).unwrap_or_default(),
        job,
        span,
        folders: ledger.folders.len(),
        covered,
        statuses,
        has_data,
        newest_head: heads.last().map(name),
        is_named: heads.last().is_some_and(|head| head.jobs.contains_key(job)),
        contradicted: contradicted.map(name).collect(),
        broken: heads
            .windows(2)
            .filter(|pair| pair[1].previous != Some(pair[0].digest()))
            .map(|pair| name(&pair[1]))
            .collect(),
        keys,
        signed: heads.iter().filter(|head| head.key.is_some()).count(),
        is_signed: heads.last().is_some_and(|head| head.key.is_some()),
        is_stamped: files.keys().any(|name| name.ends_with(".tsr")),
    }
}

fn told(out: &Path, pack: &Pack<'_>, (files, length): (u64, u64)) -> String {
    let mut text = format!(
        "{}: {} of {}, {} in {}\n",
        out.display(),
        count(pack.folders as u64, "folder"),
        pack.job,
        bytes(length),
        count(files, "file")
    );
    for gap in pack.covered.missing_in(pack.span) {
        text += &format!("  not archived: {} to {}\n", gap.from(), gap.to());
    }
    match &pack.newest_head {
        Some(head) => text += &format!("  newest {head}\n"),
        None => {
            text +=
                "  no head: `elsa-archiver head now` makes one, which proves more to an auditor\n"
        }
    }
    text + "  Whoever gets it unpacks it, and runs each line of VERIFY.txt.\n"
}
