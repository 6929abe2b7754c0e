//! One span of time from the service into `.staging`: as many requests as it
//! takes, and what is kept lies unpacked and durable in the end. It knows no ledger. Carries
//! *Complete* (how a window is split, and what an answer is worth, [`resolve`] decides) and
//! *Bounded*.
//!
//! - `answers`: splitting's hands; each answer is counted and put aside
//! - `retry`: one span, asked for until it is answered
//! - `attempt`: one request, downloaded and unpacked
//! - `download`: the answer's bytes into a file
//! - `staging`: folders below `.staging`

mod answers;
mod attempt;
mod download;
mod retry;
pub(crate) mod staging;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::archive::manifest::Part;
use crate::archive::quarantine::Quarantine;
use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::circuit_breaker::Remedy;
use crate::domain::job::Job;
use crate::domain::limits::Limits;
use crate::domain::plan::reach;
use crate::domain::recheck::Content;
use crate::domain::retry::Policy;
use crate::domain::span::UtcMs;
use crate::domain::split::resolve::{SpanLimit, resolve};
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::durable::DiskError;
use crate::elsa::client::Client;
use answers::Answers;

/// What all jobs of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The archive's root.
    pub store: Store,
    /// Where zips that were refused are kept.
    pub quarantine: Quarantine,
    /// The time of day.
    pub clock: Clock,
    /// How often and how soon a failed attempt is repeated.
    pub policy: Policy,
    /// Bounds on what a zip may become.
    pub limits: Limits,
}

/// Whose logs are fetched, with what.
#[derive(Clone, Debug)]
pub struct Source {
    /// The job.
    pub job: Arc<Job>,
    /// Its account's client.
    pub client: Arc<Client>,
    /// What all jobs share.
    pub shared: Arc<Shared>,
    /// Ends the work in flight.
    pub stop: CancellationToken,
}

/// What is to be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The window.
    pub window: Window,
    /// How many records are expected in it; `None` if nothing is known.
    pub estimate: Option<u64>,
    /// Before this instant, by either clock, it is not requested.
    pub settled_at: UtcMs,
}

/// A window that lies below `.staging`, its data durable.
#[derive(Debug)]
pub struct Fetched {
    /// The folder that is to be published.
    pub staged: PathBuf,
    /// Its parts, in order of time.
    pub parts: Vec<Part>,
    /// What they make up.
    pub content: Content,
    /// Why something in it is unproven, if known.
    pub unproven_reason: Option<String>,
}

/// Fetches a window, and learns how long a span the service can answer. Whatever the outcome,
/// nothing is visible yet. On an error nothing is left below `.staging` either.
///
/// # Errors
/// When the window can't be fetched, with what that means for the job's other windows.
pub async fn fetch(
    source: &Source,
    wanted: Wanted,
    span_limit: &mut SpanLimit,
) -> Result<Fetched, WindowError> {
    let Source { job, shared, .. } = source;
    let space = shared.store.check_space(0);
    space.map_err(|error| WindowError::disk(&error))?;
    let staged = shared.store.staging(&job.name, wanted.window);
    let answers_folder = staged.with_extension("answers");
    staging::remove(shared, &staged).await?;
    staging::remove(shared, &answers_folder).await?;

    let mut answers = Answers::new(source, answers_folder.clone(), wanted.settled_at);
    let mut learnt = *span_limit;
    let window = wanted.window.span();
    let resolved = resolve(
        &mut answers,
        window,
        job.limit,
        wanted.estimate,
        &mut learnt,
    )
    .await;
    let any_answered = answers.any_answered();
    if any_answered {
        // Otherwise it may be down, whatever the length.
        *span_limit = learnt;
    }
    let placed = match resolved {
        Ok(()) => place(source, answers, staged.clone()).await,
        Err(error) => Err(error),
    };
    match placed {
        Ok(fetched) => Ok(fetched),
        Err(error) => {
            // What failed must not go on taking space until the window's next turn.
            for left in [&staged, &answers_folder] {
                staging::clean(shared, job, left).await;
            }
            Err(match error {
                // Not even a small span was answered: it is not the window's size.
                WindowError::TooSlow(message) if !any_answered => WindowError::Job {
                    remedy: Some(Remedy::Time),
                    message,
                },
                error => error,
            })
        }
    }
}

/// Puts the answers that are parts into the window's folder.
async fn place(
    source: &Source,
    answers: Answers<'_>,
    staged: PathBuf,
) -> Result<Fetched, WindowError> {
    let reach = reach(source.client.now(), &source.job);
    let (assembled, parts, moves, folder) = answers.finish(reach, &staged);
    staging::place(&source.shared, staged.clone(), moves, folder).await?;
    Ok(Fetched {
        staged,
        parts,
        content: assembled.content(),
        unproven_reason: assembled.unproven_reason,
    })
}

impl From<DiskError> for WindowError {
    fn from(error: DiskError) -> Self {
        Self::disk(&error)
    }
}

/// A task of the program's own has panicked.
impl From<JoinError> for WindowError {
    fn from(error: JoinError) -> Self {
        Self::Window(format!("the program failed within itself: {error}"))
    }
}
