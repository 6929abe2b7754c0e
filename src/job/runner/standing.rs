//! How a job stands, for whoever shows it beside the ledger. Carries *Candid*.

use super::JobRunner;
use crate::domain::plan::plan;
use crate::domain::standing::{Standing, State};
use crate::job::{Mode, Outcome};

impl JobRunner {
    /// How the job stands between two cycles, of which the last came to `outcome`; `None` before the first.
    pub(crate) fn standing(&self, outcome: Option<&Outcome>) -> Standing {
        let Some(outcome) = outcome else {
            // Nothing has failed yet.
            let due = self.view().paused(plan, Mode::Daemon, String::new());
            return self.stands(&due, State::AtWork);
        };
        let state = match (&outcome.error, outcome.left) {
            (None, 0) => State::AtWork,
            (error, _) => State::Failing {
                message: error.clone().or_else(|| self.last_error()),
            },
        };
        self.stands(outcome, state)
    }

    /// Tells how it stands in the middle of a cycle, which came to `outcome` so far.
    pub(super) fn tell_standing(&self, outcome: &Outcome) {
        let state = match &outcome.error {
            None => State::AtWork,
            message => State::Failing {
                message: message.clone(),
            },
        };
        let now = self.stands(outcome, state);
        self.progress.stands(&self.job, &now);
    }

    /// The job with what is left by `outcome`, in this `state` unless something hinders all of it.
    fn stands(&self, outcome: &Outcome, state: State) -> Standing {
        let accounted = self.ledger().replay().accounted();
        Standing {
            due: outcome.left,
            unchecked: outcome.unchecked,
            lost: self.view().unacknowledged_losses(),
            covered_until: Some(accounted.covered_until(self.job.since)),
            state: self.hindrance(outcome).unwrap_or(state),
        }
    }

    /// What hinders all that is left.
    fn hindrance(&self, outcome: &Outcome) -> Option<State> {
        if let Err(found) = self.ledger().proof().holds() {
            let why = found.to_string();
            return Some(State::Stopped { why });
        }
        let is_waiting = outcome.left > 0 || outcome.unchecked > 0;
        let down = self.client.availability().down_for(&self.job.name);
        if let Some(down) = down.filter(|_| is_waiting) {
            return Some(State::Paused {
                until: down.next,
                message: format!("the service is down: {}", down.message),
            });
        }
        let (until, message) = self.recorder.breaker.pause()?;
        Some(State::Paused {
            until,
            message: message.to_owned(),
        })
    }

    fn last_error(&self) -> Option<String> {
        let replay = self.ledger().replay();
        let (message, _) = replay.last_error(self.shared.clock.now(), &self.job)?;
        Some(message.to_owned())
    }
}
