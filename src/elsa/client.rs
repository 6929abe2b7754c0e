//! The client of one account: signs, sends, and streams the answer, with a deadline on every
//! phase. It never retries: it says what a failure means, and the caller decides what to do.

pub mod availability;
pub mod cuts;
mod download;
mod no_answer;
pub(crate) mod outward;
mod proxy_answer;
pub(crate) mod requests;
mod retry_leader;
mod route;
mod search;
mod service_clock;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use serde::Serialize;
use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::error_response::{CallError, Signature};
use super::limiter::{Limiter, Seats};
use super::network::Network;
use super::redact::{quote, redact};
use super::request::Request;
use super::signature::{
    ACCESS_KEY_HEADER, DOWNLOAD_PATH, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign,
};
use crate::clock::Clock;
use crate::domain::account::{Account, Endpoint};
use crate::domain::job::JobName;
use crate::domain::retry::Failure;
use crate::domain::secret::Keys;
use crate::domain::span::{Millis, UtcMs};
use crate::printable;
use availability::Availability;
use cuts::Cuts;
use no_answer::{causes, chain, no_answer};
use requests::Requests;
use retry_leader::{RetryLeader, RetryLeaders};
use route::Route;

use service_clock::{Heard, ServiceClock, Signed};

pub use download::{Download, MOST_BYTES, ZIP_STATUS};
pub use search::Found;

/// How long each phase of a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Looking the host's name up.
    pub look_up: Duration,
    /// Connecting, TLS included.
    pub connect: Duration,
    /// From the request to the answer's head: the service searches meanwhile.
    pub head: Duration,
    /// Between two pieces of a zip, half the time in which some of it must come, and for the whole of
    /// any other answer, after its head.
    pub idle: Duration,
    /// The whole zip, from the request on.
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

/// The client could not be made.
#[derive(Debug, Error)]
#[error(
    "can't set up HTTPS: {0}; it takes the system's CA certificates, of the package ca-certificates"
)]
pub struct SetUpError(pub(super) String);

/// The client of one account.
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    /// The proxy, where there is one.
    route: Option<Route>,
    /// Whether others than the system's authorities are trusted.
    has_authorities: bool,
    keys: Keys,
    limiter: Limiter,
    max_in_flight: usize,
    clock: Clock,
    service_clock: ServiceClock,
    /// The smallest number of records at which the service has cut an answer although more had
    /// been asked for; `u64::MAX` while none is known.
    hidden_cap: AtomicU64,
    cuts: Cuts,
    availability: Availability,
    retry_leaders: RetryLeaders,
    requests: Arc<Requests>,
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
        let has_authorities = !network.also_trusted.is_empty();
        let resolver = network.resolver(deadlines.look_up);
        let route = Route::to(account, network.proxy.as_ref(), Arc::clone(&resolver))?;
        // The environment's proxy has been looked up: what is told of it is what is used.
        builder = network.beneath(builder, resolver).no_proxy();
        let fail = |error| SetUpError(chain(&error, None));
        if let Some(route) = &route {
            builder = builder.proxy(route.for_http().map_err(fail)?);
        }
        let http = builder.build().map_err(fail)?;
        Ok(Self {
            http,
            endpoint: account.endpoint.clone(),
            route,
            has_authorities,
            keys,
            availability: Availability::new(account.endpoint.clone(), clock.clone()),
            limiter: Limiter::new(account.max_in_flight, account.requests_per_second),
            max_in_flight: account.max_in_flight.max(1) as usize,
            clock,
            service_clock: ServiceClock::default(),
            hidden_cap: AtomicU64::new(u64::MAX),
            cuts: Cuts::default(),
            retry_leaders: RetryLeaders::default(),
            requests: Arc::default(),
            deadlines,
        })
    }

    /// The gateway.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The proxy that requests go through and who names it, in words; `None` where there is none.
    pub(crate) fn proxy(&self) -> Option<String> {
        self.route.as_ref().map(Route::to_string)
    }

    /// How many requests of the account may be in flight at once, 1 or more.
    #[must_use]
    pub const fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// The windows that its jobs may have in flight beside their first ones.
    pub(crate) const fn seats(&self) -> &Seats {
        self.limiter.seats()
    }

    /// Sets the clock by which attempts are signed: `skew` is the service's clock minus ours.
    pub fn correct_clock(&self, skew: Millis) {
        self.service_clock.correct(skew);
    }

    /// The earlier of our clock and the service's, as far as its answers' `Date` tells within
    /// reason: no window may end after it, or its logs would not have come yet.
    #[must_use]
    pub fn now(&self) -> UtcMs {
        self.clock.now().plus(self.service_clock.behind())
    }

    /// Whether the last answer said what time it is at the service, within reason.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        self.service_clock.is_dated()
    }

    fn note_time(&self, heard: Heard, signature: Signature) {
        if let Some(date) = self.service_clock.note(heard, signature) {
            tracing::warn!(
                endpoint = %self.endpoint,
                date = %date,
                signed_at = %heard.signed.at,
                "the service accepts what was signed at `signed_at`, so its clock can't show the \
                 `Date` of the answer: that is the clock of a proxy or a cache on the way, and is not \
                 used; check who answers there, and NTP on it. Said once"
            );
        }
    }

    /// The number of records at which the service cuts answers of this account, whatever is asked
    /// for; `u64::MAX` while none is known.
    #[must_use]
    pub fn hidden_cap(&self) -> u64 {
        self.hidden_cap.load(Ordering::Relaxed)
    }

    /// Records that the service has cut an answer at so many records.
    pub fn learn_hidden_cap(&self, records: u64) {
        self.hidden_cap.fetch_min(records, Ordering::Relaxed);
    }

    /// Records that what was learnt is no cap.
    pub fn forget_hidden_cap(&self) {
        self.hidden_cap.store(u64::MAX, Ordering::Relaxed);
    }

    /// How the service was found to cut answers of this account.
    #[must_use]
    pub const fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// Whether the service is down for the account.
    #[must_use]
    pub const fn availability(&self) -> &Availability {
        &self.availability
    }

    /// Which of a job's windows asks again for all after failed attempts.
    pub(crate) fn retry_leader(&self, job: &JobName) -> Arc<RetryLeader> {
        self.retry_leaders.of(job)
    }

    /// Delays all further requests of this account for so long.
    pub fn hold(&self, wait: Millis) {
        self.limiter.hold(wait.to_std());
    }

    /// Whether both sign with the same keys.
    #[must_use]
    pub(crate) fn signs_alike(&self, other: &Self) -> bool {
        self.keys.are_those(&other.keys)
    }

    /// Text from the service as it can be shown and written: on one short line, without the keys
    /// of this account.
    #[must_use]
    pub fn printable(&self, text: &str) -> String {
        quote(&self.redacted(text)).trim_matches('"').to_owned()
    }

    /// As [`Client::printable`], uncut: what a path of ours leads to, say, and what is wrong there.
    #[must_use]
    pub fn without_keys(&self, text: &str) -> String {
        printable::whole(&self.redacted(text))
    }

    /// Text without the keys of this account, and without its proxy's password.
    fn redacted(&self, text: &str) -> String {
        let text = redact(text, &self.keys);
        self.route
            .as_ref()
            .map_or_else(|| text.clone(), |route| route.redact(&text))
    }

    /// Makes one attempt to download, signed afresh, as soon as the account's bounds allow.
    ///
    /// # Errors
    /// When no answer comes, or one that does not begin like a zip.
    pub async fn ask(&self, request: &Request<'_>) -> Result<Download<'_>, CallError> {
        let mut answer = self.send(DOWNLOAD_PATH, request, request.job()).await?;
        if answer.begins_like_a_zip().await? {
            answer.note_time(Signature::Accepted);
            return Ok(answer);
        }
        Err(answer.refusal().await)
    }

    /// Makes one attempt at a call, signed afresh, as soon as the account's bounds allow. The time
    /// comes last, since waiting for the bounds may take minutes, and the gateway refuses a
    /// timestamp that is five minutes old.
    async fn send(
        &self,
        path: &str,
        request: &impl Serialize,
        job: &JobName,
    ) -> Result<Download<'_>, CallError> {
        let slot = (self.limiter.slot().await, self.requests.begin(job));
        let begun = Instant::now();
        let skew = self.service_clock.skew();
        let signed = Signed {
            at: self.clock.now().plus(skew),
            skew,
        };
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
                .post(self.endpoint.join(path))
                .headers(self.signed_headers(path, signed.at)?)
                .body(serde_json::to_vec(request).map_err(|error| {
                    CallError::new(
                        Failure::Refused,
                        format!("can't write the request: {error}"),
                    )
                })?)
                .send(),
        );
        let failed = match sent.await {
            Ok(Ok(response)) => return Ok(Download::new(self, response, begun, signed, slot)),
            Ok(Err(error)) => no_answer(self, &error).await,
            Err(_) => self.too_slow("no answer", until_head),
        };
        slot.1.failed(failed.failure);
        tracing::debug!(ms = begun.elapsed().as_millis() as u64, "{failed}");
        Err(failed)
    }

    fn signed_headers(&self, path: &str, timestamp: UtcMs) -> Result<HeaderMap, CallError> {
        let access_key = self.keys.access_key.expose();
        let signature = sign(
            "POST",
            path,
            timestamp,
            access_key,
            self.keys.secret_key.expose(),
        );
        let timestamp = timestamp.0.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Without it any encoding is welcome (RFC 9110, 12.5.3), to a proxy on the way too.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
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

    fn too_slow(&self, what: &str, after: Duration) -> CallError {
        let seconds = after.as_secs();
        CallError::new(
            Failure::TooSlow,
            format!("{what} from {} within {seconds} s", self.endpoint),
        )
    }
}

#[cfg(test)]
mod tests;
