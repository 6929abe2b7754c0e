//! How the jobs of a daemon stand, and the one line that says so to the service manager. Carries *Candid*: nothing
//! is called archived that is due, and a job that can't run is named as long as it can't.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::job::JobName;
use super::span::UtcMs;

/// How long a list of jobs gets, in characters; the first job is named in any case, the others are counted.
const MOST_OF_A_LIST: usize = 300;

/// How many characters of a job's reason are shown.
const MOST_OF_A_REASON: usize = 120;

/// How many characters of the reason are shown for which the daemon ends. systemd takes no message of more than
/// 4096 bytes.
const MOST_OF_AN_END: usize = 1200;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Windows that are due.
    pub due: u64,
    /// Archived windows whose recheck is due.
    pub unchecked: u64,
    /// Spans that are lost and not acknowledged.
    pub lost: u64,
    /// Until when all is covered since `since`; `None` where that is not known.
    pub covered_until: Option<UtcMs>,
    /// Whether and why what is due waits.
    pub state: State,
}

/// Whether and why what is due of a job waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not.
    AtWork,
    /// The last cycle has left something.
    Failing {
        /// The last failure, where one is known.
        message: Option<String>,
    },
    /// Nothing is asked for: the job's circuit breaker is open, or its account's service is down.
    Paused {
        /// Before this instant nothing is tried.
        until: UtcMs,
        /// The failure.
        message: String,
    },
    /// It can't run before the operator has done something.
    Stopped {
        /// Why, and what to do.
        why: String,
    },
}

impl Standing {
    /// Of a job that can't run, for this reason.
    pub(crate) const fn stopped(why: String, covered_until: Option<UtcMs>) -> Self {
        Self {
            due: 0,
            unchecked: 0,
            lost: 0,
            covered_until,
            state: State::Stopped { why },
        }
    }

    /// What is not done, in words.
    fn left(&self) -> Option<String> {
        let all = [
            ("windows not archived", self.due),
            ("not rechecked", self.unchecked),
        ];
        let told = all.iter().filter(|(_, number)| *number > 0);
        let told: Vec<String> = told.map(|(what, n)| format!("{what}: {n}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// All jobs of a daemon on one line of bounded length.
pub(crate) fn line(jobs: &BTreeMap<JobName, Standing>) -> String {
    if jobs.is_empty() {
        return "no job is enabled, so nothing is archived".to_owned();
    }
    let mut line = format!("jobs: {}; {}", jobs.len(), due(jobs));
    let lost: u64 = jobs.values().map(|job| job.lost).sum();
    if lost > 0 {
        let _ = write!(line, "; spans lost: {lost}");
    }
    for (what, listed) in [
        ("can't run", named(jobs, stopped)),
        ("failing", named(jobs, failing)),
        ("paused", named(jobs, paused)),
    ] {
        if let Some(listed) = listed {
            let _ = write!(line, "; {what}: {listed}");
        }
    }
    let known: Vec<UtcMs> = jobs.values().filter_map(|job| job.covered_until).collect();
    if let Some(earliest) = known.iter().min() {
        let whose = match known.len() == jobs.len() {
            true => "",
            false => "of the jobs that are known ",
        };
        let _ = write!(line, "; {whose}all is covered until {earliest}");
    }
    line
}

/// Why the daemon ends, on one line of bounded length.
pub(crate) fn end(why: &str) -> String {
    match cut(why, MOST_OF_AN_END) {
        (whole, false) => whole,
        (begun, true) => format!("{begun}… (the log has the rest)"),
    }
}

/// Why a configuration that was read anew is refused, on one line of bounded length.
pub(crate) fn refused(why: &str) -> String {
    let (first, _) = cut(why.lines().next().unwrap_or_default(), 2 * MOST_OF_A_REASON);
    format!("the configuration is refused, and the one before stays in force: {first}")
}

/// That a configuration that was read anew waits for these jobs, on one line of bounded length.
pub(crate) fn waits_for(leaving: &BTreeSet<JobName>) -> String {
    let names: Vec<&str> = leaving.iter().map(JobName::as_str).collect();
    let (shown, is_cut) = cut(&names.join(", "), MOST_OF_A_LIST);
    let more = if is_cut { "…" } else { "" };
    format!("a new configuration waits until these jobs have ended their windows: {shown}{more}")
}

/// How much is due.
fn due(jobs: &BTreeMap<JobName, Standing>) -> String {
    let is_at_work = |job: &&Standing| matches!(job.state, State::AtWork);
    let all: u64 = jobs.values().map(|job| job.due).sum();
    let at_work: u64 = jobs.values().filter(is_at_work).map(|job| job.due).sum();
    let are = match all {
        0 if jobs.values().all(|job| is_at_work(&job)) => {
            return "everything due is archived".to_owned();
        }
        0 => return "nothing else is due".to_owned(),
        1 => "1 window is due".to_owned(),
        all => format!("{all} windows are due"),
    };
    match at_work {
        0 => are,
        _ => format!("archiving: {are}"),
    }
}

fn stopped(job: &Standing) -> Option<String> {
    match &job.state {
        State::Stopped { why } => Some(reason(why)),
        _ => None,
    }
}

fn failing(job: &Standing) -> Option<String> {
    let State::Failing { message } = &job.state else {
        return None;
    };
    let message = message.as_deref().map(reason);
    let parts: Vec<String> = job.left().into_iter().chain(message).collect();
    Some(parts.join(": "))
}

fn paused(job: &Standing) -> Option<String> {
    let State::Paused { until, message } = &job.state else {
        return None;
    };
    let left = job.left().map_or_else(String::new, |left| left + ", ");
    Some(format!(
        "{left}tried again after {until}: {}",
        reason(message)
    ))
}

/// The jobs of which `tell` has something to say, as many as there is room for.
fn named(
    jobs: &BTreeMap<JobName, Standing>,
    tell: impl Fn(&Standing) -> Option<String>,
) -> Option<String> {
    let told = jobs
        .iter()
        .filter_map(|(name, job)| Some(format!("{name} ({})", tell(job)?)));
    let (mut listed, mut more) = (String::new(), 0);
    for told in told {
        let is_first = listed.is_empty();
        if !is_first && (more > 0 || listed.len() + told.len() > MOST_OF_A_LIST) {
            more += 1;
            continue;
        }
        if !is_first {
            listed += ", ";
        }
        listed += &told;
    }
    match (listed.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(listed),
        (false, more) => Some(format!("{listed} and {more} more")),
    }
}

fn reason(text: &str) -> String {
    match cut(text, MOST_OF_A_REASON) {
        (whole, false) => whole,
        (begun, true) => begun + "…",
    }
}

/// At most so many characters of `text` on one line, and whether that is not all.
fn cut(text: &str, most: usize) -> (String, bool) {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => (line[..end].to_owned(), true),
        None => (line, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UtcMs = UtcMs(1_795_348_800_000);

    fn at_work(due: u64, covered_until: UtcMs) -> Standing {
        Standing {
            due,
            unchecked: 0,
            lost: 0,
            covered_until: Some(covered_until),
            state: State::AtWork,
        }
    }

    fn with(state: State) -> Standing {
        Standing {
            state,
            ..at_work(2, NOON)
        }
    }

    fn failing(message: Option<&str>) -> Standing {
        with(State::Failing {
            message: message.map(str::to_owned),
        })
    }

    fn paused() -> Standing {
        with(State::Paused {
            until: UtcMs(NOON.0 + 60_000),
            message: "401: the key is refused".to_owned(),
        })
    }

    fn stopped(why: &str) -> Standing {
        Standing::stopped(why.to_owned(), None)
    }

    fn told(jobs: &[(&str, Standing)]) -> String {
        let named = |(name, job): &(&str, Standing)| (JobName::parse(name).unwrap(), job.clone());
        line(&jobs.iter().map(named).collect())
    }

    /// Guarantee: Candid
    #[test]
    fn the_line_says_what_is_due_what_waits_and_why_and_until_when_all_is_covered() {
        let early = UtcMs(NOON.0 - 3_600_000);
        for (jobs, line) in [
            (vec![], "no job is enabled, so nothing is archived"),
            (
                vec![("a", at_work(0, NOON)), ("b", at_work(0, early))],
                "jobs: 2; everything due is archived; all is covered until 2026-11-22T11:00:00Z",
            ),
            (
                vec![("a", at_work(1, NOON))],
                "jobs: 1; archiving: 1 window is due; all is covered until 2026-11-22T12:00:00Z",
            ),
            (
                vec![
                    ("a", at_work(15, early)),
                    ("b", failing(Some("404\n\nwhat  it is"))),
                ],
                "jobs: 2; archiving: 17 windows are due; failing: b (windows not archived: 2: 404 what it is); \
                 all is covered until 2026-11-22T11:00:00Z",
            ),
            (
                vec![("a", failing(None)), ("b", paused())],
                "jobs: 2; 4 windows are due; failing: a (windows not archived: 2); paused: b (windows not \
                 archived: 2, tried again after 2026-11-22T12:01:00Z: 401: the key is refused); all is covered \
                 until 2026-11-22T12:00:00Z",
            ),
            (
                vec![
                    ("a", stopped("the ledger is damaged")),
                    ("b", at_work(0, NOON)),
                ],
                "jobs: 2; nothing else is due; can't run: a (the ledger is damaged); of the jobs that are known \
                 all is covered until 2026-11-22T12:00:00Z",
            ),
            (
                vec![("a", stopped("the ledger is damaged"))],
                "jobs: 1; nothing else is due; can't run: a (the ledger is damaged)",
            ),
            (
                vec![(
                    "a",
                    Standing {
                        unchecked: 3,
                        lost: 2,
                        due: 0,
                        ..failing(Some("503"))
                    },
                )],
                "jobs: 1; nothing else is due; spans lost: 2; failing: a (not rechecked: 3: 503); all is covered \
                 until 2026-11-22T12:00:00Z",
            ),
        ] {
            assert_eq!(told(&jobs), line);
        }
    }

    /// Guarantee: Candid
    #[test]
    fn a_thousand_jobs_with_long_names_and_reasons_fit_on_a_line_and_are_counted() {
        let long = "the disk\u{1b}[2J is away\n".repeat(999);
        let name = |at: usize| JobName::parse(&format!("{at:064}")).unwrap();
        let job = |at: usize| match at % 3 {
            0 => stopped(&long),
            1 => failing(Some(&long)),
            _ => with(State::Paused {
                until: NOON,
                message: long.clone(),
            }),
        };
        let line = line(&(0..1200).map(|at| (name(at), job(at))).collect());
        assert!(line.chars().count() < 1500, "{}: {line}", line.len());
        assert_eq!(line.matches(" and 399 more").count(), 3, "{line}");
        assert!(
            line.ends_with("all is covered until 2026-11-22T12:00:00Z"),
            "{line}"
        );
        assert!(!line.contains(char::is_control), "{line:?}");
        let end = end(&long);
        assert!(end.ends_with("… (the log has the rest)"), "{end}");
        assert!(end.chars().count() < 1300 && !end.contains(char::is_control));
        assert_eq!(super::end("two\n  lines"), "two lines");
    }
}
