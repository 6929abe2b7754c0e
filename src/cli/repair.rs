//! `repair`: the cure for what `verify` finds. Shows what it would do, and does it with `--confirm`. Carries
//! *Curable*.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

mod words;

use super::Context;
use super::exit::Stop;
use super::head;
use super::identity;
use super::lineage::Lineage;
use super::print::print_fitted;
use super::retired::subjects;
use super::session::{disk, lock, store};
use super::user::refuse_another;
use crate::archive::adopt::{Adopted, Found, Known, UnrecordedFolder, adopt};
use crate::archive::repair::Remedy;
use crate::archive::store::Store;
use crate::archive::verify::Depth;
use crate::config::Config;
use crate::domain::identity::Verdict;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::reach;
use crate::evidence::making::When;
use crate::job::repair::{Cure, DOUBLED, cure, cures, take_over};
use crate::ledger::Ledger;
use crate::ledger::folders::Folders;
use crate::ledger::replay::Replay;
use crate::printable;
use words::{number_of, words};

/// Shows what would cure the jobs named, or all; with `confirm`, does it.
pub(super) fn repair(
    context: &Context<'_>,
    names: &[String],
    depth: Depth,
    confirm: bool,
) -> Result<(), Stop> {
    let config = context.config()?;
    let (jobs, gone) = subjects(context, &config, names)?;
    let (disk, now) = (disk(&config), context.clock.now());
    if confirm {
        refuse_another(context, &config)?;
    }
    let bound = binding(&config)?;
    let mut store = store(&config, &disk);
    let mut archive = None;
    if confirm {
        lock(&config, &disk)?;
        let id = identity::bind_anew(&config, now, &disk).map_err(Stop::failed)?;
        store = store.bound_to(id.clone());
        archive = Some(id);
        store
            .prepare()
            .map_err(|error| Stop::failed(error.to_string()))?;
    }
    let is_unbound = bound.is_some();
    let (mut to_do, mut failed) = (is_unbound, false);
    let mut text = bound.map(|bound| format!("{bound}\n")).unwrap_or_default();
    let refused = Lineage::of(&config).refused;
    let here = jobs.iter().map(|job| (&job.name, Some(job)));
    for (name, job) in here.chain(gone.iter().map(|name| (name, None))) {
        let subject = Subject { name, job, depth };
        let Ended {
            found,
            is_ill,
            told,
        } = match (refused.get(name), confirm) {
            // Its folders would be taken for another project's.
            (Some(why), _) => Ended::ill(name, why),
            (None, true) => act(context, &config, &store, subject),
            (None, false) => show(context, &config, &store, subject),
        };
        (to_do, failed) = (to_do || found, failed || is_ill);
        text += &told;
    }
    context.terminal.clear();
    if let Some(id) = archive {
        head::after(
            context,
            &config,
            (&id, &disk),
            (&BTreeMap::new(), When::Changed),
        );
    }
    if is_unbound && !confirm {
        text += "If the root's disk is only not mounted: mount it, and repair nothing.\n";
    }
    text += match (to_do, confirm) {
        (false, _) if failed => "",
        (false, _) => "Nothing is to be repaired.\n",
        (true, false) => {
            "Nothing was changed. A good folder of a copy may be put in its place first. To do all of \
             this: `elsa-archiver repair --confirm`\n"
        }
        (true, true) => {
            "What is due now is archived by the next cycle, or by `elsa-archiver once`; what lies before \
             `since`, too.\n"
        }
    };
    print_fitted(&text, 2)?;
    if failed || (to_do && !confirm) {
        return Err(Stop::told());
    }
    Ok(())
}

/// A job that is repaired.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'a JobName,
    /// `None` of one that the config has no more: nothing is asked for it.
    job: Option<&'a Job>,
    /// How deep its folders are examined.
    depth: Depth,
}

/// What root and state directory lack to belong together, in words; `None` when they do.
///
/// # Errors
/// When a repair can't bind them.
fn binding(config: &Config) -> Result<Option<String>, Stop> {
    match identity::look(config).map_err(|error| Stop::failed(error.to_string()))? {
        Verdict::Refused(why) => match identity::cure(config, &why) {
            Some(cure) => Ok(Some(cure)),
            None => Err(Stop::failed(identity::words(config, &why))),
        },
        Verdict::Same(_) | Verdict::New | Verdict::TakenOver(_) => Ok(None),
    }
}

/// How the repair of a job has ended.
#[derive(Default)]
struct Ended {
    /// Whether there is anything to be done, or was.
    found: bool,
    /// Whether something can't be done, or be known.
    is_ill: bool,
    told: String,
}

impl Ended {
    fn ill(job: &JobName, why: &dyn std::fmt::Display) -> Self {
        Self::default().but_ill(job, why)
    }

    fn but_ill(mut self, job: &JobName, why: &dyn std::fmt::Display) -> Self {
        self.is_ill = true;
        let _ = writeln!(self.told, "{job}: {why}");
        self
    }
}

/// Shows what would be done; nothing is written.
fn show(context: &Context<'_>, config: &Config, store: &Store, subject: Subject<'_>) -> Ended {
    let job = subject.name;
    let mut folders = Folders::default();
    let replay = Ledger::read(&config.state_dir, job, |line| folders.take(line));
    let replay = match replay {
        Ok(replay) => replay,
        Err(error) => return Ended::ill(job, &error),
    };
    let now = context.clock.now();
    let mut all = of_recorded(context, store, subject, &folders, &replay);
    // What is gone may be there in a later folder that the ledger lacks.
    let mut then = replay.clone();
    for gone in all.iter().filter_map(Cure::gone) {
        then.take_away(gone, now);
    }
    match unrecorded(store, subject, &then) {
        Ok(found) => all.extend(in_the_way(&found, &folders)),
        Err(error) => return Ended::ill(job, &error),
    }
    let mut ended = Ended {
        found: !all.is_empty(),
        ..Ended::default()
    };
    if ended.found {
        let _ = writeln!(ended.told, "{job}: {}", number_of(&all));
    }
    for cure in &all {
        ended.is_ill |= matches!(cure, Cure::Folder(_, Remedy::Leave(_)));
        let _ = writeln!(ended.told, "  {}", words(cure, subject, &replay, now));
    }
    ended
}

/// Does what is to be done.
fn act(context: &Context<'_>, config: &Config, store: &Store, subject: Subject<'_>) -> Ended {
    let job = subject.name;
    let (mut ended, disk) = (Ended::default(), disk(config));
    let opened = Ledger::open(&config.state_dir, job, &disk, &context.clock);
    let mut ledger = match opened {
        Ok(ledger) => ledger,
        Err(error) => return Ended::ill(job, &error),
    };
    let read = || {
        let mut folders = Folders::default();
        Ledger::read(&config.state_dir, job, |line| folders.take(line)).map(|_| folders)
    };
    let folders = match read() {
        Ok(folders) => folders,
        Err(error) => return Ended::ill(job, &error),
    };
    let all = of_recorded(context, store, subject, &folders, ledger.replay());
    do_all(store, &mut ledger, all, subject, &mut ended);
    // Of what is gone by now a later folder may be there.
    let mut found = match unrecorded(store, subject, ledger.replay()) {
        Ok(found) => found,
        Err(error) => return ended.but_ill(job, &error),
    };
    match take_over(&mut ledger, job, std::mem::take(&mut found.adopted)) {
        Ok(done) => {
            ended.found |= !done.is_empty();
            for done in done {
                let _ = writeln!(ended.told, "{done}");
            }
        }
        Err(why) => return ended.but_ill(job, &why),
    }
    match read() {
        Ok(folders) => {
            let all = in_the_way(&found, &folders);
            do_all(store, &mut ledger, all, subject, &mut ended);
        }
        Err(error) => return ended.but_ill(job, &error),
    }
    ended
}

/// Does what cures these folders, one after another.
fn do_all(
    store: &Store,
    ledger: &mut Ledger,
    all: Vec<Cure>,
    subject: Subject<'_>,
    ended: &mut Ended,
) {
    let job = subject.name;
    for one in all {
        ended.found = true;
        match cure(store, ledger, one, subject.depth) {
            Ok(done) => {
                tracing::warn!(job = %job, "repaired: {}", printable::whole(&done));
                let _ = writeln!(ended.told, "{}", printable::whole(&done));
            }
            Err(why) => {
                ended.is_ill = true;
                let _ = writeln!(ended.told, "not repaired: {}", printable::whole(&why));
            }
        }
    }
}

/// The folders that a ledger which shows `replay` lacks.
fn unrecorded(store: &Store, subject: Subject<'_>, replay: &Replay) -> Result<Unrecorded, String> {
    let known = Known {
        coverage: &replay.coverage,
        revisions: &replay.revisions,
        last_manifest: replay.last_manifest,
    };
    let published = store.published(subject.name).map_err(|error| {
        let place = store.root().join(subject.name.as_str());
        format!("can't list {}: {error}", place.display())
    })?;
    let recorded = replay.settings.as_ref().map(|settings| settings.project_id);
    let project = subject.job.map(|job| job.project_id).or(recorded);
    let Found {
        adopted,
        unrecorded,
    } = adopt(store, subject.name, project, known).map_err(|error| error.to_string())?;
    Ok(Unrecorded {
        adopted,
        left: unrecorded,
        published: published.into_iter().map(|(_, folder)| folder).collect(),
    })
}

/// What a ledger lacks.
#[derive(Default)]
struct Unrecorded {
    /// The folders that can be taken over.
    adopted: Vec<Adopted>,
    /// Those that can't be.
    left: Vec<UnrecordedFolder>,
    /// All that are there, recorded or not.
    published: Vec<String>,
}

/// The cures for the folders that a ledger has recorded.
fn of_recorded(
    context: &Context<'_>,
    store: &Store,
    subject: Subject<'_>,
    folders: &Folders,
    replay: &Replay,
) -> Vec<Cure> {
    let recorded = folders.recorded();
    let name = subject.name.as_str();
    let bar = context.terminal.bar(name, recorded.len() as u64);
    let now = context.clock.now();
    let kept_from = subject.job.and_then(|job| reach(now, job));
    cures(
        store,
        recorded,
        replay,
        (subject.depth, kept_from),
        &mut || {
            bar.inc(1);
        },
    )
}

/// The cures for the folders that a ledger lacks, and that are not taken over: what can't be, and what
/// others hold that it has.
fn in_the_way(found: &Unrecorded, folders: &Folders) -> Vec<Cure> {
    let left = found.left.iter();
    let mut all: Vec<Cure> = left
        .map(|left| Cure::Unrecorded(left.folder.clone(), left.why.clone()))
        .collect();
    let told = found.left.iter().map(|left| left.folder.as_str());
    let recorded = folders.recorded().iter();
    let adopted = found.adopted.iter();
    let known: HashSet<&str> = told
        .chain(recorded.map(|known| known.archived.folder.as_str()))
        .chain(adopted.map(|one| one.published.archived().folder.as_str()))
        .collect();
    let doubled = found.published.iter();
    let doubled = doubled.filter(|folder| !known.contains(folder.as_str()));
    all.extend(doubled.map(|folder| Cure::Unrecorded(folder.clone(), DOUBLED.to_owned())));
    all
}
