//! One job, proven against its ledger.

use std::collections::HashSet;
use std::fmt::Display;
use std::io;
use std::num::NonZeroUsize;

use super::Verified;
use crate::archive::prune::is_pruned;
use crate::archive::publish::SUMS;
use crate::archive::recorded::Recorded;
use crate::archive::storage::Local;
use crate::archive::verify::{Depth, Finding, JobReport, Known, Owner, Problem, against, reading};
use crate::cli::Context;
use crate::cli::session::store;
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::{plan, reach};
use crate::domain::span::{Span, UtcMs};
use crate::durable::Disk;
use crate::evidence::against::AgainstLedger;
use crate::evidence::named::Heads;
use crate::ledger::folders::Folders;
use crate::ledger::{Ledger, LedgerError, acknowledgement};

/// A job that is verified.
pub(super) struct Subject {
    pub(super) name: JobName,
    /// Its project and its beginning, where the config says them. One that the config has no more begins at
    /// its first folder.
    pub(super) job: Option<Job>,
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
    let storage = Local::at(&config.archive.root);
    let pruned: HashSet<&str> = recorded
        .filter(|known| is_pruned(&storage, &known.archived.folder))
        .map(|known| known.archived.folder.as_str())
        .collect();
    let is_let_go =
        |finding: &Finding| is_doubted(finding) && pruned.contains(finding.folder.as_str());
    report.findings.retain(|finding| !is_let_go(finding));
}

/// Verifies a job, and what heads name of it.
pub(super) fn verify_job(
    context: &Context<'_>,
    config: &Config,
    (depth, threads): (Depth, NonZeroUsize),
    (subject, heads): (&Subject, &Heads),
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
    let mut named = AgainstLedger::new(heads.of(job.as_str()));
    let replay = Ledger::read(&config.state_dir, job, |line| {
        folders.take(line);
        named.take(line);
    });
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
    named.end(&replay, recorded, &mut report);
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
