//! Where in a day records lie, by the days before, so that a burst that comes at the same time each day is cut
//! beforehand. It only says what is asked for first: what an answer is worth never depends on it.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::domain::span::{Millis, Span, UtcMs};

/// Length of a cell. A burst of ten minutes is told from what lies around it.
const CELL: Millis = Millis::from_secs(300);
const DAY: Millis = Millis::from_days(1);
const CELLS: usize = 288;
/// How many days are known: of each day of the week two, so that what came once is no rule.
const DAYS: i64 = 14;
const WEEK: i64 = 7;
/// What is not known of a cell.
const UNKNOWN: u32 = u32::MAX;

/// By what factor two days may differ, and by how many records in any case, to be like each other.
const ALIKE: f64 = 1.6;
const FEW: f64 = 100.0;

/// Records of the last 14 days by the time of day, UTC: 16 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u32>>", into = "Vec<Vec<u32>>")]
pub(crate) struct Shape {
    /// A column of cells for each day; a day takes the one of 14 days before. Empty before the first window.
    days: Vec<Vec<u32>>,
}

impl Shape {
    /// Takes in where the records of a window lie. A window that is told twice counts once.
    pub(crate) fn note(&mut self, window: &Histogram) {
        if self.is_empty() {
            self.days = vec![vec![UNKNOWN; CELLS]; DAYS as usize];
        }
        for cell in cells(window.window()) {
            // A part of a cell tells nothing of the whole.
            if !window.window().covers(cell) {
                continue;
            }
            let (day, at) = place(cell, 0);
            if let Some(known) = self.days.get_mut(day).and_then(|day| day.get_mut(at)) {
                *known = u32::try_from(window.within(cell)).unwrap_or(UNKNOWN - 1);
            }
        }
    }

    /// Whether nothing is known.
    pub(crate) const fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Where records of `window` may be expected, by the days that are like this day of the week; `None` where no
    /// day before is known.
    pub(crate) fn picture(&self, window: Span) -> Option<Picture> {
        let days = (1..=DAYS).filter_map(|ago| Some((ago, self.day(window, ago)?)));
        let mut days: Vec<(i64, Vec<u32>)> = days.collect();
        let of_weekday = days.iter().filter(|(ago, _)| ago % WEEK == 0);
        let of_weekday: Vec<f64> = of_weekday.map(|(_, day)| records(day)).collect();
        // What two weeks in a row have shown is how this day of the week is.
        if let [first, second] = of_weekday[..]
            && are_alike(first, second)
        {
            days.retain(|(_, day)| are_alike(records(day), f64::midpoint(first, second)));
        }
        let expected = |at: usize| {
            let mut known: Vec<u32> = days
                .iter()
                .filter_map(|(_, day)| day.get(at).copied())
                .collect();
            known.sort_unstable();
            // Rather more than the middle one: a piece too many costs less than one that is thrown away.
            known.get(known.len() * 2 / 3).copied().map(f64::from)
        };
        let cells = cells(window).enumerate();
        let cells = cells
            .map(|(at, cell)| Some((cell, expected(at)?)))
            .collect::<Option<_>>()?;
        Some(Picture { cells })
    }

    /// What the cells of `window` held so many days ago, or the same day two weeks earlier; `None` unless all of it is
    /// known.
    fn day(&self, window: Span, ago: i64) -> Option<Vec<u32>> {
        let known = |cell| {
            let (day, at) = place(cell, ago);
            let records = *self.days.get(day)?.get(at)?;
            (records != UNKNOWN).then_some(records)
        };
        cells(window).map(known).collect()
    }
}

impl From<Shape> for Vec<Vec<u32>> {
    fn from(shape: Shape) -> Self {
        shape.days
    }
}

impl TryFrom<Vec<Vec<u32>>> for Shape {
    type Error = &'static str;

    fn try_from(days: Vec<Vec<u32>>) -> Result<Self, Self::Error> {
        let is_whole = days.len() == DAYS as usize && days.iter().all(|day| day.len() == CELLS);
        match is_whole || days.is_empty() {
            true => Ok(Self { days }),
            false => Err("not 14 days of 288 cells"),
        }
    }
}

fn records(day: &[u32]) -> f64 {
    day.iter().map(|&records| f64::from(records)).sum()
}

fn are_alike(a: f64, b: f64) -> bool {
    a <= b * ALIKE + FEW && b <= a * ALIKE + FEW
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

    /// Where the cell ends of which `piece` is a part.
    pub(crate) fn cell_end(&self, piece: Span) -> Option<UtcMs> {
        let mut cells = self.cells.iter().map(|&(cell, _)| cell);
        cells.find(|cell| cell.covers(piece)).map(Span::to)
    }
}

/// The cells that a span touches.
fn cells(span: Span) -> impl Iterator<Item = Span> {
    let first = span.from().0.div_euclid(CELL.0);
    let end = (span.to().0 - 1).div_euclid(CELL.0) + 1;
    (first..end).filter_map(|at| Span::new(UtcMs(at * CELL.0), UtcMs((at + 1) * CELL.0)))
}

/// In which column, and where in it, what a cell held so many days ago is kept.
fn place(cell: Span, days_ago: i64) -> (usize, usize) {
    let day = (cell.from().0.div_euclid(DAY.0) - days_ago).rem_euclid(DAYS);
    let at = cell.from().0.rem_euclid(DAY.0).div_euclid(CELL.0);
    (
        usize::try_from(day).unwrap_or(0),
        usize::try_from(at).unwrap_or(0),
    )
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

    /// The picture of each hour, as the number of records in it.
    fn expected(shape: &Shape, at: i64) -> f64 {
        shape.picture(hour(at)).unwrap().records_in(hour(at))
    }

    #[test]
    fn a_day_of_the_week_is_expected_as_it_was_twice_and_not_as_it_was_once() {
        let mut shape = Shape::default();
        let held = |day: i64| if day % 7 == 3 { 5_000 } else { 40 };
        for day in 0..10 {
            shape.note(&window(day * 24, held(day)));
        }
        assert_eq!(expected(&shape, 10 * 24), 40.0);
        for day in 10..17 {
            shape.note(&window(day * 24, held(day)));
        }
        assert_eq!(expected(&shape, 17 * 24), 5_000.0);
        assert_eq!(expected(&shape, 18 * 24), 40.0);
    }

    #[test]
    fn a_window_that_is_told_twice_counts_once() {
        let mut shape = Shape::default();
        for records in [10, 10, 90, 90, 90] {
            shape.note(&window(0, records));
        }
        shape.note(&window(24, 10));
        shape.note(&window(48, 10));
        shape.note(&window(72, 10));
        assert_eq!(expected(&shape, 96), 10.0);
    }

    #[test]
    fn it_is_read_back_as_it_was_written_and_nothing_else_is_read() {
        let mut shape = Shape::default();
        shape.note(&window(5, 90));
        let json = serde_json::to_string(&shape).unwrap();
        assert_eq!(serde_json::from_str::<Shape>(&json).unwrap(), shape);
        assert_eq!(
            serde_json::from_str::<Shape>("[]").unwrap(),
            Shape::default()
        );
        for wrong in ["[[1]]", "{}", "[[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"] {
            assert!(serde_json::from_str::<Shape>(wrong).is_err(), "{wrong}");
        }
    }

    /// Guarantee: Bounded
    #[test]
    fn no_more_than_the_last_days_are_kept() {
        let mut shape = Shape::default();
        for day in 0..100 {
            shape.note(&window(day * 24, 10 + u64::try_from(day).unwrap()));
        }
        assert_eq!(shape.days.len(), 14);
        assert_eq!(expected(&shape, 100 * 24), 105.0);
    }
}
