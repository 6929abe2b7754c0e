//! What is asked for, of whom, and where the answer goes.

use super::Source;
use super::staging::Place;
use crate::archive::unpack::Unpacking;
use crate::domain::job::ToBound;
use crate::domain::span::Span;
use crate::durable::DiskError;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// The window.
    pub(super) window: Span,
    /// The part of it.
    pub(super) span: Span,
    /// What the service does with a log at exactly `to`, as far as is known.
    pub(super) to_bound: ToBound,
}

/// What is asked for, of whom, and where the answer goes.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) source: Source,
    pub(super) asked: Asked,
    pub(super) place: Place,
}

impl Attempt {
    /// How its answer is unpacked.
    pub(super) fn unpacking(&self) -> Unpacking<'_> {
        let Source { job, shared, .. } = &self.source;
        Unpacking {
            store: &shared.store,
            folder: self.place.files(),
            span: self.asked.span,
            window: self.asked.window,
            format: job.format,
            include_fields: &job.include_fields,
            records_zone: job.records_zone.as_ref(),
            limit: job.limit,
            limits: shared.limits.for_pages(job.count, job.limit),
        }
    }

    /// Removes the files that were unpacked.
    pub(super) fn remove_files(&self) -> Result<(), DiskError> {
        self.source.shared.store.disk().remove(&self.place.folder)
    }
}
