//! Letting go of a job's old data: the facts of each window are gathered, the domain decides, the ledger announces, the
//! folders follow. Carries *Atomic*, *Ordered* and *Self-healing*: what was announced is finished by whoever comes next, and
//! what was not is as if it had never begun.

use std::collections::{BTreeMap, HashSet};

use crate::archive::newest::newest;
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
    folders: Vec<Recorded>,
}

/// The ELSA project of a job whose ledger shows `replay`: as that says, or the config, or the newest folder's manifest.
pub(crate) fn project_of(
    store: &Store,
    name: &JobName,
    replay: &Replay,
    job: Option<&Job>,
) -> Option<i64> {
    let archived = replay.settings.as_ref().map(|known| known.project_id);
    let known = archived.or(job.map(|job| job.project_id));
    known.or_else(|| newest(store, name, None).map(|newest| newest.project_id))
}

/// What the archive knows of the holds of a project. Nothing is let go of where nobody knows which one it is.
fn kept_holds(store: &Store, project: Option<i64>) -> Result<Holds, LedgerError> {
    project.map_or_else(
        || Ok(Holds::default()),
        |project| Orders::of_project(store.root(), project).holds(),
    )
}

/// What is to become of the windows of a job whose data are there, in order of time, as far as the rule reaches.
///
/// # Errors
/// When the archive's holds can't be read.
pub(crate) fn plan(
    store: &Store,
    known: (&Folders, &Replay),
    asked: Asked<'_>,
) -> Result<Vec<Decided>, LedgerError> {
    let mut decided = without_defects(store, known, asked)?;
    decided.iter_mut().for_each(|one| one.look(store));
    Ok(decided)
}

impl Decided {
    /// Looks whether its folders are as they were published, where nothing else keeps its data: manifests are read.
    fn look(&mut self, store: &Store) {
        if self.stays.is_none() {
            let mut defects = self
                .folders
                .iter()
                .filter_map(|one| prune::defect(store, one));
            self.stays = defects.next().map(Stays::Defect);
        }
    }
}

/// What is to become of these windows, as far as ledger and receipts tell.
fn without_defects(
    store: &Store,
    (folders, replay): (&Folders, &Replay),
    asked: Asked<'_>,
) -> Result<Vec<Decided>, LedgerError> {
    let project = project_of(store, asked.name, replay, asked.job);
    let kept = kept_holds(store, project)?;
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
    let newest_window = windows.keys().copied().max_by_key(|window| window.to());
    let (mut facts, mut about) = (Vec::new(), BTreeMap::new());
    let old = windows
        .into_iter()
        .filter(|(window, _)| window.to() <= asked.rule.before);
    for (window, known) in old {
        let span = window.span();
        let has_data = || {
            let gone = |one: &&Recorded| prune::is_pruned(&store.storage(), &one.archived.folder);
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
        });
        about.insert(window, (known, places));
    }
    let decided = decide(&facts, newest_window, asked.rule).into_iter();
    let decided = decided.map(|(window, stays)| {
        let (known, places) = about.remove(&window).unwrap_or_default();
        let bytes = known.iter().map(|one| one.archived.bytes);
        Decided {
            window,
            bytes: bytes.fold(0, u64::saturating_add),
            places,
            stays,
            folders: known.into_iter().cloned().collect(),
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
        problems: finish(store, ledger, (asked.name, asked.job))?,
        ..Done::default()
    };
    if !done.problems.is_empty() {
        return Ok(done);
    }
    ledger.take_acknowledgement()?;
    ledger.take_orders()?;
    let folders = ledger.folders()?;
    let project = project_of(store, asked.name, ledger.replay(), asked.job);
    let decided = without_defects(store, (&folders, ledger.replay()), asked)?;
    let (mut goes, stay): (Vec<_>, Vec<_>) =
        decided.into_iter().partition(|one| one.stays.is_none());
    done.stay = stay;
    for batch in goes.chunks_mut(BATCH) {
        if !goes_on() {
            done.is_cut = true;
            break;
        }
        batch.iter_mut().for_each(|one| one.look(store));
        let whole = |one: &&mut Decided| one.stays.is_none();
        // Before the holds are read: whoever leaves one after that sees the mark.
        let marked: Vec<Window> = batch
            .iter_mut()
            .filter(whole)
            .map(|one| one.window)
            .collect();
        ledger.begin_pruning(marked.into_iter())?;
        ledger.take_orders()?;
        let kept = kept_holds(store, project)?;
        for one in batch.iter_mut().filter(whole) {
            let span = one.window.span();
            let hold = ledger.replay().holds.of(span).or_else(|| kept.of(span));
            one.stays = hold.map(|hold| Stays::Held(hold.reason.clone()));
        }
        let announced = batch.iter().filter(|one| one.stays.is_none());
        let announced = announced.map(|one| Pruned {
            window: one.window,
            bytes: one.bytes,
            reason: words(asked.rule, &one.places),
        });
        ledger.record_pruned(announced.collect())?;
        for one in batch.iter_mut() {
            if one.stays.is_some() {
                done.stay.push(one.clone());
                continue;
            }
            // A hold that was left meanwhile lies in the archive.
            if let Some(hold) = kept_holds(store, project)?.of(one.window.span()) {
                one.stays = Some(Stays::Held(hold.reason.clone()));
                done.stay.push(one.clone());
                continue;
            }
            let problems = let_go(store, one.folders.iter().map(|known| &known.archived));
            if problems.is_empty() {
                done.windows += 1;
                done.bytes = done.bytes.saturating_add(one.bytes);
            }
            done.problems.extend(problems);
        }
        if !done.problems.is_empty() {
            break;
        }
        ledger.end_pruning()?;
    }
    done.stay.sort_by_key(|one| one.window);
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
    (name, job): (&JobName, Option<&Job>),
) -> Result<Vec<String>, LedgerError> {
    let Some(announced) = ledger.announced()? else {
        return Ok(Vec::new());
    };
    ledger.take_orders()?;
    let replay = ledger.replay();
    let kept = kept_holds(store, project_of(store, name, replay, job))?;
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
