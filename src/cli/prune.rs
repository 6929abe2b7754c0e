//! `prune`: lets go of old data by rule, and keeps the proof. Shows what would go, what stays and why; does it with
//! `--confirm`. Carries *Atomic* and *Candid*.

use std::collections::BTreeMap;

use super::Context;
use super::exit::Stop;
use super::head;
use super::identity;
use super::lineage::Lineage;
use super::print::{bytes, count, print_fitted};
use super::retired::{retired, subjects};
use super::session::{Place, store};
use crate::archive::identity::{of_root, read};
use crate::archive::storage::Local;
use crate::archive::store::Store;
use crate::config::{Config, instant, parse_duration};
use crate::domain::prune::{Rule, Stays};
use crate::domain::span::{Millis, UtcMs};
use crate::durable::Disk;
use crate::evidence::making::When;
use crate::evidence::receipts::Receipts;
use crate::job::prune::{Asked, Decided, plan, project_of, prune as let_go};
use crate::ledger::folders::Folders;
use crate::ledger::{Ledger, acknowledgement, orders};
use words::listing;

mod words;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'a> {
    /// The jobs; all where none is named.
    pub(super) jobs: &'a [String],
    /// Windows that end by then.
    pub(super) before: Option<&'a str>,
    /// Windows that ended so long ago.
    pub(super) keep: Option<&'a str>,
    /// How many places must have proven a copy.
    pub(super) need: u32,
    /// Whether it is done.
    pub(super) confirm: bool,
}

/// Shows what would be let go of; with `confirm`, lets go of it.
pub(super) fn prune(context: &Context<'_>, how: How<'_>) -> Result<(), Stop> {
    let config = context.config()?;
    let (jobs, gone) = subjects(context, &config, how.jobs)?;
    let now = context.clock.now();
    let rule = Rule {
        before: bound(&config, how, now)?,
        need: how.need,
    };
    let mut taken = None;
    let (store, disk) = match how.confirm {
        true => {
            let place = taken.insert(Place::take(context, &config)?);
            (place.store(&config), place.disk().clone())
        }
        false => {
            if let Some(why) = identity::refusal(&config) {
                return Err(Stop::failed(why));
            }
            let disk = Disk::default();
            (store(&config, &disk), disk)
        }
    };
    let receipts = receipts(&config)?;
    let mut text = format!("windows that end by {}\n", rule.before);
    for (name, why) in &receipts.refused {
        text += &format!("receipt {name} does not count: {why}\n");
    }
    let refused = Lineage::of(&config).refused;
    let here = jobs.iter().map(|job| (&job.name, Some(job)));
    let (mut to_do, mut failed) = (false, false);
    for (name, job) in here.chain(gone.iter().map(|name| (name, None))) {
        let asked = Asked {
            name,
            job,
            rule,
            receipts: &receipts,
            takes_restored: true,
            now,
        };
        let ended = match (refused.get(name), how.confirm) {
            (Some(why), _) => Err(why.to_string()),
            (None, true) => act(context, &config, (&store, &disk), asked),
            (None, false) => show(&config, &store, asked),
        };
        match ended {
            Ok(ended) => {
                to_do |= ended.goes;
                failed |= ended.is_ill;
                text += &ended.told;
            }
            Err(why) => {
                failed = true;
                text += &format!("{name}: {why}\n");
            }
        }
    }
    text += match (to_do, how.confirm) {
        (false, _) => "",
        (true, false) => {
            "Nothing was changed. To let go of the data that would go: the same command with `--confirm`. Manifests \
             and sums stay, and prove what was there.\n"
        }
        (true, true) => "Manifests and sums stay, and prove what was there.\n",
    };
    if let Some(place) = taken {
        let with = (place.id(), place.disk());
        head::after(context, &config, with, (&BTreeMap::new(), When::Changed));
    }
    print_fitted(&text, 4)?;
    match failed {
        false => Ok(()),
        true => Err(Stop::told()),
    }
}

/// How far this machine's clock may be ahead of all that is archived, for an age to be told by it.
const MOST_AHEAD: Millis = Millis::from_days(31);

/// The instant by which windows must have ended.
fn bound(config: &Config, how: How<'_>, now: UtcMs) -> Result<UtcMs, Stop> {
    if let Some(before) = how.before {
        return instant(before, &config.archive.zone)
            .map_err(|why| Stop::usage(&format!("--before {before:?} {why}")));
    }
    let Some(keep) = how.keep else {
        return Err(Stop::usage(&"give --before or --keep"));
    };
    let Some(age) = parse_duration(keep) else {
        return Err(Stop::usage(&format!(
            "--keep {keep:?} is no duration like 400d"
        )));
    };
    let gone = retired(config).map_err(Stop::failed)?;
    let names = config.jobs.iter().map(|job| &job.name).chain(&gone);
    let ends = names.filter_map(|name| {
        let replay = Ledger::glance(&config.state_dir, name).ok()?;
        replay.coverage.end()
    });
    match ends.max() {
        Some(newest) if newest.plus(MOST_AHEAD) < now => Err(Stop::failed(format!(
            "the newest window ended at {newest}, and this machine's clock says {now}: is it right? An age can't be \
             told by it; give --before, which needs no clock"
        ))),
        _ => Ok(now.minus(age)),
    }
}

/// The receipts of the archive.
///
/// # Errors
/// When they can't be read: then nothing is known of any place.
pub(super) fn receipts(config: &Config) -> Result<Receipts, Stop> {
    let root = &config.archive.root;
    let id = read(&of_root(root)).map_err(|error| Stop::failed(error.to_string()))?;
    let Some(id) = id else {
        return Ok(Receipts::default());
    };
    Receipts::read(&Local::at(root), &id).map_err(|error| {
        let folder = crate::evidence::receipts::folder(root);
        Stop::failed(format!("can't read {}: {error}", folder.display()))
    })
}

/// What came of a job.
struct Ended {
    /// Whether anything goes, or went.
    goes: bool,
    /// Whether something is not in order, or can't be known.
    is_ill: bool,
    told: String,
}

impl Ended {
    /// Of windows of which these stay.
    fn of(goes: bool, stay: &[Decided], told: String) -> Self {
        let is_defect = |one: &Decided| matches!(one.stays, Some(Stays::Defect(_)));
        Self {
            goes,
            is_ill: stay.iter().any(is_defect),
            told,
        }
    }
}

/// Shows what would go. Returns what to tell.
fn show(config: &Config, store: &Store, asked: Asked<'_>) -> Result<Ended, String> {
    let mut folders = Folders::default();
    let replay = Ledger::read(&config.state_dir, asked.name, |line| folders.take(line));
    let mut replay = replay.map_err(|error| error.to_string())?;
    let ledger = Ledger::path(&config.state_dir, asked.name);
    let project = project_of(store, asked.name, &replay, asked.job);
    orders::count_at_once(&ledger, (store.root(), project), &mut replay)
        .map_err(|error| error.to_string())?;
    acknowledgement::count_at_once(&ledger, &mut replay);
    let decided = plan(store, (&folders, &replay), asked).map_err(|error| error.to_string())?;
    let goes = decided.iter().any(|decided| decided.stays.is_none());
    let told = listing(asked.name, &decided, asked.rule);
    Ok(Ended::of(goes, &decided, told))
}

/// Lets go of what the rule says. Returns what to tell.
fn act(
    context: &Context<'_>,
    config: &Config,
    (store, disk): (&Store, &Disk),
    asked: Asked<'_>,
) -> Result<Ended, String> {
    let name = asked.name;
    let opened = Ledger::open(&config.state_dir, name, disk, &context.clock);
    let mut ledger = opened.map_err(|error| error.to_string())?;
    let done = let_go(store, &mut ledger, asked, &mut || true);
    let done = done.map_err(|error| error.to_string())?;
    ledger.close();
    let mut told = match done.windows {
        0 => format!("{name}: nothing was let go of\n"),
        windows => {
            let (windows, bytes) = (count(windows, "window"), bytes(done.bytes));
            tracing::info!(job = %name, "let go of the data of {windows}, {bytes}");
            format!("{name}: let go of the data of {windows}, {bytes}\n")
        }
    };
    if !done.stay.is_empty() {
        told += &listing(name, &done.stay, asked.rule);
    }
    match done.problems.first() {
        None => Ok(Ended::of(done.windows > 0, &done.stay, told)),
        Some(why) => Err(format!(
            "{told}  not all that was announced is done; the next cycle, or prune, tries again: {why}"
        )),
    }
}
