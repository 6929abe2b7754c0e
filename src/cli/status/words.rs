//! What `status` says of a job to people.

use super::report::{JobStatus, Late};
use crate::archive::manifest::local_time;
use crate::cli::print::{at_least, at_most, bytes, count, grouped};
use crate::domain::job::Job;
use crate::domain::second_opinion::ConfirmedWindows;
use crate::domain::span::UtcMs;

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

    /// The status of `job` for people, its name first.
    pub(super) fn listing(&self, job: &Job) -> String {
        let local = |at: UtcMs| local_time(at, &job.zone);
        let verdict = match (job.enabled, self.is_well()) {
            (false, _) => "not enabled",
            (true, true) => "ok",
            (true, false) => "needs attention",
        };
        let mut text = format!("{}: {verdict}\n", self.name);
        let mut line = |name: &str, value: String| text += &format!("  {name:14} {value}\n");
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
        for (name, number, known, reason) in [
            (
                "truncated",
                self.truncated,
                self.acknowledged.truncated,
                "`parts` in their manifest.json says where",
            ),
            (
                "unproven",
                self.unproven,
                self.acknowledged.unproven,
                "`confirmed` in their manifest.json and the log say why",
            ),
        ] {
            if number > 0 {
                line(name, self.incomplete(number, known, reason));
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

    /// So many windows are truncated or unproven, of which so many are acknowledged; `reason` is where to
    /// look for why.
    fn incomplete(&self, number: u64, known: u64, reason: &str) -> String {
        let number_in_words = grouped(number);
        if known == number {
            return format!("{number_in_words} (acknowledged)");
        }
        let known = match known {
            0 => String::new(),
            known => format!(", {} acknowledged", grouped(known)),
        };
        format!(
            "{number_in_words}{known} (`verify` names them; {reason}; known? `elsa-archiver status \
             --ack {}`)",
            self.name
        )
    }
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
