//! The error table of `ELSA-API.md`, row by row, and what it does not list.

use super::*;
use crate::domain::secret::Secret;

const NOW: UtcMs = UtcMs(1_795_000_000_000);

static NO_KEYS: Keys = Keys {
    access_key: Secret::new(String::new()),
    secret_key: Secret::new(String::new()),
};

fn refusal(status: u16, body: &[u8]) -> ErrorResponse<'_> {
    ErrorResponse {
        status,
        retry_after: None,
        encoding: None,
        date: None,
        body,
        now: NOW,
        keys: &NO_KEYS,
    }
}

fn read(status: u16, body: &str) -> Failure {
    classify(refusal(status, body.as_bytes())).failure
}

fn gateway(code: &str) -> String {
    format!(r#"{{"error":{{"errorCode":{code},"message":"no"}}}}"#)
}

/// Guarantee: Isolated
#[test]
fn every_row_of_the_table_has_its_meaning() {
    let rows = [
        (400, "100", Failure::Rejected),
        (401, "200", Failure::WrongKey),
        (401, "210", Failure::Refused),
        (404, "300", Failure::Rejected),
        (413, "430", Failure::Rejected),
        (429, "400", Failure::QuotaExceeded { wait: None }),
        (429, "410", Failure::Throttled { wait: None }),
        (429, "420", Failure::Throttled { wait: None }),
        (503, "500", Failure::Passing),
        (504, "510", Failure::TooSlow),
        (500, "900", Failure::Passing),
    ];
    for (status, code, failure) in rows {
        assert_eq!(read(status, &gateway(code)), failure, "{status} {code}");
        assert_eq!(
            read(status, &gateway(&format!("\"{code}\""))),
            failure,
            "{status} \"{code}\""
        );
        if code != "100" {
            // The same error inside a 200 means the same, but for the codes that a success
            // could not tell apart.
            let inside = read(200, &gateway(code));
            let expected = if code == "400" {
                Failure::BadAnswer
            } else {
                failure
            };
            assert_eq!(inside, expected, "200 {code}");
        }
    }
}

/// Guarantee: Suspicious
#[test]
fn what_the_table_does_not_list_has_a_meaning_too() {
    let rows = [
        (200, "", Failure::BadAnswer),
        (200, "<html>login</html>", Failure::BadAnswer),
        (
            200,
            "{\"error\":{\"errorCode\":\"77\"}}",
            Failure::BadAnswer,
        ),
        (204, "", Failure::Rejected),
        (302, "", Failure::Refused),
        (403, "", Failure::Refused),
        (408, "", Failure::Passing),
        (418, "teapot", Failure::Refused),
        (429, "", Failure::Throttled { wait: None }),
        (502, "<html>bad gateway</html>", Failure::Passing),
        (599, "\u{0}", Failure::Passing),
        (401, "", Failure::WrongKey),
    ];
    for (status, body, failure) in rows {
        assert_eq!(read(status, body), failure, "{status} {body:?}");
    }
}

/// Guarantee: Suspicious
#[test]
fn a_body_that_a_proxy_has_encoded_is_named_so_and_not_quoted() {
    let gzip = b"\x1f\x8b\x08\x00\x00";
    for (status, failure) in [
        (200, Failure::BadAnswer),
        (502, Failure::Passing),
        (401, Failure::WrongKey),
    ] {
        let error = classify(ErrorResponse {
            encoding: Some("gzip"),
            ..refusal(status, gzip)
        });
        assert_eq!(error.failure, failure);
        let message = error.message;
        assert!(
            message.contains("(Content-Encoding: \"gzip\")"),
            "{message}"
        );
        assert!(
            !message.contains("no zip") && message.contains("proxy"),
            "{message}"
        );
    }
    // What can be read all the same counts.
    let error = classify(ErrorResponse {
        encoding: Some("gzip"),
        ..refusal(401, gateway("210").as_bytes())
    });
    assert_eq!(error.failure, Failure::Refused);
}

/// Guarantee: Bounded
#[test]
fn retry_after_is_seconds_or_a_date() {
    let waits = |text: &str| {
        let answer = ErrorResponse {
            retry_after: Some(text),
            ..refusal(429, b"")
        };
        match classify(answer).failure {
            Failure::Throttled { wait } => wait,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(waits("7"), Some(Millis(7000)));
    assert_eq!(waits(" 0 "), Some(Millis(0)));
    assert_eq!(waits("99999999999999999999999"), Some(Millis(i64::MAX)));
    // NOW is 2026-11-18 11:06:40 UTC (Wednesday).
    assert_eq!(waits("Wed, 18 Nov 2026 11:06:50 GMT"), Some(Millis(10_000)));
    assert_eq!(waits("Wed, 18 Nov 2020 11:06:50 GMT"), Some(Millis(0)));
    assert_eq!(waits("soon"), None);
    // By the service's clock, which is four minutes ahead of ours here.
    let by_its_clock = ErrorResponse {
        retry_after: Some("Wed, 18 Nov 2026 11:10:50 GMT"),
        date: Some("Wed, 18 Nov 2026 11:10:40 GMT"),
        ..refusal(429, b"")
    };
    assert_eq!(
        classify(by_its_clock).failure,
        Failure::Throttled {
            wait: Some(Millis(10_000))
        }
    );
    let answer = ErrorResponse {
        retry_after: Some("3"),
        ..refusal(503, b"")
    };
    assert_eq!(
        classify(answer).failure,
        Failure::Throttled {
            wait: Some(Millis(3000))
        }
    );
}

#[test]
fn a_401_is_the_clock_s_fault_when_the_answer_s_date_says_so() {
    let dated = |date| {
        classify(ErrorResponse {
            date: Some(date),
            ..refusal(401, b"")
        })
        .failure
    };
    assert_eq!(
        dated("Wed, 18 Nov 2026 11:12:40 GMT"),
        Failure::ClockSkew {
            skew: Millis(360_000)
        }
    );
    assert_eq!(
        dated("Wed, 18 Nov 2026 11:00:40 GMT"),
        Failure::ClockSkew {
            skew: Millis(-360_000)
        }
    );
    assert_eq!(dated("Wed, 18 Nov 2026 11:07:40 GMT"), Failure::WrongKey);
    assert_eq!(dated("nonsense"), Failure::WrongKey);
}

/// Guarantee: Candid
#[test]
fn a_message_is_one_line_and_says_what_to_do() {
    let error = classify(refusal(401, gateway("\"210\"").as_bytes()));
    assert_eq!(
        error.message,
        "the service answered 401, error 210: \"no\"; grant this access key the permission to \
         download and search this project's logs"
    );
    let html = classify(refusal(200, b"<html>\r\n\x1b[2J\n</html>"));
    assert_eq!(
        html.message,
        "the service answered 200 with what is no zip: \"<html> [2J </html>\""
    );
}

/// Guarantee: Suspicious
#[test]
fn a_key_is_redacted_however_json_writes_it() {
    let keys = Keys {
        access_key: Secret::new("AK/CANARY".into()),
        secret_key: Secret::new("SKCANARY".into()),
    };
    for body in [
        "AK/CANARY and SKCANARY",
        r#"{"error":{"errorCode":200,"message":"AK\/CANARY and \u0053KCANARY"}}"#,
        r#"{"error":{"errorCode":77,"more":["AK\/CANARY","\u0053KCANARY"]}}"#,
    ] {
        let answer = ErrorResponse {
            keys: &keys,
            ..refusal(401, body.as_bytes())
        };
        let message = classify(answer).message;
        assert_eq!(message.matches("[key]").count(), 2, "{message}");
        assert!(!message.contains("CANARY"), "{message}");
    }
}

/// Guarantee: Suspicious
#[test]
fn only_the_gateway_tells_that_a_signature_was_accepted() {
    let told = |status, body: &str| classify_with_signature(refusal(status, body.as_bytes())).1;
    for (status, code, signature) in [
        (400, "100", Signature::Accepted),
        (401, "200", Signature::Refused),
        (401, "210", Signature::Accepted),
        (404, "300", Signature::Accepted),
        (413, "430", Signature::Accepted),
        (429, "400", Signature::Untold),
        (429, "410", Signature::Untold),
        (429, "420", Signature::Untold),
        (503, "500", Signature::Accepted),
        (504, "510", Signature::Accepted),
        (500, "900", Signature::Untold),
    ] {
        assert_eq!(told(status, &gateway(code)), signature, "{status} {code}");
        let inside = told(200, &gateway(code));
        assert_eq!(inside, signature, "200 {code}");
    }
    for (status, signature) in [
        (200, Signature::Untold),
        (302, Signature::Untold),
        (401, Signature::Refused),
        (404, Signature::Untold),
        (502, Signature::Untold),
    ] {
        assert_eq!(told(status, "<html>proxy</html>"), signature, "{status}");
    }
}
