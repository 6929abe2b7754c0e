//! The configuration that `run` goes by, read anew at SIGHUP: checked whole, and in force once the jobs that it
//! changes have ended their windows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::Context;
use super::clients::Clients;
use super::lineage::{Lineage, resolve};
use super::place::{Findings, told};
use super::session::{Place, Session};
use crate::config::{Config, changes};
use crate::daemon::reload::{Configuration, Names};
use crate::daemon::systemd::Systemd;
use crate::domain::job::{Job, JobName};
use crate::domain::job_changes::JobChanges;
use crate::domain::standing::Standing;
use crate::domain::window::Window;
use crate::durable::off_the_runtime;
use crate::fetch::Shared;
use crate::job::{JobRunner, Outcome, Progress};
use crate::ledger::replay::Replay;
use crate::observe::Watch;

/// How long a configuration must say the same, and how often it is read for that.
const BETWEEN_READS: Duration = Duration::from_millis(300);
const MOST_READS: usize = 10;

/// Those who show how the jobs go.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) systemd: Systemd,
    pub(super) watch: Option<Arc<Watch>>,
}

impl Shown {
    fn each(&self, tell: impl Fn(&dyn Progress)) {
        tell(&self.systemd);
        if let Some(watch) = &self.watch {
            tell(&**watch);
        }
    }
}

impl Progress for Shown {
    fn planned(&self, job: &Job, windows: usize) {
        self.each(|who| who.planned(job, windows));
    }

    fn done(&self, job: &Job, window: Window) {
        self.each(|who| who.done(job, window));
    }

    fn stands(&self, job: &Job, now: &Standing) {
        self.each(|who| who.stands(job, now));
    }

    fn began(&self, job: &Job) {
        self.each(|who| who.began(job));
    }

    fn ended(&self, job: &Job, outcome: &Outcome) {
        self.each(|who| who.ended(job, outcome));
    }

    fn shows(&self, job: &Arc<Job>, replay: &Replay, is_open: bool) {
        self.each(|who| who.shows(job, replay, is_open));
    }
}

/// What `run` goes by.
pub(super) struct Current<'a> {
    context: &'a Context<'a>,
    progress: Arc<dyn Progress>,
    shown: Shown,
    place: Place,
    config: Config,
    clients: Clients,
    /// What the jobs share.
    shared: Option<Arc<Shared>>,
    /// The jobs that can't run.
    broken: Names,
    /// What is in force next.
    next: Option<(Config, Clients)>,
}

impl<'a> Current<'a> {
    /// That of a session that has begun.
    pub(super) fn of(
        context: &'a Context<'a>,
        config: Config,
        (place, clients): (Place, Clients),
        shown: Shown,
    ) -> Self {
        Self {
            context,
            progress: Arc::new(shown.clone()),
            shown,
            place,
            config,
            clients,
            shared: None,
            broken: Names::new(),
            next: None,
        }
    }

    /// The jobs of a session that can run; how the others stand is told.
    pub(super) fn told(&mut self, session: Session) -> Vec<JobRunner> {
        let broken = session.broken.iter().map(|broken| broken.name.clone());
        self.broken = broken.collect();
        self.shared = Some(session.shared);
        let Shown { systemd, watch } = &self.shown;
        let enabled = self.config.jobs.iter().filter(|job| job.enabled);
        systemd.retain(&enabled.map(|job| job.name.clone()).collect());
        if let Some(watch) = watch {
            watch.is_about(&self.config.jobs);
            let broken = session.broken.iter();
            broken.for_each(|broken| watch.is_out(&broken.name, &broken.why));
            session.runners.iter().for_each(|runner| watch.know(runner));
        }
        for broken in session.broken {
            let standing = Standing::stopped(broken.why, broken.covered_until);
            systemd.stands(&broken.name, standing);
        }
        session.runners
    }

    /// The configuration as the file says it now, where nothing is wrong with it.
    fn read(&self) -> Result<(Config, Clients), String> {
        let path = &self.context.args.config;
        let config = self.settled()?;
        let environment = Context::environment();
        let found = Findings::of(&config, path, &environment);
        if let Some(wrong) = told(path, found.refused) {
            return Err(wrong.to_string());
        }
        for warned in found.warned {
            tracing::warn!("{}:{warned}", path.display());
        }
        let before = (&self.config, &self.clients);
        let clients = Clients::anew(&config, self.context, &environment, before);
        let broken = clients.broken.values().cloned();
        let refused: Vec<_> = broken.chain(self.refused_by_ledgers(&config)).collect();
        match refused.is_empty() {
            true => Ok((config, clients)),
            false => Err(refused.join("\n")),
        }
    }

    /// What the file says once it has said the same twice: whoever writes it in place may be in the middle of it, and a
    /// part of it may be a whole configuration of fewer jobs.
    fn settled(&self) -> Result<Config, String> {
        let load = || {
            let config = Config::load(&self.context.args.config, self.context.clock.now());
            config.map_err(|error| error.to_string())
        };
        let mut config = load();
        for _ in 0..MOST_READS {
            sleep(BETWEEN_READS);
            let before = std::mem::replace(&mut config, load());
            if before == config {
                break;
            }
        }
        config
    }

    /// What the ledgers say against the jobs of a new configuration, but for those that can't run as it is.
    fn refused_by_ledgers(&self, config: &Config) -> Vec<String> {
        let mut jobs = config.jobs.clone();
        resolve(config, &mut jobs);
        let resolved = Config {
            jobs,
            ..config.clone()
        };
        let enabled = |name: &JobName| {
            let mut jobs = config.jobs.iter().filter(|job| job.enabled);
            jobs.any(|job| job.name == *name)
        };
        let refused = Lineage::of(&resolved).refused.into_iter();
        let refused = refused.filter(|(name, _)| enabled(name) && !self.broken.contains(name));
        refused
            .map(|(name, why)| format!("job.{name}: {why}"))
            .collect()
    }
}

impl Configuration for Current<'_> {
    fn read_anew(&mut self) -> Result<JobChanges, String> {
        let (config, clients) = off_the_runtime(|| self.read())?;
        let rekeyed: BTreeSet<_> = clients.unlike(&self.clients).cloned().collect();
        let found = changes(&self.config, &config, &rekeyed).map_err(|problems| {
            let path = self.context.args.config.display();
            let each = problems.as_slice().iter();
            let each: Vec<_> = each.map(|problem| format!("{path}:{problem}")).collect();
            each.join("\n")
        })?;
        self.next = Some((config, clients));
        Ok(found)
    }

    fn open(&mut self, stay: &Names) -> Vec<JobRunner> {
        if let Some((config, clients)) = self.next.take() {
            for account in clients.unlike(&self.clients) {
                self.place.forget_outage(&config, account);
            }
            let is_same = self.config.archive == config.archive
                && clients.ready.len() == self.clients.ready.len()
                && clients.unlike(&self.clients).next().is_none();
            self.shared = self.shared.take().filter(|_| is_same);
            (self.config, self.clients) = (config, clients);
        }
        let jobs = self
            .config
            .jobs
            .iter()
            .filter(|job| !stay.contains(&job.name));
        let jobs: Vec<Job> = jobs.cloned().collect();
        let with = (self.context, &self.progress);
        let session = off_the_runtime(|| {
            let shared = (&self.clients, self.shared.clone());
            Session::at(&self.place, (&self.config, &jobs), shared, with)
        });
        self.told(session)
    }
}
