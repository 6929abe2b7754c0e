//! Jobs that the config has no more: which ones there are, and their ledgers, where those were lost. Carries
//! *Self-healing* and *Candid*: an archive that nobody adds to is not forgotten with the state directory.

use std::collections::BTreeSet;

use super::Context;
use super::exit::Stop;
use super::session::{chosen, store};
use crate::archive::adopt::{Known, adopt};
use crate::archive::store::{Store, entries};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::durable::{Disk, advice_on};
use crate::job::prune::finish;
use crate::job::repair::take_over;
use crate::ledger::{Ledger, jobs, pruning};

/// The jobs that have a ledger, or a folder of a window, and that the config has no more, by name.
///
/// # Errors
/// When the state directory is there and can't be listed.
pub(super) fn retired(config: &Config) -> Result<Vec<JobName>, String> {
    let state_dir = &config.state_dir;
    let known: BTreeSet<&JobName> = config.jobs.iter().map(|job| &job.name).collect();
    let is_gone = |name: &JobName| !known.contains(name);
    let mut names = jobs(state_dir).map_err(|error| {
        let (place, advice) = (state_dir.display(), advice_on(state_dir, &error));
        format!("can't list the state directory {place}: {error}{advice}")
    })?;
    names.retain(is_gone);
    // An archive that can't be listed is told by whoever needs it.
    let found = entries(&config.archive.root).unwrap_or_default();
    let found = found.iter().filter_map(|name| JobName::parse(name).ok());
    let store = store(config, &Disk::default());
    let holds = |name: &JobName| store.published(name).is_ok_and(|found| !found.is_empty());
    let lost: Vec<JobName> = found
        .filter(|name| is_gone(name) && !names.contains(name) && holds(name))
        .collect();
    names.extend(lost);
    names.sort();
    Ok(names)
}

/// The jobs that were named, or all: those of the config, and those that it has no more.
///
/// # Errors
/// When a name is no job's, or the state directory can't be listed.
pub(super) fn subjects(
    context: &Context<'_>,
    config: &Config,
    names: &[String],
) -> Result<(Vec<Job>, Vec<JobName>), Stop> {
    let mut gone = retired(config).map_err(Stop::failed)?;
    if names.is_empty() {
        return Ok((config.jobs.clone(), gone));
    }
    gone.retain(|gone| names.iter().any(|name| name == gone.as_str()));
    let is_here = |name: &&String| gone.iter().all(|gone| gone.as_str() != *name);
    let here: Vec<String> = names.iter().filter(is_here).cloned().collect();
    let jobs = match here.is_empty() {
        true => Vec::new(),
        false => chosen(config, &here, &context.args.config)?,
    };
    Ok((jobs, gone))
}

/// Takes over the folders of retired jobs that their ledgers lack, after the state directory was lost or an
/// older copy of it was brought back. The locks must be held. What can't be done holds up no other job: it is
/// logged, and `verify` tells it.
pub(super) fn rebuild(config: &Config, store: &Store, disk: &Disk, clock: &Clock) {
    for name in retired(config).unwrap_or_default() {
        if let Err(why) = rebuild_one(config, store, &name, disk, clock) {
            tracing::warn!(job = %name, "the ledger of a job that the configuration has no more: {why}");
        }
    }
}

/// Finishes what a prune of any job has announced and not done: no cycle may come that does.
pub(super) fn finish_pruning(config: &Config, store: &Store, disk: &Disk, clock: &Clock) {
    let gone = retired(config).unwrap_or_default();
    let gone = gone.iter().map(|name| (name, None));
    let here = config.jobs.iter().map(|job| (&job.name, Some(job)));
    for (name, job) in here.chain(gone) {
        let ledger = Ledger::path(&config.state_dir, name);
        if !matches!(pruning::begun(&ledger), Ok(Some(_))) {
            continue;
        }
        let finished = Ledger::open(&config.state_dir, name, disk, clock)
            .and_then(|mut ledger| finish(store, &mut ledger, (name, job)));
        let why = match finished {
            Ok(problems) => problems.into_iter().next(),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            tracing::error!(job = %name, "data that were announced as let go of are still there: {why}");
        }
    }
}

fn rebuild_one(
    config: &Config,
    store: &Store,
    name: &JobName,
    disk: &Disk,
    clock: &Clock,
) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let replay = Ledger::glance(&config.state_dir, name).map_err(|error| told(&error))?;
    let known = Known {
        coverage: &replay.coverage,
        revisions: &replay.revisions,
        last_manifest: replay.last_manifest,
    };
    let project = replay.settings.as_ref().map(|settings| settings.project_id);
    let found = adopt(store, name, project, known).map_err(|error| told(&error))?;
    if found.adopted.is_empty() {
        return Ok(());
    }
    let mut ledger =
        Ledger::open(&config.state_dir, name, disk, clock).map_err(|error| told(&error))?;
    take_over(&mut ledger, name, found.adopted).map(drop)
}
