//! Receivers over HTTP: the dead man's switch and the webhook. Only 2xx counts; a redirection is not followed. Carries
//! *Bounded* and *Suspicious*: of an answer the status and `Retry-After` are read, and of an address the host is shown.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::receiver::{Delivery, Refusal};
use super::tally::Who;
use crate::domain::notice::switch::Ping;
use crate::domain::notify_url::NotifyUrl;
use crate::domain::retry::{Failure, Policy};
use crate::domain::span::Millis;
use crate::elsa::client::outward;

/// How long one try may take, from the look-up of the name to the head of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many bytes a reason has at most. healthchecks.io takes 100 kB.
const MOST_OF_A_REASON: usize = 4096;

/// A place that takes requests.
#[derive(Debug)]
pub(crate) struct Place {
    http: reqwest::Client,
    url: NotifyUrl,
}

impl Place {
    /// At this address.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(crate) fn at(url: NotifyUrl) -> Result<Self, String> {
        let http = outward::client(url.expose(), url.is_loopback());
        let http = http.map_err(|error| error.to_string())?;
        Ok(Self { http, url })
    }

    async fn send(&self, request: RequestBuilder) -> Result<(), Refusal> {
        let refusal = |failure, what: String| Refusal {
            failure,
            message: format!("{} {what}", self.url),
        };
        let answer = match timeout(DEADLINE, request.send()).await {
            Err(_) => {
                let what = format!("did not answer within {} s", DEADLINE.as_secs());
                return Err(refusal(Failure::Passing, what));
            }
            Ok(Err(error)) => {
                let what = format!("can't be reached: {}", outward::why(error));
                return Err(refusal(Failure::Passing, what));
            }
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = answer.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let wait = wait.map(|seconds: u32| Millis::from_secs(seconds.into()));
        let (failure, advice) = match status {
            StatusCode::TOO_MANY_REQUESTS => (Failure::Throttled { wait }, ""),
            StatusCode::SERVICE_UNAVAILABLE if wait.is_some() => (Failure::Throttled { wait }, ""),
            StatusCode::REQUEST_TIMEOUT => (Failure::Passing, ""),
            status if status.is_server_error() => (Failure::Passing, ""),
            status if status.is_redirection() => (
                Failure::Rejected,
                ", a redirection, which is not followed; give the address that it leads to",
            ),
            StatusCode::NOT_FOUND | StatusCode::GONE => (
                Failure::Rejected,
                "; nobody knows that address there: correct it",
            ),
            _ => (Failure::Rejected, ""),
        };
        Err(refusal(
            failure,
            format!("answered {}{advice}", status.as_u16()),
        ))
    }
}

/// The dead man's switch.
pub(super) struct Switch;

impl Delivery for Switch {
    type One = Ping;
    type Target = Place;
    const WHO: Who = Who::Ping;
    /// The next look brings another one.
    const POLICY: Policy = Policy {
        attempts: 3,
        base: Millis::from_secs(2),
        longest: Millis::from_secs(30),
        quota: Millis::from_mins(1),
    };
    const MOST: usize = 4;

    async fn deliver(
        target: &Place,
        one: &Ping,
        _hurry: &CancellationToken,
    ) -> Result<(), Refusal> {
        let Place { http, url } = target;
        let request = match one {
            Ping::Start => http.request(Method::GET, url.below("start")),
            Ping::Success => http.request(Method::GET, url.expose().clone()),
            Ping::Fail(why) => {
                let end = why.floor_char_boundary(MOST_OF_A_REASON);
                let body = why[..end].to_owned();
                http.request(Method::POST, url.below("fail"))
                    .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                    .body(body)
            }
        };
        target.send(request).await
    }

    fn is_critical(_: &Ping) -> bool {
        true
    }

    fn is_stale(waiting: &Ping, newer: &Ping) -> bool {
        (*waiting == Ping::Start) == (*newer == Ping::Start)
    }
}

/// The webhook.
pub(super) struct Webhook;

/// An event as it is sent.
pub(super) struct Body {
    pub(super) json: String,
    pub(super) is_critical: bool,
}

impl Delivery for Webhook {
    type One = Body;
    type Target = Place;
    const WHO: Who = Who::Webhook;
    /// Some minutes: long enough for a restart of the receiver.
    const POLICY: Policy = Policy {
        attempts: 8,
        base: Millis::from_secs(1),
        longest: Millis::from_mins(2),
        quota: Millis::from_mins(1),
    };
    const MOST: usize = 1000;

    async fn deliver(
        target: &Place,
        one: &Body,
        _hurry: &CancellationToken,
    ) -> Result<(), Refusal> {
        let Place { http, url } = target;
        let request = http
            .request(Method::POST, url.expose().clone())
            .header(CONTENT_TYPE, "application/json")
            .body(one.json.clone());
        target.send(request).await
    }

    fn is_critical(one: &Body) -> bool {
        one.is_critical
    }
}
