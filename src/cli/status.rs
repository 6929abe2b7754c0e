//! `status`: what is archived and what is not, job by job.

mod daemon;
mod evidence;
mod kept;
mod newest;
mod outage;
mod report;
mod space;
mod words;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::ledgers::side_by_side;
use super::lineage::Gone;
use super::print::{as_json, print_fitted, print_json};
use super::retired::{retired, subjects};
use super::session::store;
use crate::archive::identity::{of_state, read};
use crate::archive::store::{entries, free_bytes};
use crate::config::Config;
use crate::domain::job::JobName;
use crate::durable::Disk;
use crate::job::prune::project_of;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, acknowledgement, orders};
use daemon::Daemon;
use evidence::Evidence;
use newest::NotBySearch;
use outage::Outage;
use report::{Archive, JobReport, JobStatus, Report, Unread};
use space::{Space, bytes_per_day};

/// Prints the status, after it has acknowledged what is lost, truncated or unproven of the jobs named
/// `known`.
pub(super) fn status(context: &Context<'_>, json: bool, known: &[String]) -> Result<(), Stop> {
    let config = context.config()?;
    let now = context.clock.now();
    if let Some(why) = identity::refusal(&config).filter(|_| !known.is_empty()) {
        return Err(Stop::failed(why));
    }
    if !known.is_empty() {
        let (jobs, gone) = subjects(context, &config, known)?;
        for name in jobs.into_iter().map(|job| job.name).chain(gone) {
            let ledger = Ledger::path(&config.state_dir, &name);
            acknowledgement::leave(&ledger, now, &Disk::default())
                .map_err(|error| Stop::failed(error.to_string()))?;
        }
    }
    let Seen {
        report,
        text,
        is_well,
    } = look(context, &config)?;
    if json {
        print_json(&report)?;
    } else {
        print_fitted(&text, words::HANGING)?;
    }
    match is_well {
        true => Ok(()),
        false => Err(Stop::told()),
    }
}

/// `status --json`, whatever it says.
pub(super) fn json(context: &Context<'_>) -> Result<String, Stop> {
    as_json(&look(context, &context.config()?)?.report)
}

/// What is seen.
struct Seen {
    report: Report,
    /// The same for people.
    text: String,
    /// Whether there is nothing to do.
    is_well: bool,
}

fn look(context: &Context<'_>, config: &Config) -> Result<Seen, Stop> {
    let now = context.clock.now();
    let archive = Archive {
        id: read(&of_state(&config.state_dir)).ok().flatten(),
        root: config.archive.root.display().to_string(),
        free_bytes: free_bytes(&config.archive.root).ok(),
        bytes_per_day: None,
        lasts_ms: None,
        problem: identity::refusal(config),
        durable_folders: config.archive.durable_folders,
    };
    let daemon = Daemon::look(config, now);
    // Where another disk is, its heads say nothing of this archive.
    let id = archive.id.as_ref().filter(|_| archive.problem.is_none());
    let evidence = id.and_then(|id| Evidence::look(config, id, daemon.is_at_work(), now));
    let mut report = Report {
        archive,
        daemon,
        evidence,
        accounts: Outage::all(config, now),
        jobs: Vec::new(),
    };
    let mut text = report.daemon.listing();
    if let Some(problem) = &report.archive.problem {
        text += &format!("archive: needs attention\n  {problem}\n");
    }
    if !report.archive.durable_folders {
        text += "archive: durable_folders = false: what is archived is not safe from a power cut where its file \
                 system can't flush folders\n";
    }
    text.extend(report.evidence.iter().map(Evidence::listing));
    text.extend(report.accounts.iter().map(Outage::listing));
    let gone = Gone::of(config);
    let all = side_by_side(&config.jobs, |job| {
        let mut replay = match Ledger::glance(&config.state_dir, &job.name) {
            Ok(replay) => replay,
            Err(error) => return (JobReport::Unread(Unread::of(job, &error, now)), None),
        };
        let refused = gone.refusal(config, job, &replay);
        let ledger = Ledger::path(&config.state_dir, &job.name);
        acknowledgement::count_at_once(&ledger, &mut replay);
        let wrong_order = orders::count_at_once(
            &ledger,
            (&config.archive.root, Some(job.project_id)),
            &mut replay,
        )
        .err();
        let newest = NotBySearch::read(&config.archive.root, job, &replay);
        let mut status = JobStatus {
            rebuilt_at_next_start: is_lost(config, &job.name, &replay),
            ..JobStatus::of(job, &replay, newest, now)
        };
        status.kept.look_at_mark(&ledger, now);
        let wrong_order = wrong_order.map(|error| error.to_string());
        if let Some(why) = refused.as_ref().or(wrong_order.as_ref()) {
            status.refuse(why, job, now);
        }
        let grows = bytes_per_day(config, job, &replay);
        (JobReport::Known(Box::new(status)), grows)
    });
    let (all, rates): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let space = Space::of(config, report.archive.free_bytes, &rates);
    // Where another disk is, or none, its space says nothing.
    if report.archive.problem.is_none() {
        report.archive.bytes_per_day = space.bytes_per_day;
        report.archive.lasts_ms = space.lasts();
        text += &space.listing();
    }
    for (job, status) in config.jobs.iter().zip(all) {
        text += &status.listing(job.enabled, &job.zone);
        report.jobs.push(status);
    }
    for name in retired(config).map_err(Stop::failed)? {
        // What is wrong with such a ledger, `verify` says.
        if let Ok(mut replay) = Ledger::glance(&config.state_dir, &name) {
            let ledger = Ledger::path(&config.state_dir, &name);
            acknowledgement::count_at_once(&ledger, &mut replay);
            // What is wrong with an order, `prune` says.
            let project = project_of(&store(config, &Disk::default()), &name, &replay, None);
            let _ = orders::count_at_once(&ledger, (&config.archive.root, project), &mut replay);
            let zone = &config.archive.zone;
            let mut status = JobStatus {
                rebuilt_at_next_start: is_lost(config, &name, &replay),
                ..JobStatus::retired(&name, &replay, zone)
            };
            status.kept.look_at_mark(&ledger, now);
            text += &status.listing(false, zone);
            report.jobs.push(JobReport::Known(Box::new(status)));
        }
    }
    // A job that is not enabled is listed, but does not change the exit code.
    let enabled = config
        .jobs
        .iter()
        .zip(&report.jobs)
        .filter(|(job, _)| job.enabled);
    let all_well = enabled.map(|(_, status)| status).all(JobReport::is_well);
    let is_proven = report.evidence.as_ref().is_none_or(Evidence::is_well);
    let is_well = all_well && is_proven && report.archive.problem.is_none();
    Ok(Seen {
        report,
        text,
        is_well,
    })
}

/// What is said of a ledger that is lost.
pub(super) const REBUILT: &str =
    "not there, and is rebuilt at the next start from the job's folders; less is due then";

/// Whether the ledger of a job is not there, but folders of it are.
pub(super) fn is_lost(config: &Config, job: &JobName, replay: &Replay) -> bool {
    let folder = config.archive.root.join(job.as_str());
    replay.lines == 0 && entries(&folder).is_ok_and(|found| !found.is_empty())
}
