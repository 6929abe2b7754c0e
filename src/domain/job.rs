//! A job: one ELSA project and how it is archived, every value already known to be valid.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::recheck::Recheck;
use super::schedule::Schedule;
use super::second_opinion::CrossCheck;
use super::span::{Millis, Span, UtcMs};
use super::window::{WindowSize, Zone};

/// One table of the config, one ELSA project.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The job's name, which is its folder's and its ledger's too.
    pub name: JobName,
    /// Whose keys and bounds it uses.
    pub account: AccountName,
    /// The project's key, 1 to 53 characters (`ELSA-API.md`).
    pub project_key: String,
    /// The project's number.
    pub project_id: i64,
    /// The first instant to archive.
    pub since: UtcMs,
    /// The same as the config says it, before another job that it goes on from was looked at.
    pub configured_since: UtcMs,
    /// The zone whose civil boundaries cut its windows.
    pub zone: Zone,
    /// How far apart the boundaries are.
    pub window: WindowSize,
    /// How long to wait after a window's end before it is due, at least 0.
    pub settle: Millis,
    /// When an archived window is requested once more.
    pub recheck: Recheck,
    /// When to look.
    pub schedule: Schedule,
    /// What the service is asked to write.
    pub format: Format,
    /// The fields to keep; empty for all.
    pub include_fields: Vec<String>,
    /// How long the service keeps logs, if the operator has set it.
    pub retention: Option<Millis>,
    /// How old data may be let go of, once a receipt proves a copy; `None` keeps them for ever.
    pub keep: Option<Millis>,
    /// What the service does with a log at exactly `to`; `None` if its answers are to tell.
    pub to_bound: Option<ToBound>,
    /// Whose count is asked for a second time.
    pub cross_check: CrossCheck,
    /// How many logs one download may hold, 1 to 200,000.
    pub count: u32,
    /// The service's page size, 1 to 1,000.
    pub limit: u32,
    /// The zone of a `logTime` that has no offset, if the operator has set it.
    pub records_zone: Option<Zone>,
    /// The job, no longer in the config, that this one goes on from.
    pub succeeds: Option<JobName>,
    /// What that one lacked before it ended, and what is due here for that, before [`Job::since`].
    pub owed: Vec<Span>,
    /// What is archived of the project by those that this one goes on from: it is not asked for here.
    pub elsewhere: Vec<Span>,
    /// Whether the job runs at all.
    pub enabled: bool,
}

/// A job's name: 1 to 64 characters of `a-z`, `0-9`, `.`, `_` and `-`, not beginning with a dot
/// (collectors skip such folders) or a dash (other programs would take it for an option).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobName(String);

impl Job {
    /// Whether a span overlaps with what the job lacked that this one goes on from.
    #[must_use]
    pub fn is_owed(&self, span: Span) -> bool {
        self.owed
            .iter()
            .any(|owed| owed.intersection(span).is_some())
    }
}

impl JobName {
    /// The name, or what is wrong with it.
    ///
    /// # Errors
    /// Says in words which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 64 {
            return Err("a job's name has 1 to 64 characters");
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !text.chars().all(allowed) {
            return Err("a job's name is made of a-z, 0-9, '.', '_' and '-'");
        }
        if text.starts_with(['.', '-', '_']) {
            return Err("a job's name begins with a letter or a digit");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an account's table in the config.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(pub String);

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The format of the files inside a zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON, in any of three layouts (`ELSA-API.md`, *Unknown*).
    Json,
    /// Comma-separated values with a header line.
    Csv,
}

impl Format {
    /// What the request says.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Csv => "CSV",
        }
    }
}

/// What the service does with a log whose `logTime` is exactly `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToBound {
    /// It is in the answer.
    Inclusive,
    /// It is not.
    Exclusive,
}

/// The word of the config.
impl fmt::Display for ToBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inclusive => "inclusive",
            Self::Exclusive => "exclusive",
        })
    }
}

impl ToBound {
    /// The value of `to` that makes the service answer exactly `span`: the one place where our
    /// half-open spans meet its meaning.
    #[must_use]
    pub const fn wire_to(self, span: Span) -> UtcMs {
        match self {
            Self::Inclusive => span.to().minus(Millis(1)),
            Self::Exclusive => span.to(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_folder_and_as_an_argument() {
        for fine in ["shop-api", "a", "0", "a.b_c-d", &"x".repeat(64)] {
            assert!(JobName::parse(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            ".",
            "..",
            ".staging",
            "-rf",
            "a/b",
            "Shop",
            "a b",
            "ä",
            &"x".repeat(65),
        ] {
            assert!(JobName::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// Guarantee: Exactly once
    #[test]
    fn an_inclusive_to_names_the_last_millisecond_inside() {
        let span = Span::new(UtcMs(1000), UtcMs(2000)).unwrap();
        assert_eq!(ToBound::Inclusive.wire_to(span), UtcMs(1999));
        assert_eq!(ToBound::Exclusive.wire_to(span), UtcMs(2000));
    }
}
