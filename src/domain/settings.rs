//! Under which settings a job archives. Pure. Carries *Its own*: a job is one project, for ever, and each
//! change of the others is told.

use serde::{Deserialize, Serialize};

use super::job::{Format, Job, JobName};
use super::span::{Millis, UtcMs};

/// What the ledger says of a job's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The project's number.
    pub project_id: i64,
    /// The project's key.
    pub project_key: String,
    /// The service's address.
    pub endpoint: String,
    /// The zone that cuts windows.
    pub timezone: String,
    /// How far apart the cuts are, as in the config: `1h`.
    pub window: String,
    /// What the service writes.
    pub format: Format,
    /// The fields that are kept; empty for all.
    pub include_fields: Vec<String>,
    /// The first instant to archive, UTC milliseconds.
    pub since_ms: UtcMs,
    /// The earliest that this ever was; no line says it, all of them together do.
    pub began_ms: UtcMs,
    /// How long the service keeps logs, in milliseconds; `None` if the operator has not set it.
    pub retention_ms: Option<Millis>,
    /// The job that this one goes on from.
    pub succeeds: Option<JobName>,
}

/// What follows from a job's settings, beside those that its ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are the same.
    Same,
    /// They are recorded: they are the first, or differ in this.
    Recorded(Vec<String>),
    /// The job archived another project, of this number.
    AnotherProject(i64),
}

impl Settings {
    /// Those of `job`, whose service is at `endpoint`.
    #[must_use]
    pub fn of(job: &Job, endpoint: String) -> Self {
        Self {
            project_id: job.project_id,
            project_key: job.project_key.clone(),
            endpoint,
            timezone: job.zone.to_string(),
            window: length(job.window.length()),
            format: job.format,
            include_fields: job.include_fields.clone(),
            since_ms: job.since,
            began_ms: job.since,
            retention_ms: job.retention,
            succeeds: job.succeeds.clone(),
        }
    }

    /// These, which a ledger says after those `known` so far.
    #[must_use]
    pub(crate) fn after(&self, known: Option<Self>) -> Self {
        let began = known.map_or(self.began_ms, |known| known.began_ms.min(self.began_ms));
        Self {
            began_ms: began,
            ..self.clone()
        }
    }

    /// What follows from these, where the ledger says `known`.
    #[must_use]
    pub(crate) fn beside(&self, known: Option<&Self>) -> Verdict {
        let Some(known) = known else {
            return Verdict::Recorded(Vec::new());
        };
        if known.project_id != self.project_id {
            return Verdict::AnotherProject(known.project_id);
        }
        let differs: Vec<String> = known
            .told()
            .into_iter()
            .zip(self.told())
            .filter(|((_, before), (_, now))| before != now)
            .map(|((key, before), (_, now))| format!("{key} was {before} and is {now}"))
            .collect();
        match differs.is_empty() {
            true => Verdict::Same,
            false => Verdict::Recorded(differs),
        }
    }

    /// Each setting but the project's number, and its value in words.
    fn told(&self) -> [(&'static str, String); 9] {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "not set".to_owned());
        [
            ("project_key", self.project_key.clone()),
            ("endpoint", self.endpoint.clone()),
            ("timezone", self.timezone.clone()),
            ("window", self.window.clone()),
            ("format", self.format.wire_name().to_owned()),
            ("include_fields", format!("{:?}", self.include_fields)),
            ("since", self.since_ms.to_string()),
            ("retention", or_none(self.retention_ms.map(length))),
            (
                "succeeds",
                or_none(self.succeeds.as_ref().map(ToString::to_string)),
            ),
        ]
    }
}

/// A length as the config writes it, in the largest unit that fits.
fn length(length: Millis) -> String {
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ];
    let fits = units.iter().find(|(_, ms)| length.0 % ms == 0);
    fits.map_or_else(
        || format!("{}ms", length.0),
        |(unit, ms)| format!("{}{unit}", length.0 / ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::tests::job;

    /// Guarantee: Its own
    #[test]
    fn another_project_is_refused_and_every_other_change_is_told() {
        let of = |job: &Job| Settings::of(job, "https://e".to_owned());
        let known = of(&job());
        assert_eq!(known.beside(None), Verdict::Recorded(Vec::new()));
        assert_eq!(known.beside(Some(&known)), Verdict::Same);
        let another = Job {
            project_id: 7,
            project_key: "other".into(),
            ..job()
        };
        assert_eq!(
            of(&another).beside(Some(&known)),
            Verdict::AnotherProject(known.project_id)
        );
        let changed = Job {
            project_key: "rotated".into(),
            retention: Some(Millis::from_days(30)),
            ..job()
        };
        assert_eq!(
            of(&changed).beside(Some(&known)),
            Verdict::Recorded(vec![
                "project_key was Pb_shop and is rotated".into(),
                "retention was not set and is 30d".into(),
            ])
        );
    }
}
