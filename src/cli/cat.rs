//! `cat` and `files`: the records of a span, and the paths that they are read from. Carries *Candid*: what is missing
//! or damaged is told on stderr and in the exit code, and the rest goes on.

use std::io::{self, IsTerminal as _, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::available_parallelism;

use super::Context;
use super::exit::Stop;
use super::holdings::{Holdings, Source, Told};
use crate::archive::reading::{self, Extracted, Filter, Found, Held, Note, Selection, Wanted};
use crate::domain::job::Format;
use crate::durable::AskedFor;
use crate::printable;

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
    let mut told = Told::of(context.terminal, &holdings);
    let wanted = |format| Wanted {
        root: &holdings.root,
        job: holdings.job.as_str(),
        selection: Selection {
            span: holdings.span,
            filter: &filter,
            format,
            zone: holdings.records_zone.as_ref(),
        },
    };
    let newest = holdings.held.last();
    // What is wrong with its manifest is told when it is read.
    let format = newest
        .and_then(|newest| reading::manifest(wanted(Format::Json), newest, None).ok())
        .map_or(Format::Json, |manifest| manifest.request.format);
    let wanted = wanted(how.format.unwrap_or(format));
    let mut out = Out::open(how.output)?;
    let written = write(context, &holdings, wanted, &mut out, &mut told);
    context.terminal.clear();
    written.and_then(|()| out.close()).map_err(|error| {
        let place = how
            .output
            .map(|path| printable::whole(&path.to_string_lossy()));
        let place = place.unwrap_or_else(|| "stdout".into());
        Stop::failed(format!("can't write to {place}: {error}"))
    })?;
    told.end(Some(out.records))
}

/// Reads the windows ahead, and writes their records in order. A reader that has gone ends it.
fn write(
    context: &Context<'_>,
    holdings: &Holdings,
    wanted: Wanted<'_>,
    out: &mut Out,
    told: &mut Told,
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
                Found::Note(_) => 0,
            };
            hand_on(found, bytes)
        };
        // What was broken off is not wanted any more.
        let _ = reading::read(wanted, held, holdings.known(held), &mut found);
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
    /// The folder whose columns are others; its records are left out.
    left_out: Option<String>,
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
            Some(path) => To::File(AskedFor::open(path).map_err(|error| {
                Stop::failed(format!("can't write {}: {error}", path.display()))
            })?),
        };
        Ok(Self {
            to,
            header: None,
            left_out: None,
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

    /// Takes what comes of a folder. There is one header: files with other columns are left out.
    fn take(&mut self, held: &Held, found: Extracted, told: &mut Told) -> io::Result<()> {
        match found {
            Extracted::Header(header) => {
                self.left_out = None;
                match &self.header {
                    None => {
                        self.write(&header)?;
                        self.header = Some(header);
                    }
                    Some(first) if first.trim_ascii_end() != header.trim_ascii_end() => {
                        told.note(Note::Incomplete(format!(
                            "{}: its columns are others than those before, so its records are left out; --format \
                             json has them too",
                            held.folder
                        )));
                        self.left_out = Some(held.folder.clone());
                    }
                    Some(_) => {}
                }
                Ok(())
            }
            Extracted::Records(..) if self.left_out.as_ref() == Some(&held.folder) => Ok(()),
            Extracted::Records(bytes, records) => {
                self.records += records;
                self.write(&bytes)
            }
        }
    }

    fn close(&mut self) -> io::Result<()> {
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
    let mut told = Told::of(context.terminal, &holdings);
    let end: u8 = if is_null { 0 } else { b'\n' };
    let mut out = Out::open(None)?;
    let no_filter = Filter::default();
    let wanted = Wanted {
        root: &holdings.root,
        job: holdings.job.as_str(),
        selection: Selection {
            span: holdings.span,
            filter: &no_filter,
            format: Format::Json,
            zone: None,
        },
    };
    for held in &holdings.held {
        let paths = match reading::paths(wanted, held, holdings.known(held)) {
            Ok(paths) => paths,
            Err(note) => {
                told.note(note);
                continue;
            }
        };
        for path in paths {
            let line = [path.as_os_str().as_bytes(), &[end]].concat();
            match out.write(&line) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => {
                    return Err(Stop::failed(format!("can't write to stdout: {error}")));
                }
                Ok(()) => {}
            }
        }
    }
    out.close()
        .map_err(|error| Stop::failed(format!("can't write to stdout: {error}")))?;
    told.end(None)
}
