//! Which job's archive is whose: a job is one project, and a new job of a project that was archived before
//! says which one it goes on from. Carries *Its own*: what would mix or double archives is refused before
//! anything is written.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::ledgers::side_by_side;
use super::retired::retired;
use super::session::store;
use crate::archive::newest::{Newest, newest};
use crate::config::Config;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Job, JobName};
use crate::domain::settings::Settings;
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
struct Past<'a> {
    replay: Cow<'a, Replay>,
    /// The newest folder; `None` where there is none, or the ledger says all that is asked.
    newest: Option<Newest>,
    /// The project's number, where that is known.
    project_id: Option<i64>,
}

impl<'a> Past<'a> {
    /// Of a job that the config has no more. Where its ledger can't be read, its folders tell.
    fn of_retired(config: &Config, name: &JobName) -> Self {
        let replay = Ledger::glance(&config.state_dir, name).unwrap_or_default();
        Self::beside(config, name, Cow::Owned(replay))
    }

    fn beside(config: &Config, name: &JobName, replay: Cow<'a, Replay>) -> Self {
        let settings = replay.settings.as_ref();
        let known = settings.map(|settings| settings.project_id);
        let is_in_use = |project| config.jobs.iter().any(|job| job.project_id == project);
        let is_retired = config.jobs.iter().all(|job| job.name != *name);
        // The ledger may be lost, or be an older copy, or one of an older version.
        let newest = match known {
            Some(known) if !(is_retired && is_in_use(known)) => None,
            known => newest(&store(config, &Disk::default()), name, known),
        };
        Self {
            project_id: known.or(newest.as_ref().map(|newest| newest.project_id)),
            replay,
            newest,
        }
    }

    /// Until when the job has archived.
    fn ended(&self) -> Option<UtcMs> {
        let folders = self.newest.as_ref().map(|newest| newest.until);
        self.replay.coverage.end().max(folders)
    }

    /// Whether it has anything that lies in one of these `windows`.
    fn shares(&self, windows: &Coverage) -> bool {
        let mut archived = self.replay.coverage.clone();
        let folders = self.newest.iter().flat_map(|newest| newest.windows.spans());
        folders.for_each(|folder| archived.add(folder));
        windows
            .spans()
            .any(|window| archived.missing_in(window) != [window])
    }

    /// Whether `job` would archive the same as this one did, as far as is known.
    fn is_same(&self, job: &Job) -> bool {
        let told = self.replay.settings.as_ref();
        let told = told.map(|theirs| (theirs.format, &theirs.include_fields));
        let folders = self.newest.as_ref();
        let folders = folders.map(|newest| (newest.format, &newest.include_fields));
        let differs = |form| form != (job.format, &job.include_fields);
        self.project_id == Some(job.project_id) && !told.or(folders).is_some_and(differs)
    }
}

/// Whether a ledger tells of nothing.
fn is_nothing(replay: &Replay) -> bool {
    replay.coverage.end().is_none() && replay.lost().is_empty()
}

/// What was archived under the names that the configuration has no more.
pub(super) struct Gone(BTreeMap<JobName, Past<'static>>);

impl Gone {
    /// Looks at their ledgers, and where those don't tell at their folders.
    pub(super) fn of(config: &Config) -> Self {
        let names = retired(config).unwrap_or_default().into_iter();
        let all = names.map(|name| (name.clone(), Past::of_retired(config, &name)));
        let is_something = |past: &Past<'_>| !is_nothing(&past.replay) || past.newest.is_some();
        Self(all.filter(|(_, past)| is_something(past)).collect())
    }

    /// Why a job, whose ledger shows `replay`, must not archive.
    pub(super) fn refusal(&self, config: &Config, job: &Job, replay: &Replay) -> Option<String> {
        let past = Past::beside(config, &job.name, Cow::Borrowed(replay));
        refusal(config, job, &past, &self.0)
    }
}

impl Lineage {
    /// Looks at the ledgers. What is wrong with one, its job says.
    pub(super) fn of(config: &Config) -> Self {
        let gone = Gone::of(config);
        let refused = side_by_side(&config.jobs, |job| {
            let replay = Ledger::glance(&config.state_dir, &job.name).ok()?;
            gone.refusal(config, job, &replay)
        });
        let names = config.jobs.iter().map(|job| job.name.clone());
        Self {
            refused: names
                .zip(refused)
                .filter_map(|(name, why)| Some((name, why?)))
                .collect(),
            warned: twice(config),
        }
    }
}

/// Why a job must not archive.
fn refusal(
    config: &Config,
    job: &Job,
    past: &Past<'_>,
    gone: &BTreeMap<JobName, Past<'static>>,
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
        if is_here && is_nothing(&past.replay) {
            return Some(format!(
                "succeeds = \"{before}\" names a job that is in the configuration: a job can only go on from \
                 one that is not. Remove one of the two"
            ));
        }
        let known = gone.get(before);
        if known.is_none() && is_nothing(&past.replay) {
            return Some(format!(
                "succeeds = \"{before}\", and {} has no ledger of that job, and {} no folder of it, so where to go \
                 on is not known. Correct the name, or leave succeeds out",
                config.state_dir.display(),
                config.archive.root.display()
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
    let reached = past.ended().max(Some(job.since));
    let is_new = is_nothing(&past.replay) && job.succeeds.is_none();
    // With a lost ledger nobody knows whether it went on from another job; folders of both for one time rule
    // that out.
    let may_go_on_from = |other: &Past<'_>| match &past.newest {
        Some(own) => other.ended() > Some(job.since) && !other.shares(&own.windows),
        None => true,
    };
    let is_of_a_new_one =
        |other: &Past<'_>| is_new && other.project_id == Some(project) && may_go_on_from(other);
    let is_later = |other: &Past<'_>| other.ended() > reached && other.is_same(job);
    let (before, _) = gone
        .iter()
        .filter(|(_, other)| is_later(other) || is_of_a_new_one(other))
        .max_by_key(|(_, other)| other.ended())?;
    Some(format!(
        "project {project} was archived by the job {before}, which the configuration has no more: what that one \
         has would be archived twice. Give the job its name back, or say `succeeds = \"{before}\"`, and it \
         goes on where that one ended"
    ))
}

/// Jobs that archive the same.
pub(super) fn twice(config: &Config) -> Vec<String> {
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
/// nothing is fetched twice. Where the ledgers are lost, or older than the archive, the other's folders tell where
/// it ended.
pub(super) fn resolve(config: &Config, jobs: &mut [Job]) {
    let told = side_by_side(jobs, |job| {
        let ours = Ledger::glance(&config.state_dir, &job.name).ok();
        ours.as_ref().map(Told::of)
    });
    resolve_as_told(config, jobs, told);
}

/// What a job's own ledger says of what it goes on from.
pub(super) struct Told {
    settings: Option<Settings>,
    is_nothing: bool,
}

impl Told {
    pub(super) fn of(ours: &Replay) -> Self {
        Self {
            settings: ours.settings.clone(),
            is_nothing: is_nothing(ours),
        }
    }
}

/// As [`resolve`], with what their ledgers say; `None` where one can't be read.
pub(super) fn resolve_as_told(config: &Config, jobs: &mut [Job], told: Vec<Option<Told>>) {
    let store = store(config, &Disk::default());
    let gone = LazyCell::new(|| Gone::of(config).0);
    for (job, ours) in jobs.iter_mut().zip(told) {
        let known = ours.as_ref().and_then(|ours| ours.settings.clone());
        let known = known.filter(|known| known.succeeds.is_some());
        if job.succeeds.is_none() {
            let told = known.as_ref().and_then(|known| known.succeeds.clone());
            // While nothing is archived it may go its own way, and must where the other is back.
            let is_free = ours.is_some_and(|ours| ours.is_nothing);
            let is_here = |name: &JobName| config.jobs.iter().any(|other| other.name == *name);
            job.succeeds = told.filter(|before| !(is_free && is_here(before)));
        }
        let Some(before) = &job.succeeds else {
            continue;
        };
        let known = known.filter(|known| known.succeeds.as_ref() == Some(before));
        let line = Line::of(config, job, before, &gone);
        // An older copy of the state directory may be back, or none.
        let there = newest(&store, before, Some(job.project_id)).map(|newest| newest.until);
        let begins = line
            .end
            .max(there)
            .or_else(|| known.map(|known| known.since_ms));
        job.owed = line.lacks(job.configured_since);
        job.elsewhere = line.archived.spans().collect();
        job.since = begins.map_or(job.configured_since, |begins| {
            job.configured_since.max(begins)
        });
    }
}

/// Jobs that went on from each other.
#[derive(Default)]
struct Line {
    /// What is archived by those before, or known to be lost.
    covered: Coverage,
    /// What is archived by those before.
    archived: Coverage,
    /// Where the first of them began; the beginning of time where nobody knows it.
    begins: Option<UtcMs>,
    /// Where the last of those before ended.
    end: Option<UtcMs>,
}

impl Line {
    /// Of `job`, which goes on from `before`. It may have been before them. Where ledgers were lost, who went on
    /// from whom is not known: what any of those that are `gone` has of its project counts.
    fn of(
        config: &Config,
        job: &Job,
        before: &JobName,
        gone: &BTreeMap<JobName, Past<'static>>,
    ) -> Self {
        let mut line = Self::default();
        let (mut seen, mut next) = (Vec::new(), Some(before.clone()));
        while let Some(name) = next.filter(|name| !seen.contains(name)) {
            let Ok(replay) = Ledger::glance(&config.state_dir, &name) else {
                break;
            };
            if name != job.name {
                line.covers(&replay);
                line.end = line.end.max(replay.coverage.end());
            }
            line.began(&replay);
            next = replay.settings.and_then(|known| known.succeeds);
            seen.push(name);
        }
        for (_, past) in gone
            .iter()
            .filter(|(name, past)| past.is_same(job) || seen.contains(name))
        {
            match &past.newest {
                // Its ledger is lost, or can't be read.
                Some(newest) if past.replay.lines == 0 => line.holds(&newest.windows),
                _ => line.covers(&past.replay),
            }
            line.began(&past.replay);
        }
        if let Ok(ours) = Ledger::glance(&config.state_dir, &job.name) {
            line.began(&ours);
        }
        line
    }

    fn covers(&mut self, replay: &Replay) {
        self.holds(&replay.coverage);
        let known = replay.accounted();
        known.spans().for_each(|span| self.covered.add(span));
    }

    fn holds(&mut self, archived: &Coverage) {
        for span in archived.spans() {
            self.covered.add(span);
            self.archived.add(span);
        }
    }

    /// One of them is what its ledger shows.
    fn began(&mut self, replay: &Replay) {
        let first = replay.coverage.spans().next().map(Span::from);
        let since = replay.settings.as_ref().map(|known| known.began_ms);
        // It was rebuilt, or an older version wrote it.
        let unknown = first.map(|_| UtcMs(i64::MIN));
        let all = [self.begins, first, since.or(unknown)];
        self.begins = all.into_iter().flatten().min();
    }

    /// What none of them has since `since`.
    fn lacks(&self, since: UtcMs) -> Vec<Span> {
        let begins = self.begins.map_or(since, |begins| begins.max(since));
        let all = self.end.and_then(|end| Span::new(begins, end));
        all.map(|all| self.covered.missing_in(all))
            .unwrap_or_default()
    }
}
