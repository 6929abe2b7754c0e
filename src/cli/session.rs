//! The start of `run`, `once` and `backfill`: the lock, the archive's root, a client for each
//! account and a runner for each job.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use strsim::normalized_damerau_levenshtein;

use super::Context;
use super::clients::Clients;
use super::exit::Stop;
use super::identity;
use super::ledgers::side_by_side;
use super::lineage::{Gone, Told, resolve_as_told, twice};
use super::place::{Findings, told};
use super::print::grouped;
use super::process;
use super::retired::{finish_pruning, rebuild};
use super::user::refuse_another;
use crate::archive::quarantine::Quarantine;
use crate::archive::store::{Store, tell_of};
use crate::config::{Config, nearest};
use crate::domain::identity::ArchiveId;
use crate::domain::job::{AccountName, Job, JobName};
use crate::domain::retry::Policy;
use crate::domain::span::UtcMs;
use crate::durable::{Disk, Lack, Step};
use crate::fetch::Shared;
use crate::job::{JobRunner, Progress, outage};
use crate::ledger::lock::{FolderLock, LockError};
use crate::ledger::{Ledger, LedgerError, Looked};

/// The lock's file in an archive's root; collectors skip its name.
pub(super) const ROOT_LOCK: &str = ".lock";

/// That in a state directory.
pub(super) const STATE_LOCK: &str = "lock";

/// Everything that is needed to archive.
pub(super) struct Session {
    /// The jobs that can run.
    pub runners: Vec<JobRunner>,
    /// Those that can't run; each was logged with its reason.
    pub broken: Vec<Broken>,
    /// What its jobs share.
    pub shared: Arc<Shared>,
}

/// A job that can't run.
pub(super) struct Broken {
    pub name: JobName,
    /// Why, and what to do.
    pub why: String,
    /// Until when all is covered; `None` where its ledger can't be read.
    pub covered_until: Option<UtcMs>,
}

/// What is of the process for its life: its locks, its disk, and the archive that it is bound to.
pub(super) struct Place {
    disk: Disk,
    id: ArchiveId,
}

impl Place {
    /// Takes the locks, and looks whether it is the place that it was.
    ///
    /// # Errors
    /// When another instance has a lock, or root or state can't be written or are not this archive's.
    pub(super) fn take(context: &Context<'_>, config: &Config) -> Result<Self, Stop> {
        let disk = disk(config);
        // Before anything is written. What can't be written, or has no space, is told when it is.
        let found = Findings::of(config, &context.args.config, &Context::environment());
        if let Some(wrong) = told(&context.args.config, found.refused) {
            return Err(Stop::usage(&wrong));
        }
        for warned in found.warned {
            tracing::warn!("{}", warned.within(&context.args.config));
        }
        refuse_another(context, config)?;
        if let Some(why) = identity::refusal(config) {
            return Err(Stop::failed(why));
        }
        lock(config, &disk)?;
        let id = identity::bind(config, context.clock.now(), &disk).map_err(Stop::failed)?;
        let place = Self { disk, id };
        let store = place.store(config);
        store
            .prepare()
            .map_err(|error| Stop::failed(error.to_string()))?;
        let quarantine = place.quarantine(config);
        if let Err(error) = quarantine.prepare() {
            // Not worth stopping for: it holds nothing that is needed.
            tracing::warn!("the quarantine can't be tidied up: {error}");
        }
        rebuild(config, &store, &place.disk, &context.clock);
        finish_pruning(config, &store, &place.disk, &context.clock);
        Ok(place)
    }

    /// The disk.
    pub(super) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The archive's identity.
    pub(super) const fn id(&self) -> &ArchiveId {
        &self.id
    }

    /// An outage that was kept is another client's; the account's service is asked anew.
    pub(super) fn forget_outage(&self, config: &Config, account: &AccountName) {
        if let Err(error) = outage::keep(&config.state_dir, account, None, &self.disk) {
            tracing::warn!(%account, "{error}");
        }
    }

    /// The archive, which is the one that it was bound to.
    pub(super) fn store(&self, config: &Config) -> Store {
        store(config, &self.disk).bound_to(self.id.clone())
    }

    fn quarantine(&self, config: &Config) -> Quarantine {
        let disk = self.disk.clone();
        Quarantine::new(&config.state_dir, config.archive.min_free_space, disk)
    }
}

impl Session {
    /// Takes the place and opens the enabled ones of `jobs`.
    ///
    /// # Errors
    /// When the place can't be taken, or not a single job's keys can be read.
    pub(super) fn open(
        context: &Context<'_>,
        config: &Config,
        jobs: &[Job],
        progress: &Arc<dyn Progress>,
    ) -> Result<(Self, Place, Clients), Stop> {
        let place = Place::take(context, config)?;
        let clients = Clients::of(config, jobs, context, &Context::environment());
        if let (true, Some((_, why))) = (clients.ready.is_empty(), clients.broken.first_key_value())
        {
            return Err(Stop::usage(why));
        }
        for account in clients.ready.keys() {
            place.forget_outage(config, account);
        }
        let with = (&clients, None);
        let session = Self::at(&place, (config, jobs), with, (context, progress));
        Ok((session, place, clients))
    }

    /// Opens the enabled ones of `jobs`. A job whose keys can't be read, or whose ledger is damaged, is reported
    /// and left out; the others go on. Where others run already by the same archive and clients, they share with
    /// those.
    pub(super) fn at(
        place: &Place,
        (config, jobs): (&Config, &[Job]),
        (clients, shared): (&Clients, Option<Arc<Shared>>),
        (context, progress): (&Context<'_>, &Arc<dyn Progress>),
    ) -> Self {
        // Only now the ledgers say where a job that is no more ended, and what it lacked.
        let (config, mut looked) = look(config);
        let jobs = as_resolved(&config, jobs);
        let (config, disk) = (&config, &place.disk);
        let anew = || Shared {
            store: place.store(config),
            quarantine: place.quarantine(config),
            clock: context.clock.clone(),
            policy: Policy::default(),
            limits: config.archive.limits,
            turns: process::turns(config, &clients.ready),
        };
        let shared = shared.unwrap_or_else(|| Arc::new(anew()));
        for warned in twice(config) {
            tracing::warn!("{warned}");
        }
        let gone = Gone::of(config);
        let mut runners = Vec::new();
        let mut broken = Vec::new();
        for job in jobs.iter().filter(|job| job.enabled) {
            let mut covered_until = None;
            let mut begin = || {
                let looked = looked.remove(&job.name);
                if let Some(Ok(looked)) = &looked {
                    let accounted = looked.replay().accounted();
                    covered_until = Some(accounted.covered_until(job.since));
                }
                let refused = match &looked {
                    Some(Ok(looked)) => gone.refusal(config, job, looked.replay()),
                    Some(Err(_)) | None => None,
                };
                if let Some(why) = refused {
                    return Err(why);
                }
                let Some(client) = clients.ready.get(&job.account) else {
                    let why = clients.broken.get(&job.account);
                    return Err(why.cloned().unwrap_or_default());
                };
                let looked = looked.unwrap_or_else(|| Ledger::look(&config.state_dir, &job.name));
                let runner = looked.and_then(|looked| {
                    JobRunner::resume(
                        Arc::new(job.clone()),
                        Arc::clone(client),
                        (&config.state_dir, looked, disk),
                        Arc::clone(&shared),
                        Arc::clone(progress),
                    )
                });
                runner.map_err(|error| error.to_string())
            };
            match begin() {
                Ok(runner) => runners.push(runner),
                Err(why) => {
                    tracing::error!(job = %job.name, "the job can't run: {why}");
                    let name = job.name.clone();
                    broken.push(Broken {
                        name,
                        why,
                        covered_until,
                    });
                }
            }
        }
        Self {
            runners,
            broken,
            shared,
        }
    }
}

/// The ledgers of the configuration's jobs, each read once and side by side; and the configuration with the jobs
/// as these say: where one that goes on from another begins.
fn look(config: &Config) -> (Config, BTreeMap<JobName, Result<Looked, LedgerError>>) {
    let look = |job: &Job| Ledger::look(&config.state_dir, &job.name);
    let looked = side_by_side(&config.jobs, look);
    let told = looked.iter().map(|looked| {
        let looked = looked.as_ref().ok()?;
        Some(Told::of(looked.replay()))
    });
    let mut jobs = config.jobs.clone();
    resolve_as_told(config, &mut jobs, told.collect());
    let names = config.jobs.iter().map(|job| job.name.clone());
    let looked = names.zip(looked).collect();
    let config = Config {
        jobs,
        ..config.clone()
    };
    (config, looked)
}

/// Those of the configuration's jobs that are meant by `jobs`, which say whether each is enabled.
fn as_resolved(config: &Config, jobs: &[Job]) -> Vec<Job> {
    let meant: BTreeMap<_, _> = jobs.iter().map(|job| (&job.name, job.enabled)).collect();
    let all = config.jobs.iter().filter_map(|job| {
        let &enabled = meant.get(&job.name)?;
        Some(Job {
            enabled,
            ..job.clone()
        })
    });
    all.collect()
}

/// The disk as a configuration takes it.
pub(super) fn disk(config: &Config) -> Disk {
    Disk::default().accepting_lacks(!config.archive.durable_folders)
}

/// Takes the locks of state directory and root for the process's life. Both: another config may share only
/// one of them. Asks their file systems whether names in them can be made durable.
///
/// # Errors
/// When another instance has one, or one can't be taken, or a file system lacks what is not accepted.
pub(super) fn lock(config: &Config, disk: &Disk) -> Result<(), Stop> {
    let locks = [
        ("the state directory", &config.state_dir, STATE_LOCK),
        ("the archive's root", &config.archive.root, ROOT_LOCK),
    ];
    for (what, folder, name) in locks {
        match FolderLock::acquire(what, folder, name, disk) {
            Ok(lock) => lock.hold_for_life(),
            Err(error @ LockError::Held(_)) => return Err(Stop::held(&error)),
            // The state directory's lock keeps others out still. That one is never done without.
            Err(error) if error.is_lack() && disk.accepts_lacks() && name == ROOT_LOCK => {
                tell_of(Lack::Lock, folder);
            }
            Err(error) => return Err(Stop::failed(error.to_string())),
        }
        let asked = disk.ask_sync(Step::SyncGrandparent, folder);
        if let Some(lack) = asked.map_err(|error| Stop::failed(error.to_string()))? {
            tell_of(lack, folder);
        }
    }
    Ok(())
}

/// The archive of a configuration.
pub(super) fn store(config: &Config, disk: &Disk) -> Store {
    Store::new(
        config.archive.root.clone(),
        config.archive.min_free_space,
        disk.clone(),
    )
    .keeping(config.archive.store)
}

/// The jobs that were named, or all.
///
/// # Errors
/// When a name is no job's; says which ones there are, the nearest first.
pub(super) fn chosen(config: &Config, names: &[String], path: &Path) -> Result<Vec<Job>, Stop> {
    if names.is_empty() {
        return Ok(config.jobs.clone());
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| !config.jobs.iter().any(|job| job.name.as_str() == *name))
    {
        return Err(Stop::usage(&no_such_job(config, unknown, path)));
    }
    let is_named = |job: &&Job| names.iter().any(|name| name == job.name.as_str());
    Ok(config.jobs.iter().filter(is_named).cloned().collect())
}

/// That no job has this name, and which ones there are.
pub(super) fn no_such_job(config: &Config, unknown: &str, path: &Path) -> String {
    const MOST_LISTED: usize = 20;
    let mut known: Vec<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    let meant = match nearest(unknown, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}? Its jobs"),
        None => "its jobs".to_owned(),
    };
    known.sort_by(|a, b| {
        let near = |name: &str| normalized_damerau_levenshtein(name, unknown);
        near(b).total_cmp(&near(a))
    });
    let more = match known.len().checked_sub(MOST_LISTED) {
        Some(more @ 1..) => format!(" and {} more", grouped(more as u64)),
        Some(0) | None => String::new(),
    };
    known.truncate(MOST_LISTED);
    format!(
        "there is no job {unknown:?} in {}; {meant} are: {}{more}",
        path.display(),
        known.join(", ")
    )
}
