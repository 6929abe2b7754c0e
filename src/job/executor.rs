//! How many windows are fetched at once, and what a failure means for the others. Carries
//! *Isolated* and *Bounded*.

use std::future::{self, Future};
use std::pin::Pin;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::revise;
use crate::archive::manifest::Confirmed;
use crate::archive::publish::{Archived, Published};
use crate::domain::queue::Work;
use crate::domain::window_error::WindowError;
use crate::elsa::client::Client;
use crate::elsa::limiter::{Seat, Seats};
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

/// A window that is no longer in flight, or a group of them that is.
pub(super) enum Landed {
    /// It is done, or failed.
    Ended(Box<Ended>),
    /// It is asked for again after the others.
    Deferred(Box<Postponed>),
    /// They are published, or not.
    Published(Vec<(Work, Result<Published, WindowError>)>),
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
    /// Whether a group is being published; it is one of those in flight then.
    publishes: bool,
    /// Whether a window has ended well since the start and the last failure. Before, each begins alone, so
    /// that what fails for all windows fails once.
    is_proven: bool,
    most: usize,
    /// The first window's seat, which no other job can take.
    first: Seats,
    /// Those of the account for the others.
    more: Seats,
    /// The place in the queue for one of them.
    wait: Option<Pin<Box<dyn Future<Output = Option<Seat>> + Send>>>,
    /// One that was given and not taken yet.
    seat: Option<Seat>,
    halt: CancellationToken,
    is_halted: bool,
    /// The job's windows in flight are its last ones.
    leaving: CancellationToken,
    /// Whether no other window begins, and those in flight go on.
    is_closed: bool,
}

/// What happened.
pub(super) enum Event {
    /// A window is no longer in flight. An error is a bug.
    Landed(Result<Landed, JoinError>),
    /// Another one may begin.
    Room,
    /// None is in flight.
    Idle,
}

impl Executor {
    /// As many windows at once as the account of `client` allows, until `stop`. No other begins once the job is
    /// `leaving`.
    pub(super) fn new(
        client: &Client,
        stop: &CancellationToken,
        leaving: &CancellationToken,
    ) -> Self {
        Self {
            in_flight: JoinSet::new(),
            publishes: false,
            is_proven: false,
            most: client.max_in_flight(),
            first: Seats::of_one_job(),
            more: client.seats().clone(),
            wait: None,
            seat: None,
            halt: stop.child_token(),
            is_halted: false,
            leaving: leaving.clone(),
            is_closed: false,
        }
    }

    /// A seat for another window, where one may begin while so many wait to be published.
    pub(super) fn room(&mut self, waiting: usize) -> Option<Seat> {
        if !self.may_begin(waiting) {
            return None;
        }
        let given = self.seat.take();
        given
            .or_else(|| self.first.free())
            .or_else(|| self.more.free().filter(|_| self.wait.is_none()))
    }

    fn may_begin(&self, waiting: usize) -> bool {
        let is_free = match self.is_proven {
            // What waits takes space.
            true => self.in_flight() < self.most && waiting < self.most,
            false => self.in_flight.is_empty() && waiting == 0,
        };
        is_free && !self.is_closed && !self.halt.is_cancelled() && !self.leaving.is_cancelled()
    }

    /// Begins a window, or ends it at once for a reason that is known already.
    pub(super) fn begin(
        &mut self,
        seat: Seat,
        work: Work,
        start: Result<Start, WindowError>,
        source: Source,
    ) {
        let source = Source {
            stop: self.halt.clone(),
            ..source
        };
        self.in_flight.spawn(async move {
            let _seat = seat;
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

    /// Publishes a group. One at a time, or they would continue the same manifest. A halt does not end it.
    pub(super) fn publish(
        &mut self,
        works: Vec<Work>,
        group: impl Future<Output = Vec<Result<Published, WindowError>>> + Send + 'static,
    ) {
        self.publishes = true;
        self.in_flight.spawn(async move {
            let published = group.await;
            Landed::Published(works.into_iter().zip(published).collect())
        });
    }

    /// Whether a group is being published.
    pub(super) const fn publishes(&self) -> bool {
        self.publishes
    }

    /// What happens next. Where there are more windows to begin while so many wait to be published, it waits
    /// for a seat too.
    pub(super) async fn next(&mut self, has_more: bool, waiting: usize) -> Event {
        if self.in_flight.is_empty() {
            return Event::Idle;
        }
        let waits = has_more && self.may_begin(waiting) && self.seat.is_none();
        if !waits {
            // What this job does not take is another's.
            (self.wait, self.seat) = (None, None);
        } else if self.wait.is_none() {
            self.wait = Some(Box::pin(self.more.clone().next()));
        }
        let Self {
            in_flight,
            wait,
            seat,
            publishes,
            ..
        } = self;
        let given = async {
            match wait {
                Some(wait) => wait.await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(landed) = in_flight.join_next() => {
                // Whichever it was that had a bug: nothing is published after that.
                *publishes &= !matches!(landed, Ok(Landed::Published(_)) | Err(_));
                Event::Landed(landed)
            }
            given = given => {
                *seat = given;
                self.wait = None;
                Event::Room
            }
        }
    }

    /// A window has ended well: what all windows share works.
    pub(super) const fn widen(&mut self) {
        self.is_proven = true;
    }

    /// A window has failed: the next one begins once no other is in flight, unless one of those ends
    /// well.
    pub(super) const fn narrow(&mut self) {
        self.is_proven = false;
    }

    /// The other windows would fail alike, but what has landed well is published first.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
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
        self.in_flight.len() - usize::from(self.publishes)
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
