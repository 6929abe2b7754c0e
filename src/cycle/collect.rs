//! Collecting one window: its parts are asked for, retried, judged, and lie unpacked and durable
//! below `.staging` in the end. Carries *Complete*: what is not known to be whole is said so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Shared, attempt, broken};
use crate::archive::manifest::{Part, local_time};
use crate::domain::job::Job;
use crate::domain::retry::Decision;
use crate::domain::span::Span;
use crate::domain::split::judge;
use crate::durable::{DiskError, Step};
use crate::elsa::answer::CallError;
use crate::elsa::client::Client;

/// A window that lies below `.staging`, its data durable.
#[derive(Debug)]
pub struct Collected {
    /// The folder that is to be published.
    pub staged: PathBuf,
    /// Its parts, in order of time.
    pub parts: Vec<Part>,
    /// Why the records of some file can't be counted.
    pub uncountable: Option<String>,
}

/// Why a window was not collected, and what that means for the job's other windows.
#[derive(Debug)]
pub enum NotCollected {
    /// It concerns this window only.
    Window(String),
    /// The others would fail alike.
    Job(String),
    /// The program is being stopped.
    Stopped,
}

impl From<DiskError> for NotCollected {
    fn from(error: DiskError) -> Self {
        Self::Job(error.to_string())
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

/// Collects `window`. Whatever the outcome, nothing is visible yet.
pub async fn collect(
    job: &Arc<Job>,
    client: &Client,
    shared: &Arc<Shared>,
    window: Span,
    stop: &CancellationToken,
) -> Result<Collected, NotCollected> {
    shared
        .store
        .check_space(0)
        .map_err(|error| NotCollected::Job(error.to_string()))?;
    let staged = shared.store.staging(&job.name, window);
    let (at, clean) = (staged.clone(), Arc::clone(shared));
    let made = spawn_blocking(move || {
        clean.store.disk().remove(&at)?;
        clean.store.disk().make_folders(Step::StageFolder, &at)
    });
    made.await.map_err(|error| broken(&error))??;

    let mut collected = Collected {
        staged,
        parts: Vec::new(),
        uncountable: None,
    };
    // One part for now; the spans of a split window would be pushed here, in order of time.
    let mut spans = vec![window];
    while let Some(span) = spans.pop() {
        let number = collected.parts.len() + 1;
        let asking = Asking {
            job,
            client,
            shared,
            span,
            stop,
        };
        let (mut part, uncountable) = asking.until_answered(&collected.staged, number).await?;
        part.status = judge(part.records, job.count);
        collected.parts.push(part);
        collected.uncountable = collected.uncountable.or(uncountable);
    }
    Ok(collected)
}

/// One span that is being asked for.
struct Asking<'a> {
    job: &'a Arc<Job>,
    client: &'a Client,
    shared: &'a Arc<Shared>,
    span: Span,
    stop: &'a CancellationToken,
}

impl Asking<'_> {
    /// Asks until there is an answer that could be unpacked, or until asking is pointless.
    async fn until_answered(
        &self,
        staged: &std::path::Path,
        number: usize,
    ) -> Result<(Part, Option<String>), NotCollected> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let place = attempt::Place::new(staged, number);
            let asked = attempt::attempt(
                self.job,
                self.client,
                self.shared,
                self.span,
                &place,
                self.stop,
            );
            let error = match asked.await {
                Ok(answered) => {
                    let unpacked = answered.unpacked;
                    let part = Part {
                        from_ms: self.span.from().0,
                        to_ms: self.span.to().0,
                        status: judge(unpacked.records, self.job.count),
                        records: unpacked.records,
                        attempts,
                        received_at: local_time(answered.received_at, &self.job.zone),
                        zip: answered.zip,
                        files: unpacked.files,
                    };
                    return Ok((part, unpacked.uncountable));
                }
                Err(Missed::Stopped) => return Err(NotCollected::Stopped),
                Err(Missed::Failed(error)) => error,
            };
            // First of all: what failed for good must not go on taking space.
            let shared = Arc::clone(self.shared);
            let cleaned = spawn_blocking(move || place.clear(shared.store.disk()));
            cleaned.await.map_err(|error| broken(&error))??;
            self.after(&error, attempts).await?;
        }
    }

    /// Waits as long as the failure asks for; an error when there is no point in waiting.
    async fn after(&self, error: &CallError, attempts: u32) -> Result<(), NotCollected> {
        let wait_ms = match self.shared.policy.next(error.failure, attempts, jitter()) {
            Decision::RetryNow { skew_ms } => {
                tracing::warn!(
                    job = %self.job.name,
                    skew_s = skew_ms / 1000,
                    "{error}; the next attempt is signed by the service's clock"
                );
                self.client.correct_clock(skew_ms);
                return Ok(());
            }
            Decision::RetryLater {
                wait_ms,
                whole_account,
            } => {
                tracing::warn!(
                    job = %self.job.name,
                    window = %self.span,
                    attempt = attempts,
                    wait_ms,
                    "attempt failed, trying again: {error}"
                );
                if whole_account {
                    self.client.hold(wait_ms);
                }
                wait_ms
            }
            Decision::GiveUpWindow => return Err(NotCollected::Window(error.to_string())),
            Decision::GiveUpJob | Decision::WrongKey => {
                return Err(NotCollected::Job(error.to_string()));
            }
        };
        let wait = Duration::from_millis(wait_ms.try_into().unwrap_or(0));
        select! {
            () = self.stop.cancelled() => Err(NotCollected::Stopped),
            () = sleep(wait) => Ok(()),
        }
    }
}

/// A random number in [0, 1): the standard library's per-process random keys are enough to keep
/// jobs from asking in step.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0);
    (random >> 11) as f64 / (1u64 << 53) as f64
}
