//! `head`: shows the newest head, or makes one; and the head that follows a command. Carries *Evident*.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use super::Context;
use super::exit::Stop;
use super::identity;
use super::print::{count, print_fitted};
use super::session::{Place, store};
use super::signing;
use super::timestamping;
use super::user::refuse_another;
use crate::archive::identity::{of_root, read};
use crate::config::Config;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::durable::Disk;
use crate::evidence::head::{Head, OfJob};
use crate::evidence::heads::{self, newest, relative};
use crate::evidence::making::{Making, When, make};
use crate::evidence::request::{end_request, is_requested, request};

/// How long whoever has the locks may take, in steps of `STEP`.
const STEPS: u32 = 300;
const STEP: Duration = Duration::from_millis(200);

/// Shows the newest head.
pub(super) fn show(context: &Context<'_>) -> Result<(), Stop> {
    let config = context.config()?;
    if let Some(why) = identity::refusal(&config) {
        return Err(Stop::failed(why));
    }
    match known(&config)? {
        Some(head) => print_fitted(&told(&config, &head), 2),
        None => Err(Stop::failed(
            "there is no head yet: `run` makes one each day, and `elsa-archiver head now` makes one now",
        )),
    }
}

/// Makes a head, or has whoever has the locks make it, and shows it.
pub(super) fn now(context: &Context<'_>) -> Result<(), Stop> {
    let config = context.config()?;
    let head = match Place::take(context, &config) {
        Ok(place) => {
            let none = BTreeMap::new();
            let with = (place.id(), place.disk());
            let made = made(context, &config, with, (&none, When::Now))?;
            Context::block_on(async {
                timestamping::after(context, &config, &place).await;
                Ok(())
            })?;
            made
        }
        Err(stop) if stop.is_held() => asked_for(context, &config)?,
        Err(stop) => return Err(stop),
    };
    let head = head.ok_or_else(|| Stop::failed("no head was made"))?;
    print_fitted(&told(&config, &head), 2)
}

/// Makes the head that follows a command which has changed the archive; its jobs have `shown` what is durable. Without one, the command has done what it was to
/// do all the same.
pub(super) fn after(
    context: &Context<'_>,
    config: &Config,
    with: (&ArchiveId, &Disk),
    (shown, when): (&BTreeMap<JobName, OfJob>, When),
) {
    if let Err(stop) = made(context, config, with, (shown, when)) {
        tracing::error!("no head of the archive was made: {}", stop.message());
    }
}

fn made(
    context: &Context<'_>,
    config: &Config,
    (id, disk): (&ArchiveId, &Disk),
    (shown, when): (&BTreeMap<JobName, OfJob>, When),
) -> Result<Option<Head>, Stop> {
    // Its disk may have gone meanwhile.
    let store = store(config, disk).bound_to(id.clone());
    let is_there = store.check_identity();
    is_there.map_err(|error| Stop::failed(error.to_string()))?;
    let signer = match signing::signer(config, &Context::environment()) {
        Ok(signer) => signer,
        // The daemon has the key, where systemd hands it over.
        Err(problem) => {
            request(&config.state_dir, disk).map_err(|error| Stop::failed(error.to_string()))?;
            return Err(Stop::failed(format!(
                "{problem}; the daemon makes and signs one when it runs"
            )));
        }
    };
    let with = Making {
        id,
        now: context.clock.now(),
        zone: &config.archive.zone,
        signer: &signer,
        disk,
    };
    let made = make(place(config), with, shown, when);
    made.map_err(|error| Stop::failed(error.to_string()))
}

/// Has the daemon make a head.
fn asked_for(context: &Context<'_>, config: &Config) -> Result<Option<Head>, Stop> {
    refuse_another(context, config)?;
    let disk = super::session::disk(config);
    let failed = |error: &dyn std::fmt::Display| Stop::failed(error.to_string());
    let before = known(config)?.map(|head| head.number);
    request(&config.state_dir, &disk).map_err(|error| failed(&error))?;
    let mut steps = 0..STEPS;
    while is_requested(&config.state_dir) {
        if steps.next().is_none() {
            end_request(&config.state_dir, &disk).map_err(|error| failed(&error))?;
            return Err(Stop::failed(
                "what has the archive made no head within a minute: the daemon makes one when it is asked, and other \
                 commands at their end",
            ));
        }
        sleep(STEP);
    }
    let head = known(config)?;
    match head.as_ref().map(|head| head.number) == before {
        false => Ok(head),
        true => Err(Stop::failed(
            "the daemon could not make a head; its log says why",
        )),
    }
}

/// The newest head.
fn known(config: &Config) -> Result<Option<Head>, Stop> {
    let id =
        read(&of_root(&config.archive.root)).map_err(|error| Stop::failed(error.to_string()))?;
    let Some(id) = id else { return Ok(None) };
    let newest =
        newest(place(config), &id, None).map_err(|error| Stop::failed(error.to_string()))?;
    if let Some(doubt) = newest.doubt {
        tracing::error!("{doubt}");
    }
    Ok(newest.head)
}

fn place(config: &Config) -> heads::Place<'_> {
    heads::Place {
        root: &config.archive.root,
        state_dir: &config.state_dir,
    }
}

fn told(config: &Config, head: &Head) -> String {
    let windows = head.jobs.values().map(|of_job| of_job.windows);
    format!(
        "{}\n  made {}, of {} with {}\n  SHA-256 {}\n  {}\n  To hold the archive against it later, keep it, or its SHA-256, \
         where this machine can't write: `elsa-archiver verify --head`\n",
        config.archive.root.join(relative(head.number)).display(),
        head.at,
        count(head.jobs.len() as u64, "job"),
        count(windows.fold(0, u64::saturating_add), "folder"),
        head.digest(),
        signing::told(config, head),
    )
}
