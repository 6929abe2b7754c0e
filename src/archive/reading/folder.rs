//! The records of one window's folder that lie in a span. Carries *Candid*: what its manifest does not vouch for is
//! told beside them.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::extract::{Doubts, Extract, Extracted, Origin, Selection};
use super::newest::Held;
use super::whole::Whole;
use crate::archive::count::Kind;
use crate::archive::fits::{self, Claim};
use crate::archive::manifest::{MANIFEST, Manifest, Part};
use crate::archive::plain_file::MOST_TEXT;
use crate::archive::prune;
use crate::archive::read_back::{PartFiles, ReadBackError};
use crate::archive::storage::{self, Storage, below};
use crate::archive::verify::{Finding, Problem, reading};
use crate::digest::Digest;
use crate::domain::job::Format;
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::printable;

/// Whose folders are read, and where they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// What the folders' names are relative to.
    pub(crate) storage: &'a dyn Storage,
    /// The job.
    pub(crate) job: &'a str,
}

/// What is found in a folder.
#[derive(Debug)]
pub(crate) enum Found {
    /// Records, and headers of theirs.
    Extracted(Extracted),
    /// Something that is to be told.
    Note(Note),
}

/// What is to be told of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// What it holds is not what was archived.
    Damaged(Finding),
    /// Some of what was logged may be missing.
    Incomplete(String),
    /// Nothing is missing.
    Said(String),
    /// How many CSV files were written as JSON.
    Converted(u64),
}

/// What a ledger says of a window's folder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The digest of its manifest.
    pub(crate) manifest: Option<Digest>,
    /// Whether a second answer has contradicted it since.
    pub(crate) is_contradicted: bool,
    /// Whether the operator knows that it is not complete.
    pub(crate) is_acknowledged: bool,
}

impl Known {
    /// That some of what was logged may be missing, as far as nobody knows it.
    fn incomplete(self, what: String) -> Note {
        match self.is_acknowledged {
            true => Note::Said(format!("{what} (acknowledged)")),
            false => Note::Incomplete(what),
        }
    }

    /// What `manifest` of `folder`, or the ledger, does not vouch for.
    fn doubt(self, folder: &str, manifest: &Manifest) -> Option<Note> {
        let doubt = match manifest.status {
            Status::Truncated => "truncated: the service may have left logs out",
            Status::Unproven => "unproven: what it holds is not certain",
            Status::Complete if self.is_contradicted => {
                "unproven: a second answer of the service contradicts it"
            }
            Status::Complete => return None,
        };
        Some(self.incomplete(format!("{folder}: {doubt}")))
    }
}

/// Hands on the records of a window that are wanted, in the order of its files, until `out` breaks off.
pub(crate) fn read(
    place: Place<'_>,
    selection: Selection<'_>,
    (held, known): (&Held, Known),
    out: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let manifest = match manifest(place, held, known) {
        Ok(manifest) => manifest,
        Err(finding) => return out(Found::Note(told(finding))),
    };
    if let Some(doubt) = known.doubt(&held.folder, &manifest) {
        out(Found::Note(doubt))?;
    }
    if prune::is_pruned(place.storage, &held.folder) {
        return out(Found::Note(pruned(&held.folder)));
    }
    let folder = Folder {
        name: &held.folder,
        storage: place.storage,
        known,
        manifest: &manifest,
    };
    let mut left_out = 0;
    for (part, span) in parts_in(&manifest, selection.span) {
        left_out += folder.read_part(selection, part, span, out)?;
    }
    if left_out > 0 {
        let what = format!(
            "{}: files that are JSON are left out ({left_out}); --format json has them too",
            held.folder
        );
        out(Found::Note(Note::Incomplete(what)))?;
    }
    ControlFlow::Continue(())
}

/// The parts that hold instants of `wanted`, with their spans.
fn parts_in(manifest: &Manifest, wanted: Span) -> impl Iterator<Item = (&Part, Span)> {
    manifest.parts.iter().filter_map(move |part| {
        let span = Span::new(part.from_ms, part.to_ms)?;
        span.intersection(wanted).map(|_| (part, span))
    })
}

/// The manifest of a folder, where it can be what the folder is called.
pub(crate) fn manifest(place: Place<'_>, held: &Held, known: Known) -> Result<Manifest, Finding> {
    let finding = |problem| Finding {
        folder: held.folder.clone(),
        file: Some(MANIFEST.into()),
        problem,
    };
    let path = below(&held.folder, MANIFEST);
    let json =
        storage::read(place.storage, &path, MOST_TEXT).map_err(|error| finding(reading(&error)))?;
    if known
        .manifest
        .is_some_and(|known| known != Digest::of(&json))
    {
        return Err(finding(Problem::Changed));
    }
    let manifest = Manifest::parse(&json).map_err(|why| finding(Problem::Unreadable(why)))?;
    let claim = Claim {
        job: place.job,
        project_id: None,
        folder: &held.folder,
    };
    match fits::check(&manifest, claim) {
        Ok(()) => Ok(manifest),
        Err(unfit) => Err(finding(Problem::Unfit(unfit.to_string()))),
    }
}

/// The paths that [`read`] would read of `wanted`, in its order, and what is to be told of them.
///
/// # Errors
/// When its manifest can't be read, or is not what the folder is called.
pub(crate) fn paths(
    place: Place<'_>,
    wanted: Span,
    (held, known): (&Held, Known),
) -> Result<(Vec<PathBuf>, Option<Note>), Note> {
    let manifest = manifest(place, held, known).map_err(told)?;
    if prune::is_pruned(place.storage, &held.folder) {
        return Err(pruned(&held.folder));
    }
    let parts = parts_in(&manifest, wanted).map(|(part, _)| part);
    let stored = parts.flat_map(Part::stored);
    let paths = stored
        .map(|file| place.storage.place(&below(&held.folder, file.path)))
        .collect();
    Ok((paths, known.doubt(&held.folder, &manifest)))
}

/// That the data of a folder were let go of.
fn pruned(folder: &str) -> Note {
    Note::Incomplete(format!(
        "{folder}: its data were let go of (pruned); a copy elsewhere may have them: `cat --dir COPY`"
    ))
}

fn told(finding: Finding) -> Note {
    match finding.problem {
        Problem::Unreachable(_) => Note::Incomplete(finding.to_string()),
        _ => Note::Damaged(finding),
    }
}

/// So many records, how it is told, and what of them.
type Counted = (u64, fn(String) -> Note, &'static str);

/// What takes the records out of a file.
enum Taker<'a> {
    /// All of them.
    Whole(Whole),
    /// Those that are wanted.
    Some(Box<Extract<'a>>),
}

/// Whether all records of a file are wanted as they are: by the times that it held when it was archived, none of them can
/// lie outside.
fn is_whole(selection: Selection<'_>, origin: Origin, kind: Kind) -> bool {
    let is_plain =
        (kind, selection.format) == (Kind::Json, Format::Json) && selection.filter.is_empty();
    let is_inside = selection.span.covers(origin.part);
    let lies = |(first, last)| origin.part.contains(first) && origin.part.contains(last);
    is_plain && is_inside && origin.is_complete && origin.times.is_some_and(lies)
}

/// A folder whose manifest was read.
struct Folder<'a> {
    name: &'a str,
    storage: &'a dyn Storage,
    known: Known,
    manifest: &'a Manifest,
}

impl Folder<'_> {
    /// What is told of a file that can't be read: its data may have been let go of meanwhile.
    fn told(&self, finding: Finding) -> Note {
        match prune::is_pruned(self.storage, self.name) {
            true => pruned(self.name),
            false => told(finding),
        }
    }

    fn finding(&self, file: &str, error: ReadBackError) -> Finding {
        Finding {
            folder: self.name.to_owned(),
            file: Some(file.to_owned()),
            problem: match error {
                ReadBackError::Io(error) => reading(&error),
                ReadBackError::Changed => Problem::Changed,
                other => Problem::Unreadable(other.to_string()),
            },
        }
    }

    /// Hands on what is wanted of a part. Returns how many files are left out, since they are JSON and CSV is wanted.
    fn read_part(
        &self,
        selection: Selection<'_>,
        part: &Part,
        span: Span,
        out: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> ControlFlow<(), u64> {
        let mut files = match PartFiles::open((self.storage, self.name), part, &|| false) {
            Ok(files) => files,
            Err(error) => {
                let zip = part.zip.path.as_deref().unwrap_or_default();
                out(Found::Note(self.told(self.finding(zip, error))))?;
                return ControlFlow::Continue(0);
            }
        };
        let request = &self.manifest.request;
        let mut left_out = 0;
        for (at, file) in part.files.iter().enumerate() {
            let kind = Kind::of(&file.path, request.format);
            match (kind, selection.format) {
                (Kind::Json, Format::Csv) => {
                    left_out += 1;
                    continue;
                }
                (Kind::Csv, Format::Json) => out(Found::Note(Note::Converted(1)))?,
                _ => {}
            }
            let origin = Origin {
                part: span,
                is_complete: part.status == Status::Complete,
                times: file.first_ms.zip(file.last_ms),
            };
            let mut taker = match file.records.filter(|_| is_whole(selection, origin, kind)) {
                Some(records) => Taker::Whole(Whole::new(records)),
                None => {
                    let fields = &request.include_fields;
                    Taker::Some(Box::new(Extract::new(selection, origin, kind, fields)))
                }
            };
            let mut flow = ControlFlow::Continue(());
            let mut hand_on = |found| {
                if flow.is_continue() {
                    flow = out(Found::Extracted(found));
                }
                flow.is_continue()
            };
            let read = files.read(at, &mut |piece| {
                let mut goes_on = true;
                let mut hand_on = |found| goes_on = hand_on(found);
                let more = match &mut taker {
                    Taker::Whole(whole) => {
                        whole.feed(piece, &mut hand_on);
                        true
                    }
                    Taker::Some(extract) => extract.feed(piece, &mut hand_on),
                };
                match more && goes_on {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            let doubts = match read {
                // What came of it is written already, and its last record may be half of one.
                Err(error) => Err(self.finding(&file.path, error)),
                Ok(()) => Ok(match taker {
                    Taker::Whole(whole) => whole.finish(),
                    Taker::Some(extract) => extract.finish(&mut |found| _ = hand_on(found)),
                }),
            };
            flow?;
            match doubts {
                Err(finding) => out(Found::Note(self.told(finding)))?,
                Ok(doubts) => {
                    for note in self.words(&file.path, &doubts) {
                        out(Found::Note(note))?;
                    }
                }
            }
        }
        files.leave_the_cache();
        ControlFlow::Continue(left_out)
    }

    /// What is to be told of a file.
    fn words(&self, file: &str, doubts: &Doubts) -> Vec<Note> {
        let path = format!("{}/{}", self.name, printable::whole(file));
        let records = |number: u64| match number {
            1 => "1 record".to_owned(),
            number => format!("{number} records"),
        };
        let counted: [Counted; 6] = [
            (
                doubts.undated,
                Note::Said,
                "without a time that can be read, at the edge of the span; written all the same",
            ),
            (
                doubts.outside,
                Note::Said,
                "with a time outside its part of the window, written all the same; was `time_zone_of_records` another \
                 one?",
            ),
            (
                doubts.beyond,
                Note::Said,
                "with a time outside its part of the window, which another window may hold too",
            ),
            (
                doubts.shifted,
                Note::Incomplete,
                "left out: their times are others than when they were archived; was `time_zone_of_records` another \
                 one?",
            ),
            (
                doubts.uncompared,
                Note::Incomplete,
                "whose fields can't be compared, left out",
            ),
            (
                doubts.replaced,
                Note::Incomplete,
                "with bytes that are no UTF-8, which JSON can't hold; they are replaced",
            ),
        ];
        let counted = counted.into_iter().filter(|(number, ..)| *number > 0);
        let mut notes: Vec<Note> = counted
            .map(|(number, note, what)| note(format!("{path}: {} {what}", records(number))))
            .collect();
        if let Some((found, counted)) = doubts.miscounted {
            notes.push(Note::Incomplete(format!(
                "{path}: {found} records were found, and {counted} were counted when it was archived; please report it"
            )));
        }
        if let Some(why) = &doubts.uncountable {
            notes.push(self.known.incomplete(format!(
                "{path}: {why}; what follows is not written, `elsa-archiver files` says where it lies"
            )));
        }
        if doubts.too_long {
            notes.push(Note::Incomplete(format!(
                "{path}: a record of more than 64 MiB, which is not written, nor what follows"
            )));
        }
        notes
    }
}
