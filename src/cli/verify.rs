//! `verify`: the proof, against the ledger or from a copy's manifests alone.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::print::{bytes, count, grouped, print, print_json};
use super::session::{chosen, store};
use crate::archive::manifest::ChainBreak;
use crate::archive::publish::Archived;
use crate::archive::verify::{Finding, JobReport, Problem, Recorded, against, copy};
use crate::config::Config;
use crate::domain::job::Job;
use crate::durable::Disk;
use crate::ledger::line::Event;
use crate::ledger::{Ledger, acknowledgement};
use crate::printable;

/// Verifies the jobs named, or all, or the copy in `dir`.
pub(super) fn verify(
    context: &Context<'_>,
    names: &[String],
    json: bool,
    dir: Option<&Path>,
) -> Result<(), Stop> {
    let verified: Vec<Verified> = match dir {
        Some(dir) => {
            let reports = verify_copy(context, dir)?.into_iter();
            reports.map(Verified::from).collect()
        }
        None => {
            let config = context.config()?;
            if let Some(why) = identity::refusal(&config) {
                return Err(Stop::failed(why));
            }
            let jobs = chosen(&config, names, &context.args.config)?;
            jobs.iter()
                .map(|job| verify_job(context, &config, job))
                .collect()
        }
    };
    context.terminal.clear();
    let intact = verified.iter().all(Verified::is_intact);
    if json {
        print_json(&Report {
            intact,
            jobs: &verified,
        })?;
    } else {
        print(&verified.iter().map(listing).collect::<String>())?;
    }
    if intact { Ok(()) } else { Err(Stop::told()) }
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether nothing is missing, changed or added, there is no gap, and nothing is truncated or
    /// unproven but what is acknowledged.
    intact: bool,
    jobs: &'a [Verified],
}

/// What was found of one job, and what of it the operator knows.
#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    found: JobReport,
    /// The folders among the truncated and unproven ones that are acknowledged; left out while there
    /// are none. A copy has no ledger that says so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    acknowledged: BTreeSet<String>,
}

impl From<JobReport> for Verified {
    fn from(found: JobReport) -> Self {
        Self {
            found,
            acknowledged: BTreeSet::new(),
        }
    }
}

impl Verified {
    /// What was found, of which the operator knows what lies in the folders that are `known`.
    fn of(found: JobReport, known: &BTreeSet<&str>) -> Self {
        let incomplete = found.truncated.iter().chain(&found.unproven);
        Self {
            acknowledged: incomplete
                .filter(|folder| known.contains(folder.as_str()))
                .cloned()
                .collect(),
            found,
        }
    }

    /// Whether everything is proven, but for what is acknowledged.
    fn is_intact(&self) -> bool {
        let report = &self.found;
        let mut incomplete = report.truncated.iter().chain(&report.unproven);
        let is_known = |folder: &String| self.acknowledged.contains(folder);
        let is_unchanged = report.findings.is_empty() && report.gaps.is_empty();
        report.is_proven() || (is_unchanged && incomplete.all(is_known))
    }
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

fn verify_job(context: &Context<'_>, config: &Config, job: &Job) -> Verified {
    let store = store(config, &Disk::default());
    // Before the ledger: what a daemon publishes after this is not looked for.
    let published = match store.published(&job.name) {
        Ok(published) => published
            .into_iter()
            .map(|(_, folder)| folder)
            .collect::<Vec<_>>(),
        Err(error) => return unreadable(job, &store.root().display(), &error).into(),
    };
    let (mut archived, mut breaks): (Vec<Archived>, Vec<ChainBreak>) = (Vec::new(), Vec::new());
    let replay = Ledger::read(&config.state_dir, &job.name, |line| match &line.event {
        Event::Archived(line) => archived.push(line.clone()),
        Event::Rebuilt(rebuilt) => breaks.extend(&rebuilt.breaks),
        _ => {}
    });
    let file = Ledger::path(&config.state_dir, &job.name);
    let replay = match replay {
        Ok(mut replay) => {
            acknowledgement::count_at_once(&file, &mut replay);
            replay
        }
        Err(error) => {
            return unreadable(job, &file.display(), &error).into();
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
    let recorded = Recorded {
        archived: &archived,
        breaks: &breaks,
        coverage: &accounted,
    };
    let report = against::verify(&store, job, &published, recorded, &mut || bar.inc(1));
    let is_known = |line: &&Archived| replay.incomplete.is_acknowledged(line.window);
    let known = archived.iter().filter(is_known);
    Verified::of(report, &known.map(|line| line.folder.as_str()).collect())
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

fn listing(verified: &Verified) -> String {
    let verdict = match verified.is_intact() {
        true => "intact",
        false => "NOT INTACT",
    };
    let report = &verified.found;
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
    for broken in &report.breaks {
        text += &format!(
            "  {}: the chain of manifests breaks before it, as was found when the ledger was rebuilt\n",
            printable::whole(&broken.folder)
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
    for (folders, what) in [
        (
            &report.truncated,
            "truncated: the service may have left logs out",
        ),
        (&report.unproven, "unproven: what it holds is not certain"),
    ] {
        for folder in folders {
            let known = match verified.acknowledged.contains(folder) {
                true => " (acknowledged)",
                false => "",
            };
            text += &format!("  {}: {what}{known}\n", printable::whole(folder));
        }
    }
    text
}
