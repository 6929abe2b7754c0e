//! What there is of a span, in the archive or in a copy of it, and what is told of the rest. Carries *Candid*.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::args::OfSpan;
use super::exit::Stop;
use super::given::Given;
use super::identity;
use super::session::{no_such_job, store};
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file::MOST_TEXT;
use crate::archive::reading::{Held, Known, Note, Place, newest};
use crate::archive::storage::{self, Storage, below};
use crate::archive::verify::{Finding, Problem, copy};
use crate::config::{Config, instant};
use crate::domain::coverage::Coverage;
use crate::domain::identity::Verdict;
use crate::domain::job::{Job, JobName};
use crate::domain::span::Span;
use crate::domain::window::{FolderName, Window, Zone};
use crate::durable::Disk;
use crate::ledger::folders::Folders;
use crate::ledger::{Ledger, LedgerError, acknowledgement};
pub(super) use told::Told;

mod told;

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
            job: &span.of.job,
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
    pub(super) storage: Arc<dyn Storage>,
    /// The span.
    pub(super) span: Span,
    /// The folders that hold it, in order of time.
    pub(super) held: Vec<Held>,
    /// The zone of times without an offset.
    pub(super) records_zone: Option<Zone>,
    /// What the ledger says of each window: its newest folder.
    recorded: HashMap<Window, (String, Known)>,
    /// What is to be told before anything is read.
    notes: Vec<Note>,
    /// Whether it is a copy, which nothing here cures.
    is_copy: bool,
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
            Some(dir) => Self::of_copy(&Given::of(context, dir)?, job, bounds),
            None => Self::of_archive(&context.config()?, context, job, bounds),
        }
    }

    fn of_copy(given: &Given, job: JobName, bounds: (&str, &str)) -> Result<Self, Stop> {
        let span = span(bounds, None)?;
        let folders = copy::folders(given.storage.as_ref());
        let mut folders = folders.map_err(|error| given.cant_read(&error))?;
        let mut storage = Arc::clone(&given.storage);
        if folders == [""]
            && let Some((above, name)) = given.above()?
        {
            // A window's own folder: its name says which.
            folders = vec![name];
            storage = above.storage;
        }
        let published: Vec<_> = folders
            .into_iter()
            .filter_map(|folder| {
                let named = FolderName::parse(folder.rsplit('/').next()?)?;
                is_of(storage.as_ref(), &folder, &job).then_some((named, folder))
            })
            .collect();
        if published.is_empty() {
            return Err(Stop::failed(format!(
                "there is no window of {job} in {}; give a copy of an archive, or the folder of the job, a date or \
                 a window",
                given.shown
            )));
        }
        let held = newest(published, span);
        let mut notes = Vec::new();
        overlaps(&held, &mut notes);
        gaps(&held, span, &Coverage::new(), &mut notes);
        Ok(Self {
            job,
            storage,
            span,
            held,
            records_zone: None,
            recorded: HashMap::new(),
            notes,
            is_copy: true,
        })
    }

    fn of_archive(
        config: &Config,
        context: &Context<'_>,
        job: JobName,
        bounds: (&str, &str),
    ) -> Result<Self, Stop> {
        let span = span(bounds, Some(&config.archive.zone))?;
        // Who may not read the state reads the archive all the same.
        if let Ok(Verdict::Refused(why)) = identity::look(config) {
            return Err(Stop::failed(identity::words(config, &why)));
        }
        let configured = config.jobs.iter().find(|known| known.name == job);
        // The ledger first: what it knows is there by the time the archive is listed.
        let ledger = Recorded::read(config, &job, span);
        let store = store(config, &Disk::default());
        let listed = store.published(&job).map_err(|error| {
            let folder = store.root().join(job.as_str());
            Stop::failed(format!("can't read {}: {error}", folder.display()))
        })?;
        if configured.is_none() && listed.is_empty() && !ledger.is_there {
            let why = no_such_job(config, job.as_str(), &context.args.config);
            return Err(Stop::usage(&why));
        }
        let held = newest(listed, span);
        let mut notes = ledger.notes.clone();
        notes.extend(ledger.recorded_missing(&held));
        notes.extend(missing(&held, &ledger.newest));
        overlaps(&held, &mut notes);
        gaps(&held, span, &ledger.acknowledged, &mut notes);
        Ok(Self {
            storage: Arc::new(store.storage()),
            span,
            held,
            records_zone: configured.and_then(|job: &Job| job.records_zone.clone()),
            recorded: ledger.newest.into_iter().collect(),
            notes,
            is_copy: false,
            job,
        })
    }

    /// Whose folders these are, and where.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            storage: self.storage.as_ref(),
            job: self.job.as_str(),
        }
    }

    /// What the ledger says of a folder.
    pub(super) fn known(&self, held: &Held) -> Known {
        let recorded = self.recorded.get(&held.window);
        let recorded = recorded.filter(|(folder, _)| *folder == held.folder);
        recorded.map(|(_, known)| *known).unwrap_or_default()
    }
}

/// Whether a folder of a copy is of `job`, by where it lies in the copy; by its manifest, where that says nothing.
fn is_of(storage: &dyn Storage, folder: &str, job: &JobName) -> bool {
    if let Some(above) = folder.rsplit('/').nth(2) {
        return above == job.as_str();
    }
    let json = storage::read(storage, &below(folder, MANIFEST), MOST_TEXT).ok();
    let manifest = json.and_then(|json| Manifest::parse(&json).ok());
    manifest.is_none_or(|manifest| manifest.job == job.as_str())
}

/// What a ledger says of the windows of a span.
struct Recorded {
    /// Whether there is a ledger.
    is_there: bool,
    /// The newest folder of each window that is not missing, and what is known of it.
    newest: BTreeMap<Window, (String, Known)>,
    /// Windows whose newest folder is missing, and that folder.
    gone: Vec<(Window, Option<String>)>,
    /// What is lost, and acknowledged.
    acknowledged: Coverage,
    notes: Vec<Note>,
}

impl Recorded {
    fn read(config: &Config, job: &JobName, span: Span) -> Self {
        let path = Ledger::path(&config.state_dir, job);
        let mut read = Self {
            is_there: path.exists(),
            newest: BTreeMap::new(),
            gone: Vec::new(),
            acknowledged: Coverage::new(),
            notes: Vec::new(),
        };
        let mut folders = Folders::default();
        let replay = Ledger::read(&config.state_dir, job, |line| folders.take(line));
        let mut replay = match replay {
            Ok(replay) => replay,
            Err(error) => {
                read.notes.push(unread(&path, &error));
                return read;
            }
        };
        acknowledgement::count_at_once(&path, &mut replay);
        for (lost, is_known) in replay.lost() {
            if is_known {
                read.acknowledged.add(lost);
            }
        }
        let wanted = folders.recorded().iter().filter(|known| {
            let window = known.archived.window.span();
            !known.is_missing && window.intersection(span).is_some()
        });
        for line in wanted.map(|known| &known.archived) {
            let known = Known {
                manifest: Some(line.manifest_sha256),
                is_contradicted: replay.incomplete.is_contradicted(line.window),
                is_acknowledged: replay.incomplete.is_acknowledged(line.window),
            };
            // Each line of a window comes after those that it supersedes.
            read.newest
                .insert(line.window, (line.folder.clone(), known));
        }
        let gone = replay.missing.spans().into_iter();
        let gone = gone.filter(|gone| gone.intersection(span).is_some());
        read.gone = gone
            .map(|gone| {
                let window = Window::of(gone);
                let before = replay.missing.of(window);
                (window, before.map(|before| before.folder.clone()))
            })
            .collect();
        read
    }
}

impl Recorded {
    /// What is to be told of windows that are recorded missing.
    fn recorded_missing(&self, held: &[Held]) -> Vec<Note> {
        let told = |(window, folder): &(Window, Option<String>)| {
            let here = held.iter().find(|held| held.window == *window);
            let is_back = here.is_some_and(|here| Some(&here.folder) == folder.as_ref());
            if is_back {
                return Note::Said(format!(
                    "{window}: its folder was recorded missing and is back; `elsa-archiver repair` takes it"
                ));
            }
            let what = format!(
                "{window}: the folder archived last is missing, or was set aside; what is written of it, if anything, \
                 is what was archived before, or of a part of it since"
            );
            match self.acknowledged.covers(window.span()) {
                true => Note::Said(what),
                false => Note::Incomplete(what),
            }
        };
        self.gone.iter().map(told).collect()
    }
}

/// The folders that a ledger has recorded and that are not there. A newer one that it lacks, after a crash, is as good.
fn missing(held: &[Held], recorded: &BTreeMap<Window, (String, Known)>) -> Vec<Note> {
    let held: HashMap<Window, &Held> = held.iter().map(|held| (held.window, held)).collect();
    let is_there = |window: &Window, folder: &String| {
        let here = held.get(window);
        here.is_some_and(|here| here.folder == *folder || is_newer(here, folder))
    };
    let gone = recorded
        .iter()
        .filter(|(window, (folder, _))| !is_there(window, folder));
    gone.map(|(_, (folder, _))| {
        Note::Damaged(Finding {
            folder: folder.clone(),
            file: None,
            problem: Problem::Missing,
        })
    })
    .collect()
}

/// Tells folders that hold instants of others: their records come twice.
fn overlaps(held: &[Held], notes: &mut Vec<Note>) {
    let mut until = None;
    for held in held {
        if until.is_some_and(|until| held.window.from() < until) {
            notes.push(Note::Damaged(Finding {
                folder: held.folder.clone(),
                file: None,
                problem: Problem::Overlaps,
            }));
        }
        until = until.max(Some(held.window.to()));
    }
}

/// Whether what lies there is a newer revision than the recorded `folder`.
fn is_newer(here: &Held, folder: &str) -> bool {
    let name = folder.rsplit('/').next().and_then(FolderName::parse);
    name.is_some_and(|named| here.revision > named.revision)
}

fn unread(path: &Path, error: &LedgerError) -> Note {
    let said = || format!("{error}; what is missing is known from the folders alone");
    match error {
        // A collector may read the archive and not the state.
        LedgerError::Unreadable { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Note::Said(said())
        }
        LedgerError::Unreadable { .. } | LedgerError::Newer { .. } => Note::Incomplete(said()),
        _ => Note::Damaged(Finding {
            folder: String::new(),
            file: Some(path.display().to_string()),
            problem: Problem::Unreadable(error.to_string()),
        }),
    }
}

pub(super) fn span((from, to): (&str, &str), zone: Option<&Zone>) -> Result<Span, Stop> {
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
