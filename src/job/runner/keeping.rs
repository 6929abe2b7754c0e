//! What a cycle does for data that are let go of: the operator's holds are recorded, what was announced is finished, and
//! `keep` is followed. Carries *Atomic* and *Self-healing*. Nothing of it stops a job from archiving.

use super::JobRunner;
use crate::archive::identity::{of_root, read};
use crate::domain::backoff::is_over;
use crate::domain::prune::{Rule, Stays};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::off_the_runtime;
use crate::evidence::receipts::Receipts;
use crate::job::prune::{Asked, finish, plan, prune};
use crate::job::{Mode, Outcome};
use crate::ledger::replay::Replay;

/// How often old data are looked for: the whole ledger is read for it.
const PAUSE: Millis = Millis::from_hours(1);

/// How many places must have proven a copy of what the daemon lets go of.
const NEED: u32 = 1;

/// What is known of the last look.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// When it was.
    looked: Option<UtcMs>,
    /// How many old windows had no receipt then.
    unproven: u64,
}

impl JobRunner {
    /// Records the operator's holds, and finishes what was announced.
    pub(super) fn keep_order(&mut self) {
        let job = &self.job.name;
        if let Err(error) = self.recorder.ledger.take_orders() {
            tracing::error!(job = %job, "{error}");
        }
        match finish(&self.shared.store, &self.recorder.ledger) {
            Ok(problems) => problems.iter().for_each(|why| {
                tracing::error!(job = %job, "data that were announced as let go of are still there: {why}");
            }),
            Err(error) => tracing::error!(job = %job, "{error}"),
        }
    }

    /// Lets go of data that are older than `keep`, where a receipt proves a copy.
    pub(super) fn follow_keep(&mut self, mode: Mode, outcome: &Outcome) {
        let Some(keep) = self.job.keep.filter(|_| follows(mode, outcome)) else {
            return;
        };
        let (ours, now) = (self.shared.clock.now(), self.client.now());
        let is_early = |looked: UtcMs| !is_over(looked.plus(PAUSE), ours, PAUSE);
        // A clock of ours that is ahead must let go of nothing.
        if !self.client.is_dated() || self.keeping.looked.is_some_and(is_early) {
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
        if let Err(why) = off_the_runtime(|| self.let_go(rule, now)) {
            tracing::error!(job = %self.job.name, "nothing is let go of: {why}");
        }
    }

    fn let_go(&mut self, rule: Rule, now: UtcMs) -> Result<(), String> {
        let store = &self.shared.store;
        let as_text = |error: &dyn std::fmt::Display| error.to_string();
        store.check_identity().map_err(|error| as_text(&error))?;
        let id = read(&of_root(store.root())).map_err(|error| as_text(&error))?;
        let id = id.ok_or("the archive has no id")?;
        let receipts = Receipts::read(store.root(), &id).map_err(|error| as_text(&error))?;
        let asked = Asked {
            name: &self.job.name,
            job: Some(&self.job),
            rule,
            receipts: &receipts,
            takes_restored: false,
            now,
        };
        let ledger = &mut self.recorder.ledger;
        let done = prune(store, ledger, asked).map_err(|error| as_text(&error))?;
        if done.windows > 0 {
            tracing::info!(
                job = %self.job.name,
                windows = done.windows,
                bytes = done.bytes,
                "data older than `keep` were let go of; their manifests stay"
            );
        }
        let folders = ledger.folders().map_err(|error| as_text(&error))?;
        let left = plan(store, (&folders, ledger.replay()), asked);
        let unproven = left
            .iter()
            .filter(|one| matches!(one.stays, Some(Stays::Receipts(_))));
        let unproven = unproven.count() as u64;
        if unproven > 0 && unproven != self.keeping.unproven {
            tracing::warn!(
                job = %self.job.name,
                windows = unproven,
                "data older than `keep` stay: no receipt proves a copy of them; see `elsa-archiver prune --keep`"
            );
        }
        self.keeping.unproven = unproven;
        match done.problems.first() {
            None => Ok(()),
            Some(why) => Err(format!("not all that was announced is done: {why}")),
        }
    }
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
