//! Facts as metrics. Times are absolute, so that their age grows also where nothing is counted any more.

use super::exposition::{Exposition, Kind};
use super::facts::{Facts, JobFacts, Lost};
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::span::{Millis, UtcMs};
use crate::elsa::client::requests::{BOUNDS, OUTCOMES, Tally};

/// The label of a job; `job` is Prometheus's own.
const JOB: &str = "archive_job";

/// A job, and what takes some time to find out of it.
struct Row<'a> {
    name: &'a str,
    facts: &'a JobFacts,
    due: u64,
    loss_deadline: Option<UtcMs>,
    lost: Lost,
}

/// The metrics, in Prometheus's text format 0.0.4.
#[must_use]
pub(super) fn metrics(facts: &Facts) -> String {
    let mut text = Exposition::default();
    let rows: Vec<Row<'_>> = facts.jobs.iter().map(Row::of).collect();
    about_process(&mut text, facts);
    about_coverage(&mut text, &rows, facts.max_lag);
    about_windows(&mut text, &rows);
    about_work(&mut text, &rows);
    about_requests(&mut text, &rows);
    about_accounts(&mut text, facts);
    about_notices(&mut text, facts);
    text.finish()
}

impl<'a> Row<'a> {
    fn of(facts: &'a JobFacts) -> Self {
        let due = facts.due();
        Self {
            name: facts.job.name.as_str(),
            facts,
            due: due.len() as u64,
            loss_deadline: facts.loss_deadline(&due),
            lost: facts.lost(),
        }
    }
}

fn about_process(text: &mut Exposition, facts: &Facts) {
    text.family(
        "elsa_archiver_build_info",
        Kind::Gauge,
        "The version that runs.",
    );
    let version = ("version", env!("CARGO_PKG_VERSION"));
    match option_env!("ELSA_ARCHIVER_COMMIT") {
        Some(commit) => text.sample(&[version, ("commit", commit)], 1),
        None => text.sample(&[version], 1),
    }
    text.family(
        "elsa_archiver_start_timestamp_seconds",
        Kind::Gauge,
        "When the daemon was started.",
    );
    text.sample(&[], seconds(facts.started));
    text.family(
        "elsa_archiver_free_bytes",
        Kind::Gauge,
        "Bytes that are free where the archive is. Left out while the file system does not say.",
    );
    if let Some(free) = facts.free_bytes {
        text.sample(&[], free);
    }
}

fn about_coverage(text: &mut Exposition, rows: &[Row<'_>], max_lag: Millis) {
    text.family(
        "elsa_archiver_job_running",
        Kind::Gauge,
        "1 where the job runs, 0 where it could not be started; the log says why.",
    );
    for row in rows {
        text.sample(&[(JOB, row.name)], u8::from(row.facts.outline.is_some()));
    }
    text.family(
        "elsa_archiver_covered_until_timestamp_seconds",
        Kind::Gauge,
        "The end of the span that is archived without a gap since the job's `since`.",
    );
    for row in rows {
        if let Some(until) = row.facts.covered_until() {
            text.sample(&[(JOB, row.name)], seconds(until));
        }
    }
    text.family(
        "elsa_archiver_max_lag_seconds",
        Kind::Gauge,
        "How far behind the end of that span may be: `max_lag` of the configuration.",
    );
    for row in rows {
        text.sample(&[(JOB, row.name)], max_lag.0 as f64 / 1000.0);
    }
    text.family(
        "elsa_archiver_loss_deadline_timestamp_seconds",
        Kind::Gauge,
        "When the service begins to forget what is due. Left out while nothing is due, and without `retention`.",
    );
    for row in rows {
        if let Some(deadline) = row.loss_deadline {
            text.sample(&[(JOB, row.name)], seconds(deadline));
        }
    }
}

fn about_windows(text: &mut Exposition, rows: &[Row<'_>]) {
    let mut each = |name, help, number: &dyn Fn(&Row<'_>) -> Option<u64>| {
        text.family(name, Kind::Gauge, help);
        for row in rows {
            if let Some(number) = number(row) {
                text.sample(&[(JOB, row.name)], number);
            }
        }
    };
    let outline = |row: &Row<'_>| row.facts.outline.clone();
    each(
        "elsa_archiver_due_windows",
        "Windows that have settled and are not archived.",
        &|row| outline(row).map(|_| row.due),
    );
    each(
        "elsa_archiver_lost_windows",
        "Windows that the service had forgotten before they were archived.",
        &|row| outline(row).map(|_| row.lost.windows),
    );
    each(
        "elsa_archiver_truncated_windows",
        "Windows of which the service would not hand out all.",
        &|row| outline(row).map(|outline| outline.incomplete.truncated),
    );
    each(
        "elsa_archiver_unproven_windows",
        "Windows that are not proven to be complete.",
        &|row| outline(row).map(|outline| outline.incomplete.unproven),
    );
    each(
        "elsa_archiver_silent_windows",
        "The newest windows in a row without a log, where the same hour of each of the seven days before held some.",
        &|row| outline(row).map(|outline| outline.silent_windows),
    );
    text.family(
        "elsa_archiver_acknowledged_windows",
        Kind::Gauge,
        "Windows that are lost, truncated or unproven, and that somebody has said to know of.",
    );
    for row in rows {
        let Some(outline) = &row.facts.outline else {
            continue;
        };
        for (status, number) in [
            ("lost", row.lost.acknowledged),
            ("truncated", outline.acknowledged.truncated),
            ("unproven", outline.acknowledged.unproven),
        ] {
            text.sample(&[(JOB, row.name), ("status", status)], number);
        }
    }
    text.family(
        "elsa_archiver_confirmed_windows",
        Kind::Gauge,
        "Archived windows by what has confirmed their number of records.",
    );
    for row in rows {
        let Some(outline) = &row.facts.outline else {
            continue;
        };
        let ConfirmedWindows {
            search,
            download,
            none,
        } = outline.confirmed;
        for (by, number) in [("search", search), ("download", download), ("none", none)] {
            text.sample(&[(JOB, row.name), ("by", by)], number);
        }
    }
}

fn about_work(text: &mut Exposition, rows: &[Row<'_>]) {
    text.family(
        "elsa_archiver_records_total",
        Kind::Counter,
        "Records archived, as far as they can be counted.",
    );
    for row in running(rows) {
        text.sample(&[(JOB, row.name)], row.facts.totals.records);
    }
    text.family(
        "elsa_archiver_bytes_total",
        Kind::Counter,
        "Bytes of the data files archived, as they lie on the disk.",
    );
    for row in running(rows) {
        text.sample(&[(JOB, row.name)], row.facts.totals.bytes);
    }
    text.family(
        "elsa_archiver_pruned_windows",
        Kind::Gauge,
        "Archived windows whose data were let go of; their manifests stay.",
    );
    for row in running(rows) {
        if let Some(outline) = &row.facts.outline {
            text.sample(&[(JOB, row.name)], outline.pruned.windows);
        }
    }
    text.family(
        "elsa_archiver_last_success_timestamp_seconds",
        Kind::Gauge,
        "When a window was archived last.",
    );
    for row in running(rows) {
        let last = row.facts.outline.as_ref();
        if let Some(at) = last.and_then(|outline| outline.last_success) {
            text.sample(&[(JOB, row.name)], seconds(at));
        }
    }
    text.family(
        "elsa_archiver_last_look_timestamp_seconds",
        Kind::Gauge,
        "When the job's last cycle has ended, whatever came of it.",
    );
    for row in running(rows) {
        if let Some(at) = row.facts.looked {
            text.sample(&[(JOB, row.name)], seconds(at));
        }
    }
    text.family(
        "elsa_archiver_job_failing",
        Kind::Gauge,
        "1 where the job's last cycle has ended with an error.",
    );
    for row in running(rows) {
        text.sample(&[(JOB, row.name)], u8::from(row.facts.has_failed));
    }
}

fn about_requests(text: &mut Exposition, rows: &[Row<'_>]) {
    let tallies: Vec<(&str, Tally)> = rows
        .iter()
        .filter_map(|row| Some((row.name, row.facts.requests?)))
        .collect();
    text.family(
        "elsa_archiver_requests_total",
        Kind::Counter,
        "Requests to the service since the start, by what became of them.",
    );
    for (name, tally) in &tallies {
        for (outcome, number) in OUTCOMES.iter().zip(tally.outcomes) {
            text.sample(&[(JOB, name), ("outcome", outcome)], number);
        }
    }
    text.family(
        "elsa_archiver_request_duration_seconds",
        Kind::Histogram,
        "How long requests to the service took, from the first byte sent to the end of the answer.",
    );
    for (name, tally) in &tallies {
        let mut within = 0;
        for (bound, number) in BOUNDS.iter().zip(tally.within) {
            within += number;
            let bound = bound.to_string();
            text.suffixed("_bucket", &[(JOB, name), ("le", &bound)], within);
        }
        text.suffixed("_bucket", &[(JOB, name), ("le", "+Inf")], tally.all());
        text.suffixed("_sum", &[(JOB, name)], tally.took.as_secs_f64());
        text.suffixed("_count", &[(JOB, name)], tally.all());
    }
}

fn about_accounts(text: &mut Exposition, facts: &Facts) {
    text.family(
        "elsa_archiver_requests_in_flight",
        Kind::Gauge,
        "Requests of the account that are in flight.",
    );
    for account in &facts.accounts {
        text.sample(&[("account", &account.name.0)], account.in_flight);
    }
    text.family(
        "elsa_archiver_circuit_open",
        Kind::Gauge,
        "1 where the account's service is down, or a failure that all windows share keeps a job of it from asking.",
    );
    for account in &facts.accounts {
        text.sample(&[("account", &account.name.0)], u8::from(account.is_open));
    }
}

fn about_notices(text: &mut Exposition, facts: &Facts) {
    text.family(
        "elsa_archiver_notifications_total",
        Kind::Counter,
        "Notices to the receivers of `notify` since the start, by what became of them.",
    );
    for (receiver, outcome, number) in &facts.notices {
        text.sample(&[("receiver", receiver), ("outcome", outcome)], number);
    }
}

/// The jobs that run.
fn running<'a>(rows: &'a [Row<'a>]) -> impl Iterator<Item = &'a Row<'a>> {
    rows.iter().filter(|row| row.facts.outline.is_some())
}

/// An instant as metrics have it.
fn seconds(at: UtcMs) -> f64 {
    at.0 as f64 / 1000.0
}
