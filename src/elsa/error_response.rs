//! What an answer that is no zip means: every row of the error table of `ELSA-API.md`, and a
//! sane reading of everything else. Pure.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;

use super::redact::{quote, redact};
use crate::domain::retry::Failure;
use crate::domain::secret::Keys;
use crate::domain::span::{Millis, UtcMs};

/// A failed attempt: what it means, and what the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What it means for the next attempt.
    pub failure: Failure,
    /// What happened and what to do, on one line.
    pub message: String,
}

impl CallError {
    /// A failure with its message.
    pub fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            message: message.into(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CallError {}

/// What an answer tells of the signature, and so of the clock that signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// The gateway let it pass.
    Accepted,
    /// The gateway did not let it pass, because of key or clock.
    Refused,
    /// Nothing: the answer may be a proxy's, or come from before the gateway looked.
    Untold,
}

/// An answer that is no zip.
#[derive(Clone, Copy, Debug)]
pub struct ErrorResponse<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
    pub retry_after: Option<&'a str>,
    /// The header `Date`.
    pub date: Option<&'a str>,
    /// The header `Content-Encoding`, where it says that the body is not as it was asked for.
    pub encoding: Option<&'a str>,
    /// The beginning of the body.
    pub body: &'a [u8],
    /// The clock by which the attempt was signed.
    pub now: UtcMs,
    /// The keys that signed it, which the message must not show should the body echo them.
    pub keys: &'a Keys,
}

/// From here on a difference of clocks is taken for the reason of a 401. The gateway refuses at
/// five minutes; half a minute is left for the way of the answer and the whole seconds of `Date`.
const SKEW: Millis = Millis(270_000);

/// Reads what the answer means.
#[must_use]
pub fn classify(response: ErrorResponse<'_>) -> CallError {
    classify_with_signature(response).0
}

/// The same, and what the answer tells of the signature.
pub(super) fn classify_with_signature(response: ErrorResponse<'_>) -> (CallError, Signature) {
    let mut body = ErrorBody::read(response.body);
    // After JSON's escapes are read, which would hide a key; before anything cuts the text, or half
    // a key would be left.
    body.text = redact(&body.text, response.keys);
    let failure = failure(response, &body);
    let status = match (response.status, body.code) {
        // Its bytes say nothing to anybody.
        (status, None) if let Some(encoding) = response.encoding => {
            let encoding = quote(&redact(encoding, response.keys));
            format!(
                "the service answered {status} with a body that something on the way has encoded \
                 (Content-Encoding: {encoding}), which was not asked for: let the proxy or the gateway \
                 pass the answers of this host unchanged"
            )
        }
        (200, None) if response.body.is_empty() => {
            "the service answered 200 with no content".into()
        }
        (200, None) => {
            format!(
                "the service answered 200 with what is no zip: {}",
                quote(&body.text)
            )
        }
        (status, None) if body.text.is_empty() => format!("the service answered {status}"),
        (status, None) => format!("the service answered {status}: {}", quote(&body.text)),
        (status, Some(code)) => {
            format!(
                "the service answered {status}, error {code}: {}",
                quote(&body.text)
            )
        }
    };
    let message = format!("{status}{}", advice(response.status, failure));
    (
        CallError::new(failure, message),
        signature(failure, body.code),
    )
}

const fn signature(failure: Failure, code: Option<u32>) -> Signature {
    match (failure, code) {
        (Failure::WrongKey | Failure::ClockSkew { .. }, _) => Signature::Refused,
        // What the gateway says of a caller that it knows, and of the endpoint behind it. Quotas and
        // rates may be looked at before.
        (_, Some(100 | 210 | 300 | 430 | 500 | 510)) => Signature::Accepted,
        _ => Signature::Untold,
    }
}

fn failure(response: ErrorResponse<'_>, body: &ErrorBody) -> Failure {
    let wait = response.retry_after.and_then(|text| wait(text, response));
    match (response.status, body.code) {
        (401, Some(210)) | (200, Some(210)) => Failure::Refused,
        (401, _) | (200, Some(200)) => match skew(response) {
            Some(skew) => Failure::ClockSkew { skew },
            None => Failure::WrongKey,
        },
        (429, Some(400)) => Failure::QuotaExceeded { wait },
        (429, _) | (200, Some(410 | 420)) => Failure::Throttled { wait },
        (503, _) if wait.is_some() => Failure::Throttled { wait },
        (504, _) | (200, Some(510)) => Failure::TooSlow,
        (408 | 500..=599, _) | (200, Some(500 | 900)) => Failure::Passing,
        // 204: nothing is there, perhaps no logs.
        (204 | 400 | 404 | 413, _) | (200, Some(100 | 300 | 430)) => Failure::Rejected,
        (200..=299, _) => Failure::BadAnswer,
        _ => Failure::Refused,
    }
}

fn advice(status: u16, failure: Failure) -> &'static str {
    match (failure, status) {
        (Failure::WrongKey, _) => {
            "; check that access_key and secret_key belong together and are active"
        }
        (Failure::ClockSkew { .. }, _) => {
            "; this machine's clock disagrees with the service's, check NTP"
        }
        (Failure::Refused, 300..=399) => {
            "; a redirect is not followed, since it would carry the keys elsewhere: check endpoint"
        }
        (Failure::Refused, 401 | 403) => {
            "; grant this access key the permission to download and search this project's logs"
        }
        (Failure::Rejected, 404) => "; check endpoint, project_key and project_id",
        (Failure::Rejected, _) => "; check project_key, project_id, count and limit of the job",
        (Failure::QuotaExceeded { .. }, _) => "; the account's quota is used up",
        _ => "",
    }
}

/// The service's clock minus ours, when they disagree so much that it explains a 401.
fn skew(response: ErrorResponse<'_>) -> Option<Millis> {
    let skew = http_date(response.date?)?.since(response.now);
    (skew.0.unsigned_abs() >= SKEW.0.unsigned_abs()).then_some(skew)
}

fn wait(retry_after: &str, response: ErrorResponse<'_>) -> Option<Millis> {
    let text = retry_after.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is a time that never comes; the policy bounds it.
        return Some(Millis::from_secs(text.parse().unwrap_or(i64::MAX)));
    }
    // Both dates are of one clock, whatever ours shows.
    let now = response.date.and_then(http_date).unwrap_or(response.now);
    http_date(text).map(|until| until.since(now).max(Millis::ZERO))
}

/// Reads a date of HTTP (RFC 9110, 5.6.7).
pub(super) fn http_date(text: &str) -> Option<UtcMs> {
    let read: Result<Timestamp, _> = DateTimeParser::new().parse_timestamp(text.trim());
    read.ok().map(UtcMs::from)
}

/// What the body tells.
struct ErrorBody {
    /// The gateway's `errorCode`.
    code: Option<u32>,
    /// Its message, or the body's text.
    text: String,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Self {
        if let Ok(json) = serde_json::from_slice::<Value>(body) {
            let error = json.get("error").unwrap_or(&json);
            let code = error.get("errorCode").and_then(|code| match code {
                Value::Number(number) => number.as_u64()?.try_into().ok(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            });
            let message = error.get("message").or_else(|| error.get("details"));
            if let Some(message) = message.and_then(Value::as_str) {
                return Self {
                    code,
                    text: message.to_owned(),
                };
            }
            if code.is_some() {
                return Self {
                    code,
                    text: error.to_string(),
                };
            }
        }
        Self {
            code: None,
            text: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
