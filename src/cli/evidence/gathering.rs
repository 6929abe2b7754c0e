//! What goes into an auditor's pack: a ledger, folders and heads as they lie there. Carries *Candid*: what is not there, or is
//! not of the archive, is told, and *Suspicious*: only what a manifest names is packed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{Content, Files};
use crate::archive::entry_name;
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file::MOST_TEXT;
use crate::archive::prune::PRUNED_SUMS;
use crate::archive::publish::SUMS;
use crate::archive::recorded::Recorded;
use crate::archive::storage::{Local, Lying, Storage as _, below, read};
use crate::cli::Context;
use crate::cli::exit::Stop;
use crate::cli::session::no_such_job;
use crate::config::Config;
use crate::domain::job::JobName;
use crate::domain::span::{Span, UtcMs};
use crate::evidence::head::Head;
use crate::evidence::heads;
use crate::ledger::Ledger;
use crate::ledger::folders::Folders;
use crate::ledger::replay::Replay;
use crate::printable;

/// What is told as missing, line by line.
type Missing = Vec<String>;

/// A job's ledger.
pub(super) struct OfLedger {
    /// All whole lines.
    pub(super) bytes: Vec<u8>,
    /// The folders of the span that it has recorded, but for those that it says are gone.
    pub(super) folders: Vec<Recorded>,
    /// When the last line was written.
    pub(super) newest_line: Option<UtcMs>,
}

impl OfLedger {
    /// Reads it once: all that is told of it is of the same lines.
    pub(super) fn read(
        context: &Context<'_>,
        config: &Config,
        job: &JobName,
        span: Span,
    ) -> Result<Self, Stop> {
        let path = Ledger::path(&config.state_dir, job);
        let mut bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Stop::usage(&no_such_job(config, job.as_str(), &context.args.config))
            }
            _ => Stop::failed(format!("can't read {}: {error}", path.display())),
        })?;
        let (mut folders, mut newest_line) = (Folders::default(), None);
        let replay = Replay::read(&bytes[..], |line| {
            folders.take(line);
            newest_line = newest_line.max(Some(line.at));
        });
        let replay = replay.map_err(|error| {
            Stop::failed(format!(
                "the job's ledger can't be read: {error}; run `verify`"
            ))
        })?;
        bytes.truncate(usize::try_from(replay.end).unwrap_or(usize::MAX));
        let is_of_span = |folder: &&Recorded| {
            let window = folder.archived.window.span();
            !folder.is_missing && window.intersection(span).is_some()
        };
        let folders = folders.recorded().iter().filter(is_of_span);
        Ok(Self {
            folders: folders.cloned().collect(),
            bytes,
            newest_line,
        })
    }
}

/// Adds manifest and sums of a folder, and the data that its manifest names. Of what is not there, and of what is not of it, it
/// says so.
pub(super) fn add_folder(
    archive: &Local,
    folder: &Recorded,
    has_data: bool,
    (files, missing): (&mut Files, &mut Missing),
) {
    let relative = &folder.archived.folder;
    let mut wrong =
        |why: &str| missing.push(format!("{}: {why}", archive.place(relative).display()));
    // No link leads elsewhere, but for a job's folder, which may be on another disk.
    let dates = relative.rsplit_once('/').map(|(date, _)| date);
    for path in dates.into_iter().chain([relative.as_str()]) {
        match archive.is_folder(path) {
            Ok(true) => {}
            Ok(false) => return wrong("it is no folder"),
            Err(error) => return wrong(&error.to_string()),
        }
    }
    let json = match read(archive, &below(relative, MANIFEST), MOST_TEXT) {
        Ok(json) => json,
        Err(error) => return wrong(&format!("{MANIFEST}: {error}")),
    };
    let mut add = |name: &str| {
        let path = below(relative, name);
        match archive.length(&path) {
            Ok(Some(_)) => {
                let content = Content::File(archive.place(&path));
                files.insert(format!("archive/{path}"), content);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(format!("{}: {error}", printable::whole(name))),
        }
    };
    let mut known: HashSet<String> = [MANIFEST, SUMS, PRUNED_SUMS].map(str::to_owned).into();
    let manifest = match Manifest::parse(&json) {
        Ok(manifest) => Some(manifest),
        Err(why) => {
            wrong(&format!("{MANIFEST}: {why}"));
            None
        }
    };
    let proof = [MANIFEST, SUMS, PRUNED_SUMS].map(&mut add);
    match &proof {
        [_, Ok(false), Ok(false)] => wrong("it has neither SHA256SUMS nor SHA256SUMS.pruned"),
        [_, Ok(false), _] if !folder.is_pruned => {
            wrong("its sums say that its data were let go of, and the ledger does not");
        }
        _ => {}
    }
    proof
        .into_iter()
        .filter_map(Result::err)
        .for_each(|why| wrong(&why));
    for file in manifest.iter().flat_map(Manifest::stored) {
        known.insert(file.path.to_owned());
        if !has_data || !entry_name::is_safe(file.path) {
            continue;
        }
        match add(file.path) {
            Ok(true) => {}
            Ok(false) if folder.is_pruned => {}
            Ok(false) => wrong(&format!("{} is missing", printable::whole(file.path))),
            Err(why) => wrong(&why),
        }
    }
    for lying in archive.files_below(relative) {
        match lying {
            Lying::File(file) if file.to_str().is_some_and(|file| known.contains(file)) => {}
            Lying::File(file) => wrong(&format!(
                "{} is not of it, and is not packed",
                printable::whole(&file.to_string_lossy())
            )),
            Lying::Unlisted(at, error) => {
                wrong(&format!(
                    "{}: {error}",
                    printable::whole(&at.to_string_lossy())
                ));
            }
        }
    }
}

/// Adds the heads that were made since the span began, with what lies beside them. Of what is none it says so.
pub(super) fn add_heads(
    config: &Config,
    span: Span,
    (files, missing): (&mut Files, &mut Missing),
) -> Result<Vec<Head>, Stop> {
    let root = &config.archive.root;
    let (archive, folder) = (Local::at(root), heads::folder(root));
    let listed = heads::numbers(&archive);
    let listed = listed
        .map_err(|error| Stop::failed(format!("can't read {}: {error}", folder.display())))?;
    let mut found: Vec<Head> = Vec::new();
    for number in listed {
        let text = heads::text(&archive, number).map_err(|error| error.to_string());
        let head = match text.and_then(|text| Head::parse(&text)) {
            Ok(head) if head.number == number => head,
            other => {
                let why = other
                    .err()
                    .unwrap_or_else(|| "it has another number".to_owned());
                missing.push(format!(
                    "{}: {}",
                    heads::relative(number),
                    printable::whole(&why)
                ));
                continue;
            }
        };
        // A clock that was set back leaves none of them out.
        if head.at < span.from() && found.is_empty() {
            continue;
        }
        // Beside a head that names no key lies no signature of it.
        let signature = head.key.is_some().then_some(".sig");
        for end in ["", ".tsr"].into_iter().chain(signature) {
            let name = format!("{}{end}", head.file_name());
            let path: &Path = &folder.join(&name);
            if fs::symlink_metadata(path).is_ok_and(|there| there.is_file()) {
                files.insert(format!("heads/{name}"), Content::File(path.to_owned()));
            }
        }
        found.push(head);
    }
    Ok(found)
}
