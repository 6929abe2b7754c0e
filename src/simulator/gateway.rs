//! The gateway: refuses a request for the same reasons and in the same order as the service
//! (`ELSA-API.md`, *Headers*, *Errors* and the table of fields).

use serde::Deserialize;

use crate::domain::job::Format;
use crate::domain::span::UtcMs;
use crate::elsa::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};

use super::call::Call;
use super::gateway_error::GatewayError;
use super::http::Incoming;
use super::journal::Entry;
use super::world::{KeyPair, Project};

/// A signature this old or this far in the future is refused, in milliseconds.
const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// Longest `projectKey`, in characters.
const MAX_PROJECT_KEY: usize = 53;

/// A request for a download that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Download {
    pub(super) from: UtcMs,
    pub(super) to: UtcMs,
    pub(super) format: Format,
    pub(super) limit: u32,
    pub(super) count: u32,
    pub(super) include_fields: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    project_key: String,
    project_id: i64,
    from: i64,
    to: Option<i64>,
    format: Option<String>,
    limit: Option<i64>,
    count: Option<i64>,
    include_fields: Option<Vec<String>>,
}

/// Accepts or refuses a request that arrived at `now`, and notes in `entry` what it said. The
/// project is returned by its place among `projects`.
pub(super) fn admit(
    request: &Incoming,
    now: UtcMs,
    keys: &[KeyPair],
    projects: &[Project],
    entry: &mut Entry,
) -> Result<(usize, Download), GatewayError> {
    entry.call = Call::at(&request.target);
    if entry.call != Some(Call::Download) || request.method != "POST" {
        return Err(GatewayError::not_found());
    }
    let account = authenticate(request, now, keys, entry)?;

    let wire: Wire = serde_json::from_slice(&request.body)
        .map_err(|error| GatewayError::bad_request(&error.to_string()))?;
    let (project_key, project_id) = (wire.project_key.clone(), wire.project_id);
    entry.project_key = Some(project_key.clone());
    let download = wire.download(now)?;
    entry.from = Some(download.from);
    entry.to = Some(download.to);
    entry.count = Some(download.count);
    entry.limit = Some(download.limit);

    let place = projects
        .iter()
        .position(|project| project.key() == project_key && project.id() == project_id)
        .ok_or_else(GatewayError::not_found)?;
    if !account.may_read(&project_key) {
        return Err(GatewayError::forbidden());
    }
    Ok((place, download))
}

fn authenticate<'k>(
    request: &Incoming,
    now: UtcMs,
    keys: &'k [KeyPair],
    entry: &mut Entry,
) -> Result<&'k KeyPair, GatewayError> {
    let refused = GatewayError::unauthenticated;
    entry.access_key = request.header(ACCESS_KEY_HEADER).map(str::to_owned);
    let timestamp = request.header(TIMESTAMP_HEADER).map(str::parse::<i64>);
    entry.signed_at = timestamp.and_then(Result::ok).map(UtcMs);

    let access_key = entry.access_key.as_deref();
    let account = keys
        .iter()
        .find(|keys| Some(keys.access_key.as_str()) == access_key)
        .ok_or_else(refused)?;
    let signed_at = entry.signed_at.ok_or_else(refused)?.0;
    if now.0.abs_diff(signed_at) >= CLOCK_TOLERANCE_MS {
        return Err(refused());
    }
    let expected = sign(
        &request.method,
        &request.target,
        UtcMs(signed_at),
        &account.access_key,
        &account.secret_key,
    );
    if request.header(SIGNATURE_HEADER) != Some(expected.as_str()) {
        return Err(refused());
    }
    Ok(account)
}

impl Wire {
    /// Applies the defaults and checks the ranges.
    fn download(self, now: UtcMs) -> Result<Download, GatewayError> {
        let refuse = |detail: &str| Err(GatewayError::bad_request(detail));
        if !(1..=MAX_PROJECT_KEY).contains(&self.project_key.chars().count()) {
            return refuse("projectKey has 1 to 53 characters");
        }
        let to = self.to.map_or(now, UtcMs);
        // The pages don't say what a reversed span is; here it is a mistake that shows.
        if self.from > to.0 {
            return refuse("from is later than to");
        }
        let format = match self.format.as_deref() {
            None | Some("JSON") => Format::Json,
            Some("CSV") => Format::Csv,
            Some(_) => return refuse("format is CSV or JSON"),
        };
        let Some(limit) = within(self.limit.unwrap_or(100), 1000) else {
            return refuse("limit is 1 to 1000");
        };
        let Some(count) = within(self.count.unwrap_or(100_000), 200_000) else {
            return refuse("count is 1 to 200000");
        };
        Ok(Download {
            from: UtcMs(self.from),
            to,
            format,
            limit,
            count,
            include_fields: self.include_fields.unwrap_or_default(),
        })
    }
}

fn within(value: i64, most: u32) -> Option<u32> {
    u32::try_from(value)
        .ok()
        .filter(|value| (1..=most).contains(value))
}
