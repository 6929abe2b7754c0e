//! Flaws: zips that can be read and contradict themselves. What is in them follows from the honest
//! answer to the same request. They are small, so they are made in memory.

use std::io::{self, Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::domain::job::Format;

use super::dialect::Dialect;
use super::fault::Flaw;
use super::render::Rendering;
use super::request::Download;
use super::world::Project;

const ERROR: &[u8] = br#"{"error":{"errorCode":"900","message":"unexpected error"}}"#;
const MARK: &[u8] = br#"{"truncated":true}"#;

/// The body of the answer with these records, where `flaw` is wrong with it.
pub(super) fn body(
    project: &Project,
    seqs: &[u64],
    download: &Download,
    dialect: &Dialect,
    flaw: Flaw,
) -> io::Result<Vec<u8>> {
    if flaw == Flaw::ErrorBeforeEnd {
        return Ok([ERROR, b"PK\x05\x06", &[0; 18]].concat());
    }
    let writer = Writer {
        project,
        rendering: Rendering::new(&download.include_fields, dialect.time),
        format: download.format,
        dialect,
        flaw,
    };
    let pages: Vec<&[u64]> = match flaw {
        Flaw::PageMissing | Flaw::LastPageMissing | Flaw::PageShort | Flaw::PageTwice => {
            seqs.chunks(download.limit.max(1) as usize).collect()
        }
        _ => vec![seqs],
    };
    let last = pages.len();
    let mut files = Vec::new();
    for (number, page) in (1..).zip(pages) {
        match (flaw, number) {
            (Flaw::PageMissing, 2) => {}
            (Flaw::LastPageMissing, _) if number == last && number > 1 => {}
            (Flaw::PageShort, 2) => files.push((number, writer.file(&page[..page.len() / 2])?)),
            (Flaw::PageTwice, 2) => {
                let file = writer.file(page)?;
                files.extend([(2, file.clone()), (3, file)]);
            }
            (Flaw::PageTwice, 3..) => files.push((number + 1, writer.file(page)?)),
            _ => files.push((number, writer.file(page)?)),
        }
    }
    zip(&files, download.format)
}

fn zip(files: &[(usize, Vec<u8>)], format: Format) -> io::Result<Vec<u8>> {
    let extension = match format {
        Format::Json => "json",
        Format::Csv => "csv",
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, file) in files {
        zip.start_file(
            format!("logs-{number:04}.{extension}"),
            SimpleFileOptions::default(),
        )?;
        zip.write_all(file)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Writes the files of one answer.
struct Writer<'a> {
    project: &'a Project,
    rendering: Rendering,
    format: Format,
    dialect: &'a Dialect,
    flaw: Flaw,
}

impl Writer<'_> {
    fn file(&self, seqs: &[u64]) -> io::Result<Vec<u8>> {
        let most = match self.flaw {
            Flaw::ErrorAtEnd | Flaw::MarkAtEnd => seqs.len() / 2,
            _ => seqs.len(),
        };
        let records = seqs.iter().take(most);
        let records: io::Result<Vec<Vec<u8>>> = (0..)
            .zip(records)
            .map(|(place, &seq)| self.record(place, seq))
            .collect();
        let mut records = records?;
        match self.flaw {
            Flaw::ErrorAtEnd => records.push(ERROR.to_vec()),
            Flaw::MarkAtEnd => records.push(MARK.to_vec()),
            Flaw::HeaderAgain if self.format == Format::Csv => {
                records.insert(records.len() / 2, self.header());
            }
            _ => {}
        }
        Ok(match self.format {
            Format::Csv => {
                let end = self.dialect.newline.bytes();
                let lines = std::iter::once(self.header()).chain(records);
                lines.flat_map(|line| [&line, end].concat()).collect()
            }
            Format::Json if self.flaw == Flaw::MarkAtEnd => records.join(&b'\n'),
            Format::Json => {
                let list = [b"[", records.join(&b',').as_slice(), b"]"].concat();
                match seqs.first().and_then(|&seq| self.project.record(seq)) {
                    Some(first) if self.flaw == Flaw::Wrapped => {
                        let time = first.log_time.0;
                        let head = format!("{{\"logTime\":{time},\"logs\":");
                        [head.as_bytes(), list.as_slice(), b"}"].concat()
                    }
                    _ => list,
                }
            }
        })
    }

    /// One record, as an object or a row without its end.
    fn record(&self, place: usize, seq: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let Some(record) = self.project.record(seq) else {
            return Ok(out);
        };
        let is_hollow = self.flaw == Flaw::Hollow && place % 10 == 5;
        match self.format {
            Format::Json if is_hollow => out.extend_from_slice(b"{}"),
            Format::Json => self.rendering.json(&record, &mut out)?,
            Format::Csv if is_hollow => {
                let cells = self.header().split(|&byte| byte == b',').count();
                out.resize(cells - 1, b',');
            }
            Format::Csv => {
                if self.flaw == Flaw::TwoTimes {
                    write!(out, "{},", record.log_time.0 - 86_400_000)?;
                }
                self.rendering
                    .csv_row(&record, self.dialect.newline, &mut out);
                out.truncate(out.len() - self.dialect.newline.bytes().len());
            }
        }
        Ok(out)
    }

    /// The header of CSV, without its end.
    fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.flaw == Flaw::TwoTimes {
            out.extend_from_slice(b"logTime,");
        }
        self.rendering.csv_header(self.dialect.newline, &mut out);
        out.truncate(out.len() - self.dialect.newline.bytes().len());
        out
    }
}
