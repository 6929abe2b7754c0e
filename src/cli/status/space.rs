//! What `status` says of the disk: how much is free, and how long that lasts at this rate.

use crate::cli::print::{at_least, bytes};
use crate::config::Config;
use crate::domain::growth::{self, Growth};
use crate::domain::job::{Job, JobName};
use crate::domain::span::Millis;
use crate::ledger::Ledger;
use crate::ledger::line::{Event, Line};
use crate::ledger::replay::Replay;
use crate::ledger::tail::newest_first;

/// How much of a ledger is read at most: more than a week of windows of one minute writes.
const MOST_READ: u64 = 16 << 20;

/// What a day of a job's logs takes, by the windows of the last seven days of its coverage; `None` where too little is
/// known.
pub(super) fn bytes_per_day(config: &Config, job: &Job, replay: &Replay) -> Option<u64> {
    let mut growth = Growth::until(replay.coverage.end()?);
    let path = Ledger::path(&config.state_dir, &job.name);
    let read = newest_first(&path, MOST_READ, |line| match Line::parse(line) {
        Ok(line) => {
            if let Event::Archived(archived) = &line.event {
                growth.note(archived.window.span(), archived.bytes);
            }
            // No window was recorded before it ended.
            line.at >= growth.since()
        }
        Err(_) => false,
    });
    read.ok()?;
    growth.bytes_per_day()
}

/// How much is free where the archive is.
pub(super) struct Space {
    free: Option<u64>,
    min_free: u64,
    /// What a day takes; `None` where it is not known of each enabled job.
    pub(super) bytes_per_day: Option<u64>,
    /// The first job of which it is not known.
    unknown: Option<JobName>,
}

impl Space {
    /// `rates` are those of the config's jobs, in its order.
    pub(super) fn of(config: &Config, free: Option<u64>, rates: &[Option<u64>]) -> Self {
        let jobs = config.jobs.iter().zip(rates);
        let mut enabled = jobs.filter(|(job, _)| job.enabled).peekable();
        let is_any = enabled.peek().is_some();
        let mut space = Self {
            free,
            min_free: config.archive.min_free_space,
            bytes_per_day: is_any.then_some(0),
            unknown: None,
        };
        for (job, rate) in enabled {
            if rate.is_none() && space.unknown.is_none() {
                space.unknown = Some(job.name.clone());
            }
            let all = space.bytes_per_day.zip(*rate);
            space.bytes_per_day = all.map(|(all, rate)| all.saturating_add(rate));
        }
        space
    }

    /// For how long it lasts; `None` where that is not known, or is longer than anybody plans for.
    pub(super) fn lasts(&self) -> Option<Millis> {
        let (free, rate) = self.free.zip(self.bytes_per_day)?;
        growth::lasts(free, self.min_free, rate)
    }

    /// For people: one line; empty where the file system does not say.
    pub(super) fn listing(&self) -> String {
        let Some(free) = self.free else {
            return String::new();
        };
        let reserved = bytes(self.min_free);
        let lasts = match (self.bytes_per_day, self.lasts(), &self.unknown) {
            _ if free < self.min_free => {
                format!("less than min_free_space ({reserved}): nothing is begun")
            }
            (Some(rate), Some(lasts), _) => format!(
                "{reserved} of it reserved (min_free_space); at {} a day the rest lasts for {}",
                bytes(rate),
                at_least(lasts)
            ),
            (Some(rate), None, _) => format!("at {} a day it lasts for decades", bytes(rate)),
            (None, _, Some(job)) => {
                format!("how long it lasts is not known: less than a day of {job} is archived")
            }
            (None, _, None) => String::new(),
        };
        let lasts = match lasts.is_empty() {
            true => lasts,
            false => format!("; {lasts}"),
        };
        format!("disk: {} free{lasts}\n", bytes(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::UtcMs;

    const GIB: u64 = 1 << 30;

    fn config(jobs: &str) -> Config {
        let job = |line: &str| {
            let (name, enabled) = line.split_once(' ').unwrap();
            format!(
                "[[job]]\nname = \"{name}\"\nproject_key = \"k\"\nproject_id = 1\n\
                 since = \"2026-01-01\"\nenabled = {enabled}\n"
            )
        };
        let jobs: String = jobs.split(", ").map(job).collect();
        Config::parse(&jobs, UtcMs(1_795_000_000_000)).unwrap()
    }

    /// Guarantee: Candid
    #[test]
    fn how_long_the_disk_lasts_is_said_where_it_is_known_and_only_there() {
        for (jobs, free, rates, says) in [
            (
                "a true, b true",
                Some(11 * GIB),
                &[Some(GIB), Some(GIB)][..],
                "disk: 11.00 GiB free; 1.00 GiB of it reserved (min_free_space); at 2.00 GiB a day the rest lasts for 5d\n",
            ),
            (
                "a true, b true",
                Some(11 * GIB),
                &[Some(GIB), None],
                "disk: 11.00 GiB free; how long it lasts is not known: less than a day of b is archived\n",
            ),
            (
                "a true, b false",
                Some(2 * GIB),
                &[Some(GIB), None],
                "disk: 2.00 GiB free; 1.00 GiB of it reserved (min_free_space); at 1.00 GiB a day the rest lasts for 1d\n",
            ),
            (
                "a true",
                Some(GIB / 2),
                &[Some(GIB)],
                "disk: 512.00 MiB free; less than min_free_space (1.00 GiB): nothing is begun\n",
            ),
            (
                "a true",
                Some(2 * GIB),
                &[Some(0)],
                "disk: 2.00 GiB free; at 0 B a day it lasts for decades\n",
            ),
            ("a false", Some(2 * GIB), &[None], "disk: 2.00 GiB free\n"),
            ("a true", None, &[Some(GIB)], ""),
        ] {
            assert_eq!(Space::of(&config(jobs), free, rates).listing(), says);
        }
    }
}
