//! `evidence`: packs what an auditor needs to prove a span of a job with common tools. Carries *Evident* and *Candid*: the
//! same archive makes the same bytes, and what is not there is told.

mod coverage;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::args::JobSpan;
use super::exit::Stop;
use super::holdings::span;
use super::identity;
use super::print::{bytes, count, print_fitted};
use super::session::no_such_job;
use crate::archive::identity::{of_root, read};
use crate::archive::manifest::MANIFEST;
use crate::archive::plain_file;
use crate::archive::prune::PRUNED_SUMS;
use crate::archive::publish::SUMS;
use crate::archive::recorded::Recorded;
use crate::archive::storage::Local;
use crate::config::Config;
use crate::digest::Hasher;
use crate::domain::coverage::Coverage;
use crate::domain::job::JobName;
use crate::domain::span::{Span, UtcMs};
use crate::durable::AskedFor;
use crate::evidence::claims::{Pack, verify_txt};
use crate::evidence::head::Head;
use crate::evidence::heads;
use crate::evidence::named::Heads;
use crate::ledger::Ledger;
use crate::ledger::folders::Folders;
use crate::ledger::replay::Replay;

/// The folder that the tar unpacks to.
const FOLDER: &str = "evidence";

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
    let ledger = ledger(context, &config, &job)?;
    let folders = folders(&ledger, span)?;
    for folder in &folders {
        let wanted = add_folder(&config.archive.root, folder, has_data, &mut files);
        missing.extend(wanted.err());
    }
    let heads = add_heads(&config, span, &mut files)?;
    let pack = claims(
        &config,
        (&job, span),
        (&folders, &heads),
        (&ledger, has_data),
    )?;
    let as_of = as_of(&ledger, &heads).unwrap_or(span.to());
    let page = coverage::coverage(&config, &job, &pack, as_of);
    let page = page.map_err(|error| Stop::failed(error.to_string()))?;
    files.insert("coverage.html".to_owned(), Content::Text(page.into_bytes()));
    let signers: String = pack
        .keys
        .iter()
        .map(|key| key.allowed_signer() + "\n")
        .collect();
    files.insert("ledger.jsonl".to_owned(), Content::Text(ledger));
    if !signers.is_empty() {
        files.insert(
            "allowed_signers".to_owned(),
            Content::Text(signers.into_bytes()),
        );
    }
    let text = verify_txt(&pack).into_bytes();
    files.insert("VERIFY.txt".to_owned(), Content::Text(text));
    let packed = write(out, &files, span.to());
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

/// The job's ledger, without a line that is torn.
fn ledger(context: &Context<'_>, config: &Config, job: &JobName) -> Result<Vec<u8>, Stop> {
    let path = Ledger::path(&config.state_dir, job);
    let mut ledger = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Stop::usage(&no_such_job(config, job.as_str(), &context.args.config))
        }
        _ => Stop::failed(format!("can't read {}: {error}", path.display())),
    })?;
    let end = ledger
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    ledger.truncate(end);
    Ok(ledger)
}

/// The instant of which a pack tells what is due: that of the newest line or head, so that the same archive makes the same.
fn as_of(ledger: &[u8], heads: &[Head]) -> Option<UtcMs> {
    let newest = heads.last().map(|head| head.at);
    let line = ledger
        .trim_ascii_end()
        .rsplit(|byte| *byte == b'\n')
        .next()?;
    let line: Option<Value> = serde_json::from_slice(line).ok();
    let at = line.and_then(|line| line.get("at")?.as_str()?.parse::<Timestamp>().ok());
    at.map(UtcMs::from).max(newest)
}

/// The folders of the span that a ledger has recorded, but for those that it says are gone.
fn folders(ledger: &[u8], span: Span) -> Result<Vec<Recorded>, Stop> {
    let mut folders = Folders::default();
    Replay::read(ledger, |line| folders.take(line)).map_err(|error| {
        Stop::failed(format!(
            "the job's ledger can't be read: {error}; run `verify`"
        ))
    })?;
    let is_of_span = |folder: &&Recorded| {
        let window = folder.archived.window.span();
        !folder.is_missing && window.from() < span.to() && window.to() > span.from()
    };
    Ok(folders
        .recorded()
        .iter()
        .filter(is_of_span)
        .cloned()
        .collect())
}

/// Adds manifest and sums of a folder, and its data.
///
/// # Errors
/// Says what is not there.
fn add_folder(
    root: &Path,
    folder: &Recorded,
    has_data: bool,
    files: &mut Files,
) -> Result<(), String> {
    let relative = &folder.archived.folder;
    let whole = root.join(relative);
    let mut all = Vec::new();
    list(&whole, "", &mut all).map_err(|error| format!("{}: {error}", whole.display()))?;
    let is_proof = |name: &str| [MANIFEST, SUMS, PRUNED_SUMS].contains(&name);
    if !all.iter().any(|name| name == MANIFEST) {
        return Err(format!("{} has no {MANIFEST}", whole.display()));
    }
    for name in all.into_iter().filter(|name| has_data || is_proof(name)) {
        let content = Content::File(whole.join(&name));
        files.insert(format!("archive/{relative}/{name}"), content);
    }
    Ok(())
}

/// The plain files below a folder, by their names from there.
fn list(folder: &Path, above: &str, all: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{above}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), &format!("{name}/"), all)?;
        } else if kind.is_file() {
            all.push(name);
        }
    }
    Ok(())
}

/// Adds the heads that were made since the span began, with what lies beside them.
fn add_heads(config: &Config, span: Span, files: &mut Files) -> Result<Vec<Head>, Stop> {
    let root = &config.archive.root;
    let folder = heads::folder(root);
    let failed =
        |error: io::Error| Stop::failed(format!("can't read {}: {error}", folder.display()));
    let mut found = Vec::new();
    for number in heads::numbers(&Local::at(root)).map_err(failed)? {
        let text = heads::text(&Local::at(root), number).map_err(failed)?;
        // What is none, `verify` tells.
        let Ok(head) = Head::parse(&text) else {
            continue;
        };
        if head.at < span.from() {
            continue;
        }
        for end in ["", ".sig", ".tsr"] {
            let name = format!("{}{end}", head.file_name());
            if fs::symlink_metadata(folder.join(&name)).is_ok_and(|there| there.is_file()) {
                files.insert(format!("heads/{name}"), Content::File(folder.join(name)));
            }
        }
        found.push(head);
    }
    Ok(found)
}

/// What the pack proves.
fn claims<'a>(
    config: &Config,
    (job, span): (&'a JobName, Span),
    (folders, heads): (&[Recorded], &[Head]),
    (ledger, has_data): (&[u8], bool),
) -> Result<Pack<'a>, Stop> {
    let root = &config.archive.root;
    let id = read(&of_root(root)).map_err(|error| Stop::failed(error.to_string()))?;
    let all = Heads::read(&Local::at(root), id.as_ref());
    let mut covered = Coverage::new();
    // A later folder of a window takes the place of the one before.
    let mut newest = BTreeMap::new();
    for Recorded { archived, .. } in folders {
        covered.add(archived.window.span());
        newest.insert(archived.window, archived.status);
    }
    let mut statuses = BTreeMap::new();
    for status in newest.into_values() {
        let status = format!("{status:?}").to_lowercase();
        *statuses.entry(status).or_default() += 1;
    }
    let lines: Vec<&[u8]> = ledger.split(|byte| *byte == b'\n').collect();
    let is_there = |head: &&Head| {
        let Some(of_job) = head.jobs.get(job) else {
            return true;
        };
        let at = usize::try_from(of_job.lines).unwrap_or(usize::MAX);
        let line = at.checked_sub(1).and_then(|at| lines.get(at));
        line.map(|line| crate::digest::Digest::of(line)) == of_job.ledger
    };
    let contradicted = heads.iter().filter(|head| !is_there(head));
    let name = |head: &Head| format!("heads/{}", head.file_name());
    let mut keys: Vec<_> = heads.iter().filter_map(|head| head.key.clone()).collect();
    keys.sort();
    keys.dedup();
    let first = heads.first().map_or(u64::MAX, |head| head.number);
    Ok(Pack {
        archive: id.map(|id| id.to_string()).unwrap_or_default(),
        job,
        span,
        folders: folders.len(),
        covered,
        statuses,
        has_data,
        newest_head: heads.last().map(name),
        is_named: heads.last().is_some_and(|head| head.jobs.contains_key(job)),
        contradicted: contradicted.map(name).collect(),
        keys,
        signed: heads.iter().filter(|head| head.key.is_some()).count(),
        is_signed: all.signers.newest().is_some(),
        is_stamped: all.stamps.newest.is_some_and(|(number, _)| number >= first),
    })
}

/// Writes the tar, and in it last the sums of everything else. Returns how many files and bytes there are.
fn write(out: &Path, files: &Files, at: UtcMs) -> io::Result<(u64, u64)> {
    let mut tar = tar::Builder::new(Sink(AskedFor::open(out)?));
    let (mut sums, mut total) = (String::new(), 0);
    for (name, content) in files {
        let (length, mut content): (u64, Box<dyn Read>) = match content {
            Content::Text(text) => (text.len() as u64, Box::new(&text[..])),
            Content::File(path) => {
                let file = plain_file::open(path)?;
                (file.metadata()?.len(), Box::new(file))
            }
        };
        let mut hashed = Hashed::new(content.by_ref().take(length));
        append(&mut tar, (name, length, at), &mut hashed)?;
        if hashed.length != length {
            return Err(io::Error::other(format!("{name} changes while it is read")));
        }
        sums += &format!("{}  {name}\n", hashed.hasher.finish());
        total += length;
    }
    let length = sums.len() as u64;
    append(&mut tar, (SUMS, length, at), &mut sums.as_bytes())?;
    let mut sink = tar.into_inner()?;
    sink.0.close()?;
    Ok((files.len() as u64 + 1, total + length))
}

/// Appends a file, with nothing of this machine or this day.
fn append(
    tar: &mut tar::Builder<Sink>,
    (name, length, at): (&str, u64, UtcMs),
    content: &mut dyn Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(at.0 / 1000).unwrap_or_default());
    tar.append_data(&mut header, format!("{FOLDER}/{name}"), content)
}

/// The file that the pack is written to.
struct Sink(AskedFor);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is read is hashed and counted.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
    length: u64,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            length: 0,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.length += read as u64;
        Ok(read)
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
