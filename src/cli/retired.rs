//! Jobs that the config has no more. Where their ledgers were lost, or are older than their folders, the folders
//! alone tell of them: a start rebuilds such a ledger like any other. Carries *Self-healing*, and *Its own*: what
//! they archived is not archived again under another name.

use super::Context;
use super::session::{disk, store};
use crate::archive::adopt::{Known, adopt};
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::archive::store::{Store, entries};
use crate::config::Config;
use crate::domain::job::JobName;
use crate::domain::span::Span;
use crate::domain::window::Named;
use crate::durable::advice_on;
use crate::job::repair::take_over;
use crate::ledger::Ledger;

/// The jobs that have a ledger and that the config has no more, by name.
///
/// # Errors
/// When the state directory is there and can't be listed.
pub(super) fn retired(config: &Config) -> Result<Vec<JobName>, String> {
    let state_dir = &config.state_dir;
    let mut names = crate::ledger::jobs(state_dir).map_err(|error| {
        let (place, advice) = (state_dir.display(), advice_on(state_dir, &error));
        format!("can't list the state directory {place}: {error}{advice}")
    })?;
    names.retain(|name| config.jobs.iter().all(|job| job.name != *name));
    Ok(names)
}

/// A job that the config has no more, and whose newest folder its ledger lacks.
pub(super) struct Behind {
    pub(super) name: JobName,
    /// The project that its folders are of.
    pub(super) project_id: i64,
    /// From its first folder to its newest.
    pub(super) folders: Span,
}

/// Such jobs, by name. What can't be read is not among them: it is told where it is needed.
pub(super) fn behind(config: &Config) -> Vec<Behind> {
    let root = &config.archive.root;
    let names = entries(root).unwrap_or_default();
    let names = names.iter().filter_map(|name| JobName::parse(name).ok());
    let gone = names.filter(|name| config.jobs.iter().all(|job| job.name != *name));
    let mut behind: Vec<Behind> = gone
        .filter_map(|name| {
            let published = published(config, &name);
            let replay = Ledger::glance(&config.state_dir, &name).ok()?;
            let (newest, _) = published.last()?;
            if replay.coverage.covers(newest.window.span()) {
                return None;
            }
            let project = |folder: &str| {
                let manifest = plain_file::read(&root.join(folder).join(MANIFEST)).ok()?;
                let manifest = Manifest::parse(&manifest).ok()?;
                (manifest.job == name.as_str()).then_some(manifest.project_id)
            };
            let mut newest_first = published.iter().rev();
            let project_id = newest_first.find_map(|(_, folder)| project(folder))?;
            Some(Behind {
                folders: extent(&published)?,
                name,
                project_id,
            })
        })
        .collect();
    behind.sort_by(|one, other| one.name.cmp(&other.name));
    behind
}

/// From the first folder of a job to its newest; `None` where there is none.
pub(super) fn folders_of(config: &Config, name: &JobName) -> Option<Span> {
    extent(&published(config, name))
}

fn published(config: &Config, name: &JobName) -> Vec<(Named, String)> {
    let store = store(config, &disk(config));
    store.published(name).unwrap_or_default()
}

fn extent(published: &[(Named, String)]) -> Option<Span> {
    let ((first, _), (last, _)) = (published.first()?, published.last()?);
    Span::new(first.window.from(), last.window.to())
}

/// Has their ledgers take over the folders that they lack. The locks must be held. Returns whether there was
/// anything to do. What fails is logged, and tried again at the next start.
pub(super) fn rebuild(context: &Context<'_>, config: &Config, store: &Store) -> bool {
    let behind = behind(config);
    for Behind {
        name, project_id, ..
    } in &behind
    {
        if let Err(why) = take_over_folders(context, config, store, (name, *project_id)) {
            tracing::error!(job = %name, "the ledger of this job, which the config has no more, can't be rebuilt: {why}");
        }
    }
    !behind.is_empty()
}

fn take_over_folders(
    context: &Context<'_>,
    config: &Config,
    store: &Store,
    (name, project_id): (&JobName, i64),
) -> Result<(), String> {
    let opened = Ledger::open(&config.state_dir, name, store.disk(), &context.clock);
    let mut ledger = opened.map_err(|error| error.to_string())?;
    let replay = ledger.replay();
    let known = Known {
        coverage: &replay.coverage,
        revisions: &replay.revisions,
        last_manifest: replay.last_manifest,
    };
    let found = adopt(store, (name, project_id), known).map_err(|error| error.to_string())?;
    take_over(&mut ledger, name, found.adopted).map(drop)
}
