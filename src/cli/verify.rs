//! `verify`: the proof, against the ledger or from a copy's manifests alone.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Display;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::print::{print_fitted, print_json};
use super::receipt::{Draft, Wanted};
use super::retired::retired;
use super::session::{chosen, store};
use crate::archive::prune::is_pruned;
use crate::archive::publish::SUMS;
use crate::archive::recorded::Recorded;
use crate::archive::verify::{
    Depth, Finding, JobReport, Known, Owner, Problem, against, copy, reading,
};
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::{plan, reach};
use crate::domain::span::{Span, UtcMs};
use crate::durable::Disk;
use crate::ledger::folders::Folders;
use crate::ledger::{Ledger, LedgerError, acknowledgement};
use words::listing;

mod words;

/// Verifies the jobs named, or all, or the copy in `dir`.
pub(super) fn verify(
    context: &Context<'_>,
    (names, dir): (&[String], Option<&Path>),
    (depth, threads): (Depth, Option<NonZeroUsize>),
    (json, receipt): (bool, Option<Wanted<'_>>),
) -> Result<(), Stop> {
    let threads = threads.or_else(|| available_parallelism().ok());
    let manner = (depth, threads.unwrap_or(NonZeroUsize::MIN));
    let draft = match (dir, receipt) {
        (Some(dir), Some(wanted)) => Some(Draft::begin(dir, wanted, context.clock.now())?),
        _ => None,
    };
    let verified: Vec<Verified> = match dir {
        Some(dir) => {
            let reports = verify_copy(context, manner, dir)?.into_iter();
            reports.map(Verified::from).collect()
        }
        None => {
            let config = context.config()?;
            if let Some(why) = identity::refusal(&config) {
                return Err(Stop::failed(why));
            }
            let jobs = chosen(&config, names, &context.args.config)?;
            let mut subjects: Vec<Subject> = jobs
                .iter()
                .map(|job| Subject {
                    name: job.name.clone(),
                    job: Some(job.clone()),
                })
                .collect();
            if names.is_empty() {
                let gone = retired(&config).map_err(|error| Stop::failed(error.to_string()))?;
                subjects.extend(gone.into_iter().map(|name| Subject { name, job: None }));
            }
            subjects
                .iter()
                .map(|subject| Verified {
                    retired: subject.job.is_none(),
                    ..verify_job(context, &config, manner, subject)
                })
                .collect()
        }
    };
    context.terminal.clear();
    let verdict = verified.iter().map(Verified::counts_as).max();
    let verdict = verdict.unwrap_or(Verdict::Intact);
    if json {
        print_json(&Report {
            intact: verdict == Verdict::Intact,
            verdict,
            jobs: &verified,
        })?;
    } else {
        let now = context.clock.now();
        let all = verified
            .iter()
            .map(|one| listing(one, (depth, dir.is_some()), now));
        let text = all.collect::<String>();
        match draft.as_ref().is_some_and(Draft::takes_stdout) {
            // Who has closed stderr does not want to hear it.
            true => _ = context.terminal.clone().write_all(text.as_bytes()),
            false => print_fitted(&text, 4)?,
        }
    }
    if let Some(draft) = draft {
        let told = draft.write(verified.iter().map(|one| &one.found));
        let told = told.map_err(|stop| match verdict {
            Verdict::Damaged => Stop::damaged_as(stop.message().to_owned()),
            Verdict::Intact | Verdict::Incomplete => stop,
        })?;
        let _ = context.terminal.clone().write_all(told.as_bytes());
    }
    match verdict {
        Verdict::Intact => Ok(()),
        Verdict::Incomplete => Err(Stop::told()),
        Verdict::Damaged => Err(Stop::damaged()),
    }
}

/// What `verify` comes to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// All is there as it was archived, and known to be complete.
    Intact,
    /// What is there is as it was archived; something is missing, not certain, or could not be read.
    Incomplete,
    /// Bytes, names or chain are not what was archived.
    Damaged,
}

impl Verdict {
    const fn words(self) -> &'static str {
        match self {
            Self::Intact => "INTACT",
            Self::Incomplete => "INCOMPLETE",
            Self::Damaged => "DAMAGED",
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether nothing is missing, changed or added, there is no gap, and nothing is truncated or
    /// unproven but what is acknowledged.
    intact: bool,
    verdict: Verdict,
    jobs: &'a [Verified],
}

/// What was found of one job, and what of it the operator knows.
#[derive(Serialize)]
struct Verified {
    verdict: Verdict,
    /// Whether the config has the job no more.
    retired: bool,
    /// Windows that are due now; 0 of a copy, of which that is not known.
    due: u64,
    #[serde(flatten)]
    found: JobReport,
    /// The folders among the truncated and unproven ones that are acknowledged; left out while there
    /// are none. A copy has no ledger that says so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    acknowledged: BTreeSet<String>,
}

impl From<JobReport> for Verified {
    fn from(found: JobReport) -> Self {
        Self::of(found, 0, &BTreeSet::new())
    }
}

impl Verified {
    /// What was found beside `due` windows, of which the operator knows what lies in the folders that are
    /// `known`.
    fn of(found: JobReport, due: u64, known: &BTreeSet<&str>) -> Self {
        let incomplete = || found.truncated.iter().chain(&found.unproven);
        let acknowledged: BTreeSet<String> = incomplete()
            .filter(|folder| known.contains(folder.as_str()))
            .cloned()
            .collect();
        let mut uncertain = incomplete().filter(|folder| !acknowledged.contains(*folder));
        let is_whole = found.findings.is_empty() && found.gaps.is_empty() && due == 0;
        let verdict = match is_whole && uncertain.next().is_none() {
            _ if found.is_damaged() => Verdict::Damaged,
            true => Verdict::Intact,
            false => Verdict::Incomplete,
        };
        Self {
            verdict,
            retired: false,
            due,
            acknowledged,
            found,
        }
    }

    /// Which command says what helps against what was found so `deep`; `None` where nothing is to be done but to
    /// wait for the next cycle.
    fn cure(&self, depth: Depth) -> Option<&'static str> {
        let is_listed = !(self.found.gaps.is_empty()
            && self.found.truncated.is_empty()
            && self.found.unproven.is_empty());
        // What is wrong with a ledger says itself what to do.
        let mut findings = self.found.findings.iter();
        let is_curable = findings.any(|finding| !finding.folder.is_empty());
        match self.counts_as() {
            Verdict::Damaged if is_curable => Some(match depth {
                Depth::Stored => "`elsa-archiver repair` says what it would do",
                Depth::Entries => "`elsa-archiver repair --deep` says what it would do",
            }),
            Verdict::Incomplete if is_listed => {
                Some("`elsa-archiver status` says it for each window")
            }
            Verdict::Damaged | Verdict::Incomplete | Verdict::Intact => None,
        }
    }

    /// What the job adds to the verdict on all. What a retired one lacks, nothing can bring: it is told, and
    /// is not red by itself.
    const fn counts_as(&self) -> Verdict {
        match (self.verdict, self.retired) {
            (Verdict::Incomplete, true) => Verdict::Intact,
            (verdict, _) => verdict,
        }
    }
}

fn verify_copy(
    context: &Context<'_>,
    (depth, threads): (Depth, NonZeroUsize),
    dir: &Path,
) -> Result<Vec<JobReport>, Stop> {
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
    Ok(copy::verify(
        dir,
        &folders,
        depth,
        (threads, &|| bar.inc(1)),
    ))
}

/// A job that is verified.
struct Subject {
    name: JobName,
    /// Its project and its beginning, where the config says them. One that the config has no more begins at
    /// its first folder.
    job: Option<Job>,
}

/// Drops what was found of folders whose data were let go of since the ledger was read: it did not say so then.
fn without_let_go(config: &Config, job: &JobName, report: &mut JobReport) {
    let is_doubted = |finding: &Finding| {
        let is_sums = finding.file.as_deref() == Some(SUMS);
        match finding.problem {
            Problem::PruneNotInLedger => true,
            Problem::Missing => is_sums,
            _ => false,
        }
    };
    if !report.findings.iter().any(is_doubted) {
        return;
    }
    let mut folders = Folders::default();
    if Ledger::read(&config.state_dir, job, |line| folders.take(line)).is_err() {
        return;
    }
    let recorded = folders.recorded().iter().filter(|known| known.is_pruned);
    let pruned: HashSet<&str> = recorded
        .filter(|known| is_pruned(&config.archive.root.join(&known.archived.folder)))
        .map(|known| known.archived.folder.as_str())
        .collect();
    let is_let_go =
        |finding: &Finding| is_doubted(finding) && pruned.contains(finding.folder.as_str());
    report.findings.retain(|finding| !is_let_go(finding));
}

fn verify_job(
    context: &Context<'_>,
    config: &Config,
    (depth, threads): (Depth, NonZeroUsize),
    subject: &Subject,
) -> Verified {
    let job = &subject.name;
    let store = store(config, &Disk::default());
    // Before the ledger: what a daemon publishes after this is not looked for.
    let published = match store.published(job) {
        Ok(published) => published
            .into_iter()
            .map(|(_, folder)| folder)
            .collect::<Vec<_>>(),
        Err(error) => {
            let folder = store.root().join(job.as_str());
            return unreadable(job, &folder.display(), reading(&error)).into();
        }
    };
    let mut folders = Folders::default();
    let replay = Ledger::read(&config.state_dir, job, |line| folders.take(line));
    let file = Ledger::path(&config.state_dir, job);
    let replay = match replay {
        Ok(mut replay) => {
            acknowledgement::count_at_once(&file, &mut replay);
            replay
        }
        Err(error) => {
            let problem = match error {
                LedgerError::Newer { .. } => Problem::Newer(error.to_string()),
                LedgerError::Unreadable { ref source, .. } if !tells_of_damage(source) => {
                    Problem::Unreachable(error.to_string())
                }
                error => Problem::Unreadable(error.to_string()),
            };
            return unreadable(job, &file.display(), problem).into();
        }
    };
    // A lost span is a gap until it is acknowledged.
    let accounted = replay.accounted();
    let recorded = folders.recorded();
    let first = || replay.coverage.spans().next().map(Span::from);
    let known = subject.job.as_ref().map(|job| (job.project_id, job.since));
    let (configured, since) = known.unzip();
    // A config that names another project is refused elsewhere; what is archived is as it was.
    let archived = replay.settings.as_ref().map(|known| known.project_id);
    let project_id = archived.or(configured);
    let since = since.or_else(first).unwrap_or(UtcMs(0));
    let total = recorded.iter().map(|known| known.archived.bytes).sum();
    let bar = context.terminal.bar_of_bytes(job.as_str(), total);
    let owner = Owner {
        job: job.as_str(),
        project_id,
    };
    let known = Known {
        recorded,
        breaks: folders.breaks(),
        coverage: &accounted,
    };
    let seen = |bytes| bar.inc(bytes);
    let mut report = against::verify(
        &store,
        (owner, since),
        &published,
        known,
        depth,
        (threads, &seen),
    );
    without_let_go(config, job, &mut report);
    // What was archived before `since`, and is gone; and what the job lacked that this one goes on from.
    let owed = subject.job.as_ref().map_or(&[][..], |job| &job.owed);
    let before = replay.missing.spans().into_iter();
    let before = before.filter(|gone| gone.to() <= since);
    let mut gone: Vec<Span> = before.flat_map(|gone| accounted.missing_in(gone)).collect();
    let mut told = accounted.clone();
    gone.iter().for_each(|gone| told.add(*gone));
    gone.extend(owed.iter().flat_map(|owed| told.missing_in(*owed)));
    gone.sort();
    report.gaps.splice(0..0, gone.into_iter().map(Into::into));
    let is_known = |known: &&Recorded| replay.incomplete.is_acknowledged(known.archived.window);
    let known = recorded.iter().filter(is_known);
    let folders = known.map(|known| known.archived.folder.as_str());
    let now = context.clock.now();
    let due = subject.job.as_ref().map_or(0, |job| {
        let closed = replay.closed(reach(now, job));
        plan(now, &closed, &replay.missing.spans(), job).len() as u64
    });
    Verified::of(report, due, &folders.collect())
}

/// Whether an error says more than that nothing can be known by this user, or for now.
fn tells_of_damage(error: &io::Error) -> bool {
    !matches!(reading(error), Problem::Unreachable(_))
}

fn unreadable(job: &JobName, file: &dyn Display, problem: Problem) -> JobReport {
    let finding = Finding {
        folder: String::new(),
        file: Some(file.to_string()),
        problem,
    };
    JobReport {
        job: job.to_string(),
        findings: vec![finding],
        ..JobReport::default()
    }
}
