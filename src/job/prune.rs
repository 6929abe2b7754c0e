//! Letting go of a job's old data: the facts of each window are gathered, the domain decides, the ledger announces, the
//! folders follow. Carries *Atomic*, *Ordered* and *Self-healing*: what was announced is finished by whoever comes next, and
//! what was not is as if it had never begun.

use std::collections::{BTreeMap, HashSet};

use crate::archive::prune;
use crate::archive::publish::Archived;
use crate::archive::recorded::Recorded;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::failures::Task;
use crate::domain::job::{Job, JobName};
use crate::domain::prune::{Facts, Rule, Stays, decide};
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::evidence::chain::Chain;
use crate::evidence::receipts::Receipts;
use crate::ledger::folders::Folders;
use crate::ledger::line::Pruned;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, LedgerError};

/// Whose data, by which rule, and when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The job's name.
    pub(crate) name: &'a JobName,
    /// The job; `None` of one that the config has no more, for which nothing is due.
    pub(crate) job: Option<&'a Job>,
    /// The rule.
    pub(crate) rule: Rule,
    /// The receipts of the archive.
    pub(crate) receipts: &'a Receipts,
    /// Whether data that were brought back after a prune are let go of again.
    pub(crate) takes_restored: bool,
    /// When.
    pub(crate) now: UtcMs,
}

/// What is to become of a window.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// The window.
    pub(crate) window: Window,
    /// Bytes of its data files.
    pub(crate) bytes: u64,
    /// The places that have proven a copy of all its folders.
    pub(crate) places: Vec<String>,
    /// Why its data stay; `None` where they go.
    pub(crate) stays: Option<Stays>,
}

/// What is to become of the windows of a job whose data are there, in order of time, as far as the rule reaches.
pub(crate) fn plan(
    store: &Store,
    (folders, replay): (&Folders, &Replay),
    asked: Asked<'_>,
) -> Vec<Decided> {
    let recorded = folders.recorded();
    let chain = Chain::of(recorded);
    let proven: Vec<_> = asked
        .receipts
        .proven(asked.name.as_str(), &chain)
        .map(|(place, named)| (place.to_string(), named))
        .collect();
    let incomplete: BTreeMap<Window, Status> = replay
        .incomplete
        .windows()
        .filter(|(_, recorded)| !recorded.acknowledged)
        .map(|(window, recorded)| (window, recorded.status))
        .collect();
    let mut windows: BTreeMap<Window, Vec<&Archived>> = BTreeMap::new();
    for Recorded { archived, .. } in recorded.iter().filter(|known| !known.is_missing) {
        windows.entry(archived.window).or_default().push(archived);
    }
    let newest = windows.keys().copied().max_by_key(|window| window.to());
    let (mut facts, mut about) = (Vec::new(), BTreeMap::new());
    let old = windows
        .into_iter()
        .filter(|(window, _)| window.to() <= asked.rule.before);
    for (window, archived) in old {
        let is_pruned = replay.pruned.covers(window.span());
        let is_back = || {
            let has_data = |one: &&Archived| !prune::is_pruned(&store.root().join(&one.folder));
            archived.iter().any(has_data)
        };
        if is_pruned && !(asked.takes_restored && is_back()) {
            continue;
        }
        let names = |named: &HashSet<Digest>| {
            let mut archived = archived.iter();
            archived.all(|one| named.contains(&one.manifest_sha256))
        };
        let places: Vec<String> = proven
            .iter()
            .filter(|(_, named)| names(named))
            .map(|(place, _)| place.clone())
            .collect();
        let mut defects = archived
            .iter()
            .filter_map(|one| prune::defect(store, &one.folder, one.manifest_sha256));
        facts.push(Facts {
            window,
            is_due: is_due(window, replay, asked),
            is_failing: [Task::Archive, Task::Recheck]
                .iter()
                .any(|&task| replay.failures(task).contains_key(&window)),
            unknown: incomplete.get(&window).copied(),
            held: replay
                .holds
                .of(window.span())
                .map(|hold| hold.reason.clone()),
            places: u32::try_from(places.len()).unwrap_or(u32::MAX),
            defect: defects.next(),
        });
        let bytes = archived.iter().map(|one| one.bytes);
        about.insert(window, (bytes.fold(0, u64::saturating_add), places));
    }
    let decided = decide(&facts, newest, asked.rule).into_iter();
    decided
        .map(|(window, stays)| {
            let (bytes, places) = about.remove(&window).unwrap_or_default();
            Decided {
                window,
                bytes,
                places,
                stays,
            }
        })
        .collect()
}

/// Whether a window is to be asked for, or asked for once more.
fn is_due(window: Window, replay: &Replay, asked: Asked<'_>) -> bool {
    let is_missing = !replay.coverage.covers(window.span());
    let is_awaited = |job| replay.recheckable.is_awaited(window, asked.now, job);
    is_missing || asked.job.is_some_and(is_awaited)
}

/// What came of a prune.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What went.
    pub(crate) windows: u64,
    /// Its bytes.
    pub(crate) bytes: u64,
    /// Folders of which that was announced and could not be done; the next cycle tries again.
    pub(crate) problems: Vec<String>,
}

/// Lets go of what the rule says. The state directory's lock must be held.
///
/// # Errors
/// When the ledger can't be read or written. What was announced by then is finished by a later start.
pub(crate) fn prune(
    store: &Store,
    ledger: &mut Ledger,
    asked: Asked<'_>,
) -> Result<Done, LedgerError> {
    ledger.take_orders()?;
    let folders = ledger.folders()?;
    let goes = |decided: &Decided| decided.stays.is_none();
    if !plan(store, (&folders, ledger.replay()), asked)
        .iter()
        .any(goes)
    {
        return Ok(Done::default());
    }
    // Before the holds are read: whoever leaves one after that sees the mark.
    ledger.begin_pruning()?;
    ledger.take_orders()?;
    let decided = plan(store, (&folders, ledger.replay()), asked);
    let goes: Vec<Pruned> = decided
        .into_iter()
        .filter(goes)
        .map(|decided| Pruned {
            window: decided.window,
            bytes: decided.bytes,
            reason: words(asked.rule, &decided.places),
        })
        .collect();
    let mut done = Done {
        windows: goes.len() as u64,
        bytes: goes
            .iter()
            .map(|one| one.bytes)
            .fold(0, u64::saturating_add),
        problems: Vec::new(),
    };
    ledger.record_pruned(goes)?;
    done.problems = finish(store, ledger)?;
    Ok(done)
}

/// By which rule data went.
fn words(rule: Rule, places: &[String]) -> String {
    let proven = match places {
        [] => "no receipt was asked for".to_owned(),
        places => format!("proven at {}", places.join(", ")),
    };
    let before = rule.before.timestamp();
    format!("it ended by {before}; {proven}")
}

/// Finishes what was announced, if anything was. Returns what could not be done. The state directory's lock must be held.
///
/// # Errors
/// When the ledger can't be read, or the mark can't be removed.
pub(crate) fn finish(store: &Store, ledger: &Ledger) -> Result<Vec<String>, LedgerError> {
    let Some(announced) = ledger.announced()? else {
        return Ok(Vec::new());
    };
    let problems: Vec<String> = announced
        .iter()
        .filter_map(|one| prune::prune(store, &one.folder, one.manifest_sha256).err())
        .collect();
    if problems.is_empty() {
        ledger.end_pruning()?;
    }
    Ok(problems)
}
