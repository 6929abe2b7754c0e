//! A dead man's switch: somebody elsewhere who speaks up when nobody says for too long that all is well. Carries
//! *Candid*: it is told so only while that is true of every job.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::job::JobName;
use crate::domain::span::Millis;
use crate::domain::standing::{self, Standing, State};

/// How long it is left alone while what there is to say stays the same. Some take only a few pings a minute.
const BETWEEN: Millis = Millis::from_secs(30);

/// How long a cycle may go on without the end of a window before nothing is said of it any more.
const LONGEST_QUIET: Millis = Millis::from_hours(3);

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ping {
    /// Something is due, and is being archived.
    Start,
    /// Nothing that was due is left, and nothing is wrong.
    Success,
    /// Something is wrong, and what.
    Fail(String),
}

/// What is known of the jobs, and what was told.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    jobs: BTreeMap<JobName, Seen>,
    /// Whether a start was told, and no end of it.
    is_started: bool,
    started: Option<Millis>,
    /// Whether the last verdict was that all is well, and when it was told.
    last: Option<(bool, Millis)>,
}

#[derive(Debug, Default)]
struct Seen {
    /// `None` before the job has looked.
    standing: Option<Standing>,
    /// Windows that are truncated or unproven, which nobody has said to be known.
    incomplete: u64,
    /// Since when no window of its cycle has ended, while one runs.
    at_work: Option<Millis>,
}

impl Seen {
    fn is_red(&self) -> bool {
        let is_wrong = |standing: &Standing| standing.state != State::AtWork || standing.lost > 0;
        self.incomplete > 0 || self.standing.as_ref().is_some_and(is_wrong)
    }

    /// Whether it is known how it stands.
    fn is_known(&self, at: Millis) -> bool {
        let is_quiet = self
            .at_work
            .is_some_and(|since| at.0 - since.0 >= LONGEST_QUIET.0);
        self.standing.is_some() && !is_quiet
    }
}

impl Switch {
    /// These are the jobs from now on. Of a new one nothing is known.
    pub(super) fn is_about(&mut self, jobs: &BTreeSet<JobName>) {
        self.jobs.retain(|name, _| jobs.contains(name));
        for name in jobs {
            self.jobs.entry(name.clone()).or_default();
        }
    }

    /// A job looks.
    pub(crate) fn began(&mut self, job: &JobName, at: Millis) {
        self.seen(job).at_work = Some(at);
    }

    /// Its cycle has so many windows to archive or to ask for again.
    pub(crate) fn planned(&mut self, job: &JobName, windows: usize, at: Millis) -> Option<Ping> {
        self.progressed(job, at);
        let may = self.started.is_none_or(|last| at.0 - last.0 >= BETWEEN.0);
        if windows == 0 || self.is_started || !may {
            return None;
        }
        self.is_started = true;
        self.started = Some(at);
        Some(Ping::Start)
    }

    /// A window of its cycle has ended.
    pub(crate) fn progressed(&mut self, job: &JobName, at: Millis) {
        let at_work = &mut self.seen(job).at_work;
        *at_work = at_work.map(|_| at);
    }

    /// So many of its windows are truncated or unproven, and nobody has said that they are known.
    pub(crate) fn lacks(&mut self, job: &JobName, incomplete: u64) {
        self.seen(job).incomplete = incomplete;
    }

    pub(super) fn stands(&mut self, job: &JobName, now: &Standing) {
        self.seen(job).standing = Some(now.clone());
    }

    /// Its cycle has ended, or it can't run.
    pub(crate) fn rests(&mut self, job: &JobName, now: &Standing, at: Millis) -> Option<Ping> {
        let seen = self.seen(job);
        seen.standing = Some(now.clone());
        seen.at_work = None;
        let verdict = self.verdict(at)?;
        let is_well = verdict == Ping::Success;
        let is_over = self.is_started && self.jobs.values().all(|seen| seen.at_work.is_none());
        let is_due = self
            .last
            .is_none_or(|(was_well, last)| was_well != is_well || at.0 - last.0 >= BETWEEN.0);
        if !is_over && !is_due {
            return None;
        }
        self.is_started = false;
        self.last = Some((is_well, at));
        Some(verdict)
    }

    /// `None` while there is a job of which nothing is known.
    fn verdict(&self, at: Millis) -> Option<Ping> {
        if self.jobs.values().any(Seen::is_red) {
            return Some(Ping::Fail(self.reason()));
        }
        let is_known = self.jobs.values().all(|seen| seen.is_known(at));
        is_known.then_some(Ping::Success)
    }

    fn reason(&self) -> String {
        let standings = self.jobs.iter();
        let standings =
            standings.filter_map(|(name, seen)| Some((name.clone(), seen.standing.clone()?)));
        let line = standing::line(&standings.collect());
        match self.jobs.values().map(|seen| seen.incomplete).sum() {
            0_u64 => line,
            windows => format!(
                "{line}; truncated or unproven, and nobody has said that it is known (status --ack): {windows}"
            ),
        }
    }

    fn seen(&mut self, job: &JobName) -> &mut Seen {
        self.jobs.entry(job.clone()).or_default()
    }
}
