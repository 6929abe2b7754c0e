//! Proving what a start has not read: the lines of a ledger before its checkpoint. Each ledger is proven once a
//! day; when that was is kept beside it. Carries *Evident* (the whole chain is checked, each day, line by line) and
//! *Candid*: what is found stops the job, and takes the checkpoint away, so that whoever looks finds it too.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::files::{self, told};
use super::replay::Replay;
use super::{LedgerError, checkpoint, unreadable};
use crate::domain::job::JobName;
use crate::domain::span::{Millis, UtcMs};
use crate::durable::Disk;

/// A ledger is proven again so long after it was.
const EVERY: Millis = Millis::from_days(1);

/// Bytes that are read at once; between two reads a proof can be stopped.
const AT_ONCE: usize = 256 * 1024;

/// What is kept of a proof.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// When every line was read, UTC milliseconds.
    proven_ms: UtcMs,
}

/// Proves one ledger, beside whoever appends to it.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    job: JobName,
    ledger: PathBuf,
    /// When it was proven.
    kept: PathBuf,
    disk: Disk,
    /// Whether a start has not read every line.
    trusts: bool,
    /// What is wrong with it.
    found: Arc<OnceLock<String>>,
}

impl Proof {
    pub(super) fn of(state_dir: &Path, job: &JobName, disk: &Disk, trusts: bool) -> Self {
        Self {
            job: job.clone(),
            ledger: files::path(state_dir, job),
            kept: state_dir.join(format!("{job}.proven.json")),
            disk: disk.clone(),
            trusts,
            found: Arc::default(),
        }
    }

    /// The job.
    pub(crate) const fn job(&self) -> &JobName {
        &self.job
    }

    /// Whether nothing wrong was found.
    ///
    /// # Errors
    /// With what was found: nothing may be built on the ledger then.
    pub(crate) fn holds(&self) -> Result<(), LedgerError> {
        match self.found.get() {
            Some(found) => Err(LedgerError::Found(found.clone())),
            None => Ok(()),
        }
    }

    /// Whether it is to be proven at `now`: lines were not read by a start, and for a day by nobody.
    pub(crate) fn is_due(&self, now: UtcMs) -> bool {
        let kept = fs::read(&self.kept).ok();
        let kept = kept.and_then(|json| serde_json::from_slice::<Kept>(&json).ok());
        // A clock that was ahead says nothing.
        let is_fresh = |proven: UtcMs| proven <= now && now < proven.plus(EVERY);
        let is_long = || self.trusts || checkpoint::path(&self.ledger).exists();
        let is_proven = kept.is_some_and(|kept| is_fresh(kept.proven_ms));
        self.found.get().is_none() && !is_proven && is_long()
    }

    /// Keeps that every line was read at `now`.
    pub(super) fn made(&self, now: UtcMs) {
        let kept = serde_json::to_vec(&Kept { proven_ms: now }).unwrap_or_default();
        if let Err(error) = self.disk.replace_cache(&self.kept, &kept) {
            tracing::warn!("{error}; the ledger is proven again sooner than it need be");
        }
    }

    /// Reads every line up to the checkpoint, twice if need be, and holds what they show against it. `between` is called with the
    /// bytes after each piece that was read; its error ends the proof, and nothing is known then.
    ///
    /// # Errors
    /// When the ledger can't be read, or is damaged: the job is stopped.
    pub(crate) fn make(
        &self,
        now: UtcMs,
        mut between: impl FnMut(usize) -> io::Result<()>,
    ) -> Result<(), LedgerError> {
        let proven = match self.prove(&mut between) {
            // A disk that fails once is no reason to stop a job.
            Err(error) if is_for_good(&error) => self.prove(&mut between),
            proven => proven,
        };
        match proven {
            Ok(()) => self.made(now),
            // It may pass; what the disk has lost does not.
            Err(error) if !is_for_good(&error) => return Err(error),
            Err(error) => {
                let _ = self.found.set(error.to_string());
                self.forget_checkpoint();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes the checkpoint away, so that each look at the ledger reads every line and finds what is wrong.
    pub(crate) fn forget_checkpoint(&self) {
        if let Err(error) = self.disk.remove(&checkpoint::path(&self.ledger)) {
            tracing::error!(job = %self.job, "{error}; `status` does not see that the ledger is damaged");
        }
    }

    fn prove(&self, between: impl FnMut(usize) -> io::Result<()>) -> Result<(), LedgerError> {
        let unreadable = |source| unreadable(&self.ledger, source);
        let mut file = File::open(&self.ledger).map_err(unreadable)?;
        // Of now: whoever appends may have kept another one since the start.
        let known = checkpoint::load(&self.ledger, &mut file);
        // Without one, no further than it reaches now: what is being appended is proven the next time.
        let length = file.metadata().map_err(unreadable)?.len();
        let end = known.as_ref().map_or(length, |known| known.end);
        let paced = Paced {
            file: File::open(&self.ledger).map_err(unreadable)?,
            at: 0,
            between,
        };
        let lines = BufReader::with_capacity(AT_ONCE, paced.take(end));
        let shown = Replay::read(lines, |_| {});
        let shown = shown.map_err(|damage| told(&self.ledger, &self.job, damage))?;
        match known.filter(|known| *known != shown) {
            None => Ok(()),
            Some(known) => Err(LedgerError::Checkpoint {
                path: checkpoint::path(&self.ledger),
                lines: known.lines,
            }),
        }
    }
}

/// Whether a ledger can't be relied on any more: not where it could not be read just now.
fn is_for_good(error: &LedgerError) -> bool {
    match error {
        LedgerError::Unreadable { source, .. } => Errno::from_io_error(source) == Some(Errno::IO),
        _ => true,
    }
}

/// A file whose reader pauses, and leaves the cache to others.
struct Paced<F> {
    file: File,
    at: u64,
    between: F,
}

impl<F: FnMut(usize) -> io::Result<()>> Read for Paced<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        // A hint: where it is not taken, nothing is lost.
        let length = std::num::NonZeroU64::new(read as u64);
        let _ = length.map(|length| fadvise(&self.file, self.at, Some(length), Advice::DontNeed));
        self.at += read as u64;
        (self.between)(read)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
