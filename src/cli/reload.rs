//! The configuration that `run` goes by, read anew at SIGHUP: checked whole, and in force once the jobs that it
//! changes have ended their windows.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::Context;
use super::clients::Clients;
use super::lineage::{Lineage, resolve};
use super::notifying;
use super::place::{Findings, told};
use super::progress::All;
use super::session::{Place, Session};
use super::signing;
use super::timestamping;
use crate::config::{Config, changes};
use crate::daemon::heads;
use crate::daemon::reload::{Configuration, Names};
use crate::daemon::stamper::StampsNow;
use crate::daemon::systemd::Systemd;
use crate::domain::job::{Job, JobName};
use crate::domain::job_changes::JobChanges;
use crate::domain::signing::Signer;
use crate::domain::span::Millis;
use crate::domain::standing::Standing;
use crate::durable::off_the_runtime;
use crate::fetch::Shared;
use crate::job::{JobRunner, Progress};
use crate::notify::{Notifier, Places};
use crate::observe::{Listener, Observing, Watch, bind};

/// How long a configuration must say the same, and how often it is read for that.
const BETWEEN_READS: Duration = Duration::from_millis(300);
const MOST_READS: usize = 10;

/// Those who show how the jobs go.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) systemd: Systemd,
    pub(super) watch: Arc<Watch>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) heads: Arc<heads::Shown>,
    pub(super) signs: Arc<heads::SignsNow>,
    pub(super) stamps: Arc<StampsNow>,
}

impl Shown {
    /// All of them.
    pub(super) fn all(&self) -> Arc<dyn Progress> {
        Arc::new(All(vec![
            Arc::new(self.systemd.clone()),
            Arc::clone(&self.watch) as Arc<dyn Progress>,
            Arc::clone(&self.notifier) as Arc<dyn Progress>,
            Arc::clone(&self.heads) as Arc<dyn Progress>,
        ]))
    }
}

/// What `run` goes by.
pub(super) struct Current<'a> {
    context: &'a Context<'a>,
    progress: Arc<dyn Progress>,
    shown: Shown,
    observing: Observing,
    place: Place,
    config: Config,
    clients: Clients,
    /// What the jobs share.
    shared: Option<Arc<Shared>>,
    /// The jobs that can't run.
    broken: Names,
    /// What is in force next.
    next: Option<Next>,
}

/// A configuration that waits for the jobs that it changes.
struct Next {
    config: Config,
    clients: Clients,
    /// Who is told what happens.
    places: Places,
    /// What signs heads.
    signer: Signer,
    /// Where to listen, if that is elsewhere than now.
    listener: Option<Listener>,
}

/// How far behind the coverage of a job may be.
pub(super) fn max_lag(config: &Config) -> Millis {
    let observe = config.observe.as_ref();
    observe.map(|observe| observe.max_lag).unwrap_or_default()
}

fn listen(config: &Config) -> Option<SocketAddr> {
    config.observe.as_ref().and_then(|observe| observe.listen)
}

fn textfile(config: &Config) -> Option<&PathBuf> {
    config
        .observe
        .as_ref()
        .and_then(|observe| observe.textfile.as_ref())
}

impl<'a> Current<'a> {
    /// That of a session that has begun.
    pub(super) fn of(
        context: &'a Context<'a>,
        config: Config,
        (place, clients): (Place, Clients),
        (shown, observing): (Shown, Observing),
    ) -> Self {
        Self {
            context,
            progress: shown.all(),
            shown,
            observing,
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
        let Shown {
            systemd,
            watch,
            notifier,
            heads: _,
            signs: _,
            stamps: _,
        } = &self.shown;
        let enabled = self.config.jobs.iter().filter(|job| job.enabled);
        let enabled: Names = enabled.map(|job| job.name.clone()).collect();
        systemd.retain(&enabled);
        notifier.is_of(self.place.id());
        notifier.is_about(&enabled);
        watch.is_about(&self.config.jobs, max_lag(&self.config));
        session.runners.iter().for_each(|runner| watch.know(runner));
        for broken in session.broken {
            watch.is_out(&broken.name, &broken.why);
            let standing = Standing::stopped(broken.why, broken.covered_until);
            notifier.is_out(&broken.name, &standing);
            systemd.stands(&broken.name, standing);
        }
        session.runners
    }

    /// The configuration as the file says it now, where nothing is wrong with it.
    fn read(&self) -> Result<Next, String> {
        let path = &self.context.args.config;
        let config = self.settled()?;
        let environment = Context::environment();
        let found = Findings::of(&config, path, &environment);
        if let Some(wrong) = told(path, found.refused) {
            return Err(wrong.to_string());
        }
        for warned in found.warned {
            tracing::warn!("{}", warned.within(path));
        }
        let before = (&self.config, &self.clients);
        let clients = Clients::anew(&config, self.context, &environment, before);
        let broken = clients.broken.values().cloned();
        let (places, wrong) = notifying::places(&config, &environment);
        let wrong = told(path, wrong).map(|wrong| wrong.to_string());
        let (signer, unsigned) = match signing::signer(&config, &environment) {
            Ok(signer) => (signer, None),
            Err(problem) => (Signer::default(), Some(problem.within(path).to_string())),
        };
        let refused = broken.chain(wrong).chain(unsigned);
        let refused = refused.chain(self.refused_by_ledgers(&config));
        let refused: Vec<_> = refused.collect();
        match refused.is_empty() {
            true => Ok(Next {
                config,
                clients,
                places,
                signer,
                listener: None,
            }),
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
                return config;
            }
        }
        Err("the file changes all the time; send SIGHUP once it is written".to_owned())
    }

    /// The socket where `new` wants to listen. One that is in use goes on, and one that waits for its configuration is
    /// ours already.
    fn listener_for(&mut self, new: &Config) -> Result<Option<Listener>, String> {
        let elsewhere = listen(new).filter(|_| listen(new) != listen(&self.config));
        let waiting = self.next.as_mut();
        let waiting = waiting.filter(|next| listen(&next.config) == listen(new));
        match (elsewhere, waiting.and_then(|next| next.listener.take())) {
            (Some(_), Some(listener)) => Ok(Some(listener)),
            (Some(address), None)
                if listen(&self.config).is_some_and(|now| now.port() == address.port()) =>
            {
                let bound = bind(address).map(Some);
                bound.map_err(|error| {
                    format!(
                        "{error}; where it is this daemon's own port at another address, restart it"
                    )
                })
            }
            (Some(address), None) => bind(address).map(Some).map_err(|error| error.to_string()),
            (None, _) => Ok(None),
        }
    }

    /// What jobs that are no more have shown of their accounts' services counts no longer.
    fn forget_jobs_but(&self, new: &Config) {
        let enabled = |config: &Config| -> Names {
            let jobs = config.jobs.iter().filter(|job| job.enabled);
            jobs.map(|job| job.name.clone()).collect()
        };
        let stay = enabled(new);
        for gone in enabled(&self.config)
            .iter()
            .filter(|name| !stay.contains(*name))
        {
            for client in self.clients.ready.values() {
                client.availability().forget(gone);
            }
        }
    }

    /// Listens and writes where the new configuration says; what it leaves as it is goes on.
    fn observe_as(&mut self, new: &Config, listener: Option<Listener>) {
        if listen(new) != listen(&self.config)
            && let Err(error) = self.observing.answer_on(listener)
        {
            tracing::error!(
                "nobody is answered: the new address can't be listened on (observe.listen): {error}; restart the daemon"
            );
        }
        if textfile(new) != textfile(&self.config) {
            self.observing.write_to(textfile(new).cloned());
        }
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

    /// What the configuration that is to be in force next changes.
    fn changes(&mut self) -> Result<JobChanges, String> {
        let mut next = off_the_runtime(|| self.read())?;
        let rekeyed: BTreeSet<_> = next.clients.unlike(&self.clients).cloned().collect();
        let found = changes(&self.config, &next.config, &rekeyed)
            .map_err(|problems| problems.within(&self.context.args.config))?;
        next.listener = self.listener_for(&next.config)?;
        self.next = Some(next);
        Ok(found)
    }
}

impl Configuration for Current<'_> {
    fn read_anew(&mut self) -> Result<JobChanges, String> {
        let read = self.changes();
        if let Err(why) = &read {
            self.shown.notifier.config_is_refused(why);
        }
        read
    }

    fn open(&mut self, stay: &Names) -> Vec<JobRunner> {
        if let Some(next) = self.next.take() {
            self.observe_as(&next.config, next.listener);
            let Next {
                config,
                clients,
                places,
                signer,
                ..
            } = next;
            self.shown.signs.goes_by(signer);
            let authority = timestamping::authority(&config);
            self.shown.stamps.goes_by(authority);
            if let Err(why) = self.shown.notifier.goes_by(places) {
                tracing::error!("notify: no address is told anything: {why}");
            }
            self.forget_jobs_but(&config);
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
