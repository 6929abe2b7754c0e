//! The signature of the NAVER Cloud API gateway (`ELSA-API.md`, *Headers*).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::span::UtcMs;

/// Path of the call that answers with a zip of logs.
pub(crate) const DOWNLOAD_PATH: &str = "/api/v1/logs/download";
/// Path of the call that answers with a page of logs.
pub(crate) const SEARCH_PATH: &str = "/api/v1/logs/search";

/// Header with the moment of signing, UTC milliseconds in decimal.
pub(crate) const TIMESTAMP_HEADER: &str = "x-ncp-apigw-timestamp";
/// Header with the access key.
pub(crate) const ACCESS_KEY_HEADER: &str = "x-ncp-iam-access-key";
/// Header with the value of [`sign`].
pub(crate) const SIGNATURE_HEADER: &str = "x-ncp-apigw-signature-v2";

/// Signs one attempt: Base64 of HMAC-SHA256 over
/// `METHOD path\ntimestamp\naccess key`, keyed with the secret key's bytes.
///
/// Neither the host nor the body is signed. `timestamp` must be the
/// one that is sent: the gateway refuses a clock that is five minutes off.
#[must_use]
pub(crate) fn sign(
    method: &str,
    path: &str,
    timestamp: UtcMs,
    access_key: &str,
    secret_key: &str,
) -> String {
    let message = format!("{method} {path}\n{}\n{access_key}", timestamp.0);
    // HMAC takes a key of any length (RFC 2104), so the error can't happen; an empty signature
    // would be refused by the gateway as a wrong one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()) else {
        return String::new();
    };
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        let made = sign(
            "POST",
            DOWNLOAD_PATH,
            UtcMs(1_381_190_400_000),
            "ACCESSKEYACCESSKEY12",
            "SECRETKEYSECRETKEYSECRETKEYSECRETKEY1234",
        );
        assert_eq!(made, "f7UY70PQ2RMUM8Rw1HjIun4xGMO/vRoPeoKUXmoQjek=");
    }
}
