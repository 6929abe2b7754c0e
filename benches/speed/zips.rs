//! Answers as the service gives them: records of the simulator, in a zip whose sizes stand behind the data
//! (bit 3), as Java writes it.

use std::io::{self, Cursor, Write as _};

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{Project, Rendering, TimeStyle};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Records of a window: just below what one download is asked for.
pub const RECORDS: usize = 179_333;
/// The length of the text of a body on average, in bytes.
const BODY_BYTES: usize = 292;

/// How many entries the zips of a project have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Entries of each zip; the project's number too.
    pub entries: usize,
}

/// What is measured.
pub const SHAPES: [Shape; 2] = [Shape { entries: 1 }, Shape { entries: 200 }];

impl Shape {
    /// Records of a full page, the request's `limit`.
    pub const fn limit(self) -> usize {
        if self.entries == 1 {
            1000
        } else {
            RECORDS.div_ceil(self.entries)
        }
    }

    /// As the tables call it.
    pub fn name(self) -> &'static str {
        if self.entries == 1 {
            "1 entry"
        } else {
            "200 entries"
        }
    }
}

/// The answer for `span`, and how many bytes it unpacks to.
pub fn full(shape: Shape, span: Span) -> io::Result<(Vec<u8>, u64)> {
    let seed = span.from().0.cast_unsigned();
    let project = Project::uniform("Pb_speed", 1, seed, span, RECORDS).with_body_size(BODY_BYTES);
    let page = RECORDS.div_ceil(shape.entries);
    let all: Vec<u64> = (0..RECORDS as u64).collect();
    zip(&project, seed, all.chunks(page))
}

/// The answer for a window that holds one record.
pub fn nearly_empty(from: i64) -> io::Result<Vec<u8>> {
    let project = Project::from_times("Pb_speed", 1, 7, vec![UtcMs(from).plus(Millis(1))]);
    Ok(zip(&project, 0, [&[0][..]].into_iter())?.0)
}

fn zip<'a>(
    project: &Project,
    seed: u64,
    pages: impl Iterator<Item = &'a [u64]>,
) -> io::Result<(Vec<u8>, u64)> {
    let rendering = Rendering::new(&[], TimeStyle::Number);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new_stream(Cursor::new(Vec::new()));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut unpacked = 0;
    for (number, page) in (1..).zip(pages) {
        let mut text = b"[".to_vec();
        for (place, mut record) in page
            .iter()
            .filter_map(|&seq| project.record(seq))
            .enumerate()
        {
            if place > 0 {
                text.push(b',');
            }
            // Ids as tracing writes them: they keep logs from being packed better than 6:1.
            let (trace, id) = (random.u128(..), random.u64(..));
            record.body += &format!(" trace={trace:032x} span={id:016x}");
            rendering.json(&record, &mut text)?;
        }
        text.push(b']');
        unpacked += text.len() as u64;
        zip.start_file(format!("logs-{number:04}.json"), options)?;
        zip.write_all(&text)?;
    }
    Ok((zip.finish()?.into_inner().into_inner(), unpacked))
}
