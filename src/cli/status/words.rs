//! What `status` says of a job to people.

use super::REBUILT;
use super::report::{JobReport, JobStatus, Late};
use crate::archive::manifest::local_time;
use crate::cli::print::{at_least, at_most, bytes, count, grouped};
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;
use crate::domain::window::Zone;

/// Where a line's value begins.
pub(super) const HANGING: usize = 17;

impl JobReport {
    /// The job for people, its name first; times in `zone`.
    pub(super) fn listing(&self, is_enabled: bool, zone: &Zone) -> String {
        let unread = match self {
            Self::Known(status) => return status.listing(is_enabled, zone),
            Self::Unread(unread) => unread,
        };
        let verdict = match is_enabled {
            true => "needs attention",
            false => "not enabled",
        };
        format!(
            "{}: {verdict}\n  {:14} not known: {}\n",
            unread.job, "archived", unread.last_error.message
        )
    }
}

impl JobStatus {
    /// How many windows a second ask has confirmed; `None` while nothing is archived.
    fn confirmed_in_words(&self) -> Option<String> {
        let ConfirmedWindows {
            search,
            download,
            none,
        } = self.confirmed.windows;
        let told: Vec<String> = [
            (search, "by search"),
            (download, "by a second download"),
            (none, "not"),
        ]
        .into_iter()
        .filter(|(windows, _)| *windows > 0)
        .map(|(windows, how)| format!("{} {how}", count(windows, "window")))
        .collect();
        let requests = match self.opinion_requests {
            0 => String::new(),
            requests => format!(" ({})", count(requests, "request")),
        };
        (!told.is_empty()).then(|| told.join(", ") + &requests)
    }

    /// The status for people, the job's name first; times in `zone`.
    pub(super) fn listing(&self, is_enabled: bool, zone: &Zone) -> String {
        let local = |at: UtcMs| local_time(at, zone);
        let verdict = match (self.retired, is_enabled, self.is_well()) {
            (true, ..) => "retired: the config has it no more",
            (false, false, _) => "not enabled",
            (false, true, true) => "ok",
            (false, true, false) => "needs attention",
        };
        let mut text = format!("{}: {verdict}\n", self.name);
        let mut line = |name: &str, value: String| text += &format!("  {name:14} {value}\n");
        if self.rebuilt_at_next_start {
            line("ledger", REBUILT.to_owned());
        }
        line("since", local(self.since_ms));
        line("covered until", local(self.covered_until_ms));
        line(
            "archived",
            format!("{}, {}", count(self.records, "record"), bytes(self.bytes)),
        );
        if let Some(confirmed) = self.confirmed_in_words() {
            line("confirmed", confirmed);
        }
        if let Some(newest) = &self.confirmed.newest {
            line("second opinion", newest.words());
        }
        if let Some(success) = &self.last_success {
            line(
                "last success",
                format!("{} (window to {})", success.at, local(success.to_ms)),
            );
        }
        if self.due > 0 {
            line("due", count(self.due, "window"));
        }
        for (name, value) in self.kept.lines(zone) {
            line(name, value);
        }
        for gap in &self.gaps {
            line(
                "gap",
                format!("{} to {}", local(gap.from_ms), local(gap.to_ms)),
            );
        }
        for lost in &self.lost {
            let known = match lost.acknowledged {
                true => "(acknowledged)".to_owned(),
                false => format!("(known? `elsa-archiver status --ack {}`)", self.name),
            };
            line(
                "lost",
                format!("{} to {} {known}", local(lost.from_ms), local(lost.to_ms)),
            );
        }
        for (name, status, number, reason) in [
            (
                "truncated",
                Status::Truncated,
                self.truncated,
                "`parts` in manifest.json says where",
            ),
            (
                "unproven",
                Status::Unproven,
                self.unproven,
                "`confirmed` in manifest.json says why",
            ),
        ] {
            if number > 0 {
                for told in self.incomplete(status, number, reason, zone) {
                    line(if told.is_first { name } else { "" }, told.text);
                }
            }
        }
        if let Some(late) = &self.lateness {
            line("late logs", late.words());
        }
        if let Some(error) = &self.last_error {
            line("last error", format!("{}: {}", error.at, error.message));
        }
        if let Some(deadline) = &self.loss_deadline {
            line("lost from", format!("{deadline}, unless archived by then"));
        }
        text
    }

    /// The windows of this status, `number` in all, and what can be done; `reason` is where to look for why.
    fn incomplete(&self, status: Status, number: u64, reason: &str, zone: &Zone) -> Vec<Told> {
        let local = |at: UtcMs| local_time(at, zone);
        let of_status = self.incomplete.iter().filter(|one| one.status == status);
        let (known, unknown): (Vec<_>, Vec<_>) = of_status.partition(|one| one.acknowledged);
        let (Some(first), Some(last)) = (unknown.first(), unknown.last()) else {
            let text = format!("{} (acknowledged)", count(number, "window"));
            return vec![Told {
                is_first: true,
                text,
            }];
        };
        let known = match known.len() as u64 {
            0 => String::new(),
            known => format!(", {} acknowledged", grouped(known)),
        };
        let mut lines = vec![format!("{}{known}; {reason}", count(number, "window"))];
        let listed = unknown.iter().take(MOST_LISTED);
        lines.extend(listed.map(|one| format!("{} to {}", local(one.from_ms), local(one.to_ms))));
        if unknown.len() > MOST_LISTED {
            let more = (unknown.len() - MOST_LISTED) as u64;
            lines.push(format!("and {} more, which `verify` names", grouped(more)));
        }
        let (job, from, to) = (&self.job, local(first.from_ms), local(last.to_ms));
        if !self.retired {
            lines.push(format!(
                "ask again: `elsa-archiver backfill --again --job {job} --from {from} --to {to}`"
            ));
            lines.push(format!("known: `elsa-archiver status --ack {job}`"));
        }
        let lines = lines.into_iter().enumerate();
        lines
            .map(|(at, text)| Told {
                is_first: at == 0,
                text,
            })
            .collect()
    }
}

/// How many windows are listed one by one.
const MOST_LISTED: usize = 10;

/// A line of the listing.
struct Told {
    /// Whether it begins with what it is about.
    is_first: bool,
    text: String,
}

impl Late {
    /// How late logs came, for the choice of `settle`.
    fn words(&self) -> String {
        let mut text = match self.changed {
            0 => format!("none in {}", count(self.rechecked, "rechecked window")),
            _ => format!(
                "{} in {} of {} ({:.1} %), the latest between {} and {} after its window's end",
                count(self.records, "record"),
                grouped(self.changed),
                count(self.rechecked, "rechecked window"),
                100.0 * self.changed as f64 / self.rechecked as f64,
                at_least(self.over_ms),
                at_most(self.until_ms),
            ),
        };
        if self.due > 0 {
            text += &format!("; {} due for a recheck", count(self.due, "window"));
        }
        text
    }
}
