//! What receivers are told, from what jobs show: events for a webhook, folders for a program, and `switch.rs` for a
//! dead man's switch. `backlog.rs` is what waits to be told. Carries *Candid*. Nothing here is a secret, and no text
//! of a log.

pub(crate) mod backlog;
pub(crate) mod switch;

use std::collections::{BTreeMap, BTreeSet};

use super::job::JobName;
use super::span::{Millis, UtcMs};
use super::split::Status;
use super::standing::{Standing, State};
use super::window::Window;
use switch::{Ping, Switch};

/// Something that is durable in a job's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The number of its line in the ledger, from 1.
    pub seq: u64,
    /// What the line says.
    pub what: What,
}

/// What a line of the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A folder was published, for the first time or anew.
    Archived(Folder),
    /// A window could not be archived.
    Failed {
        /// The window.
        window: Window,
        /// The reason, for the operator.
        message: String,
    },
    /// An archived window could not be asked for again.
    RecheckFailed {
        /// The window.
        window: Window,
        /// The reason, for the operator.
        message: String,
    },
    /// The service had forgotten a window before it was archived.
    Lost(Window),
}

/// A published folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its window.
    pub window: Window,
    /// What is known of it.
    pub status: Status,
    /// Its records; `None` where they can't be counted.
    pub records: Option<u64>,
    /// Bytes of its unpacked files.
    pub bytes: u64,
    /// Its path, relative to the archive's root.
    pub path: String,
    /// SHA-256 of its `manifest.json`, in hexadecimal.
    pub manifest_sha256: String,
}

/// One event of the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The job, where it is about one.
    pub(crate) job: Option<JobName>,
    /// The number of the ledger's line, where there is one.
    pub(crate) seq: Option<u64>,
    /// What has happened.
    pub(crate) kind: Kind,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Archived(Folder),
    /// Beside [`Kind::Archived`]: the service would not hand out all of it.
    Truncated(Folder),
    /// Beside [`Kind::Archived`]: nobody knows whether that is all.
    Unproven(Folder),
    Failed(Window, String),
    RecheckFailed(Window, String),
    Lost(Window),
    /// Nothing of the job is due any more; until when all is covered.
    CaughtUp(Option<UtcMs>),
    /// Nothing is asked for until then, for this reason.
    CircuitOpen(UtcMs, String),
    CircuitClosed,
    ConfigRefused(String),
    /// The program for published folders has failed for this one.
    ProgramFailed(Folder, String),
    Test,
}

impl Kind {
    /// Its name, which is a part of the contract.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Archived(_) => "archived",
            Self::Truncated(_) => "truncated",
            Self::Unproven(_) => "unproven",
            Self::Failed(..) => "failed",
            Self::RecheckFailed(..) => "recheck_failed",
            Self::Lost(_) => "lost",
            Self::CaughtUp(_) => "caught_up",
            Self::CircuitOpen(..) => "circuit_open",
            Self::CircuitClosed => "circuit_closed",
            Self::ConfigRefused(_) => "config_refused",
            Self::ProgramFailed(..) => "on_archived_failed",
            Self::Test => "test",
        }
    }

    /// The window that it is about.
    pub(crate) const fn window(&self) -> Option<Window> {
        match self {
            Self::Archived(folder)
            | Self::Truncated(folder)
            | Self::Unproven(folder)
            | Self::ProgramFailed(folder, _) => Some(folder.window),
            Self::Failed(window, _) | Self::RecheckFailed(window, _) | Self::Lost(window) => {
                Some(*window)
            }
            _ => None,
        }
    }

    /// Whether it is told before what is not, where there is no room for all: a backlog's windows come by the hundred.
    pub(crate) const fn is_critical(&self) -> bool {
        !matches!(self, Self::Archived(_))
    }
}

/// The events that follow from a line of the ledger.
pub(crate) fn events(job: &JobName, news: &News) -> Vec<Event> {
    let event = |kind| Event {
        job: Some(job.clone()),
        seq: Some(news.seq),
        kind,
    };
    let kinds = match news.what.clone() {
        What::Archived(folder) => {
            let worse = match folder.status {
                Status::Complete => None,
                Status::Truncated => Some(Kind::Truncated(folder.clone())),
                Status::Unproven => Some(Kind::Unproven(folder.clone())),
            };
            [Some(Kind::Archived(folder)), worse]
        }
        What::Failed { window, message } => [Some(Kind::Failed(window, message)), None],
        What::RecheckFailed { window, message } => {
            [Some(Kind::RecheckFailed(window, message)), None]
        }
        What::Lost(window) => [Some(Kind::Lost(window)), None],
    };
    kinds.into_iter().flatten().map(event).collect()
}

/// What is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) events: Vec<Event>,
    pub(crate) ping: Option<Ping>,
}

/// Whether a job has nothing left to archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pace {
    /// Nobody knows: it has not looked since the start.
    #[default]
    New,
    /// Its last cycle has left something.
    Behind,
    UpToDate,
}

/// Decides what is told of the jobs of a daemon, or of one run of `once`.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    jobs: BTreeMap<JobName, Known>,
    switch: Switch,
}

#[derive(Debug, Default)]
struct Known {
    pace: Pace,
    is_paused: bool,
}

impl Teller {
    /// These are the jobs from now on.
    pub(crate) fn is_about(&mut self, jobs: &BTreeSet<JobName>) {
        self.jobs.retain(|name, _| jobs.contains(name));
        self.switch.is_about(jobs);
    }

    /// What the switch is to know.
    pub(crate) const fn switch(&mut self) -> &mut Switch {
        &mut self.switch
    }

    /// How a job stands in the middle of a cycle.
    pub(crate) fn stands(&mut self, job: &JobName, now: &Standing) -> Told {
        self.switch.stands(job, now);
        let circuit = self.circuit(job, now);
        Told {
            events: circuit.into_iter().collect(),
            ping: None,
        }
    }

    /// A cycle of a job that has archived so many windows has ended, and it stands so; `at` is some time of a clock
    /// that never goes back.
    pub(crate) fn rests(
        &mut self,
        job: &JobName,
        archived: u64,
        now: &Standing,
        at: Millis,
    ) -> Told {
        let circuit = self.circuit(job, now);
        let known = self.jobs.entry(job.clone()).or_default();
        let is_clear = now.state == State::AtWork && now.due == 0;
        let was = std::mem::replace(
            &mut known.pace,
            if is_clear {
                Pace::UpToDate
            } else {
                Pace::Behind
            },
        );
        let has_caught_up = is_clear && (was == Pace::Behind || (was == Pace::New && archived > 0));
        let caught_up = has_caught_up.then(|| Event {
            job: Some(job.clone()),
            seq: None,
            kind: Kind::CaughtUp(now.covered_until),
        });
        Told {
            events: circuit.into_iter().chain(caught_up).collect(),
            ping: self.switch.rests(job, now, at),
        }
    }

    fn circuit(&mut self, job: &JobName, now: &Standing) -> Option<Event> {
        let known = self.jobs.entry(job.clone()).or_default();
        let kind = match (&now.state, known.is_paused) {
            (State::Paused { until, message }, false) => Kind::CircuitOpen(*until, message.clone()),
            (State::AtWork | State::Failing { .. }, true) => Kind::CircuitClosed,
            _ => return None,
        };
        known.is_paused = matches!(kind, Kind::CircuitOpen(..));
        Some(Event {
            job: Some(job.clone()),
            seq: None,
            kind,
        })
    }
}

#[cfg(test)]
mod tests;
