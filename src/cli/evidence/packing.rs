//! Writing an auditor's pack as a tar, with the sums of all that is in it. Carries *Evident*: the same files make the same bytes.

use std::io::{self, Read, Write};
use std::path::Path;

use super::{Content, Files};
use crate::archive::plain_file;
use crate::archive::publish::SUMS;
use crate::digest::Hasher;
use crate::domain::span::UtcMs;
use crate::durable::AskedFor;

/// The folder that the tar unpacks to.
const FOLDER: &str = "evidence";

/// Writes the tar, and in it last the sums of everything else. Returns how many files and bytes there are.
pub(super) fn write(out: &Path, files: &Files, at: UtcMs) -> io::Result<(u64, u64)> {
    let mut tar = tar::Builder::new(Sink(AskedFor::open(out)?));
    let (mut sums, mut total) = (String::new(), 0);
    for (name, content) in files {
        let (length, mut content): (u64, Box<dyn Read>) = match content {
            Content::Text(text) => (text.len() as u64, Box::new(&text[..])),
            Content::File(path) => {
                let opened =
                    plain_file::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
                let told = |error| io::Error::other(format!("{}: {error}", path.display()));
                let (length, file) = opened.map_err(told)?;
                (length, Box::new(file))
            }
        };
        let mut hashed = Hashed::new(content.by_ref().take(length));
        append(&mut tar, (name, length, at), &mut hashed)?;
        if hashed.length != length {
            return Err(io::Error::other(format!("{name} changes while it is read")));
        }
        sums += &format!("{}  {name}\n", hashed.hasher.finish());
        total += length;
    }
    let length = sums.len() as u64;
    append(&mut tar, (SUMS, length, at), &mut sums.as_bytes())?;
    let mut sink = tar.into_inner()?;
    sink.0.close()?;
    Ok((files.len() as u64 + 1, total + length))
}

/// Appends a file, with nothing of this machine or this day.
fn append(
    tar: &mut tar::Builder<Sink>,
    (name, length, at): (&str, u64, UtcMs),
    content: &mut dyn Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(at.0 / 1000).unwrap_or_default());
    tar.append_data(&mut header, format!("{FOLDER}/{name}"), content)
}

/// The file that the pack is written to.
struct Sink(AskedFor);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is read is hashed and counted.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
    length: u64,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            length: 0,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.length += read as u64;
        Ok(read)
    }
}
