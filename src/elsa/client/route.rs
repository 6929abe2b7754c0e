//! The way to the service: through which proxy requests go, who says so, and what its refusals mean. What is told
//! here is what the HTTP client does: it gets the proxy from here. Carries *Suspicious* and *Candid*.

use std::env;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::dns::Resolve;
use reqwest::header::HeaderValue;
use url::Url;

use super::proxy_answer::{self, Answer, Said};
use super::{SetUpError, causes};
use crate::domain::account::Account;
use crate::domain::proxy::ProxyAddress;
use crate::domain::secret::Secret;
use crate::elsa::redact::{quote, redact_all};

/// The variables that name a proxy for https://, the first that is set counts of each pair; the second pair
/// counts where the first names none.
const VARIABLES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];
/// A shorter password would be found in words that have nothing to do with it.
const TELLING: usize = 4;
/// The status by which a proxy wants a user and a password (RFC 9110, 15.5.8).
const WANTS_A_USER: u16 = 407;

/// A proxy that all requests of an account go through.
pub(crate) struct Route {
    /// Its address, without user and password.
    address: String,
    authorization: Option<HeaderValue>,
    /// What of the authorization must not be shown, however it is echoed.
    secrets: Vec<Secret>,
    /// Who sets it, as the operator knows it: a key of the config, or a variable.
    set_by: String,
    /// `host:port` of the service.
    target: String,
    /// Whether it is asked to connect to the service, since only TLS may pass through it.
    tunnels: bool,
    resolver: Arc<dyn Resolve>,
}

/// Where a connection through a proxy ended.
enum End {
    BeforeTheProxy,
    WantsAUser,
    /// The proxy did not let pass.
    AtTheProxy,
    InTime,
    BehindTheProxy,
}

impl Route {
    /// The proxy for `account`: the `configured` one, or else the environment's; never the environment's for
    /// loopback, which a proxy would take for its own.
    ///
    /// # Errors
    /// When the configured address can't be used: nothing may go past it.
    pub(super) fn to(
        account: &Account,
        configured: Option<&ProxyAddress>,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Option<Self>, SetUpError> {
        let endpoint = account.endpoint.join("/");
        let found = match configured {
            Some(address) => {
                let matcher = Matcher::builder().all(address.expose()).build();
                let found = intercept(&matcher, endpoint.as_str());
                let found = found.ok_or_else(|| {
                    SetUpError(format!(
                        "the proxy {address} can't be used; check its address"
                    ))
                })?;
                Some((found, format!("account.{}.proxy", account.name)))
            }
            None if account.endpoint.is_loopback() => None,
            None => intercept(&Matcher::from_env(), endpoint.as_str())
                .map(|found| (found, variable(endpoint.as_str()).to_owned())),
        };
        Ok(found.map(|(found, set_by)| Self {
            address: found.uri().to_string().trim_end_matches('/').to_owned(),
            secrets: found.basic_auth().map_or_else(Vec::new, secrets),
            authorization: found.basic_auth().cloned(),
            set_by,
            target: format!(
                "{}:{}",
                endpoint.host_str().unwrap_or_default(),
                endpoint.port_or_known_default().unwrap_or_default()
            ),
            tunnels: endpoint.scheme() == "https",
            resolver,
        }))
    }

    /// The proxy for the HTTP client.
    pub(super) fn for_http(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::all(&self.address)?;
        Ok(match &self.authorization {
            Some(value) => proxy.custom_http_auth(value.clone()),
            None => proxy,
        })
    }

    /// `text` without what must not be shown of the authorization.
    pub(super) fn redact(&self, text: &str) -> String {
        redact_all(text, &self.secrets.iter().collect::<Vec<_>>())
    }

    /// Why there is no connection through it, as far as `error` and the proxy itself tell, and what to do.
    /// `told` is the error in words.
    pub(super) async fn why(&self, error: &reqwest::Error, told: &str, seconds: u64) -> String {
        let Self { set_by, target, .. } = self;
        match self.end(error) {
            End::BeforeTheProxy => {
                let told = told
                    .rsplit("underlying connection: ")
                    .next()
                    .unwrap_or(told);
                format!("the proxy can't be reached: {told}; check {set_by}, and that it runs")
            }
            End::InTime => format!(
                "no connection within {seconds} s; check that the proxy answers, and that it can reach {target}"
            ),
            // Once more, but without the password: each time that it is wrong may count.
            End::WantsAUser => match self.ask(None).await {
                Said::Answer(answer) if answer.status == WANTS_A_USER => self.wants_a_user(&answer),
                _ => self.wants_a_user(&Answer::of_status(WANTS_A_USER)),
            },
            End::AtTheProxy => match self.ask(self.authorization.as_ref()).await {
                Said::Answer(answer) if answer.is_refusal() => self.refuses(&answer),
                Said::Nothing => format!(
                    "the proxy closed the connection without an answer; ask whoever runs it to let {target} \
                     pass"
                ),
                Said::NoHttp => format!("what answers there is not an HTTP proxy; check {set_by}"),
                Said::Answer(_) | Said::Unknown => {
                    format!(
                        "the proxy did not let it pass: {told}; ask whoever runs it to let {target} pass"
                    )
                }
            },
            End::BehindTheProxy if told.contains("certificate") => told.to_owned(),
            End::BehindTheProxy => match self.ask(self.authorization.as_ref()).await {
                Said::Answer(answer) if answer.is_refusal() => self.refuses(&answer),
                _ => format!(
                    "{told}; the proxy let it pass, and what came then was not TLS as it should be: ask \
                     whoever runs it to let {target} pass unchanged"
                ),
            },
        }
    }

    fn end(&self, error: &reqwest::Error) -> End {
        let causes = causes(error);
        let has = |words: &str| causes.iter().any(|cause| cause.contains(words));
        match () {
            () if has("tunnel error: proxy authorization required") => End::WantsAUser,
            () if has("tunnel error: failed to create underlying connection") => {
                End::BeforeTheProxy
            }
            () if has("tunnel error: ") => End::AtTheProxy,
            () if error.is_timeout() => End::InTime,
            () if !self.tunnels => End::BeforeTheProxy,
            () => End::BehindTheProxy,
        }
    }

    /// Asks the proxy itself, since the HTTP client does not tell what it said.
    async fn ask(&self, authorization: Option<&HeaderValue>) -> Said {
        match self.address.strip_prefix("http://") {
            Some(at) if self.tunnels => {
                let resolver = &*self.resolver;
                proxy_answer::ask(at, &self.target, authorization, resolver).await
            }
            // Another one is spoken to over TLS.
            _ => Said::Unknown,
        }
    }

    /// What an answer of the proxy means that lets nothing pass.
    pub(super) fn refuses(&self, answer: &Answer) -> String {
        let target = &self.target;
        let said = self.said(answer);
        match answer.status {
            WANTS_A_USER => self.wants_a_user(answer),
            status @ 200..=299 => format!(
                "the proxy answered {status} with a page of its own{said}; ask whoever runs it to let {target} \
                 pass as it is"
            ),
            status @ 300..=399 => format!(
                "the proxy answered {status}{said}, as for a log-in in a browser; ask whoever runs it to let \
                 {target} pass without one"
            ),
            status => format!(
                "the proxy answered {status}{said}; ask whoever runs it to let {target} pass"
            ),
        }
    }

    fn wants_a_user(&self, answer: &Answer) -> String {
        let Self { set_by, target, .. } = self;
        let said = self.said(answer);
        let is_basic = |scheme: &String| scheme.eq_ignore_ascii_case("basic");
        if !answer.schemes.is_empty() && !answer.schemes.iter().any(is_basic) {
            let schemes = quote(&self.redact(&answer.schemes.join(", ")));
            return format!(
                "the proxy answered 407{said}: it takes {schemes} alone, and this program knows Basic; ask \
                 whoever runs it to let {target} pass without, or run a proxy on this machine that signs in"
            );
        }
        match &self.authorization {
            None => format!(
                "the proxy answered 407{said}: it wants a user and a password; give them in {set_by}, like \
                 http://USER:PASSWORD@HOST:PORT"
            ),
            Some(_) => format!(
                "the proxy answered 407{said}: it does not accept the user and the password in {set_by}; \
                 correct them, and write what is no letter or digit as %XX"
            ),
        }
    }

    fn said(&self, answer: &Answer) -> String {
        match answer.text.is_empty() {
            true => String::new(),
            false => format!(" {}", quote(&self.redact(&answer.text))),
        }
    }
}

/// As the operator knows it: the address, and who names it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.set_by)
    }
}

fn intercept(matcher: &Matcher, endpoint: &str) -> Option<Intercept> {
    matcher.intercept(&endpoint.parse().ok()?)
}

/// The proxy that the environment names for an address.
pub(super) fn of_environment(address: &Url) -> Option<reqwest::Result<reqwest::Proxy>> {
    let found = intercept(&Matcher::from_env(), address.as_str())?;
    let proxy = reqwest::Proxy::all(found.uri().to_string());
    Some(proxy.map(|proxy| match found.basic_auth() {
        Some(value) => proxy.custom_http_auth(value.clone()),
        None => proxy,
    }))
}

/// The variable by which the environment names the proxy that is used.
fn variable(endpoint: &str) -> &'static str {
    let named = VARIABLES.into_iter().find_map(|names| {
        let set = |name: &'static str| Some((name, env::var(name).ok()?));
        let (name, address) = names.into_iter().find_map(set)?;
        intercept(&Matcher::builder().all(address).build(), endpoint).map(|_| name)
    });
    named.unwrap_or(VARIABLES[0][0])
}

fn secrets(authorization: &HeaderValue) -> Vec<Secret> {
    let header = authorization.to_str().unwrap_or_default();
    let basic = header.strip_prefix("Basic ").unwrap_or(header);
    let decoded = STANDARD.decode(basic).unwrap_or_default();
    let decoded = String::from_utf8_lossy(&decoded);
    let password = decoded.split_once(':').map(|(_, password)| password);
    let all = [Some(basic), password].into_iter().flatten();
    all.filter(|secret| secret.len() >= TELLING)
        .map(|secret| Secret::new(secret.to_owned()))
        .collect()
}
