//! `plan`: what is due and what would be asked. No network, no write.

mod estimate;
mod second_opinion;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::ledgers::side_by_side;
use super::print::{as_json, count, grouped, print};
use super::session::chosen;
use super::status::{REBUILT, is_lost};
use crate::archive::manifest::local_time;
use crate::domain::job::{Job, ToBound};
use crate::domain::plan::{self, reach};
use crate::domain::span::UtcMs;
use crate::domain::window::Window;
use crate::elsa::request::Request;
use crate::ledger::{Ledger, LedgerError};
use estimate::{Estimate, Requests};
use second_opinion::SecondOpinion;

/// How many windows of each job are printed; `--json` lists them all.
const SHOWN: usize = 12;

#[derive(Serialize)]
struct Planned<'a> {
    jobs: Vec<PlannedJob<'a>>,
    /// What all of it takes.
    estimate: Estimate,
}

#[derive(Serialize)]
struct PlannedJob<'a> {
    job: &'a str,
    /// The same, as older scripts read it.
    name: &'a str,
    /// Whether the ledger is rebuilt at the next start, so that less is due; left out where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rebuilt_at_next_start: bool,
    due: Vec<Due<'a>>,
    /// Archived windows that are due for a recheck; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rechecks: Vec<Due<'a>>,
    second_opinion: SecondOpinion,
    estimate: Requests,
}

#[derive(Serialize)]
struct Due<'a> {
    from_ms: UtcMs,
    to_ms: UtcMs,
    request: Request<'a>,
}

/// Prints the plan.
pub(super) fn plan(context: &Context<'_>, names: &[String], json: bool) -> Result<(), Stop> {
    print(&planned(context, names, json)?)
}

/// The plan of all jobs, for people.
pub(super) fn text(context: &Context<'_>) -> Result<String, Stop> {
    planned(context, &[], false)
}

fn planned(context: &Context<'_>, names: &[String], json: bool) -> Result<String, Stop> {
    let config = context.config()?;
    let jobs = chosen(&config, names, &context.args.config)?;
    let now = context.clock.now();
    let look = |job: &Job| {
        let replay = Ledger::glance(&config.state_dir, &job.name)?;
        let due = plan::plan(
            now,
            &replay.closed(reach(now, job)),
            &replay.missing.spans(),
            job,
        );
        let rechecks = replay.recheckable.due(now, job);
        let second_opinion = SecondOpinion::of(job, &replay, &due, &rechecks, now);
        let requests = Requests::of(job, &replay, (&due, &rechecks), second_opinion);
        let is_lost = is_lost(&config, &job.name, &replay);
        Ok::<_, LedgerError>((due, rechecks, second_opinion, requests, is_lost))
    };
    let mut planned = Vec::new();
    for (job, looked) in jobs.iter().zip(side_by_side(&jobs, look)) {
        let looked = looked.map_err(|error| Stop::failed(error.to_string()))?;
        let (due, rechecks, second_opinion, requests, is_lost) = looked;
        planned.push((job, due, rechecks, second_opinion, requests, is_lost));
    }
    let requests = planned.iter().map(|planned| (planned.0, planned.4));
    let estimate = Estimate::of(&config, requests);
    if json {
        let asked = |job, windows: &[Window]| {
            let all = windows.iter().map(|&window| due_of(job, window));
            all.collect()
        };
        let jobs =
            planned.iter().map(
                |(job, due, rechecks, asked_again, requests, is_lost)| PlannedJob {
                    job: job.name.as_str(),
                    rebuilt_at_next_start: *is_lost,
                    name: job.name.as_str(),
                    due: asked(job, due),
                    rechecks: asked(job, rechecks),
                    second_opinion: *asked_again,
                    estimate: *requests,
                },
            );
        return as_json(&Planned {
            jobs: jobs.collect(),
            estimate,
        });
    }
    let mut text = String::new();
    for (job, due, rechecks, second_opinion, _, is_lost) in &planned {
        text += &match job.enabled {
            true => format!("{}: {} due\n", job.name, count(due.len() as u64, "window")),
            false => format!("{}: not enabled\n", job.name),
        };
        if *is_lost {
            text += &format!("{}: the ledger is {REBUILT}\n", job.name);
        }
        text += &listing(job, due);
        if !rechecks.is_empty() {
            let windows = count(rechecks.len() as u64, "window");
            text += &format!("{}: {windows} due for a recheck\n", job.name);
            text += &listing(job, rechecks);
        }
        let windows = due.len() + rechecks.len();
        let asked_again = second_opinion.words(job.cross_check, windows as u64);
        if !asked_again.is_empty() {
            text += &format!("{}: {asked_again}\n", job.name);
        }
    }
    Ok(text + &estimate.words())
}

fn due_of(job: &Job, window: Window) -> Due<'_> {
    Due {
        from_ms: window.from(),
        to_ms: window.to(),
        request: Request::new(job, expected_bound(job), window.span()),
    }
}

/// How `to` is meant in the first request; with `auto` the answers may tell otherwise.
fn expected_bound(job: &Job) -> ToBound {
    job.to_bound.unwrap_or(ToBound::Exclusive)
}

fn listing(job: &Job, windows: &[Window]) -> String {
    let mut text = String::new();
    for &window in windows.iter().take(SHOWN) {
        let asked = expected_bound(job).wire_to(window.span());
        text += &format!(
            "  {}  to  {}  asks from={} to={} count={}\n",
            local_time(window.from(), &job.zone),
            local_time(window.to(), &job.zone),
            window.from().0,
            asked.0,
            job.count,
        );
    }
    if let Some(more) = windows.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        text += &format!(
            "  and {} more; --json lists them all\n",
            grouped(more as u64)
        );
    }
    text
}
