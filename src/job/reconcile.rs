//! Archive against ledger, and our clock against the service's, before a cycle asks for anything.
//! Folders that the ledger lacks are adopted or block their windows. Carries *Self-healing* and
//! *Candid*.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::archive::adopt::{Found, Known, UnrecordedFolder, adopt};
use crate::domain::circuit_breaker::Remedy;
use crate::domain::job::{Job, ToBound};
use crate::domain::plan::{deadline_of, out_of_reach};
use crate::domain::retry::Failure;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;
use crate::fetch::{Shared, Source};
use crate::ledger::replay::Replay;

/// Looks for folders that are published and not recorded.
///
/// # Errors
/// When the archive can't be looked at.
pub(super) async fn unrecorded(
    shared: &Arc<Shared>,
    job: &Arc<Job>,
    replay: &Replay,
) -> Result<Found, String> {
    let (shared, job) = (Arc::clone(shared), Arc::clone(job));
    let (coverage, revisions) = (replay.coverage.clone(), replay.revisions.clone());
    let last_manifest = replay.last_manifest;
    let looked = spawn_blocking(move || {
        let known = Known {
            coverage: &coverage,
            revisions: &revisions,
            last_manifest,
        };
        adopt(&shared.store, &job, known)
    });
    looked
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

/// Why a window can't be archived: a folder that the ledger lacks is in its way.
pub(super) fn blocked_by(folders: &[UnrecordedFolder], window: Window) -> Option<WindowError> {
    let blocks = |folder: &&UnrecordedFolder| {
        let theirs = folder.window.span();
        theirs.intersection(window.span()).is_some()
    };
    folders.iter().find(blocks).map(|folder| WindowError::Disk {
        message: in_the_way(folder),
        needs_bytes: 0,
        whole_job: false,
    })
}

/// The message about a folder that is in the way.
pub(super) fn in_the_way(folder: &UnrecordedFolder) -> String {
    format!(
        "{} is in the way: the ledger lacks it and it can't be adopted ({}); move it out of the archive \
         and keep it, then the next cycle asks the service for its window",
        folder.folder, folder.why
    )
}

/// Requests `window` to learn the service's time, which any answer shows. Returns the earlier of
/// its clock and ours; `None` when the program is being stopped.
async fn ask_the_time(source: &Source, window: Window) -> Option<Result<UtcMs, CallError>> {
    let to_bound = source.job.to_bound.unwrap_or(ToBound::Exclusive);
    let request = Request::new(&source.job, to_bound, window.span()).for_at_most(1);
    let asked = source.client.ask(&request);
    match source.stop.run_until_cancelled(asked).await? {
        Err(error) if !error.failure.is_answer() => Some(Err(error)),
        _ if !source.client.is_dated() => Some(Err(CallError::new(
            Failure::Passing,
            "its answer does not say what time it is".to_owned(),
        ))),
        _ => Some(Ok(source.client.now())),
    }
}

/// The earlier of both clocks, once the service was asked because `window` is due by our clock
/// alone. `both` is what was known of it before, `ours` our own clock.
pub(super) async fn time(source: &Source, window: Window, ours: UtcMs, both: UtcMs) -> UtcMs {
    let asked = ask_the_time(source, window).await;
    let now = asked.and_then(Result::ok).unwrap_or(both);
    if now < window.to().plus(source.job.settle) {
        tracing::warn!(
            job = %source.job.name,
            window = %window,
            ahead_s = ours.since(now).as_secs(),
            "this machine's clock is ahead of the service's, by which the window has not settled \
             yet; check NTP"
        );
    }
    now
}

/// What the service has forgotten of the windows that are due.
pub(super) struct Losses {
    /// All of it; windows that touch are one span.
    pub(super) all: Vec<Span>,
    /// What of it the ledger does not say yet.
    pub(super) new: Vec<Span>,
}

/// What the service has forgotten of `due`. Nothing new is given up on the word of our clock alone,
/// which may have jumped ahead: the service is asked what time it is.
///
/// # Errors
/// When it does not tell. The circuit breaker opens where it did not even answer.
pub(super) async fn losses(
    source: &Source,
    replay: &Replay,
    now: UtcMs,
    due: &[Window],
) -> Result<Losses, WindowError> {
    let nothing = Losses {
        all: Vec::new(),
        new: Vec::new(),
    };
    let Some(&oldest) = due.iter().min() else {
        return Ok(nothing);
    };
    let is_new = |span: &Span| !replay.is_known_lost(*span);
    let mut all = out_of_reach(now, &source.job, due);
    if all.iter().any(is_new) {
        match ask_the_time(source, oldest).await {
            None => return Ok(nothing),
            Some(Err(error)) => {
                return Err(WindowError::Job {
                    remedy: (!error.failure.is_answer()).then_some(Remedy::Time),
                    message: format!(
                        "windows seem to be lost, but the service does not tell the time: {error}"
                    ),
                });
            }
            Some(Ok(now)) => all = out_of_reach(now, &source.job, due),
        }
    } else if all.is_empty() {
        warn_of_deadline(&source.job, now, oldest);
    }
    let new = all.iter().copied().filter(is_new).collect();
    Ok(Losses { all, new })
}

/// Says when what is not archived will be out of reach, in the second half of the time.
fn warn_of_deadline(job: &Job, now: UtcMs, oldest: Window) {
    if let Some(deadline) = deadline_of(oldest, job)
        && let Some(retention) = job.retention
        && deadline.since(now) < retention.part(0.5)
    {
        tracing::warn!(
            job = %job.name,
            window = %oldest,
            deadline = %deadline,
            "the oldest window that is not archived is about to be out of reach"
        );
    }
}
