//! What the connections and the handle share: the world, what may change while it runs, and the
//! journal.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::span::UtcMs;

use super::dialect::{Dialect, EmptyAnswer};
use super::download;
use super::fault::{Fault, FaultPlan};
use super::gateway::{Download, Refusal};
use super::journal::Journal;
use super::reply::Reply;
use super::world::{KeyPair, Project};
use super::{Clock, Settings};

#[derive(Debug)]
pub(super) struct State {
    pub(super) accounts: Vec<KeyPair>,
    pub(super) projects: Vec<Project>,
    dialect: Dialect,
    live: Mutex<Live>,
    pub(super) journal: Journal,
    /// Cancelled when the simulator ends.
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// What a test may change between two requests.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) clock: Clock,
    pub(super) faults: FaultPlan,
    pub(super) visible_at: Option<UtcMs>,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            accounts: settings.accounts,
            projects: settings.projects,
            dialect: settings.dialect,
            live: Mutex::new(Live {
                clock: settings.clock,
                faults: settings.faults,
                visible_at: settings.visible_at,
            }),
            journal: Journal::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> UtcMs {
        self.live().clock.now()
    }

    /// The fault for the next answer about the project at this place.
    pub(super) fn next_fault(&self, place: usize) -> Option<Fault> {
        let project = self.projects.get(place)?;
        self.live().faults.next(project.key())
    }

    /// The answer to an accepted request that arrived at `now`, of records that are `made_up` or,
    /// without a fault, of the project's own.
    pub(super) async fn answer(
        self: &Arc<Self>,
        place: usize,
        download: Download,
        made_up: bool,
        now: UtcMs,
    ) -> Reply {
        let visible_at = self.live().visible_at.unwrap_or(now);
        let state = Arc::clone(self);
        let making = self.tasks.spawn_blocking(move || {
            let Some(project) = state.projects.get(place) else {
                return Ok(Reply::refusal(&Refusal::not_found()));
            };
            let dialect = &state.dialect;
            let made_up = made_up.then(|| download::made_up(project, &download, dialect));
            let project = made_up.as_ref().unwrap_or(project);
            let seqs = download::select(project, &download, dialect, visible_at);
            if seqs.is_empty() && dialect.empty == EmptyAnswer::NotFound {
                return Ok(Reply::refusal(&Refusal::not_found()));
            }
            let zip = download::write(project, &seqs, &download, dialect, &state.stop)?;
            Ok(Reply::zip(zip, seqs.len() as u64, dialect.framing))
        });
        let made = making.await.map_err(io::Error::other).flatten();
        made.unwrap_or_else(|error| Reply::refusal(&Refusal::unexpected(&error)))
    }
}

/// One request's entry in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket<'a> {
    pub(super) journal: &'a Journal,
    pub(super) number: u64,
}

impl Ticket<'_> {
    pub(super) fn answering(&self, status: u16, error_code: Option<String>, records: u64) {
        self.journal.update(self.number, |entry| {
            entry.status = Some(status);
            entry.error_code = error_code;
            entry.records = records;
        });
    }

    pub(super) fn spoilt(&self, fault: &Fault) {
        self.journal
            .update(self.number, |entry| entry.fault = Some(fault.clone()));
    }

    pub(super) fn sending(&self, bytes: u64) {
        self.journal
            .update(self.number, |entry| entry.bytes += bytes);
    }

    /// The first call counts.
    pub(super) fn finished(&self) {
        let now = Instant::now();
        self.journal.update(self.number, |entry| {
            entry.finished_at.get_or_insert(now);
        });
    }
}
