//! `verify`: the proof, against the ledger or from a copy's manifests alone.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;

use serde::Serialize;

use super::Context;
use super::exit::Stop;
use super::given::Given;
use super::identity;
use super::print::{print_fitted, print_json};
use super::receipt::{Draft, Wanted};
use super::retired::retired;
use super::session::chosen;
use crate::archive::verify::{Depth, Finding, JobReport, Problem, copy};
use crate::domain::job::JobName;
use heads::OfHeads;
use job::{Subject, verify_job};
use words::listing;

mod heads;
mod job;
mod words;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The jobs; all where none is named.
    pub(super) jobs: &'a [String],
    /// A copy, in the place of the archive.
    pub(super) dir: Option<&'a Path>,
    /// How deep.
    pub(super) depth: Depth,
    /// How many folders are read at once.
    pub(super) threads: Option<NonZeroUsize>,
    /// Whether JSON is printed.
    pub(super) json: bool,
    /// Where a receipt is wanted.
    pub(super) receipt: Option<Wanted<'a>>,
    /// A head that was kept elsewhere: its file, or its digest.
    pub(super) head: Option<&'a str>,
}

impl Asked<'_> {
    /// Everything, as it lies on the disk.
    pub(super) const fn of_all() -> Self {
        Self {
            jobs: &[],
            dir: None,
            depth: Depth::Stored,
            threads: None,
            json: false,
            receipt: None,
            head: None,
        }
    }
}

/// Verifies the jobs named, or all, or a copy.
pub(super) fn verify(context: &Context<'_>, asked: Asked<'_>) -> Result<(), Stop> {
    let Asked {
        dir, depth, json, ..
    } = asked;
    let threads = asked.threads.or_else(|| available_parallelism().ok());
    let manner = (depth, threads.unwrap_or(NonZeroUsize::MIN));
    let copy = dir.map(|dir| Given::of(context, dir)).transpose()?;
    let draft = match (&copy, asked.receipt) {
        (Some(copy), Some(wanted)) => Some(Draft::begin(copy, wanted, context.clock.now())?),
        _ => None,
    };
    let (verified, heads) = match &copy {
        Some(copy) => of_copy(context, manner, (copy, asked.head))?,
        None => of_archive(context, manner, (asked.jobs, asked.head))?,
    };
    context.terminal.clear();
    let verdicts = verified.iter().map(Verified::counts_as);
    let verdict = verdicts.chain(heads.as_ref().map(OfHeads::verdict)).max();
    let verdict = verdict.unwrap_or(Verdict::Intact);
    if json {
        print_json(&Report {
            intact: verdict == Verdict::Intact,
            verdict,
            jobs: &verified,
            heads: heads.as_ref(),
        })?;
    } else {
        let now = context.clock.now();
        let all = verified
            .iter()
            .map(|one| listing(one, (depth, dir.is_some()), now));
        let text = all
            .chain(heads.as_ref().map(OfHeads::listing))
            .collect::<String>();
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

/// What was found of an archive.
type Found = (Vec<Verified>, Option<OfHeads>);

/// The jobs named, or all, held against their ledgers.
fn of_archive(
    context: &Context<'_>,
    manner: (Depth, NonZeroUsize),
    (names, given): (&[String], Option<&str>),
) -> Result<Found, Stop> {
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
    // Before the ledgers: what a daemon adds after this, no head here names.
    let heads = heads::of_archive(&config, given)?;
    if names.is_empty() {
        let gone = retired(&config).map_err(|error| Stop::failed(error.to_string()))?;
        subjects.extend(gone.into_iter().map(|name| Subject { name, job: None }));
        let is_known = |name: &JobName| subjects.iter().any(|subject| subject.name == *name);
        let lost: Vec<JobName> = heads
            .jobs()
            .filter(|name| !is_known(name))
            .cloned()
            .collect();
        subjects.extend(lost.into_iter().map(|name| Subject { name, job: None }));
    }
    let verified = subjects.iter().map(|subject| Verified {
        retired: subject.job.is_none(),
        ..verify_job(context, &config, manner, (subject, &heads))
    });
    Ok((verified.collect(), OfHeads::of(heads)))
}

/// A copy, from its manifests alone.
fn of_copy(
    context: &Context<'_>,
    manner: (Depth, NonZeroUsize),
    (copy, given): (&Given, Option<&str>),
) -> Result<Found, Stop> {
    let storage = copy.storage.as_ref();
    let heads = heads::of_copy(storage, given)?;
    let mut reports = verify_copy(context, manner, copy)?;
    heads::hold_copy_against(storage, &heads, &mut reports);
    let verified = reports.into_iter().map(Verified::from);
    Ok((verified.collect(), OfHeads::of(heads)))
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
    /// The heads of the archive; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<&'a OfHeads>,
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
    fn counts_as(&self) -> Verdict {
        let is_named = |found: &Finding| matches!(found.problem, Problem::NamesMore(_));
        let is_named = self.found.findings.iter().any(is_named);
        match (self.verdict, self.retired) {
            (Verdict::Incomplete, true) if !is_named => Verdict::Intact,
            (verdict, _) => verdict,
        }
    }
}

fn verify_copy(
    context: &Context<'_>,
    (depth, threads): (Depth, NonZeroUsize),
    copy: &Given,
) -> Result<Vec<JobReport>, Stop> {
    let storage = copy.storage.as_ref();
    let folders = copy::folders(storage).map_err(|error| copy.cant_read(&error))?;
    if folders.is_empty() {
        return Err(Stop::failed(format!(
            "there is no archived window in {}; give an archive's root, or the folder of a job, a \
             date or a window",
            copy.shown
        )));
    }
    let bar = context.terminal.bar("verifying", folders.len() as u64);
    Ok(copy::verify(
        storage,
        &folders,
        depth,
        (threads, &|| bar.inc(1)),
    ))
}
