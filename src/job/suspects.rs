//! Windows that may lack records, since answers of the account were found cut after they were archived.
//! Those of the job whose answers were cut are in its ledger; these are the other jobs' of the account,
//! and are forgotten when the program ends. Carries *Confirmed*.

use std::collections::BTreeSet;

use crate::domain::job::Job;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::window::Window;
use crate::elsa::client::Client;
use crate::ledger::replay::Replay;

/// The windows of one job.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    windows: BTreeSet<Window>,
    /// How often the account's answers were found cut, as far as it was taken note of.
    cuts: u64,
}

impl Suspects {
    /// Takes note of cuts since the last time: what the job has archived since a second opinion last
    /// confirmed one of its windows is suspect.
    pub(super) fn note(&mut self, client: &Client, job: &Job, replay: &Replay) {
        let before = std::mem::replace(&mut self.cuts, client.cuts().found());
        if self.cuts != before && job.cross_check != CrossCheck::Off {
            self.windows.extend(replay.not_confirmed_since());
        }
    }

    /// A window was asked for again.
    pub(super) fn clear(&mut self, window: Window) {
        self.windows.remove(&window);
    }

    pub(super) fn contains(&self, window: Window) -> bool {
        self.windows.contains(&window)
    }

    /// Oldest first.
    pub(super) fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        self.windows.iter().copied()
    }
}
