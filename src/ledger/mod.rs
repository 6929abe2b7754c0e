//! The ledger of a job: an append-only chain of lines, and the only state there is. Carries
//! *Ordered* (a line is written for what is durable, and is durable itself before anything
//! builds on it) and *Self-healing* (a torn last line is cut off and its work done again).

pub(crate) mod acknowledgement;
mod append;
mod chain;
mod checkpoint;
mod error;
mod files;
pub(crate) mod folders;
pub(crate) mod holder;
pub mod line;
mod lines;
pub(crate) mod lock;
pub mod losses;
pub mod missing;
mod newer;
mod opening;
pub(crate) mod orders;
pub(crate) mod outline;
pub(crate) mod proof;
pub mod pruned;
pub(crate) mod pruning;
pub(crate) mod rebuilt;
pub mod replay;
pub(crate) mod reserve;
mod settings;
pub(crate) mod tail;
mod torn;
pub(crate) mod untold;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::archive::publish::{Archived, Published};
use crate::archive::recorded::Recorded;
use crate::clock::Clock;
use crate::domain::failures::Failed;
use crate::domain::job::JobName;
use crate::domain::settings::Settings;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::Window;
use crate::durable::{Disk, off_the_runtime};
pub use error::LedgerError;
use error::unreadable;
pub(crate) use files::jobs;
use folders::Folders;
use line::{Agreement, Event, Line, MissingFolder, Pruned};
pub(crate) use opening::Looked;
use orders::Orders;
use proof::Proof;
use rebuilt::Rebuilt;
use replay::Replay;

/// A line is as old as its answer when they are no more than a minute apart; otherwise it says when.
const ASKED_JUST_NOW_MS: u64 = 60_000;

/// A job's ledger, for appending. The state directory's lock must be held. The file is opened for each line:
/// held open, those of a thousand jobs would be more than a process may open.
#[derive(Debug)]
pub struct Ledger {
    job: JobName,
    path: PathBuf,
    disk: Disk,
    replay: Replay,
    clock: Clock,
    /// Whether the file may hold bytes after the last line that counts.
    torn: bool,
    /// Requests for second opinions that no line counts yet.
    opinion_requests: Arc<AtomicU64>,
    /// Lines that its checkpoint holds; 0 where there is none.
    kept: u64,
    /// What proves the lines that were not read.
    proof: Proof,
}

impl Ledger {
    /// Where the ledger of a job is.
    #[must_use]
    pub fn path(state_dir: &Path, job: &JobName) -> PathBuf {
        files::path(state_dir, job)
    }

    /// What the lines show.
    #[must_use]
    pub const fn replay(&self) -> &Replay {
        &self.replay
    }

    /// How many lines there are, which is the number of the last one.
    pub(crate) const fn lines(&self) -> u64 {
        self.replay.lines
    }

    /// Whoever asks for a second opinion counts its requests here; the next line takes them up.
    #[must_use]
    pub fn opinion_requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.opinion_requests)
    }

    /// Records a window whose folder is published. Returns once the line is durable.
    ///
    /// # Errors
    /// When it can't be written; the window then counts as not archived, and its folder is
    /// adopted later.
    pub fn record(&mut self, published: Published) -> Result<(), LedgerError> {
        self.record_all(vec![published])
    }

    /// Records windows whose folders are published, in the order of their chain. Returns once all their lines
    /// are durable.
    ///
    /// # Errors
    /// When they can't be written; the windows then count as not archived, and their folders are
    /// adopted later.
    pub(crate) fn record_all(&mut self, published: Vec<Published>) -> Result<(), LedgerError> {
        let at = self.clock.now();
        let event = |published: Published| {
            let mut archived = published.into_archived();
            archived.asked = archived
                .asked
                .filter(|asked| at.0.abs_diff(asked.0) > ASKED_JUST_NOW_MS);
            Event::Archived(archived)
        };
        self.append_all(published.into_iter().map(event))?;
        // If it was given up, there may be space again.
        self.keep_reserve();
        Ok(())
    }

    /// Records that the folders which are recorded next were lacking, before any of them is.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn record_rebuilt(&mut self, rebuilt: Rebuilt) -> Result<(), LedgerError> {
        self.append(Event::Rebuilt(rebuilt))
    }

    /// Records the settings under which the job archives from here on.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn record_settings(&mut self, settings: Settings) -> Result<(), LedgerError> {
        self.append(Event::Job(Box::new(settings)))
    }

    /// Records that a window could not be archived.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_failure(&mut self, failed: Failed) -> Result<(), LedgerError> {
        self.append(Event::Failed(failed))
    }

    /// Records that a window was requested again and holds the same.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_unchanged(&mut self, window: Window) -> Result<(), LedgerError> {
        self.append(Event::Rechecked(window))
    }

    /// Records that a second, independent ask agrees with a window that was not confirmed before.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_confirmed(&mut self, agreement: Agreement) -> Result<(), LedgerError> {
        self.append(Event::Confirmed(agreement))
    }

    /// Records that a recheck failed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_recheck_failure(&mut self, failed: Failed) -> Result<(), LedgerError> {
        self.append(Event::RecheckFailed(failed))
    }

    /// Records that an archived folder is gone, or was set aside, and what became of it. Where it was its
    /// window's newest, the window is due again.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_missing(&mut self, gone: Archived, message: String) -> Result<(), LedgerError> {
        self.append(Event::Missing(MissingFolder {
            archived: Archived {
                supersedes: None,
                ..gone
            },
            message,
        }))
    }

    /// What is archived of a window that may be due for a recheck.
    ///
    /// # Errors
    /// When the ledger can't be read, or no longer says it.
    pub fn archived_before(&self, window: Window) -> Result<Archived, LedgerError> {
        match self.replay.recheckable.asked(window) {
            Some(asked) => self.archived_at(window, asked.line),
            None => Err(self.changed(format!("nothing in it is archived of {window}"))),
        }
    }

    /// What is archived of the windows that lie in `span` altogether, by the newest folder of each that is
    /// not missing.
    ///
    /// # Errors
    /// When the ledger can't be read, or is damaged.
    pub(crate) fn archived_in(
        &self,
        span: Span,
    ) -> Result<BTreeMap<Window, Archived>, LedgerError> {
        let folders = self.folders()?;
        let mut newest = BTreeMap::new();
        for Recorded { archived, .. } in folders.recorded() {
            let window = archived.window;
            let span_of_it = window.span();
            let is_there =
                self.replay.coverage.covers(span_of_it) && !self.replay.pruned.covers(span_of_it);
            if is_there && span.covers(window.span()) && self.replay.is_newest(archived) {
                newest.insert(window, archived.clone());
            }
        }
        Ok(newest)
    }

    /// What the ledger says of a window whose line begins at byte `line`.
    fn archived_at(&self, window: Window, line: u64) -> Result<Archived, LedgerError> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(line))?;
            let mut bytes = Vec::new();
            BufReader::new(file)
                .take(lines::LONGEST_LINE as u64)
                .read_until(b'\n', &mut bytes)?;
            Ok(bytes)
        };
        let bytes = off_the_runtime(read).map_err(|source| unreadable(&self.path, source))?;
        match Line::parse(bytes.trim_ascii_end()).map(|line| line.event) {
            Ok(Event::Archived(archived)) if archived.window == window => Ok(archived),
            _ => Err(self.changed(format!(
                "at byte {line} it no longer says what is archived of {window}"
            ))),
        }
    }

    fn changed(&self, what: String) -> LedgerError {
        LedgerError::Damaged {
            path: self.path.clone(),
            what,
            job: self.job.clone(),
        }
    }

    /// Records that a span is out of reach at the service.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn record_lost(&mut self, span: Span) -> Result<(), LedgerError> {
        self.append(Event::Lost(span))
    }

    /// Records the operator's acknowledgement, if there is one: one line for everything lost so far,
    /// and one for each window that was recorded `truncated` or `unproven` by then.
    ///
    /// # Errors
    /// When it can't be written, or the acknowledgement can't be read.
    pub fn take_acknowledgement(&mut self) -> Result<(), LedgerError> {
        let Some(until) = acknowledgement::read(&self.path)? else {
            return Ok(());
        };
        let losses = Span::new(UtcMs(i64::MIN), until);
        let windows = self.replay.incomplete.unknown_until(until);
        let windows = windows.into_iter().map(Window::span);
        for span in losses.into_iter().chain(windows) {
            self.append(Event::Acknowledged(span))?;
        }
        // A later one, left meanwhile, is the next cycle's.
        if acknowledgement::read(&self.path)? == Some(until) {
            self.disk.remove(&acknowledgement::path(&self.path))?;
        }
        Ok(())
    }

    /// Records the operator's orders about holds that were left beside it.
    ///
    /// # Errors
    /// When one can't be read or recorded.
    pub(crate) fn take_orders(&mut self) -> Result<(), LedgerError> {
        for left in Orders::beside(&self.path).left()? {
            self.append(Event::Hold(left.order.clone()))?;
            orders::remove(&left, &self.disk)?;
        }
        Ok(())
    }

    /// Marks that a prune of these windows begins. What is announced of them is finished by a later start, if not by this
    /// one.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn begin_pruning(
        &self,
        windows: impl Iterator<Item = Window>,
    ) -> Result<(), LedgerError> {
        Ok(pruning::mark(&self.path, windows, &self.disk)?)
    }

    /// Announces that the data of windows are let go of. Returns once that is durable.
    ///
    /// # Errors
    /// When it can't be written; nothing may be removed then.
    pub(crate) fn record_pruned(&mut self, windows: Vec<Pruned>) -> Result<(), LedgerError> {
        self.append_all(windows.into_iter().map(Event::Pruned))
    }

    /// Says that everything which was announced is done.
    ///
    /// # Errors
    /// When it can't be written: it is looked at once more then.
    pub(crate) fn end_pruning(&self) -> Result<(), LedgerError> {
        Ok(pruning::unmark(&self.path, &self.disk)?)
    }

    /// The folders of which a prune that has begun announced that their data are let go of, and that are not known to
    /// be done; `None` where none has begun.
    ///
    /// # Errors
    /// When the ledger, or the mark, can't be read.
    pub(crate) fn announced(&self) -> Result<Option<Vec<Archived>>, LedgerError> {
        let Some(windows) = pruning::begun(&self.path)? else {
            return Ok(None);
        };
        let is_announced = |window: &Window| self.replay.pruned.covers(window.span());
        if !windows.iter().any(is_announced) {
            return Ok(Some(Vec::new()));
        }
        let folders = self.folders()?;
        let recorded = folders.recorded().iter();
        let announced = recorded.filter(|known| {
            let window = known.archived.window;
            !known.is_missing && windows.contains(&window) && is_announced(&window)
        });
        Ok(Some(
            announced.map(|known| known.archived.clone()).collect(),
        ))
    }

    /// All folders that it has recorded.
    ///
    /// # Errors
    /// When it can't be read, or is damaged.
    pub(crate) fn folders(&self) -> Result<Folders, LedgerError> {
        let mut folders = Folders::default();
        self.read_lines(|line| folders.take(line))?;
        Ok(folders)
    }

    fn read_lines(&self, each: impl FnMut(&Line)) -> Result<(), LedgerError> {
        let state_dir = self.path.parent().unwrap_or(Path::new(""));
        off_the_runtime(|| Self::read(state_dir, &self.job, each)).map(drop)
    }

    /// Reserves space for a full disk. Without it, a failure on a full disk is not recorded.
    fn keep_reserve(&self) {
        if let Err(error) = reserve::keep(&self.path, &self.disk) {
            tracing::warn!("{error}; without it, a full disk may go unrecorded");
        }
    }
}

#[cfg(test)]
mod tests;
