//! Whether root and state directory belong together, before a command believes what is in them.

use std::fs;
use std::path::Path;

use crate::archive::identity::{UnreadableId, of_root, of_state, read, write};
use crate::archive::manifest::{MANIFEST, local_time};
use crate::config::Config;
use crate::domain::identity::{ArchiveId, Facts, Verdict, Why, verdict};
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::durable::{Disk, DiskError};
use crate::ledger::line::Event;
use crate::ledger::{Ledger, jobs};

/// What the ids say; nothing is written.
///
/// # Errors
/// When an id is there and can't be read.
pub(super) fn look(config: &Config) -> Result<Verdict, UnreadableId> {
    let root = read(&of_root(&config.archive.root))?;
    let state = read(&of_state(&config.state_dir))?;
    let lacks = match &state {
        Some(_) => None,
        None => lacks(config),
    };
    Ok(verdict(Facts { root, state, lacks }))
}

/// Why the archive can't be used; `None` where it can.
pub(super) fn refusal(config: &Config) -> Option<String> {
    match look(config) {
        Err(error) => Some(error.to_string()),
        Ok(Verdict::Refused(why)) => Some(words(config, &why)),
        Ok(Verdict::Same(_) | Verdict::New | Verdict::TakenOver(_)) => None,
    }
}

/// Binds root and state directory to each other where one has no id. The locks must be held. The root
/// comes first: a crash in between looks like a state that was lost.
///
/// # Errors
/// When they don't belong together, or an id can't be read or written.
pub(super) fn bind(config: &Config, now: UtcMs, disk: &Disk) -> Result<ArchiveId, String> {
    let at = || local_time(now, &config.archive.zone);
    let (root, state) = (of_root(&config.archive.root), of_state(&config.state_dir));
    let unwritten = |error: DiskError| error.to_string();
    match look(config).map_err(|error| error.to_string())? {
        Verdict::Refused(why) => Err(words(config, &why)),
        Verdict::Same(id) => Ok(id),
        Verdict::TakenOver(id) => {
            tracing::warn!(
                archive = %id,
                "the state directory {} has no id, so it is new or was lost; it takes over the \
                 archive's, and ledgers that it lacks are rebuilt from the folders",
                config.state_dir.display()
            );
            write(&state, &id, at(), disk).map_err(unwritten)?;
            Ok(id)
        }
        Verdict::New => {
            let id = ArchiveId::of(fastrand::u128(..));
            write(&root, &id, at(), disk).map_err(unwritten)?;
            write(&state, &id, at(), disk).map_err(unwritten)?;
            tracing::info!(archive = %id, "root and state directory are bound to each other");
            Ok(id)
        }
    }
}

/// What `repair` would do so that root and state directory belong together; `None` where they do, or where
/// nothing but the right disk helps.
pub(super) fn cure(config: &Config, why: &Why) -> Option<String> {
    let (root, state) = (config.archive.root.display(), config.state_dir.display());
    match why {
        Why::RootHasNone(id) => Some(format!(
            "the root {root} becomes archive {id}, which the state directory {state} belongs to"
        )),
        Why::Lacks(_) => Some(format!(
            "the root {root} and the state directory {state} are bound to each other"
        )),
        Why::Another { .. } => None,
    }
}

/// Binds root and state directory to each other although the root lacks what was recorded. The locks must
/// be held.
///
/// # Errors
/// When they are those of two archives, or an id can't be read or written.
pub(super) fn bind_anew(config: &Config, now: UtcMs, disk: &Disk) -> Result<ArchiveId, String> {
    let verdict = look(config).map_err(|error| error.to_string())?;
    let id = match verdict {
        Verdict::Refused(Why::RootHasNone(id)) => id,
        Verdict::Refused(Why::Lacks(_)) => {
            let root = read(&of_root(&config.archive.root)).map_err(|error| error.to_string())?;
            root.unwrap_or_else(|| ArchiveId::of(fastrand::u128(..)))
        }
        _ => return bind(config, now, disk),
    };
    let at = || local_time(now, &config.archive.zone);
    for place in [of_root(&config.archive.root), of_state(&config.state_dir)] {
        write(&place, &id, at(), disk).map_err(|error| error.to_string())?;
    }
    Ok(id)
}

/// Why they don't belong together, and what to do.
pub(super) fn words(config: &Config, why: &Why) -> String {
    let (root, state) = (config.archive.root.display(), config.state_dir.display());
    match why {
        Why::RootHasNone(id) => format!(
            "the archive's root {root} is not the one that the state directory {state} belongs to \
             (archive {id}): it has no id, so its disk is not mounted, or it was emptied, or it is \
             another disk; nothing was written. Mount the disk. If it is another disk, or was emptied, \
             put back what copies there are, then `elsa-archiver repair` binds it, and what it lacks is \
             due again"
        ),
        Why::Another {
            root: theirs,
            state: ours,
        } => format!(
            "the archive's root {root} is archive {theirs}, and the state directory {state} belongs to \
             archive {ours}; nothing was written. Set root and state.dir to two that belong together. If the root is the \
             right one, and its state was lost: move what is in {state} aside and keep it, and the next start \
             rebuilds the state from the folders"
        ),
        Why::Lacks(folder) => format!(
            "the ledgers in {state} were not written for the archive's root {root}: they have recorded \
             {folder}, which it lacks. Its disk is not mounted, or it is another one; nothing was \
             written. Mount the disk, or put back what copies there are. Where folders are gone for \
             good, `elsa-archiver repair` binds the root, and what it lacks is due again"
        ),
    }
}

/// A folder that a ledger has recorded last, not known to be gone, and that the root lacks: of a job that archives, or of any
/// job where no such folder is there at all. How long folders stay is the operator's to decide, so those
/// of a job that is disabled or removed may be gone. What is damaged in a ledger is told by its job.
fn lacks(config: &Config) -> Option<String> {
    let (mut is_there, mut missed) = (false, None);
    for job in jobs(&config.state_dir).ok()? {
        let Some(folder) = last_folder(&config.state_dir, &job) else {
            continue;
        };
        let manifest = config.archive.root.join(&folder).join(MANIFEST);
        if fs::symlink_metadata(manifest).is_ok() {
            is_there = true;
        } else if config
            .jobs
            .iter()
            .any(|known| known.enabled && known.name == job)
        {
            return Some(folder);
        } else {
            missed.get_or_insert(folder);
        }
    }
    missed.filter(|_| !is_there)
}

/// The folder that a job's ledger has recorded last, before any damage to it.
fn last_folder(state_dir: &Path, job: &JobName) -> Option<String> {
    let mut last = None;
    let _ = Ledger::read(state_dir, job, |line| match &line.event {
        Event::Archived(archived) => last = Some(archived.folder.clone()),
        // That it is gone is known.
        Event::Missing(gone) if last.as_ref() == Some(&gone.archived.folder) => last = None,
        _ => {}
    });
    last
}
