//! The records of one window's folder that lie in a span. Carries *Candid*: what its manifest does not vouch for is
//! told beside them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::extract::{Doubts, Extract, Extracted, Selection};
use super::newest::Held;
use crate::archive::count::Kind;
use crate::archive::fits::{self, Claim};
use crate::archive::manifest::{MANIFEST, Manifest, Part};
use crate::archive::plain_file;
use crate::archive::read_back::{PartFiles, ReadBackError};
use crate::archive::verify::{Finding, Problem, reading};
use crate::digest::Digest;
use crate::domain::job::Format;
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::printable;

/// What is wanted, of which job, from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// What the folders' names are relative to.
    pub(crate) root: &'a Path,
    /// The job.
    pub(crate) job: &'a str,
    /// Which records.
    pub(crate) selection: Selection<'a>,
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
    /// Whether the operator knows that it is not complete.
    pub(crate) is_acknowledged: bool,
}

/// Hands on the records of a window that are wanted, in the order of its files, until `out` breaks off.
pub(crate) fn read(
    wanted: Wanted<'_>,
    held: &Held,
    known: Known,
    out: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let manifest = match manifest(wanted, held, known.manifest) {
        Ok(manifest) => manifest,
        Err(finding) => return out(Found::Note(told(finding))),
    };
    let folder = &held.folder;
    let doubt = match manifest.status {
        Status::Complete => None,
        Status::Truncated => Some("truncated: the service may have left logs out"),
        Status::Unproven => Some("unproven: what it holds is not certain"),
    };
    if let Some(doubt) = doubt {
        out(Found::Note(match known.is_acknowledged {
            true => Note::Said(format!("{folder}: {doubt} (acknowledged)")),
            false => Note::Incomplete(format!("{folder}: {doubt}")),
        }))?;
    }
    for part in &manifest.parts {
        let span = Span::new(part.from_ms, part.to_ms);
        if span.is_some_and(|span| span.intersection(wanted.selection.span).is_some()) {
            read_part(wanted, held, (&manifest, part), out)?;
        }
    }
    ControlFlow::Continue(())
}

/// The manifest of a folder, where it can be what the folder is called.
pub(crate) fn manifest(
    wanted: Wanted<'_>,
    held: &Held,
    expected: Option<Digest>,
) -> Result<Manifest, Finding> {
    let finding = |problem| Finding {
        folder: held.folder.clone(),
        file: Some(MANIFEST.into()),
        problem,
    };
    let place = wanted.root.join(&held.folder).join(MANIFEST);
    let json = plain_file::read(&place).map_err(|error| finding(reading(&error)))?;
    if expected.is_some_and(|expected| expected != Digest::of(&json)) {
        return Err(finding(Problem::Changed));
    }
    let manifest = Manifest::parse(&json).map_err(|why| finding(Problem::Unreadable(why)))?;
    let claim = Claim {
        job: wanted.job,
        project_id: None,
        folder: &held.folder,
    };
    match fits::check(&manifest, claim) {
        Ok(()) => Ok(manifest),
        Err(unfit) => Err(finding(Problem::Unfit(unfit.to_string()))),
    }
}

/// The paths that [`read`] would read, in its order.
///
/// # Errors
/// When its manifest can't be read, or is not what the folder is called.
pub(crate) fn paths(wanted: Wanted<'_>, held: &Held, known: Known) -> Result<Vec<PathBuf>, Note> {
    let manifest = manifest(wanted, held, known.manifest).map_err(told)?;
    let folder = wanted.root.join(&held.folder);
    let is_wanted = |part: &&Part| {
        let span = Span::new(part.from_ms, part.to_ms);
        span.is_some_and(|span| span.intersection(wanted.selection.span).is_some())
    };
    let parts = manifest.parts.iter().filter(is_wanted);
    let stored = parts.flat_map(Part::stored);
    Ok(stored.map(|file| folder.join(file.path)).collect())
}

fn told(finding: Finding) -> Note {
    match finding.problem {
        Problem::Unreachable(_) => Note::Incomplete(finding.to_string()),
        _ => Note::Damaged(finding),
    }
}

fn read_part(
    wanted: Wanted<'_>,
    held: &Held,
    (manifest, part): (&Manifest, &Part),
    out: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let finding = |file: &str, error: ReadBackError| Finding {
        folder: held.folder.clone(),
        file: Some(file.to_owned()),
        problem: match error {
            ReadBackError::Io(error) => reading(&error),
            ReadBackError::Changed => Problem::Changed,
            other => Problem::Unreadable(other.to_string()),
        },
    };
    let folder = wanted.root.join(&held.folder);
    let mut files = match PartFiles::open(&folder, part) {
        Ok(files) => files,
        Err(error) => {
            let zip = part.zip.path.as_deref().unwrap_or_default();
            return out(Found::Note(told(finding(zip, error))));
        }
    };
    let format = wanted.selection.format;
    for (at, file) in part.files.iter().enumerate() {
        let kind = Kind::of(&file.path, manifest.request.format);
        let path = format!("{}/{}", held.folder, printable::whole(&file.path));
        match (kind, format) {
            (Kind::Json, Format::Csv) => {
                let told = format!("{path}: is JSON, and is left out; --format json has it too");
                out(Found::Note(Note::Incomplete(told)))?;
                continue;
            }
            (Kind::Csv, Format::Json) => out(Found::Note(Note::Converted(1)))?,
            _ => {}
        }
        let Some(span) = Span::new(part.from_ms, part.to_ms) else {
            continue;
        };
        let fields = &manifest.request.include_fields;
        let mut extract = Extract::new(wanted.selection, (span, kind), fields);
        let mut flow = ControlFlow::Continue(());
        let read = files.read(at, &mut |piece| {
            let mut hand_on = |found| {
                if flow.is_continue() {
                    flow = out(Found::Extracted(found));
                }
            };
            match extract.feed(piece, &mut hand_on) && flow.is_continue() {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        flow?;
        if let Err(error) = read {
            out(Found::Note(told(finding(&file.path, error))))?;
            // What came of it is written already, and its last record may be half of one.
            continue;
        }
        let doubts = extract.finish(&mut |found| {
            if flow.is_continue() {
                flow = out(Found::Extracted(found));
            }
        });
        flow?;
        for doubt in words(&doubts) {
            out(Found::Note(match doubt {
                Ok(said) => Note::Said(format!("{path}: {said}")),
                Err(incomplete) => Note::Incomplete(format!("{path}: {incomplete}")),
            }))?;
        }
    }
    ControlFlow::Continue(())
}

/// What is to be told of a file: as an error where records may be missing.
fn words(doubts: &Doubts) -> Vec<Result<String, String>> {
    let mut told = Vec::new();
    let records = |number: u64| match number {
        1 => "1 record".to_owned(),
        number => format!("{number} records"),
    };
    if doubts.undated > 0 {
        told.push(Ok(format!(
            "{} without a time that can be read, at the edge of the span; written all the same",
            records(doubts.undated)
        )));
    }
    if doubts.uncompared > 0 {
        told.push(Err(format!(
            "{} whose fields can't be compared, left out",
            records(doubts.uncompared)
        )));
    }
    if let Some(why) = &doubts.uncountable {
        told.push(Err(format!(
            "{why}; what follows is not written, `elsa-archiver files` says where it lies"
        )));
    }
    if doubts.too_long {
        told.push(Err(
            "a record of more than 64 MiB, which is not written, nor what follows".to_owned(),
        ));
    }
    told
}
