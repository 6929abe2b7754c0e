//! A project that falls silent: its newest windows hold no log, though the same hour of each of the seven days
//! before held some. The archive of it is complete and everything is green, but a service that has stopped to log,
//! or an agent that has stopped to send, looks just so. Carries *Candid*.

use super::span::{Millis, Span, UtcMs};

const DAY: Millis = Millis::from_days(1);

/// How many days must have held logs in the same hour. A weekend that is empty each week is no news.
const DAYS: i64 = 7;

/// The shortest time that is compared: a minute without a log is chance.
const HOUR: Millis = Millis::from_hours(1);

/// A window, and its records; `None` where they can't be counted.
pub(crate) type Held = (Span, Option<u64>);

/// The newest of the windows that are empty and touch each other, from the first on that was not to be expected
/// empty; none while there is no such one. `archived` are all that are remembered, in order of time.
///
/// The days that it is compared with are the last seven before the silence began, so it stays known for as long as
/// they are remembered.
#[must_use]
pub(crate) fn silent(archived: &[Held]) -> &[Held] {
    let is_empty = |&(_, records): &Held| records == Some(0);
    let mut begin = archived.len();
    let mut next: Option<UtcMs> = None;
    for (at, held) in archived.iter().enumerate().rev() {
        if !is_empty(held) || next.is_some_and(|next| held.0.to() < next) {
            break;
        }
        (begin, next) = (at, Some(held.0.from()));
    }
    let (before, empty) = archived.split_at(begin);
    let Some(since) = next else { return &[] };
    let first = empty.iter().find_map(|&(window, _)| {
        let hour = Span::new(window.to().minus(window.length().max(HOUR)), window.to())?;
        let is_whole = hour.from() >= since;
        (is_whole && is_unexpected(hour, since, before)).then_some(hour.from())
    });
    let Some(first) = first else { return &[] };
    let begin = empty.partition_point(|(window, _)| window.from() < first);
    empty.get(begin..).unwrap_or_default()
}

/// Whether each of the last seven days before `since` held logs at the time of day of `hour`.
fn is_unexpected(hour: Span, since: UtcMs, before: &[Held]) -> bool {
    // So many days ago it had not begun.
    let first = (hour.to().since(since).0 + DAY.0 - 1).div_euclid(DAY.0);
    (first..first + DAYS).all(|ago| {
        let back = DAY.times(ago);
        let (from, to) = (hour.from().minus(back), hour.to().minus(back));
        let at = before.partition_point(|(window, _)| window.to() <= from);
        let there = before.iter().skip(at);
        let mut there = there.take_while(|(window, _)| window.from() < to);
        there.any(|&(_, records)| records != Some(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(length: Millis, count: i64, records: impl Fn(i64) -> u64) -> Vec<Held> {
        let window = |at| {
            let from = UtcMs(at * length.0);
            Span::new(from, from.plus(length)).unwrap()
        };
        (0..count)
            .map(|at| (window(at), Some(records(at))))
            .collect()
    }

    fn hours(count: i64, records: impl Fn(i64) -> u64) -> Vec<Held> {
        windows(HOUR, count, records)
    }

    /// Guarantee: Candid
    #[test]
    fn an_empty_hour_where_the_same_hour_of_seven_days_was_not_is_silence_until_logs_come_again() {
        let falls_silent_at = |at: i64| move |hour| u64::from(hour < at);
        for (known, silence) in [(168, 0), (169, 1), (170, 2), (168 + 400, 400)] {
            let archived = hours(known, falls_silent_at(168));
            assert_eq!(silent(&archived).len(), silence, "{known}");
        }
        let speaks_again = hours(200, |hour| u64::from(!(168..199).contains(&hour)));
        assert_eq!(silent(&speaks_again), []);
    }

    /// Guarantee: Candid
    #[test]
    fn what_is_empty_each_day_or_each_week_and_what_is_not_known_for_a_week_is_no_silence() {
        let each_night = hours(24 * 9 + 3, |hour| u64::from(hour % 24 >= 6));
        assert_eq!(silent(&each_night), []);
        // From Saturday on.
        let each_weekend = hours(24 * 12 + 10, |hour| u64::from(hour / 24 % 7 < 5));
        assert_eq!(silent(&each_weekend), []);
        let new = hours(167, |hour| u64::from(hour < 160));
        assert_eq!(silent(&new), []);
        assert_eq!(silent(&[]), []);
        assert_eq!(silent(&hours(400, |_| 0)), []);
    }

    #[test]
    fn a_night_that_goes_on_into_the_day_is_silent_from_the_hour_on_that_was_not() {
        let archived = hours(24 * 8 + 9, |hour| {
            u64::from(hour % 24 >= 6 && hour < 24 * 8)
        });
        assert_eq!(silent(&archived).len(), 3);
    }

    #[test]
    fn minutes_are_compared_by_the_hour_and_days_as_a_whole() {
        let minute = Millis::from_mins(1);
        let week = 7 * 24 * 60;
        // Three minutes of four are empty, and always were.
        let seldom = |most: i64| move |at: i64| u64::from(at % 4 == 0 && at < most);
        assert_eq!(silent(&windows(minute, week + 50, seldom(week))), []);
        // The last log was at 3 minutes before.
        let archived = windows(minute, week + 58, seldom(week));
        assert_eq!(silent(&archived).len(), 60 + 1);
        let days = windows(DAY, 9, |day| u64::from(day < 7));
        assert_eq!(silent(&days).len(), 2);
    }

    #[test]
    fn a_gap_ends_what_is_known_and_what_cannot_be_counted_is_not_empty() {
        let mut archived = hours(180, |hour| u64::from(hour < 168));
        archived.remove(175);
        assert_eq!(silent(&archived).len(), 4);
        archived.last_mut().unwrap().1 = None;
        assert_eq!(silent(&archived), []);
    }
}
