//! How many windows are fetched at once, and what a failure means for the others. Carries
//! *Isolated*.

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::revise;
use crate::archive::manifest::Confirmed;
use crate::archive::publish::Archived;
use crate::domain::queue::Work;
use crate::domain::window_error::WindowError;
use crate::fetch::{Came, Deferred, Fetched, Learnt, Source, Wanted, fetch, fetch_again};

/// A window that is to be fetched.
pub(super) struct Start {
    pub(super) work: Work,
    /// What is archived of it, where it is asked for again.
    pub(super) before: Option<Archived>,
    /// What is fetched.
    pub(super) wanted: Wanted,
    /// What came of it earlier in the cycle.
    pub(super) deferred: Option<Deferred>,
    /// What is known of the service.
    pub(super) learnt: Learnt,
}

/// A window that is no longer in flight.
pub(super) enum Landed {
    /// It is done, or failed.
    Ended(Box<Ended>),
    /// It is asked for again after the others.
    Deferred(Box<Postponed>),
}

/// A window that is asked for again after the others.
pub(super) struct Postponed {
    pub(super) work: Work,
    pub(super) deferred: Deferred,
    /// As [`Ended::learnt`].
    pub(super) learnt: (Learnt, Learnt),
}

/// What was found of a window.
pub(super) enum Found {
    /// It lies below `.staging`.
    Fetched(Box<Fetched>),
    /// Search shows that it holds what is archived of it.
    Unchanged(Confirmed),
}

/// What has come of a window.
pub(super) struct Ended {
    pub(super) work: Work,
    /// What is archived of it, where it was asked for again.
    pub(super) before: Option<Archived>,
    /// What was found.
    pub(super) found: Result<Found, WindowError>,
    /// What was known of the service, and what is known now.
    pub(super) learnt: (Learnt, Learnt),
}

/// The windows in flight.
pub(super) struct Executor {
    in_flight: JoinSet<Landed>,
    /// One at first, so that what fails for all windows fails once.
    at_once: usize,
    most: usize,
    halt: CancellationToken,
    is_halted: bool,
}

impl Executor {
    /// At most `most` windows at once, until `stop`.
    pub(super) fn new(most: usize, stop: &CancellationToken) -> Self {
        Self {
            in_flight: JoinSet::new(),
            at_once: 1,
            most,
            halt: stop.child_token(),
            is_halted: false,
        }
    }

    /// Whether another window may begin.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < self.at_once && !self.halt.is_cancelled()
    }

    /// Begins a window, or ends it at once for a reason that is known already.
    pub(super) fn begin(&mut self, work: Work, start: Result<Start, WindowError>, source: Source) {
        let source = Source {
            stop: self.halt.clone(),
            ..source
        };
        self.in_flight.spawn(async move {
            match start {
                Ok(start) => run(start, &source).await,
                Err(error) => Landed::Ended(Box::new(Ended {
                    work,
                    before: None,
                    found: Err(error),
                    learnt: Default::default(),
                })),
            }
        });
    }

    /// The next window that lands; `None` when none is in flight. An error is a bug.
    pub(super) async fn next(&mut self) -> Option<Result<Landed, JoinError>> {
        self.in_flight.join_next().await
    }

    /// A window has ended well: what all windows share works.
    pub(super) const fn widen(&mut self) {
        self.at_once = self.most;
    }

    /// The other windows would fail alike. Those in flight end at once and stay due, unless they
    /// are done already.
    pub(super) fn halt(&mut self) {
        self.halt.cancel();
        self.is_halted = true;
    }

    /// Whether [`Executor::halt`] was called.
    pub(super) const fn is_halted(&self) -> bool {
        self.is_halted
    }

    /// How many windows are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

async fn run(start: Start, source: &Source) -> Landed {
    let mut learnt = start.learnt.clone();
    let came = async {
        let first_of = start.before.as_ref().filter(|_| start.deferred.is_none());
        match first_of {
            Some(before) => {
                let manifest = revise::manifest_of(&source.shared, &source.job, before).await?;
                fetch_again(source, start.wanted, &manifest, &mut learnt).await
            }
            None => fetch(source, start.wanted, start.deferred, &mut learnt).await,
        }
    };
    let came = came.await;
    let (work, learnt) = (start.work, (start.learnt, learnt));
    let found = match came {
        Ok(Came::Deferred(deferred)) => {
            return Landed::Deferred(Box::new(Postponed {
                work,
                deferred,
                learnt,
            }));
        }
        Ok(Came::Fetched(fetched)) => Ok(Found::Fetched(fetched)),
        Ok(Came::Unchanged(confirmed)) => Ok(Found::Unchanged(confirmed)),
        Err(error) => Err(error),
    };
    Landed::Ended(Box::new(Ended {
        work,
        before: start.before,
        found,
        learnt,
    }))
}
