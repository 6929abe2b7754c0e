//! Which job's archive is whose: a job is one project, and a new job of a project that was archived before
//! says which one it goes on from. Carries *Its own*: what would mix or double archives is refused before
//! anything is written.

use std::collections::BTreeMap;
use std::path::Path;

use super::retired::{behind, folders_of, retired};
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::config::Config;
use crate::domain::job::{Job, JobName};
use crate::domain::span::{Span, UtcMs};
use crate::ledger::Ledger;
use crate::ledger::replay::Replay;

/// What the ledgers say of the jobs of a configuration.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    /// The jobs that must not archive, each with the reason.
    pub(super) refused: BTreeMap<JobName, String>,
    /// What may be meant.
    pub(super) warned: Vec<String>,
}

/// What was archived under a name.
struct Past {
    replay: Replay,
    /// The project's number, where that is known.
    project_id: Option<i64>,
    /// From its first folder to its newest, where its ledger was lost and they alone tell of it.
    lost_ledger: Option<Span>,
}

impl Past {
    /// `None` where the ledger can't be read: its job says so.
    fn of(config: &Config, name: &JobName) -> Option<Self> {
        let replay = Ledger::glance(&config.state_dir, name).ok()?;
        let project_id = match &replay.settings {
            Some(settings) => Some(settings.project_id),
            // An older version wrote the ledger.
            None => replay.last_folder.as_ref().and_then(|folder| {
                let place = config.archive.root.join(folder).join(MANIFEST);
                let manifest = Manifest::parse(&plain_file::read(&place).ok()?).ok()?;
                Some(manifest.project_id)
            }),
        };
        let is_lost = replay.lines == 0;
        Some(Self {
            project_id,
            lost_ledger: is_lost.then(|| folders_of(config, name)).flatten(),
            replay,
        })
    }

    /// Until when it archived.
    fn ended(&self) -> Option<UtcMs> {
        let folders = self.lost_ledger.map(Span::to);
        folders.or_else(|| self.replay.coverage.end())
    }

    fn is_nothing(&self) -> bool {
        let knows_nothing = self.replay.coverage.end().is_none() && self.replay.lost().is_empty();
        knows_nothing && self.lost_ledger.is_none()
    }
}

impl Lineage {
    /// Looks at the ledgers.
    pub(super) fn of(config: &Config) -> Self {
        let names = retired(config).unwrap_or_default();
        let mut gone: BTreeMap<JobName, Past> = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), Past::of(config, &name)?)))
            .filter(|(_, past)| !past.is_nothing())
            .collect();
        for lost in behind(config) {
            gone.entry(lost.name).or_insert_with(|| Past {
                replay: Replay::default(),
                project_id: Some(lost.project_id),
                lost_ledger: Some(lost.folders),
            });
        }
        let mut lineage = Self::default();
        for job in &config.jobs {
            let past = Past::of(config, &job.name);
            if let Some(why) = past.and_then(|past| refusal(config, job, &past, &gone)) {
                lineage.refused.insert(job.name.clone(), why);
            }
        }
        lineage.warned.extend(twice(config));
        lineage
    }
}

/// Why a job must not archive.
fn refusal(
    config: &Config,
    job: &Job,
    past: &Past,
    gone: &BTreeMap<JobName, Past>,
) -> Option<String> {
    let (name, project) = (&job.name, job.project_id);
    if let Some(known) = past.project_id.filter(|known| *known != project) {
        return Some(format!(
            "project_id is {project}, and what is archived as {name} is project {known}: a job is one project, \
             or its archive is mixed. Put project_id back, or give the other project a job of another name"
        ));
    }
    if let Some(before) = &job.succeeds {
        let is_here = config.jobs.iter().any(|other| other.name == *before);
        if is_here && past.is_nothing() {
            return Some(format!(
                "succeeds = \"{before}\" names a job that is in the configuration: a job can only go on from \
                 one that is not. Remove one of the two"
            ));
        }
        let known = gone.get(before);
        if known.is_none() && past.is_nothing() {
            return Some(format!(
                "succeeds = \"{before}\", and {} has no ledger of that job, so where to go on is not known. \
                 Correct the name, or leave succeeds out",
                config.state_dir.display()
            ));
        }
        if let Some(theirs) = known.and_then(|known| known.project_id)
            && theirs != project
        {
            return Some(format!(
                "succeeds = \"{before}\" is project {theirs}, and project_id is {project}: a job goes on from \
                 one of the same project"
            ));
        }
        // With a past of its own it goes on from itself, unless it has taken another name in between.
        let from = match past.is_nothing() {
            true => known.map(|known| (before, known)),
            false => Some((name, past)),
        };
        return from
            .and_then(|from| went_on_from(from, gone).map(|next| (from.0, next)))
            .filter(|(_, next)| *next != before)
            .map(|(from, next)| went_on(project, from, next));
    }
    // With a lost ledger nobody knows whether it went on from another job.
    let may_go_on_from = |known: &Past| match past.lost_ledger {
        Some(folders) => known
            .ended()
            .is_some_and(|end| end <= folders.from() && job.since < end),
        None => true,
    };
    if !past.is_nothing() && past.lost_ledger.is_none() {
        return went_on_from((name, past), gone).map(|next| went_on(project, name, next));
    }
    let same = gone
        .iter()
        .find(|(_, known)| known.project_id == Some(project) && may_go_on_from(known));
    same.map(|(before, _)| {
        format!(
            "project {project} was archived by the job {before}, which the configuration has no more: all of \
             it would be archived twice. Give the job its name back, or say `succeeds = \"{before}\"`, and it \
             goes on where that one ended"
        )
    })
}

/// The job that is no more, went on from one, and has archived what comes after it; the last of several.
fn went_on_from<'a>(
    (from, past): (&JobName, &Past),
    gone: &'a BTreeMap<JobName, Past>,
) -> Option<&'a JobName> {
    let (mut before, mut end) = (from, past.replay.coverage.end());
    let mut last = None;
    // Each ends later than the one before it, so none comes twice.
    while let Some((next, its)) = gone.iter().find(|(_, its)| {
        let settings = its.replay.settings.as_ref();
        let goes_on = settings.is_some_and(|known| known.succeeds.as_ref() == Some(before));
        goes_on && its.replay.coverage.end() > end
    }) {
        (before, end) = (next, its.replay.coverage.end());
        last = Some(next);
    }
    last
}

fn went_on(project: i64, from: &JobName, next: &JobName) -> String {
    format!(
        "project {project} was archived by the job {from}, and the job {next} went on from it, which the \
         configuration has no more: what that one has would be archived twice. Give the job the name {next} \
         back, or say succeeds = \"{next}\", and it goes on where that one ended"
    )
}

/// Jobs that archive the same.
fn twice(config: &Config) -> Vec<String> {
    let mut warned = Vec::new();
    for (at, job) in config.jobs.iter().enumerate() {
        let is_same = |other: &&Job| {
            other.project_id == job.project_id
                && other.project_key == job.project_key
                && other.account == job.account
                && other.format == job.format
                && other.include_fields == job.include_fields
        };
        if let Some(first) = config.jobs[..at].iter().find(is_same) {
            warned.push(format!(
                "the jobs {} and {} archive the same project {} in the same form: all of it is asked for and \
                 kept twice",
                first.name, job.name, job.project_id
            ));
        }
    }
    warned
}

/// Lets each job that goes on from another one begin where that one ended. What its own ledger says of that
/// holds, whatever becomes of the other's ledger, or of the line in the config: nothing is fetched twice.
pub(super) fn resolve(state_dir: &Path, jobs: &mut [Job]) {
    for job in jobs {
        let ours = Ledger::glance(state_dir, &job.name).ok();
        let known = ours.and_then(|ours| ours.settings);
        let known = known.filter(|known| known.succeeds.is_some());
        if job.succeeds.is_none() {
            job.succeeds = known.as_ref().and_then(|known| known.succeeds.clone());
        }
        let Some(before) = &job.succeeds else {
            continue;
        };
        let known = known.filter(|known| known.succeeds.as_ref() == Some(before));
        let theirs = Ledger::glance(state_dir, before).ok();
        let ended = theirs.and_then(|theirs| theirs.coverage.end());
        let begins = ended.or_else(|| known.map(|known| known.since_ms));
        job.since = begins.map_or(job.since, |begins| job.since.max(begins));
    }
}
