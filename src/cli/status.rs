//! `status`: what is archived and what is not, job by job.

mod newest;
mod outage;
mod report;
mod words;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::lineage::Lineage;
use super::print::{print_fitted, print_json};
use super::retired::retired;
use super::session::chosen;
use crate::archive::identity::{of_state, read};
use crate::archive::store::{entries, free_bytes};
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::durable::Disk;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, LedgerError, acknowledgement};
use newest::NotBySearch;
use outage::Outage;
use report::{Archive, JobStatus, Report};

/// Prints the status, after it has acknowledged what is lost, truncated or unproven of the jobs named
/// `known`.
pub(super) fn status(context: &Context<'_>, json: bool, known: &[String]) -> Result<(), Stop> {
    let config = context.config()?;
    let now = context.clock.now();
    if let Some(why) = identity::refusal(&config).filter(|_| !known.is_empty()) {
        return Err(Stop::failed(why));
    }
    if !known.is_empty() {
        for job in chosen(&config, known, &context.args.config)? {
            let ledger = Ledger::path(&config.state_dir, &job.name);
            acknowledgement::leave(&ledger, now, &Disk::default())
                .map_err(|error| Stop::failed(error.to_string()))?;
        }
    }
    let archive = Archive {
        id: read(&of_state(&config.state_dir)).ok().flatten(),
        root: config.archive.root.display().to_string(),
        free_bytes: free_bytes(&config.archive.root).ok(),
        problem: identity::refusal(&config),
        durable_folders: config.archive.durable_folders,
    };
    let mut report = Report {
        archive,
        accounts: Outage::all(&config, now),
        jobs: Vec::new(),
    };
    let mut text = match &report.archive.problem {
        None => String::new(),
        Some(problem) => format!("archive: needs attention\n  {problem}\n"),
    };
    if !report.archive.durable_folders {
        text += "archive: durable_folders = false: what is archived is not safe from a power cut where its file \
                 system can't flush folders\n";
    }
    text.extend(report.accounts.iter().map(Outage::listing));
    let refused = Lineage::of(&config).refused;
    for (job, replay) in config.jobs.iter().zip(replays(&config, &config.jobs)) {
        let mut status = match replay {
            Ok(mut replay) => {
                let ledger = Ledger::path(&config.state_dir, &job.name);
                acknowledgement::count_at_once(&ledger, &mut replay);
                let newest = NotBySearch::read(&config.archive.root, job, &replay);
                JobStatus {
                    rebuilt_at_next_start: is_lost(&config, &job.name, &replay),
                    ..JobStatus::of(job, &replay, newest, now)
                }
            }
            Err(error) => JobStatus::unreadable(job, &error, now),
        };
        if let Some(why) = refused.get(&job.name) {
            status.refuse(why, job, now);
        }
        text += &status.listing(job.enabled, &job.zone);
        report.jobs.push(status);
    }
    for name in retired(&config).map_err(Stop::failed)? {
        // What is wrong with such a ledger, `verify` says.
        if let Ok(mut replay) = Ledger::glance(&config.state_dir, &name) {
            let ledger = Ledger::path(&config.state_dir, &name);
            acknowledgement::count_at_once(&ledger, &mut replay);
            let zone = &config.archive.zone;
            let status = JobStatus {
                rebuilt_at_next_start: is_lost(&config, &name, &replay),
                ..JobStatus::retired(&name, &replay, zone)
            };
            text += &status.listing(false, zone);
            report.jobs.push(status);
        }
    }
    if json {
        print_json(&report)?;
    } else {
        print_fitted(&text, words::HANGING)?;
    }
    // A job that is not enabled is listed, but does not change the exit code.
    let enabled = config
        .jobs
        .iter()
        .zip(&report.jobs)
        .filter(|(job, _)| job.enabled);
    let all_well = enabled.map(|(_, status)| status).all(JobStatus::is_well);
    if all_well && report.archive.problem.is_none() {
        Ok(())
    } else {
        Err(Stop::told())
    }
}

/// What is said of a ledger that is lost.
pub(super) const REBUILT: &str =
    "not there, and is rebuilt at the next start from the job's folders; less is due then";

/// Whether the ledger of a job is not there, but folders of it are.
pub(super) fn is_lost(config: &Config, job: &JobName, replay: &Replay) -> bool {
    let folder = config.archive.root.join(job.as_str());
    replay.lines == 0 && entries(&folder).is_ok_and(|found| !found.is_empty())
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
