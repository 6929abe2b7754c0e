//! What an answer of object storage means that is not what was asked for. Carries *Candid* and *Suspicious*.
//!
//! An error that says nothing of what lies there has a kind that `verify` takes for that: what can't be read now is no damage.

use std::io;

use reqwest::StatusCode;

use crate::printable::printable;

/// Why there is no answer, and whether it is worth another try.
#[derive(Debug)]
pub(super) struct Failure {
    /// What it is for whoever reads a file.
    pub(super) error: io::Error,
    /// Whether it may pass.
    pub(super) may_pass: bool,
    /// What was answered; `None` where nothing was.
    pub(super) status: Option<StatusCode>,
}

impl Failure {
    /// Nobody answered.
    pub(super) fn silence(why: String) -> Self {
        Self {
            error: io::Error::new(io::ErrorKind::HostUnreachable, why),
            may_pass: true,
            status: None,
        }
    }

    /// What a status means, with the document that tells why (`Error`, of the S3 API's *Error responses*). Without one, which
    /// `is_bare` says that the request has none of, it says that there is no such object.
    pub(super) fn of(status: StatusCode, document: &str, is_bare: bool) -> Self {
        let code = element(document, "Code").unwrap_or_default();
        let message = element(document, "Message").unwrap_or_default();
        let told = match (code, message) {
            ("", "") => String::new(),
            (code, message) => format!(": {}", printable(&format!("{code}: {message}"))),
        };
        let (kind, may_pass) = match (status.as_u16(), code) {
            (404, "NoSuchKey") => (io::ErrorKind::NotFound, false),
            (404, "") if is_bare => (io::ErrorKind::NotFound, false),
            // Whoever answers so is not the object store, or its document was torn.
            (404, "") => (io::ErrorKind::HostUnreachable, true),
            // Another is there by now.
            (412, _) => (io::ErrorKind::HostUnreachable, false),
            (401 | 403, _) => (io::ErrorKind::PermissionDenied, false),
            (408 | 429 | 500..=599, _) => (io::ErrorKind::HostUnreachable, true),
            _ => (io::ErrorKind::HostUnreachable, false),
        };
        let error = match kind {
            io::ErrorKind::NotFound => kind.into(),
            kind => io::Error::new(
                kind,
                format!("object storage answers {}{told}", status.as_u16()),
            ),
        };
        Self {
            error,
            may_pass,
            status: Some(status),
        }
    }
}

/// The text of an element that has no others in it.
fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(text, _)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Candid
    #[test]
    fn only_what_is_not_there_is_missing_and_all_else_says_nothing_of_it() {
        let of = |status: u16, document: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = Failure::of(status, document, false);
            (
                failure.error.kind(),
                failure.may_pass,
                failure.error.to_string(),
            )
        };
        let no_key =
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
        assert_eq!(of(404, no_key).0, io::ErrorKind::NotFound);
        // The answer to HEAD alone has no document.
        assert_eq!(of(404, "<html>").0, io::ErrorKind::HostUnreachable);
        let of_head = Failure::of(StatusCode::NOT_FOUND, "", true);
        assert_eq!(of_head.error.kind(), io::ErrorKind::NotFound);
        let no_bucket =
            "<Error><Code>NoSuchBucket</Code><Message>no \u{1b}bucket</Message></Error>";
        let (kind, may_pass, told) = of(404, no_bucket);
        assert_eq!((kind, may_pass), (io::ErrorKind::HostUnreachable, false));
        assert_eq!(
            told,
            "object storage answers 404: NoSuchBucket: no \\u{1b}bucket"
        );
        assert_eq!(of(403, "").0, io::ErrorKind::PermissionDenied);
        for (status, may_pass) in [
            (503, true),
            (429, true),
            (500, true),
            (400, false),
            (301, false),
        ] {
            let found = of(status, "<html>");
            assert_eq!(
                (found.0, found.1),
                (io::ErrorKind::HostUnreachable, may_pass),
                "{status}"
            );
        }
    }
}
