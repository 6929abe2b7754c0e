//! Windows that may lack records, since answers of the account were found cut after they were archived.
//! Those of the job whose answers were cut are in its ledger; these are the other jobs' of the account,
//! and are forgotten when the program ends. Carries *Confirmed*.

use std::collections::BTreeMap;

use crate::domain::job::Job;
use crate::domain::recheck::DUE_FOR;
use crate::domain::second_opinion::CrossCheck;
use crate::domain::span::UtcMs;
use crate::domain::window::Window;
use crate::elsa::client::Client;
use crate::ledger::replay::Replay;

/// The windows of one job.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// With each, since when it is one.
    windows: BTreeMap<Window, UtcMs>,
    /// How often the account's answers were found cut, as far as it was taken note of.
    cuts: u64,
}

impl Suspects {
    /// Takes note of cuts since the last time: what the job has archived since a second opinion last
    /// confirmed one of its windows is suspect.
    pub(super) fn note(&mut self, client: &Client, job: &Job, replay: &Replay, now: UtcMs) {
        let before = std::mem::replace(&mut self.cuts, client.cuts().found());
        if self.cuts != before && job.cross_check != CrossCheck::Off {
            let suspect = replay.not_confirmed_since();
            self.windows.extend(suspect.map(|window| (window, now)));
        }
        self.forget(job, replay, now);
    }

    /// What can't be asked for any more must not be asked for at each cycle, nor what was for as long as
    /// those of the ledger are.
    fn forget(&mut self, job: &Job, replay: &Replay, now: UtcMs) {
        self.windows.retain(|&window, &mut since| {
            now < since.plus(DUE_FOR) && replay.recheckable.may_be_asked(window, now, job)
        });
    }

    /// Whether there were cuts since the last time.
    pub(super) fn has_news(&self, client: &Client) -> bool {
        self.cuts != client.cuts().found()
    }

    /// A window was asked for again.
    pub(super) fn clear(&mut self, window: Window) {
        self.windows.remove(&window);
    }

    pub(super) fn contains(&self, window: Window) -> bool {
        self.windows.contains_key(&window)
    }

    /// Oldest first.
    pub(super) fn windows(&self) -> impl Iterator<Item = Window> + '_ {
        self.windows.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::tests::job;
    use crate::domain::recheck::Asked;
    use crate::domain::second_opinion::Way;
    use crate::domain::span::Span;

    /// Guarantee: Bounded
    #[test]
    fn what_can_t_be_asked_for_any_more_is_no_suspect_for_ever() {
        let window = |from| Window::of(Span::new(UtcMs(from), UtcMs(from + 10)).unwrap());
        let mut replay = Replay::default();
        let asked = Asked {
            at: UtcMs(20),
            line: 0,
            again: false,
            confirmed: Way::None,
            records: Some(3000),
            retry: false,
            suspected: None,
        };
        replay.recheckable.archived(window(10), asked);
        // The ledger does not remember the other one.
        let mut suspects = Suspects {
            windows: [0, 10].map(|from| (window(from), UtcMs(20))).into(),
            cuts: 1,
        };
        suspects.forget(&job(), &replay, UtcMs(30));
        assert!(suspects.windows().eq([window(10)]));
        suspects.forget(&job(), &replay, UtcMs(20).plus(DUE_FOR));
        assert_eq!(suspects.windows().count(), 0);
    }
}
