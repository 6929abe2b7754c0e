//! `hold` and `release`: a legal hold keeps the data of a span, whatever a rule says. The order lies beside the ledger,
//! counts at once, and is recorded by whoever has the ledger next. Carries *Atomic* and *Candid*.

use super::Context;
use super::exit::Stop;
use super::holdings::span;
use super::identity;
use super::print::{count, print_fitted};
use super::retired::{retired, subjects};
use super::session::{disk, store};
use super::user::refuse_another;
use crate::archive::prune;
use crate::archive::storage::Local;
use crate::config::Config;
use crate::domain::hold::{Hold, HoldOrder, Holds, check_reason};
use crate::domain::job::JobName;
use crate::domain::span::Span;
use crate::durable::Disk;
use crate::job::prune::project_of;
use crate::ledger::folders::Folders;
use crate::ledger::orders::Orders;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, LedgerError, orders, pruning};
use crate::printable;

/// Holds a span of a job's project.
pub(super) fn hold(
    context: &Context<'_>,
    job: &str,
    bounds: (&str, &str),
    reason: &str,
) -> Result<(), Stop> {
    let asked = Asked::read(context, job, bounds)?;
    check_reason(reason).map_err(|why| Stop::usage(&format!("--reason: {why}")))?;
    let (name, span) = (&asked.subject.name, asked.span);
    let hold = Hold {
        span,
        reason: reason.to_owned(),
    };
    let is_known = asked.hold(&hold)?;
    let mut text = format!(
        "{name}: {} from {} until {}\n",
        if is_known {
            "was held already, for this reason,"
        } else {
            "held"
        },
        span.from(),
        span.to()
    );
    for gone in asked.gone()? {
        text += &format!("  {gone}\n");
    }
    print_fitted(&text, 4)
}

/// Ends a hold.
pub(super) fn release(
    context: &Context<'_>,
    job: &str,
    bounds: (&str, &str),
    reason: Option<&str>,
) -> Result<(), Stop> {
    let asked = Asked::read(context, job, bounds)?;
    let (name, span) = (&asked.subject.name, asked.span);
    let replay = asked.known(&asked.subject)?;
    let named = replay.holds.named(span, reason);
    let hold = match named.as_slice() {
        [hold] => (*hold).clone(),
        [] => return Err(Stop::usage(&none(name, &replay))),
        several => {
            let reasons: Vec<String> = several
                .iter()
                .map(|hold| format!("'{}'", printable::whole(&hold.reason)))
                .collect();
            return Err(Stop::usage(&format!(
                "several holds of {name} have exactly this span; say which with --reason: {}",
                reasons.join(", ")
            )));
        }
    };
    let told = format!(
        "{name}: released from {} until {}: {}\n",
        span.from(),
        span.to(),
        printable::whole(&hold.reason)
    );
    asked.release(hold)?;
    print_fitted(&told, 4)
}

/// That no hold has the span, and which there are.
fn none(name: &JobName, replay: &Replay) -> String {
    let all: Vec<String> = replay
        .holds
        .all()
        .map(|hold| {
            format!(
                "\n  from {} until {}: {}",
                hold.span.from(),
                hold.span.to(),
                printable::whole(&hold.reason)
            )
        })
        .collect();
    match all.as_slice() {
        [] => format!("there is no hold of {name}"),
        all => format!(
            "no hold of {name} has exactly this span (and this reason); there are:{}",
            all.concat()
        ),
    }
}

/// A job, and its project where that is known.
struct Subject {
    name: JobName,
    project_id: Option<i64>,
}

/// What is to be held or released.
struct Asked {
    config: Config,
    disk: Disk,
    subject: Subject,
    span: Span,
}

impl Asked {
    fn read(context: &Context<'_>, job: &str, bounds: (&str, &str)) -> Result<Self, Stop> {
        let config = context.config()?;
        refuse_another(context, &config)?;
        if let Some(why) = identity::refusal(&config) {
            return Err(Stop::failed(why));
        }
        let (jobs, gone) = subjects(context, &config, &[job.to_owned()])?;
        let names = jobs.into_iter().map(|job| job.name).chain(gone);
        let name = names.last().ok_or_else(|| Stop::usage(&"give a job"))?;
        Ok(Self {
            span: span(bounds, Some(&config.archive.zone))?,
            disk: disk(&config),
            subject: subject(&config, name)?,
            config,
        })
    }

    /// What the ledger of a job, the orders beside it and those in the archive show.
    fn known(&self, subject: &Subject) -> Result<Replay, Stop> {
        let mut replay = glance(&self.config, &subject.name)?;
        let ledger = Ledger::path(&self.config.state_dir, &subject.name);
        let archive = (self.config.archive.root.as_path(), subject.project_id);
        orders::count_at_once(&ledger, archive, &mut replay).map_err(|error| failed(&error))?;
        Ok(replay)
    }

    /// All jobs of the same project: one may go on from another.
    fn of_project(&self) -> Result<Vec<Subject>, Stop> {
        let here = self.config.jobs.iter().map(|job| job.name.clone());
        let gone = retired(&self.config).map_err(Stop::failed)?;
        let mut all = Vec::new();
        for name in here.chain(gone) {
            // What is wrong with another job's ledger, others say.
            let Ok(other) = subject(&self.config, name) else {
                continue;
            };
            let is_same = other.project_id.is_some() && other.project_id == self.subject.project_id;
            if is_same || other.name == self.subject.name {
                all.push(other);
            }
        }
        Ok(all)
    }

    /// Where the archive keeps the orders of the project.
    fn kept(&self) -> Option<Orders> {
        let project = self.subject.project_id;
        project.map(|project| Orders::of_project(&self.config.archive.root, project))
    }

    fn beside(&self, name: &JobName) -> Orders {
        Orders::beside(&Ledger::path(&self.config.state_dir, name))
    }

    /// Leaves a hold in the archive, and beside the job's ledger, where it is not known yet. Returns whether it was.
    fn hold(&self, hold: &Hold) -> Result<bool, Stop> {
        let has = |holds: &Holds| !holds.named(hold.span, Some(&hold.reason)).is_empty();
        let order = HoldOrder::Hold(hold.clone());
        let mut is_known = true;
        // The archive's first: a prune that is under way looks there before each window.
        if let Some(kept) = self.kept()
            && !has(&kept.holds().map_err(|error| failed(&error))?)
        {
            kept.leave(&order, &self.disk)
                .map_err(|error| failed(&error))?;
            is_known = false;
        }
        let beside = self.beside(&self.subject.name);
        let mut recorded = glance(&self.config, &self.subject.name)?.holds;
        let left = beside.left().map_err(|error| failed(&error))?;
        left.iter().for_each(|left| recorded.take(&left.order));
        if !has(&recorded) {
            beside
                .leave(&order, &self.disk)
                .map_err(|error| failed(&error))?;
            is_known = false;
        }
        Ok(is_known)
    }

    /// Leaves a release beside the ledgers of the project's jobs, and in the archive.
    fn release(&self, hold: Hold) -> Result<(), Stop> {
        let order = HoldOrder::Release(hold);
        let jobs = self.of_project()?;
        let beside = jobs.iter().map(|job| self.beside(&job.name));
        // The archive's last: until then it is held.
        for orders in beside.chain(self.kept()) {
            orders
                .leave(&order, &self.disk)
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// What is to be told of data in the span that are not there any more, or may go all the same.
    fn gone(&self) -> Result<Vec<String>, Stop> {
        let mut told = Vec::new();
        for Subject { name, .. } in self.of_project()? {
            let ledger = Ledger::path(&self.config.state_dir, &name);
            let is_pruning = pruning::begun(&ledger).map_err(|error| failed(&error))?;
            let mut folders = Folders::default();
            Ledger::read(&self.config.state_dir, &name, |line| folders.take(line))
                .map_err(|error| failed(&error))?;
            let recorded = folders.recorded().iter().filter(|known| known.is_pruned);
            let storage = Local::at(&self.config.archive.root);
            let gone = recorded.filter(|known| {
                let window = known.archived.window.span();
                window.intersection(self.span).is_some()
                    && prune::is_pruned(&storage, &known.archived.folder)
            });
            match gone.count() as u64 {
                0 => {}
                gone => told.push(format!(
                    "the data of {} of {name} in it were let go of before; a copy elsewhere may have them",
                    count(gone, "folder")
                )),
            }
            if is_pruning.is_some() {
                told.push(format!(
                    "a prune of {name} is under way; the window that it removes just now goes all the same, the others stay"
                ));
            }
        }
        Ok(told)
    }
}

fn failed(error: &LedgerError) -> Stop {
    Stop::failed(error.to_string())
}

fn glance(config: &Config, name: &JobName) -> Result<Replay, Stop> {
    Ledger::glance(&config.state_dir, name).map_err(|error| failed(&error))
}

fn subject(config: &Config, name: JobName) -> Result<Subject, Stop> {
    let replay = glance(config, &name)?;
    let configured = config.jobs.iter().find(|job| job.name == name);
    let store = store(config, &Disk::default());
    Ok(Subject {
        project_id: project_of(&store, &name, &replay, configured),
        name,
    })
}
