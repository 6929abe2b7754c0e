//! An authority that timestamps, asked over HTTP (RFC 3161, 3.4). Carries *Bounded* and *Suspicious*: of an address the
//! host is shown, and an answer has a deadline and a longest length.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::timestamp;
use crate::digest::Digest;
use crate::domain::authority_url::AuthorityUrl;
use crate::domain::span::UtcMs;
use crate::elsa::client::outward;

/// How long an authority may take, from the look-up of its name to the end of its answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// The longest answer; with a chain of certificates it has some 6 KiB.
pub(super) const LONGEST: usize = 256 * 1024;

/// An authority.
#[derive(Debug)]
pub(crate) struct Authority {
    url: AuthorityUrl,
}

impl Authority {
    /// At this address.
    pub(crate) const fn at(url: AuthorityUrl) -> Self {
        Self { url }
    }

    /// Its answer to the question for a timestamp of what has this digest, and when that was.
    ///
    /// # Errors
    /// When there is none in time, or none to this question; why, in words.
    pub(crate) async fn stamp(&self, digest: &Digest) -> Result<(Vec<u8>, UtcMs), String> {
        let nonce = fastrand::u64(..);
        let of = |why: String| format!("{}: {why}", self.url);
        let request = timestamp::request(digest, nonce).map_err(of)?;
        let late = || format!("it did not answer within {} s", DEADLINE.as_secs());
        let asked = timeout(DEADLINE, self.ask(request)).await;
        let answer = asked.unwrap_or_else(|_| Err(late())).map_err(of)?;
        let at = timestamp::at(&answer, digest, Some(nonce)).map_err(of)?;
        Ok((answer, at))
    }

    async fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let why = |error| format!("it can't be reached: {}", outward::why(error));
        // Made for each question, which is one a day: what can't be read now, certificates say, may be there later.
        let http = outward::client(self.url.expose(), self.url.is_loopback());
        let http = http.map_err(|error| error.to_string())?;
        let asked = http.post(self.url.expose().clone());
        let asked = asked.header(CONTENT_TYPE, "application/timestamp-query");
        let mut answer = asked.body(request).send().await.map_err(why)?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(format!(
                    "it answered {}, a redirection, which is not followed; give the address that it leads to",
                    status.as_u16()
                ));
            }
            status => return Err(format!("it answered {}", status.as_u16())),
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(why)? {
            if body.len() + piece.len() > LONGEST {
                return Err(format!("its answer has more than {LONGEST} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}
