//! Collecting one window: it is asked for in as many spans as it takes, and what is kept lies
//! unpacked and durable below `.staging` in the end. Carries *Complete*: how the window is split
//! and what an answer is worth, `domain::split::resolve` decides; here it is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::attempt::Answered;
use super::{Shared, broken};
use crate::archive::manifest::{Part, Zip, local_time};
use crate::digest::Digest;
use crate::domain::job::Job;
use crate::domain::span::{Ms, Span};
use crate::domain::split::Status;
use crate::domain::split::resolve::{Answer, Ask, resolve};
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
    /// Why the records of some file can't be counted, or its number is not believed.
    pub doubt: Option<String>,
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

/// What is to be collected.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The window.
    pub window: Span,
    /// How many records are expected in it.
    pub foreseen: Option<u64>,
    /// Before when, by either clock, it is not to be asked for.
    pub settled_at: Ms,
}

/// Collects a window. Whatever the outcome, nothing is
/// visible yet; on an error nothing is left below `.staging` either.
pub async fn collect(
    job: &Arc<Job>,
    client: &Client,
    shared: &Arc<Shared>,
    asking: Asking,
    stop: &CancellationToken,
) -> Result<Collected, NotCollected> {
    let window = asking.window;
    shared
        .store
        .check_space(0)
        .map_err(|error| NotCollected::Job(error.to_string()))?;
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
        doubt: None,
        settled_at: asking.settled_at,
    };
    collecting.clear(&staged).await?;
    let resolved = resolve(&mut collecting, window, job.limit, asking.foreseen).await;
    let placed = match resolved {
        Ok(()) => collecting.place(&staged).await,
        Err(error) => Err(error),
    };
    match placed {
        Ok(mut parts) => {
            let mut doubt = collecting.doubt;
            if doubt_what_may_be_forgotten(&mut parts, job, client.now()) {
                doubt = Some("the service may have forgotten its beginning already".into());
            }
            Ok(Collected {
                staged,
                parts,
                doubt,
            })
        }
        Err(error) => {
            let error = match error {
                // Not even a small span was answered: it is not the window's size.
                NotCollected::TooSlow(message) if !collecting.answered => {
                    NotCollected::Job(message)
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
fn doubt_what_may_be_forgotten(parts: &mut [Part], job: &Job, now: Ms) -> bool {
    let Some(keeps) = job.retention_ms else {
        return false;
    };
    let mut any = false;
    for part in parts
        .iter_mut()
        .filter(|part| part.from_ms < now.0.saturating_sub(keeps))
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
    asked: usize,
    /// Whether the service has answered any of them with a zip.
    answered: bool,
    /// Answers of which it is not known yet whether they are parts.
    open: BTreeMap<usize, Part>,
    kept: Vec<(usize, Part)>,
    doubt: Option<String>,
    /// When the window has settled.
    settled_at: Ms,
}

impl Ask for Collecting<'_> {
    type Error = NotCollected;

    async fn ask(&mut self, span: Span) -> Result<Answer, NotCollected> {
        self.asked += 1;
        let id = self.asked;
        self.check_clocks()?;
        let (answered, attempts) = match self.until_answered(span, id).await {
            Err(NotCollected::Rejected(message)) if self.answered => {
                return Ok(self.rejected(span, id, message));
            }
            other => other?,
        };
        self.answered = true;
        // The answer tells what time it is there, perhaps for the first time.
        self.check_clocks()?;
        let Answered {
            zip,
            unpacked,
            received_at,
        } = answered;
        let outside = unpacked.seen.outside;
        if outside > 0 {
            tracing::error!(
                job = %self.job.name,
                span = %span,
                outside,
                "the answer holds records outside the span that was asked for; they are kept as \
                 they came. `elsa-archiver check --live` says whether to_bound is right"
            );
            let what = format!("{outside} records lie outside the span that was asked for");
            self.doubt = self.doubt.take().or(Some(what));
        }
        let records = unpacked.records;
        if let Some(records) = records.filter(|&records| records > self.job.count.into()) {
            tracing::warn!(
                job = %self.job.name,
                span = %span,
                records,
                count = self.job.count,
                "the answer holds more records than were asked for"
            );
        }
        self.doubt = self.doubt.take().or(unpacked.uncountable);
        let part = Part {
            from_ms: span.from().0,
            to_ms: span.to().0,
            status: Status::Unproven,
            records,
            attempts,
            received_at: local_time(received_at, &self.job.zone),
            zip,
            files: unpacked.files,
        };
        self.open.insert(id, part);
        Ok(Answer {
            id,
            records,
            sample: unpacked.seen.inside.finish(),
            outside,
        })
    }

    fn keep(&mut self, answer: usize, status: Status) {
        if let Some(part) = self.open.remove(&answer) {
            self.kept.push((answer, Part { status, ..part }));
        }
    }

    async fn discard(&mut self, answer: usize) -> Result<(), NotCollected> {
        self.open.remove(&answer);
        self.remove(self.folder(answer)).await
    }

    fn may_be_too_big(error: &NotCollected) -> bool {
        matches!(error, NotCollected::TooSlow(_))
    }

    fn cap(&self) -> u64 {
        u64::from(self.job.count).min(self.client.hidden_cap())
    }

    fn learn_cap(&mut self, records: u64) {
        tracing::warn!(
            job = %self.job.name,
            records,
            count = self.job.count,
            "the service cuts answers below the count that is asked for; from now on answers of \
             this account are taken to be cut there"
        );
        self.client.learn_hidden_cap(records);
    }

    fn forget_cap(&mut self) {
        if self.client.hidden_cap() < u64::from(self.job.count) {
            tracing::warn!(
                job = %self.job.name,
                "the service hands out more than it had seemed to; answers are believed again up \
                 to the count that is asked for"
            );
        }
        self.client.forget_hidden_cap();
    }

    fn note_fickle(&mut self, span: Span, first: u64, second: u64) {
        let what =
            format!("the service counts {first} records in {span}, then {second} in its halves");
        tracing::error!(job = %self.job.name, "{what}");
        self.doubt = Some(what);
    }
}

impl Collecting<'_> {
    pub(super) fn folder(&self, answer: usize) -> PathBuf {
        self.answers.join(format!("{answer:04}"))
    }

    /// A part of the window that the service answers with an error while it answers others: perhaps
    /// it holds no logs (`ELSA-API.md`, *Unknown*). The others are worth keeping, and nothing is
    /// known of this one.
    fn rejected(&mut self, span: Span, id: usize, message: String) -> Answer {
        let part = Part {
            from_ms: span.from().0,
            to_ms: span.to().0,
            status: Status::Unproven,
            records: None,
            attempts: 1,
            received_at: local_time(self.shared.clock.now(), &self.job.zone),
            zip: Zip {
                bytes: 0,
                sha256: Digest::of(b""),
            },
            files: Vec::new(),
        };
        self.open.insert(id, part);
        self.doubt = self
            .doubt
            .take()
            .or(Some(format!("a part of it was refused: {message}")));
        Answer {
            id,
            ..Answer::default()
        }
    }

    /// A window that has settled by our clock, but not by the service's, would be archived before
    /// its logs have come, and never be looked at again.
    fn check_clocks(&self) -> Result<(), NotCollected> {
        if self.client.now() >= self.settled_at {
            return Ok(());
        }
        let ahead_s = (self.shared.clock.now().0 - self.client.now().0) / 1000;
        Err(NotCollected::Job(format!(
            "this machine's clock is {ahead_s} s ahead of the service's, by which the window has \
             not settled yet; check NTP"
        )))
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
