//! A cycle: one pass of one job. What is due is planned, collected, published and recorded,
//! window by window. Carries *Isolated* (a failing window is left behind, not waited for) and
//! *Self-healing* (it starts from what the ledger does not cover, whatever happened before).

mod attempt;
mod collect;
mod patience;
mod stock;

use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::archive::adopt::Stray;
use crate::archive::manifest::{self, Manifest};
use crate::archive::publish::{Published, publish};
use crate::archive::store::Store;
use crate::archive::unpack::Limits;
use crate::clock::Clock;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::retry::Policy;
use crate::domain::span::{Ms, Span};
use crate::domain::split::Status;
use crate::durable::Disk;
use crate::elsa::client::Client;
use crate::ledger::line::Failed;
use crate::ledger::{Ledger, LedgerError};
use collect::{Collected, NotCollected};

/// Tells how a job's cycle goes on, for a progress bar.
pub trait Watch: Send + Sync {
    /// A cycle has begun with so many windows to archive.
    fn planned(&self, _job: &Job, _windows: usize) {}
    /// One of them is done with, archived or not.
    fn done(&self, _job: &Job, _window: Span) {}
}

/// Watches nothing.
#[derive(Debug)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// What a cycle came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Windows archived, whatever their status.
    pub archived: u64,
    /// Records in them, as far as they can be counted.
    pub records: u64,
    /// Those recorded `truncated`.
    pub truncated: u64,
    /// Those recorded `unproven`.
    pub unproven: u64,
    /// Spans that are lost, of which nobody has said that they know.
    pub lost: u64,
    /// Windows that were due and are not archived.
    pub left: u64,
    /// The last reason for one that is not.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether everything that was due is archived and known to be complete.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left == 0
            && self.lost == 0
            && self.truncated == 0
            && self.unproven == 0
            && self.error.is_none()
    }

    fn archived(&mut self, published: &Published) {
        let archived = published.archived();
        self.archived += 1;
        self.records = self.records.saturating_add(archived.records.unwrap_or(0));
        match archived.status {
            Status::Complete => {}
            Status::Truncated => self.truncated += 1,
            Status::Unproven => self.unproven += 1,
        }
    }
}

/// What all jobs of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The archive's root.
    pub store: Store,
    /// The time of day.
    pub clock: Clock,
    /// How patiently one span is asked for.
    pub policy: Policy,
    /// Bounds on what a zip may become.
    pub limits: Limits,
}

/// A job with its ledger, ready for cycles. The state directory's lock must be held.
pub struct JobRunner {
    job: Arc<Job>,
    client: Arc<Client>,
    ledger: Ledger,
    shared: Arc<Shared>,
    watch: Arc<dyn Watch>,
    /// Folders that the ledger lacks and that can't be adopted: their spans are blocked.
    strays: Vec<Stray>,
    /// Whether the archive may hold a folder that the ledger lacks.
    look_for_folders: bool,
}

/// Why a cycle does not go on with the next window.
enum End {
    /// The job's other windows would fail alike.
    Job(String),
    /// The program is being stopped.
    Stopped,
}

impl JobRunner {
    /// Opens the ledger of `job` in `state_dir`.
    ///
    /// # Errors
    /// When the ledger can't be read or written, or is damaged.
    pub fn open(
        job: Arc<Job>,
        client: Arc<Client>,
        state_dir: &std::path::Path,
        disk: &Disk,
        shared: Arc<Shared>,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(state_dir, &job.name, disk, &shared.clock)?;
        let (strays, look_for_folders) = (Vec::new(), true);
        Ok(Self {
            job,
            client,
            ledger,
            shared,
            watch,
            strays,
            look_for_folders,
        })
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Archives the windows that `plan` names. With `patient`, a window that failed before is
    /// left alone until its pause is over.
    pub async fn cycle(
        &mut self,
        plan: impl FnOnce(Ms, &Coverage, &Job) -> Vec<Span>,
        patient: bool,
        stop: &CancellationToken,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if self.look_for_folders
            && let Err(message) = self.adopt().await
        {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
            outcome.left = 1;
            return outcome;
        }
        let now = self.client.now();
        if let Err(error) = self.ledger.take_acknowledgement() {
            // Not worth stopping for: it says only that somebody knows.
            tracing::warn!(job = %self.job.name, "{error}");
        }
        let mut due = plan(now, &self.ledger.replay().coverage, &self.job);
        if let Err(message) = self.close_what_is_lost(now, &mut due, stop).await {
            tracing::error!(job = %self.job.name, "{message}");
            outcome.error = Some(message);
        }
        let unknown = |(span, known): &(Span, bool)| !known && span.to() > self.job.since;
        outcome.lost = self
            .ledger
            .replay()
            .lost()
            .iter()
            .filter(|lost| unknown(lost))
            .count() as u64;
        let replay = self.ledger.replay();
        let planned = due.len();
        if patient {
            due.retain(|&window| replay.next_try(window).is_none_or(|next| next <= now));
        }
        outcome.left = planned as u64;
        self.watch.planned(&self.job, due.len());
        for window in due {
            let ended = self.archive(window, stop, &mut outcome).await;
            self.watch.done(&self.job, window);
            match ended {
                Ok(()) => {}
                Err(End::Stopped) => break,
                Err(End::Job(message)) => {
                    if outcome.left > 1 {
                        let left = outcome.left - 1;
                        tracing::warn!(
                            job = %self.job.name,
                            left,
                            "the job's other due windows are left for the next cycle: {message}"
                        );
                    }
                    break;
                }
            }
        }
        outcome
    }

    async fn archive(
        &mut self,
        window: Span,
        stop: &CancellationToken,
        outcome: &mut Outcome,
    ) -> Result<(), End> {
        if stop.is_cancelled() {
            return Err(End::Stopped);
        }
        let done = match self.blocking_stray(window) {
            Some(message) => Err(NotCollected::Window(message)),
            None => self.collect_and_publish(window, stop).await,
        };
        let (message, end) = match done {
            Ok(published) => {
                outcome.archived(&published);
                if let Err(error) = self.ledger.record(published) {
                    // The folder is there, the line is not: nothing may be published on top
                    // before the folder is adopted.
                    self.look_for_folders = true;
                    outcome.archived -= 1;
                    (error.to_string(), true)
                } else {
                    outcome.left -= 1;
                    return Ok(());
                }
            }
            Err(NotCollected::Stopped) => return Err(End::Stopped),
            Err(
                NotCollected::Window(message)
                | NotCollected::TooSlow(message)
                | NotCollected::Rejected(message),
            ) => (message, false),
            Err(NotCollected::Job(message)) => (message, true),
        };
        tracing::error!(job = %self.job.name, window = %window, "not archived: {message}");
        outcome.error = Some(message.clone());
        let failed = Failed {
            span: window,
            message: message.clone(),
        };
        if let Err(error) = self.ledger.record_failure(failed) {
            tracing::error!(job = %self.job.name, "{error}");
            return Err(End::Job(error.to_string()));
        }
        if end { Err(End::Job(message)) } else { Ok(()) }
    }

    async fn collect_and_publish(
        &mut self,
        window: Span,
        stop: &CancellationToken,
    ) -> Result<Published, NotCollected> {
        let foreseen = self.ledger.replay().foresight.records_in(window);
        let collected = collect::collect(
            &self.job,
            &self.client,
            &self.shared,
            window,
            foreseen,
            stop,
        )
        .await?;
        let manifest = self.manifest(window, &collected);
        report_status(&self.job, window, &manifest, collected.doubt.as_deref());
        let folder = Store::folder(&self.job.name, window, &self.job.zone);
        let shared = Arc::clone(&self.shared);
        let published = spawn_blocking(move || {
            let published = publish(&shared.store, &collected.staged, folder, window, &manifest);
            (published, shared.store.disk().remove(&collected.staged))
        });
        let (published, cleaned) = published.await.map_err(|error| broken(&error))?;
        let published = published.map_err(|error| {
            self.look_for_folders = true;
            NotCollected::Job(error.to_string())
        })?;
        if let Err(error) = cleaned {
            tracing::warn!(job = %self.job.name, "{error}");
        }
        let archived = published.archived();
        tracing::info!(
            job = %self.job.name,
            folder = %archived.folder,
            records = archived.records,
            bytes = archived.bytes,
            "archived"
        );
        Ok(published)
    }

    fn manifest(&self, window: Span, collected: &Collected) -> Manifest {
        let job = &*self.job;
        let parts = collected.parts.clone();
        Manifest {
            schema: manifest::SCHEMA,
            job: job.name.to_string(),
            project_key: job.project_key.clone(),
            project_id: job.project_id,
            window: manifest::Window::of(window, &job.zone),
            status: parts
                .iter()
                .map(|part| part.status)
                .max()
                .unwrap_or(Status::Unproven),
            records: parts
                .iter()
                .try_fold(0u64, |sum, part| sum.checked_add(part.records?)),
            request: manifest::Request::of(job, self.client.endpoint().to_string()),
            parts,
            previous: self.ledger.replay().last_manifest,
            archived_at: manifest::local_time(self.shared.clock.now(), &job.zone),
            tool: manifest::tool(),
        }
    }
}

fn report_status(job: &Job, window: Span, manifest: &Manifest, doubt: Option<&str>) {
    match manifest.status {
        Status::Complete => {}
        Status::Truncated => tracing::error!(
            job = %job.name,
            window = %window,
            records = manifest.records,
            "truncated: a single millisecond holds as many records as the service hands out at once; \
             logs of it may be missing"
        ),
        Status::Unproven => tracing::error!(
            job = %job.name,
            window = %window,
            "unproven: what the window holds is not certain: {}",
            doubt.unwrap_or("no reason is known")
        ),
    }
}

fn broken(error: &JoinError) -> NotCollected {
    NotCollected::Window(format!("the program failed within itself: {error}"))
}
