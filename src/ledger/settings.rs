//! The ledger's event `job`, which has fields of its own and no window.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::line::{Event, Fault, Line};
use super::newer;
use crate::digest::Digest;
use crate::domain::job::{Format, JobName};
use crate::domain::settings::Settings;
use crate::domain::span::{Millis, UtcMs};

/// The event's name.
pub(super) const JOB: &str = "job";

/// The line's fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    seq: u64,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    prev: Option<Digest>,
    project_id: i64,
    #[serde(borrow)]
    project_key: Cow<'a, str>,
    #[serde(borrow)]
    endpoint: Cow<'a, str>,
    #[serde(borrow)]
    timezone: Cow<'a, str>,
    #[serde(borrow)]
    window: Cow<'a, str>,
    format: Format,
    include_fields: Vec<String>,
    since_ms: UtcMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_ms: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    succeeds: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opinion_requests: Option<u64>,
}

/// The line as JSON, without its newline.
///
/// # Errors
/// Never with these types; the serializer's signature has one.
pub(super) fn to_json(line: &Line, settings: &Settings) -> serde_json::Result<String> {
    serde_json::to_string(&Fields {
        seq: line.seq,
        at: line.at.timestamp().to_string().into(),
        event: JOB.into(),
        prev: line.prev,
        project_id: settings.project_id,
        project_key: settings.project_key.as_str().into(),
        endpoint: settings.endpoint.as_str().into(),
        timezone: settings.timezone.as_str().into(),
        window: settings.window.as_str().into(),
        format: settings.format,
        include_fields: settings.include_fields.clone(),
        since_ms: settings.since_ms,
        retention_ms: settings.retention_ms,
        succeeds: settings.succeeds.as_ref().map(ToString::to_string),
        opinion_requests: (line.opinion_requests > 0).then_some(line.opinion_requests),
    })
}

/// Reads a line of this event; `None` if it is another one's.
pub(super) fn parse(json: &[u8]) -> Option<Result<Line, Fault>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    let named: Named<'_> = serde_json::from_slice(json).ok()?;
    (named.event == JOB).then(|| read(json))
}

fn read(json: &[u8]) -> Result<Line, Fault> {
    let fields: Fields<'_> =
        serde_json::from_slice(json).map_err(|error| newer::fault(json, &error))?;
    let at: jiff::Timestamp = fields
        .at
        .parse()
        .map_err(|_| "its field `at` is no RFC 3339 time")?;
    let succeeds = match fields.succeeds {
        None => None,
        Some(name) => Some(JobName::parse(&name).map_err(|_| "`succeeds` is no job's name")?),
    };
    Ok(Line {
        seq: fields.seq,
        at: at.into(),
        prev: fields.prev,
        opinion_requests: fields.opinion_requests.unwrap_or(0),
        event: Event::Job(Box::new(Settings {
            project_id: fields.project_id,
            project_key: fields.project_key.into_owned(),
            endpoint: fields.endpoint.into_owned(),
            timezone: fields.timezone.into_owned(),
            window: fields.window.into_owned(),
            format: fields.format,
            include_fields: fields.include_fields,
            since_ms: fields.since_ms,
            began_ms: fields.since_ms,
            retention_ms: fields.retention_ms,
            succeeds,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::tests::job;

    /// Guarantee: Its own
    /// Guarantee: Evident
    #[test]
    fn a_job_line_has_the_fields_of_the_contract_and_no_window() {
        let settings = Settings {
            retention_ms: Some(Millis::from_days(30)),
            succeeds: JobName::parse("old").ok(),
            ..Settings::of(&job(), "https://e".to_owned())
        };
        let line = Line {
            seq: 1,
            at: UtcMs(1_795_000_000_123),
            event: Event::Job(Box::new(settings)),
            prev: None,
            opinion_requests: 0,
        };
        let json = line.to_json().unwrap();
        assert_eq!(
            json,
            r#"{"seq":1,"at":"2026-11-18T11:06:40.123Z","event":"job","prev":null,"project_id":1,"project_key":"Pb_shop","endpoint":"https://e","timezone":"UTC","window":"1h","format":"json","include_fields":[],"since_ms":0,"retention_ms":2592000000,"succeeds":"old"}"#
        );
        assert_eq!(Line::parse(json.as_bytes()), Ok(line));
        let newer = json.replace("\"since_ms\"", "\"more\":1,\"since_ms\"");
        assert!(matches!(
            Line::parse(newer.as_bytes()),
            Err(Fault::Newer(_))
        ));
        let wrong = json.replace("\"project_id\":1,", "");
        assert!(matches!(
            Line::parse(wrong.as_bytes()),
            Err(Fault::Wrong(_))
        ));
    }
}
