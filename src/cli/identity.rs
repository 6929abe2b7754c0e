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
use crate::ledger::Ledger;
use crate::ledger::line::Event;

/// How a ledger's file is called after its job.
const LEDGER: &str = ".ledger.jsonl";

/// What the ids say; nothing is written.
///
/// # Errors
/// When an id is there and can't be read.
pub(super) fn look(config: &Config) -> Result<Verdict, UnreadableId> {
    let root = read(&of_root(&config.archive.root))?;
    let state = read(&of_state(&config.state_dir))?;
    let lacks = match &state {
        Some(_) => None,
        None => lacks(&config.state_dir, &config.archive.root),
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

/// Why they don't belong together, and what to do.
pub(super) fn words(config: &Config, why: &Why) -> String {
    let (root, state) = (config.archive.root.display(), config.state_dir.display());
    match why {
        Why::RootHasNone(id) => format!(
            "the archive's root {root} is not the one that the state directory {state} belongs to \
             (archive {id}): it has no id, so its disk is not mounted, or it was emptied, or it is \
             another disk; nothing was written. Mount the disk, or restore it. For an archive that \
             begins anew, set another state.dir too"
        ),
        Why::Another {
            root: theirs,
            state: ours,
        } => format!(
            "the archive's root {root} is archive {theirs}, and the state directory {state} belongs to \
             archive {ours}; nothing was written. Set root and state.dir to two that belong together"
        ),
        Why::Lacks(folder) => format!(
            "the ledgers in {state} were not written for the archive's root {root}: they have recorded \
             {folder}, which it lacks. Its disk is not mounted, or it is another one; nothing was \
             written. Mount the disk, or restore the folder. For an archive that begins anew, set \
             another state.dir too"
        ),
    }
}

/// The first folder that a ledger in `state_dir` has recorded last and that `root` lacks. A ledger that
/// can't be read says nothing here: its job does.
fn lacks(state_dir: &Path, root: &Path) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(state_dir)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names.iter().find_map(|name| {
        let job = JobName::parse(name.strip_suffix(LEDGER)?).ok()?;
        let mut last = None;
        Ledger::read(state_dir, &job, |line| {
            if let Event::Archived(archived) = &line.event {
                last = Some(archived.folder.clone());
            }
        })
        .ok()?;
        last.filter(|folder| fs::symlink_metadata(root.join(folder).join(MANIFEST)).is_err())
    })
}
