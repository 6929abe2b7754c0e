//! Letting go of a job's old data: the facts of each window are gathered, the domain decides, the ledger announces, the
//! folders follow. Carries *Atomic*, *Ordered* and *Self-healing*: what was announced is finished by whoever comes next, and
//! what was not is as if it had never begun.

use std::collections::{BTreeMap, HashSet};

use crate::archive::prune::{self, Progress};
use crate::archive::publish::Archived;
use crate::archive::recorded::Recorded;
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::failures::Task;
use crate::domain::hold::Holds;
use crate::domain::job::{Job, JobName};
use crate::domain::prune::{Facts, Rule, Stays, decide};
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::evidence::chain::Chain;
use crate::evidence::receipts::Receipts;
use crate::ledger::folders::Folders;
use crate::ledger::line::Pruned;
use crate::ledger::orders::Orders;
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
    /// Its folders.
    folders: Vec<Archived>,
}

/// What the archive knows of the holds of a job's project, whose ledger shows `replay`.
fn kept_holds(store: &Store, replay: &Replay, job: Option<&Job>) -> Result<Holds, LedgerError> {
    let archived = replay.settings.as_ref().map(|known| known.project_id);
    match archived.or(job.map(|job| job.project_id)) {
        Some(project) => Orders::of_project(store.root(), project).holds(),
        None => Ok(Holds::default()),
    }
}

/// What is to become of the windows of a job whose data are there, in order of time, as far as the rule reaches.
///
/// # Errors
/// When the archive's holds can't be read.
pub(crate) fn plan(
    store: &Store,
    (folders, replay): (&Folders, &Replay),
    asked: Asked<'_>,
) -> Result<Vec<Decided>, LedgerError> {
    let kept = kept_holds(store, replay, asked.job)?;
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
    let mut windows: BTreeMap<Window, Vec<&Recorded>> = BTreeMap::new();
    for known in recorded.iter().filter(|known| !known.is_missing) {
        windows
            .entry(known.archived.window)
            .or_default()
            .push(known);
    }
    let newest = windows.keys().copied().max_by_key(|window| window.to());
    let (mut facts, mut about) = (Vec::new(), BTreeMap::new());
    let old = windows
        .into_iter()
        .filter(|(window, _)| window.to() <= asked.rule.before);
    for (window, known) in old {
        let span = window.span();
        let has_data = || {
            let gone = |one: &&Recorded| prune::is_pruned(&store.root().join(&one.archived.folder));
            !known.iter().all(gone)
        };
        if replay.pruned.covers(span) && !(asked.takes_restored && has_data()) {
            continue;
        }
        let names = |named: &HashSet<Digest>| {
            let mut known = known.iter();
            known.all(|one| named.contains(&one.archived.manifest_sha256))
        };
        let places: Vec<String> = proven
            .iter()
            .filter(|(_, named)| names(named))
            .map(|(place, _)| place.clone())
            .collect();
        let hold = replay.holds.of(span).or_else(|| kept.of(span));
        facts.push(Facts {
            window,
            is_due: is_due(window, replay, asked),
            is_failing: [Task::Archive, Task::Recheck]
                .iter()
                .any(|&task| replay.failures(task).contains_key(&window)),
            unknown: incomplete.get(&window).copied(),
            held: hold.map(|hold| hold.reason.clone()),
            places: u32::try_from(places.len()).unwrap_or(u32::MAX),
            defect: None,
        });
        about.insert(window, (known, places));
    }
    // Manifests are read of those alone that nothing else keeps: they may be those of ten years.
    let would_go: HashSet<Window> = decide(&facts, newest, asked.rule)
        .into_iter()
        .filter_map(|(window, stays)| stays.is_none().then_some(window))
        .collect();
    for facts in facts
        .iter_mut()
        .filter(|facts| would_go.contains(&facts.window))
    {
        let known = about.get(&facts.window).map(|(known, _)| known.as_slice());
        let mut defects = known
            .into_iter()
            .flatten()
            .filter_map(|one| prune::defect(store, one));
        facts.defect = defects.next();
    }
    let decided = decide(&facts, newest, asked.rule).into_iter();
    let decided = decided.map(|(window, stays)| {
        let (known, places) = about.remove(&window).unwrap_or_default();
        let bytes = known.iter().map(|one| one.archived.bytes);
        Decided {
            window,
            bytes: bytes.fold(0, u64::saturating_add),
            places,
            stays,
            folders: known.iter().map(|one| one.archived.clone()).collect(),
        }
    });
    Ok(decided.collect())
}

/// Whether a window is to be asked for, or asked for once more.
fn is_due(window: Window, replay: &Replay, asked: Asked<'_>) -> bool {
    let is_missing = !replay.coverage.covers(window.span());
    let is_awaited = |job| replay.recheckable.is_awaited(window, asked.now, job);
    is_missing || asked.job.is_some_and(is_awaited)
}

/// Windows that are announced together: few, so that a hold, or a stop, waits for little.
const BATCH: usize = 64;

/// What came of a prune.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What went.
    pub(crate) windows: u64,
    /// Its bytes.
    pub(crate) bytes: u64,
    /// What stays, and why.
    pub(crate) stay: Vec<Decided>,
    /// Folders of which that was announced and could not be done; the next cycle tries again.
    pub(crate) problems: Vec<String>,
    /// Whether it was told to stop before its end.
    pub(crate) is_cut: bool,
}

/// Lets go of what the rule says, for as long as it `goes_on`. The state directory's lock must be held.
///
/// # Errors
/// When the ledger, or a hold, can't be read or written. What was announced by then is finished by a later start.
pub(crate) fn prune(
    store: &Store,
    ledger: &mut Ledger,
    asked: Asked<'_>,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Done, LedgerError> {
    let mut done = Done {
        // Never over the mark of another one.
        problems: finish(store, ledger, asked.job)?,
        ..Done::default()
    };
    if !done.problems.is_empty() {
        return Ok(done);
    }
    ledger.take_acknowledgement()?;
    ledger.take_orders()?;
    let folders = ledger.folders()?;
    let decided = plan(store, (&folders, ledger.replay()), asked)?;
    let (goes, stay): (Vec<_>, Vec<_>) = decided.into_iter().partition(|one| one.stays.is_none());
    done.stay = stay;
    for batch in goes.chunks(BATCH) {
        if !goes_on() {
            done.is_cut = true;
            break;
        }
        // Before the holds are read: whoever leaves one after that sees the mark.
        ledger.begin_pruning()?;
        ledger.take_orders()?;
        let kept = kept_holds(store, ledger.replay(), asked.job)?;
        let holds = &ledger.replay().holds;
        let is_free = |one: &&Decided| {
            let span = one.window.span();
            holds.of(span).is_none() && kept.of(span).is_none()
        };
        let free: Vec<&Decided> = batch.iter().filter(is_free).collect();
        let announced = free.iter().map(|one| Pruned {
            window: one.window,
            bytes: one.bytes,
            reason: words(asked.rule, &one.places),
        });
        ledger.record_pruned(announced.collect())?;
        let folders = free.iter().flat_map(|one| &one.folders);
        done.problems = let_go(store, folders);
        done.windows += free.len() as u64;
        let bytes = free.iter().map(|one| one.bytes);
        done.bytes = bytes.fold(done.bytes, u64::saturating_add);
        if !done.problems.is_empty() {
            break;
        }
        ledger.end_pruning()?;
    }
    Ok(done)
}

/// Places that a line names at most.
const MOST_PLACES: usize = 5;

/// By which rule data went.
fn words(rule: Rule, places: &[String]) -> String {
    let named = places.get(..MOST_PLACES).unwrap_or(places).join(", ");
    let proven = match places.len() {
        0 => "no receipt was asked for".to_owned(),
        1..=MOST_PLACES => format!("proven at {named}"),
        all => format!("proven at {named} and {} more", all - MOST_PLACES),
    };
    let before = rule.before.timestamp();
    format!("it ended by {before}; {proven}")
}

/// Lets go of the data of folders. Returns what could not be done.
fn let_go<'a>(store: &Store, folders: impl Iterator<Item = &'a Archived>) -> Vec<String> {
    folders
        .filter_map(|one| prune::prune(store, &one.folder, one.manifest_sha256).err())
        .collect()
}

/// Finishes what was announced, if anything was. What has its data whole and is held by now keeps them; so does what was
/// brought back since. Returns what could not be done. The state directory's lock must be held.
///
/// # Errors
/// When the ledger, the mark or a hold can't be read, or the mark can't be removed.
pub(crate) fn finish(
    store: &Store,
    ledger: &mut Ledger,
    job: Option<&Job>,
) -> Result<Vec<String>, LedgerError> {
    let Some(announced) = ledger.announced()? else {
        return Ok(Vec::new());
    };
    ledger.take_orders()?;
    let replay = ledger.replay();
    let kept = kept_holds(store, replay, job)?;
    let goes = announced.iter().filter(|one| {
        let span = one.window.span();
        let is_held = replay.holds.of(span).is_some() || kept.of(span).is_some();
        match prune::progress(&store.root().join(&one.folder)) {
            Progress::Begun | Progress::Unknown => true,
            Progress::NotBegun => !is_held,
            Progress::BroughtBack => false,
        }
    });
    let problems = let_go(store, goes);
    if problems.is_empty() {
        ledger.end_pruning()?;
    }
    Ok(problems)
}
