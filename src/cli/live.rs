//! What `check --live` asks a job's project: whether it answers, what its `to` means, and what search is
//! good for. Carries *Bounded* (at most eighteen small requests: three to find a record, three and two
//! searches about it, ten for the oldest) and *Suspicious* (answers are unpacked like any other).

mod oldest;
mod search;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use crate::archive::count::LOG_TIME;
use crate::archive::store::Store;
use crate::archive::unpack::{Unpacked, Unpacking};
use crate::domain::bound::{Inconclusive, Probe, Shown, Sightings, judge, places_to_look};
use crate::domain::job::{Job, ToBound};
use crate::domain::limits::Limits;
use crate::domain::retry::Failure;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::{Disk, DiskError, Step};
use crate::elsa::client::Client;
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;
pub(super) use oldest::Oldest;
pub(super) use search::Searching;

/// Records that are asked for to find one.
const FEW_RECORDS: u32 = 10;
/// Records that are asked for around the one that was found: more than there should be in two
/// milliseconds, and one page of the service's.
const PROBE_RECORDS: u32 = 1000;
/// Most bytes of an answer to so few records, and of what is in it.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
const MOST_UNPACKED_BYTES: u64 = 4 * MOST_BYTES;

/// A temporary folder that only this user may look into; gone when dropped.
pub(super) struct Scratch {
    store: Store,
    _folder: TempDir,
}

impl Scratch {
    /// Makes one below the system's folder for temporary files.
    ///
    /// # Errors
    /// When it can't be made.
    pub(super) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("elsa-archiver-check-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        Ok(Self {
            store: Store::new(folder.path().to_owned(), 0, Disk::default()),
            _folder: folder,
        })
    }
}

/// What `to` means, or why that could not be found out.
pub(super) type Finding = Result<ToBound, String>;

/// What was found out about a job's project, which answers.
pub(super) struct Answering {
    /// What `to` means.
    pub to_bound: Finding,
    /// What search is good for.
    pub search: Searching,
    /// How old the oldest log is; `None` where no record is known.
    pub oldest: Option<Oldest>,
}

/// One job's project and where its answers go.
pub(super) struct Live<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its account's client.
    pub client: &'a Client,
    /// Where answers are unpacked.
    pub scratch: &'a Scratch,
}

impl Live<'_> {
    /// Finds a record, requests its millisecond and the ones beside it, and searches for it.
    ///
    /// # Errors
    /// When the service does not answer.
    pub(super) async fn find_out(&self, now: UtcMs) -> Result<Answering, CallError> {
        let known = match self.known_record(now).await? {
            Ok(known) => known,
            Err(why) => {
                return Ok(Answering {
                    to_bound: Err(why),
                    search: Searching::NoRecord,
                    oldest: None,
                });
            }
        };
        let to_bound = match self.sightings(known).await {
            Ok(sightings) => judge(sightings).map_err(|why| why.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let search = Searching::of(self.job, self.client, known).await;
        let oldest = Some(Oldest::of(self, known, now).await);
        Ok(Answering {
            to_bound,
            search,
            oldest,
        })
    }

    async fn sightings(&self, known: UtcMs) -> Result<Sightings, CallError> {
        Ok(Sightings {
            up_to: self.shown(Probe::UpTo, known).await?,
            alone: self.shown(Probe::Alone, known).await?,
            from: self.shown(Probe::From, known).await?,
        })
    }

    /// The time of some record.
    async fn known_record(&self, now: UtcMs) -> Result<Result<UtcMs, String>, CallError> {
        let mut not_found = None;
        let mut answered = false;
        let places = places_to_look(self.job, now);
        for &place in &places {
            let request =
                Request::new(self.job, ToBound::Exclusive, place).for_at_most(FEW_RECORDS);
            let unpacked = match self.fetch(&request, place).await {
                Ok(unpacked) => unpacked,
                // It may mean the project, or only that nothing is in this span.
                Err(error) if error.failure == Failure::Rejected => {
                    not_found = Some(error);
                    continue;
                }
                Err(error) if answered => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            };
            answered = true;
            if unpacked.records == Some(0) {
                continue;
            }
            let extent = unpacked.seen.inside.finish().extent();
            return Ok(match (unpacked.uncountable, extent) {
                (Some(why), _) => Err(why),
                (None, Some(extent)) => Ok(extent.from()),
                (None, None) if unpacked.seen.outside > 0 => {
                    Err(Inconclusive::OutsideSpan.to_string())
                }
                (None, None) => Err(self.why_without_time()),
            });
        }
        match (not_found, places.last()) {
            (Some(error), _) if !answered => Err(error),
            (_, Some(place)) => Ok(Err(format!("there is no record since {}", place.from()))),
            (_, None) => Err(clock_at_its_end()),
        }
    }

    fn why_without_time(&self) -> String {
        let fields = &self.job.include_fields;
        match fields.is_empty() || fields.iter().any(|field| field == LOG_TIME) {
            true => format!("the `{LOG_TIME}` of its records can't be read"),
            false => format!("include_fields leaves out `{LOG_TIME}`"),
        }
    }

    async fn shown(&self, probe: Probe, known: UtcMs) -> Result<Shown, CallError> {
        let (from, to) = probe.bounds(known);
        let request = Request::between(self.job, from, to).for_at_most(PROBE_RECORDS);
        let near = Span::new(known, known.plus(Millis(1))).ok_or_else(clock_at_its_end)?;
        let unpacked = match self.fetch(&request, near).await {
            Ok(unpacked) => unpacked,
            // The project is known to exist: this is how the service says that nothing is there.
            Err(error) if error.failure == Failure::Rejected => return Ok(Shown::default()),
            // Where `to` is exclusive, such a span is empty and may be taken for a mistake.
            Err(error) if probe == Probe::Alone && error.failure == Failure::Refused => {
                return Ok(Shown::default());
            }
            Err(error) => return Err(error),
        };
        let records = unpacked.records.ok_or_else(|| {
            CallError::new(Failure::BadAnswer, unpacked.uncountable.unwrap_or_default())
        })?;
        let mut files = unpacked.files.iter();
        Ok(Shown {
            known: unpacked.seen.inside.finish().extent().is_some(),
            outside: files.any(|file| {
                file.first_ms.is_some_and(|first| first < from)
                    || file.last_ms.is_some_and(|last| last > to)
            }),
            full: records >= u64::from(self.job.count.min(PROBE_RECORDS)),
        })
    }

    /// Makes one request and reads the answer. Times in `near` are counted apart.
    async fn fetch(&self, request: &Request<'_>, near: Span) -> Result<Unpacked, CallError> {
        let store = &self.scratch.store;
        let zip = store.root().join("answer.zip");
        store.disk().remove(&zip).map_err(local)?;
        let mut answer = self.client.ask(request).await?;
        let mut out = store.disk().create(Step::StageZip, &zip).map_err(local)?;
        let mut bytes = 0;
        while let Some(piece) = answer.chunk().await? {
            bytes += piece.len() as u64;
            if bytes > MOST_BYTES {
                let what = format!(
                    "the answer to a request for few records is longer than {} MiB",
                    MOST_BYTES >> 20
                );
                return Err(CallError::new(Failure::BadAnswer, what));
            }
            out.write(&piece).map_err(local)?;
        }
        drop((answer, out));
        let unpacking = Unpacking {
            store,
            folder: None,
            span: near,
            window: near,
            format: self.job.format,
            include_fields: &self.job.include_fields,
            records_zone: self.job.records_zone.as_ref(),
            limit: self.job.limit,
            limits: Limits {
                unpacked_bytes: MOST_UNPACKED_BYTES,
                ..Limits::default()
            },
        };
        let mut unpacked = unpacking.run(&zip, &|| false).map_err(|error| {
            let told = self.client.printable(&error.to_string());
            CallError::new(Failure::BadAnswer, told)
        })?;
        // It holds a file name from the zip.
        unpacked.uncountable = unpacked.uncountable.map(|why| self.client.printable(&why));
        Ok(unpacked)
    }
}

fn local(error: DiskError) -> CallError {
    CallError::new(Failure::Local, error.to_string())
}

fn clock_at_its_end() -> CallError {
    CallError::new(Failure::Local, "the clock is at its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn nobody_else_may_look_into_the_folder_of_the_answers() {
        let scratch = Scratch::new().unwrap();
        let mode = scratch.store.root().metadata().unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700);
    }
}
