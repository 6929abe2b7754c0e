//! Makes the zip of one download: which records, in which order, in which files. *Bounded*: the
//! records go one at a time through the compressor into a file that has no name any more.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use tokio_util::sync::CancellationToken;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::domain::job::Format;

use super::dialect::{CsvLayout, Dialect, EmptyAnswer, JsonLayout};
use super::lie::{self, LieKind};
use super::render::Rendering;
use super::request::Download;
use super::world::{Project, Visible};

/// A zip in a file that only this handle reaches.
#[derive(Debug)]
pub(super) struct Zip {
    pub(super) file: File,
    /// Length in bytes.
    pub(super) length: u64,
}

/// The numbers of the records that answer a request, in the order in which they are written, as
/// `lies` leave them. `visible` is which of them are there.
pub(super) fn select(
    project: &Project,
    download: &Download,
    dialect: &Dialect,
    visible: Visible,
    lies: &[LieKind],
    stop: &CancellationToken,
) -> io::Result<Vec<u64>> {
    let found = project.found(download.from, download.to, dialect.to_bound);
    let mut seqs: Vec<u64> = found
        .map(|index| index as u64)
        .filter(|&seq| project.indexed_at(seq).is_some_and(|at| at <= visible.at))
        .filter(|&seq| project.keeps(seq, visible.kept_from))
        .collect();
    dialect.order.arrange(&mut seqs);
    let span = dialect.span(download.from, download.to);
    for lie in lies {
        lie.hide(project, span, &mut seqs);
    }
    let cap = u64::from(download.count).min(dialect.hidden_cap.unwrap_or(u64::MAX));
    seqs.truncate(usize::try_from(cap).unwrap_or(usize::MAX));
    for lie in lies {
        match *lie {
            LieKind::LostPage => lie::lose_page(&mut seqs, download.limit),
            LieKind::DoubledPage => lie::double_page(&mut seqs, download.limit),
            LieKind::RepeatedPage => lie::repeat_page(&mut seqs, download.limit),
            LieKind::CapBytes(most) => loop {
                let length = write(project, &seqs, download, dialect, stop)?.length;
                let kept = seqs.len() as u64;
                if length <= most || kept == 0 {
                    break;
                }
                // A zip grows about evenly with its records, so this comes close from above.
                let fewer = u128::from(kept) * u128::from(most) / u128::from(length);
                seqs.truncate((fewer as usize).min(seqs.len() - 1));
            },
            _ => {}
        }
    }
    Ok(seqs)
}

/// Writes the zip with these records. Blocks; ends early, with an error, once `stop` is cancelled.
pub(super) fn write(
    project: &Project,
    seqs: &[u64],
    download: &Download,
    dialect: &Dialect,
    stop: &CancellationToken,
) -> io::Result<Zip> {
    let mut pages = Pages {
        project,
        rendering: Rendering::new(&download.include_fields, dialect.time),
        format: download.format,
        dialect,
        zip: ZipWriter::new_stream(BufWriter::new(tempfile::tempfile()?)),
        stop,
        scratch: Vec::new(),
    };
    let in_pages = match download.format {
        Format::Json => dialect.json == JsonLayout::Pages,
        Format::Csv => dialect.csv == CsvLayout::Pages,
    };
    if seqs.is_empty() {
        match dialect.empty {
            EmptyAnswer::EmptyFile => pages.begin(1)?,
            EmptyAnswer::EmptyList => pages.page(1, &[])?,
            EmptyAnswer::NoEntry
            | EmptyAnswer::NotFound
            | EmptyAnswer::NoContent
            | EmptyAnswer::NotFoundIn200 => {}
        }
    } else if in_pages {
        for (number, page) in (1..).zip(seqs.chunks(download.limit.max(1) as usize)) {
            pages.page(number, page)?;
        }
    } else {
        pages.page(1, seqs)?;
    }
    let written = pages.zip.finish()?.into_inner();
    let file = written
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    let length = file.metadata()?.len();
    Ok(Zip { file, length })
}

/// The files of one zip, being written.
struct Pages<'a> {
    project: &'a Project,
    rendering: Rendering,
    format: Format,
    dialect: &'a Dialect,
    zip: ZipWriter<StreamWriter<BufWriter<File>>>,
    stop: &'a CancellationToken,
    scratch: Vec<u8>,
}

impl Pages<'_> {
    fn begin(&mut self, number: usize) -> io::Result<()> {
        let extension = match self.format {
            Format::Json => "json",
            Format::Csv => "csv",
        };
        // The lowest level: what takes time here is time that a test waits.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1));
        Ok(self
            .zip
            .start_file(format!("logs-{number:04}.{extension}"), options)?)
    }

    fn page(&mut self, number: usize, seqs: &[u64]) -> io::Result<()> {
        self.begin(number)?;
        let is_array = matches!(self.dialect.json, JsonLayout::Array | JsonLayout::Pages);
        match self.format {
            Format::Csv => self
                .rendering
                .csv_header(self.dialect.newline, &mut self.scratch),
            Format::Json if is_array => self.scratch.push(b'['),
            Format::Json => {}
        }
        for (place, &seq) in seqs.iter().enumerate() {
            self.record(place, seq)?;
            self.zip.write_all(&self.scratch)?;
            self.scratch.clear();
        }
        if self.format == Format::Json && is_array {
            self.scratch.push(b']');
        }
        self.zip.write_all(&self.scratch)?;
        self.scratch.clear();
        Ok(())
    }

    /// Appends one record and what separates it from its neighbours.
    fn record(&mut self, place: usize, seq: u64) -> io::Result<()> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the simulator is shutting down"));
        }
        let Some(record) = self.project.record(seq) else {
            return Ok(());
        };
        let out = &mut self.scratch;
        if self.format == Format::Csv {
            self.rendering.csv_row(&record, self.dialect.newline, out);
            return Ok(());
        }
        match self.dialect.json {
            JsonLayout::Array | JsonLayout::Pages if place > 0 => out.push(b','),
            JsonLayout::Concatenated => out.extend_from_slice([&b" "[..], b"", b"\t"][place % 3]),
            JsonLayout::Array | JsonLayout::Pages | JsonLayout::Lines => {}
        }
        self.rendering.json(&record, out)?;
        if self.dialect.json == JsonLayout::Lines {
            out.push(b'\n');
        }
        Ok(())
    }
}
