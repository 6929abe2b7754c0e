//! The configuration that `run` goes by, read anew at SIGHUP: checked whole, and in force once the jobs that it
//! changes have ended their windows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Context;
use super::clients::Clients;
use super::place::{Findings, told};
use super::session::{Place, Session};
use crate::config::{Config, changes};
use crate::daemon::reload::{Configuration, Names};
use crate::daemon::systemd::Systemd;
use crate::domain::job::Job;
use crate::domain::job_changes::JobChanges;
use crate::domain::standing::Standing;
use crate::domain::window::Window;
use crate::durable::off_the_runtime;
use crate::job::{JobRunner, Outcome, Progress};
use crate::ledger::replay::Replay;
use crate::observe::Watch;

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
            next: None,
        }
    }

    /// The jobs of a session that can run; how the others stand is told.
    pub(super) fn told(&self, session: Session) -> Vec<JobRunner> {
        let Shown { systemd, watch } = &self.shown;
        let enabled = self.config.jobs.iter().filter(|job| job.enabled);
        systemd.retain(&enabled.map(|job| job.name.clone()).collect());
        for broken in session.broken {
            let standing = Standing::stopped(broken.why, broken.covered_until);
            systemd.stands(&broken.name, standing);
        }
        if let Some(watch) = watch {
            watch.is_about(&self.config.jobs);
            session.runners.iter().for_each(|runner| watch.know(runner));
        }
        session.runners
    }

    /// The configuration as the file says it now, where nothing is wrong with it.
    fn read(&self) -> Result<(Config, Clients), String> {
        let path = &self.context.args.config;
        let config = Config::load(path, self.context.clock.now());
        let config = config.map_err(|error| error.to_string())?;
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
        let broken: Vec<_> = clients.broken.values().cloned().collect();
        match broken.is_empty() {
            true => Ok((config, clients)),
            false => Err(broken.join("\n")),
        }
    }
}

impl Configuration for Current<'_> {
    fn read_anew(&mut self) -> Result<JobChanges, String> {
        let (config, clients) = off_the_runtime(|| self.read())?;
        let is_rekeyed = |name: &&_| match (clients.ready.get(*name), self.clients.ready.get(*name))
        {
            (Some(new), Some(old)) => !Arc::ptr_eq(new, old),
            _ => true,
        };
        let rekeyed: BTreeSet<_> = config.accounts.keys().filter(is_rekeyed).cloned().collect();
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
            Session::at(&self.place, (&self.config, &jobs), &self.clients, with)
        });
        self.told(session)
    }
}
