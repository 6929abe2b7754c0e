//! Proving an archive: what is missing, changed, added, doubled, or was never archived. Carries
//! *Evident*: [`against`] compares with what the ledger says, [`copy`] needs nothing but the
//! folders.

pub(crate) mod against;
pub(crate) mod copy;
pub(in crate::archive) mod folder;
mod parallel;
pub(crate) mod runs;

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::manifest::ChainBreak;
use crate::archive::recorded::Recorded;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::printable;
pub(crate) use folder::reading;
use runs::Run;

/// What was found of one job.
#[derive(Debug, Default, Serialize)]
pub(crate) struct JobReport {
    /// The job's name.
    pub job: String,
    /// First instant of the first window, UTC milliseconds; null where there is none.
    pub from_ms: Option<UtcMs>,
    /// First instant after the last window, UTC milliseconds.
    pub until_ms: Option<UtcMs>,
    /// Digest of the manifest that was published last, which a later look at the archive can be held against.
    pub newest_manifest: Option<Digest>,
    /// The folder with which a part of an archive begins: the manifest that it follows is elsewhere. Left out
    /// where the chain begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins_elsewhere: Option<String>,
    /// Folders of windows that were looked at.
    pub windows: u64,
    /// Those of them that a later one supersedes; their records are not counted below.
    pub superseded: u64,
    /// Those of them whose data were let go of: manifest and sums prove what was there. Left out while there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Files whose bytes were hashed.
    pub files: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Entries of zips that were inflated and hashed; left out while there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub entries: u64,
    /// Records in them, as their manifests say.
    pub records: u64,
    /// Spans between the first and the last instant that no folder holds.
    pub gaps: Vec<Bounds>,
    /// Folders recorded `truncated`: the service may have left logs out.
    pub truncated: Vec<String>,
    /// Folders recorded `unproven`: their content can't be counted.
    pub unproven: Vec<String>,
    /// Where the chain of manifests breaks, as the ledger or a later manifest says since the ledger was made
    /// anew; left out while there are none. No folder is to blame for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<Break>,
    /// What is not as it was published.
    pub findings: Vec<Finding>,
    /// What older heads of the archive name that is not here any more, where the newest one names nothing of it; left out
    /// while there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_heads: Option<String>,
    /// Of a copy: its manifests, and which one each follows.
    #[serde(skip)]
    pub chain: Vec<(Digest, Option<Digest>)>,
    /// Of a copy: whether some manifest could not be read, so that what is not here may be there.
    #[serde(skip)]
    pub is_unread: bool,
    /// Of a copy: its windows whose data were let go of.
    #[serde(skip)]
    pub pruned_windows: u64,
    /// Of a copy: what of it is whole, as runs of the chain.
    #[serde(skip)]
    pub runs: Vec<Run>,
    /// The files among them that were added, relative to their folders, by the bytes of their names.
    #[serde(skip)]
    pub added: Vec<PathBuf>,
}

/// A break of the chain that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Break {
    /// The folder after it.
    pub folder: String,
    /// The manifest that it follows; null where it follows none.
    pub previous: Option<Digest>,
}

/// How deep is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What lies in the folders.
    Stored,
    /// What lies in the zips that are kept, too.
    Entries,
}

/// Whose folders are verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    /// The job.
    pub job: &'a str,
    /// Its ELSA project; `None` where that is not known.
    pub project_id: Option<i64>,
}

/// What the ledger says of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Its folders, in the order of its lines.
    pub recorded: &'a [Recorded],
    /// Where their chain is known to break.
    pub breaks: &'a [ChainBreak],
    /// The spans that they, and what the operator knows to be lost, account for.
    pub coverage: &'a Coverage,
}

impl JobReport {
    fn new(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            ..Self::default()
        }
    }

    /// Whether everything is there, unchanged, and known to be complete.
    #[cfg(test)]
    #[must_use]
    pub(crate) const fn is_proven(&self) -> bool {
        self.findings.is_empty()
            && self.gaps.is_empty()
            && self.truncated.is_empty()
            && self.unproven.is_empty()
    }

    /// Whether bytes, names or chain are not what was archived.
    #[must_use]
    pub(crate) fn is_damaged(&self) -> bool {
        let is_damage = |finding: &Finding| {
            !matches!(
                finding.problem,
                Problem::NotInLedger
                    | Problem::Unreachable(_)
                    | Problem::Newer(_)
                    | Problem::NamesMore(_)
            )
        };
        self.findings.iter().any(is_damage)
    }

    /// Adds a window's span.
    fn note_span(&mut self, span: Span) {
        let (from, to) = (span.from(), span.to());
        self.from_ms = Some(self.from_ms.map_or(from, |known| known.min(from)));
        self.until_ms = Some(self.until_ms.map_or(to, |known| known.max(to)));
    }

    /// Adds what a folder holds, unless a later one supersedes it.
    fn note_content(&mut self, folder: &str, status: Status, records: Option<u64>) {
        self.records = self.records.saturating_add(records.unwrap_or(0));
        match status {
            Status::Complete => {}
            Status::Truncated => self.truncated.push(folder.to_owned()),
            Status::Unproven => self.unproven.push(folder.to_owned()),
        }
    }

    fn find(&mut self, folder: &str, file: Option<&str>, problem: Problem) {
        self.findings.push(Finding {
            folder: folder.to_owned(),
            file: file.map(str::to_owned),
            problem,
        });
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A span's bounds as they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Bounds {
    /// First instant inside, UTC milliseconds.
    pub from_ms: UtcMs,
    /// First instant after, UTC milliseconds.
    pub to_ms: UtcMs,
}

impl From<Span> for Bounds {
    fn from(span: Span) -> Self {
        Self {
            from_ms: span.from(),
            to_ms: span.to(),
        }
    }
}

/// One thing that is not as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The folder, relative to what was verified; empty for the job as a whole.
    pub folder: String,
    /// The file in it, where it is one file.
    pub file: Option<String>,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", content = "detail", rename_all = "kebab-case")]
pub(crate) enum Problem {
    /// It is not there.
    Missing,
    /// Its bytes are not those that were published.
    Changed,
    /// It was added after publishing.
    Added,
    /// It could not be read this time, so nothing is known of it.
    Unreachable(String),
    /// A newer version wrote it.
    Newer(String),
    /// It can't be read, or what it says makes no sense.
    Unreadable(String),
    /// Its name says another window, or another job, than its manifest.
    AnotherWindow,
    /// What its manifest says can't be what its folder is taken for.
    Unfit(String),
    /// The ledger and the manifest disagree.
    Disagrees(&'static str),
    /// It follows a manifest that is not here.
    PreviousMissing,
    /// Two folders follow the same manifest.
    Forked,
    /// It holds instants that another folder holds too.
    Overlaps,
    /// It is published, but the ledger does not have it.
    NotInLedger,
    /// Its data are gone as if they were let go of, but the ledger does not say so.
    PruneNotInLedger,
    /// It names what is not here, or not so.
    Contradicted(String),
    /// It names more than is here; what is here may be older.
    NamesMore(String),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names come from a disk that anybody may have written to.
        let (folder, file) = (
            printable::whole(&self.folder),
            self.file.as_deref().map(printable::whole),
        );
        match (folder.as_str(), file) {
            ("", Some(file)) => f.write_str(&file)?,
            ("", None) => f.write_str("the folder")?,
            (folder, Some(file)) => write!(f, "{folder}/{file}")?,
            (folder, None) => f.write_str(folder)?,
        }
        match &self.problem {
            Problem::Missing => f.write_str(": is missing"),
            Problem::Changed => f.write_str(": was changed after it was published"),
            Problem::Added => f.write_str(": was added after the folder was published"),
            Problem::Unreadable(why) => write!(f, ": can't be read: {}", printable::whole(why)),
            Problem::Newer(why) => write!(f, ": {}", printable::whole(why)),
            Problem::Unreachable(why) => {
                write!(f, ": could not be read: {}", printable::whole(why))
            }
            Problem::Contradicted(what) | Problem::NamesMore(what) => {
                write!(f, ": {}", printable::whole(what))
            }
            Problem::AnotherWindow => f.write_str(": its manifest is another window's"),
            Problem::Unfit(why) => write!(f, ": can't be what it is taken for: {why}"),
            Problem::Disagrees(what) => write!(f, ": ledger and manifest disagree on {what}"),
            Problem::PreviousMissing => f.write_str(
                ": follows a manifest that is not here: the folder archived just before it is \
                 missing or was changed",
            ),
            Problem::Forked => f.write_str(": another folder follows the same manifest"),
            Problem::Overlaps => f.write_str(": holds a span that another folder holds too"),
            Problem::PruneNotInLedger => f.write_str(
                ": its data are gone, and its sums say that they were let go of, but the ledger does not: somebody \
                 else has removed them",
            ),
            Problem::NotInLedger => f.write_str(
                ": is not in the ledger; the next `run` or `once` adopts it, and what it can't adopt \
                 `elsa-archiver repair` moves aside",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
