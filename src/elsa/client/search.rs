//! The search call: how many JSON objects its answer holds, and under which keys, since the form of it is
//! not known (`ELSA-API.md`, *Search*). Carries *Bounded* and *Suspicious*.

use serde_json::Value;

use super::Client;
use crate::domain::retry::Failure;
pub use crate::domain::second_opinion::Found;
use crate::elsa::error_response::{CallError, Signature};
use crate::elsa::request::Search;
use crate::elsa::signature::SEARCH_PATH;

/// The status of an answer that may hold records.
const OK: u16 = 200;
/// How many bytes of an answer with one record are read.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How many bytes of an answer that is no JSON are looked at for a message.
const SHOWN_BYTES: usize = 16 * 1024;

impl Client {
    /// Makes one attempt to search, signed afresh, as soon as the account's bounds allow. Returns what
    /// of the answer is understood.
    ///
    /// # Errors
    /// When no answer comes, or one that is no JSON, or an error.
    pub async fn search(&self, request: &Search<'_>) -> Result<Found, CallError> {
        let mut answer = self.send(SEARCH_PATH, request, request.job()).await?;
        if answer.status() != OK {
            return Err(answer.refusal().await);
        }
        let Some(body) = answer.whole(MOST_BYTES).await? else {
            answer.failed(Failure::BadAnswer);
            let what = format!(
                "the answer to a search for one record is longer than {} MiB",
                MOST_BYTES >> 20
            );
            return Err(CallError::new(Failure::BadAnswer, what));
        };
        let Ok(value) = serde_json::from_slice::<Value>(&body) else {
            if answer.encoding().is_some() {
                return Err(answer.refusal_of(&body));
            }
            let beginning = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]);
            if let Some(error) = answer.of_proxy(&self.redacted(&beginning)) {
                answer.failed(error.failure);
                return Err(error);
            }
            answer.failed(Failure::BadAnswer);
            let text = self.printable(&beginning);
            let what = format!("search answered 200 with what is no JSON: {text}");
            return Err(CallError::new(Failure::BadAnswer, what));
        };
        let is_error = |key: &str| value.get(key).is_some();
        if is_error("error") || is_error("errorCode") {
            return Err(answer.refusal_of(&body));
        }
        answer.note_time(Signature::Accepted);
        Ok(found(&value))
    }
}

fn found(value: &Value) -> Found {
    let mut keys = Vec::new();
    keys_outside_lists(value, &mut keys);
    Found {
        objects: objects(value),
        shape: keys.join(" "),
    }
}

/// The keys of an object and of those in it, but not in lists: the records are in a list.
fn keys_outside_lists<'a>(value: &'a Value, keys: &mut Vec<&'a str>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        keys.push(key);
        keys_outside_lists(value, keys);
    }
}

/// The objects in a value, itself among them. The parser bounds the depth.
fn objects(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(objects).sum(),
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<u64>(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_counted_at_any_depth() {
        for (json, expected) in [
            ("[]", 0),
            (r#"{"logs":[]}"#, 1),
            (r#"{"logs":[{"logTime":1}]}"#, 2),
            (
                r#"{"hits":{"total":1,"hits":[{"_source":{"body":"{}"}}]}}"#,
                4,
            ),
        ] {
            assert_eq!(objects(&serde_json::from_str(json).unwrap()), expected);
        }
    }
}
