//! Days, each with the worst state of its windows, cut at the civil days of the job's zone. Pure. Carries *Candid*.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::{Span as Civil, ToSpan as _};

use super::openings::{Openings, Slot, Terms};
use super::shown::Held;
use super::state::{State, Tally};
use crate::domain::coverage::Coverage;
use crate::domain::span::{Span, UtcMs};
use crate::domain::window::{Window, Zone};

/// How many weeks a calendar has: a year, and the rest of the week that it begins in.
pub(crate) const WEEKS: i64 = 53;

/// What is archived of each day that has something.
pub(crate) type Archived = BTreeMap<Date, Tally>;

/// The days from a Monday on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// A Monday.
    pub(crate) first: Date,
    /// The last day.
    pub(crate) last: Date,
}

/// A day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Its date in the job's zone.
    pub(crate) date: Date,
    /// The worst of its windows.
    pub(crate) state: State,
    /// Its windows.
    pub(crate) tally: Tally,
}

/// The date of an instant.
pub(crate) fn date_of(instant: UtcMs, zone: &Zone) -> Date {
    instant.timestamp().to_zoned(zone.tz().clone()).date()
}

/// The instants of a day; `None` where the zone has left it out.
pub(crate) fn span_of(date: Date, zone: &Zone) -> Option<Span> {
    let next = date.tomorrow().ok()?;
    Span::new(zone.start_of(date).ok()?, zone.start_of(next).ok()?)
}

impl Block {
    /// The year up to a day.
    pub(crate) fn until(last: Date) -> Self {
        let monday = last.weekday().since(Weekday::Monday);
        let back: Civil = (WEEKS - 1).weeks().days(monday);
        Self {
            first: last.checked_sub(back).unwrap_or(Date::MIN),
            last,
        }
    }

    /// Its instants; `None` at the ends of the calendar.
    pub(crate) fn span(&self, zone: &Zone) -> Option<Span> {
        let after = self.last.tomorrow().ok()?;
        Span::new(zone.start_of(self.first).ok()?, zone.start_of(after).ok()?)
    }

    /// The last day of the year before.
    pub(crate) fn before(&self) -> Option<Date> {
        self.first.yesterday().ok()
    }

    fn dates(&self) -> impl Iterator<Item = Date> {
        let last = self.last;
        self.first
            .series(1.day())
            .take_while(move |date| *date <= last)
    }
}

/// What is archived, by the days on which the windows begin.
pub(crate) fn by_day(windows: &BTreeMap<Window, Held>, zone: &Zone) -> Archived {
    let mut days = Archived::new();
    let mut day: Option<(Span, Date)> = None;
    for (window, held) in windows {
        let known = day.filter(|(span, _)| span.contains(window.from()));
        let date = known.map_or_else(|| date_of(window.from(), zone), |(_, date)| date);
        if known.is_none() {
            day = span_of(date, zone).map(|span| (span, date));
        }
        let tally = days.entry(date).or_default();
        tally.hold(held.counts_as(), held.records, held.bytes);
    }
    days
}

/// The days of a block, in order.
pub(crate) fn days(
    terms: &Terms,
    openings: &Openings,
    covered: &Coverage,
    archived: &Archived,
    block: Block,
) -> Vec<Day> {
    let slots = block
        .span(&terms.zone)
        .map_or_else(Vec::new, |span| openings.slots(terms, span));
    let mut slots = slots.as_slice();
    let day = |date: Date| {
        let mut tally = archived.get(&date).cloned().unwrap_or_default();
        let span = span_of(date, &terms.zone);
        if let Some(span) = span {
            let end = slots.partition_point(|slot| slot.window.from() < span.to());
            let (here, rest) = slots.split_at(end);
            here.iter().for_each(|slot: &Slot| tally.add(slot.state));
            slots = rest;
        }
        // A window of another day may reach over it; of a day that a zone leaves out there is none.
        let is_covered = span.is_none_or(|span| covered.covers(span) && span.to() > terms.since);
        let without = match is_covered {
            true => State::Complete,
            false => State::Before,
        };
        Day {
            date,
            state: tally.worst().unwrap_or(without),
            tally,
        }
    };
    block.dates().map(day).collect()
}

#[cfg(test)]
mod tests;
