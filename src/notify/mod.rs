//! Tells others what happens: a dead man's switch, a webhook, and a program for each published folder. Carries
//! *Isolated*: whoever archives puts down what there is to tell and goes on, whatever a receiver does.
//!
//! - `receiver`: what waits for one of them, and the task that tells it
//! - `http`, `program`: how it is told; `json`: an event as the webhook gets it
//! - `tally`: how often that has worked

mod http;
mod json;
mod program;
mod receiver;
mod tally;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::archive::manifest::{MANIFEST, local_time};
use crate::clock::Clock;
use crate::domain::identity::ArchiveId;
use crate::domain::job::{Job, JobName};
use crate::domain::notice::{Event, Folder, Kind, News, Teller, Told, What, events};
use crate::domain::notify_url::NotifyUrl;
use crate::domain::span::Millis;
use crate::domain::standing::{Standing, refused};
use crate::domain::window::{Window, Zone};
use crate::job::{Outcome, Progress};
use crate::ledger::replay::Replay;
use http::{Place, Switch, Webhook};
use json::Origin;
use program::{Program, Run};
use receiver::{Delivery as _, Receiver};
pub(crate) use tally::Tally;

/// How long what waits may take when the program is told to end.
const GRACE: Duration = Duration::from_secs(4);
/// How long receivers over HTTP may take when a command that archives once has ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the program may take then for all that waits: the command holds the archive as long.
const LONGEST: Duration = Duration::from_secs(600);

/// Where the receivers are: the config's `[notify]`, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) ping: Option<NotifyUrl>,
    pub(crate) webhook: Option<NotifyUrl>,
    /// A program and its arguments; not empty.
    pub(crate) on_archived: Option<Vec<String>>,
}

/// Tells others what jobs show.
pub(crate) struct Notifier {
    begun: Instant,
    root: PathBuf,
    teller: Mutex<Teller>,
    ping: Arc<Receiver<Switch>>,
    outbox: Arc<Outbox>,
    program: Arc<Receiver<Program>>,
    tally: Arc<Tally>,
    workers: Mutex<Option<Workers>>,
}

/// The webhook, and what its events have in common.
struct Outbox {
    webhook: Receiver<Webhook>,
    clock: Clock,
    zone: Zone,
    archive: OnceLock<ArchiveId>,
    /// Tells events apart that no line of a ledger does.
    number: AtomicU64,
}

struct Workers {
    ping: JoinHandle<()>,
    webhook: JoinHandle<()>,
    program: JoinHandle<()>,
}

impl Workers {
    /// Ends once what waits is told.
    async fn end(&mut self, webhook: &Receiver<Webhook>) {
        let _ = (&mut self.program).await;
        // It is told what has failed there.
        webhook.no_more();
        let others = async {
            let _ = tokio::join!(&mut self.ping, &mut self.webhook);
        };
        let _ = timeout(PATIENCE, others).await;
    }
}

impl Outbox {
    fn tell(&self, event: &Event) {
        if !self.webhook.is_there() {
            return;
        }
        let archive = self.archive.get().map(ToString::to_string);
        let origin = Origin {
            archive: archive.as_deref(),
            zone: &self.zone,
        };
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let body = json::body(event, self.clock.now(), number, &origin);
        self.webhook.tell(body);
    }
}

impl Notifier {
    /// Of the archive in `root`, whose windows are cut in `zone`. There is nobody to tell yet.
    pub(crate) fn new(clock: Clock, zone: Zone, root: PathBuf) -> Arc<Self> {
        let tally = Arc::<Tally>::default();
        let outbox = Arc::new(Outbox {
            webhook: Receiver::new(&tally, |_| {}),
            clock,
            zone,
            archive: OnceLock::new(),
            number: AtomicU64::new(0),
        });
        let failed = {
            let outbox = Arc::clone(&outbox);
            move |event: Event| outbox.tell(&event)
        };
        Arc::new(Self {
            begun: Instant::now(),
            root,
            teller: Mutex::default(),
            ping: Arc::new(Receiver::new(&tally, |_| {})),
            program: Arc::new(Receiver::new(&tally, failed)),
            outbox,
            tally,
            workers: Mutex::default(),
        })
    }

    /// The receivers are there from now on; what waits is told there. Needs the runtime.
    ///
    /// # Errors
    /// When TLS can't be set up. Then the program alone is told.
    pub(crate) fn goes_by(&self, places: Places) -> Result<(), String> {
        let place = |url: NotifyUrl| Place::at(url).map(Arc::new);
        let (ping, webhook) = (places.ping.map(place), places.webhook.map(place));
        let program = places.on_archived.map(|words| Arc::new(Program::of(words)));
        let (ping, webhook, set_up) = match (ping.transpose(), webhook.transpose()) {
            (Ok(ping), Ok(webhook)) => (ping, webhook, Ok(())),
            (Err(why), _) | (_, Err(why)) => (None, None, Err(why)),
        };
        self.ping.is_at(ping);
        self.outbox.webhook.is_at(webhook);
        self.program.is_at(program);
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.get_or_insert_with(|| {
            let (ping, program) = (Arc::clone(&self.ping), Arc::clone(&self.program));
            let outbox = Arc::clone(&self.outbox);
            Workers {
                ping: tokio::spawn(async move { ping.work().await }),
                webhook: tokio::spawn(async move { outbox.webhook.work().await }),
                program: tokio::spawn(async move { program.work().await }),
            }
        });
        set_up
    }

    /// The archive's identity, which events name.
    pub(crate) fn is_of(&self, archive: &ArchiveId) {
        // It stays the same for the process's life.
        let _ = self.outbox.archive.set(archive.clone());
    }

    /// The jobs from now on.
    pub(crate) fn is_about(&self, jobs: &BTreeSet<JobName>) {
        self.teller().is_about(jobs);
    }

    /// A job can't run.
    pub(crate) fn is_out(&self, job: &JobName, why: &Standing) {
        let at = self.at();
        let mut teller = self.teller();
        let ping = teller.switch().rests(job, why, at);
        // Before the next verdict: the last one that is told is the last one.
        ping.into_iter().for_each(|ping| self.ping.tell(ping));
    }

    /// A configuration that was read anew is refused.
    pub(crate) fn config_is_refused(&self, why: &str) {
        self.outbox.tell(&Event {
            job: None,
            seq: None,
            kind: Kind::ConfigRefused(refused(why)),
        });
    }

    /// How often it has worked.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// The program ends: what waits has a few seconds.
    pub(crate) async fn end(&self) {
        self.close(None).await;
    }

    /// A command that archives once has ended: its programs are waited for, and the others for half a minute. `stop`
    /// shortens that.
    pub(crate) async fn finish(&self, stop: &CancellationToken) {
        self.close(Some(stop)).await;
    }

    async fn close(&self, stop: Option<&CancellationToken>) {
        let workers = self
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut workers) = workers else { return };
        let webhook = &self.outbox.webhook;
        let waits = self.program.waits() || self.ping.waits() || webhook.waits();
        if waits && stop.is_some() {
            tracing::info!("waiting until all of it is told; a signal ends that");
        }
        self.program.no_more();
        self.ping.no_more();
        {
            let all = workers.end(webhook);
            tokio::pin!(all);
            let is_done = match stop {
                None => false,
                Some(stop) => tokio::select! {
                    () = &mut all => true,
                    () = stop.cancelled() => false,
                    () = sleep(LONGEST) => false,
                },
            };
            if !is_done {
                self.program.hurry();
                self.ping.hurry();
                webhook.hurry();
                let _ = timeout(GRACE, &mut all).await;
            }
        }
        for worker in [workers.program, workers.ping, workers.webhook] {
            if !worker.is_finished() {
                worker.abort();
                let _ = worker.await;
            }
        }
        self.program.give_up();
        self.ping.give_up();
        webhook.give_up();
    }

    fn teller(&self) -> MutexGuard<'_, Teller> {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By a clock that never goes back.
    fn at(&self) -> Millis {
        let passed = self.begun.elapsed().as_millis();
        Millis(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// Tells a webhook once that this is a test.
///
/// # Errors
/// When it does not take it, with the reason.
pub(crate) async fn try_out(webhook: NotifyUrl, clock: &Clock, zone: &Zone) -> Result<(), String> {
    let place = Place::at(webhook)?;
    let event = Event {
        job: None,
        seq: None,
        kind: Kind::Test,
    };
    let origin = Origin {
        archive: None,
        zone,
    };
    let body = json::body(&event, clock.now(), 0, &origin);
    let told = Webhook::deliver(&place, &body, &CancellationToken::new()).await;
    told.map_err(|refusal| refusal.message)
}

impl Notifier {
    fn tell(&self, told: Told) {
        let Told { events, ping } = told;
        events.iter().for_each(|event| self.outbox.tell(event));
        ping.into_iter().for_each(|ping| self.ping.tell(ping));
    }

    fn run_for(&self, job: &Job, folder: &Folder) {
        if !self.program.is_there() {
            return;
        }
        let path = self.root.join(&folder.path);
        let (zone, window) = (&self.outbox.zone, folder.window);
        self.program.tell(Run {
            job: job.name.clone(),
            manifest: path.join(MANIFEST),
            path,
            from: local_time(window.from(), zone),
            to: local_time(window.to(), zone),
            folder: folder.clone(),
        });
    }
}

impl Progress for Notifier {
    fn began(&self, job: &Job) {
        let at = self.at();
        self.teller().switch().began(&job.name, at);
    }

    fn planned(&self, job: &Job, windows: usize) {
        let at = self.at();
        let mut teller = self.teller();
        let ping = teller.switch().planned(&job.name, windows, at);
        ping.into_iter().for_each(|ping| self.ping.tell(ping));
    }

    fn done(&self, job: &Job, _window: Window) {
        let at = self.at();
        self.teller().switch().progressed(&job.name, at);
    }

    fn stands(&self, job: &Job, now: &Standing) {
        let mut teller = self.teller();
        let told = teller.stands(&job.name, now);
        self.tell(told);
    }

    fn rests(&self, job: &Job, outcome: &Outcome, now: &Standing) {
        let at = self.at();
        let mut teller = self.teller();
        let told = teller.rests(&job.name, outcome.archived, now, at);
        // Before the next verdict: the last one that is told is the last one.
        self.tell(told);
    }

    fn recorded(&self, job: &Job, news: &News) {
        if let What::Archived(folder) = &news.what {
            self.run_for(job, folder);
        }
        if self.outbox.webhook.is_there() {
            let events = events(&job.name, news);
            events.iter().for_each(|event| self.outbox.tell(event));
        }
    }

    fn shows(&self, job: &Arc<Job>, replay: &Replay, _is_open: bool) {
        let (all, known) = (replay.incomplete.all(), replay.incomplete.acknowledged());
        let all = all.truncated + all.unproven;
        let known = known.truncated + known.unproven;
        self.teller().switch().lacks(&job.name, all - known);
    }
}
