//! Refused zips, kept aside whole in the state directory with the reason, so that an operator can
//! look. Carries *Bounded*, and *Atomic* for what can be seen there; nothing else depends on
//! whether it succeeds.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use thiserror::Error;

use super::manifest::Zip;
use super::store::{entries, free_bytes};
use crate::digest::{CHUNK_BYTES, Hasher};
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::durable::{Disk, DiskError, Step};

/// The folder in the state directory.
pub const FOLDER: &str = "quarantine";

/// How many zips are kept: enough to see a pattern, few enough to read through.
const MOST_ZIPS: usize = 20;
/// How many bytes all of them may have; a zip of 200,000 logs has some tens of MB.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
/// Digits of a zip's digest in its name.
const DIGITS: usize = 16;
/// The prefix of a file that is not whole yet.
const UNFINISHED: &str = ".new-";

/// Where refused zips are kept; clones share it.
#[derive(Clone, Debug)]
pub struct Quarantine {
    folder: PathBuf,
    disk: Disk,
    min_free_space: u64,
    most_zips: usize,
    most_bytes: u64,
    /// One at a time, or two would make room for themselves at once.
    turn: Arc<Mutex<()>>,
}

/// Why a zip was refused and where it came from: the content of the file beside it. All text from
/// outside must be printable and redacted.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// What is wrong with it.
    pub reason: String,
    /// When it was refused, in RFC 3339.
    pub refused_at: String,
    /// The job that asked.
    pub job: JobName,
    /// The project's key.
    pub project_key: String,
    /// The project's number.
    pub project_id: i64,
    /// Start of the span that was asked for, in UTC milliseconds.
    pub from_ms: UtcMs,
    /// Its end, not included.
    pub to_ms: UtcMs,
    /// The gateway.
    pub endpoint: String,
    /// Its answer's status.
    pub http_status: u16,
    /// The zip as it came.
    pub zip: Zip,
    /// The program and its version.
    pub tool: String,
}

/// Why a refused zip is not kept.
#[derive(Debug, Error)]
pub enum NotKept {
    /// It is larger than all of them may be.
    #[error("it has {} MiB, and {} MiB is the most that is kept", .bytes >> 20, .most >> 20)]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// Those that are kept at most.
        most: u64,
    },
    /// The disk is too full.
    #[error("{} would have less than min_free_space left", .0.display())]
    NoSpace(PathBuf),
    /// It can't be read again.
    #[error("can't read it again: {0}")]
    Unreadable(io::Error),
    /// It is no longer what was refused.
    #[error("it has changed since")]
    Changed,
    /// The quarantine can't be read.
    #[error("can't read {}: {}", .0.display(), .1)]
    Unlisted(PathBuf, io::Error),
    /// It can't be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A zip that is kept.
#[derive(Debug)]
struct Kept {
    name: String,
    at: SystemTime,
    bytes: u64,
}

impl Quarantine {
    /// The quarantine in `state_dir`, where nothing is kept that leaves less than
    /// `min_free_space` bytes free.
    #[must_use]
    pub fn new(state_dir: &Path, min_free_space: u64, disk: Disk) -> Self {
        Self {
            folder: state_dir.join(FOLDER),
            disk,
            min_free_space,
            most_zips: MOST_ZIPS,
            most_bytes: MOST_BYTES,
            turn: Arc::default(),
        }
    }

    /// Removes what a crash has left half-done. The state directory's lock must be held.
    ///
    /// # Errors
    /// When something can't be listed or removed.
    pub fn prepare(&self) -> Result<(), NotKept> {
        let names = self.names()?;
        for name in &names {
            let lonely = name
                .strip_suffix(".json")
                .is_some_and(|stem| is_ours(stem) && !names.contains(&format!("{stem}.zip")));
            if name.starts_with(UNFINISHED) || lonely {
                self.disk.remove(&self.folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Keeps a copy of `zip` with the reason beside it, and returns where it is. The oldest go
    /// where there would be too many; one that is kept already is not kept twice.
    ///
    /// # Errors
    /// When it is too large or the disk refuses; nothing of it is left then.
    pub fn keep(&self, zip: &Path, refusal: &Refusal) -> Result<PathBuf, NotKept> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = refusal.zip.bytes;
        if bytes > self.most_bytes {
            let most = self.most_bytes;
            return Err(NotKept::TooLarge { bytes, most });
        }
        self.disk.make_durable_folder(&self.folder)?;
        let digest = refusal.zip.sha256.to_string();
        let digits: String = digest.chars().take(DIGITS).collect();
        let kept = self.kept()?;
        let same = format!("-{digits}.zip");
        // Half of it may be there too, where it could not be removed.
        let is_same = |name: &str| name.ends_with(&same) && !name.starts_with(UNFINISHED);
        if let Some(same) = kept.iter().find(|kept| is_same(&kept.name)) {
            return Ok(self.folder.join(&same.name));
        }
        self.make_room(kept, bytes)?;
        let Refusal {
            job,
            from_ms,
            to_ms,
            ..
        } = refusal;
        let stem = format!("{job}-{}-{}-{digits}", from_ms.0, to_ms.0);
        let (reason, place) = (format!("{stem}.json"), format!("{stem}.zip"));
        // The reason first: a zip that can be seen has one.
        let written = self
            .write_reason(&reason, refusal)
            .and_then(|()| self.copy(zip, &place, refusal));
        if written.is_err() {
            for name in [
                unfinished(&reason),
                unfinished(&place),
                place.clone(),
                reason,
            ] {
                // What can't be removed now is removed at the next start.
                let _ = self.disk.remove(&self.folder.join(name));
            }
        }
        written.map(|()| self.folder.join(place))
    }

    /// Removes the oldest until another zip of `bytes` fits.
    fn make_room(&self, kept: Vec<Kept>, bytes: u64) -> Result<(), NotKept> {
        let (mut zips, mut sum) = (kept.len(), kept.iter().map(|kept| kept.bytes).sum::<u64>());
        let mut going = Vec::new();
        let mut freed = 0u64;
        for oldest in kept {
            if zips < self.most_zips && sum.saturating_add(bytes) <= self.most_bytes {
                break;
            }
            zips -= 1;
            sum -= oldest.bytes;
            freed += oldest.bytes;
            going.push(oldest.name);
        }
        let free = free_bytes(&self.folder)
            .map_err(|error| NotKept::Unlisted(self.folder.clone(), error))?;
        if free.saturating_add(freed) < self.min_free_space.saturating_add(bytes) {
            return Err(NotKept::NoSpace(self.folder.clone()));
        }
        for name in going {
            self.disk.remove(&self.folder.join(&name))?;
            let reason = Path::new(&name).with_extension("json");
            self.disk.remove(&self.folder.join(reason))?;
        }
        Ok(())
    }

    fn write_reason(&self, name: &str, refusal: &Refusal) -> Result<(), NotKept> {
        let mut json = serde_json::to_vec_pretty(refusal)
            .map_err(|error| NotKept::Unreadable(error.into()))?;
        json.push(b'\n');
        let new = self.folder.join(unfinished(name));
        self.disk.remove(&new)?;
        let mut out = self.disk.create(Step::StageRefused, &new)?;
        out.write(&json)?;
        out.sync(Step::SyncRefused)?;
        Ok(self.disk.keep_refused(&new, &self.folder.join(name))?)
    }

    fn copy(&self, zip: &Path, name: &str, refusal: &Refusal) -> Result<(), NotKept> {
        let mut source = File::open(zip).map_err(NotKept::Unreadable)?;
        let new = self.folder.join(unfinished(name));
        self.disk.remove(&new)?;
        let mut out = self.disk.create(Step::StageRefused, &new)?;
        let mut hasher = Hasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&chunk[..read]);
                    out.write(&chunk[..read])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NotKept::Unreadable(error)),
            }
        }
        if hasher.finish() != refusal.zip.sha256 {
            return Err(NotKept::Changed);
        }
        out.sync(Step::SyncRefused)?;
        self.disk.keep_refused(&new, &self.folder.join(name))?;
        Ok(self.disk.sync_folder(Step::SyncQuarantine, &self.folder)?)
    }

    /// The zips that are kept or half-done, the oldest first. What has another name is none of
    /// ours.
    fn kept(&self) -> Result<Vec<Kept>, NotKept> {
        let mut kept = Vec::new();
        for name in self.names()? {
            if !name.strip_suffix(".zip").is_some_and(is_ours) {
                continue;
            }
            let unlisted = |error| NotKept::Unlisted(self.folder.join(&name), error);
            let found = fs::symlink_metadata(self.folder.join(&name)).map_err(unlisted)?;
            let at = found.modified().map_err(unlisted)?;
            let bytes = found.len();
            kept.push(Kept { name, at, bytes });
        }
        kept.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
        Ok(kept)
    }

    fn names(&self) -> Result<Vec<String>, NotKept> {
        entries(&self.folder).map_err(|error| NotKept::Unlisted(self.folder.clone(), error))
    }
}

fn unfinished(name: &str) -> String {
    format!("{UNFINISHED}{name}")
}

/// Whether a name without its ending is one that is given here.
fn is_ours(stem: &str) -> bool {
    stem.rsplit_once('-').is_some_and(|(_, digits)| {
        digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests;
