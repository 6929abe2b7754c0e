//! A client that is as simple as can be and keeps what it received, torn or not.

use crate::domain::span::UtcMs;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::elsa::signature::{DOWNLOAD_PATH, SEARCH_PATH, sign};
use crate::simulator::{KeyPair, Simulator};

use super::NOW;

pub(super) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the body came to its end, as far as its framing can tell.
    pub(super) is_whole: bool,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Status and the gateway's code.
    pub(super) fn error(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let code = body["error"]["errorCode"].as_str().unwrap();
        (self.status, code.to_owned())
    }
}

/// A download with the headers of a signature made at `at_ms`.
pub(super) fn signed(keys: &KeyPair, at_ms: i64, body: &str) -> String {
    signed_for(DOWNLOAD_PATH, keys, at_ms, body)
}

/// A search with the headers of a signature made at `at_ms`.
pub(super) fn signed_search(keys: &KeyPair, at_ms: i64, body: &str) -> String {
    signed_for(SEARCH_PATH, keys, at_ms, body)
}

fn signed_for(path: &str, keys: &KeyPair, at_ms: i64, body: &str) -> String {
    let signature = sign(
        "POST",
        path,
        UtcMs(at_ms),
        &keys.access_key,
        &keys.secret_key,
    );
    request(
        path,
        &format!(
            "x-ncp-apigw-timestamp: {at_ms}\r\nX-NCP-IAM-Access-Key: {}\r\n\
             x-ncp-apigw-signature-v2: {signature}\r\n",
            keys.access_key
        ),
        body,
    )
}

pub(super) fn with_headers(headers: &str, body: &str) -> String {
    request(DOWNLOAD_PATH, headers, body)
}

fn request(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

impl Client {
    pub(super) async fn connect(simulator: &Simulator) -> Self {
        Self {
            stream: TcpStream::connect(simulator.address).await.unwrap(),
            received: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Asks with the default keys, signed by the frozen clock.
    pub(super) async fn ask(&mut self, body: &Value) {
        let request = signed(&KeyPair::default(), NOW.0, &body.to_string());
        self.send(request.as_bytes()).await;
    }

    /// As [`Client::ask`], for a search.
    pub(super) async fn ask_search(&mut self, body: &Value) {
        let request = signed_search(&KeyPair::default(), NOW.0, &body.to_string());
        self.send(request.as_bytes()).await;
    }

    pub(super) async fn close_writing(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// One answer; an error when the connection ends within its head.
    pub(super) async fn answer(&mut self) -> std::io::Result<Answer> {
        let mut answer = self.head().await?;
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.is_whole = self.have(length).await?;
            let length = length.min(self.received.len());
            answer.body = self.received.drain(..length).collect();
        } else {
            answer.is_whole = self.chunks(&mut answer.body, usize::MAX).await?;
        }
        Ok(answer)
    }

    /// The head of an answer, with an empty body.
    pub(super) async fn head(&mut self) -> std::io::Result<Answer> {
        loop {
            let mut headers = vec![httparse::EMPTY_HEADER; 4096];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = head.parse(&self.received).unwrap() {
                let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
                let answer = Answer {
                    status: head.code.unwrap(),
                    headers: head
                        .headers
                        .iter()
                        .map(|header| (header.name.to_owned(), text(header.value)))
                        .collect(),
                    body: Vec::new(),
                    is_whole: false,
                };
                self.received.drain(..length);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Chunks up to the last one, the end of the connection, or `most` bytes; whether it was the
    /// first of these.
    pub(super) async fn chunks(
        &mut self,
        body: &mut Vec<u8>,
        most: usize,
    ) -> std::io::Result<bool> {
        while body.len() < most {
            let parsed = httparse::parse_chunk_size(&self.received).unwrap();
            let httparse::Status::Complete((start, length)) = parsed else {
                let wanted = self.received.len() + 1;
                if !self.have(wanted).await? {
                    return Ok(false);
                }
                continue;
            };
            let end = start + usize::try_from(length).unwrap();
            if !self.have(end + 2).await? {
                return Ok(false);
            }
            body.extend_from_slice(&self.received[start..end]);
            assert_eq!(&self.received[end..end + 2], b"\r\n");
            self.received.drain(..end + 2);
            if length == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads until there are `length` bytes; false when the connection ends before.
    pub(super) async fn have(&mut self, length: usize) -> std::io::Result<bool> {
        while self.received.len() < length {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everything that still comes until the connection ends.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        self.stream.read_to_end(&mut self.received).await.unwrap();
        std::mem::take(&mut self.received)
    }

    /// The error with which the next read fails.
    pub(super) async fn failure(&mut self) -> std::io::ErrorKind {
        self.stream.read_u8().await.unwrap_err().kind()
    }
}
