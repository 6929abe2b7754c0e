//! What a request is answered. Carries *Suspicious*: it only reads, and a page of somebody else's in a browser on this
//! machine, which reaches loopback under another name, gets nothing.

use std::net::IpAddr;

use hyper::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HOST, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use super::desk::Made;
use super::facts::Facts;
use super::health::{Verdict, health, readiness};
use super::metrics::metrics;
use crate::page::lang::Lang;
use crate::page::route::Asked;
use crate::page::style::policy;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What is done about a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// It is answered.
    Ready(Response<String>),
    /// A page is made; `None` where there is no such page.
    Page(Option<Asked>, Lang),
}

/// Answers a request that has come to the address `local`. `facts` are gathered where they are needed.
pub(super) fn answer<B>(
    request: &Request<B>,
    local: IpAddr,
    facts: impl FnOnce() -> Facts,
) -> Reply {
    let path = request.uri().path();
    match refusal(request, local) {
        Some(refused) => Reply::Ready(refused),
        None if path == "/" || path.starts_with("/jobs/") => Reply::Page(
            Asked::parse(path, request.uri().query()),
            lang(request.headers()),
        ),
        None => Reply::Ready(plainly(path, facts)),
    }
}

/// A page as it is sent.
pub(super) fn page((status, text): Made, lang: Lang) -> Response<String> {
    let mut response = response(status, HTML, text);
    let headers = response.headers_mut();
    // It is Base64 and words of ours.
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// What the browser prefers.
fn lang(headers: &HeaderMap) -> Lang {
    let all = headers.get_all(ACCEPT_LANGUAGE).iter();
    let all: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
    Lang::accepted(&all.join(","))
}

/// Why a request is not answered.
fn refusal<B>(request: &Request<B>, local: IpAddr) -> Option<Response<String>> {
    if !is_meant(request.uri(), request.headers(), local) {
        return Some(plain(
            StatusCode::MISDIRECTED_REQUEST,
            format!("ask for this listener by its address, {local}, or as localhost\n"),
        ));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD: nothing can be changed here\n".to_owned(),
        );
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return Some(refused);
    }
    None
}

fn plainly(path: &str, facts: impl FnOnce() -> Facts) -> Response<String> {
    match path {
        "/metrics" => response(StatusCode::OK, METRICS, metrics(&facts())),
        "/healthz" => told(health(&facts()), "the process makes progress\n"),
        "/readyz" => told(readiness(&facts()), "every job is within max_lag\n"),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /, /metrics, /healthz and /readyz\n".to_owned(),
        ),
    }
}

fn told(verdict: Verdict, well: &str) -> Response<String> {
    match verdict {
        Verdict::Well => plain(StatusCode::OK, well.to_owned()),
        Verdict::Unwell(lines) => {
            let text = lines.iter().map(|line| format!("{line}\n"));
            plain(StatusCode::SERVICE_UNAVAILABLE, text.collect())
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response<String> {
    response(status, TEXT, text)
}

fn response(status: StatusCode, kind: HeaderValue, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a request names this listener: by the address at which it has come, or as localhost. A port says nothing:
/// behind a tunnel it is another.
fn is_meant(uri: &Uri, headers: &HeaderMap, local: IpAddr) -> bool {
    let is_ours = |authority: &Authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let has_user = authority.as_str().contains('@');
        let is_address = |found: IpAddr| found.to_canonical() == local.to_canonical();
        !has_user
            && (host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_address))
    };
    let mut hosts = headers.get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse().ok()),
        _ => None,
    };
    named.is_some_and(|named: Authority| is_ours(&named)) && uri.authority().is_none_or(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(host: &[&str], uri: &str, local: &str) -> bool {
        let mut headers = HeaderMap::new();
        for host in host {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        is_meant(&uri.parse().unwrap(), &headers, local.parse().unwrap())
    }

    /// Guarantee: Suspicious
    #[test]
    fn only_a_host_that_is_the_listener_s_is_answered() {
        let metrics = "/metrics";
        for (host, local, is_ours) in [
            ("127.0.0.1:9187", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("LocalHost:1234", "127.0.0.1", true),
            ("[::1]:9187", "::1", true),
            ("10.0.0.5:9187", "::ffff:10.0.0.5", true),
            ("10.0.0.6:9187", "10.0.0.5", false),
            ("evil.example:9187", "127.0.0.1", false),
            ("localhost.evil.example", "127.0.0.1", false),
            ("localhost@evil.example", "127.0.0.1", false),
            ("evil@localhost", "127.0.0.1", false),
            ("0.0.0.0:9187", "127.0.0.1", false),
            ("", "127.0.0.1", false),
        ] {
            assert_eq!(meant(&[host], metrics, local), is_ours, "{host}");
        }
        assert!(!meant(&[], metrics, "127.0.0.1"));
        let twice = ["localhost", "evil.example"];
        assert!(!meant(&twice, metrics, "127.0.0.1"));
        let elsewhere = "http://evil.example/metrics";
        assert!(!meant(&["localhost"], elsewhere, "127.0.0.1"));
        let here = "http://localhost:9187/metrics";
        assert!(meant(&["localhost"], here, "127.0.0.1"));
    }
}
