//! What the connections and the handle share: the world, what may change while it runs, and the
//! journal.

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::span::{Millis, UtcMs};

use super::answer::Service;
use super::call::Call;
use super::dialect::Dialect;
use super::fault::{Fault, FaultPlan};
use super::gateway_error::GatewayError;
use super::journal::Journal;
use super::lie::{Lie, Standing};
use super::reply::Reply;
use super::request::Request;
use super::search::Search;
use super::settings::{ServiceClock, Settings};
use super::world::{KeyPair, Project, Visible};

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
    pub(super) search: Search,
    /// Shared with the answers that are being made, so that each is counted once.
    lies: Arc<[Standing]>,
    pub(super) visible_at: Option<UtcMs>,
    pub(super) kept_from: UtcMs,
    pub(super) date_skew: Option<Millis>,
    /// How long an answer takes at least.
    pub(super) latency: RangeInclusive<Duration>,
}

fn standing(lies: Vec<Lie>) -> Arc<[Standing]> {
    lies.into_iter().map(Standing::new).collect()
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
                search: settings.search,
                lies: standing(settings.lies),
                visible_at: settings.visible_at,
                kept_from: UtcMs(i64::MIN),
                date_skew: settings.date_skew,
                latency: Duration::ZERO..=Duration::ZERO,
            }),
            journal: Journal::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_lies(&self, lies: Vec<Lie>) {
        self.live().lies = standing(lies);
    }

    pub(super) fn now(&self) -> UtcMs {
        self.live().clock.now()
    }

    /// What a `Date` header shows now.
    pub(super) fn date(&self) -> UtcMs {
        let live = self.live();
        live.clock.now().plus(live.date_skew.unwrap_or_default())
    }

    /// How long the next answer is kept back.
    pub(super) fn latency(&self) -> Duration {
        let (least, most) = self.live().latency.clone().into_inner();
        least + most.saturating_sub(least).mul_f64(fastrand::f64())
    }

    /// The fault for the next answer to this call about the project at this place.
    pub(super) fn next_fault(&self, call: Call, place: usize) -> Option<Fault> {
        let project = self.projects.get(place)?;
        self.live().faults.next(call, project.key())
    }

    /// The answer to an accepted request that arrived at `now`. Of the faults those count that decide
    /// which records it holds and how they are written.
    pub(super) async fn answer(
        self: &Arc<Self>,
        place: usize,
        request: Request,
        fault: Option<Fault>,
        now: UtcMs,
    ) -> Reply {
        let (visible, search, lies) = {
            let live = self.live();
            let visible = Visible {
                at: live.visible_at.unwrap_or(now),
                kept_from: live.kept_from,
            };
            (visible, live.search.clone(), Arc::clone(&live.lies))
        };
        let state = Arc::clone(self);
        let making = self.tasks.spawn_blocking(move || {
            let Some(project) = state.projects.get(place) else {
                return Ok(Reply::refusal(&GatewayError::not_found()));
            };
            let service = Service {
                project,
                dialect: &state.dialect,
                search: &search,
                lies: &lies,
                visible,
                stop: &state.stop,
            };
            match fault {
                Some(Fault::AlwaysFull) => service.answer_with_inventions(&request),
                Some(Fault::Flawed(flaw)) => service.answer_with(flaw, &request),
                _ => service.answer(&request),
            }
        });
        let made = making.await.map_err(io::Error::other).flatten();
        made.unwrap_or_else(|error| Reply::refusal(&GatewayError::unexpected(&error)))
    }
}
