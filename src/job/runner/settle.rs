//! What follows once a window has landed: windows are published and recorded in groups, or by themselves, or
//! it is recorded why they are not. Carries *Ordered* (nothing is recorded before it is published) and *Isolated*.

use std::collections::VecDeque;

use tokio_util::sync::CancellationToken;

use super::JobRunner;
use crate::archive::adopt::FEW;
use crate::archive::publish::Published;
use crate::domain::loss::{Answer, Loss, loss};
use crate::domain::queue::Work;
use crate::domain::window::Window;
use crate::domain::window_error::WindowError;
use crate::fetch::staging;
use crate::job::executor::{Ended, Executor, Found};
use crate::job::recorder::Done;
use crate::job::{Outcome, publish, reconcile, revise};

/// How a window that has landed is to be published.
enum Publishing {
    /// Not at all.
    Nothing,
    /// In a group, as a folder that is its window's first.
    New,
    /// By itself, beside what it supersedes.
    Anew,
}

fn ends_cycle_of(ended: &Ended) -> bool {
    ended.found.as_ref().is_err_and(WindowError::ends_cycle)
}

impl JobRunner {
    /// Ends what has nothing to publish, and has what was fetched published, all together, where no other group
    /// is. Returns why the job's other windows would fail alike.
    pub(super) async fn settle(
        &mut self,
        landed: &mut VecDeque<Ended>,
        executor: &mut Executor,
        outcome: &mut Outcome,
        stop: &CancellationToken,
    ) -> Option<String> {
        let mut ends_cycle = None;
        let (mut new, mut anew, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for ended in std::mem::take(landed) {
            match self.publishing(&ended, executor.is_halted()) {
                Publishing::Nothing if ends_cycle_of(&ended) => {
                    executor.close();
                    last.push(ended);
                }
                // Any other failure is told at once, however much there is to publish.
                Publishing::Nothing => {
                    let why = self.end(ended, executor, outcome, stop).await;
                    ends_cycle = ends_cycle.or(why);
                }
                Publishing::Anew => anew.push(ended),
                Publishing::New => new.push(ended),
            }
        }
        if executor.is_halted() {
            for ended in new.into_iter().chain(anew).chain(last) {
                let why = self.end(ended, executor, outcome, stop).await;
                ends_cycle = ends_cycle.or(why);
            }
            return ends_cycle;
        }
        if executor.publishes() {
            landed.extend(new);
            landed.extend(anew);
            landed.extend(last);
            return ends_cycle;
        }
        // In order of time, so that those of one date have it flushed once.
        new.sort_by_key(|ended| ended.work.window);
        let (mut works, mut group) = (Vec::new(), Vec::new());
        for ended in new {
            match &ended.found {
                Ok(Found::Fetched(fetched)) if group.len() < FEW => {
                    let (work, replay) = (ended.work, self.recorder.ledger.replay());
                    let gone = replay.missing.of(work.window).cloned();
                    match publish::stage(&self.source(stop), work.window, fetched, gone) {
                        Ok(staged) => {
                            works.push(work);
                            group.push(staged);
                        }
                        Err(error) => {
                            staging::clean(&self.shared, &self.job, &fetched.staged).await;
                            let failed = Ended {
                                found: Err(error),
                                ..ended
                            };
                            let why = self.end(failed, executor, outcome, stop).await;
                            ends_cycle = ends_cycle.or(why);
                        }
                    }
                }
                _ => landed.push_back(ended),
            }
        }
        if !group.is_empty() {
            landed.extend(anew);
            landed.extend(last);
            let chain = publish::chain(self.recorder.ledger.replay());
            executor.publish(works, publish::publish(self.source(stop), group, chain));
            // The others may publish too.
            return ends_cycle;
        }
        for ended in anew.into_iter().chain(last) {
            let why = self.end(ended, executor, outcome, stop).await;
            ends_cycle = ends_cycle.or(why);
        }
        ends_cycle
    }

    /// Whether a window that has landed is to be published.
    fn publishing(&self, ended: &Ended, is_halted: bool) -> Publishing {
        match (&ended.found, &ended.before) {
            (Ok(Found::Fetched(_)), _) if is_halted => Publishing::Nothing,
            (Ok(Found::Fetched(_)), Some(_)) => Publishing::Anew,
            (found @ Ok(Found::Fetched(_)), None) => {
                match self.loss(ended.work.window, found) == Loss::None {
                    true => Publishing::New,
                    false => Publishing::Nothing,
                }
            }
            (Ok(Found::Unchanged(_)) | Err(_), _) => Publishing::Nothing,
        }
    }

    /// Ends a window by itself. Returns why the job's other windows would fail alike.
    async fn end(
        &mut self,
        ended: Ended,
        executor: &mut Executor,
        outcome: &mut Outcome,
        stop: &CancellationToken,
    ) -> Option<String> {
        let window = ended.work.window;
        let done = self
            .finish(ended, executor.is_halted(), outcome, stop)
            .await;
        self.progress.done(&self.job, window);
        self.show();
        match done {
            Ok(()) => executor.widen(),
            Err(None) => executor.narrow(),
            Err(why) => {
                executor.halt();
                return why;
            }
        }
        None
    }

    /// Records what was published together. Returns why the job's other windows would fail alike.
    pub(super) fn record(
        &mut self,
        group: Vec<(Work, Result<Published, WindowError>)>,
        executor: &mut Executor,
        outcome: &mut Outcome,
    ) -> Option<String> {
        let (mut done, mut failed, mut windows) = (Vec::new(), Vec::new(), Vec::new());
        for (work, published) in group {
            windows.push(work.window);
            match published {
                Ok(published) => done.push((work, published)),
                Err(error) => failed.push((work, error)),
            }
        }
        let archived: Vec<Work> = done.iter().map(|(work, _)| *work).collect();
        match self.recorder.group_done(done, outcome) {
            Ok(()) if archived.is_empty() => {}
            Ok(()) => {
                executor.widen();
                for work in &archived {
                    self.suspects.clear(work.window);
                }
            }
            Err(error) => failed.extend(archived.first().map(|work| (*work, error))),
        }
        let mut ends_cycle = None;
        for (work, error) in failed {
            self.recorder.look_for_folders |= matches!(error, WindowError::Disk { .. });
            executor.narrow();
            let why = self.recorder.failed(work, error, outcome);
            ends_cycle = ends_cycle.or(why);
        }
        for window in windows {
            self.progress.done(&self.job, window);
        }
        self.show();
        ends_cycle
    }

    /// Records a window that is not one of a group: that it is what it was, published anew beside that, lost,
    /// or why it failed. An error is why the job's other windows would fail alike; `None` within where they would
    /// not.
    async fn finish(
        &mut self,
        ended: Ended,
        is_halted: bool,
        outcome: &mut Outcome,
        stop: &CancellationToken,
    ) -> Result<(), Option<String>> {
        let work = ended.work;
        let finished = match (ended.found, ended.before) {
            (found, None) if self.loss(work.window, &found) != Loss::None => {
                if let Ok(Found::Fetched(fetched)) = &found {
                    staging::clean(&self.shared, &self.job, &fetched.staged).await;
                }
                match self.loss(work.window, &found) {
                    Loss::Unknown => Err(WindowError::Window(reconcile::NO_TIME.to_owned())),
                    Loss::Lost | Loss::None => self.recorder.lost(work.window, outcome),
                }
            }
            (Ok(Found::Unchanged(confirmed)), Some(before)) => {
                let done = Done::Unchanged(Box::new(before), confirmed);
                self.recorder.done(work, done, outcome)
            }
            (Ok(Found::Unchanged(_)), None) => Err(WindowError::Stopped),
            (Ok(Found::Fetched(fetched)), Some(before)) if !is_halted => {
                let source = self.source(stop);
                let replay = self.recorder.ledger.replay();
                let is_wanted = self.again.contains_key(&work.window);
                let revised = revise::revise(&source, &before, *fetched, replay, is_wanted).await;
                if let Err(WindowError::Disk { .. }) = revised {
                    self.recorder.look_for_folders = true;
                }
                revised.and_then(|done| self.recorder.done(work, done, outcome))
            }
            (Ok(Found::Fetched(fetched)), _) => {
                // There may be a folder that the ledger lacks.
                staging::clean(&self.shared, &self.job, &fetched.staged).await;
                Err(WindowError::Stopped)
            }
            (Err(error), _) => Err(error),
        };
        finished
            .map(|()| self.suspects.clear(work.window))
            .map_err(|error| self.recorder.failed(work, error, outcome))
    }

    /// Whether the service has forgotten a window of which this was found.
    fn loss(&self, window: Window, found: &Result<Found, WindowError>) -> Loss {
        let answer = match found {
            Ok(Found::Fetched(fetched)) if fetched.content.records == Some(0) => Answer::Nothing,
            Err(WindowError::Rejected(_)) => Answer::Refused,
            Ok(_) | Err(_) => Answer::Something,
        };
        let (now, is_dated) = (self.client.now(), self.client.is_dated());
        loss(window, answer, now, is_dated, &self.job)
    }
}
