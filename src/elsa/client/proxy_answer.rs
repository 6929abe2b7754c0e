//! What a proxy says for itself: its answer to CONNECT, and its pages. Carries *Bounded* and *Suspicious*.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;
use std::time::Duration;

use reqwest::dns::{Name, Resolve};
use reqwest::header::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long all of it may take: an attempt has failed already, and this only says why.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 16 * 1024;
/// Bytes of a page from which its beginning is known well enough.
const ENOUGH_BYTES: usize = 4096;
const MOST_HEADERS: usize = 100;
/// The port of an `http://` address that names none.
const DEFAULT_PORT: u16 = 80;

/// What a proxy said when it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It could not be asked.
    Unknown,
    /// It took the connection and closed it.
    Nothing,
    /// It does not speak HTTP.
    NoHttp,
    Answer(Answer),
}

/// An answer of a proxy's own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The names of the schemes that it takes a user and password by.
    pub(super) schemes: Vec<String>,
    /// What its page says; nothing of it is made fit to print.
    pub(super) text: String,
    /// Whether a page comes with it.
    is_page: bool,
}

impl Answer {
    pub(super) fn of_status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Whether nothing can pass: a tunnel that is made brings no page.
    pub(super) fn is_refusal(&self) -> bool {
        self.is_page || !(200..=299).contains(&self.status)
    }
}

/// Asks the proxy at `at` (`host[:port]`) to connect to `target`, and lets go of the connection.
pub(super) async fn ask(
    at: &str,
    target: &str,
    authorization: Option<&HeaderValue>,
    resolver: &dyn Resolve,
) -> Said {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(value) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut heard = Vec::new();
    let asking = async {
        let address = find(at, resolver).await?;
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(&request).await.ok()?;
        while heard.len() < MOST_BYTES && !is_enough(&heard) {
            match stream.read_buf(&mut heard).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        Some(())
    };
    match timeout(PATIENCE, asking).await {
        Ok(None) => Said::Unknown,
        // What has come counts.
        Err(_) if heard.is_empty() => Said::Unknown,
        Ok(Some(())) | Err(_) => read(&heard),
    }
}

async fn find(at: &str, resolver: &dyn Resolve) -> Option<SocketAddr> {
    let (host, port) = match at.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (at, DEFAULT_PORT),
    };
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = IpAddr::from_str(plain) {
        return Some((address, port).into());
    }
    let mut found = resolver.resolve(Name::from_str(host).ok()?).await.ok()?;
    Some((found.next()?.ip(), port).into())
}

/// Whether no more has to be waited for: a tunnel that is made stays open, and so may a page.
fn is_enough(heard: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(parsed) = response.parse(heard) else {
        return true;
    };
    let httparse::Status::Complete(head) = parsed else {
        return false;
    };
    let body = heard.len() - head;
    let length = header(&response, "content-length").and_then(|text| text.trim().parse().ok());
    let is_made = matches!(response.code, Some(200..=299)) && !is_html(&response);
    body >= length.unwrap_or(ENOUGH_BYTES).min(ENOUGH_BYTES) || (is_made && length.is_none())
}

fn read(heard: &[u8]) -> Said {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(heard) {
        Ok(httparse::Status::Complete(head)) => head,
        _ if heard.is_empty() => return Said::Nothing,
        _ => return Said::NoHttp,
    };
    let body = &heard[head..];
    let schemes = response
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"));
    Said::Answer(Answer {
        status: response.code.unwrap_or_default(),
        schemes: schemes_of(schemes.filter_map(|header| std::str::from_utf8(header.value).ok())),
        is_page: !body.is_empty() || is_html(&response),
        text: visible(&String::from_utf8_lossy(body)),
    })
}

/// The schemes that `Proxy-Authenticate` names (RFC 9110, 11.7.1): the first word of each.
pub(super) fn schemes_of<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    let words = values.filter_map(|value| value.split_whitespace().next());
    words
        .map(|word| word.trim_end_matches(',').to_owned())
        .collect()
}

fn header<'h>(response: &httparse::Response<'_, 'h>, name: &str) -> Option<&'h str> {
    let found = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name));
    std::str::from_utf8(found?.value).ok()
}

fn is_html(response: &httparse::Response<'_, '_>) -> bool {
    header(response, "content-type").is_some_and(is_html_type)
}

fn is_html_type(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/html")
}

/// What an answer means that came through a proxy, or says itself that it is one's: `None` where it may be the
/// service's. That has JSON to say when it refuses (`ELSA-API.md`, *Errors*), but what lies behind its gateway may
/// fail with a page.
pub(super) fn own(
    status: u16,
    content_type: Option<&str>,
    body: &str,
    is_proxied: bool,
) -> Option<Answer> {
    let is_page = is_page(content_type, body);
    let is_json = body.trim_start().starts_with('{');
    let is_own = match status {
        // RFC 9110, 15.5.8, and RFC 6585, 6: nobody else says so.
        407 | 511 => true,
        500..=599 => false,
        300..=399 | 401 | 403 | 451 => is_proxied && !is_json,
        _ => is_proxied && is_page,
    };
    is_own.then(|| Answer {
        status,
        is_page,
        text: visible(body),
        schemes: Vec::new(),
    })
}

/// Whether it is a page for people.
pub(super) fn is_page(content_type: Option<&str>, body: &str) -> bool {
    let body = body.trim_start_matches('\u{feff}').trim_start();
    let begins = |with: &str| {
        let beginning = body.get(..with.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    let is_html = content_type.is_some_and(is_html_type) && !body.starts_with('{');
    is_html || begins("<!doctype html") || begins("<html")
}

/// What of a page is to be read, its title first; other text as it is.
pub(super) fn visible(body: &str) -> String {
    let mut shown = String::new();
    let mut rest = body;
    while let Some((before, tag)) = rest.split_once('<') {
        shown += before;
        shown.push(' ');
        let lower = tag.get(..6).unwrap_or(tag).to_ascii_lowercase();
        let end = match () {
            () if lower.starts_with("style") => "</style",
            () if lower.starts_with("script") => "</script",
            () => "",
        };
        // A tag that was cut off is none to be read.
        let after = tag.find(end).map_or("", |at| &tag[at..]);
        rest = after.split_once('>').map_or("", |(_, rest)| rest);
    }
    shown += rest;
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_only_the_text_is_shown() {
        for (body, shown) in [
            (
                "<html><head><title>Blocked</title><style>p > a { color: red }</style>\n\
                 <script>if (a < b) {}</script></head><body><p class='x'>By  <b>policy</b></p>",
                "Blocked By policy",
            ),
            ("plain\ntext", "plain text"),
            ("<p>cut <b class=", "cut"),
            ("<style>", ""),
            ("", ""),
        ] {
            assert_eq!(visible(body), shown);
        }
    }

    /// Guarantee: Suspicious
    #[test]
    fn whose_an_answer_is_shows_in_its_form() {
        let html = "<!DOCTYPE HTML><title>no";
        let json = r#"{"error":{"errorCode":"200","message":"no"}}"#;
        for (status, body, proxied, direct) in [
            (407, "", true, true),
            (511, html, true, true),
            (401, html, true, false),
            (403, "", true, false),
            (302, "", true, false),
            (200, html, true, false),
            (200, "\u{feff} <html>", true, false),
            (404, html, true, false),
            (404, "", false, false),
            (503, html, false, false),
            (401, json, false, false),
            (403, json, false, false),
            (200, "text", false, false),
        ] {
            for (is_proxied, expected) in [(true, proxied), (false, direct)] {
                let own = own(status, None, body, is_proxied);
                assert_eq!(own.is_some(), expected, "{status} {body} {is_proxied}");
            }
        }
        assert!(own(200, Some("text/html; charset=utf-8"), "no", true).is_some());
        assert!(own(200, Some("text/html"), json, true).is_none());
    }

    /// Guarantee: Suspicious
    #[test]
    fn an_answer_to_connect_is_read_as_far_as_it_came() {
        let answer = |heard: &str| match read(heard.as_bytes()) {
            Said::Answer(answer) => answer,
            other => panic!("{other:?}"),
        };
        let made = answer("HTTP/1.1 200 Connection established\r\n\r\n");
        assert!(!made.is_refusal());
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n").is_refusal());
        let wants = "HTTP/1.0 407 No\r\nproxy-authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
        assert_eq!(answer(wants).schemes, ["NTLM", "Basic"]);
        assert_eq!(read(b""), Said::Nothing);
        for other in [
            &b"SSH-2.0-x\r\n"[..],
            b"HTTP/1.1 40",
            b"\x16\x03\x01",
            b"\0",
        ] {
            assert_eq!(read(other), Said::NoHttp, "{other:?}");
        }
        for (heard, enough) in [
            ("HTTP/1.1 200 OK\r\n", false),
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", false),
            ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nab", false),
            ("HTTP/1.1 403 No\r\n\r\n", false),
            ("SSH-2.0", true),
        ] {
            assert_eq!(is_enough(heard.as_bytes()), enough, "{heard}");
        }
    }
}
