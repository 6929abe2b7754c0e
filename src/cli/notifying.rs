//! Who is told what happens, by the configuration: `[notify]` is read, looked at, and put in force. Carries
//! *Suspicious*: of an address the host alone is shown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::Context;
use super::place::{is_open_to_all, told};
use super::session::{Place, Session};
use crate::config::{Address, Config, Environment, Line, Notify, Problem};
use crate::domain::job::{Job, JobName};
use crate::domain::standing::Standing;
use crate::job::Mode;
use crate::notify::{self, Notifier, Places};

/// Whoever tells, for the archive of a configuration.
pub(super) fn notifier(context: &Context<'_>, config: &Config) -> Arc<Notifier> {
    let (clock, archive) = (context.clock.clone(), &config.archive);
    Notifier::new(clock, archive.zone.clone(), archive.root.clone())
}

/// Where the receivers are, and what is wrong with those that are left out.
pub(super) fn places(config: &Config, environment: &Environment) -> (Places, Vec<Problem>) {
    let (mut places, mut wrong) = (Places::default(), Vec::new());
    let Some(notify) = &config.notify else {
        return (places, wrong);
    };
    let [ping, webhook, _] = &notify.lines;
    let mut read = |address: &Option<Address>, key: &str, line: &Line| {
        let read = address.as_ref()?.read(environment);
        read.map_err(|message| wrong.push(problem(line, key, message)))
            .ok()
    };
    places.ping = read(&notify.ping, "ping", ping);
    places.webhook = read(&notify.webhook, "webhook", webhook);
    places.on_archived.clone_from(&notify.on_archived);
    (places, wrong)
}

/// Begins to tell. What can't be told by is logged and left out: windows are archived all the same.
pub(super) fn begin(context: &Context<'_>, config: &Config, notifier: &Notifier) {
    let (places, wrong) = places(config, &Context::environment());
    go_by(context, places, wrong, notifier);
}

/// The same for a command that archives once. A span or a job that somebody archives by hand says nothing of what the
/// schedule would, so the switch hears of `once` for all jobs alone.
pub(super) fn begin_once(
    context: &Context<'_>,
    (config, jobs): (&Config, &[Job]),
    (notifier, session, place): (&Notifier, &Session, &Place),
    mode: Mode,
) {
    let (mut places, wrong) = places(config, &Context::environment());
    let is_chosen = |job: &Job| jobs.iter().any(|chosen| chosen.name == job.name);
    let is_all = config.jobs.iter().filter(|job| job.enabled).all(is_chosen);
    places
        .ping
        .take_if(|_| !is_all || !matches!(mode, Mode::Once));
    go_by(context, places, wrong, notifier);
    notifier.is_of(place.id());
    let enabled = jobs.iter().filter(|job| job.enabled);
    notifier.is_about(&enabled.map(|job: &Job| job.name.clone()).collect());
    for broken in &session.broken {
        let name: &JobName = &broken.name;
        let standing = Standing::stopped(broken.why.clone(), broken.covered_until);
        notifier.is_out(name, &standing);
    }
}

fn go_by(context: &Context<'_>, places: Places, wrong: Vec<Problem>, notifier: &Notifier) {
    if let Some(wrong) = told(&context.args.config, wrong) {
        tracing::error!("not everybody is told what happens: {wrong}");
    }
    if let Err(why) = notifier.goes_by(places) {
        tracing::error!("notify: no address is told anything: {why}");
    }
}

/// What may be meant, and mostly is not.
pub(super) fn warnings(config: &Config, path: &Path, environment: &Environment) -> Vec<Problem> {
    let Some(notify) = &config.notify else {
        return Vec::new();
    };
    let [ping, webhook, _] = &notify.lines;
    let addresses = [
        ("ping", ping, &notify.ping),
        ("webhook", webhook, &notify.webhook),
    ];
    let open = addresses.into_iter().filter_map(|(key, line, address)| {
        let file = match address.as_ref()? {
            Address::Given(_) => path.to_owned(),
            kept @ Address::Kept(_) => kept.file(environment)?,
        };
        let shown = file.display();
        let message = format!(
            "everybody on this machine can read the address in {shown}, and can tell it what is not true; take that \
             away with `chmod 640 {shown}`, and give the file the group of the user that archives"
        );
        is_open_to_all(&file).then(|| problem(line, key, message))
    });
    open.chain(program_is_there(notify, environment)).collect()
}

/// Tries the receivers out that may be. Returns whether all is well, and what to say of each.
pub(super) async fn try_out(context: &Context<'_>, config: &Config) -> (bool, Vec<String>) {
    let (places, wrong) = places(config, &Context::environment());
    let mut told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let mut is_well = told.is_empty();
    if let Some(ping) = places.ping {
        told.push(format!(
            "notify.ping: {ping} was told nothing: it would take a test for the truth"
        ));
    }
    if let Some(webhook) = places.webhook {
        let shown = webhook.to_string();
        let tried = notify::try_out(webhook, &context.clock, &config.archive.zone).await;
        is_well &= tried.is_ok();
        told.push(match tried {
            Ok(()) => {
                format!("notify.webhook: {shown} takes events; it got one that is called `test`")
            }
            Err(why) => format!("notify.webhook: {why}"),
        });
    }
    (is_well, told)
}

/// Whether the program of `notify.on_archived` can be run by this user.
fn program_is_there(notify: &Notify, environment: &Environment) -> Option<Problem> {
    let [.., line] = &notify.lines;
    let name = notify.on_archived.as_ref()?.first()?;
    let found = candidates(name, environment.path());
    let may = |path: &PathBuf| {
        path.is_file() && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    };
    if found.iter().any(may) {
        return None;
    }
    let message = match found.iter().find(|path| path.is_file()) {
        Some(path) => format!(
            "{} can't be executed by this user; `chmod +x` it, or check as the user that archives",
            path.display()
        ),
        None => "there is no such program; give its whole path".to_owned(),
    };
    Some(problem(line, "on_archived", message))
}

fn candidates(name: &str, path: Option<&OsStr>) -> Vec<PathBuf> {
    match name.contains('/') {
        true => vec![Path::new(name).to_owned()],
        false => std::env::split_paths(path.unwrap_or_default())
            .map(|folder| folder.join(name))
            .collect(),
    }
}

fn problem(line: &Line, key: &str, message: String) -> Problem {
    line.problem(format!("notify.{key}"), message)
}
