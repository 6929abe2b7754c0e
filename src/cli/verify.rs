//! `verify`: the proof, against the ledger or from a copy's manifests alone.

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::print::{bytes, count, grouped, print, print_json};
use super::session::{chosen, store};
use crate::archive::publish::Archived;
use crate::archive::verify::{Finding, JobReport, Problem, against, copy};
use crate::config::Config;
use crate::domain::job::Job;
use crate::durable::Disk;
use crate::ledger::Ledger;
use crate::ledger::line::Event;
use crate::printable;

/// Verifies the jobs named, or all, or the copy in `dir`.
pub(super) fn verify(
    context: &Context<'_>,
    names: &[String],
    json: bool,
    dir: Option<&Path>,
) -> Result<(), Stop> {
    let reports = match dir {
        Some(dir) => verify_copy(context, dir)?,
        None => {
            let config = context.config()?;
            let jobs = chosen(&config, names, &context.args.config)?;
            jobs.iter()
                .map(|job| verify_job(context, &config, job))
                .collect()
        }
    };
    context.terminal.clear();
    let proven = reports.iter().all(JobReport::is_proven);
    if json {
        print_json(&Report {
            intact: proven,
            jobs: &reports,
        })?;
    } else {
        print(&reports.iter().map(listing).collect::<String>())?;
    }
    if proven { Ok(()) } else { Err(Stop::told()) }
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether nothing is missing, changed, added, truncated or unproven, and there is no gap.
    intact: bool,
    jobs: &'a [JobReport],
}

fn verify_copy(context: &Context<'_>, dir: &Path) -> Result<Vec<JobReport>, Stop> {
    let folders = copy::folders(dir)
        .map_err(|error| Stop::failed(format!("can't read {}: {error}", dir.display())))?;
    if folders.is_empty() {
        return Err(Stop::failed(format!(
            "there is no archived window in {}; give an archive's root, or the folder of a job, a \
             date or a window",
            dir.display()
        )));
    }
    let bar = context.terminal.bar("verifying", folders.len() as u64);
    Ok(copy::verify(dir, &folders, &mut || bar.inc(1)))
}

fn verify_job(context: &Context<'_>, config: &Config, job: &Job) -> JobReport {
    let store = store(config, &Disk::default());
    // Before the ledger: what a daemon publishes after this is not looked for.
    let published = match store.published(&job.name) {
        Ok(published) => published
            .into_iter()
            .map(|(_, folder)| folder)
            .collect::<Vec<_>>(),
        Err(error) => return unreadable(job, &store.root().display(), &error),
    };
    let mut archived: Vec<Archived> = Vec::new();
    let replay = Ledger::read(&config.state_dir, &job.name, |line| {
        if let Event::Archived(line) = &line.event {
            archived.push(line.clone());
        }
    });
    let replay = match replay {
        Ok(replay) => replay,
        Err(error) => {
            let file = Ledger::path(&config.state_dir, &job.name);
            return unreadable(job, &file.display(), &error);
        }
    };
    // A lost span is a gap until it is acknowledged.
    let mut accounted = replay.coverage.clone();
    let known = replay
        .lost()
        .into_iter()
        .filter(|&(_, acknowledged)| acknowledged);
    known.for_each(|(span, _)| accounted.add(span));
    let bar = context
        .terminal
        .bar(job.name.as_str(), archived.len() as u64);
    against::verify(&store, job, &published, &archived, &accounted, &mut || {
        bar.inc(1)
    })
}

fn unreadable(job: &Job, file: &dyn Display, why: &dyn Display) -> JobReport {
    let problem = Problem::Unreadable(why.to_string());
    let finding = Finding {
        folder: String::new(),
        file: Some(file.to_string()),
        problem,
    };
    JobReport {
        job: job.name.to_string(),
        findings: vec![finding],
        ..JobReport::default()
    }
}

fn listing(report: &JobReport) -> String {
    let verdict = if report.is_proven() {
        "intact"
    } else {
        "NOT INTACT"
    };
    let mut text = format!(
        "{}: {verdict}: {}, {}, {}, {} re-hashed\n",
        report.job,
        count(report.windows, "window"),
        count(report.records, "record"),
        count(report.files, "file"),
        bytes(report.bytes),
    );
    if report.superseded > 0 {
        text += &format!(
            "  {} of these folders {} superseded by a later one of the same window\n",
            grouped(report.superseded),
            if report.superseded == 1 { "is" } else { "are" },
        );
    }
    for finding in &report.findings {
        text += &format!("  {finding}\n");
    }
    for gap in &report.gaps {
        text += &format!(
            "  gap: nothing is archived from {} to {}\n",
            gap.from_ms, gap.to_ms
        );
    }
    for folder in &report.truncated {
        text += &format!(
            "  {}: truncated: the service may have left logs out\n",
            printable::whole(folder)
        );
    }
    for folder in &report.unproven {
        text += &format!(
            "  {}: unproven: what it holds is not certain\n",
            printable::whole(folder)
        );
    }
    text
}
