//! What there is of a span, in the archive or in a copy of it, and what is told of the rest. Carries *Candid*.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Context;
use super::args::OfSpan;
use super::exit::Stop;
use super::print::count;
use super::progress::Terminal;
use super::session::{no_such_job, store};
use crate::archive::reading::{Held, Known, Note, newest};
use crate::archive::verify::{Finding, Problem, copy};
use crate::config::{Config, instant};
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Job, JobName};
use crate::domain::span::Span;
use crate::domain::window::{FolderName, Window, Zone};
use crate::durable::Disk;
use crate::ledger::folders::Folders;
use crate::ledger::{Ledger, LedgerError, acknowledgement};

/// Where records are read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The job.
    pub(super) job: &'a str,
    /// A copy of an archive; `None` for the archive of the config.
    pub(super) dir: Option<&'a Path>,
}

impl<'a> From<&'a OfSpan> for Source<'a> {
    fn from(span: &'a OfSpan) -> Self {
        Self {
            job: &span.job,
            dir: span.dir.as_deref(),
        }
    }
}

/// What there is of a span.
#[derive(Debug)]
pub(super) struct Holdings {
    /// The job.
    pub(super) job: JobName,
    /// What folders are relative to.
    pub(super) root: PathBuf,
    /// The span.
    pub(super) span: Span,
    /// The folders that hold it, in order of time.
    pub(super) held: Vec<Held>,
    /// The zone of times without an offset.
    pub(super) records_zone: Option<Zone>,
    /// What the ledger says of each window.
    recorded: HashMap<Window, Known>,
    /// What is to be told before anything is read.
    notes: Vec<Note>,
}

impl Holdings {
    /// Looks for what holds a span.
    ///
    /// # Errors
    /// When the span, or the job, can't be understood, or nothing can be listed.
    pub(super) fn find(
        context: &Context<'_>,
        source: Source<'_>,
        bounds: (&str, &str),
    ) -> Result<Self, Stop> {
        let job = JobName::parse(source.job)
            .map_err(|why| Stop::usage(&format!("--job {:?} {why}", source.job)))?;
        match source.dir {
            Some(dir) => Self::of_copy(dir, job, bounds),
            None => Self::of_archive(&context.config()?, context, job, bounds),
        }
    }

    fn of_copy(dir: &Path, job: JobName, bounds: (&str, &str)) -> Result<Self, Stop> {
        let span = span(bounds, None)?;
        let folders = copy::folders(dir)
            .map_err(|error| Stop::failed(format!("can't read {}: {error}", dir.display())))?;
        let published = folders.into_iter().filter_map(|folder| {
            let mut names = folder.rsplit('/');
            // A window's own folder has no name below itself.
            let name = names.next().filter(|name| !name.is_empty());
            let name = name.or_else(|| dir.file_name()?.to_str())?;
            let named = FolderName::parse(name)?;
            let is_its = names.nth(1).is_none_or(|above| above == job.as_str());
            is_its.then_some((named, folder))
        });
        let held = newest(published, span);
        let mut notes = Vec::new();
        gaps(&held, span, &Coverage::new(), &mut notes);
        Ok(Self {
            job,
            root: dir.to_owned(),
            span,
            held,
            records_zone: None,
            recorded: HashMap::new(),
            notes,
        })
    }

    fn of_archive(
        config: &Config,
        context: &Context<'_>,
        job: JobName,
        bounds: (&str, &str),
    ) -> Result<Self, Stop> {
        let span = span(bounds, Some(&config.archive.zone))?;
        let configured = config.jobs.iter().find(|known| known.name == job);
        let store = store(config, &Disk::default());
        let listed = store.published(&job).map_err(|error| {
            let folder = store.root().join(job.as_str());
            Stop::failed(format!("can't read {}: {error}", folder.display()))
        })?;
        let ledger = Ledger::path(&config.state_dir, &job);
        if configured.is_none() && listed.is_empty() && !ledger.exists() {
            return Err(Stop::usage(&no_such_job(
                config,
                job.as_str(),
                &context.args.config,
            )));
        }
        let held = newest(listed, span);
        let mut notes = Vec::new();
        let mut folders = Folders::default();
        let replay = Ledger::read(&config.state_dir, &job, |line| folders.take(line));
        let mut recorded = HashMap::new();
        let mut acknowledged = Coverage::new();
        match replay {
            Ok(mut replay) => {
                acknowledgement::count_at_once(&ledger, &mut replay);
                let known = folders.recorded().iter().filter(|known| !known.is_missing);
                let mut newest: HashMap<Window, (&str, Digest)> = HashMap::new();
                for known in known {
                    let line = &known.archived;
                    // Each line of a window comes after those that it supersedes.
                    newest.insert(line.window, (&line.folder, line.manifest_sha256));
                }
                for (window, (folder, manifest)) in newest {
                    let is_acknowledged = replay.incomplete.is_acknowledged(window);
                    let here = held.iter().find(|held| held.window == window);
                    match here {
                        Some(here) if here.folder == folder => {
                            let known = Known {
                                manifest: Some(manifest),
                                is_acknowledged,
                            };
                            recorded.insert(window, known);
                        }
                        // A newer revision that the ledger lacks, after a crash.
                        Some(here) if is_newer(here, folder) => {}
                        _ if window.span().intersection(span).is_some() => {
                            notes.push(Note::Damaged(Finding {
                                folder: folder.to_owned(),
                                file: None,
                                problem: Problem::Missing,
                            }));
                        }
                        _ => {}
                    }
                }
                for (lost, is_known) in replay.lost() {
                    if is_known {
                        acknowledged.add(lost);
                    }
                }
            }
            Err(error) => notes.push(unread(&error)),
        }
        notes.sort_by_key(|note| match note {
            Note::Damaged(finding) => finding.folder.clone(),
            _ => String::new(),
        });
        gaps(&held, span, &acknowledged, &mut notes);
        Ok(Self {
            root: store.root().to_owned(),
            span,
            held,
            records_zone: configured.and_then(|job: &Job| job.records_zone.clone()),
            recorded,
            notes,
            job,
        })
    }

    /// What the ledger says of a folder.
    pub(super) fn known(&self, held: &Held) -> Known {
        self.recorded.get(&held.window).copied().unwrap_or_default()
    }
}

/// Whether what lies there is a newer revision than the recorded `folder`.
fn is_newer(here: &Held, folder: &str) -> bool {
    let name = folder.rsplit('/').next().and_then(FolderName::parse);
    name.is_some_and(|named| here.revision > named.revision)
}

fn unread(error: &LedgerError) -> Note {
    let said = format!("{error}; what is missing is known from the folders alone");
    match error {
        LedgerError::Unreadable { .. } | LedgerError::Newer { .. } => Note::Said(said),
        _ => Note::Incomplete(said),
    }
}

fn span((from, to): (&str, &str), zone: Option<&Zone>) -> Result<Span, Stop> {
    let utc = Zone::utc();
    let read = |option: &str, text: &str| {
        let is_date = text.len() == "YYYY-MM-DD".len() && zone.is_none();
        let read = match is_date {
            true => Err(
                "is a date, and nothing says in which time zone; give an instant like \
                 2026-11-22T00:00:00+09:00"
                    .to_owned(),
            ),
            false => instant(text, zone.unwrap_or(&utc)),
        };
        read.map_err(|why| Stop::usage(&format!("--{option} {text:?} {why}")))
    };
    Span::new(read("from", from)?, read("to", to)?)
        .ok_or_else(|| Stop::usage(&"--from must be before --to"))
}

/// Tells what of `span` no folder holds.
fn gaps(held: &[Held], span: Span, acknowledged: &Coverage, notes: &mut Vec<Note>) {
    let mut covered = Coverage::new();
    held.iter().for_each(|held| covered.add(held.window.span()));
    for gap in covered.missing_in(span) {
        let told = format!("nothing is archived from {} to {}", gap.from(), gap.to());
        notes.push(match acknowledged.covers(gap) {
            true => Note::Said(format!("{told} (lost, and acknowledged)")),
            false => Note::Incomplete(told),
        });
    }
}

/// What is told on stderr while records go to stdout.
pub(super) struct Told {
    terminal: Terminal,
    windows: u64,
    incomplete: u64,
    damaged: u64,
    converted: u64,
}

impl Told {
    /// Tells what is known beforehand.
    pub(super) fn of(terminal: &Terminal, holdings: &Holdings) -> Self {
        let mut told = Self {
            terminal: terminal.clone(),
            windows: holdings.held.len() as u64,
            incomplete: 0,
            damaged: 0,
            converted: 0,
        };
        holdings
            .notes
            .iter()
            .cloned()
            .for_each(|note| told.note(note));
        told
    }

    /// Tells a note.
    pub(super) fn note(&mut self, note: Note) {
        let text = match note {
            Note::Damaged(finding) => {
                self.damaged += 1;
                finding.to_string()
            }
            Note::Incomplete(text) => {
                self.incomplete += 1;
                text
            }
            Note::Said(text) => text,
            Note::Converted(files) => {
                self.converted += files;
                return;
            }
        };
        self.say(&text);
    }

    fn say(&mut self, text: &str) {
        // Who has closed stderr does not want to hear it.
        let _ = writeln!(self.terminal, "{text}");
    }

    /// Tells what it came to, where that is not simply all.
    ///
    /// # Errors
    /// When something is missing or damaged.
    pub(super) fn end(mut self, records: Option<u64>) -> Result<(), Stop> {
        if self.converted > 0 {
            let files = count(self.converted, "file");
            self.say(&format!("{files} of CSV, written as JSON objects of text"));
        }
        if self.damaged + self.incomplete == 0 {
            return Ok(());
        }
        if let Some(records) = records {
            self.say(&format!(
                "written: {} of {}; not all: {} above {}",
                count(records, "record"),
                count(self.windows, "window"),
                count(self.damaged + self.incomplete, "line"),
                match self.damaged + self.incomplete {
                    1 => "says why",
                    _ => "say why",
                }
            ));
        }
        Err(match self.damaged {
            0 => Stop::told(),
            _ => Stop::damaged(),
        })
    }
}
