//! What of a job is not archived: due, lost, not due yet. Pure: the domain decides what is due, here it is only told.
//! Carries *Candid*.

use std::sync::Arc;

use super::state::State;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::{deadline_of, plan, reach};
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::{Window, WindowSize, Windows, Zone};
use crate::ledger::outline::Outline;

/// On which terms a job archives, or did.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Its name.
    pub(crate) name: JobName,
    /// The zone of its days.
    pub(crate) zone: Zone,
    /// The first instant that it archives.
    pub(crate) since: UtcMs,
    /// The job; `None` where the config has it no more.
    pub(crate) job: Option<Arc<Job>>,
}

/// A window that is not archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The window.
    pub(crate) window: Window,
    /// What it is.
    pub(crate) state: State,
}

/// Windows beside each other that are due, or a span that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// All of them.
    pub(crate) span: Span,
    /// What they are.
    pub(crate) state: State,
    /// How many.
    pub(crate) windows: u64,
    /// When the service forgets the first of them; `None` where that is not known, or is over.
    pub(crate) deadline: Option<UtcMs>,
}

/// What of a job is not archived at one instant.
#[derive(Debug)]
pub(crate) struct Openings {
    /// Windows that are due, oldest first.
    due: Vec<Slot>,
    /// Spans that are lost.
    lost: Vec<(Span, State)>,
    /// What is archived, lost or due.
    told: Coverage,
    /// First instant after everything archived.
    end: Option<UtcMs>,
}

impl Terms {
    /// Those of a job of the config.
    pub(crate) fn of(job: &Arc<Job>) -> Self {
        Self {
            name: job.name.clone(),
            zone: job.zone.clone(),
            since: job.since,
            job: Some(Arc::clone(job)),
        }
    }

    /// Those of a job that the config has no more, whose windows are shown in the days of `zone`.
    pub(crate) fn retired(name: JobName, zone: Zone, outline: &Outline) -> Self {
        let first = outline.coverage().spans().next();
        Self {
            name,
            zone,
            since: first.map_or(UtcMs(0), Span::from),
            job: None,
        }
    }

    /// Whether it archives.
    pub(crate) fn is_at_work(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.enabled)
    }

    fn cut(&self, span: Span) -> impl Iterator<Item = Window> {
        let size = self.job.as_ref().map_or(WindowSize::DAY, |job| job.window);
        Windows::starting(&self.zone, size, span.from())
            .map_while(move |window| window.clipped_to(span))
    }
}

impl Openings {
    /// What of a job is not archived at `now`, by the earlier of our clock and the service's.
    pub(crate) fn of(terms: &Terms, outline: &Outline, now: UtcMs) -> Self {
        let end = outline.coverage().end();
        let is_concern = |span: Span| {
            let is_missing = |missing: &Span| missing.intersection(span).is_some();
            span.to() > terms.since
                || outline.missing.iter().any(is_missing)
                || terms.job.as_ref().is_some_and(|job| job.is_owed(span))
        };
        let state = |is_known| match is_known {
            true => State::Acknowledged,
            false => State::Lost,
        };
        let lost = outline.lost().into_iter();
        let lost: Vec<(Span, State)> = lost
            .filter(|&(span, _)| is_concern(span))
            .map(|(span, is_known)| (span, state(is_known)))
            .collect();
        let mut gone = Coverage::new();
        lost.iter().for_each(|&(span, _)| gone.add(span));
        let due = terms.job.as_ref().map_or_else(Vec::new, |job| {
            let closed = outline.closed(reach(now, job));
            plan(now, &closed, &outline.missing, job)
        });
        let state = |window: Window| match end.is_some_and(|end| window.from() < end) {
            true => State::Gap,
            false => State::Late,
        };
        // Where the service may have kept it after all, it is asked for again; it stays lost until it is had.
        let due = due
            .into_iter()
            .filter(|window| gone.missing_in(window.span()) == [window.span()]);
        let due: Vec<Slot> = due
            .map(|window| Slot {
                state: state(window),
                window,
            })
            .collect();
        let mut told = outline.coverage().clone();
        let all = due.iter().map(|slot| slot.window.span());
        all.chain(gone.spans()).for_each(|span| told.add(span));
        Self {
            due,
            lost,
            told,
            end,
        }
    }

    /// The windows that are due.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// The windows that are not archived and begin in `span`, in order of time.
    pub(crate) fn slots(&self, terms: &Terms, span: Span) -> Vec<Slot> {
        let mut slots = Vec::new();
        for &(lost, state) in &self.lost {
            let part = lost.intersection(span).into_iter();
            slots.extend(part.flat_map(|part| terms.cut(part).map(move |window| (window, state))));
        }
        let mut slots: Vec<Slot> = slots
            .into_iter()
            .map(|(window, state)| Slot { window, state })
            .collect();
        let begin = self
            .due
            .partition_point(|slot| slot.window.from() < span.from());
        let due = self.due.get(begin..).unwrap_or_default().iter();
        slots.extend(due.take_while(|slot| slot.window.from() < span.to()));
        let rest = Span::new(terms.since.max(span.from()), span.to());
        for missing in rest.map_or_else(Vec::new, |rest| self.told.missing_in(rest)) {
            slots.extend(terms.cut(missing).map(|window| Slot {
                state: self.rest(terms, window),
                window,
            }));
        }
        slots.sort_by_key(|slot| slot.window);
        slots
    }

    /// What a window is that is neither archived nor lost nor due.
    fn rest(&self, terms: &Terms, window: Window) -> State {
        match (
            terms.is_at_work(),
            self.end.is_some_and(|end| window.from() < end),
        ) {
            (true, _) => State::Pending,
            (false, true) => State::Gap,
            (false, false) => State::Ended,
        }
    }

    /// What is due or lost, with what touches as one, the worst first.
    pub(crate) fn stretches(&self, terms: &Terms) -> Vec<Stretch> {
        let mut found: Vec<Stretch> = Vec::new();
        for slot in &self.due {
            let (span, state) = (slot.window.span(), slot.state);
            if let Some(last) = found.last_mut()
                && (last.span.to(), last.state) == (span.from(), state)
                && let Some(both) = Span::new(last.span.from(), span.to())
            {
                (last.span, last.windows) = (both, last.windows + 1);
                continue;
            }
            let deadline = |job: &Arc<Job>| deadline_of(slot.window, job);
            found.push(Stretch {
                span,
                state,
                windows: 1,
                deadline: terms.job.as_ref().and_then(deadline),
            });
        }
        let lost = self.lost.iter().map(|&(span, state)| Stretch {
            span,
            state,
            windows: terms.cut(span).count() as u64,
            deadline: None,
        });
        found.extend(lost);
        found.sort_by_key(|stretch| (stretch.state, stretch.span.from()));
        found
    }
}
