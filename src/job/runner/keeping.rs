//! What a cycle does for data that are let go of: the operator's holds are recorded, what was announced is finished, and
//! `keep` is followed. Carries *Atomic* and *Self-healing*. Nothing of it stops a job from archiving.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::JobRunner;
use crate::archive::identity::{of_root, read};
use crate::domain::backoff::is_over;
use crate::domain::prune::{Rule, Stays};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::off_the_runtime;
use crate::evidence::receipts::Receipts;
use crate::job::prune::{Asked, finish, prune};
use crate::job::{Mode, Outcome};
use crate::ledger::replay::Replay;

/// How often old data are looked for: the whole ledger is read for it. What can't be finished is tried again as often.
const PAUSE: Millis = Millis::from_hours(1);

/// How many places must have proven a copy of what the daemon lets go of.
const NEED: u32 = 1;

/// Batches of one cycle: the next window is not to wait for long.
const MOST_BATCHES: u32 = 8;

/// What is known of the last look.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// When it was.
    looked: Option<UtcMs>,
    /// How many old windows stayed then for a reason that somebody has to look at.
    stuck: usize,
    /// Receipts that did not count then.
    refused: usize,
    /// When what was announced could not be finished.
    failed: Option<UtcMs>,
}

impl JobRunner {
    /// Records the operator's holds, and finishes what was announced.
    pub(super) fn keep_order(&mut self) {
        let job = Arc::clone(&self.job);
        if let Err(error) = self.recorder.ledger.take_orders() {
            tracing::error!(job = %job.name, "{error}");
        }
        let now = self.shared.clock.now();
        if self
            .keeping
            .failed
            .is_some_and(|failed| is_early(failed, now))
        {
            return;
        }
        self.keeping.failed = None;
        let (store, ledger) = (&self.shared.store, &mut self.recorder.ledger);
        let why = match off_the_runtime(|| finish(store, ledger, (&job.name, Some(&job)))) {
            Ok(problems) => problems.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            self.keeping.failed = Some(now);
            tracing::error!(
                job = %job.name,
                "data that were announced as let go of are still there, and are tried again in an hour: {why}"
            );
        }
    }

    /// Lets go of data that are older than `keep`, where a receipt proves a copy, until it is to `stop`.
    pub(super) fn follow_keep(&mut self, mode: Mode, outcome: &Outcome, stop: &CancellationToken) {
        let keep = self.job.keep.filter(|_| follows(mode, outcome));
        let Some(keep) = keep.filter(|_| self.keeping.failed.is_none()) else {
            return;
        };
        let (ours, now) = (self.shared.clock.now(), self.client.now());
        // A clock of ours that is ahead must let go of nothing.
        if !self.client.is_dated() || self.keeping.looked.is_some_and(|at| is_early(at, ours)) {
            return;
        }
        let rule = Rule {
            before: now.minus(keep),
            need: NEED,
        };
        if !has_old_data(self.recorder.ledger.replay(), rule.before) {
            return;
        }
        self.keeping.looked = Some(ours);
        if let Err(why) = off_the_runtime(|| self.let_go(rule, now, stop)) {
            tracing::error!(job = %self.job.name, "nothing is let go of: {why}");
        }
    }

    fn let_go(&mut self, rule: Rule, now: UtcMs, stop: &CancellationToken) -> Result<(), String> {
        let store = &self.shared.store;
        let as_text = |error: &dyn std::fmt::Display| error.to_string();
        store.check_identity().map_err(|error| as_text(&error))?;
        let id = read(&of_root(store.root())).map_err(|error| as_text(&error))?;
        let id = id.ok_or("the archive has no id")?;
        let receipts = Receipts::read(&store.storage(), &id).map_err(|error| as_text(&error))?;
        if receipts.refused.len() != self.keeping.refused {
            self.keeping.refused = receipts.refused.len();
            for (name, why) in &receipts.refused {
                tracing::warn!(job = %self.job.name, "the receipt {name} does not count: {why}");
            }
        }
        let asked = Asked {
            name: &self.job.name,
            job: Some(&self.job),
            rule,
            receipts: &receipts,
            takes_restored: false,
            now,
        };
        let (leaving, mut batches) = (&self.leaving, 0);
        let mut goes_on = || {
            batches += 1;
            batches <= MOST_BATCHES && !stop.is_cancelled() && !leaving.is_cancelled()
        };
        let ledger = &mut self.recorder.ledger;
        let done = prune(store, ledger, asked, &mut goes_on).map_err(|error| as_text(&error))?;
        if done.windows > 0 {
            tracing::info!(
                job = %self.job.name,
                windows = done.windows,
                bytes = done.bytes,
                "data older than `keep` were let go of; their manifests stay"
            );
        }
        if done.is_cut {
            // The next cycle goes on.
            self.keeping.looked = None;
        }
        let is_stuck = |stays: &Stays| {
            matches!(
                stays,
                Stays::Receipts(_) | Stays::Defect(_) | Stays::Unknown(_) | Stays::Failing
            )
        };
        let stuck = done.stay.iter().filter_map(|one| one.stays.as_ref());
        let stuck = stuck.filter(|stays| is_stuck(stays)).count();
        if stuck > 0 && stuck != self.keeping.stuck {
            tracing::warn!(
                job = %self.job.name,
                windows = stuck,
                "data older than `keep` stay, since no receipt proves a copy of them or they are not in order; \
                 `elsa-archiver prune --keep` says it of each"
            );
        }
        self.keeping.stuck = stuck;
        match done.problems.first() {
            None => Ok(()),
            Some(why) => {
                self.keeping.failed = Some(self.shared.clock.now());
                Err(format!("not all that was announced is done: {why}"))
            }
        }
    }
}

/// Whether what was at one instant is not to be done again at another one yet.
fn is_early(at: UtcMs, now: UtcMs) -> bool {
    !is_over(at.plus(PAUSE), now, PAUSE)
}

/// Whether a cycle that came to this lets go of data.
const fn follows(mode: Mode, outcome: &Outcome) -> bool {
    matches!(mode, Mode::Daemon | Mode::Once) && outcome.error.is_none()
}

/// Whether data may be there of windows that lie before an instant.
fn has_old_data(replay: &Replay, before: UtcMs) -> bool {
    let mut archived = replay.coverage.spans().filter_map(|span| {
        Span::new(UtcMs(i64::MIN), before).and_then(|old| old.intersection(span))
    });
    archived.any(|old| !replay.pruned.covers(old))
}
