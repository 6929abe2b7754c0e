//! What the second opinion on a plan's windows costs, as far as that is known before the first answer.

use serde::Serialize;

use crate::cli::print::{count, grouped};
use crate::domain::job::Job;
use crate::domain::second_opinion::{
    Calibration, CrossCheck, MOST_BY_SEARCH, Way, is_asked_in_any_case,
};
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Window;
use crate::ledger::replay::Replay;

/// A piece is searched for its last record, and for one behind it.
const SEARCHES_A_PIECE: u64 = 2;
/// The pieces of a window with more records than search reaches: the earliest, the latest, one between,
/// and half of a gap that is too long. So many are downloaded again too, at most.
const PIECES: u64 = 4;

/// How many requests it is at most, where none fails and no answer is contradicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct SecondOpinion {
    /// Windows that are asked for a second time whatever they hold. One that turns out empty or
    /// suspicious is too, unless `cross_check` is "off".
    windows: u64,
    /// Windows that are rechecked by search alone, unless that shows a change.
    rechecks_by_search: u64,
    /// Searches for one record.
    searches_at_most: u64,
    /// Downloads of a piece of a window.
    downloads_at_most: u64,
    /// Both.
    requests_at_most: u64,
}

impl SecondOpinion {
    /// That on the windows that are `due`, and on the `rechecks`.
    pub(super) fn of(
        job: &Job,
        replay: &Replay,
        due: &[Window],
        rechecks: &[Window],
        now: UtcMs,
    ) -> Self {
        let mut planned = Self::default();
        for &window in due {
            planned.add(job, replay, window, job.settle, now);
        }
        for &window in rechecks {
            let asked = replay.recheckable.asked(window);
            let after = asked.and_then(|asked| job.recheck.after(asked));
            match asked.is_some_and(|asked| asked.confirmed == Way::Search) {
                true => {
                    planned.rechecks_by_search += 1;
                    planned.searches_at_most += searches(replay, window);
                }
                false => planned.add(job, replay, window, after.unwrap_or(Millis::ZERO), now),
            }
        }
        if planned.searches_at_most > 0 {
            // Once, what no project holds: an answer without a record.
            planned.searches_at_most += 1;
        }
        planned.requests_at_most = planned.searches_at_most + planned.downloads_at_most;
        planned
    }

    /// Requests in all, where none fails.
    pub(super) const fn requests_at_most(self) -> u64 {
        self.requests_at_most
    }

    /// Adds a window that has settled so long after its end, if it is asked for again in any case.
    fn add(&mut self, job: &Job, replay: &Replay, window: Window, settles: Millis, now: UtcMs) {
        let settled_at = window.to().plus(settles);
        if !is_asked_in_any_case(job.cross_check, window.span(), settled_at, now) {
            return;
        }
        self.windows += 1;
        self.searches_at_most += searches(replay, window);
        // Until search is believed, both are asked.
        if !Calibration::of(replay.search_agreed).is_believed() {
            self.downloads_at_most += PIECES;
        }
    }

    /// For people; empty when there is nothing to ask. `windows` is how many the plan has.
    pub(super) fn words(self, cross_check: CrossCheck, windows: u64) -> String {
        let mut told = Vec::new();
        if self.windows > 0 {
            told.push(format!("{} asked for again", count(self.windows, "window")));
        }
        if self.rechecks_by_search > 0 {
            let rechecks = count(self.rechecks_by_search, "window");
            told.push(format!("{rechecks} rechecked by search alone"));
        }
        if told.is_empty() {
            return String::new();
        }
        let mut requests = vec![grouped(self.searches_at_most) + " small searches"];
        if self.downloads_at_most > 0 {
            requests.push(count(self.downloads_at_most, "download") + " of a piece");
        }
        let is_open =
            cross_check != CrossCheck::Off && self.windows + self.rechecks_by_search < windows;
        let more = match is_open {
            true => "; more where others turn out empty or suspicious",
            false => "",
        };
        format!(
            "second opinion: {}; at most {}{more}",
            told.join(", "),
            requests.join(" and ")
        )
    }
}

/// Searches of one window at most. Where nothing tells how many records it holds, it may be many.
fn searches(replay: &Replay, window: Window) -> u64 {
    let expected = replay.estimator.estimate(window.span(), false);
    match expected.is_some_and(|records| records <= MOST_BY_SEARCH) {
        true => SEARCHES_A_PIECE,
        false => SEARCHES_A_PIECE * PIECES,
    }
}
