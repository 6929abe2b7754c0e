//! What `status` reports of a job, as the contract names its fields, and whether the job is well.

use serde::Serialize;

use super::daemon::Daemon;
use super::evidence::Evidence;
use super::kept::Kept;
use super::newest::NotBySearch;
use super::outage::Outage;
use crate::archive::manifest::local_time;
use crate::archive::verify::Bounds;
use crate::domain::identity::ArchiveId;
use crate::domain::incomplete::{Numbers, Recorded};
use crate::domain::job::{Job, JobName};
use crate::domain::plan::{plan, reach};
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::split::Status;
use crate::domain::window::{Window, Zone};
use crate::ledger::LedgerError;
use crate::ledger::replay::Replay;

/// `status --json`, as the contract names its fields.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) archive: Archive,
    pub(super) daemon: Daemon,
    /// Left out while there is nothing to do.
    #[serde(skip_serializing_if = "Evidence::is_left_out")]
    pub(super) evidence: Option<Evidence>,
    /// Accounts whose service is down; left out while there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) accounts: Vec<Outage>,
    pub(super) jobs: Vec<JobReport>,
}

/// What is known of a job.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum JobReport {
    Known(Box<JobStatus>),
    Unread(Unread),
}

impl JobReport {
    /// Whether there is nothing to do, and nothing that the operator does not know of.
    pub(super) fn is_well(&self) -> bool {
        match self {
            Self::Known(status) => status.is_well(),
            Self::Unread(_) => false,
        }
    }
}

/// A job whose ledger can't be read, or is damaged: what only the ledger says is null.
#[derive(Serialize)]
pub(super) struct Unread {
    pub(super) job: String,
    name: String,
    retired: bool,
    since_ms: UtcMs,
    covered_until_ms: (),
    gaps: (),
    due: (),
    truncated: (),
    unproven: (),
    confirmed: (),
    records: (),
    bytes: (),
    last_success: (),
    pub(super) last_error: Failure,
    loss_deadline: (),
}

impl Unread {
    pub(super) fn of(job: &Job, error: &LedgerError, now: UtcMs) -> Self {
        Self {
            job: job.name.to_string(),
            name: job.name.to_string(),
            retired: false,
            since_ms: job.since,
            covered_until_ms: (),
            gaps: (),
            due: (),
            truncated: (),
            unproven: (),
            confirmed: (),
            records: (),
            bytes: (),
            last_success: (),
            last_error: Failure {
                at: local_time(whole_seconds(now), &job.zone),
                message: error.to_string(),
            },
            loss_deadline: (),
        }
    }
}

/// The archive, whatever its jobs.
#[derive(Serialize)]
pub(super) struct Archive {
    /// Its id; null before the first start.
    pub(super) id: Option<ArchiveId>,
    pub(super) root: String,
    /// Null when the file system does not say.
    pub(super) free_bytes: Option<u64>,
    /// What a day of logs takes; left out while it is not known of each enabled job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_per_day: Option<u64>,
    /// For how long what is free lasts at this rate; left out while that is not known, or longer than a hundred years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lasts_ms: Option<Millis>,
    /// Left out while the file systems must be able to do all that is promised.
    #[serde(skip_serializing_if = "is_true")]
    pub(super) durable_folders: bool,
    /// Why nothing is archived; left out while there is no such reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

#[derive(Serialize)]
pub(super) struct JobStatus {
    pub(super) job: String,
    /// The same, as older scripts read it.
    pub(super) name: String,
    /// Whether the config has it no more.
    pub(super) retired: bool,
    /// Whether the ledger is lost, so that less is due; left out while it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) rebuilt_at_next_start: bool,
    pub(super) since_ms: UtcMs,
    pub(super) covered_until_ms: UtcMs,
    pub(super) gaps: Vec<Bounds>,
    pub(super) due: u64,
    #[serde(flatten)]
    pub(super) kept: Kept,
    /// Left out while nothing is lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) lost: Vec<Lost>,
    pub(super) truncated: u64,
    pub(super) unproven: u64,
    /// Those of them that the operator knows of; left out while there are none.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) acknowledged: Numbers,
    /// Left out while all windows are complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) incomplete: Vec<Incomplete>,
    pub(super) confirmed: Confirmed,
    /// Requests that this took so far; left out while there was none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) opinion_requests: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) last_success: Option<Success>,
    pub(super) last_error: Option<Failure>,
    pub(super) loss_deadline: Option<String>,
    /// Left out while there was no recheck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lateness: Option<Late>,
}

/// Windows by the way that confirmed their count.
#[derive(Serialize)]
pub(super) struct Confirmed {
    #[serde(flatten)]
    pub(super) windows: ConfirmedWindows,
    /// Left out where search confirmed the newest window.
    #[serde(flatten)]
    pub(super) newest: Option<NotBySearch>,
}

/// How late logs have come, as rechecks have shown.
#[derive(Serialize)]
pub(super) struct Late {
    /// Windows that are due for a recheck.
    pub(super) due: u64,
    /// Windows that were rechecked.
    pub(super) rechecked: u64,
    /// Those that held more than before, and by how many records in all.
    pub(super) changed: u64,
    pub(super) records: u64,
    /// The latest log came so many milliseconds after its window's end; 0 when none was late.
    pub(super) over_ms: Millis,
    pub(super) until_ms: Millis,
}

/// A span that the service had forgotten before it was archived.
#[derive(Serialize)]
pub(super) struct Lost {
    pub(super) from_ms: UtcMs,
    pub(super) to_ms: UtcMs,
    pub(super) acknowledged: bool,
}

impl Lost {
    fn of((span, acknowledged): (Span, bool)) -> Self {
        Self {
            from_ms: span.from(),
            to_ms: span.to(),
            acknowledged,
        }
    }
}

/// A window that is not known to be complete.
#[derive(Serialize)]
pub(super) struct Incomplete {
    pub(super) from_ms: UtcMs,
    pub(super) to_ms: UtcMs,
    pub(super) status: Status,
    pub(super) acknowledged: bool,
}

impl Incomplete {
    fn of((window, recorded): (Window, Recorded)) -> Self {
        Self {
            from_ms: window.from(),
            to_ms: window.to(),
            status: recorded.status,
            acknowledged: recorded.acknowledged,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Success {
    pub(super) from_ms: UtcMs,
    pub(super) to_ms: UtcMs,
    pub(super) at: String,
}

impl Success {
    fn of(replay: &Replay, zone: &Zone) -> Option<Self> {
        replay.last_success.map(|(window, at)| Self {
            from_ms: window.from(),
            to_ms: window.to(),
            at: local_time(whole_seconds(at), zone),
        })
    }
}

#[derive(Serialize)]
pub(super) struct Failure {
    pub(super) at: String,
    pub(super) message: String,
}

impl JobStatus {
    /// The status of a job whose ledger shows this; `newest` is what its newest window's manifest says.
    pub(super) fn of(job: &Job, replay: &Replay, newest: Option<NotBySearch>, now: UtcMs) -> Self {
        let closed = replay.closed(reach(now, job));
        let due = plan(now, &closed, &replay.missing.spans(), job);
        let gaps = closed.gaps(job.since);
        // What the service forgets first is the oldest that is not archived.
        let oldest = due
            .first()
            .map(|window| window.from())
            .or(gaps.first().map(|gap| gap.from()));
        let deadline = oldest
            .zip(job.retention)
            .map(|(oldest, keeps)| oldest.plus(keeps));
        let base = Self::archived(&job.name, job.since, replay, &job.zone);
        Self {
            gaps: gaps.into_iter().map(Bounds::from).collect(),
            due: due.len() as u64,
            lost: replay
                .lost()
                .into_iter()
                .filter(|&(span, _)| replay.concerns(span, job))
                .filter_map(|(span, acknowledged)| {
                    let from = if span.to() > job.since {
                        job.since
                    } else {
                        span.from()
                    };
                    let after_since = Span::new(from.max(span.from()), span.to())?;
                    Some(Lost::of((after_since, acknowledged)))
                })
                .collect(),
            confirmed: Confirmed {
                newest,
                ..base.confirmed
            },
            last_error: replay.last_error(now, job).map(|(message, at)| Failure {
                at: local_time(whole_seconds(at), &job.zone),
                message: message.to_owned(),
            }),
            loss_deadline: deadline.map(|at| local_time(at, &job.zone)),
            lateness: Late::of(job, replay, now),
            ..base
        }
    }

    /// The status of a job that the config has no more: what is archived of it, and nothing to be done.
    pub(super) fn retired(name: &JobName, replay: &Replay, zone: &Zone) -> Self {
        let first = replay.coverage.spans().next();
        let since = first.map_or(UtcMs(0), Span::from);
        Self {
            retired: true,
            ..Self::archived(name, since, replay, zone)
        }
    }

    /// What is archived of a job since `since`, and nothing to be done.
    fn archived(name: &JobName, since: UtcMs, replay: &Replay, zone: &Zone) -> Self {
        let incomplete = replay.incomplete.all();
        let gaps = replay.coverage.gaps(since);
        Self {
            job: name.to_string(),
            name: name.to_string(),
            retired: false,
            rebuilt_at_next_start: false,
            since_ms: since,
            covered_until_ms: replay.accounted().covered_until(since),
            gaps: gaps.into_iter().map(Bounds::from).collect(),
            due: 0,
            kept: Kept::of(replay),
            lost: replay.lost().into_iter().map(Lost::of).collect(),
            truncated: incomplete.truncated,
            unproven: incomplete.unproven,
            acknowledged: replay.incomplete.acknowledged(),
            incomplete: replay.incomplete.windows().map(Incomplete::of).collect(),
            confirmed: Confirmed {
                windows: replay.confirmed,
                newest: None,
            },
            opinion_requests: replay.opinion_requests,
            records: replay.records,
            bytes: replay.bytes,
            last_success: Success::of(replay, zone),
            last_error: None,
            loss_deadline: None,
            lateness: None,
        }
    }

    /// The job does not archive, for this reason.
    pub(super) fn refuse(&mut self, why: &str, job: &Job, now: UtcMs) {
        self.last_error = Some(Failure {
            at: local_time(whole_seconds(now), &job.zone),
            message: why.to_owned(),
        });
    }

    /// Whether there is nothing to do, and nothing that the operator does not know of.
    pub(super) fn is_well(&self) -> bool {
        self.gaps.is_empty()
            && self.lost.iter().all(|lost| lost.acknowledged)
            && self.due == 0
            && self.truncated == self.acknowledged.truncated
            && self.unproven == self.acknowledged.unproven
            && self.last_error.is_none()
            && self.kept.is_well()
            && self.lateness.as_ref().is_none_or(|late| late.due == 0)
    }
}

impl Late {
    fn of(job: &Job, replay: &Replay, now: UtcMs) -> Option<Self> {
        let due = replay.recheckable.due(now, job).len() as u64;
        let seen = replay.lateness;
        (due > 0 || seen.rechecked > 0).then_some(Self {
            due,
            rechecked: seen.rechecked,
            changed: seen.changed,
            records: seen.records,
            over_ms: seen.over,
            until_ms: seen.until,
        })
    }
}

fn is_none(acknowledged: &Numbers) -> bool {
    *acknowledged == Numbers::default()
}

/// An instant rounded to the second, which is enough for people.
fn whole_seconds(at: UtcMs) -> UtcMs {
    UtcMs(at.0.div_euclid(1000) * 1000)
}

/// In the form that serde wants.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
const fn is_true(is: &bool) -> bool {
    *is
}
