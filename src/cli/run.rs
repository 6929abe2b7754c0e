//! `run`, `once` and `backfill`: the commands that archive.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::exit::Stop;
use super::head;
use super::notifying;
use super::print::{count, grouped, print_fitted};
use super::progress::{All, Bars};
use super::reload::{Current, Shown, max_lag};
use super::session::{Place, Session, chosen};
use super::signing;
use super::timestamping;
use super::unset_clock;
use super::{Context, made_ready};
use crate::config::{Config, instant};
use crate::daemon;
use crate::daemon::heads::Maker;
use crate::daemon::systemd::{self, Systemd};
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::plan::{plan, plan_of};
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::evidence::making::When;
use crate::job::{JobRunner, Mode, Outcome, Pace, Progress, prove};
use crate::observe::{self, Observing, Watch};

/// The daemon.
pub(super) fn run(context: &Context<'_>) -> Result<(), Stop> {
    let served = serve(context);
    if let Err(stop) = &served {
        systemd::ending(stop.message());
    }
    served
}

fn serve(context: &Context<'_>) -> Result<(), Stop> {
    let Some(config) = unset_clock::config(context)?.map(made_ready) else {
        return Ok(());
    };
    warn_where_none_is_enabled(context, &config.jobs);
    let systemd = Systemd::default();
    let (max_lag, clock) = (max_lag(&config), context.clock.clone());
    let watch = Arc::new(Watch::new(&config.jobs, max_lag, clock));
    let notifier = notifying::notifier(context, &config);
    watch.counts(notifier.tally());
    let shown = Shown {
        systemd: systemd.clone(),
        watch: Arc::clone(&watch),
        notifier: Arc::clone(&notifier),
        heads: Arc::default(),
        signs: Arc::default(),
        stamps: Arc::default(),
    };
    shown.stamps.goes_by(timestamping::authority(&config));
    shown.signs.goes_by(signing::of_daemon(context, &config));
    let progress = shown.all();
    Context::block_on(async {
        notifying::begin(context, &config, &notifier);
        // One that comes before the jobs begin is kept.
        let hangups = daemon::signals::hangups()
            .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
        if let Some(within) = systemd::watchdog() {
            tokio::spawn(feed_watchdog(Arc::clone(&watch), within / 2));
        }
        let opened = Session::open(context, &config, &config.jobs, &progress)?;
        let (session, place, clients) = opened;
        if let (true, Some(first)) = (session.runners.is_empty(), session.broken.first()) {
            return Err(Stop::failed(format!(
                "no job can run; the log says why of each: {} ({})",
                first.name, first.why
            )));
        }
        let observing = observe(&config, watch)?;
        let stop_heads = CancellationToken::new();
        let maker = maker(context, &config, &place, &shown);
        let heads = tokio::spawn(maker.run(stop_heads.clone()));
        let with = (place.id(), place.disk());
        let stamper = timestamping::stamper(context, &config, with, &shown.stamps);
        let stamps = tokio::spawn(stamper.run(stop_heads.clone()));
        let (zone, clock) = (config.archive.zone.clone(), context.clock.clone());
        let mut current = Current::of(context, config, (place, clients), (shown, observing));
        let runners = current.told(session);
        let served = daemon::serve(runners, &mut current, (zone, clock), (systemd, hangups)).await;
        stop_heads.cancel();
        // One that is being written is whole, or not there.
        let _ = tokio::join!(heads, stamps);
        notifier.end().await;
        served.map_err(|error| Stop::failed(error.to_string()))
    })
}

/// What makes heads of what the jobs show.
fn maker(context: &Context<'_>, config: &Config, place: &Place, shown: &Shown) -> Maker {
    Maker {
        shown: Arc::clone(&shown.heads),
        signs: Arc::clone(&shown.signs),
        stamps: Arc::clone(&shown.stamps),
        store: place.store(config),
        id: place.id().clone(),
        state_dir: config.state_dir.clone(),
        disk: place.disk().clone(),
        clock: context.clock.clone(),
        zone: config.archive.zone.clone(),
    }
}

/// Tells systemd that the daemon is well for as long as no cycle hangs. A runtime that stands still does not tell it.
async fn feed_watchdog(watch: Arc<Watch>, every: Duration) {
    loop {
        if watch.makes_progress() {
            systemd::alive();
        }
        sleep(every).await;
    }
}

/// Tells whoever asks how the jobs go, until what is returned is dropped.
fn observe(config: &Config, watch: Arc<Watch>) -> Result<Observing, Stop> {
    let mut observing =
        Observing::start(watch, config.archive.root.clone(), config.state_dir.clone());
    if let Some(observe) = &config.observe {
        let bound = observe.listen.map(observe::bind).transpose();
        let bound = bound.map_err(|error| Stop::failed(error.to_string()))?;
        let answered = observing.answer_on(bound);
        answered
            .map_err(|error| Stop::failed(format!("can't listen (observe.listen): {error}")))?;
        observing.write_to(observe.textfile.clone());
    }
    Ok(observing)
}

/// Archives everything due now.
pub(super) fn once(context: &Context<'_>, names: &[String]) -> Result<(), Stop> {
    let config = context.config_as_written()?;
    let jobs = chosen(&config, names, &context.args.config)?;
    if let Some(job) = jobs.iter().find(|job| !job.enabled && !names.is_empty()) {
        return Err(Stop::usage(&format!(
            "the job {} is not enabled in {}; remove `enabled = false` there, or archive a span of it with \
             `elsa-archiver backfill --job {} --from T --to T`",
            job.name,
            context.args.config.display(),
            job.name
        )));
    }
    warn_where_none_is_enabled(context, &jobs);
    archive(context, &config, &jobs, plan, Mode::Once)
}

fn warn_where_none_is_enabled(context: &Context<'_>, jobs: &[Job]) {
    if jobs.iter().all(|job| !job.enabled) {
        tracing::warn!(
            "no job is enabled in {}, so nothing is archived; remove `enabled = false` where a job is to run",
            context.args.config.display()
        );
    }
}

/// How a span is archived.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Whether what is archived of it is asked for once more.
    pub is_again: bool,
    /// Whether the newest window comes first.
    pub is_newest_first: bool,
}

/// Archives the uncovered windows of a span, and where it is asked for the others once more.
pub(super) fn backfill(
    context: &Context<'_>,
    name: &str,
    (from, to): (&str, &str),
    how: How,
) -> Result<(), Stop> {
    let config = context.config_as_written()?;
    let jobs = chosen(&config, &[name.to_owned()], &context.args.config)?;
    let read = |option: &str, text: &str| {
        instant(text, &config.archive.zone)
            .map_err(|why| Stop::usage(&format!("--{option} {text:?} {why}")))
    };
    let span = Span::new(read("from", from)?, read("to", to)?)
        .ok_or_else(|| Stop::usage(&"--from must be before --to"))?;
    // A job that is named is archived even if it is not enabled.
    let jobs: Vec<Job> = jobs
        .into_iter()
        .map(|job| Job {
            enabled: true,
            ..job
        })
        .collect();
    archive(
        context,
        &config,
        &jobs,
        move |now: UtcMs, coverage: &Coverage, owed: &[Span], job: &Job| {
            let mut due = plan_of(now, coverage, owed, job, span);
            if how.is_newest_first {
                due.reverse();
            }
            due
        },
        match how.is_again {
            true => Mode::Again(span),
            false => Mode::Backfill,
        },
    )
}

fn archive(
    context: &Context<'_>,
    config: &Config,
    jobs: &[Job],
    plan: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window> + Clone + Send + Sync + 'static,
    mode: Mode,
) -> Result<(), Stop> {
    let notifier = notifying::notifier(context, config);
    let shown = Arc::new(daemon::heads::Shown::default());
    let progress: Arc<dyn Progress> = Arc::new(All(vec![
        Bars::new(context.terminal),
        Arc::clone(&shown) as Arc<dyn Progress>,
        Arc::clone(&notifier) as Arc<dyn Progress>,
    ]));
    let (outcomes, broken, stopped) = Context::block_on(async {
        let (session, place, _) = Session::open(context, config, jobs, &progress)?;
        notifying::begin_once(context, (config, jobs), (&notifier, &session, &place), mode);
        let stop = CancellationToken::new();
        let signals = daemon::signals::stop_on_signal(&stop)
            .map_err(|error| Stop::failed(format!("can't listen for signals: {error}")))?;
        let proofs = session.runners.iter().map(JobRunner::proof).collect();
        let clock = context.clock.clone();
        // While the service is waited for. This process may be the only one of the day.
        let proven = prove(proofs, clock, Pace::AtOnce, stop.clone(), |_| {});
        let archived = all_once(session.runners, plan, mode, &stop);
        let (outcomes, damaged) = tokio::join!(archived, proven);
        context.terminal.clear();
        let when = match mode {
            Mode::Backfill | Mode::Again(_) => When::Changed,
            Mode::Once | Mode::Daemon => When::Due,
        };
        let with = (place.id(), place.disk());
        head::after(context, config, with, (&shown.jobs(), when));
        // A signal from here on stops what is archived no more.
        let stopped = stop.is_cancelled();
        let stamped = timestamping::after(context, config, &place);
        let stamped = stop.run_until_cancelled(stamped);
        tokio::join!(stamped, notifier.finish(&stop));
        signals.abort();
        Ok((outcomes, session.broken.len() + damaged, stopped))
    })?;
    context.terminal.clear();
    print_fitted(&summary(&outcomes), 0)?;
    if stopped {
        return Err(Stop::failed(
            "stopped by a signal; run it again to go on where it was",
        ));
    }
    if broken == 0 && outcomes.iter().all(|(_, outcome)| outcome.is_complete()) {
        Ok(())
    } else {
        Err(Stop::told())
    }
}

/// One cycle of each job, side by side. The accounts' bounds keep them apart. A job that had ended when
/// another one of its account found answers cut has a second cycle.
pub(super) async fn all_once(
    runners: Vec<JobRunner>,
    plan: impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window> + Clone + Send + Sync + 'static,
    mode: Mode,
    stop: &CancellationToken,
) -> Vec<(String, Outcome)> {
    let cycle = |mut runner: JobRunner| {
        let (plan, stop) = (plan.clone(), stop.clone());
        let name = runner.job().name.to_string();
        let cycle = tokio::spawn(async move {
            let outcome = runner.cycle(plan, mode, &stop).await;
            (runner, outcome)
        });
        (name, cycle)
    };
    let first: Vec<_> = runners.into_iter().map(cycle).collect();
    let mut ended = Vec::new();
    for (name, cycle) in first {
        ended.push((name, cycle.await));
    }
    let mut outcomes = Vec::new();
    for (name, first) in ended {
        let outcome = match first {
            Ok((runner, outcome)) if mode.rechecks() && runner.has_news() => {
                match cycle(runner).1.await {
                    Ok((runner, later)) => {
                        runner.close();
                        outcome.and(later)
                    }
                    Err(error) => died(&error),
                }
            }
            Ok((runner, outcome)) => {
                runner.close();
                outcome
            }
            Err(error) => died(&error),
        };
        outcomes.push((name, outcome));
    }
    outcomes
}

/// The outcome of a job whose task has panicked.
fn died(error: &JoinError) -> Outcome {
    Outcome {
        left: 1,
        error: Some(format!("the program failed within itself: {error}")),
        ..Outcome::default()
    }
}

/// The outcome of a cycle, one line for each job.
pub(super) fn summary(outcomes: &[(String, Outcome)]) -> String {
    let width = outcomes
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (name, outcome) in outcomes {
        text += &format!(
            "{name:width$}  {} archived",
            count(outcome.archived, "window")
        );
        if outcome.archived > 0 {
            text += &format!(", {}", count(outcome.records, "record"));
        }
        if outcome.lost > 0 {
            text += &format!(", {} lost", count(outcome.lost, "span"));
        }
        for (number, what) in [
            (outcome.truncated, "truncated"),
            (outcome.unproven, "unproven"),
            (outcome.left, "not archived"),
            (outcome.rechecked, "rechecked"),
            (outcome.revised, "of them published anew"),
            (outcome.unchecked, "not rechecked"),
        ] {
            if number > 0 {
                text += &format!(", {} {what}", grouped(number));
            }
        }
        if let Some(error) = &outcome.error {
            text += &format!("; last error: {error}");
        }
        text.push('\n');
    }
    text
}
