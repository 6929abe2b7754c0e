//! `status`: what is archived and what is not, job by job.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::print::{at_least, at_most, bytes, count, grouped, print, print_json};
use super::session::chosen;
use crate::archive::manifest::local_time;
use crate::archive::verify::Bounds;
use crate::config::Config;
use crate::domain::job::Job;
use crate::domain::plan::{plan, reach};
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::Disk;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, LedgerError, acknowledgement};

/// `status --json`, as the contract names its fields.
#[derive(Serialize)]
struct Report {
    jobs: Vec<JobStatus>,
}

#[derive(Serialize)]
struct JobStatus {
    name: String,
    since_ms: UtcMs,
    covered_until_ms: UtcMs,
    gaps: Vec<Bounds>,
    due: u64,
    /// Left out while nothing is lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<Lost>,
    truncated: u64,
    unproven: u64,
    confirmed: ConfirmedWindows,
    records: u64,
    bytes: u64,
    last_success: Option<Success>,
    last_error: Option<Failure>,
    loss_deadline: Option<String>,
    /// Left out while there was no recheck.
    #[serde(skip_serializing_if = "Option::is_none")]
    lateness: Option<Late>,
}

/// How late logs have come, as rechecks have shown.
#[derive(Serialize)]
struct Late {
    /// Windows that are due for a recheck.
    due: u64,
    /// Windows that were rechecked.
    rechecked: u64,
    /// Those that held more than before, and by how many records in all.
    changed: u64,
    records: u64,
    /// The latest log came so many milliseconds after its window's end; 0 when none was late.
    over_ms: Millis,
    until_ms: Millis,
}

/// A span that the service had forgotten before it was archived.
#[derive(Serialize)]
struct Lost {
    from_ms: UtcMs,
    to_ms: UtcMs,
    acknowledged: bool,
}

#[derive(Serialize)]
struct Success {
    from_ms: UtcMs,
    to_ms: UtcMs,
    at: String,
}

#[derive(Serialize)]
struct Failure {
    at: String,
    message: String,
}

/// Prints the status, after it has acknowledged the losses of the jobs named `known`.
pub(super) fn status(context: &Context<'_>, json: bool, known: &[String]) -> Result<(), Stop> {
    let config = context.config()?;
    let now = context.clock.now();
    if !known.is_empty() {
        for job in chosen(&config, known, &context.args.config)? {
            let ledger = Ledger::path(&config.state_dir, &job.name);
            acknowledgement::leave(&ledger, now, &Disk::default())
                .map_err(|error| Stop::failed(error.to_string()))?;
        }
    }
    let mut report = Report { jobs: Vec::new() };
    let mut text = String::new();
    for (job, replay) in config.jobs.iter().zip(replays(&config, &config.jobs)) {
        let status = match replay {
            Ok(replay) => {
                let ledger = Ledger::path(&config.state_dir, &job.name);
                let known_until = acknowledgement::read(&ledger).unwrap_or_default();
                JobStatus::of(job, &replay, known_until, now)
            }
            Err(error) => JobStatus::unreadable(job, &error, now),
        };
        text += &status.listing(job);
        report.jobs.push(status);
    }
    if json {
        print_json(&report)?;
    } else {
        print(&text)?;
    }
    // A job that is not enabled is listed, but does not change the exit code.
    let enabled = config
        .jobs
        .iter()
        .zip(&report.jobs)
        .filter(|(job, _)| job.enabled);
    if enabled.map(|(_, status)| status).all(JobStatus::is_well) {
        Ok(())
    } else {
        Err(Stop::told())
    }
}

/// The ledgers of `jobs`, replayed side by side, in the same order.
pub(super) fn replays(config: &Config, jobs: &[Job]) -> Vec<Result<Replay, LedgerError>> {
    let next = AtomicUsize::new(0);
    let replayed = Mutex::new(Vec::with_capacity(jobs.len()));
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(jobs.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    let replay = Ledger::glance(&config.state_dir, &job.name);
                    replayed
                        .lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .push((at, replay));
                }
            });
        }
    });
    let mut replayed = replayed
        .into_inner()
        .unwrap_or_else(|error| error.into_inner());
    replayed.sort_by_key(|&(at, _)| at);
    replayed.into_iter().map(|(_, replay)| replay).collect()
}

impl JobStatus {
    /// `known_until`: losses before it are acknowledged, though the ledger does not say so yet.
    fn of(job: &Job, replay: &Replay, known_until: Option<UtcMs>, now: UtcMs) -> Self {
        let closed = replay.closed(reach(now, job));
        let due = plan(now, &closed, job);
        let gaps = closed.gaps(job.since);
        let covered_until = replay.coverage.covered_until(job.since);
        // What the service forgets first is the oldest that is not archived.
        let oldest = due
            .first()
            .map(|window| window.from())
            .or(gaps.first().map(|gap| gap.from()));
        let deadline = oldest
            .zip(job.retention)
            .map(|(oldest, keeps)| oldest.plus(keeps));
        Self {
            name: job.name.to_string(),
            since_ms: job.since,
            covered_until_ms: covered_until,
            gaps: gaps.into_iter().map(Bounds::from).collect(),
            due: due.len() as u64,
            lost: replay
                .lost()
                .into_iter()
                .filter_map(|(span, acknowledged)| {
                    let after_since = Span::new(job.since.max(span.from()), span.to())?;
                    Some(Lost {
                        from_ms: after_since.from(),
                        to_ms: after_since.to(),
                        acknowledged: acknowledged || known_until.is_some_and(|at| span.to() <= at),
                    })
                })
                .collect(),
            truncated: replay.truncated,
            unproven: replay.unproven,
            confirmed: replay.confirmed,
            records: replay.records,
            bytes: replay.bytes,
            last_success: replay.last_success.map(|(span, at)| Success {
                from_ms: span.from(),
                to_ms: span.to(),
                at: local_time(whole_seconds(at), &job.zone),
            }),
            last_error: replay.last_error(now, job).map(|(message, at)| Failure {
                at: local_time(whole_seconds(at), &job.zone),
                message: message.to_owned(),
            }),
            loss_deadline: deadline.map(|at| local_time(at, &job.zone)),
            lateness: Late::of(job, replay, now),
        }
    }

    /// The status of a job whose ledger can't be read: all unknown.
    fn unreadable(job: &Job, error: &LedgerError, now: UtcMs) -> Self {
        let error = Failure {
            at: local_time(now, &job.zone),
            message: error.to_string(),
        };
        Self {
            last_error: Some(error),
            ..Self::of(job, &Replay::default(), None, now)
        }
    }

    fn is_well(&self) -> bool {
        self.gaps.is_empty()
            && self.lost.iter().all(|lost| lost.acknowledged)
            && self.due == 0
            && self.truncated == 0
            && self.unproven == 0
            && self.last_error.is_none()
            && self.lateness.as_ref().is_none_or(|late| late.due == 0)
    }

    /// How many windows a second ask has confirmed; `None` while nothing is archived.
    fn confirmed_in_words(&self) -> Option<String> {
        let ConfirmedWindows {
            search,
            download,
            none,
        } = self.confirmed;
        let told: Vec<String> = [
            (search, "by search"),
            (download, "by a second download"),
            (none, "not"),
        ]
        .into_iter()
        .filter(|(windows, _)| *windows > 0)
        .map(|(windows, how)| format!("{} {how}", count(windows, "window")))
        .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    fn listing(&self, job: &Job) -> String {
        let local = |at: UtcMs| local_time(at, &job.zone);
        let verdict = match (job.enabled, self.is_well()) {
            (false, _) => "not enabled",
            (true, true) => "ok",
            (true, false) => "needs attention",
        };
        let mut text = format!("{}: {verdict}\n", self.name);
        let mut line = |name: &str, value: String| text += &format!("  {name:14} {value}\n");
        line("since", local(self.since_ms));
        line("covered until", local(self.covered_until_ms));
        line(
            "archived",
            format!("{}, {}", count(self.records, "record"), bytes(self.bytes)),
        );
        if let Some(confirmed) = self.confirmed_in_words() {
            line("confirmed", confirmed);
        }
        if let Some(success) = &self.last_success {
            line(
                "last success",
                format!("{} (window to {})", success.at, local(success.to_ms)),
            );
        }
        if self.due > 0 {
            line("due", count(self.due, "window"));
        }
        for gap in &self.gaps {
            line(
                "gap",
                format!("{} to {}", local(gap.from_ms), local(gap.to_ms)),
            );
        }
        for lost in &self.lost {
            let known = match lost.acknowledged {
                true => "(acknowledged)".to_owned(),
                false => format!("(known? `elsa-archiver status --ack {}`)", self.name),
            };
            line(
                "lost",
                format!("{} to {} {known}", local(lost.from_ms), local(lost.to_ms)),
            );
        }
        for (name, number) in [("truncated", self.truncated), ("unproven", self.unproven)] {
            if number > 0 {
                line(name, format!("{} (`verify` names them)", grouped(number)));
            }
        }
        if let Some(late) = &self.lateness {
            line("late logs", late.words());
        }
        if let Some(error) = &self.last_error {
            line("last error", format!("{}: {}", error.at, error.message));
        }
        if let Some(deadline) = &self.loss_deadline {
            line("lost from", format!("{deadline}, unless archived by then"));
        }
        text
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

    /// How late logs came, for the choice of `settle`.
    fn words(&self) -> String {
        let mut text = match self.changed {
            0 => format!("none in {}", count(self.rechecked, "rechecked window")),
            _ => format!(
                "{} in {} of {} ({:.1} %), the latest between {} and {} after its window's end",
                count(self.records, "record"),
                grouped(self.changed),
                count(self.rechecked, "rechecked window"),
                100.0 * self.changed as f64 / self.rechecked as f64,
                at_least(self.over_ms),
                at_most(self.until_ms),
            ),
        };
        if self.due > 0 {
            text += &format!("; {} due for a recheck", count(self.due, "window"));
        }
        text
    }
}

/// An instant rounded to the second, which is enough for people.
fn whole_seconds(at: UtcMs) -> UtcMs {
    UtcMs(at.0.div_euclid(1000) * 1000)
}
