//! Windows that settle while a cycle is at work on a backlog: they do not wait for its end. Carries
//! *Isolated*.

use std::collections::VecDeque;

use super::JobRunner;
use crate::domain::failures::Task;
use crate::domain::queue::Work;
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Window;
use crate::job::{Mode, Outcome};

/// To look costs as much as a plan, so that is not done for each of a thousand windows.
const BETWEEN_LOOKS: Millis = Millis(1000);

/// From when on windows are fresh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    /// The end of the newest window that is known.
    after: UtcMs,
    looked: UtcMs,
}

impl Fresh {
    /// What settles after those that are `due` by `now`; `None` where nothing is to be looked for: the
    /// operator who wants a cycle wants what is due then.
    pub(super) fn after(due: &[Window], now: UtcMs, mode: Mode) -> Option<Self> {
        let newest = due.iter().map(|window| window.to()).max();
        let after = newest.filter(|_| mode.yields_to_new_windows())?;
        Some(Self { after, looked: now })
    }
}

impl JobRunner {
    /// Adds what has settled meanwhile to the queue.
    pub(super) fn join_fresh(&mut self, queue: &mut VecDeque<Work>, outcome: &mut Outcome) {
        let now = self.client.now();
        let Some(fresh) = &mut self.fresh else {
            return;
        };
        if now < fresh.looked.plus(BETWEEN_LOOKS) {
            return;
        }
        fresh.looked = now;
        let after = fresh.after;
        let settled = self.view().settled_after(after);
        let Some(newest) = settled.last() else {
            return;
        };
        self.fresh = Some(Fresh {
            after: newest.to(),
            looked: now,
        });
        outcome.left += settled.len() as u64;
        self.progress.planned(&self.job, settled.len());
        let failures = self.recorder.ledger.replay().failures(Task::Archive);
        let waits = |work: &Work| work.task == Task::Recheck || failures.contains_key(&work.window);
        let at = queue.iter().position(waits).unwrap_or(queue.len());
        for (nth, window) in settled.into_iter().enumerate() {
            let work = Work {
                task: Task::Archive,
                window,
            };
            queue.insert(at + nth, work);
        }
    }
}
