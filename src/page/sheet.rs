//! All that a page shows of the jobs at one instant. Carries *Candid*: a job that can't be read, or can't run, is there
//! with its reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::calendar::{Archived, Block, Day, days};
use super::openings::{Openings, Stretch, Terms};
use super::shown::Held;
use super::state::State;
use crate::domain::failures::Failures;
use crate::domain::job::JobName;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::{FolderName, Window, Zone};
use crate::ledger::outline::Outline;

/// How many failures of a job are told one by one.
const MOST_FAILING: usize = 5;

/// All jobs.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The instant.
    pub(crate) now: UtcMs,
    /// The zone in which it is told.
    pub(crate) zone: Zone,
    /// The jobs.
    pub(crate) jobs: Vec<JobSheet>,
}

/// A job.
#[derive(Debug)]
pub(crate) struct JobSheet {
    /// Its name.
    pub(crate) name: JobName,
    /// Whether it is at work.
    pub(crate) standing: Standing,
    /// Why it can't run, or can't be read.
    pub(crate) problem: Option<String>,
    /// Its circuit breaker.
    pub(crate) breaker: Breaker,
    /// What its ledger shows; `None` where that can't be read.
    pub(crate) body: Option<Body>,
}

/// Whether a job is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is.
    AtWork,
    /// The config says that it is not.
    Disabled,
    /// The config has it no more.
    Retired,
}

/// A job's circuit breaker, or its account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// Only the daemon knows.
    Unknown,
    /// Closed.
    Closed,
    /// Open: nothing is asked for.
    Open,
    /// The account's service is down.
    Down {
        /// Since when.
        since: UtcMs,
        /// When it is asked next.
        next: UtcMs,
        /// The last failure.
        message: String,
    },
}

/// What of a ledger is enough for all but its windows; small enough to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// How much is archived.
    pub(crate) outline: Arc<Outline>,
    /// What is archived of each day.
    pub(crate) archived: Archived,
    /// The windows that failed last.
    pub(crate) failing: Vec<(Window, Failures)>,
}

/// What a job's ledger shows.
#[derive(Debug)]
pub(crate) struct Body {
    /// On which terms it archives.
    pub(crate) terms: Terms,
    /// How much is archived.
    pub(crate) outline: Arc<Outline>,
    /// Windows that are due.
    pub(crate) due: usize,
    /// What is due or lost, the worst first.
    pub(crate) stretches: Vec<Stretch>,
    /// The windows that failed last, the last one first.
    pub(crate) failing: Vec<(Window, Failures)>,
    /// Years of days, the newest first.
    pub(crate) years: Vec<(Block, Vec<Day>)>,
}

/// A window of a day.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The window.
    pub(crate) window: Window,
    /// What it is.
    pub(crate) state: State,
    /// What is archived of it.
    pub(crate) held: Option<&'a Held>,
}

impl Summary {
    /// Of what a ledger shows.
    pub(crate) fn of(
        outline: Outline,
        archived: Archived,
        failures: &BTreeMap<Window, Failures>,
    ) -> Self {
        let mut failing: Vec<_> = failures
            .iter()
            .map(|(&window, failed)| (window, failed))
            .collect();
        failing.sort_by_key(|(_, failed)| std::cmp::Reverse(failed.last));
        failing.truncate(MOST_FAILING);
        Self {
            outline: Arc::new(outline),
            archived,
            failing: failing
                .into_iter()
                .map(|(window, failed)| (window, failed.clone()))
                .collect(),
        }
    }
}

impl Body {
    /// What a summary shows at `now`, in these years.
    pub(crate) fn of(terms: Terms, summary: Summary, now: UtcMs, blocks: &[Block]) -> Self {
        let outline = summary.outline;
        let openings = Openings::of(&terms, &outline, now);
        let year = |&block: &Block| {
            let covered = outline.coverage();
            let days = days(&terms, &openings, covered, &summary.archived, block);
            (block, days)
        };
        // One from before `since`, or of a clock that was ahead, is nobody's concern.
        let concerns = |(window, _): &(Window, Failures)| {
            let is_due = terms.job.as_ref().is_some_and(|job| {
                window.to().plus(job.settle) <= now
                    && (window.to() > job.since || job.is_owed(window.span()))
            });
            is_due && terms.is_at_work()
        };
        Self {
            due: openings.due(),
            stretches: openings.stretches(&terms),
            failing: summary.failing.into_iter().filter(concerns).collect(),
            years: blocks.iter().map(year).collect(),
            outline,
            terms,
        }
    }

    /// The end of the span that is archived, or known to be lost, without a gap.
    pub(crate) fn covered_until(&self) -> UtcMs {
        self.outline.covered_until(self.terms.since)
    }

    /// The worst state of a day that is shown; that today is not over yet is no news.
    pub(crate) fn worst(&self) -> Option<State> {
        let days = self.years.iter().flat_map(|(_, days)| days);
        let states = days.map(|day| day.state);
        let of_days = states.filter(|&state| state != State::Pending).min();
        let of_all = self.stretches.first().map(|stretch| stretch.state);
        [of_days, of_all].into_iter().flatten().min()
    }
}

impl Row<'_> {
    /// What it counts as in its day.
    pub(crate) fn counts_as(&self) -> State {
        self.held.map_or(self.state, Held::counts_as)
    }

    /// The last part of its address: its folder's name, or what that will be.
    pub(crate) fn name(&self, zone: &Zone) -> String {
        let folder = self.held.and_then(|held| held.place.as_ref());
        let named = folder.and_then(|place| place.folder.rsplit('/').next());
        named.map_or_else(|| FolderName::of(self.window, zone).name, str::to_owned)
    }
}

/// The windows that begin in `span`, in order of time.
pub(crate) fn rows<'a>(
    terms: &Terms,
    openings: &Openings,
    held: &'a BTreeMap<Window, Held>,
    span: Span,
) -> Vec<Row<'a>> {
    let open = openings.slots(terms, span).into_iter().map(|slot| Row {
        window: slot.window,
        state: slot.state,
        held: None,
    });
    let first = Span::new(span.from(), span.from().plus(Millis(1)));
    let held = first
        .into_iter()
        .flat_map(|first| held.range(Window::of(first)..));
    let held = held.take_while(|(window, _)| window.from() < span.to());
    let held = held.map(|(&window, held)| Row {
        window,
        state: held.state,
        held: Some(held),
    });
    let mut rows: Vec<Row<'a>> = open.chain(held).collect();
    rows.sort_by_key(|row| row.window);
    rows
}

/// Years up to `today`, the newest first, of which the last one has the day `first`.
pub(crate) fn years(first: Date, today: Date) -> Vec<Block> {
    let mut blocks = vec![Block::until(today)];
    while let Some(last) = blocks.last().copied()
        && last.first > first
        && let Some(before) = last.before()
    {
        blocks.push(Block::until(before));
    }
    blocks
}
