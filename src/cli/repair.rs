//! `repair`: the cure for what `verify` finds. Shows what it would do, and does it with `--confirm`. Carries
//! *Curable*.

use std::fmt::Write as _;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::lineage::Lineage;
use super::print::{count, print_fitted};
use super::retired::retired;
use super::session::{chosen, disk, lock, store};
use super::user::refuse_another;
use crate::archive::adopt::{Found, Known, adopt};
use crate::archive::publish::Archived;
use crate::archive::repair::{DAMAGED, Remedy};
use crate::archive::store::Store;
use crate::config::Config;
use crate::domain::identity::Verdict;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::reach;
use crate::domain::span::UtcMs;
use crate::job::repair::{Cure, cure, cures, take_over};
use crate::ledger::Ledger;
use crate::ledger::folders::Folders;
use crate::ledger::replay::Replay;
use crate::printable;

/// Shows what would cure the jobs named, or all; with `confirm`, does it.
pub(super) fn repair(context: &Context<'_>, names: &[String], confirm: bool) -> Result<(), Stop> {
    let config = context.config()?;
    let (jobs, gone) = subjects(context, &config, names)?;
    let (disk, now) = (disk(&config), context.clock.now());
    if confirm {
        refuse_another(context, &config)?;
    }
    let bound = binding(&config)?;
    let mut store = store(&config, &disk);
    if confirm {
        lock(&config, &disk)?;
        let id = identity::bind_anew(&config, now, &disk).map_err(Stop::failed)?;
        store = store.bound_to(id);
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
        let subject = Subject { name, job };
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

/// The jobs that were named, or all: those of the config, and those that it has no more.
fn subjects(
    context: &Context<'_>,
    config: &Config,
    names: &[String],
) -> Result<(Vec<Job>, Vec<JobName>), Stop> {
    let mut gone = retired(config).map_err(Stop::failed)?;
    if names.is_empty() {
        return Ok((config.jobs.clone(), gone));
    }
    gone.retain(|gone| names.iter().any(|name| name == gone.as_str()));
    let is_here = |name: &&String| gone.iter().all(|gone| gone.as_str() != *name);
    let here: Vec<String> = names.iter().filter(is_here).cloned().collect();
    let jobs = match here.is_empty() {
        true => Vec::new(),
        false => chosen(config, &here, &context.args.config)?,
    };
    Ok((jobs, gone))
}

/// A job that is repaired.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'a JobName,
    /// `None` of one that the config has no more: nothing is asked for it.
    job: Option<&'a Job>,
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
        Self {
            is_ill: true,
            told: format!("{job}: {why}\n"),
            ..Self::default()
        }
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
    let found = match unrecorded(store, subject, &replay) {
        Ok(found) => found,
        Err(error) => return Ended::ill(job, &error),
    };
    let cures = all_cures(context, store, job, &folders, &replay, &found);
    let now = context.clock.now();
    let mut ended = Ended {
        found: !cures.is_empty(),
        ..Ended::default()
    };
    if ended.found {
        let _ = writeln!(ended.told, "{job}: {}", number_of(&cures));
    }
    for cure in &cures {
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
    let mut found = match unrecorded(store, subject, ledger.replay()) {
        Ok(found) => found,
        Err(error) => return Ended::ill(job, &error),
    };
    match take_over(&mut ledger, job, std::mem::take(&mut found.adopted)) {
        Ok(done) => {
            ended.found = !done.is_empty();
            for done in done {
                let _ = writeln!(ended.told, "{done}");
            }
        }
        Err(why) => return Ended::ill(job, &why),
    }
    let mut folders = Folders::default();
    if let Err(error) = Ledger::read(&config.state_dir, job, |line| folders.take(line)) {
        return Ended::ill(job, &error);
    }
    for one in all_cures(context, store, job, &folders, ledger.replay(), &found) {
        ended.found = true;
        match cure(store, &mut ledger, one) {
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
    ended
}

fn unrecorded(store: &Store, subject: Subject<'_>, replay: &Replay) -> Result<Found, String> {
    let known = Known {
        coverage: &replay.coverage,
        revisions: &replay.revisions,
        last_manifest: replay.last_manifest,
    };
    let recorded = replay.settings.as_ref().map(|settings| settings.project_id);
    let project = subject.job.map(|job| job.project_id).or(recorded);
    adopt(store, subject.name, project, known).map_err(|error| error.to_string())
}

fn all_cures(
    context: &Context<'_>,
    store: &Store,
    job: &JobName,
    folders: &Folders,
    replay: &Replay,
    found: &Found,
) -> Vec<Cure> {
    let recorded = folders.recorded();
    let bar = context.terminal.bar(job.as_str(), recorded.len() as u64);
    let mut all = cures(store, recorded, replay, &mut || bar.inc(1));
    let in_the_way = found.unrecorded.iter();
    all.extend(in_the_way.map(|left| Cure::Unrecorded(left.folder.clone(), left.why.clone())));
    all
}

fn number_of(cures: &[Cure]) -> String {
    let of = |is: &dyn Fn(&Cure) -> bool| cures.iter().filter(|cure| is(cure)).count() as u64;
    let numbers = [
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::RecordMissing))),
            "missing",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::SetAside(_)))),
            "damaged",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::Tidy { .. }))),
            "whole, with what does not belong to it",
        ),
        (
            of(&|cure| matches!(cure, Cure::Folder(_, Remedy::Leave(_)))),
            "not known",
        ),
        (of(&|cure| matches!(cure, Cure::TakeBack(_))), "back"),
        (
            of(&|cure| matches!(cure, Cure::Unrecorded(..))),
            "in the way",
        ),
    ];
    let told: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number, "folder")))
        .collect();
    told.join(", ")
}

/// What would be done for a folder.
fn words(cure: &Cure, subject: Subject<'_>, replay: &Replay, now: UtcMs) -> String {
    let text = match cure {
        Cure::Folder(known, Remedy::RecordMissing) => format!(
            "{}: is missing; {}",
            known.archived.folder,
            due_again(&known.archived, subject, replay, now)
        ),
        Cure::Folder(known, Remedy::SetAside(why)) => format!(
            "{why}; the folder would be moved to {DAMAGED}; {}",
            due_again(&known.archived, subject, replay, now)
        ),
        Cure::Folder(known, Remedy::Tidy { added, sums }) => {
            let mut what = Vec::new();
            if !added.is_empty() {
                what.push(format!("{} would be moved to {DAMAGED}", added.join(", ")));
            }
            if *sums {
                what.push("SHA256SUMS would be written again".to_owned());
            }
            format!("{}: {}", known.archived.folder, what.join("; "))
        }
        Cure::Folder(_, Remedy::Leave(why)) => format!("{why}; nothing would be done with it"),
        Cure::Folder(known, Remedy::Nothing) => known.archived.folder.clone(),
        Cure::TakeBack(known) => {
            format!("{}: is back, and would count again", known.archived.folder)
        }
        Cure::Unrecorded(folder, why) => format!(
            "{folder}: is in the way, since the ledger lacks it and it can't be adopted ({why}); it \
             would be moved to {DAMAGED}"
        ),
    };
    printable::whole(&text).to_string()
}

/// What becomes of a window whose folder is gone.
fn due_again(gone: &Archived, subject: Subject<'_>, replay: &Replay, now: UtcMs) -> String {
    if !replay.is_newest(gone) {
        return "a later folder of its window supersedes it".to_owned();
    }
    let Some(job) = subject.job else {
        return "nothing is asked for a job that the configuration has no more: a copy's folder is the \
                only cure"
            .to_owned();
    };
    let is_past = reach(now, job).is_some_and(|edge| gone.window.to() <= edge);
    match is_past {
        true => {
            "its window would be asked for once more, though the service may have forgotten it; a \
                 copy's folder is the better cure"
                .to_owned()
        }
        false => "its window would be due again".to_owned(),
    }
}
