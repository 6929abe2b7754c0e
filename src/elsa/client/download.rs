//! One answer on its way in: its bytes are bounded in number and time, and one that is no zip is
//! read just far enough to be understood. Carries *Bounded*.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderName, PROXY_AUTHENTICATE, RETRY_AFTER,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::proxy_answer::{is_page, own, schemes_of, visible};
use super::requests::InFlight;
use super::{Client, Heard, Signed, chain};
use crate::domain::retry::{Failure, LONGEST_NAMED_WAIT};
use crate::domain::span::Millis;
use crate::elsa::error_response::{
    CallError, ErrorResponse, Signature, classify_with_signature, http_date,
};
use crate::elsa::limiter::Slot;
use crate::elsa::redact::redact;

/// The shortest pause after a 429: the shortest pause of the program's
/// policy, until the caller has decided on a longer one.
const SHORTEST_PAUSE: Millis = Millis(500);
/// How many bytes an answer may have; a zip of 200,000 logs has some tens of MB.
pub const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// How many bytes of an error response are read.
const ERROR_BYTES: usize = 16 * 1024;
/// How many bytes must come while twice [`Deadlines::idle`](super::Deadlines::idle) is waited for them:
/// what drips never stalls, and would hold one of the account's few places for half an hour.
const LEAST_BYTES: u64 = 4096;
/// The status of an answer that may be a zip.
pub const ZIP_STATUS: u16 = 200;
/// How every zip begins: with an entry, or with the end of an empty archive (APPNOTE 4.3.7,
/// 4.3.16).
const ZIP_BEGINNINGS: [&[u8; 4]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// An answer that begins like a zip; its content is still on the way.
#[derive(Debug)]
pub struct Download<'a> {
    client: &'a Client,
    response: Response,
    /// What `Content-Length` says, in bytes; it is not believed.
    announced: Option<u64>,
    begun: Instant,
    deadline: Instant,
    /// What its head tells of the time.
    heard: Heard,
    /// What was read to see how the answer begins.
    peeked: Vec<u8>,
    received: u64,
    pace: Pace,
    /// Whether it took too long to read what it says, so that nobody waits for more of it.
    is_slow: bool,
    counted: InFlight,
    _slot: Slot,
}

/// How fast an answer comes, by the time that was spent waiting for it.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    /// Bytes since then.
    bytes: u64,
}

impl Pace {
    const fn note(&mut self, waited: Duration, bytes: u64) {
        self.waited = self.waited.saturating_add(waited);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= LEAST_BYTES {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
    }
}

/// What came of a request, at its end.
impl Drop for Download<'_> {
    fn drop(&mut self) {
        tracing::debug!(
            status = self.status(),
            bytes = self.received,
            ms = self.begun.elapsed().as_millis() as u64,
            "answered"
        );
    }
}

impl<'a> Download<'a> {
    pub(super) fn new(
        client: &'a Client,
        response: Response,
        begun: Instant,
        signed: Signed,
        (slot, counted): (Slot, InFlight),
    ) -> Self {
        let heard = Heard {
            signed,
            took: Millis(begun.elapsed().as_millis().try_into().unwrap_or(i64::MAX)),
            arrived: client.clock.now(),
            date: text(&response, DATE).and_then(http_date),
        };
        Self {
            client,
            announced: response.content_length(),
            begun,
            deadline: begun + client.deadlines.total,
            response,
            heard,
            peeked: Vec::new(),
            received: 0,
            pace: Pace::default(),
            is_slow: false,
            counted,
            _slot: slot,
        }
    }

    /// What `Content-Length` says, in bytes, if anything.
    #[must_use]
    pub const fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The next piece of the zip; `None` at its end.
    ///
    /// # Errors
    /// When the stream breaks, stalls or drips, or grows beyond every bound.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        if !self.peeked.is_empty() {
            return Ok(Some(std::mem::take(&mut self.peeked).into()));
        }
        self.read().await
    }

    /// Nobody took what came for so long: that is not the service's time.
    pub fn was_held_up(&mut self, by: Duration) {
        self.deadline += by;
    }

    /// The next piece as it comes.
    async fn read(&mut self) -> Result<Option<Bytes>, CallError> {
        let read = self.read_in_time().await;
        match &read {
            Ok(Some(_)) => {}
            Ok(None) => self.counted.answered(),
            Err(error) => self.counted.failed(error.failure),
        }
        read
    }

    async fn read_in_time(&mut self) -> Result<Option<Bytes>, CallError> {
        let deadlines = self.client.deadlines;
        let begun = Instant::now();
        let pace_ends = begun + (deadlines.idle * 2).saturating_sub(self.pace.waited);
        let read = timeout_at(
            self.deadline.min(pace_ends),
            timeout(deadlines.idle, self.response.chunk()),
        );
        let chunk = match read.await {
            Err(_) if pace_ends < self.deadline => {
                let what = format!("no more than {} bytes of the answer", self.pace.bytes);
                return Err(self.client.too_slow(&what, deadlines.idle * 2));
            }
            Err(_) => return Err(self.client.too_slow("no whole answer", deadlines.total)),
            Ok(Err(_)) => {
                let idle = deadlines.idle.as_secs();
                let what = format!(
                    "the answer stalled for {idle} s after {} bytes",
                    self.received
                );
                return Err(CallError::new(Failure::Passing, what));
            }
            Ok(Ok(Err(error))) => {
                let what = format!(
                    "the answer broke off after {} bytes: {}",
                    self.received,
                    chain(&error, Some(&self.client.keys))
                );
                return Err(CallError::new(Failure::Passing, what));
            }
            Ok(Ok(Ok(chunk))) => chunk,
        };
        let Some(chunk) = chunk else { return Ok(None) };
        self.pace.note(begun.elapsed(), chunk.len() as u64);
        self.received += chunk.len() as u64;
        if self.received > MOST_BYTES {
            let what = format!("the answer is longer than {} MiB", MOST_BYTES >> 20);
            return Err(CallError::new(Failure::BadAnswer, what));
        }
        Ok(Some(chunk))
    }

    pub(super) async fn begins_like_a_zip(&mut self) -> Result<bool, CallError> {
        if self.response.status() != ZIP_STATUS {
            return Ok(false);
        }
        while self.peeked.len() < 4 {
            match self.read().await? {
                Some(chunk) => self.peeked.extend_from_slice(&chunk),
                None => return Ok(false),
            }
        }
        if is_zip_beginning(&self.peeked) {
            return Ok(true);
        }
        // Other bytes may come before a zip; text that tells of an error has no such thing in it.
        if !self.peek_in_time().await {
            return Ok(false);
        }
        Ok((0..self.peeked.len()).any(|at| is_zip_beginning(&self.peeked[at..])))
    }

    /// Reads as much of an error response as is needed to understand it, once, and says whether that
    /// came.
    async fn peek_in_time(&mut self) -> bool {
        if self.is_slow {
            return false;
        }
        let (begun, idle) = (Instant::now(), self.client.deadlines.idle);
        let peeked = matches!(timeout(idle, self.peek()).await, Ok(Ok(())));
        // Where it stalls, that is noticed in the same moment.
        self.is_slow = !peeked && begun.elapsed() >= idle;
        peeked
    }

    /// Reads as much of an error response as is needed to understand it.
    async fn peek(&mut self) -> Result<(), CallError> {
        while self.peeked.len() < ERROR_BYTES {
            match self.read().await? {
                Some(chunk) => self.peeked.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(())
    }

    /// It is not what was asked for.
    pub(super) fn failed(&self, failure: Failure) {
        self.counted.failed(failure);
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Learns from it what time it is at the service.
    pub(super) fn note_time(&self, signature: Signature) {
        self.client.note_time(self.heard, signature);
    }

    /// Reads an error response, and what it means.
    pub(super) async fn refusal(mut self) -> CallError {
        // Its status counts even if its body breaks off or comes too slowly.
        self.peek_in_time().await;
        let mut error = self.refusal_of(&self.peeked);
        if self.is_slow && matches!(error.failure, Failure::Passing | Failure::BadAnswer) {
            error.failure = Failure::TooSlow;
            error.message += "; the rest of it came too slowly";
            self.failed(error.failure);
        }
        error
    }

    /// The whole answer, of at most so many bytes, while [`Deadlines::idle`](super::Deadlines::idle)
    /// lasts; `None` where it is longer.
    ///
    /// # Errors
    /// When it does not come whole, or not in time.
    pub(super) async fn whole(&mut self, most: usize) -> Result<Option<Vec<u8>>, CallError> {
        let idle = self.client.deadlines.idle;
        let ends = Instant::now() + idle;
        let mut body = Vec::new();
        while body.len() <= most {
            match timeout_at(ends, self.chunk()).await {
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                Ok(Ok(None)) => return Ok(Some(body)),
                // A piece that stalls ends with the whole.
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(self.client.too_slow("no whole answer", idle)),
            }
        }
        Ok(None)
    }

    /// What the answer says of how it is encoded, where that is not as it was asked for.
    pub(super) fn encoding(&self) -> Option<&str> {
        text(&self.response, CONTENT_ENCODING)
            .filter(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"))
    }

    /// Whether it is a page for people.
    fn is_page(&self, body: &str) -> bool {
        is_page(text(&self.response, CONTENT_TYPE), body)
    }

    /// What an answer means that is a proxy's own.
    pub(super) fn of_proxy(&self, body: &str) -> Option<CallError> {
        let route = self.client.route.as_ref();
        let content_type = text(&self.response, CONTENT_TYPE);
        let mut answer = own(self.status(), content_type, body, route.is_some())?;
        if self.encoding().is_some() {
            answer.text.clear();
        }
        let named = self.response.headers().get_all(PROXY_AUTHENTICATE);
        answer.schemes = schemes_of(named.iter().filter_map(|value| value.to_str().ok()));
        let endpoint = &self.client.endpoint;
        let what = match route {
            Some(route) => {
                let why = route.refuses(&answer);
                format!("{endpoint} did not answer through the proxy {route}: {why}")
            }
            None => format!(
                "a proxy on the way to {endpoint} answered {} \"{}\"; ask whoever runs it to let the host pass, or \
                 set proxy of the account",
                answer.status,
                self.client.printable(&answer.text)
            ),
        };
        // It says nothing of what was asked for, like a network that fails.
        Some(CallError::new(
            Failure::Passing,
            redact(&what, &self.client.keys),
        ))
    }

    /// What an error response means that begins with these bytes.
    pub(super) fn refusal_of(&self, body: &[u8]) -> CallError {
        let body = &body[..body.len().min(ERROR_BYTES)];
        // Before anything cuts the text, or half a key would be left.
        let body = self.client.redacted(&String::from_utf8_lossy(body));
        if let Some(error) = self.of_proxy(&body) {
            return error;
        }
        let Signed { at, skew } = self.heard.signed;
        let (mut error, signature) = classify_with_signature(ErrorResponse {
            status: self.status(),
            retry_after: text(&self.response, RETRY_AFTER),
            date: text(&self.response, DATE),
            encoding: self.encoding(),
            body: body.as_bytes(),
            now: at,
            keys: &self.client.keys,
        });
        self.note_time(signature);
        if let Some(route) = &self.client.route
            && self.is_page(&body)
        {
            let status = self.status();
            let said = self.client.printable(&visible(&body));
            error.message = format!(
                "the proxy {route}, or the service behind it, answered {status} with a page, \"{said}\""
            );
        }
        self.failed(error.failure);
        match &mut error.failure {
            // It was measured against the clock that signed; what counts is ours.
            Failure::ClockSkew { skew: measured } => *measured = measured.plus(skew),
            Failure::WrongKey if skew != Millis::ZERO => {
                error.message += &format!(
                    ". It was signed by the service's `Date`, {} s off this machine's clock; should \
                     that be a proxy's or a cache's, the key may be right: check NTP on both",
                    skew.as_secs()
                );
            }
            _ => {}
        }
        if let Failure::Throttled { wait } | Failure::QuotaExceeded { wait } = error.failure {
            // Before this request's slot is free, or another would begin in between.
            let wait = wait.unwrap_or(SHORTEST_PAUSE);
            self.client
                .hold(wait.clamp(SHORTEST_PAUSE, LONGEST_NAMED_WAIT));
        }
        error
    }
}

fn text(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn is_zip_beginning(bytes: &[u8]) -> bool {
    ZIP_BEGINNINGS
        .iter()
        .any(|beginning| bytes.starts_with(*beginning))
}
