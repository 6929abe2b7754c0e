//! Whether the process makes progress, and whether each job's coverage is as new as it should be. Pure. Carries
//! *Candid*.

use super::facts::{Facts, JobFacts};
use crate::domain::span::Millis;

/// How long a cycle may go on although neither a window nor a request of its account ends. A request has at most 34
/// minutes, and the service may ask for a pause of 15: whatever is longer hangs.
const LONGEST_QUIET: Millis = Millis::from_hours(1);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well.
    Well,
    /// It is not; one line for each job.
    Unwell(Vec<String>),
}

impl Verdict {
    fn of(lines: Vec<String>) -> Self {
        match lines.is_empty() {
            true => Self::Well,
            false => Self::Unwell(lines),
        }
    }
}

/// Whether no cycle hangs.
#[must_use]
pub(super) fn health(facts: &Facts) -> Verdict {
    let stuck = facts.jobs.iter().filter_map(|facts| {
        let running = facts
            .running
            .filter(|running| running.quiet > LONGEST_QUIET)?;
        Some(format!(
            "{}: its cycle runs for {}, and nothing of it has ended for {}; restart the daemon",
            facts.job.name,
            shown(running.since),
            shown(running.quiet)
        ))
    });
    Verdict::of(stuck.collect())
}

/// Whether each job is covered up to `max_lag` ago.
#[must_use]
pub(super) fn readiness(facts: &Facts) -> Verdict {
    let behind = |job: &JobFacts| {
        let name = &job.job.name;
        let Some(until) = job.covered_until() else {
            return Some(format!("{name}: does not run; the log says why"));
        };
        let age = facts.now.since(until);
        (age > facts.max_lag).then(|| {
            format!(
                "{name}: covered until {until}, {} ago; max_lag is {}",
                shown(age),
                shown(facts.max_lag)
            )
        })
    };
    Verdict::of(facts.jobs.iter().filter_map(behind).collect())
}

/// A length of time, to the minute.
fn shown(length: Millis) -> String {
    let minutes = length.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", length.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
