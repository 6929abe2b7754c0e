//! HTTPS to others than the service: who is told what happens. It goes the same way, by the system's authorities and
//! the environment's proxy, and follows no redirection (**Suspicious**).

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use url::Url;

use super::no_answer::chain;
use super::{Deadlines, SetUpError, route};
use crate::elsa::network::Network;

/// A client for one address. With `is_direct` no proxy is asked.
///
/// # Errors
/// When TLS can't be set up, for example because the system's certificates can't be read.
pub(crate) fn client(address: &Url, is_direct: bool) -> Result<reqwest::Client, SetUpError> {
    // The first one in the process stays; a second is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fail = |error: reqwest::Error| SetUpError(chain(&error.without_url(), None));
    let Deadlines { look_up, .. } = Deadlines::default();
    let network = Network::default();
    let resolver = network.resolver(look_up);
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("elsa-archiver/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // It is seldom used; a connection that waits may be dead by then.
        .pool_idle_timeout(Duration::from_secs(5));
    builder = network.beneath(builder, Arc::clone(&resolver)).no_proxy();
    let proxy = if is_direct {
        None
    } else {
        route::of_environment(address)
    };
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy.map_err(fail)?);
    }
    builder.build().map_err(fail)
}

/// Why there was no answer, without the address.
pub(crate) fn why(error: reqwest::Error) -> String {
    chain(&error.without_url(), None)
}
