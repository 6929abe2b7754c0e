//! Error responses: a status, two headers and a body. Each has a line, the body comes last.

#![no_main]

use elsa_archiver::domain::retry::Failure;
use elsa_archiver::domain::secret::{Keys, Secret};
use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver::elsa::error_response::{ErrorResponse, classify};
use elsa_archiver_fuzz::printable::assert_printable;
use libfuzzer_sys::fuzz_target;

const ACCESS_KEY: &str = "AK/CANARY";
const SECRET_KEY: &str = "SK/CANARY";

fuzz_target!(|response: &[u8]| {
    let mut parts = response.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let status = str::from_utf8(part())
        .ok()
        .and_then(|text| text.parse().ok());
    let (retry_after, date, body, encoding) = (part(), part(), part(), part());
    let header = |bytes| str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
    let keys = Keys {
        access_key: Secret::new(ACCESS_KEY.into()),
        secret_key: Secret::new(SECRET_KEY.into()),
    };
    let error = classify(ErrorResponse {
        status: status.unwrap_or(200),
        retry_after: header(retry_after),
        date: header(date),
        encoding: header(encoding),
        body,
        keys: &keys,
        now: UtcMs(1_795_000_000_000),
    });
    // 200 characters of text from outside, of four bytes at most, and our own words.
    assert_printable(&error.message, 200 * 4 + 400);
    assert!(!error.message.contains(ACCESS_KEY), "{}", error.message);
    assert!(!error.message.contains(SECRET_KEY), "{}", error.message);
    match error.failure {
        Failure::Throttled { wait } | Failure::QuotaExceeded { wait } => {
            assert!(wait.is_none_or(|wait| wait >= Millis::ZERO));
        }
        _ => {}
    }
});
