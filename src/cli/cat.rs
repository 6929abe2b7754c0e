//! `cat` and `files`: the records of a span, and the paths that they are read from. Carries *Candid*: what is missing
//! or damaged is told on stderr and in the exit code, and the rest goes on.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::available_parallelism;

use super::Context;
use super::exit::Stop;
use super::holdings::{Holdings, Source, Told};
use crate::archive::reading::{self, Extracted, Filter, Found, Held, Note, Selection};
use crate::domain::job::Format;
use crate::durable::AskedFor;

/// About what a line for stderr takes in memory.
const NOTE_BYTES: usize = 256;

/// What `cat` was asked for, beside the span.
#[derive(Debug)]
pub(super) struct How<'a> {
    /// How records are written; `None` as the newest window has them.
    pub(super) format: Option<Format>,
    /// Where to; `None` for stdout.
    pub(super) output: Option<&'a Path>,
    /// Fields that they must have.
    pub(super) filter: &'a [String],
}

/// Writes the records of a span.
pub(super) fn cat(
    context: &Context<'_>,
    source: Source<'_>,
    (from, to): (&str, &str),
    how: &How<'_>,
) -> Result<(), Stop> {
    let filter = Filter::parse(how.filter).map_err(|why| Stop::usage(&format!("--where {why}")))?;
    let holdings = Holdings::find(context, source, (from, to))?;
    let mut told = Told::of(context, &holdings);
    // What is wrong with a manifest is told when its records are read.
    let mut newest = holdings.held.iter().rev();
    let newest = newest
        .find_map(|held| reading::manifest(holdings.place(), held, holdings.known(held)).ok());
    let archived = newest.map_or(Format::Json, |manifest| manifest.request.format);
    let selection = Selection {
        span: holdings.span,
        filter: &filter,
        format: how.format.unwrap_or(archived),
        zone: holdings.records_zone.as_ref(),
    };
    let mut out = Out::open(how.output)?;
    let written = write(context, &holdings, selection, &mut out, &mut told);
    context.terminal.clear();
    let written = written.and_then(|()| out.close());
    written.map_err(|error| match how.output {
        Some(path) => cant_write(&path.display(), &error),
        None => cant_write(&"to stdout", &error),
    })?;
    told.end(Some(out.records))
}

fn cant_write(place: &dyn Display, error: &io::Error) -> Stop {
    Stop::failed(format!("can't write {place}: {error}"))
}

/// Reads the windows ahead, and writes their records in order. A reader that has gone ends it.
fn write(
    context: &Context<'_>,
    holdings: &Holdings,
    selection: Selection<'_>,
    out: &mut Out,
    told: &mut Told<'_>,
) -> io::Result<()> {
    let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let shown = match out.is_terminal() {
        // Records and a bar would be written over each other.
        true => None,
        false => Some(context.terminal.bar("reading", holdings.held.len() as u64)),
    };
    let make = |at: usize, hand_on: &mut dyn FnMut(Found, usize) -> ControlFlow<()>| {
        let held = &holdings.held[at];
        let mut found = |found| {
            let bytes = match &found {
                Found::Extracted(extracted) => extracted.bytes(),
                Found::Note(_) => NOTE_BYTES,
            };
            hand_on(found, bytes)
        };
        // What was broken off is not wanted any more.
        let known = holdings.known(held);
        let _ = reading::read(holdings.place(), selection, (held, known), &mut found);
    };
    let mut failed = None;
    reading::in_order(threads, holdings.held.len(), make, |at, found| {
        if let Some(bar) = &shown {
            bar.set_position(at as u64);
        }
        match found {
            Found::Note(note) => told.note(note),
            Found::Extracted(extracted) => {
                if let Err(why) = out.take(&holdings.held[at], extracted, told) {
                    failed = Some(why);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    });
    match failed {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Where records go.
struct Out {
    to: To,
    /// The header that was written.
    header: Option<Vec<u8>>,
    /// The header of the file that is read, until a record of it comes.
    next_header: Option<Vec<u8>>,
    /// Whether the file that is read has other columns than those before.
    is_left_out: bool,
    /// The folder of which that was told last.
    told_of: Option<String>,
    records: u64,
}

enum To {
    Stdout(io::Stdout),
    File(AskedFor),
}

impl Out {
    fn open(path: Option<&Path>) -> Result<Self, Stop> {
        let to = match path {
            None => To::Stdout(io::stdout()),
            // What a shell has put there before stays.
            Some(path) if path == Path::new("/dev/stdout") => To::Stdout(io::stdout()),
            Some(path) => To::File(AskedFor::open(path).map_err(|error| {
                Stop::failed(format!("can't write {}: {error}", path.display()))
            })?),
        };
        Ok(Self {
            to,
            header: None,
            next_header: None,
            is_left_out: false,
            told_of: None,
            records: 0,
        })
    }

    fn is_terminal(&self) -> bool {
        match &self.to {
            To::Stdout(stdout) => stdout.is_terminal(),
            To::File(_) => false,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.to {
            To::Stdout(stdout) => stdout.write_all(bytes),
            To::File(file) => file.write_all(bytes),
        }
    }

    /// Takes what comes of a folder. There is one header: files with other columns are left out. One without a record
    /// counts only where no file has any.
    fn take(&mut self, held: &Held, found: Extracted, told: &mut Told<'_>) -> io::Result<()> {
        let (bytes, records) = match found {
            Extracted::Header(header) => {
                self.is_left_out = false;
                self.next_header = Some(header);
                return Ok(());
            }
            Extracted::Records(bytes, records) => (bytes, records),
        };
        if let Some(next) = self.next_header.take() {
            match &self.header {
                None => {
                    self.write(&next)?;
                    self.header = Some(next);
                }
                Some(first) if first.trim_ascii_end() != next.trim_ascii_end() => {
                    self.is_left_out = true;
                    if self.told_of.as_ref() != Some(&held.folder) {
                        self.told_of = Some(held.folder.clone());
                        told.note(Note::Incomplete(format!(
                            "{}: its columns are others than those before, so its records are left out; --format \
                             json has them too",
                            held.folder
                        )));
                    }
                }
                Some(_) => {}
            }
        }
        if self.is_left_out {
            return Ok(());
        }
        self.records += records;
        self.write(&bytes)
    }

    /// Writes what is left.
    fn close(&mut self) -> io::Result<()> {
        if self.header.is_none()
            && let Some(only) = self.next_header.take()
        {
            match self.write(&only) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        match &mut self.to {
            To::Stdout(stdout) => match stdout.flush() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                flushed => flushed,
            },
            To::File(file) => file.close(),
        }
    }
}

/// Lists the paths that `cat` would read.
pub(super) fn files(
    context: &Context<'_>,
    source: Source<'_>,
    (from, to): (&str, &str),
    is_null: bool,
) -> Result<(), Stop> {
    let holdings = Holdings::find(context, source, (from, to))?;
    let mut told = Told::of(context, &holdings);
    let end: u8 = if is_null { 0 } else { b'\n' };
    let mut out = Out::open(None)?;
    let mut list = || {
        for held in &holdings.held {
            let known = holdings.known(held);
            match reading::paths(holdings.place(), holdings.span, (held, known)) {
                Ok((paths, doubt)) => {
                    doubt.into_iter().for_each(|doubt| told.note(doubt));
                    for path in paths {
                        out.write(&[path.as_os_str().as_bytes(), &[end]].concat())?;
                    }
                }
                Err(note) => told.note(note),
            }
        }
        out.close()
    };
    match list() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(cant_write(&"to stdout", &error))
        }
        _ => told.end(None),
    }
}
