//! Asking for one span until it is answered: each failure is waited out as `domain::retry` decides,
//! and leaves nothing below `.staging`.

use tokio::select;
use tokio::time::sleep;

use super::attempt::{self, Answered, Place};
use super::collect::{Collecting, Missed, NotCollected};
use crate::domain::retry::{Decision, Failure};
use crate::domain::span::Span;
use crate::elsa::error_response::CallError;

impl Collecting<'_> {
    /// Asks until there is an answer that could be unpacked, or until asking is pointless. Returns
    /// it with the number of attempts.
    pub(super) async fn until_answered(
        &self,
        span: Span,
        answer: usize,
    ) -> Result<(Answered, u32), NotCollected> {
        let place = Place::new(self.folder(answer));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let asked =
                attempt::attempt(self.job, self.client, self.shared, span, &place, self.stop);
            let error = match asked.await {
                Ok(answered) => return Ok((answered, attempts)),
                Err(Missed::Stopped) => return Err(NotCollected::Stopped),
                Err(Missed::Failed(error)) => error,
            };
            // First of all: what failed for good must not go on taking space.
            self.remove(place.zip.clone()).await?;
            self.remove(place.folder.clone()).await?;
            self.after(span, &error, attempts).await?;
        }
    }

    /// Waits as long as the failure asks for; an error when there is no point in waiting.
    async fn after(
        &self,
        span: Span,
        error: &CallError,
        attempts: u32,
    ) -> Result<(), NotCollected> {
        let wait = match self.shared.policy.next(error.failure, attempts, jitter()) {
            Decision::RetryNow { skew } => {
                tracing::warn!(
                    job = %self.job.name,
                    skew_s = skew.as_secs(),
                    "{error}; the next attempt is signed by the service's clock"
                );
                self.client.correct_clock(skew);
                return Ok(());
            }
            Decision::RetryLater {
                wait,
                whole_account,
            } => {
                tracing::warn!(
                    job = %self.job.name,
                    span = %span,
                    attempt = attempts,
                    wait_ms = wait.0,
                    "attempt failed, trying again: {error}"
                );
                if whole_account {
                    self.client.hold(wait);
                }
                wait
            }
            Decision::AskForLess => return Err(NotCollected::TooSlow(error.to_string())),
            Decision::GiveUpWindow if error.failure == Failure::Rejected => {
                return Err(NotCollected::Rejected(error.to_string()));
            }
            Decision::GiveUpWindow if let Failure::NoRoom { bytes } = error.failure => {
                return Err(NotCollected::Disk {
                    message: error.to_string(),
                    needs_bytes: self.staged_bytes().saturating_add(bytes),
                    whole_job: false,
                });
            }
            Decision::GiveUpJob(_) if error.failure == Failure::Local => {
                return Err(NotCollected::disk(error));
            }
            Decision::GiveUpWindow => return Err(NotCollected::Window(error.to_string())),
            Decision::GiveUpJob(remedy) => {
                return Err(NotCollected::Unserved(remedy, error.to_string()));
            }
        };
        select! {
            () = self.stop.cancelled() => Err(NotCollected::Stopped),
            () = sleep(wait.to_std()) => Ok(()),
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
