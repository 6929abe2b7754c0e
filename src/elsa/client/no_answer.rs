//! An attempt without an answer: what it means, and which words it is told with. Carries *Candid* and
//! *Suspicious*.

use super::Client;
use crate::domain::retry::Failure;
use crate::domain::secret::Keys;
use crate::elsa::error_response::CallError;
use crate::elsa::redact::{quote, redact};

/// What rustls says where nobody vouches for a certificate.
const UNKNOWN_ISSUER: &str = "UnknownIssuer";

/// What the failure of a request means that had no answer.
pub(super) async fn no_answer(client: &Client, error: &reqwest::Error) -> CallError {
    let Client { endpoint, .. } = client;
    let (failure, phase) = match error.is_connect() {
        true => (Failure::Unreachable, "can't connect to"),
        false => (Failure::Passing, "no answer from"),
    };
    let told = client.redacted(&chain(error, Some(&client.keys)));
    let why = match &client.route {
        None => told,
        Some(route) if error.is_connect() => {
            let seconds = (client.deadlines.look_up + client.deadlines.connect).as_secs();
            let why = route.why(error, &told, seconds).await;
            // The proxy's own words are in it.
            redact(&why, &client.keys)
        }
        Some(_) => told,
    };
    let through = match &client.route {
        None => String::new(),
        Some(route) => format!(" through the proxy {route}"),
    };
    let advice = match (why.contains(UNKNOWN_ISSUER), client.has_authorities) {
        (false, _) => "",
        (true, false) => {
            "; if your company inspects TLS here, set ca_file of the account to the certificate of its \
             authority"
        }
        (true, true) => {
            "; whoever answers there is vouched for by nobody in ca_file or the system's store: if your company \
             inspects TLS here, set ca_file to the certificate of its authority"
        }
    };
    CallError::new(
        failure,
        format!("{phase} {endpoint}{through}: {why}{advice}"),
    )
}

/// What led to an error, the error itself first.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut told = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        told.push(error.to_string());
        next = error.source();
    }
    told
}

/// The whole story of an error, on one line, without the address (it is named already).
pub(super) fn chain(error: &(dyn std::error::Error + 'static), keys: Option<&Keys>) -> String {
    let mut told: Vec<String> = Vec::new();
    for text in causes(error) {
        // Wrappers repeat what they wrap, or say only that there was an error.
        if !text.contains("error sending request") && !told.iter().any(|t| t.contains(&text)) {
            told.push(text);
        }
    }
    let told = told.join(": ");
    // Before anything cuts the text, or half a key would be left.
    let told = keys.map_or_else(|| told.clone(), |keys| redact(&told, keys));
    quote(&told).trim_matches('"').to_owned()
}
