//! HTTP/1.1 by hand: requests in, heads of answers out. The socket stays within reach, since a
//! proper server would not let a fault through. *Bounded*: head and body of a request are capped.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::domain::span::UtcMs;

use super::gateway_error::GatewayError;

/// How many bytes a request's head may have; real servers have limits of this order.
const MAX_HEAD: usize = 64 << 10;
/// How many bytes a request's body may have; an honest one has a few hundred.
const MAX_BODY: u64 = 1 << 20;
/// How many headers a request may have.
const MAX_HEADERS: usize = 100;

/// A request, whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) method: String,
    /// Path with query string, as it was sent.
    pub(super) target: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) keep_alive: bool,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    /// The first header of that name, when its value is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok().map(str::trim)
    }
}

/// Reads requests off one connection, one after another.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What was read and not used yet: at most a head, a body and one read.
    buffer: Vec<u8>,
}

impl Reader {
    /// The next request; `None` when the client has closed the connection between two. A request
    /// that can't be read to its end comes as a refusal, after which the connection is of no
    /// more use.
    pub(super) async fn next<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> io::Result<Option<Result<Incoming, GatewayError>>> {
        let (mut request, length) = loop {
            match parse_head(&self.buffer) {
                Err(refusal) => return Ok(Some(Err(refusal))),
                Ok(Some((head_length, request, body_length))) => {
                    self.buffer.drain(..head_length);
                    break (request, body_length);
                }
                Ok(None) if self.buffer.len() > MAX_HEAD => {
                    return Ok(Some(Err(GatewayError::bad_request("the head is too long"))));
                }
                Ok(None) => {}
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        while self.buffer.len() < length {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        request.body = self.buffer.drain(..length).collect();
        Ok(Some(Ok(request)))
    }
}

/// Length of the head, the request without its body, and the length of the body; `None` while the
/// head is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Incoming, usize)>, GatewayError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Complete(_)) => {
            return Err(GatewayError::bad_request("the head is too long"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(GatewayError::bad_request("this is not HTTP/1.1")),
    };
    let mut request = Incoming {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), header.value.to_vec()))
            .collect(),
        keep_alive: false,
        body: Vec::new(),
    };
    let closes = request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    request.keep_alive = head.version == Some(1) && !closes;
    if request.header("transfer-encoding").is_some() {
        return Err(GatewayError::bad_request("a body needs a Content-Length"));
    }
    let declared = request.header("content-length").unwrap_or("0");
    let all_digits = !declared.is_empty() && declared.bytes().all(|byte| byte.is_ascii_digit());
    // Digits that are too many for a u64 are no wrong length, but one beyond any cap.
    let body_length = declared.parse::<u64>().unwrap_or(u64::MAX);
    if !all_digits {
        return Err(GatewayError::bad_request("Content-Length is no number"));
    }
    if body_length > MAX_BODY {
        return Err(GatewayError::too_large());
    }
    Ok(Some((length, request, body_length as usize)))
}

/// The head of an answer, up to and including its empty line.
pub(super) fn head(status: u16, date: UtcMs, headers: &[(&str, String)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status:03} {}\r\n", reason(status));
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&date.timestamp())
        // The calendar of HTTP begins in year 0; a clock set before that has no date to tell.
        .unwrap_or_default();
    for (name, value) in [("Date", &date)]
        .into_iter()
        .chain(headers.iter().map(|(n, v)| (*n, v)))
    {
        let printable = value
            .chars()
            .filter(|c| !c.is_control())
            .collect::<String>();
        // Writing to a String can't fail.
        let _ = write!(head, "{name}: {printable}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
