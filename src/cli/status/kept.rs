//! What `status` says of data that were let go of, and of those that are held.

use std::path::Path;

use serde::Serialize;

use crate::archive::manifest::local_time;
use crate::cli::print::{bytes, count};
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Zone;
use crate::ledger::pruned::Amount;
use crate::ledger::pruning;
use crate::ledger::replay::Replay;
use crate::printable;

/// What was let go of, and what is not.
#[derive(Serialize)]
pub(super) struct Kept {
    /// Windows whose data were let go of, and their bytes; left out while there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<Amount>,
    /// What no rule lets go of; left out while there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holds: Vec<Held>,
    /// Whether a prune has begun more than an hour ago and is not done; left out while none is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prune_unfinished: bool,
}

/// After which a prune that has begun is one that can't be finished.
const LONGEST_PRUNE: Millis = Millis::from_hours(1);

#[derive(Serialize)]
struct Held {
    from_ms: UtcMs,
    to_ms: UtcMs,
    reason: String,
}

impl Kept {
    pub(super) fn of(replay: &Replay) -> Self {
        let amount = replay.pruned.amount();
        let holds = replay.holds.all().map(|hold| Held {
            from_ms: hold.span.from(),
            to_ms: hold.span.to(),
            reason: hold.reason.clone(),
        });
        Self {
            pruned: (amount.windows > 0).then_some(amount),
            holds: holds.collect(),
            prune_unfinished: false,
        }
    }

    /// Looks whether a prune beside a ledger is not done at `now`.
    pub(super) fn look_at_mark(&mut self, ledger: &Path, now: UtcMs) {
        let begun = pruning::begun_at(ledger);
        self.prune_unfinished = begun.is_some_and(|begun| now.since(begun) > LONGEST_PRUNE);
    }

    /// Whether nothing is left undone.
    pub(super) const fn is_well(&self) -> bool {
        !self.prune_unfinished
    }

    /// Names and values of lines for people; times in `zone`.
    pub(super) fn lines(&self, zone: &Zone) -> Vec<(&'static str, String)> {
        let pruned = self.pruned.map(|amount| {
            let (windows, bytes) = (count(amount.windows, "window"), bytes(amount.bytes));
            (
                "let go of",
                format!("{windows}, {bytes} of those archived; their manifests stay"),
            )
        });
        let held = self.holds.iter().map(|held| {
            let [from, to] = [held.from_ms, held.to_ms].map(|at| local_time(at, zone));
            let reason = printable::whole(&held.reason);
            ("held", format!("{from} to {to}: {reason}"))
        });
        let unfinished = self.prune_unfinished.then(|| {
            (
                "prune",
                "began more than an hour ago and is not done; the log says why, `prune --confirm` tries again".to_owned(),
            )
        });
        pruned.into_iter().chain(held).chain(unfinished).collect()
    }
}
