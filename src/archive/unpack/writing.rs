//! One file on its way to the disk, or nowhere: hashed, its records counted, and seen. Carries *Complete*.

use std::path::Path;

use super::{Seen, UnpackError, Unpacking};
use crate::archive::count::{Counter, Kind, Record, expected_fields};
use crate::archive::manifest::DataFile;
use crate::digest::Hasher;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::{DiskError, Flush, Output, Step};

/// A file that is being read.
pub(super) struct Writing {
    path: String,
    /// `None` where it is not written.
    out: Option<Output>,
    bytes: u64,
    hasher: Hasher,
    counter: Counter,
    first: Option<UtcMs>,
    last: Option<UtcMs>,
}

impl Writing {
    /// Begins with entry `index`, and creates its file below the part's folder.
    ///
    /// # Errors
    /// When it can't be made.
    pub(super) fn begin(
        unpacking: &Unpacking<'_>,
        index: usize,
        path: String,
    ) -> Result<Self, UnpackError> {
        let disk = unpacking.store.disk();
        let create = |folder: &Path| disk.create(Step::StageData, &folder.join(&path));
        let out = unpacking.folder.map(create).transpose();
        let out = out.map_err(|error| UnpackError::making(index, error))?;
        let kind = Kind::of(&path, unpacking.format);
        let expected = expected_fields(kind, unpacking.include_fields);
        Ok(Self {
            counter: Counter::new(kind, &expected, unpacking.records_zone),
            path,
            out,
            bytes: 0,
            hasher: Hasher::default(),
            first: None,
            last: None,
        })
    }

    /// Bytes so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What makes it durable; `None` where it is not written.
    pub(super) fn flush(&self) -> Option<Flush> {
        self.out.as_ref().map(Output::flush)
    }

    /// Takes its next bytes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        unpacking: &Unpacking<'_>,
        seen: &mut Seen,
    ) -> Result<(), DiskError> {
        if let Some(out) = &mut self.out {
            out.write(bytes)?;
        }
        self.bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        let (first, last) = (&mut self.first, &mut self.last);
        self.counter.feed(bytes, &mut |record| {
            seen.see(record, unpacking.span, first, last)
        });
        Ok(())
    }

    /// What it became, and why its records can't be counted.
    pub(super) fn end(
        mut self,
        unpacking: &Unpacking<'_>,
        seen: &mut Seen,
    ) -> (DataFile, Option<String>) {
        let (first, last) = (&mut self.first, &mut self.last);
        let counted = self
            .counter
            .finish(&mut |record| seen.see(record, unpacking.span, first, last));
        let uncountable = counted
            .as_ref()
            .err()
            .map(|error| format!("{}: {error}", self.path));
        let file = DataFile {
            path: self.path,
            bytes: self.bytes,
            sha256: self.hasher.finish(),
            records: counted.ok(),
            first_ms: self.first,
            last_ms: self.last,
        };
        (file, uncountable)
    }
}

impl Seen {
    /// Takes a record of a file, of which `first` and `last` are the earliest and the latest time so far.
    fn see(
        &mut self,
        Record { time, hash, .. }: Record,
        asked: Span,
        first: &mut Option<UtcMs>,
        last: &mut Option<UtcMs>,
    ) {
        self.digest.add(hash);
        let Some(time) = time else { return };
        self.is_precise |= time.precision == Millis(1);
        match time.within(asked) {
            Some(inside) => {
                self.inside.add(inside);
                self.histogram.add(inside);
            }
            None => {
                self.outside += 1;
                self.at_end += u64::from(time.at == asked.to());
            }
        }
        let time = time.at;
        *first = Some(first.map_or(time, |first| first.min(time)));
        *last = (*last).max(Some(time));
    }
}
