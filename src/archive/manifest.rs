//! `manifest.json`: what a window's folder holds and how it came, schema 1. Carries *Evident*:
//! each manifest names the digest of the job's previous one.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use super::plain_file::MOST_TEXT;
use super::storage::{self, Storage, below};
use crate::digest::Digest;
use crate::domain::job::{Format, Job, ToBound};
use crate::domain::records_digest::RecordsDigest;
use crate::domain::second_opinion::{SecondOpinion, Way};
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::{FolderName, Zone};
use crate::printable::printable;
pub use part::{DataFile, Part, Stored, Zip, folder_of_part, zip_of_part};

mod part;

/// The file's name in a window's folder.
pub const MANIFEST: &str = "manifest.json";
/// The schema that this version writes and reads.
pub const SCHEMA: u32 = 1;

/// A window's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// The ELSA project's key.
    pub project_key: String,
    /// The ELSA project's number.
    pub project_id: i64,
    /// The window.
    pub window: Bounds,
    /// The worst of its parts.
    pub status: Status,
    /// Records in all parts; `None` when a part can't be counted.
    pub records: Option<u64>,
    /// What was asked of the service.
    pub request: Request,
    /// The downloads that make up the window, in order of time.
    pub parts: Vec<Part>,
    /// What a second, independent ask says of it; `None` in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
    /// What the records of all parts are, whatever their order; `None` when a part can't be counted, and
    /// in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_digest: Option<RecordsDigest>,
    /// Digest of the job's previous manifest; `None` on the first.
    pub previous: Option<Digest>,
    /// Breaks of the chain before it that were found when the ledger was made anew, and that no manifest has
    /// named yet: what these folders follow is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<ChainBreak>,
    /// The folder that this one supersedes, when the window was published before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Box<Supersedes>>,
    /// When the manifest was written, RFC 3339.
    pub archived_at: String,
    /// Which program and version wrote it.
    pub tool: String,
}

/// A folder that follows another manifest than that of the folder recorded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainBreak {
    /// First instant of its window, UTC milliseconds.
    pub from_ms: UtcMs,
    /// First instant after, UTC milliseconds.
    pub to_ms: UtcMs,
    /// Digest of its manifest.
    pub manifest_sha256: Digest,
    /// The manifest that it follows; `None` where it follows none.
    pub previous: Option<Digest>,
}

/// What a folder that was published anew takes the place of. The older folder stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supersedes {
    /// The older folder, relative to the archive's root.
    pub folder: String,
    /// Digest of its `manifest.json`.
    pub manifest_sha256: Digest,
    /// What was known of the window.
    pub status: Status,
    /// Its records; `None` when they could not be counted.
    pub records: Option<u64>,
    /// Bytes of its data files.
    pub bytes: u64,
    /// Which way confirmed its count; `None` in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Way>,
    /// When the service was asked for the window before, UTC milliseconds: what is new came later.
    pub asked_ms: UtcMs,
    /// When what is new was found, UTC milliseconds.
    pub found_ms: UtcMs,
    /// Whether the older folder was gone, or set aside, when the window was archived again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// What a second, independent ask says of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Which way agrees; [`Way::None`] where none does, or none could be had.
    pub by: Way,
    /// When, RFC 3339; `None` where nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was asked for again.
    pub spans: Vec<ConfirmedSpan>,
    /// Why it is not confirmed by search, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether search agreed while it was not believed yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub search_agrees: bool,
    /// Whether it could not be had, or contradicts, and is asked for again later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// Whether it has shown that the service cuts answers without saying so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Confirmed {
    /// Nothing confirms the window, for this `reason`.
    #[must_use]
    pub const fn not(reason: String) -> Self {
        Self {
            by: Way::None,
            at: None,
            spans: Vec::new(),
            reason: Some(reason),
            search_agrees: false,
            retry: false,
            cut: false,
        }
    }

    /// What the ledger keeps of it.
    #[must_use]
    pub const fn in_short(&self) -> SecondOpinion {
        SecondOpinion {
            by: Some(self.by),
            search_agrees: self.search_agrees,
            retry: self.retry,
            cut: self.cut,
        }
    }

    /// A second, independent ask agrees, at `at` (RFC 3339).
    #[must_use]
    pub const fn agreed(by: Way, at: String, spans: Vec<ConfirmedSpan>) -> Self {
        Self {
            by,
            at: Some(at),
            spans,
            reason: None,
            search_agrees: false,
            retry: false,
            cut: false,
        }
    }
}

/// A span whose count was asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedSpan {
    /// First instant, UTC milliseconds.
    pub from_ms: UtcMs,
    /// First instant after, UTC milliseconds.
    pub to_ms: UtcMs,
    /// Records that the first answer held there.
    pub expected: u64,
    /// Records that the second answer showed; `None` where it shows only that they are more or fewer.
    pub found: Option<u64>,
}

/// A window's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// First instant inside, RFC 3339 in the zone's time.
    pub from: String,
    /// First instant after, likewise.
    pub to: String,
    /// `from` in UTC milliseconds.
    pub from_ms: UtcMs,
    /// `to` in UTC milliseconds.
    pub to_ms: UtcMs,
}

impl Bounds {
    /// The bounds of `span` in the time of `zone`.
    #[must_use]
    pub fn of(span: Span, zone: &Zone) -> Self {
        Self {
            from: local_time(span.from(), zone),
            to: local_time(span.to(), zone),
            from_ms: span.from(),
            to_ms: span.to(),
        }
    }

    /// The bounds as a span; `None` when the manifest is wrong.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        Span::new(self.from_ms, self.to_ms)
    }
}

/// An instant in RFC 3339 with the zone's offset.
#[must_use]
pub fn local_time(instant: UtcMs, zone: &Zone) -> String {
    let timestamp = instant.timestamp();
    let offset: Offset = zone.tz().to_offset(timestamp);
    DateTimePrinter::new().timestamp_with_offset_to_string(&timestamp, offset)
}

/// What all requests of a window share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The gateway.
    pub endpoint: String,
    /// The format of the files.
    pub format: Format,
    /// The service's page size.
    pub limit: u32,
    /// The cap that was asked for.
    pub count: u32,
    /// The fields asked for; empty for all.
    pub include_fields: Vec<String>,
    /// What `to` meant. Where the answers are to tell, it is `exclusive` until one has held a record at
    /// exactly `to`: such an answer is asked for again.
    pub to_bound: ToBound,
    /// Whether an answer to this window has told that `to` is inclusive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_bound_found: bool,
}

impl Request {
    /// What `job` asks of `endpoint`.
    #[must_use]
    pub fn of(job: &Job, endpoint: String, to_bound: ToBound, to_bound_found: bool) -> Self {
        Self {
            endpoint,
            format: job.format,
            limit: job.limit,
            count: job.count,
            include_fields: job.include_fields.clone(),
            to_bound,
            to_bound_found,
        }
    }
}

impl Manifest {
    /// The bytes of `manifest.json`.
    ///
    /// # Errors
    /// Never with these types; the serializer's signature has one.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads the manifest of the window in a folder.
    ///
    /// # Errors
    /// Says in words why it can't be read, or what is wrong with it.
    pub(crate) fn read(storage: &dyn Storage, folder: &str) -> Result<Self, String> {
        let json = storage::read(storage, &below(folder, MANIFEST), MOST_TEXT);
        Self::parse(&json.map_err(|error| error.to_string())?)
    }

    /// Reads the bytes of a `manifest.json`.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let manifest: Self =
            // The library repeats what it has read.
            serde_json::from_slice(json).map_err(|error| printable(&error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(format!(
                "its schema is {}, this version reads {SCHEMA}",
                manifest.schema
            ));
        }
        if manifest.window.span().is_none() {
            return Err("its window ends before it begins".into());
        }
        Ok(manifest)
    }

    /// The revision that its folder's name has to say; `None` when it supersedes a folder that is
    /// no window's.
    #[must_use]
    pub fn revision(&self) -> Option<u32> {
        let Some(supersedes) = &self.supersedes else {
            return Some(1);
        };
        let name = supersedes.folder.rsplit('/').next()?;
        FolderName::parse(name)?.revision.checked_add(1)
    }

    /// When the first of its answers had come; `None` when the manifest does not say so readably.
    #[must_use]
    pub fn asked(&self) -> Option<UtcMs> {
        let received = |part: &Part| part.received_at.parse::<jiff::Timestamp>().ok();
        self.parts
            .iter()
            .filter_map(received)
            .min()
            .map(UtcMs::from)
    }

    /// Every file of every part's zip, whether it lies in the folder or the zip does.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.parts.iter().flat_map(|part| &part.files)
    }

    /// The data files that lie in the window's folder.
    pub fn stored(&self) -> impl Iterator<Item = Stored<'_>> {
        self.parts.iter().flat_map(Part::stored)
    }

    /// Bytes of the data files that lie in the window's folder.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.stored()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}

/// Name and version of this program, as manifests carry it.
#[must_use]
pub fn tool() -> String {
    concat!("elsa-archiver ", env!("CARGO_PKG_VERSION")).to_owned()
}
