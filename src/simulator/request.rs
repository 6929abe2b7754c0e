//! The body of a request: its fields, their defaults and their ranges (`ELSA-API.md`, *One call*
//! and *Search*).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::job::Format;
use crate::domain::span::UtcMs;

use super::call::Call;
use super::gateway_error::GatewayError;
use super::journal::Entry;

/// Longest `projectKey`, in characters.
const MAX_PROJECT_KEY: usize = 53;

/// Largest page of either call.
const MAX_LIMIT: u32 = 1000;

/// How far a search reaches: the most of offset and limit together.
const MAX_REACH: u32 = 10_000;

/// What a body asks for, and of which project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) project_key: String,
    pub(super) project_id: i64,
    pub(super) request: Request,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Download(Download),
    Search(Lookup),
}

impl Request {
    pub(super) const fn call(&self) -> Call {
        match self {
            Self::Download(_) => Call::Download,
            Self::Search(_) => Call::Search,
        }
    }
}

/// A request for a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Download {
    pub(super) from: UtcMs,
    pub(super) to: UtcMs,
    pub(super) format: Format,
    pub(super) limit: u32,
    pub(super) count: u32,
    pub(super) include_fields: Vec<String>,
}

/// A request for a page of what a search finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) from: UtcMs,
    pub(super) to: UtcMs,
    pub(super) offset: u32,
    pub(super) limit: u32,
    pub(super) newest_first: bool,
}

/// Reads the body of a call that arrived at `now`, and notes in `entry` what it said.
pub(super) fn read(
    call: Call,
    body: &[u8],
    now: UtcMs,
    entry: &mut Entry,
) -> Result<Asked, GatewayError> {
    match call {
        Call::Download => read_as::<DownloadWire>(body, now, entry),
        Call::Search => read_as::<SearchWire>(body, now, entry),
    }
}

/// The body of one call as it is written.
trait Wire: DeserializeOwned {
    fn project(&self) -> (&str, i64);

    /// Applies the defaults and checks the ranges.
    fn request(self, now: UtcMs) -> Result<Request, GatewayError>;
}

fn read_as<W: Wire>(body: &[u8], now: UtcMs, entry: &mut Entry) -> Result<Asked, GatewayError> {
    let wire: W = serde_json::from_slice(body)
        .map_err(|error| GatewayError::bad_request(&error.to_string()))?;
    let (project_key, project_id) = wire.project();
    let project_key = project_key.to_owned();
    entry.project_key = Some(project_key.clone());
    if !(1..=MAX_PROJECT_KEY).contains(&project_key.chars().count()) {
        return refuse("projectKey has 1 to 53 characters");
    }
    let request = wire.request(now)?;
    note(&request, entry);
    Ok(Asked {
        project_key,
        project_id,
        request,
    })
}

fn note(request: &Request, entry: &mut Entry) {
    match request {
        Request::Download(download) => {
            (entry.from, entry.to) = (Some(download.from), Some(download.to));
            entry.count = Some(download.count);
            entry.limit = Some(download.limit);
        }
        Request::Search(lookup) => {
            (entry.from, entry.to) = (Some(lookup.from), Some(lookup.to));
            entry.offset = Some(lookup.offset);
            entry.limit = Some(lookup.limit);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DownloadWire {
    project_key: String,
    project_id: i64,
    from: i64,
    to: Option<i64>,
    format: Option<String>,
    limit: Option<i64>,
    count: Option<i64>,
    include_fields: Option<Vec<String>>,
}

impl Wire for DownloadWire {
    fn project(&self) -> (&str, i64) {
        (&self.project_key, self.project_id)
    }

    fn request(self, now: UtcMs) -> Result<Request, GatewayError> {
        let (from, to) = span(self.from, self.to.unwrap_or(now.0))?;
        let format = match self.format.as_deref() {
            None | Some("JSON") => Format::Json,
            Some("CSV") => Format::Csv,
            Some(_) => return refuse("format is CSV or JSON"),
        };
        let Some(limit) = within(self.limit.unwrap_or(100), MAX_LIMIT) else {
            return refuse("limit is 1 to 1000");
        };
        let Some(count) = within(self.count.unwrap_or(100_000), 200_000) else {
            return refuse("count is 1 to 200000");
        };
        Ok(Request::Download(Download {
            from,
            to,
            format,
            limit,
            count,
            include_fields: self.include_fields.unwrap_or_default(),
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SearchWire {
    project_key: String,
    project_id: i64,
    from: i64,
    to: i64,
    offset: Option<i64>,
    limit: Option<i64>,
    sorts: Option<Vec<BTreeMap<String, String>>>,
    query: Option<String>,
}

impl Wire for SearchWire {
    fn project(&self) -> (&str, i64) {
        (&self.project_key, self.project_id)
    }

    fn request(self, _: UtcMs) -> Result<Request, GatewayError> {
        let (from, to) = span(self.from, self.to)?;
        let Some(limit) = within(self.limit.unwrap_or(10), MAX_LIMIT) else {
            return refuse("limit is 1 to 1000");
        };
        let offset = u32::try_from(self.offset.unwrap_or(0)).ok();
        let Some(offset) = offset.filter(|&offset| offset <= MAX_REACH - limit) else {
            return refuse("offset and limit are 10000 together at most");
        };
        // A query that was ignored would be answered with records that it does not fit.
        if self.query.is_some() {
            return refuse("query is not known here");
        }
        Ok(Request::Search(Lookup {
            from,
            to,
            offset,
            limit,
            newest_first: newest_first(&self.sorts.unwrap_or_default())?,
        }))
    }
}

/// The order that `sorts` asks for; the first of two counts.
fn newest_first(sorts: &[BTreeMap<String, String>]) -> Result<bool, GatewayError> {
    let mut order = None;
    for sort in sorts {
        let mut fields = sort
            .iter()
            .map(|(field, way)| (field.as_str(), way.as_str()));
        let newest_first = match (fields.next(), fields.next()) {
            (Some(("logTime", "ASC")), None) => false,
            (Some(("logTime", "DESC")), None) => true,
            _ => return refuse("sorts is known for logTime alone, ASC or DESC"),
        };
        order.get_or_insert(newest_first);
    }
    Ok(order.unwrap_or(true))
}

fn span(from: i64, to: i64) -> Result<(UtcMs, UtcMs), GatewayError> {
    // The pages don't say what a reversed span is; here it is a mistake that shows.
    if from > to {
        return refuse("from is later than to");
    }
    Ok((UtcMs(from), UtcMs(to)))
}

fn within(value: i64, most: u32) -> Option<u32> {
    u32::try_from(value)
        .ok()
        .filter(|value| (1..=most).contains(value))
}

fn refuse<T>(detail: &str) -> Result<T, GatewayError> {
    Err(GatewayError::bad_request(detail))
}
