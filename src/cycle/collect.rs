//! Collecting one window: it is asked for in as many spans as it takes, and what is kept lies
//! unpacked and durable below `.staging` in the end. Carries *Complete*: how the window is split
//! and what an answer is worth, `domain::split::resolve` decides; here it is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{Shared, broken};
use crate::archive::manifest::Part;
use crate::domain::circuit_breaker::Remedy;
use crate::domain::job::Job;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::split::resolve::{SpanLimit, resolve};
use crate::durable::{DiskError, Step};
use crate::elsa::client::Client;
use crate::elsa::error_response::CallError;

/// A window that lies below `.staging`, its data durable.
#[derive(Debug)]
pub struct Collected {
    /// The folder that is to be published.
    pub staged: PathBuf,
    /// Its parts, in order of time.
    pub parts: Vec<Part>,
    /// Why the records of some file can't be counted, or its number is not believed.
    pub unproven_reason: Option<String>,
}

/// Why a window was not collected, and what that means for the job's other windows.
#[derive(Debug)]
pub enum NotCollected {
    /// It concerns this window only.
    Window(String),
    /// The service rejects the span, or finds nothing in it.
    Rejected(String),
    /// It took too long; smaller spans may succeed.
    TooSlow(String),
    /// The others would fail alike.
    Job(String),
    /// The same, and it took a request to find out.
    Unserved(Remedy, String),
    /// This machine's disk is to blame: another try is worth it as soon as there is space.
    Disk {
        /// Why, for the operator.
        message: String,
        /// How many bytes have to be free beyond `min_free_space`, as far as that is known.
        needs_bytes: u64,
        /// Whether the others would fail alike.
        whole_job: bool,
    },
    /// The program is being stopped.
    Stopped,
}

impl NotCollected {
    /// The disk fails, for all of the job's windows.
    pub fn disk(error: &dyn std::error::Error) -> Self {
        Self::Disk {
            message: error.to_string(),
            needs_bytes: 0,
            whole_job: true,
        }
    }
}

impl From<DiskError> for NotCollected {
    fn from(error: DiskError) -> Self {
        Self::disk(&error)
    }
}

/// Why an attempt came to nothing.
#[derive(Debug)]
pub enum Missed {
    /// It failed.
    Failed(CallError),
    /// The program is being stopped.
    Stopped,
}

impl From<CallError> for Missed {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

/// What is to be collected.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The window.
    pub window: Span,
    /// How many records are expected in it.
    pub estimate: Option<u64>,
    /// Before when, by either clock, it is not to be asked for.
    pub settled_at: UtcMs,
}

/// Collects a window, and learns of how long a span the service can answer. Whatever the outcome,
/// nothing is visible yet; on an error nothing is left below `.staging` either.
pub async fn collect(
    job: &Arc<Job>,
    client: &Client,
    shared: &Arc<Shared>,
    asking: Asking,
    span_limit: &mut SpanLimit,
    stop: &CancellationToken,
) -> Result<Collected, NotCollected> {
    let Asking {
        window,
        estimate,
        settled_at,
    } = asking;
    shared
        .store
        .check_space(0)
        .map_err(|error| NotCollected::disk(&error))?;
    let staged = shared.store.staging(&job.name, window);
    let answers = staged.with_extension("answers");
    let mut collecting = Collecting {
        job,
        client,
        shared,
        stop,
        answers: answers.clone(),
        asked: 0,
        answered: false,
        open: BTreeMap::new(),
        kept: Vec::new(),
        unproven_reason: None,
        settled_at,
    };
    collecting.clear(&staged).await?;
    let mut learnt = *span_limit;
    let resolved = resolve(&mut collecting, window, job.limit, estimate, &mut learnt).await;
    if collecting.answered {
        // Otherwise it may be down, whatever the length.
        *span_limit = learnt;
    }
    let placed = match resolved {
        Ok(()) => collecting.place(&staged).await,
        Err(error) => Err(error),
    };
    match placed {
        Ok(mut parts) => {
            let mut unproven_reason = collecting.unproven_reason;
            if doubt_what_may_be_forgotten(&mut parts, job, client.now()) {
                unproven_reason =
                    Some("the service may have forgotten its beginning already".into());
            }
            Ok(Collected {
                staged,
                parts,
                unproven_reason,
            })
        }
        Err(error) => {
            let error = match error {
                // Not even a small span was answered: it is not the window's size.
                NotCollected::TooSlow(message) if !collecting.answered => {
                    NotCollected::Unserved(Remedy::Time, message)
                }
                error => error,
            };
            // What failed must not go on taking space until the window's next turn.
            if let Err(error) = collecting.clear(&staged).await {
                tracing::warn!(job = %job.name, "{error:?}");
            }
            Err(error)
        }
    }
}

/// Parts that began beyond the service's retention by the time they had come may lack what it had
/// forgotten. Returns whether there are any.
fn doubt_what_may_be_forgotten(parts: &mut [Part], job: &Job, now: UtcMs) -> bool {
    let Some(keeps) = job.retention else {
        return false;
    };
    let mut any = false;
    for part in parts
        .iter_mut()
        .filter(|part| part.from_ms < now.minus(keeps))
    {
        part.status = part.status.max(Status::Unproven);
        any = true;
    }
    any
}

/// A window in the making.
pub(super) struct Collecting<'a> {
    pub(super) job: &'a Arc<Job>,
    pub(super) client: &'a Client,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) stop: &'a CancellationToken,
    /// The folder in which each answer has one of its own.
    answers: PathBuf,
    /// Answers so far.
    pub(super) asked: usize,
    /// Whether the service has answered any of them with a zip.
    pub(super) answered: bool,
    /// Answers of which it is not known yet whether they are parts.
    pub(super) open: BTreeMap<usize, Part>,
    pub(super) kept: Vec<(usize, Part)>,
    pub(super) unproven_reason: Option<String>,
    /// When the window has settled.
    pub(super) settled_at: UtcMs,
}

impl Collecting<'_> {
    pub(super) fn folder(&self, answer: usize) -> PathBuf {
        self.answers.join(format!("{answer:04}"))
    }

    /// Bytes of the answers that lie unpacked below `.staging`.
    pub(super) fn staged_bytes(&self) -> u64 {
        let kept = self.kept.iter().map(|(_, part)| part);
        let files = kept.chain(self.open.values()).flat_map(|part| &part.files);
        files.fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Puts the parts that are kept into `staged`, in order of time.
    async fn place(&mut self, staged: &Path) -> Result<Vec<Part>, NotCollected> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by_key(|(_, part)| part.from_ms);
        let mut moves = Vec::new();
        let mut parts = Vec::new();
        for (number, (answer, mut part)) in kept.into_iter().enumerate() {
            let name = format!("part-{:04}", number + 1);
            if !part.files.is_empty() {
                moves.push((self.folder(answer), staged.join(&name)));
            }
            for file in &mut part.files {
                file.path = format!("{name}/{}", file.path);
            }
            parts.push(part);
        }
        let (shared, staged, answers) = (
            Arc::clone(self.shared),
            staged.to_owned(),
            self.answers.clone(),
        );
        let placed = spawn_blocking(move || {
            let disk = shared.store.disk();
            disk.make_folders(Step::StageFolder, &staged)?;
            for (from, to) in &moves {
                disk.place_part(from, to)?;
            }
            disk.remove(&answers)
        });
        placed.await.map_err(|error| broken(&error))??;
        Ok(parts)
    }

    /// Removes everything of this window below `.staging`.
    async fn clear(&self, staged: &Path) -> Result<(), NotCollected> {
        self.remove(staged.to_owned()).await?;
        self.remove(self.answers.clone()).await
    }

    pub(super) async fn remove(&self, path: PathBuf) -> Result<(), NotCollected> {
        let shared = Arc::clone(self.shared);
        let removed = spawn_blocking(move || shared.store.disk().remove(&path));
        Ok(removed.await.map_err(|error| broken(&error))??)
    }
}
