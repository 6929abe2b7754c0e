//! The cure for what `verify` finds in a job's archive: what is missing or damaged is recorded, so that it
//! is due again; what came back is taken. Carries *Curable* and *Ordered*: a folder is out of the way
//! before the ledger says that it is missing.

use std::collections::HashSet;
use std::path::Path;

use super::recorder;
use crate::archive::adopt::Adopted;
use crate::archive::publish::{Archived, Published};
use crate::archive::recorded::Recorded;
use crate::archive::repair::{Remedy, examine, make_absence_durable, set_aside, write_sums};
use crate::archive::store::Store;
use crate::archive::verify::Depth;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::domain::window::Window;
use crate::ledger::Ledger;
use crate::ledger::line::Pruned;
use crate::ledger::replay::Replay;

/// A folder, and what cures it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// A folder of the ledger is not as it was published.
    Folder(Recorded, Remedy),
    /// A folder that was recorded missing is back as it was published: it counts again.
    TakeBack(Recorded),
    /// A folder that the ledger lacks is in the way, and can't be adopted for this reason: it is set
    /// aside.
    Unrecorded(String, String),
}

impl Cure {
    /// What was archived in the folder, where the ledger is to say that it is gone.
    pub(crate) const fn gone(&self) -> Option<&Archived> {
        match self {
            Self::Folder(known, Remedy::RecordMissing | Remedy::SetAside(_)) => {
                Some(&known.archived)
            }
            _ => None,
        }
    }
}

/// Why a whole folder that the ledger lacks, or has recorded missing, is in the way.
pub(crate) const DOUBLED: &str = "others hold what it holds, and are recorded";

/// What is to be done for the folders that a ledger has `recorded`, of which it shows `replay`. The service still has
/// what was logged since `kept_from`, where that is known. `seen` is called after each folder.
pub(crate) fn cures(
    store: &Store,
    recorded: &[Recorded],
    replay: &Replay,
    (depth, kept_from): (Depth, Option<UtcMs>),
    seen: &mut dyn FnMut(),
) -> Vec<Cure> {
    let mut cures = Vec::new();
    for known in recorded {
        match (known.is_missing, replay.missing.is_awaited(&known.archived)) {
            (false, _) => match examine(store, known, depth) {
                Remedy::Nothing => {}
                remedy => cures.push(Cure::Folder(known.clone(), remedy)),
            },
            (true, _) if !is_there(store, known) => {}
            // What was archived of it since would be there twice.
            (true, _)
                if replay.is_newest(&known.archived) && holds_what_is_archived(known, replay) =>
            {
                let folder = known.archived.folder.clone();
                cures.push(Cure::Unrecorded(folder, DOUBLED.to_owned()));
            }
            (true, is_awaited) => match examine(store, known, depth) {
                Remedy::Nothing if is_awaited => cures.push(Cure::TakeBack(known.clone())),
                // A bad copy was put back, or a power cut has undone what was moved.
                Remedy::SetAside(why) => {
                    let folder = known.archived.folder.clone();
                    cures.push(Cure::Unrecorded(folder, why));
                }
                _ => {}
            },
        }
        seen();
    }
    let all_without_data = without_data(&cures, recorded);
    for cure in &mut cures {
        if let Cure::Folder(known, remedy @ Remedy::RecordPruned) = cure {
            let window = known.archived.window;
            let may_be_had = kept_from.is_some_and(|edge| window.from() >= edge);
            if may_be_had || !all_without_data.contains(&window) {
                let folder = &known.archived.folder;
                *remedy = Remedy::SetAside(format!("{folder}: somebody else has removed its data"));
            }
        }
    }
    cures
}

/// The windows of which no folder that is there has data, or is known to have been let go of.
fn without_data(cures: &[Cure], recorded: &[Recorded]) -> HashSet<Window> {
    let removed: HashSet<&str> = cures
        .iter()
        .filter_map(|cure| match cure {
            Cure::Folder(known, Remedy::RecordPruned) => Some(known.archived.folder.as_str()),
            _ => None,
        })
        .collect();
    let there = recorded.iter().filter(|known| !known.is_missing);
    let has_more =
        there.filter(|known| !known.is_pruned && !removed.contains(known.archived.folder.as_str()));
    let with_data: HashSet<Window> = has_more.map(|known| known.archived.window).collect();
    let all = recorded.iter().map(|known| known.archived.window);
    all.filter(|window| !with_data.contains(window)).collect()
}

fn is_there(store: &Store, known: &Recorded) -> bool {
    std::fs::symlink_metadata(store.root().join(&known.archived.folder)).is_ok()
}

/// Whether instants of a folder's window are archived in others.
fn holds_what_is_archived(known: &Recorded, replay: &Replay) -> bool {
    let span = known.archived.window.span();
    replay.coverage.missing_in(span) != [span]
}

/// Does what cures a folder. Returns what was done, in words.
///
/// # Errors
/// When it can't be done; says why. What was done so far is as good as nothing, or is done to the end by
/// the next repair.
pub(crate) fn cure(
    store: &Store,
    ledger: &mut Ledger,
    cure: Cure,
    depth: Depth,
) -> Result<String, String> {
    match cure {
        Cure::Folder(known, Remedy::RecordMissing) => {
            let told = format!("{}: recorded missing", known.archived.folder);
            make_absence_durable(store, &known.archived.folder)
                .map_err(|error| error.to_string())?;
            record_missing(ledger, known, "it is not there".to_owned())?;
            Ok(told)
        }
        Cure::Folder(known, Remedy::SetAside(first)) => {
            let folder = known.archived.folder.clone();
            let why = seen_twice(&first, examine(store, &known, depth))?;
            let aside = moved_aside(store, Path::new(&folder))?;
            record_missing(ledger, known, format!("{why}; it was moved to {aside}"))?;
            Ok(format!("{folder}: moved to {aside}, and recorded missing"))
        }
        Cure::Folder(known, Remedy::RecordPruned) => {
            let folder = known.archived.folder.clone();
            ledger
                .record_pruned(vec![Pruned {
                    window: known.archived.window,
                    bytes: known.archived.bytes,
                    reason: "found so by repair".to_owned(),
                }])
                .map_err(|error| error.to_string())?;
            Ok(format!("{folder}: recorded that its data are gone"))
        }
        Cure::Folder(known, Remedy::Tidy { added, sums }) => {
            let folder = &known.archived.folder;
            for file in &added {
                moved_aside(store, &Path::new(folder).join(file))?;
            }
            if sums {
                write_sums(store, &known)?;
            }
            Ok(format!("{folder}: as it was published again"))
        }
        Cure::Folder(_, Remedy::Leave(why)) => Err(why),
        Cure::Folder(_, Remedy::Nothing) => Ok(String::new()),
        Cure::TakeBack(known) => {
            let folder = known.archived.folder.clone();
            let archived = Archived {
                is_pruned: known.is_pruned,
                ..known.archived
            };
            let back = Published::brought_back(store, archived);
            let back = back.map_err(|error| error.to_string())?;
            ledger.record(back).map_err(|error| error.to_string())?;
            Ok(format!("{folder}: it is back, and counts again"))
        }
        Cure::Unrecorded(folder, _) => {
            let aside = moved_aside(store, Path::new(&folder))?;
            Ok(format!("{folder}: moved to {aside}"))
        }
    }
}

/// Why a folder is damaged, of which the `first` look said so, by the `second`: a disk that fails once, or
/// whoever has mended it meanwhile, is no reason to move good data.
///
/// # Errors
/// When the second look does not say so; why, in words.
fn seen_twice(first: &str, second: Remedy) -> Result<String, String> {
    match second {
        Remedy::SetAside(why) => Ok(why),
        Remedy::RecordPruned => Ok(first.to_owned()),
        Remedy::Leave(why) => Err(format!(
            "{first}; it can't be read once more, and the folder stays where it is: {why}"
        )),
        _ => Err(format!(
            "{first}; read once more, it was not so, and the folder stays where it is: look at the disk, then \
             repair again"
        )),
    }
}

/// Moves a folder or a file aside. Returns where it is now.
fn moved_aside(store: &Store, place: &Path) -> Result<String, String> {
    let aside = set_aside(store, place).map_err(|error| error.to_string())?;
    Ok(aside.display().to_string())
}

/// Records folders that the ledger lacks. Returns what was done, in words.
///
/// # Errors
/// When the ledger can't be written.
pub(crate) fn take_over(
    ledger: &mut Ledger,
    job: &JobName,
    adopted: Vec<Adopted>,
) -> Result<Vec<String>, String> {
    let folders = adopted.iter().map(|one| one.published.archived());
    let told =
        folders.map(|archived| format!("{}: adopted, the ledger lacked it", archived.folder));
    let told = told.collect();
    recorder::take_over(ledger, job, adopted).map_err(|error| error.to_string())?;
    Ok(told)
}

fn record_missing(ledger: &mut Ledger, known: Recorded, why: String) -> Result<(), String> {
    ledger
        .record_missing(known.archived, why)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
