//! One span of time from the service into `.staging`: as many requests as it
//! takes, and what is kept of it lies durable in the end. It knows no ledger. Carries
//! *Complete* (how a window is split, and what an answer is worth, [`resolve`] decides) and
//! *Bounded*.
//!
//! - `confirm`: the window's count is asked for a second time
//! - `deferred`: a window that is asked for again, and what its answers said so far
//! - `search`: what search shows of its pieces
//! - `second_download`: what a second download of them shows, and records beside the window
//! - `answers`: splitting's hands; each answer is counted and put aside
//! - `learnt`: what the windows so far have shown of the service
//! - `refused`: a window that is answered with an error, perhaps because it is empty
//! - `retry`: one span, asked for until it is answered
//! - `asked`: what is asked for, and where the answer goes
//! - `attempt`: one request, downloaded and unpacked
//! - `arriving`: the answer's bytes into files, while they come
//! - `download`: the answer's bytes into a file
//! - `local`: faults of this machine
//! - `staging`: folders below `.staging`
//! - `wanted`: what is to be fetched
//! - `turns`: how many windows are put together at once

mod answers;
mod arriving;
mod asked;
mod attempt;
mod confirm;
mod deferred;
mod download;
mod learnt;
mod local;
mod refused;
mod retry;
mod search;
mod second_download;
pub(crate) mod staging;
mod turns;
mod wanted;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::archive::manifest::{Confirmed, Manifest, Part};
use crate::archive::quarantine::Quarantine;
use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::circuit_breaker::Remedy;
use crate::domain::job::Job;
use crate::domain::limits::Limits;
use crate::domain::plan::reach;
use crate::domain::recheck::Content;
use crate::domain::retry::Policy;
use crate::domain::second_opinion::{Again, CrossCheck, Next, next};
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::domain::split::histogram::Histogram;
use crate::domain::split::resolve::{Estimate, resolve};
use crate::domain::window_error::WindowError;
use crate::durable::DiskError;
use crate::elsa::client::Client;
use answers::Answers;
pub use deferred::Deferred;
use deferred::Round;
pub use learnt::{Learnt, ToBoundKnown};
pub use turns::Turns;
pub use wanted::{Neighbour, Wanted};

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
    /// How many windows are put together at once.
    pub turns: Turns,
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
    /// Where the requests of second opinions are counted, without retries.
    pub opinion_requests: Arc<AtomicU64>,
}

impl Source {
    fn count_opinion_requests(&self, requests: u64) {
        self.opinion_requests.fetch_add(requests, Ordering::Relaxed);
    }
}

/// What the answers that are a window's parts hold.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// Where its records lie.
    pub(crate) histogram: Histogram,
    /// How many they are; `None` when they can't be counted.
    pub(crate) records: Option<u64>,
    /// Those of the largest answer.
    pub(crate) largest: u64,
    /// Bytes of the largest zip.
    pub(crate) zip_bytes: u64,
    /// Which spans hold how many of them.
    pub(crate) parts: Vec<(Span, u64)>,
    /// The worst of the parts.
    pub(crate) status: Status,
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
    /// What the second opinion says of it.
    pub confirmed: Confirmed,
    /// What contradicts it, if anything does.
    pub doubt: Option<String>,
    /// How `to` was taken.
    pub to_bound: ToBoundKnown,
}

/// What has come of a window for now.
#[derive(Debug)]
pub enum Came {
    /// It is to be published.
    Fetched(Box<Fetched>),
    /// Its answer is not believed yet. It is asked for again once the cycle's other windows are
    /// done, so that it delays none of them.
    Deferred(Deferred),
    /// Search shows that it still is what is archived of it.
    Unchanged(Confirmed),
}

/// Fetches a window, has its count confirmed, and learns what the service can answer. `deferred` is
/// what came of it before. Whatever the outcome, nothing is visible yet. On an error, and where the
/// window is deferred, nothing is left below `.staging` either.
///
/// # Errors
/// When the window can't be fetched, with what that means for the job's other windows.
pub async fn fetch(
    source: &Source,
    wanted: Wanted,
    deferred: Option<Deferred>,
    learnt: &mut Learnt,
) -> Result<Came, WindowError> {
    let Source { job, shared, .. } = source;
    let same = shared.store.check_identity();
    same.map_err(|error| WindowError::disk(&error))?;
    let space = shared.store.check_space(0);
    space.map_err(|error| WindowError::disk(&error))?;
    let staged = shared.store.staging(&job.name, wanted.window);
    let answers_folder = staged.with_extension("answers");

    let came = async {
        let round = match deferred {
            Some(deferred) => deferred.wait(&source.stop).await?,
            None => Round::first(wanted),
        };
        // From here on there are files.
        let _turn = shared.turns.turn(&job.account, &source.stop).await?;
        staging::remove(shared, &staged).await?;
        staging::remove(shared, &answers_folder).await?;
        let collected = collect(source, wanted, &answers_folder, &round, learnt).await;
        let mut answers = match collected {
            Err(WindowError::Rejected(message)) if !round.is_doubtful() => {
                let opinion = refused::opinion(source, wanted, message, learnt).await?;
                let fetched = refused::place(source, &staged, &answers_folder, opinion).await?;
                return Ok(Came::Fetched(Box::new(fetched)));
            }
            other => other?,
        };
        if !round.is_first() {
            source.count_opinion_requests(answers.asked());
        }
        let counted = answers.counted();
        let told = answers.to_bound();
        learnt.is_blind |= told.is_blind;
        if told.is_found {
            learnt.inclusive_at = Some(shared.clock.now());
        }
        let round = round.after(counted.records);
        let opinion =
            confirm::confirm(source, wanted, &counted, told.bound, &round, learnt).await?;
        let next = match opinion.is_deferred {
            true => Next::Again(Again::AsBefore),
            false => next(
                opinion.verdict,
                round.number,
                counted.largest,
                &counted.histogram,
            ),
        };
        if counted.records.is_some_and(|records| records > 0) {
            learnt.zip_bytes = Some(counted.zip_bytes);
        }
        let cap = source.client.hidden_cap().min(source.job.count.into());
        learnt.note(&counted, cap);
        let cut = next != Next::Publish && round.is_cut(&opinion);
        let (confirmed, doubt) = match next {
            Next::Again(again) => {
                round.note(source, wanted, &opinion);
                return Ok(Came::Deferred(round.deferred(&counted, &opinion, again)));
            }
            Next::Believe => {
                let cap = answers.suspected_cap();
                round.manner.believe(source, cap, learnt);
                (opinion.confirmed(), None)
            }
            Next::Publish => (opinion.confirmed(), None),
            Next::Unproven => {
                let why = round.why_unproven(&opinion);
                answers.contradict(why.clone());
                (opinion.confirmed(), Some(why))
            }
        };
        if cut {
            source.client.cuts().note();
        }
        let mut confirmed = Confirmed { cut, ..confirmed };
        if let Some(why) = confirm::half_forgotten(source, wanted, &counted, &confirmed) {
            answers.contradict(why.clone());
            confirmed.reason = Some(why);
        }
        let fetched = place(source, answers, staged.clone(), confirmed, doubt).await?;
        Ok(Came::Fetched(Box::new(fetched)))
    };
    let came = came.await;
    if !matches!(came, Ok(Came::Fetched(_))) {
        // What is not published must not go on taking space until the window's next turn.
        for left in [&staged, &answers_folder] {
            staging::clean(shared, job, left).await;
        }
    }
    came
}

/// Looks whether a window, of which `manifest` tells what is archived, has changed at the service: by
/// search where it is believed, otherwise it is fetched.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_again(
    source: &Source,
    wanted: Wanted,
    manifest: &Manifest,
    learnt: &mut Learnt,
) -> Result<Came, WindowError> {
    if let Some(confirmed) = still_agrees(source, wanted, manifest, learnt).await? {
        tracing::info!(
            job = %source.job.name,
            window = %wanted.window,
            "rechecked: search shows as many records as before"
        );
        return Ok(Came::Unchanged(confirmed));
    }
    fetch(source, wanted, None, learnt).await
}

async fn still_agrees(
    source: &Source,
    wanted: Wanted,
    manifest: &Manifest,
    learnt: &mut Learnt,
) -> Result<Option<Confirmed>, WindowError> {
    let is_asked = wanted.cross_check != CrossCheck::Off && manifest.status == Status::Complete;
    // Search only counts: it can't tell which of two answers with as many records is right.
    let must_download = wanted.is_contradicted || wanted.is_wanted_whole;
    if !is_asked || must_download || !learnt.search.is_believed() {
        return Ok(None);
    }
    let to_bound = learnt.to_bound(&source.job, source.shared.clock.now());
    confirm::still_agrees(source, manifest, to_bound, &mut learnt.search).await
}

/// Asks for the window until its answers make it up.
async fn collect<'a>(
    source: &'a Source,
    wanted: Wanted,
    folder: &Path,
    round: &Round,
    learnt: &mut Learnt,
) -> Result<Answers<'a>, WindowError> {
    let to_bound = ToBoundKnown::of(learnt.to_bound(&source.job, source.shared.clock.now()));
    let cap = round.manner.cap;
    let mut answers = Answers::new(source, folder.to_owned(), wanted, cap, to_bound);
    let window = wanted.window.span();
    let longest = round.manner.longest;
    let mut span_limit = match longest {
        Some(longest) => learnt.span_limit.at_most(longest),
        None => learnt.span_limit,
    };
    // An empty window is asked for again as a whole: just its pieces may come back empty.
    let estimate = wanted.estimate.filter(|_| round.was_empty.is_none());
    let heard = source.client.retry_leader(&source.job.name).answers();
    let estimate = estimate.map(|records| match learnt.picture(window) {
        Some(picture) => Estimate::Picture(picture),
        None => Estimate::Records(records),
    });
    let resolved = resolve(
        &mut answers,
        window,
        source.job.limit,
        estimate,
        &mut span_limit,
    )
    .await;
    let any_answered = answers.any_answered();
    if any_answered && longest.is_none() {
        // Otherwise it may be down, whatever the length.
        learnt.span_limit = span_limit;
    }
    match resolved {
        Ok(()) => Ok(answers),
        // Not even a small span was answered: it is not the window's size.
        Err(WindowError::TooSlow(message)) if !any_answered => {
            let error = WindowError::Job {
                remedy: Some(Remedy::Time),
                message,
            };
            Err(retry::without_a_word(source, window, heard, error))
        }
        Err(error) => Err(error),
    }
}

/// Puts the answers that are parts into the window's folder.
async fn place(
    source: &Source,
    answers: Answers<'_>,
    staged: PathBuf,
    confirmed: Confirmed,
    doubt: Option<String>,
) -> Result<Fetched, WindowError> {
    let reach = reach(source.client.now(), &source.job);
    let to_bound = answers.to_bound();
    let (assembled, parts, moves, folder) = answers.finish(reach, &staged);
    staging::place(&source.shared, staged.clone(), moves, folder).await?;
    Ok(Fetched {
        staged,
        parts,
        content: assembled.content(),
        unproven_reason: assembled.unproven_reason,
        confirmed,
        doubt,
        to_bound,
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
