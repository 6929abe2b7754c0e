//! Which windows are due: whole hours, with the settled instant in the middle of one, so that
//! none becomes due while a test runs.

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::Project;

use super::{PROJECT_ID, project_key};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How far ahead of UTC the days of a job are cut.
const SEOUL_MS: i64 = 9 * HOUR_MS;

/// The windows that are due, oldest first.
#[derive(Clone)]
pub struct Due {
    /// The windows.
    pub windows: Vec<Span>,
    /// Their length, as the config says it.
    pub window: &'static str,
    /// How long after its end a window is left alone.
    pub settle_s: i64,
}

impl Due {
    /// So many whole hours, and no other window within the next half hour.
    pub fn hours(count: i64) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let into_the_hour = now.rem_euclid(HOUR_MS);
        let end = now - into_the_hour - HOUR_MS;
        Self {
            windows: (0..count)
                .map(|at| span(end - (count - at) * HOUR_MS, HOUR_MS))
                .collect(),
            window: "1h",
            settle_s: (into_the_hour + HOUR_MS / 2) / 1000,
        }
    }

    /// So many whole days, and no other window within the next twelve hours.
    pub fn days(count: i64) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let into_the_day = (now + SEOUL_MS).rem_euclid(DAY_MS);
        let end = now - into_the_day - DAY_MS;
        Self {
            windows: (0..count)
                .map(|at| span(end - (count - at) * DAY_MS, DAY_MS))
                .collect(),
            window: "1d",
            settle_s: (into_the_day + DAY_MS / 2) / 1000,
        }
    }

    /// So many whole minutes, and the newest of them, the last of `windows`, a few seconds from
    /// now only.
    pub fn minutes_of_which_one_is_about_to_settle(count: i64) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let into_the_minute = now.rem_euclid(MINUTE_MS);
        let end = now - into_the_minute;
        Self {
            windows: (0..count)
                .map(|at| span(end - (count - at) * MINUTE_MS, MINUTE_MS))
                .collect(),
            window: "1m",
            settle_s: into_the_minute / 1000 + 4,
        }
    }

    /// The first instant of the oldest window.
    pub fn since(&self) -> UtcMs {
        self.windows[0].from()
    }

    /// All windows in one.
    pub fn whole(&self) -> Span {
        let last = self.windows[self.windows.len() - 1];
        span(self.since().0, last.to().0 - self.since().0)
    }

    /// A project for the job of this name, with logs at both edges of every window and between.
    pub fn project(&self, job: &str) -> Project {
        Self::project_of(job, self.windows.iter().copied())
    }

    /// The same, with logs in these windows only.
    pub fn project_of(job: &str, windows: impl IntoIterator<Item = Span>) -> Project {
        let times = windows.into_iter().flat_map(|window| {
            let (from, to) = (window.from(), window.to());
            let between = (1..8).map(move |at| from.plus(Millis(window.length().0 / 8 * at + at)));
            // Logs that share a millisecond, on the first one and on the last.
            [
                from,
                from,
                from.plus(Millis(1)),
                to.plus(Millis(-2)),
                to.plus(Millis(-1)),
                to.plus(Millis(-1)),
            ]
            .into_iter()
            .chain(between)
        });
        Project::from_times(&project_key(job), PROJECT_ID, 7, times.collect())
    }
}

/// How many logs [`Due::project`] has in each window.
pub const LOGS_A_WINDOW: usize = 13;

fn span(from: i64, length: i64) -> Span {
    Span::new(UtcMs(from), UtcMs(from + length)).unwrap()
}
