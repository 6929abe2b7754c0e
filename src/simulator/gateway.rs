//! The gateway: refuses a request for the same reasons and in the same order as the service
//! (`ELSA-API.md`, *Headers* and *Errors*).

use crate::domain::span::UtcMs;
use crate::elsa::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};

use super::call::Call;
use super::gateway_error::GatewayError;
use super::http::Incoming;
use super::journal::Entry;
use super::request::{self, Asked, Request};
use super::search::SearchAccess;
use super::world::{KeyPair, Project};

/// A signature this old or this far in the future is refused, in milliseconds.
const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// Accepts or refuses a request that arrived at `now`, and notes in `entry` what it said. The
/// project is returned by its place among `projects`.
pub(super) fn admit(
    incoming: &Incoming,
    now: UtcMs,
    keys: &[KeyPair],
    projects: &[Project],
    search: SearchAccess,
    entry: &mut Entry,
) -> Result<(usize, Request), GatewayError> {
    entry.call = Call::at(&incoming.target);
    let is_post = |_: &Call| incoming.method == "POST";
    let call = entry.call.filter(is_post);
    let call = call.ok_or_else(GatewayError::not_found)?;
    let account = authenticate(incoming, now, keys, entry)?;

    let Asked {
        project_key,
        project_id,
        request,
    } = request::read(call, &incoming.body, now, entry)?;
    let place = projects
        .iter()
        .position(|project| project.key() == project_key && project.id() == project_id)
        .ok_or_else(GatewayError::not_found)?;
    if !account.may_read(&project_key) {
        return Err(GatewayError::denied());
    }
    match search.refusal().filter(|_| call == Call::Search) {
        Some(refusal) => Err(refusal),
        None => Ok((place, request)),
    }
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
