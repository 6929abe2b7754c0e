//! A job that stands still: a failure that all its windows share has ended its last cycle, and the
//! daemon asks for none of them until a pause is over. Carries *Bounded* (a wrong key is not tried at
//! each firing of the schedule) and *Candid* (what is due meanwhile is said to be). It is known in
//! memory alone: a restart is how a key is changed.

use super::{JobRunner, Outcome, Pass};
use crate::domain::circuit_breaker::Remedy;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::plan::reach;
use crate::domain::span::{Span, UtcMs};

/// How a job has come to stand still.
#[derive(Debug)]
pub(super) struct Standstill {
    remedy: Remedy,
    /// How often in a row.
    times: u32,
    /// When last, by our clock.
    last: UtcMs,
    message: String,
}

impl JobRunner {
    /// Notes a failure that all windows share, and that `remedy` may end.
    pub(super) fn stand_still(&mut self, remedy: Remedy, message: &str) {
        let before = self.standstill.take();
        let times = before.map_or(0, |before| match before.remedy == remedy {
            true => before.times,
            false => 0,
        });
        self.standstill = Some(Standstill {
            remedy,
            times: times.saturating_add(1),
            last: self.shared.clock.now(),
            message: message.to_owned(),
        });
    }

    /// Whether nothing was archived since such a failure.
    pub(super) const fn stands_still(&self) -> bool {
        self.standstill.is_some()
    }

    /// The failure, while its pause is not over.
    pub(super) fn why_it_stands_still(&self) -> Option<String> {
        let known = self.standstill.as_ref()?;
        let now = self.shared.clock.now();
        let is_paused = known
            .remedy
            .backoff()
            .is_paused(known.times, known.last, now);
        is_paused.then(|| known.message.clone())
    }

    /// What a cycle comes to in which nothing is asked for.
    pub(super) fn what_stands_still(
        &self,
        planned: &impl Fn(UtcMs, &Coverage, &Job) -> Vec<Span>,
        pass: Pass,
        why: String,
    ) -> Outcome {
        let (now, replay) = (self.client.now(), self.ledger.replay());
        let closed = replay.closed(reach(now, &self.job));
        let unchecked = match pass.rechecks {
            true => self.due_rechecks(now).len(),
            false => 0,
        };
        Outcome {
            left: planned(now, &closed, &self.job).len() as u64,
            unchecked: unchecked as u64,
            lost: self.unknown_losses(),
            error: Some(why),
            ..Outcome::default()
        }
    }
}
