//! Where in a day records lie, by the days before, so that a burst that comes at the same time each day is cut
//! beforehand. It only says what is asked for first: what an answer is worth never depends on it.

use super::histogram::Histogram;
use crate::domain::span::{Millis, Span, UtcMs};

/// Length of a cell. A burst of ten minutes is told from what lies around it.
const CELL: Millis = Millis::from_secs(300);
const DAY: Millis = Millis::from_days(1);
const CELLS: usize = 288;
/// How many days count for each cell.
const DAYS: usize = 7;

/// Records of the last days by the time of day, UTC: 8 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// Of each cell the last days, the newest first, and how many are known. Empty before the first window.
    cells: Vec<([u32; DAYS], usize)>,
}

impl Shape {
    /// Takes in where the records of a window lie.
    pub(crate) fn note(&mut self, window: &Histogram) {
        self.cells.resize(CELLS, Default::default());
        for cell in cells(window.window()) {
            // A part of a cell tells nothing of the whole.
            if !window.window().covers(cell) {
                continue;
            }
            if let Some((days, known)) = self.cells.get_mut(number(cell)) {
                days.rotate_right(1);
                days[0] = u32::try_from(window.within(cell)).unwrap_or(u32::MAX);
                *known = DAYS.min(*known + 1);
            }
        }
    }

    /// Where records of `window` may be expected; `None` where nothing is known of some of it.
    pub(crate) fn picture(&self, window: Span) -> Option<Picture> {
        let records = |cell: Span| {
            let &(days, known) = self.cells.get(number(cell))?;
            let mut days: Vec<u32> = days.into_iter().take(known).collect();
            days.sort_unstable();
            // Rather more than the middle one: a piece too many costs less than one that is thrown away.
            let expected = days.get(days.len() * 2 / 3).copied()?;
            Some((cell, f64::from(expected)))
        };
        let cells = cells(window).map(records).collect::<Option<_>>()?;
        Some(Picture { cells })
    }
}

/// Where records of a window are expected.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Spans of one length that touch, in order, with the records in each.
    cells: Vec<(Span, f64)>,
}

impl Picture {
    /// How many are expected in `span`.
    pub(crate) fn records_in(&self, span: Span) -> f64 {
        let first = self
            .cells
            .partition_point(|(cell, _)| cell.to() <= span.from());
        let cells = self.cells.iter().skip(first);
        let within = cells.map_while(|&(cell, records)| {
            let part = cell.intersection(span)?.length().0 as f64;
            Some(records * part / cell.length().0 as f64)
        });
        within.sum()
    }
}

/// The cells that a span touches.
fn cells(span: Span) -> impl Iterator<Item = Span> {
    let first = span.from().0.div_euclid(CELL.0);
    let end = (span.to().0 - 1).div_euclid(CELL.0) + 1;
    (first..end).filter_map(|at| Span::new(UtcMs(at * CELL.0), UtcMs((at + 1) * CELL.0)))
}

/// Which cell of a day it is.
fn number(cell: Span) -> usize {
    let of_day = cell.from().0.rem_euclid(DAY.0).div_euclid(CELL.0);
    usize::try_from(of_day).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: i64) -> Span {
        let from = UtcMs(at * 3_600_000);
        Span::new(from, from.plus(Millis::from_hours(1))).unwrap()
    }

    /// An hour with so many records in its second cell.
    fn window(at: i64, records: u64) -> Histogram {
        let mut histogram = Histogram::of(hour(at));
        for _ in 0..records {
            histogram.add(hour(at).from().plus(Millis(400_000)));
        }
        histogram
    }

    #[test]
    fn a_burst_is_expected_where_it_was_and_one_that_came_once_is_not() {
        let mut shape = Shape::default();
        assert!(shape.picture(hour(0)).is_none());
        for day in 0..5 {
            shape.note(&window(day * 24, 90));
            shape.note(&window(day * 24 + 1, if day == 2 { 1000 } else { 0 }));
        }
        let picture = shape.picture(hour(5 * 24)).unwrap();
        let from = hour(5 * 24).from();
        let part = |from, to| Span::new(from, to).unwrap();
        assert_eq!(picture.records_in(hour(5 * 24)), 90.0);
        assert_eq!(
            picture.records_in(part(from, from.plus(Millis(300_000)))),
            0.0
        );
        assert_eq!(
            picture.records_in(part(from.plus(Millis(450_000)), hour(5 * 24).to())),
            45.0
        );
        let next = shape.picture(hour(5 * 24 + 1)).unwrap();
        assert_eq!(next.records_in(hour(5 * 24 + 1)), 0.0);
        assert!(shape.picture(hour(2)).is_none());
    }

    /// Guarantee: Bounded
    #[test]
    fn no_more_than_the_last_days_are_kept() {
        let mut shape = Shape::default();
        for day in 0..100 {
            shape.note(&window(day * 24, 10 + u64::try_from(day).unwrap()));
        }
        assert_eq!(shape.cells.len(), CELLS);
        let picture = shape.picture(hour(0)).unwrap();
        assert_eq!(picture.records_in(hour(0)), 107.0);
    }
}
