//! Reading a ledger: the chain of lines is checked and folded into what it shows. Pure but for
//! the reader it is given; carries *Self-healing* (coverage is nothing but this replay).

use std::collections::BTreeMap;
use std::io::BufRead;

use super::chain;
use super::line::{Agreement, Event, Line, Pruned};
pub use super::lines::Damage;
use super::losses::Losses;
use super::missing::Missing;
use super::pruned::PrunedWindows;
use super::untold::Untold;
use crate::archive::manifest::Supersedes;
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::failures::{Failures, Task};
use crate::domain::hold::Holds;
use crate::domain::incomplete::Incomplete;
use crate::domain::job::Job;
use crate::domain::recheck::{Asked, Lateness, Recheckable};
use crate::domain::second_opinion::{ConfirmedWindows, Way};
use crate::domain::settings::Settings;
use crate::domain::span::{Span, UtcMs};
use crate::domain::split::estimate::Estimator;
use crate::domain::window::{FolderName, Window};

/// What the lines of a ledger show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The spans archived.
    pub coverage: Coverage,
    /// What was recorded lost.
    pub(super) losses: Losses,
    /// Windows recorded `truncated` or `unproven`, and which of them are acknowledged.
    pub incomplete: Incomplete,
    /// Windows whose count a second ask has confirmed, by what.
    pub confirmed: ConfirmedWindows,
    /// Requests for second opinions so far.
    pub opinion_requests: u64,
    /// Windows with records on which search has agreed with the download.
    pub search_agreed: u64,
    /// When an answer has last shown that `to` is inclusive.
    pub inclusive_at: Option<UtcMs>,
    /// From which byte on no line archives a window that a second, independent ask has confirmed.
    pub(super) unconfirmed_since: u64,
    /// Records archived, as far as they can be counted.
    pub records: u64,
    /// Bytes of data files archived.
    pub bytes: u64,
    /// Folders recorded, superseded and missing ones too; once each.
    pub folders: u64,
    /// The windows that may still be due for a recheck.
    pub recheckable: Recheckable,
    /// How late logs have been seen to come.
    pub lateness: Lateness,
    /// The newest revision of each window that was published anew, or whose folder is missing.
    pub revisions: BTreeMap<Window, u32>,
    /// Windows whose folder is missing and that are not archived since, and what was there.
    pub missing: Missing,
    /// Windows whose data were let go of; they stay archived.
    pub pruned: PrunedWindows,
    /// What no rule lets go of.
    pub holds: Holds,
    /// Under which settings the job archives; `None` where only an older version wrote.
    pub settings: Option<Settings>,
    /// The folder recorded last, relative to the archive's root; `None` once it is missing.
    pub last_folder: Option<String>,
    /// The window archived last, and when; not one that was published anew.
    pub last_success: Option<(Window, UtcMs)>,
    /// What the windows archived last held.
    pub estimator: Estimator,
    /// Digest of the manifest published last.
    pub last_manifest: Option<Digest>,
    /// Breaks of the chain that no manifest names yet.
    pub(crate) untold: Untold,
    /// Lines read.
    pub lines: u64,
    /// Length of all whole lines, in bytes: where a torn last line begins, if there is one.
    pub end: u64,
    /// Windows that failed and are not archived since.
    pub(super) failures: BTreeMap<Window, Failures>,
    /// Windows whose recheck failed and did not succeed since.
    pub(super) recheck_failures: BTreeMap<Window, Failures>,
    /// Length of the last line with its newline, in bytes.
    pub(super) last_line_bytes: u64,
    pub(crate) last_line: Option<Digest>,
}

impl Replay {
    /// Reads all whole lines; `each` sees every one that is in order. Bytes after the last
    /// newline are a torn line and are not read, see [`Replay::end`]. So is a last line with bytes
    /// that are zero, which some file systems leave after a power cut.
    ///
    /// # Errors
    /// At the first line that is damaged or does not continue the chain.
    pub fn read(lines: impl BufRead, each: impl FnMut(&Line)) -> Result<Self, Damage> {
        chain::read_on(Self::default(), lines, each)
    }

    /// Adds the next line, of which `json` are the bytes.
    pub(super) fn take(&mut self, line: &Line, json: &[u8]) -> Result<(), Damage> {
        if line.seq != self.lines + 1 {
            return Err(self.damaged(format!("its `seq` is {}", line.seq)));
        }
        if line.prev != self.last_line {
            return Err(self.damaged("its `prev` is not the digest of the line before".into()));
        }
        match &line.event {
            Event::Archived(archived) => self.archived(archived, line.at),
            Event::Lost(span) => self.losses.record(*span, line.at),
            Event::Acknowledged(span) => {
                self.losses.acknowledge(*span);
                // Of a window the span is the window's own; of losses alone it begins before any window.
                self.incomplete.acknowledge(Window::of(*span));
            }
            Event::Failed(failed) => Failures::note(&mut self.failures, failed, line.at),
            Event::Rechecked(window) => {
                self.recheckable.unchanged(*window, line.at);
                self.lateness.note(*window, line.at, line.at, 0);
                self.recheck_failures.remove(window);
                self.incomplete.agreed(*window);
            }
            Event::Confirmed(agreement) => self.confirmed(agreement, line.at),
            Event::Missing(missing) => self.take_away(&missing.archived, line.at),
            Event::Pruned(pruned) => self.let_go(pruned),
            Event::Hold(order) => self.holds.take(order),
            Event::Rebuilt(rebuilt) => self.untold.rebuilt(rebuilt),
            Event::Job(settings) => self.settings = Some(settings.after(self.settings.take())),
            Event::RecheckFailed(failed) => {
                let recheckable = &self.recheckable;
                self.recheck_failures
                    .retain(|&window, _| recheckable.asked(window).is_some());
                Failures::note(&mut self.recheck_failures, failed, line.at);
                if failed.contradicts {
                    self.incomplete.contradicted(failed.window, line.at);
                }
            }
        }
        self.opinion_requests = self.opinion_requests.saturating_add(line.opinion_requests);
        self.lines += 1;
        self.last_line_bytes = json.len() as u64 + 1;
        self.end += self.last_line_bytes;
        self.last_line = Some(Digest::of(json));
        Ok(())
    }

    fn archived(&mut self, archived: &Archived, at: UtcMs) {
        let window = archived.window;
        self.pruned.forget(window, archived.bytes);
        self.coverage.add(window.span());
        // The very folder that was missing may have been brought back.
        let is_back = self.missing.is_awaited(archived);
        self.missing.archived(&self.coverage);
        self.untold.archived();
        if !self.failures.is_empty() {
            self.failures
                .retain(|failed, _| !window.span().covers(failed.span()));
        }
        match &archived.supersedes {
            Some(before) => self.superseded(archived, before),
            None if is_back => self.untold.back(),
            None => {
                self.last_success = Some((window, at));
                if let Some(records) = archived.records {
                    self.estimator.note(window.span(), records);
                }
            }
        }
        self.incomplete.archived(window, archived.status, at);
        let opinion = archived.opinion;
        let confirmed = opinion.by.unwrap_or(Way::None);
        *self.confirmed.of(confirmed) += 1;
        if archived.is_inclusive {
            self.inclusive_at = Some(at);
        }
        let search_agrees = confirmed == Way::Search || opinion.search_agrees;
        self.search_agreed += u64::from(search_agrees);
        self.records = self.records.saturating_add(archived.records.unwrap_or(0));
        self.bytes = self.bytes.saturating_add(archived.bytes);
        if !is_back {
            self.folders += 1;
            self.last_manifest = Some(archived.manifest_sha256);
            self.last_folder = Some(archived.folder.clone());
        }
        let asked = Asked {
            at: archived.asked.unwrap_or(at),
            line: self.end,
            again: archived.supersedes.is_some(),
            confirmed,
            records: archived.records,
            retry: opinion.retry,
            suspected: None,
        };
        if opinion.cut {
            self.recheckable.suspect_since(self.unconfirmed_since, at);
        }
        self.recheckable.archived(window, asked);
        if opinion.cut || asked.is_sure() {
            self.unconfirmed_since = self.end + 1;
        }
        if archived.is_pruned {
            self.let_go(&Pruned {
                window,
                bytes: archived.bytes,
                reason: String::new(),
            });
        }
        let revision = FolderName::revision_of(&archived.folder);
        if revision > 1 {
            self.revisions.insert(window, revision);
        }
    }

    /// The data of a window are let go of: it is not asked for once more, since nothing could be compared.
    fn let_go(&mut self, pruned: &Pruned) {
        self.pruned.take(pruned);
        self.recheckable.forget(pruned.window);
        self.recheck_failures.remove(&pruned.window);
    }

    /// The folder of an archived window is gone: nothing of it counts any more. Where a newer one has
    /// superseded it, nothing has counted since.
    pub(crate) fn take_away(&mut self, gone: &Archived, at: UtcMs) {
        self.untold.gone();
        if self.last_folder.as_ref() == Some(&gone.folder) {
            self.last_folder = None;
        }
        let (window, revision) = (gone.window, FolderName::revision_of(&gone.folder));
        if !self.is_newest(gone) || !self.coverage.covers(window.span()) {
            return;
        }
        let asked = self.recheckable.asked(window);
        let way = asked.map(|asked| asked.confirmed).or(gone.opinion.by);
        let confirmed = self.confirmed.of(way.unwrap_or(Way::None));
        *confirmed = confirmed.saturating_sub(1);
        self.records = self.records.saturating_sub(gone.records.unwrap_or(0));
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        self.pruned.forget(window, gone.bytes);
        self.coverage.remove(window.span());
        self.losses.forget(window.span());
        self.incomplete.forget(window);
        self.recheckable.forget(window);
        self.recheck_failures.remove(&window);
        self.revisions.insert(window, revision);
        let before = Supersedes {
            folder: gone.folder.clone(),
            manifest_sha256: gone.manifest_sha256,
            status: gone.status,
            records: gone.records,
            bytes: gone.bytes,
            confirmed: way,
            asked_ms: asked.map_or(at, |asked| asked.at),
            found_ms: at,
            missing: true,
        };
        self.missing.gone(window, before);
    }

    /// A second, independent ask agrees with an archived window.
    fn confirmed(&mut self, agreement: &Agreement, at: UtcMs) {
        let window = agreement.window;
        let before = self.recheckable.asked(window).map(|asked| asked.confirmed);
        let not_yet = self.confirmed.of(before.unwrap_or(Way::None));
        *not_yet = not_yet.saturating_sub(1);
        *self.confirmed.of(agreement.by) += 1;
        self.search_agreed += u64::from(agreement.by == Way::Search);
        self.recheckable.confirmed(window, agreement.by, at);
        self.lateness.note(window, at, at, 0);
        self.recheck_failures.remove(&window);
        self.incomplete.agreed(window);
    }

    /// What is published anew counts in place of what it supersedes.
    fn superseded(&mut self, archived: &Archived, before: &Supersedes) {
        // It may have been confirmed after its manifest was written.
        let known = self.recheckable.asked(archived.window);
        let way = known.map(|asked| asked.confirmed).or(before.confirmed);
        let confirmed = self.confirmed.of(way.unwrap_or(Way::None));
        *confirmed = confirmed.saturating_sub(1);
        self.records = self.records.saturating_sub(before.records.unwrap_or(0));
        self.bytes = self.bytes.saturating_sub(before.bytes);
        let more = archived
            .records
            .zip(before.records)
            .map_or(0, |(now, before)| now.saturating_sub(before));
        let (asked, found) = (before.asked_ms, before.found_ms);
        self.lateness.note(archived.window, asked, found, more);
        self.recheck_failures.remove(&archived.window);
    }

    /// Takes an acknowledgement into account that the ledger does not say yet: of what is lost before
    /// `until`, and of what was recorded `truncated` or `unproven` up to then.
    pub(crate) fn acknowledge_until(&mut self, until: UtcMs) {
        if let Some(span) = Span::new(UtcMs(i64::MIN), until) {
            self.losses.acknowledge(span);
        }
        for window in self.incomplete.unknown_until(until) {
            self.incomplete.acknowledge(window);
        }
    }

    /// The line that would continue the chain.
    #[must_use]
    pub fn next_line(&self, at: UtcMs, event: Event) -> Line {
        Line {
            seq: self.lines + 1,
            at,
            event,
            prev: self.last_line,
            opinion_requests: 0,
        }
    }

    /// The last failure of a window of `job` that has settled at `now`, or of a recheck due then, that nothing
    /// has made good. One that has not settled was asked for by a clock that was ahead.
    #[must_use]
    pub fn last_error(&self, now: UtcMs, job: &Job) -> Option<(&str, UtcMs)> {
        let missing = self.failures.iter().filter(|(window, _)| {
            let span = window.span();
            let is_due = span.to().plus(job.settle) <= now && self.concerns(span, job);
            is_due && !self.coverage.covers(span) && !self.is_known_lost(span)
        });
        let is_due =
            |&(&window, _): &(&Window, &Failures)| self.recheckable.is_due(window, now, job);
        missing
            .chain(self.recheck_failures.iter().filter(is_due))
            .max_by_key(|(_, failures)| failures.last)
            .map(|(_, failures)| (failures.message.as_str(), failures.last))
    }

    /// The spans that are lost, and not archived since; with each, whether it is acknowledged.
    #[must_use]
    pub fn lost(&self) -> Vec<(Span, bool)> {
        self.losses.without(&self.coverage)
    }

    /// The windows archived since a second, independent ask last confirmed one.
    pub fn not_confirmed_since(&self) -> impl Iterator<Item = Window> + '_ {
        let since = self.unconfirmed_since;
        self.recheckable
            .windows()
            .filter(move |(_, asked)| asked.line >= since && !asked.is_sure())
            .map(|(window, _)| window)
    }

    /// Whether all of `span` is recorded as lost.
    #[must_use]
    pub fn is_known_lost(&self, span: Span) -> bool {
        self.losses.recorded.covers(span)
    }

    /// Whether no later folder of its window supersedes it.
    #[must_use]
    pub fn is_newest(&self, archived: &Archived) -> bool {
        let newest = self.revisions.get(&archived.window).copied().unwrap_or(1);
        FolderName::revision_of(&archived.folder) >= newest
    }

    /// What nobody needs to look for: what is archived, and what is lost and acknowledged.
    #[must_use]
    pub fn accounted(&self) -> Coverage {
        self.losses.accounted(&self.coverage)
    }

    /// Whether a span is the concern of a job: after `since`, archived and missing, or owed.
    #[must_use]
    pub fn concerns(&self, span: Span, job: &Job) -> bool {
        span.to() > job.since || self.missing.has(span) || job.is_owed(span)
    }

    /// What need not be asked for: what is archived, and what is lost and ends before `reach`.
    #[must_use]
    pub fn closed(&self, reach: Option<UtcMs>) -> Coverage {
        self.losses.closed(&self.coverage, reach)
    }

    /// How windows have failed that are not archived since.
    #[must_use]
    pub const fn failures(&self, task: Task) -> &BTreeMap<Window, Failures> {
        match task {
            Task::Archive => &self.failures,
            Task::Recheck => &self.recheck_failures,
        }
    }

    pub(super) fn damaged(&self, what: String) -> Damage {
        Damage::Line {
            line: self.lines + 1,
            what,
        }
    }
}

#[cfg(test)]
mod tests;
