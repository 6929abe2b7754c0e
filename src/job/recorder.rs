//! What a cycle writes down: lines of the ledger, and the circuit breaker. Carries *Ordered* (what
//! is recorded is [`Published`]) and *Candid*.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Outcome, Progress, densities, news, outage, reconcile};
use crate::archive::adopt::{Adopted, UnrecordedFolder};
use crate::archive::manifest::Confirmed;
use crate::archive::publish::{Archived, Published};
use crate::domain::circuit_breaker::{CircuitBreaker, Remedy};
use crate::domain::failures::{Failed, Task};
use crate::domain::job::{Job, JobName};
use crate::domain::notice::What;
use crate::domain::queue::Work;
use crate::domain::second_opinion::Way;
use crate::domain::settings::{Settings, Verdict};
use crate::domain::split::shape::Shape;
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::elsa::client::Client;
use crate::fetch::{Shared, staging};
use crate::ledger::line::Agreement;
use crate::ledger::rebuilt::{self, Group};
use crate::ledger::{Ledger, LedgerError};

/// How a window was done.
pub(super) enum Done {
    /// It is published, for the first time or anew.
    Published(Published),
    /// It is what was archived of it, and what confirms that.
    Unchanged(Box<Archived>, Confirmed),
}

/// The ledger of a job, and what is known beside it.
pub(super) struct Recorder {
    pub(super) job: Arc<Job>,
    pub(super) client: Arc<Client>,
    pub(super) shared: Arc<Shared>,
    pub(super) state_dir: PathBuf,
    pub(super) ledger: Ledger,
    progress: Arc<dyn Progress>,
    pub(super) breaker: CircuitBreaker,
    /// Folders that the ledger lacks and that can't be adopted: their windows are blocked.
    pub(super) unrecorded: Vec<UnrecordedFolder>,
    /// Whether the archive may hold a folder that the ledger lacks.
    pub(super) look_for_folders: bool,
}

impl Recorder {
    pub(super) fn new(
        job: Arc<Job>,
        client: Arc<Client>,
        shared: Arc<Shared>,
        state_dir: PathBuf,
        (ledger, progress): (Ledger, Arc<dyn Progress>),
    ) -> Self {
        Self {
            job,
            client,
            shared,
            state_dir,
            ledger,
            progress,
            breaker: CircuitBreaker::default(),
            unrecorded: Vec::new(),
            look_for_folders: true,
        }
    }

    /// Looks at the archive before a cycle: whether it still is the same, what is left below `.staging`,
    /// and whether there is a folder that the ledger lacks. Nothing of the job must be in flight.
    ///
    /// # Errors
    /// When it can't be used; nothing was written to it then.
    pub(super) async fn prepare(&mut self) -> Result<(), String> {
        if let Err(error) = self.shared.store.check_identity() {
            // What is there when it comes back is to be looked at.
            self.look_for_folders = true;
            return Err(error.to_string());
        }
        let staged = self.shared.store.staging_of(&self.job.name);
        staging::clean(&self.shared, &self.job, &staged).await;
        self.adopt().await
    }

    /// Adopts folders that are published but not recorded, where there may be any.
    ///
    /// # Errors
    /// When the archive can't be looked at, or the ledger can't be written.
    async fn adopt(&mut self) -> Result<(), String> {
        if !self.look_for_folders {
            return Ok(());
        }
        reconcile::newest_is_there(&self.shared, &self.job, self.ledger.replay()).await?;
        let found = reconcile::unrecorded(&self.shared, &self.job, self.ledger.replay()).await?;
        let news = news::adopted(&found.adopted);
        take_over(&mut self.ledger, &self.job.name, found.adopted)
            .map_err(|error| error.to_string())?;
        self.tell_all(&news);
        for folder in &found.unrecorded {
            tracing::error!(job = %self.job.name, "{}", reconcile::in_the_way(folder));
        }
        // They are checked again: the operator may move them away.
        self.look_for_folders = !found.unrecorded.is_empty();
        self.unrecorded = found.unrecorded;
        Ok(())
    }

    /// Records the operator's acknowledgement of what is lost, if there is one.
    pub(super) fn acknowledgement(&mut self) {
        if let Err(error) = self.ledger.take_acknowledgement() {
            // Not worth stopping for: it is only an acknowledgement.
            tracing::warn!(job = %self.job.name, "{error}");
        }
    }

    /// Records that the service has forgotten a window that it was asked for.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub(super) fn lost(
        &mut self,
        window: Window,
        outcome: &mut Outcome,
    ) -> Result<(), WindowError> {
        if !self.ledger.replay().is_known_lost(window.span()) {
            tracing::error!(
                job = %self.job.name,
                window = %window,
                "lost: it was not archived before the service's retention was over, and the service has \
                 no logs of it any more; `status` shows it until `elsa-archiver status --ack {}` says \
                 that somebody knows",
                self.job.name
            );
            let recorded = self.ledger.record_lost(window.span());
            recorded.map_err(|error| WindowError::disk(&error))?;
            self.tell(What::Lost(window));
        }
        self.breaker.close();
        outcome.left -= 1;
        Ok(())
    }

    /// A failure that all windows share.
    pub(super) fn open_breaker(&mut self, remedy: Option<Remedy>, message: &str) {
        if let Some(remedy) = remedy {
            self.breaker.open(remedy, message, self.shared.clock.now());
        }
    }

    /// Records what was published together, in the order of its chain.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub(super) fn group_done(
        &mut self,
        group: Vec<(Work, Published)>,
        outcome: &mut Outcome,
    ) -> Result<(), WindowError> {
        if group.is_empty() {
            return Ok(());
        }
        let (works, published): (Vec<Work>, Vec<Published>) = group.into_iter().unzip();
        let archived: Vec<Archived> = published.iter().map(|one| one.archived().clone()).collect();
        let recorded = self.ledger.record_all(published);
        self.written(recorded)?;
        self.tell_all(&archived);
        for (work, archived) in works.iter().zip(&archived) {
            count(*work, Some(archived), outcome);
        }
        Ok(())
    }

    /// What follows from lines that say what is done, or could not be written.
    fn written(&mut self, recorded: Result<(), LedgerError>) -> Result<(), WindowError> {
        recorded.map_err(|error| {
            // A folder may be there without its line: nothing may be published on top before it
            // is adopted.
            self.look_for_folders = true;
            WindowError::disk(&error)
        })?;
        self.breaker.close();
        self.note_outage();
        Ok(())
    }

    /// Records what was published, or that there was nothing to publish.
    ///
    /// # Errors
    /// When the ledger can't be written.
    pub(super) fn done(
        &mut self,
        work: Work,
        done: Done,
        outcome: &mut Outcome,
    ) -> Result<(), WindowError> {
        let (archived, recorded) = match done {
            Done::Published(published) => {
                let archived = published.archived().clone();
                (Some(archived), self.ledger.record(published))
            }
            Done::Unchanged(before, confirmed) => (None, self.unchanged(&before, confirmed)),
        };
        self.written(recorded)?;
        self.tell_all(archived.as_slice());
        count(work, archived.as_ref(), outcome);
        Ok(())
    }

    /// Records that an archived window is what it was: by its first confirmation, where this is one.
    fn unchanged(&mut self, before: &Archived, confirmed: Confirmed) -> Result<(), LedgerError> {
        let window = before.window;
        let known = self.ledger.replay().recheckable.asked(window);
        let is_first = known.is_some_and(|asked| asked.confirmed == Way::None);
        match before.records {
            Some(records) if is_first && confirmed.by != Way::None => {
                self.ledger.record_confirmed(Agreement {
                    window,
                    records,
                    by: confirmed.by,
                    spans: confirmed.spans,
                })
            }
            _ => self.ledger.record_unchanged(window),
        }
    }

    /// Records why a window is not done. Returns why the job's other windows would fail alike;
    /// `None` where they would not.
    pub(super) fn failed(
        &mut self,
        work: Work,
        error: WindowError,
        outcome: &mut Outcome,
    ) -> Option<String> {
        let follows = error.consequence()?;
        let message = follows.message;
        self.open_breaker(follows.opens_breaker, &message);
        self.note_outage();
        outcome.error = Some(message.clone());
        let failed = Failed {
            window: work.window,
            message: message.clone(),
            needs_bytes: follows.needs_bytes,
            contradicts: follows.contradicts,
        };
        let not_done = match work.task {
            Task::Archive => "not archived",
            Task::Recheck => "not rechecked",
        };
        let (job, window) = (&self.job.name, work.window);
        if !self.is_news(work.task, &failed) {
            tracing::debug!(job = %job, window = %window, "{not_done}: {message}");
            return follows.ends_cycle.then_some(message);
        }
        tracing::error!(job = %job, window = %window, "{not_done}: {message}");
        let news = news::failed(work.task, &failed);
        let recorded = match work.task {
            Task::Archive => self.ledger.record_failure(failed),
            Task::Recheck => self.ledger.record_recheck_failure(failed),
        };
        if let Err(error) = recorded {
            tracing::error!(job = %self.job.name, "{error}");
            return Some(error.to_string());
        }
        self.tell(news);
        follows.ends_cycle.then_some(message)
    }

    /// Keeps for `status` whether the account's service is down, where that has changed.
    pub(super) fn note_outage(&self) {
        let (account, disk) = (&self.job.account, self.shared.store.disk());
        let kept = self
            .client
            .availability()
            .write_down(|down| outage::keep(&self.state_dir, account, down, disk));
        if let Err(error) = kept {
            // Not worth stopping for: `status` shows what the jobs lack all the same.
            tracing::warn!(%account, "{error}");
        }
    }

    /// Keeps for the next start where in a day records lie.
    pub(super) fn keep_densities(&self, shape: &Shape) {
        let (job, disk) = (&self.job.name, self.shared.store.disk());
        if let Err(error) = densities::keep(&self.state_dir, job, shape, disk) {
            // Without it the next start asks for a few windows too much at once.
            tracing::debug!(job = %job, "{error}");
        }
    }

    /// Whether a failure is worth a line. What fails for the disk is tried at each cycle, and is
    /// not to fill the log, nor the ledger: that may be what is left of the disk.
    fn is_news(&self, task: Task, failed: &Failed) -> bool {
        let now = self.shared.clock.now();
        let known = self.ledger.replay().failures(task).get(&failed.window);
        let is_known = known.is_some_and(|known| known.says(failed) && known.is_paused(task, now));
        failed.needs_bytes.is_none() || !is_known
    }

    /// Records that nothing is archived while the archive's folders can't be looked at.
    pub(super) fn blocked(&mut self, failed: Option<Failed>, message: &str) {
        tracing::error!(job = %self.job.name, "{message}");
        let Some(failed) = failed else { return };
        let news = news::failed(Task::Archive, &failed);
        match self.ledger.record_failure(failed) {
            Ok(()) => self.tell(news),
            Err(error) => tracing::error!(job = %self.job.name, "{error}"),
        }
    }

    /// Tells what the ledger's last line says.
    fn tell(&self, what: What) {
        let news = news::of(what, self.ledger.lines());
        self.progress.recorded(&self.job, &news);
    }

    /// Tells of the folders that the ledger's last lines are about.
    fn tell_all(&self, archived: &[Archived]) {
        for news in news::archived(archived, self.ledger.lines()) {
            self.progress.recorded(&self.job, &news);
        }
    }
}

/// Counts a window that is done, and was published where there is `archived`.
fn count(work: Work, archived: Option<&Archived>, outcome: &mut Outcome) {
    match (work.task, archived) {
        (Task::Archive, Some(archived)) => outcome.archived(archived),
        (_, archived) => outcome.rechecked(archived),
    }
}

/// Records folders that the ledger lacks.
///
/// # Errors
/// When the ledger can't be written.
pub(super) fn take_over(
    ledger: &mut Ledger,
    job: &JobName,
    adopted: Vec<Adopted>,
) -> Result<(), LedgerError> {
    for Group { rebuilt, folders } in rebuilt::groups(adopted) {
        if let Some(rebuilt) = &rebuilt {
            tracing::warn!(
                job = %job,
                folders = rebuilt.windows,
                breaks = rebuilt.breaks.len(),
                "folders are adopted that the ledger lacks: what it says of them is rebuilt from their \
                 manifests, and what was lost or acknowledged between them is not known any more"
            );
        }
        let is_one = rebuilt.is_none();
        rebuilt.map_or(Ok(()), |rebuilt| ledger.record_rebuilt(rebuilt))?;
        for published in folders {
            let folder = published.archived().folder.clone();
            ledger.record(published)?;
            match is_one {
                true => {
                    tracing::warn!(job = %job, folder, "adopted a folder that the ledger lacked")
                }
                false => tracing::debug!(job = %job, folder, "adopted"),
            }
        }
    }
    Ok(())
}

/// Records the settings of a job, where the ledger does not know them yet.
pub(super) fn note_settings(ledger: &mut Ledger, job: &Job, endpoint: String) {
    let settings = Settings::of(job, endpoint);
    let known = ledger.replay().settings.as_ref();
    match settings.beside(known) {
        // Another project is refused before a job runs.
        Verdict::Same | Verdict::AnotherProject(_) => {}
        Verdict::Recorded(changes) => {
            for change in changes {
                tracing::warn!(job = %job.name, "the job's settings have changed: {change}");
            }
            if let Err(error) = ledger.record_settings(settings) {
                // The next start tries again.
                tracing::warn!(job = %job.name, "{error}");
            }
        }
    }
}
