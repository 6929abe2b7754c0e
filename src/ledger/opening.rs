//! Opening a ledger. A start does not read ten years of lines: it goes on from a checkpoint, and what lies before
//! that is proven later (`proof.rs`). Carries *Self-healing* (a torn last line is cut off).

use std::path::Path;
use std::sync::Arc;

use super::files::read_on;
use super::line::Line;
use super::proof::Proof;
use super::replay::Replay;
use super::{Ledger, LedgerError, checkpoint, unreadable};
use crate::clock::Clock;
use crate::domain::job::JobName;
use crate::durable::{Disk, Step};

/// A ledger that was read and is not opened for appending yet.
#[derive(Debug)]
pub(crate) struct Looked {
    replay: Replay,
    /// Lines that its checkpoint holds, and that were not read; 0 where there is none.
    kept: u64,
}

impl Looked {
    /// What the lines show.
    pub(crate) const fn replay(&self) -> &Replay {
        &self.replay
    }
}

impl Ledger {
    /// Opens the ledger of a job, making an empty one where there is none, and cuts a torn last
    /// line off. Every line is read.
    ///
    /// # Errors
    /// When it can't be read or written, or is damaged.
    pub fn open(
        state_dir: &Path,
        job: &JobName,
        disk: &Disk,
        clock: &Clock,
    ) -> Result<Self, LedgerError> {
        let replay = Self::read(state_dir, job, |_| {})?;
        let looked = Looked { replay, kept: 0 };
        Self::resume(state_dir, job, looked, (disk, clock))
    }

    /// Reads a ledger from its checkpoint on, or every line where no checkpoint fits.
    ///
    /// # Errors
    /// When it can't be read, or is damaged after the checkpoint.
    pub(crate) fn look(state_dir: &Path, job: &JobName) -> Result<Looked, LedgerError> {
        let mut kept = 0;
        let load = |path: &Path, file: &mut _| {
            let known = checkpoint::load(path, file);
            kept = known.as_ref().map_or(0, |known: &Replay| known.lines);
            known
        };
        let replay = read_on(state_dir, job, load, |_| {})?;
        Ok(Looked { replay, kept })
    }

    /// Opens a ledger that was looked at, as [`Ledger::open`] does. The state directory's lock must have been
    /// held since.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub(crate) fn resume(
        state_dir: &Path,
        job: &JobName,
        Looked { replay, kept }: Looked,
        (disk, clock): (&Disk, &Clock),
    ) -> Result<Self, LedgerError> {
        let path = Self::path(state_dir, job);
        let existed = path.exists();
        let file = disk.open_ledger(&path)?;
        if !existed {
            disk.sync_folder(Step::SyncState, state_dir)?;
        }
        let length = file
            .metadata()
            .map_err(|source| unreadable(&path, source))?
            .len();
        drop(file);
        let torn = length > replay.end;
        let mut ledger = Self {
            job: job.clone(),
            path,
            disk: disk.clone(),
            torn,
            replay,
            clock: clock.clone(),
            opinion_requests: Arc::default(),
            kept,
            proof: Proof::of(state_dir, job, disk, kept > 0),
        };
        if ledger.torn {
            tracing::warn!(
                ledger = %ledger.path.display(),
                bytes = length - ledger.replay.end,
                "cutting a torn last line off the ledger; what it recorded is looked at again"
            );
            let file = ledger.disk.append(&ledger.path)?;
            ledger.mend(&file)?;
        }
        if kept == 0 && ledger.checkpoint(checkpoint::INTERVAL) {
            ledger.proof.made(ledger.clock.now());
        }
        ledger.keep_reserve();
        Ok(ledger)
    }

    /// Reads the ledger of a job without changing it; no file is an empty one. `each` sees every
    /// line in order.
    ///
    /// # Errors
    /// When it can't be read, or is damaged.
    pub fn read(
        state_dir: &Path,
        job: &JobName,
        each: impl FnMut(&Line),
    ) -> Result<Replay, LedgerError> {
        read_on(state_dir, job, |_, _| None, each)
    }

    /// As [`Ledger::read`], but starts at a checkpoint where there is one that fits, and so does
    /// not see damage before it. For looking, not for proving.
    ///
    /// # Errors
    /// When it can't be read, or is damaged after the checkpoint.
    pub fn glance(state_dir: &Path, job: &JobName) -> Result<Replay, LedgerError> {
        read_on(state_dir, job, checkpoint::load, |_| {})
    }

    /// What proves the lines that were not read.
    pub(crate) const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Keeps what there is to know for the next start. Nothing may be appended after it.
    pub(crate) fn close(&mut self) {
        self.checkpoint(1);
    }

    /// Keeps a checkpoint of a long ledger that has so many more lines than the last one. Without one, a start
    /// only takes longer. Returns whether there is one now of all lines.
    pub(super) fn checkpoint(&mut self, more: u64) -> bool {
        let lines = self.replay.lines;
        if lines < checkpoint::INTERVAL || lines - self.kept < more || self.proof.holds().is_err() {
            return false;
        }
        match checkpoint::save(&self.path, &self.replay, &self.disk) {
            Ok(()) => self.kept = lines,
            Err(error) => tracing::warn!("{error}; the next start reads more of the ledger"),
        }
        self.kept == lines
    }
}
