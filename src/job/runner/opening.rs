//! The beginning of a job, its end, and what stops it in between. Carries *Candid*: a ledger that is found damaged
//! while the job runs stops it, as it would at a start.

use std::path::Path;
use std::sync::Arc;

use super::JobRunner;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::durable::Disk;
use crate::elsa::client::Client;
use crate::fetch::Shared;
use crate::job::{Mode, Outcome, Progress};
use crate::ledger::proof::Proof;
use crate::ledger::{Ledger, LedgerError, Looked};

impl JobRunner {
    /// Opens the ledger of `job` in `state_dir`, from its checkpoint on.
    ///
    /// # Errors
    /// When the ledger can't be read or written, or is damaged.
    pub fn open(
        job: Arc<Job>,
        client: Arc<Client>,
        state_dir: &Path,
        disk: &Disk,
        shared: Arc<Shared>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, LedgerError> {
        let looked = Ledger::look(state_dir, &job.name)?;
        Self::resume(job, client, (state_dir, looked, disk), shared, progress)
    }

    /// The same, of a ledger that was looked at.
    ///
    /// # Errors
    /// When the ledger can't be read or written.
    pub(crate) fn resume(
        job: Arc<Job>,
        client: Arc<Client>,
        (state_dir, looked, disk): (&Path, Looked, &Disk),
        shared: Arc<Shared>,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, LedgerError> {
        let with = (disk, &shared.clock);
        let ledger = Ledger::resume(state_dir, &job.name, looked, with)?;
        let begun = Self::with(job, client, (state_dir, ledger), shared, progress);
        Ok(begun)
    }

    /// What proves the lines of the ledger that were not read.
    pub(crate) fn proof(&self) -> Proof {
        self.ledger().proof().clone()
    }

    /// Keeps what there is to know for the next start.
    pub(crate) fn close(mut self) {
        self.recorder.ledger.close();
    }

    /// The outcome of a cycle when the ledger was found damaged: nothing is asked for, and nothing is written.
    /// `None` while nothing is known to be wrong with it.
    pub(super) fn stopped(
        &self,
        planned: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
        mode: Mode,
    ) -> Option<Outcome> {
        let why = self.ledger().proof().holds().err()?.to_string();
        // One may have been kept just before it was found.
        self.ledger().proof().forget_checkpoint();
        Some(self.view().paused(planned, mode, why))
    }
}
