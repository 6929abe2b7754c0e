//! `hold` and `release`: a legal hold keeps the data of a span, whatever a rule says. The order lies beside the ledger,
//! counts at once, and is recorded by whoever has the ledger next. Carries *Atomic* and *Candid*.

use super::Context;
use super::exit::Stop;
use super::holdings::span;
use super::identity;
use super::print::{count, print_fitted};
use super::retired::subjects;
use crate::config::Config;
use crate::domain::hold::{Hold, HoldOrder, check_reason};
use crate::domain::job::JobName;
use crate::domain::span::Span;
use crate::durable::Disk;
use crate::ledger::folders::Folders;
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, orders, pruning};
use crate::printable;

/// Holds a span of a job.
pub(super) fn hold(
    context: &Context<'_>,
    job: &str,
    bounds: (&str, &str),
    reason: &str,
) -> Result<(), Stop> {
    let (config, name, span) = read(context, job, bounds)?;
    check_reason(reason).map_err(|why| Stop::usage(&format!("--reason: {why}")))?;
    let hold = Hold {
        span,
        reason: reason.to_owned(),
    };
    leave(&config, &name, &HoldOrder::Hold(hold))?;
    let mut text = format!("{name}: held from {} until {}\n", span.from(), span.to());
    // After it is durable: a prune that begins now sees it.
    let ledger = Ledger::path(&config.state_dir, &name);
    let is_pruning =
        pruning::begun_after(&ledger).map_err(|error| Stop::failed(error.to_string()))?;
    let gone = gone(&config, &name, span)?;
    if gone > 0 {
        text += &format!(
            "  the data of {} in it were let go of before; a copy elsewhere may have them\n",
            count(gone, "window")
        );
    }
    if is_pruning.is_some() {
        text += "  a prune is under way, which may have begun before this hold: ask `elsa-archiver status` once it has \
                 ended\n";
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
    let (config, name, span) = read(context, job, bounds)?;
    let replay = known(&config, &name)?;
    let named = replay.holds.named(span, reason);
    let hold = match named.as_slice() {
        [hold] => (*hold).clone(),
        [] => return Err(Stop::usage(&none(&name, &replay))),
        several => {
            let reasons: Vec<String> = several
                .iter()
                .map(|hold| format!("{:?}", printable::whole(&hold.reason)))
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
    leave(&config, &name, &HoldOrder::Release(hold))?;
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

fn read(
    context: &Context<'_>,
    job: &str,
    bounds: (&str, &str),
) -> Result<(Config, JobName, Span), Stop> {
    let config = context.config()?;
    if let Some(why) = identity::refusal(&config) {
        return Err(Stop::failed(why));
    }
    let (jobs, gone) = subjects(context, &config, &[job.to_owned()])?;
    let names = jobs.into_iter().map(|job| job.name).chain(gone);
    let name = names.last().ok_or_else(|| Stop::usage(&"give a job"))?;
    let span = span(bounds, Some(&config.archive.zone))?;
    Ok((config, name, span))
}

/// What the ledger and the orders beside it show.
fn known(config: &Config, name: &JobName) -> Result<Replay, Stop> {
    let ledger = Ledger::path(&config.state_dir, name);
    let mut replay =
        Ledger::glance(&config.state_dir, name).map_err(|error| Stop::failed(error.to_string()))?;
    orders::count_at_once(&ledger, &mut replay).map_err(|error| Stop::failed(error.to_string()))?;
    Ok(replay)
}

fn leave(config: &Config, name: &JobName, order: &HoldOrder) -> Result<(), Stop> {
    let ledger = Ledger::path(&config.state_dir, name);
    orders::leave(&ledger, order, &Disk::default()).map_err(|error| Stop::failed(error.to_string()))
}

/// How many windows of `span` are archived whose data were let go of.
fn gone(config: &Config, name: &JobName, span: Span) -> Result<u64, Stop> {
    let mut folders = Folders::default();
    let replay = Ledger::read(&config.state_dir, name, |line| folders.take(line))
        .map_err(|error| Stop::failed(error.to_string()))?;
    let recorded = folders.recorded().iter();
    let gone = recorded.filter(|known| {
        let window = known.archived.window.span();
        let is_newest = replay.is_newest(&known.archived);
        is_newest && replay.pruned.covers(window) && window.intersection(span).is_some()
    });
    Ok(gone.count() as u64)
}
