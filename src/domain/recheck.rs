//! Rechecks: an archived window is requested once more, `recheck` after its end, or after it was
//! archived where that was later, since the service may have indexed some of its logs late. Which
//! windows are due for it, what the second answer means beside the first, and how late logs have been
//! seen to come. Carries *Complete*.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::job::Job;
use super::plan::reach;
use super::records_digest::RecordsDigest;
use super::second_opinion::{FEW, Way};
use super::span::{Millis, UtcMs};
use super::split::Status;
use super::window::Window;

/// The longest that a recheck can be put off: 30 days, as long as the service
/// keeps logs by default.
pub(crate) const LONGEST: Millis = Millis::from_days(30);

/// How long a recheck that failed stays due: a daemon that was down
/// for a week still makes its rechecks, and one that begins to recheck does not request months.
pub(crate) const DUE_FOR: Millis = Millis::from_days(7);

/// How long after its end, and after it was asked for, a window is remembered.
const REMEMBERED: Millis = LONGEST.plus(DUE_FOR);
/// How many windows are remembered at most, the newest: 37 days of minutes, 6 years of hours.
const MOST: usize = 53_280;

/// How long after a window it is seen again by default, where that costs next to nothing.
const NEXT_DAY: Millis = Millis::from_days(1);
/// How long after a window its second opinion is asked for again by default, if it could not be had.
const RETRY: Millis = Millis::from_hours(1);

/// When an archived window is requested once more; the config's `recheck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// Never.
    Never,
    /// So long after its end: longer than `settle` and at most [`LONGEST`].
    After(Millis),
    /// A day after, where search has confirmed it, or a second download that it is empty: it costs two
    /// small requests, or one. An hour after, where its second opinion is asked for again.
    WhereSearchConfirms,
}

impl Recheck {
    /// How long after a window that was `asked` for.
    #[must_use]
    pub fn after(self, asked: Asked) -> Option<Millis> {
        match self {
            Self::Never => None,
            Self::After(length) => Some(length),
            Self::WhereSearchConfirms if asked.retry => Some(RETRY),
            Self::WhereSearchConfirms => match asked.confirmed {
                Way::Search => Some(NEXT_DAY),
                Way::Download if asked.records == Some(0) => Some(NEXT_DAY),
                Way::Download | Way::None => None,
            },
        }
    }
}

/// The last request for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: UtcMs,
    /// Where in the ledger the line is that archived it: the byte at which it begins.
    pub line: u64,
    /// Whether it was not the first request.
    pub again: bool,
    /// Which way has confirmed it.
    pub confirmed: Way,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// Whether its second opinion is asked for again.
    pub retry: bool,
    /// When the service was found to cut answers, if that was after it was archived, and before
    /// another window was confirmed.
    pub suspected: Option<UtcMs>,
}

impl Asked {
    /// Whether nothing speaks against the window once the service is found to cut answers. Answers
    /// with few records, or none, may have been cut alike: the pieces are long beside what they show.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        match self.confirmed {
            Way::Search => true,
            Way::Download => self.records.is_some_and(|records| records > FEW),
            Way::None => false,
        }
    }
}

/// The archived windows that may still be due for a recheck.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recheckable {
    windows: BTreeMap<Window, Asked>,
}

impl Recheckable {
    /// Records that `window` was archived, or archived again.
    pub fn archived(&mut self, window: Window, asked: Asked) {
        // By the windows' own time too: a clock that was ahead for a moment forgets nothing.
        while let Some(oldest) = self.windows.first_entry()
            && oldest.key().to().plus(REMEMBERED) < window.to()
            && oldest.get().at.plus(REMEMBERED) < asked.at
        {
            oldest.remove();
        }
        self.windows.insert(window, asked);
        if self.windows.len() > MOST {
            self.windows.pop_first();
        }
    }

    /// Records that `window` was requested again and holds the same.
    pub fn unchanged(&mut self, window: Window, at: UtcMs) {
        if let Some(asked) = self.windows.get_mut(&window) {
            asked.at = at;
            asked.again = true;
            asked.suspected = None;
        }
    }

    /// Records that a second, independent ask has confirmed `window`.
    pub fn confirmed(&mut self, window: Window, by: Way, at: UtcMs) {
        self.unchanged(window, at);
        if let Some(asked) = self.windows.get_mut(&window) {
            asked.confirmed = by;
            asked.retry = false;
        }
    }

    /// Records that the service was found to cut answers at `at`. The windows whose lines begin at
    /// `line` or later may lack records where they are not [sure](Asked::is_sure), and are due at once.
    pub fn suspect_since(&mut self, line: u64, at: UtcMs) {
        for asked in self.windows.values_mut() {
            if asked.line >= line && !asked.is_sure() {
                asked.suspected = Some(at);
            }
        }
    }

    /// Forgets `window`: its folder is gone, and it is archived anew.
    pub fn forget(&mut self, window: Window) {
        self.windows.remove(&window);
    }

    /// The nearest windows with records, before `window` and after it, no farther away than it is long.
    #[must_use]
    pub fn neighbours(&self, window: Window) -> [Option<Window>; 2] {
        let length = window.span().length();
        let has_records = |(_, asked): &(&Window, &Asked)| asked.records.is_some_and(|all| all > 0);
        let after = (Bound::Excluded(window), Bound::Unbounded);
        let before = self.windows.range(..window).rev();
        let mut before = before.take_while(|(near, _)| near.to().plus(length) > window.from());
        let after = self.windows.range(after);
        let mut after = after.take_while(|(near, _)| near.from().minus(length) < window.to());
        let found = [before.find(has_records), after.find(has_records)];
        found.map(|found| found.map(|(&near, _)| near))
    }

    /// When `window` was requested last; `None` if it is not remembered.
    #[must_use]
    pub fn asked(&self, window: Window) -> Option<Asked> {
        self.windows.get(&window).copied()
    }

    /// The windows of `job` that are due for a recheck at `now`, those that are suspect first, then
    /// oldest first: those that were not requested since `recheck` after their end, or were archived
    /// later than that and not requested since `recheck` after that, and that the service still keeps.
    #[must_use]
    pub fn due(&self, now: UtcMs, job: &Job) -> Vec<Window> {
        let is_due = |window: &Window| self.is_due(*window, now, job);
        let mut due: Vec<Window> = self.windows.keys().copied().filter(is_due).collect();
        due.sort_by_key(|&window| !self.is_suspect(window));
        due
    }

    /// Whether a window may lack records, since the service was found to cut answers.
    #[must_use]
    pub fn is_suspect(&self, window: Window) -> bool {
        self.asked(window)
            .is_some_and(|asked| asked.suspected.is_some())
    }

    /// Whether a window is among them.
    #[must_use]
    pub fn is_due(&self, window: Window, now: UtcMs, job: &Job) -> bool {
        let Some(asked) = self.asked(window) else {
            return false;
        };
        let Some(due_at) = due_at(window, asked, now, job.recheck) else {
            return false;
        };
        let is_time = due_at <= now && now < due_at.plus(DUE_FOR);
        is_time && self.may_be_asked(window, now, job)
    }

    /// Whether a window is due for a recheck at `now`, or will be.
    #[must_use]
    pub(crate) fn is_awaited(&self, window: Window, now: UtcMs, job: &Job) -> bool {
        let due_at = self
            .asked(window)
            .and_then(|asked| due_at(window, asked, now, job.recheck));
        due_at.is_some_and(|due_at| now < due_at.plus(DUE_FOR))
            && self.may_be_asked(window, now, job)
    }

    /// Whether a window of `job` can be requested once more at all: it is remembered, and the service
    /// still keeps it.
    #[must_use]
    pub fn may_be_asked(&self, window: Window, now: UtcMs, job: &Job) -> bool {
        let is_kept = reach(now, job).is_none_or(|edge| window.from() >= edge);
        let is_ours = window.to() > job.since || job.is_owed(window.span());
        job.enabled && is_kept && is_ours && self.asked(window).is_some()
    }

    /// Puts back what a checkpoint holds of one of them. Nothing is forgotten for it.
    pub(crate) fn restore(&mut self, window: Window, asked: Asked) {
        self.windows.insert(window, asked);
    }

    /// Every window that is remembered, oldest first.
    pub fn windows(&self) -> impl DoubleEndedIterator<Item = (Window, Asked)> + '_ {
        self.windows.iter().map(|(&window, &asked)| (window, asked))
    }
}

/// When a window is due for its recheck; `None` if it had it.
fn due_at(window: Window, asked: Asked, now: UtcMs, recheck: Recheck) -> Option<UtcMs> {
    if let Some(at) = asked.suspected {
        // However long ago it was archived.
        return Some(at.min(now));
    }
    let after = recheck.after(asked)?;
    let of_its_end = window.to().plus(after);
    // A clock that was ahead dated a request in the future: such a date says nothing.
    if asked.at < of_its_end || asked.at > now {
        return Some(of_its_end);
    }
    (!asked.again).then(|| asked.at.plus(after))
}

/// What an archived window holds, as far as a recheck is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// What is known of it.
    pub status: Status,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// What they are; `None` when they can't be counted, or an older version did not say.
    pub digest: Option<RecordsDigest>,
}

/// What a recheck has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The window holds what is archived of it.
    Same,
    /// It holds more, or more is known of it: it is published anew.
    More,
    /// What the service holds now is not believed. Nothing says that it is right: what is archived
    /// stays, and the window is requested again later.
    Doubtful(Doubt),
}

/// Why a second answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It holds fewer records, or can't be counted any more.
    Less,
    /// It holds as many, but so many are others.
    Others(u64),
    /// It holds more, but so many of the archived ones are missing from it.
    Missing(u64),
    /// It holds nothing new: so many records only repeat what it holds already.
    Repeats(u64),
}

/// How the records of two answers differ. Each counts as often as it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Records that only what is archived holds.
    pub(crate) only_before: u64,
    /// Records that only the answer of now holds.
    pub(crate) only_now: u64,
    /// Those of them that what is archived lacks altogether, each counted once.
    pub(crate) new: u64,
}

/// Holds what a window holds `now` against what is archived of it. `None` where numbers do not tell,
/// and the records themselves are to be compared.
#[must_use]
pub(crate) fn verdict(archived: Content, now: Content) -> Option<Verdict> {
    let has_others = archived
        .digest
        .zip(now.digest)
        .is_some_and(|(before, after)| before != after);
    match by_numbers(archived, now) {
        Verdict::More if archived.records != now.records => None,
        Verdict::Same | Verdict::More if has_others => None,
        told => Some(told),
    }
}

/// What the numbers alone tell.
#[must_use]
pub(crate) fn by_numbers(archived: Content, now: Content) -> Verdict {
    match (archived.records, now.records) {
        (Some(before), Some(after)) if before < after => Verdict::More,
        (None, Some(_)) => Verdict::More,
        (before, after) if before != after => Verdict::Doubtful(Doubt::Less),
        _ if now.status < archived.status => Verdict::More,
        _ => Verdict::Same,
    }
}

/// What the records tell, by their `difference`: more is only what holds all that is archived, and a
/// record that it lacks.
#[must_use]
pub(crate) fn by_records(archived: Content, now: Content, difference: Difference) -> Verdict {
    let Difference {
        only_before,
        only_now,
        new,
    } = difference;
    match (only_before, only_now) {
        (0, 0) if archived.records.is_none() || now.status < archived.status => Verdict::More,
        (0, 0) => Verdict::Same,
        (0, repeats) if new == 0 => Verdict::Doubtful(Doubt::Repeats(repeats)),
        (0, _) => Verdict::More,
        (others, more) if others == more => Verdict::Doubtful(Doubt::Others(others)),
        (missing, _) => Verdict::Doubtful(Doubt::Missing(missing)),
    }
}

/// How late logs have come, as rechecks have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Windows that were rechecked.
    pub rechecked: u64,
    /// Those of them that held more than before.
    pub changed: u64,
    /// By how many records, in all.
    pub records: u64,
    /// Some log came later than this after its window's end.
    pub over: Millis,
    /// None is known to have come later than this after its window's end.
    pub until: Millis,
}

impl Lateness {
    /// Takes in a recheck of `window` that found `more` records at `found` than there had been at
    /// `asked`; 0 when it found none.
    pub fn note(&mut self, window: Window, asked: UtcMs, found: UtcMs, more: u64) {
        self.rechecked += 1;
        if more == 0 {
            return;
        }
        self.changed += 1;
        self.records = self.records.saturating_add(more);
        let after_end = |at: UtcMs| at.since(window.to());
        self.over = self.over.max(after_end(asked));
        self.until = self.until.max(after_end(found));
    }
}

#[cfg(test)]
mod tests;
