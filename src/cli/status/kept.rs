//! What `status` says of data that were let go of, and of those that are held.

use serde::Serialize;

use crate::archive::manifest::local_time;
use crate::cli::print::{bytes, count};
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::ledger::pruned::Amount;
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
}

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
        }
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
        pruned.into_iter().chain(held).collect()
    }
}
