//! One span, requested until it is answered or another attempt is pointless. After a failure it
//! pauses as [`Policy`](crate::domain::retry::Policy) decides, and leaves nothing below `.staging`.

use tokio::select;
use tokio::time::sleep;
use tracing::Instrument as _;

use super::Source;
use super::asked::Asked;
use super::attempt::{Answered, attempt};
use super::staging::Place;
use crate::domain::retry::{Decision, Failure};
use crate::domain::span::Span;
use crate::domain::window_error::WindowError;
use crate::elsa::client::Found;
use crate::elsa::error_response::CallError;
use crate::elsa::request::Search;

/// Requests a span until an answer could be unpacked. Returns it with the number of
/// attempts. `staged_bytes` are those of the window's other answers.
///
/// # Errors
/// When another attempt is pointless, with what that means for the job's other windows.
pub(super) async fn until_answered(
    source: &Source,
    asked: Asked,
    place: &Place,
    staged_bytes: u64,
) -> Result<(Answered, u32), WindowError> {
    let mut attempts = 0;
    let leader = source.client.retry_leader(&source.job.name);
    let (mut first, mut asking) = (None, None);
    loop {
        attempts += 1;
        let error = match attempt(source, asked, place).await {
            Ok(answered) => {
                source.client.availability().answered(&source.job.name);
                leader.answered();
                return Ok((answered, attempts));
            }
            Err(error) if error.failure == Failure::Stopped => return Err(WindowError::Stopped),
            Err(error) => error,
        };
        let answers = leader.answers();
        let before = *first.get_or_insert(answers);
        // First of all: what failed must not go on taking space.
        place.clear(&source.shared).await?;
        if let Some(down) = is_down(source, &error) {
            return Err(down);
        }
        match pause(source, asked.span, attempts, &error).await {
            Pause::Over => {}
            Pause::Stopped => return Err(WindowError::Stopped),
            Pause::Pointless(last) => {
                let given_up = given_up(last, &error, staged_bytes);
                return Err(match error.failure.is_silence() {
                    true => without_a_word(source, asked.window, before, given_up),
                    false => given_up,
                });
            }
        }
        if !error.failure.is_silence() {
            // The service is there: what fails so is this window's own.
            asking = None;
        } else if asking.is_none() {
            let may_ask = source.stop.run_until_cancelled(leader.may_ask(answers));
            asking = may_ask.await.ok_or(WindowError::Stopped)?;
            if source.client.availability().holds(&source.job.name) {
                return Err(down(&error.message));
            }
        }
    }
}

/// What follows from a failed attempt where the service is known to be down: no other is made.
fn is_down(source: &Source, error: &CallError) -> Option<WindowError> {
    let (availability, job) = (source.client.availability(), &source.job.name);
    if error.failure.is_silence() {
        let is_down = availability.failed(job, &error.message);
        return is_down.then(|| down(&error.message));
    }
    if error.failure.is_refusal() {
        availability.refused(job);
    }
    None
}

/// What follows from a window that has failed for good, where the service has said nothing: it may be
/// down for all windows of the account, unless it has answered others of the job since that began to fail, when
/// so many `answers` had come.
pub(super) fn without_a_word(
    source: &Source,
    window: Span,
    answers: u64,
    error: WindowError,
) -> WindowError {
    if source.client.retry_leader(&source.job.name).answers() > answers {
        return error;
    }
    let (availability, message) = (source.client.availability(), error.to_string());
    match availability.given_up(&source.job.name, window.from(), &message) {
        true => down(&message),
        false => error,
    }
}

fn down(message: &str) -> WindowError {
    WindowError::Job {
        remedy: None,
        message: format!("the service is down for all windows: {message}"),
    }
}

/// Searches until there is an answer, twice at most: a second download can do without it.
///
/// # Errors
/// When another attempt is pointless; [`Failure::Stopped`] when the program is being stopped.
pub(super) async fn until_found(
    source: &Source,
    span: Span,
    request: &Search<'_>,
) -> Result<Found, CallError> {
    let stopped = || CallError::new(Failure::Stopped, "the program is being stopped");
    let mut attempts = 0;
    loop {
        attempts += 1;
        let told = tracing::debug_span!("search", job = %source.job.name, %span);
        let searched = source.client.search(request).instrument(told);
        let error = match source.stop.run_until_cancelled(searched).await {
            None => return Err(stopped()),
            Some(Ok(found)) => return Ok(found),
            Some(Err(error)) => error,
        };
        let may_pass = matches!(error.failure, Failure::Passing | Failure::ClockSkew { .. });
        if attempts > 1 || !may_pass {
            return Err(error);
        }
        match pause(source, span, attempts, &error).await {
            Pause::Over => {}
            Pause::Stopped => return Err(stopped()),
            Pause::Pointless(_) => return Err(error),
        }
    }
}

/// What a failed attempt is followed by.
enum Pause {
    /// Another attempt may be made now.
    Over,
    /// The program is being stopped.
    Stopped,
    /// Another attempt is pointless.
    Pointless(Decision),
}

/// Waits as long as the policy says after `error`, that of the `attempts`th attempt at `span`.
async fn pause(source: &Source, span: Span, attempts: u32, error: &CallError) -> Pause {
    let policy = source.shared.policy;
    let wait = match policy.next(error.failure, attempts, fastrand::f64()) {
        Decision::RetryNow { skew } => {
            tracing::warn!(
                job = %source.job.name,
                skew_s = skew.as_secs(),
                "{error}; the next attempt is signed by the service's clock"
            );
            source.client.correct_clock(skew);
            return Pause::Over;
        }
        Decision::RetryLater {
            wait,
            whole_account,
        } => {
            tracing::warn!(
                job = %source.job.name,
                span = %span,
                attempt = attempts,
                wait_ms = wait.0,
                "attempt failed, trying again: {error}"
            );
            if whole_account {
                source.client.hold(wait);
            }
            wait
        }
        last => return Pause::Pointless(last),
    };
    select! {
        () = source.stop.cancelled() => Pause::Stopped,
        () = sleep(wait.to_std()) => Pause::Over,
    }
}

/// What it means for the window, and for the job's others, that there is no further attempt.
fn given_up(decision: Decision, error: &CallError, staged_bytes: u64) -> WindowError {
    let message = error.to_string();
    match (decision, error.failure) {
        (Decision::AskForLess, _) => WindowError::TooSlow(message),
        (Decision::GiveUpJob(_), Failure::Local) => WindowError::disk(error),
        (Decision::GiveUpJob(remedy), _) => WindowError::Job {
            remedy: Some(remedy),
            message,
        },
        (_, Failure::Rejected) => WindowError::Rejected(message),
        (_, Failure::NoRoom { bytes }) => WindowError::Disk {
            message,
            needs_bytes: staged_bytes.saturating_add(bytes),
            whole_job: false,
        },
        _ => WindowError::Window(message),
    }
}
