//! Which job's archive is whose: a job is one project, and a new job of a project that was archived before
//! says which one it goes on from. Carries *Its own*: what would mix or double archives is refused before
//! anything is written.

use std::collections::BTreeMap;
use std::path::Path;

use super::session::store;
use super::status::retired;
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::config::Config;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Job, JobName};
use crate::domain::span::{Span, UtcMs};
use crate::durable::Disk;
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
}

impl Past {
    /// `None` where the ledger can't be read: its job says so.
    fn of(config: &Config, name: &JobName) -> Option<Self> {
        let replay = Ledger::glance(&config.state_dir, name).ok()?;
        let project_of = |folder: &String| {
            let place = config.archive.root.join(folder).join(MANIFEST);
            let manifest = Manifest::parse(&plain_file::read(&place).ok()?).ok()?;
            Some(manifest.project_id)
        };
        let project_id = match &replay.settings {
            Some(settings) => Some(settings.project_id),
            // An older version wrote the ledger.
            None => replay.last_folder.as_ref().and_then(project_of),
        };
        Some(Self { replay, project_id })
    }

    fn is_nothing(&self) -> bool {
        self.replay.coverage.end().is_none() && self.replay.lost().is_empty()
    }

    fn end(&self) -> Option<UtcMs> {
        self.replay.coverage.end()
    }

    /// The job that it went on from.
    fn before(&self) -> Option<&JobName> {
        self.replay.settings.as_ref()?.succeeds.as_ref()
    }
}

/// The project of which all folders of a job are that could be looked at, the first and the last, where the
/// ledger is lost and they are not of `wanted`.
fn another_project(config: &Config, name: &JobName, wanted: i64) -> Option<i64> {
    let published = store(config, &Disk::default()).published(name).ok()?;
    let ends = [published.first()?, published.last()?];
    let projects = ends.map(|(_, folder)| {
        let place = config.archive.root.join(folder).join(MANIFEST);
        let manifest = Manifest::parse(&plain_file::read(&place).ok()?).ok()?;
        Some(manifest.project_id)
    });
    match projects {
        [Some(first), Some(last)] if first == last && first != wanted => Some(first),
        _ => None,
    }
}

impl Lineage {
    /// Looks at the ledgers.
    pub(super) fn of(config: &Config) -> Self {
        let names = retired(config).unwrap_or_default();
        let gone: BTreeMap<JobName, Past> = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), Past::of(config, &name)?)))
            .filter(|(_, past)| !past.is_nothing())
            .collect();
        let mut lineage = Self::default();
        for job in &config.jobs {
            let past = Past::of(config, &job.name).map(|mut past| {
                if past.replay.lines == 0 {
                    past.project_id = another_project(config, &job.name, job.project_id);
                }
                past
            });
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
    }
    if let Some((heir, _)) = heir(job, past, gone) {
        return Some(format!(
            "project {project} went on as the job {heir}, which the configuration has no more: what that one \
             has would be archived twice. Say succeeds = \"{heir}\", and {name} goes on where that one ended"
        ));
    }
    if job.succeeds.is_some() || !past.is_nothing() {
        return None;
    }
    let same = gone
        .iter()
        .filter(|(_, known)| known.project_id == Some(project))
        .max_by_key(|(_, known)| known.end());
    same.map(|(before, _)| {
        format!(
            "project {project} was archived by the job {before}, which the configuration has no more: all of \
             it would be archived twice. Give the job its name back, or say succeeds = \"{before}\", and it \
             goes on where that one ended"
        )
    })
}

/// The job without a place in the configuration that went on from this one, or from one that this one goes on
/// from, and has more than they have; the newest where there are several.
fn heir<'a>(
    job: &Job,
    past: &Past,
    gone: &'a BTreeMap<JobName, Past>,
) -> Option<(&'a JobName, &'a Past)> {
    let mut line = vec![&job.name];
    let mut end = past.end();
    let mut before = job.succeeds.as_ref();
    while let Some(name) = before.filter(|name| !line.contains(name)) {
        line.push(name);
        let known = gone.get(name);
        end = end.max(known.and_then(Past::end));
        before = known.and_then(Past::before);
    }
    let goes_on = |past: &Past| {
        let mut seen: Vec<&JobName> = Vec::new();
        let mut before = past.before();
        while let Some(name) = before.filter(|name| !seen.contains(name)) {
            if line.contains(&name) {
                return true;
            }
            seen.push(name);
            before = gone.get(name).and_then(Past::before);
        }
        false
    };
    let same = gone.iter().filter(|(name, past)| {
        let is_later = past.end() > end && past.project_id == Some(job.project_id);
        is_later && !line.contains(name) && goes_on(past)
    });
    same.max_by_key(|(_, past)| past.end())
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

/// Lets each job that goes on from another one begin where that one ended; what that one lacked is owed. What
/// its own ledger says of that holds, whatever becomes of the other's ledger, or of the line in the config:
/// nothing is fetched twice.
pub(super) fn resolve(config: &mut Config) {
    let state_dir = config.state_dir.clone();
    for job in &mut config.jobs {
        let ours = Ledger::glance(&state_dir, &job.name).ok();
        let known = ours.and_then(|ours| ours.settings);
        let known = known.filter(|known| known.succeeds.is_some());
        if job.succeeds.is_none() {
            job.succeeds = known.as_ref().and_then(|known| known.succeeds.clone());
        }
        let Some(before) = &job.succeeds else {
            continue;
        };
        let known = known.filter(|known| known.succeeds.as_ref() == Some(before));
        let line = Line::of(&state_dir, &job.name, before);
        let begins = line.end.or_else(|| known.map(|known| known.since_ms));
        job.owed = line.lacks(job.since);
        job.since = begins.map_or(job.since, |begins| job.since.max(begins));
    }
}

/// Jobs that went on from each other.
#[derive(Default)]
struct Line {
    /// What is archived by all of them, or known to be lost.
    covered: Coverage,
    /// Where the first of them began.
    begins: Option<UtcMs>,
    /// Where the last of them ended.
    end: Option<UtcMs>,
}

impl Line {
    /// Those before the job `ours`, which goes on from `before`. It may have been before them.
    fn of(state_dir: &Path, ours: &JobName, before: &JobName) -> Self {
        let mut line = Self::default();
        let (mut seen, mut next) = (Vec::new(), Some(before.clone()));
        while let Some(name) = next.filter(|name| !seen.contains(name)) {
            let Ok(replay) = Ledger::glance(state_dir, &name) else {
                break;
            };
            replay
                .accounted()
                .spans()
                .for_each(|span| line.covered.add(span));
            let first = replay.coverage.spans().next().map(Span::from);
            let since = replay.settings.as_ref().map(|known| known.since_ms);
            let all = [line.begins, first, since];
            line.begins = all.into_iter().flatten().min();
            if name != *ours {
                line.end = line.end.max(replay.coverage.end());
            }
            next = replay.settings.and_then(|known| known.succeeds);
            seen.push(name);
        }
        line
    }

    /// What none of them has since `since`.
    fn lacks(&self, since: UtcMs) -> Vec<Span> {
        let begins = self.begins.map_or(since, |begins| begins.max(since));
        let all = self.end.and_then(|end| Span::new(begins, end));
        all.map(|all| self.covered.missing_in(all))
            .unwrap_or_default()
    }
}
