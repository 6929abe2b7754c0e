//! The client of one account: signs, sends, and streams the answer, with a deadline on every
//! phase. It never retries; what a failure means it says, what to do about it the caller decides.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, redirect};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{CallError, Refusal, classify, http_date};
use super::foreign::{blot, quote};
use super::limiter::{Limiter, Slot};
use super::network::Network;
use super::request::Request;
use super::signature::{
    ACCESS_KEY_HEADER, DOWNLOAD_PATH, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign,
};
use crate::clock::Clock;
use crate::domain::account::{Account, Endpoint};
use crate::domain::retry::{Failure, LONGEST_NAMED_WAIT_MS};
use crate::domain::secret::Keys;
use crate::domain::span::Ms;

/// How long each phase of a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Looking the host's name up.
    pub look_up: Duration,
    /// Connecting, TLS included.
    pub connect: Duration,
    /// From the request to the answer's head: the service searches meanwhile.
    pub head: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// The whole answer.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            look_up: Duration::from_secs(10),
            connect: Duration::from_secs(15),
            head: Duration::from_secs(180),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(1800),
        }
    }
}

/// How much later than a `Date` the service's clock may be: its fraction of a second, and some for
/// the way.
const DATE_MS: i64 = 5_000;
/// How long an account that asks too often waits at least: the shortest pause of the program's
/// policy, until whoever asked has decided on a longer one.
const SHORTEST_PAUSE_MS: i64 = 500;
/// Most bytes of an answer; a zip of 200,000 logs is some tens of MB.
pub const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Most bytes of an answer that is no zip which are read to understand it.
const ERROR_BYTES: usize = 16 * 1024;
/// How every zip begins: with an entry, or with the end of an empty archive (APPNOTE 4.3.7,
/// 4.3.16).
const ZIP_BEGINNINGS: [&[u8; 4]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// The status of an answer that may be a zip.
pub const ZIP_STATUS: u16 = 200;

/// The client could not be made.
#[derive(Debug, Error)]
#[error("can't set up HTTPS: {0}")]
pub struct SetUpError(String);

/// The client of one account.
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    keys: Keys,
    limiter: Limiter,
    max_in_flight: usize,
    clock: Clock,
    /// The service's clock minus ours, as far as it is known, in milliseconds.
    skew_ms: AtomicI64,
    /// How far the service's clock is behind ours, by its last answer, in milliseconds; 0 when it
    /// is not, never positive.
    behind_ms: AtomicI64,
    /// The smallest number of records at which the service has cut an answer although more had
    /// been asked for; `u64::MAX` while none is known.
    hidden_cap: AtomicU64,
    deadlines: Deadlines,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.endpoint)
    }
}

impl Client {
    /// A client for `account`, over the system's network.
    ///
    /// # Errors
    /// When TLS can't be set up, for example because the system's certificates can't be read.
    pub fn new(
        account: &Account,
        keys: Keys,
        clock: Clock,
        deadlines: Deadlines,
    ) -> Result<Self, SetUpError> {
        Self::over(Network::default(), account, keys, clock, deadlines)
    }

    /// A client for `account` over this network.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        network: Network,
        account: &Account,
        keys: Keys,
        clock: Clock,
        deadlines: Deadlines,
    ) -> Result<Self, SetUpError> {
        // The first one in the process stays; a second is refused, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("elsa-archiver/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Reading has no deadline of the HTTP client's: it would end a search that takes too
            // long as if the network had failed.
            .connect_timeout(deadlines.look_up + deadlines.connect);
        builder = network.beneath(builder, deadlines.look_up);
        if account.endpoint.is_loopback() {
            // A proxy would take loopback for its own.
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| SetUpError(chain(&error, None)))?;
        Ok(Self {
            http,
            endpoint: account.endpoint.clone(),
            keys,
            limiter: Limiter::new(account.max_in_flight, account.requests_per_second),
            max_in_flight: account.max_in_flight.max(1) as usize,
            clock,
            skew_ms: AtomicI64::new(0),
            behind_ms: AtomicI64::new(0),
            hidden_cap: AtomicU64::new(u64::MAX),
            deadlines,
        })
    }

    /// The gateway.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Most requests of the account under way at once, 1 or more.
    #[must_use]
    pub const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// Sets the clock by which attempts are signed: `skew_ms` is the service's clock minus ours.
    pub fn correct_clock(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// The earlier of our clock and the service's, as far as its last answer's `Date` tells: no
    /// window may end after it, or its logs would not have come yet.
    #[must_use]
    pub fn now(&self) -> Ms {
        self.clock
            .now()
            .plus(self.behind_ms.load(Ordering::Relaxed))
    }

    fn note_date(&self, date: Option<&str>) {
        let Some(date) = date.and_then(http_date) else {
            return;
        };
        let behind_ms = date
            .0
            .saturating_add(DATE_MS)
            .saturating_sub(self.clock.now().0);
        self.behind_ms.store(behind_ms.min(0), Ordering::Relaxed);
    }

    /// The number of records at which the service cuts answers of this account, whatever is asked
    /// for; `u64::MAX` while none is known.
    #[must_use]
    pub fn hidden_cap(&self) -> u64 {
        self.hidden_cap.load(Ordering::Relaxed)
    }

    /// The service has cut an answer at so many records.
    pub fn learn_hidden_cap(&self, records: u64) {
        self.hidden_cap.fetch_min(records, Ordering::Relaxed);
    }

    /// An answer has shown that what was learnt is no cap.
    pub fn forget_hidden_cap(&self) {
        self.hidden_cap.store(u64::MAX, Ordering::Relaxed);
    }

    /// Lets no request of this account begin for `wait_ms` milliseconds.
    pub fn hold(&self, wait_ms: i64) {
        self.limiter
            .hold(Duration::from_millis(wait_ms.try_into().unwrap_or(0)));
    }

    /// Text from the service as it can be shown and written: on one short line, without the keys
    /// of this account.
    #[must_use]
    pub fn fit_to_show(&self, text: &str) -> String {
        quote(&blot(text, &self.keys)).trim_matches('"').to_owned()
    }

    /// Makes one attempt, signed afresh, as soon as the account's bounds allow.
    ///
    /// # Errors
    /// When no answer comes, or one that does not begin like a zip.
    pub async fn ask(&self, request: &Request<'_>) -> Result<Answer<'_>, CallError> {
        let slot = self.limiter.slot().await;
        let begun = Instant::now();
        let skew_ms = self.skew_ms.load(Ordering::Relaxed);
        let now = self.clock.now().plus(skew_ms);
        let Deadlines {
            look_up,
            connect,
            head,
            ..
        } = self.deadlines;
        let until_head = look_up + connect + head;
        let sent = timeout(
            until_head,
            self.http
                .post(self.endpoint.join(DOWNLOAD_PATH))
                .headers(self.signed_headers(now.0)?)
                .body(serde_json::to_vec(request).map_err(|error| {
                    CallError::new(
                        Failure::Refused,
                        format!("can't write the request: {error}"),
                    )
                })?)
                .send(),
        );
        let response = match sent.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.no_answer(&error)),
            Err(_) => return Err(self.too_slow("no answer", until_head)),
        };
        let mut answer = Answer {
            client: self,
            announced: response.content_length(),
            deadline: begun + self.deadlines.total,
            response,
            peeked: Vec::new(),
            received: 0,
            _slot: slot,
        };
        self.note_date(answer.header(DATE));
        if answer.begins_like_a_zip().await? {
            return Ok(answer);
        }
        let mut refusal = answer.refusal(now).await;
        if let Failure::ClockSkew { skew_ms: measured } = &mut refusal.failure {
            // It was measured against the clock that signed; what counts is ours.
            *measured = measured.saturating_add(skew_ms);
        }
        Err(refusal)
    }

    fn signed_headers(&self, timestamp_ms: i64) -> Result<HeaderMap, CallError> {
        let access_key = self.keys.access_key.expose();
        let signature = sign(
            "POST",
            DOWNLOAD_PATH,
            timestamp_ms,
            access_key,
            self.keys.secret_key.expose(),
        );
        let timestamp = timestamp_ms.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            (TIMESTAMP_HEADER, timestamp.as_str()),
            (ACCESS_KEY_HEADER, access_key),
            (SIGNATURE_HEADER, signature.as_str()),
        ] {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                CallError::new(
                    Failure::WrongKey,
                    "the access key has characters no key has",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    fn no_answer(&self, error: &reqwest::Error) -> CallError {
        let (failure, phase) = match error.is_connect() {
            true => (Failure::Unreachable, "can't connect to"),
            false => (Failure::Passing, "no answer from"),
        };
        CallError::new(
            failure,
            format!(
                "{phase} {}: {}",
                self.endpoint,
                chain(error, Some(&self.keys))
            ),
        )
    }

    fn too_slow(&self, what: &str, after: Duration) -> CallError {
        let seconds = after.as_secs();
        CallError::new(
            Failure::TooSlow,
            format!("{what} from {} within {seconds} s", self.endpoint),
        )
    }
}

/// An answer that begins like a zip; its content is still on the way.
#[derive(Debug)]
pub struct Answer<'a> {
    client: &'a Client,
    response: Response,
    /// What `Content-Length` says, in bytes; it is not believed.
    announced: Option<u64>,
    deadline: Instant,
    /// What was read to see how the answer begins.
    peeked: Vec<u8>,
    received: u64,
    _slot: Slot,
}

impl Answer<'_> {
    /// What `Content-Length` says, in bytes, if anything.
    #[must_use]
    pub const fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// The next piece of the zip; `None` at its end.
    ///
    /// # Errors
    /// When the stream breaks or stalls, or grows beyond every bound.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        if !self.peeked.is_empty() {
            return Ok(Some(std::mem::take(&mut self.peeked)));
        }
        self.read().await
    }

    async fn read(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        let deadlines = self.client.deadlines;
        let read = timeout_at(
            self.deadline,
            timeout(deadlines.idle, self.response.chunk()),
        );
        let chunk = match read.await {
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
        self.received += chunk.len() as u64;
        if self.received > MOST_BYTES {
            let what = format!("the answer is longer than {} MiB", MOST_BYTES >> 20);
            return Err(CallError::new(Failure::BadAnswer, what));
        }
        Ok(Some(chunk.into()))
    }

    async fn begins_like_a_zip(&mut self) -> Result<bool, CallError> {
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
        if self.peek().await.is_err() {
            return Ok(false);
        }
        Ok((0..self.peeked.len()).any(|at| is_zip_beginning(&self.peeked[at..])))
    }

    /// Reads as much as is needed to understand an answer that is no zip.
    async fn peek(&mut self) -> Result<(), CallError> {
        while self.peeked.len() < ERROR_BYTES {
            match self.read().await? {
                Some(chunk) => self.peeked.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(())
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Reads what there is of an answer that is no zip, and what it means.
    async fn refusal(mut self, now: Ms) -> CallError {
        // What it says of itself counts even if its body breaks off, or comes too slowly.
        let _ = timeout(self.client.deadlines.idle, self.peek()).await;
        self.peeked.truncate(ERROR_BYTES);
        // Before anything cuts the text, or half a key would be left.
        let text = blot(&String::from_utf8_lossy(&self.peeked), &self.client.keys);
        let error = classify(Refusal {
            status: self.response.status().as_u16(),
            retry_after: self.header(RETRY_AFTER),
            date: self.header(DATE),
            body: text.as_bytes(),
            now,
        });
        if let Failure::Throttled { wait_ms } | Failure::QuotaExceeded { wait_ms } = error.failure {
            // Before this request's slot is free, or another would begin in between.
            let wait_ms = wait_ms.unwrap_or(SHORTEST_PAUSE_MS);
            self.client
                .hold(wait_ms.clamp(SHORTEST_PAUSE_MS, LONGEST_NAMED_WAIT_MS));
        }
        error
    }
}

fn is_zip_beginning(bytes: &[u8]) -> bool {
    ZIP_BEGINNINGS
        .iter()
        .any(|beginning| bytes.starts_with(*beginning))
}

/// The whole story of an error, on one line, without the address (it is named already).
fn chain(error: &(dyn std::error::Error + 'static), keys: Option<&Keys>) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // Wrappers repeat what they wrap, or say only that there was an error.
        if !text.contains("error sending request") && !told.iter().any(|t| t.contains(&text)) {
            told.push(text);
        }
        next = error.source();
    }
    let told = told.join(": ");
    // Before anything cuts the text, or half a key would be left.
    let told = keys.map_or_else(|| told.clone(), |keys| blot(&told, keys));
    quote(&told).trim_matches('"').to_owned()
}
