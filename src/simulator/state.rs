//! What the connections and the handle share: the world, what may change while it runs, and the
//! journal.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::span::{Millis, UtcMs};

use super::dialect::{Dialect, EmptyAnswer};
use super::download;
use super::fault::{Fault, FaultPlan};
use super::gateway::Download;
use super::gateway_error::GatewayError;
use super::journal::Journal;
use super::reply::Reply;
use super::settings::{ServiceClock, Settings};
use super::world::{KeyPair, Project};

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
    pub(super) clock: ServiceClock,
    pub(super) faults: FaultPlan,
    pub(super) visible_at: Option<UtcMs>,
    pub(super) date_skew: Option<Millis>,
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
                date_skew: settings.date_skew,
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

    /// What a `Date` header shows now.
    pub(super) fn date(&self) -> UtcMs {
        let live = self.live();
        live.clock.now().plus(live.date_skew.unwrap_or_default())
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
                return Ok(Reply::refusal(&GatewayError::not_found()));
            };
            let dialect = &state.dialect;
            let made_up = made_up.then(|| download::made_up(project, &download, dialect));
            let project = made_up.as_ref().unwrap_or(project);
            let seqs = download::select(project, &download, dialect, visible_at);
            if seqs.is_empty() && dialect.empty == EmptyAnswer::NotFound {
                return Ok(Reply::refusal(&GatewayError::not_found()));
            }
            let zip = download::write(project, &seqs, &download, dialect, &state.stop)?;
            Ok(Reply::zip(zip, seqs.len() as u64, dialect.framing))
        });
        let made = making.await.map_err(io::Error::other).flatten();
        made.unwrap_or_else(|error| Reply::refusal(&GatewayError::unexpected(&error)))
    }
}
