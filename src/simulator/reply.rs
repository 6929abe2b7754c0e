//! One answer on its way out: what is sent, how a fault spoils it, and how the connection ends.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::domain::span::UtcMs;

use super::dialect::Framing;
use super::download::Zip;
use super::fault::Fault;
use super::gateway_error::GatewayError;
use super::http;
use super::journal::Ticket;

/// How many bytes are read from a file and written to the socket at once.
const PIECE: u64 = 64 << 10;

/// What happens to the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The next request.
    KeepAlive,
    /// Nothing; it is closed in good order.
    Close,
    /// Nothing; it is reset.
    Reset,
}

/// An answer as it would be given without a fault, or what a fault puts in its place.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    error_code: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Body,
    records: u64,
    lied: bool,
    framing: Framing,
}

#[derive(Debug)]
enum Body {
    Bytes(Vec<u8>),
    Zip(Arc<Zip>),
}

impl Reply {
    /// The zip that was asked for.
    pub(super) fn zip(zip: Zip, records: u64, framing: Framing) -> Self {
        Self {
            records,
            framing,
            ..Self::whole(200, "application/zip", Body::Zip(Arc::new(zip)))
        }
    }

    /// The same, from memory.
    pub(super) fn zip_bytes(zip: Vec<u8>, records: u64) -> Self {
        Self {
            records,
            ..Self::whole(200, "application/zip", Body::Bytes(zip))
        }
    }

    /// Nothing at all, and that it is so on purpose.
    pub(super) fn no_content() -> Self {
        Self::whole(204, "application/zip", Body::Bytes(Vec::new()))
    }

    /// An error in the gateway's form that is no error by its status.
    pub(super) fn not_found_in_200() -> Self {
        Self {
            status: 200,
            ..Self::refusal(&GatewayError::not_found())
        }
    }

    /// The page of JSON that was asked for.
    pub(super) fn json(json: Vec<u8>, records: u64, framing: Framing) -> Self {
        Self {
            records,
            framing,
            ..Self::whole(200, "application/json", Body::Bytes(json))
        }
    }

    /// The same, for which the journal notes whether it was a lie.
    pub(super) fn told_with(self, lied: bool) -> Self {
        Self { lied, ..self }
    }

    /// An error in the gateway's form.
    pub(super) fn refusal(refusal: &GatewayError) -> Self {
        let text = json!({"error": {"errorCode": refusal.code, "message": refusal.message}});
        Self {
            error_code: Some(refusal.code.clone()),
            ..Self::whole(
                refusal.http,
                "application/json",
                Body::Bytes(text.to_string().into_bytes()),
            )
        }
    }

    /// What is answered with `fault` where that needs no honest answer to spoil.
    pub(super) fn instead(fault: &Fault) -> Option<Self> {
        let zip = |bytes: &[u8]| Self::whole(200, "application/zip", Body::Bytes(bytes.to_vec()));
        Some(match fault {
            Fault::Status {
                http,
                error_code,
                message,
                retry_after,
            } => {
                let mut reply = Self::refusal(&GatewayError {
                    http: *http,
                    code: error_code.clone(),
                    message: message.clone(),
                });
                let retry_after = retry_after.clone().map(|value| ("Retry-After", value));
                reply.headers.extend(retry_after);
                reply
            }
            Fault::Html200 => {
                let page = b"<!DOCTYPE html><html><body>Service check</body></html>";
                Self::whole(200, "text/html; charset=utf-8", Body::Bytes(page.to_vec()))
            }
            Fault::ErrorIn200 => Self {
                status: 200,
                ..Self::refusal(&GatewayError::unexpected(&io::Error::other("try again")))
            },
            Fault::EmptyBody200 => zip(b""),
            Fault::EndlessBody => zip(b"PK\x03\x04"),
            Fault::Body(bytes) => zip(bytes),
            Fault::Redirect(location) => {
                let mut reply = Self::whole(307, "text/plain", Body::Bytes(Vec::new()));
                reply.headers.push(("Location", location.clone()));
                reply
            }
            Fault::CutAfter(_)
            | Fault::Reset
            | Fault::StallBeforeHeaders
            | Fault::StallInBody(_)
            | Fault::Drip { .. }
            | Fault::LyingLength(_)
            | Fault::ChunkedWithoutEnd
            | Fault::HugeHeaders
            | Fault::AlwaysFull
            | Fault::Flawed(_)
            | Fault::CorruptZip(_) => return None,
        })
    }

    fn whole(status: u16, content_type: &str, body: Body) -> Self {
        Self {
            status,
            error_code: None,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
            records: 0,
            lied: false,
            framing: Framing::ContentLength,
        }
    }
}

impl Body {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zip(zip) => zip.length,
        }
    }

    /// The bytes from `at` on, at most `most`, and at least one unless the body is over.
    async fn read(&self, at: u64, most: u64) -> io::Result<Vec<u8>> {
        let length = self.length().saturating_sub(at).min(most) as usize;
        match self {
            Self::Bytes(bytes) => {
                let rest = bytes.get(at as usize..).unwrap_or_default();
                Ok(rest.iter().copied().take(length).collect())
            }
            Self::Zip(zip) => {
                let zip = Arc::clone(zip);
                let read = tokio::task::spawn_blocking(move || {
                    let mut piece = vec![0; length];
                    zip.file.read_exact_at(&mut piece, at).map(|()| piece)
                });
                read.await.map_err(io::Error::other)?
            }
        }
    }
}

/// A reply with its fault worked out: nothing is left to decide while it is sent.
#[derive(Debug)]
pub(super) struct Delivery {
    reply: Reply,
    /// What the headers say of the length; `None` for chunks.
    promised: Option<u64>,
    /// How much of the body is sent.
    sent: u64,
    /// The byte to send with all its bits flipped.
    flipped: Option<u64>,
    /// The pause after each byte, when they go one by one.
    pause: Option<Duration>,
    then: Then,
}

/// What comes after the part of the body that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// All is well.
    Finish,
    Close,
    Stall,
    Flood,
}

impl Delivery {
    pub(super) fn new(mut reply: Reply, fault: Option<&Fault>) -> Self {
        let length = reply.body.length();
        if fault == Some(&Fault::HugeHeaders) {
            let filler = || ("X-Filler", "0123456789abcdef".repeat(32));
            reply
                .headers
                .extend(std::iter::repeat_with(filler).take(2048));
        }
        let mut delivery = Self {
            promised: (reply.framing == Framing::ContentLength).then_some(length),
            reply,
            sent: length,
            flipped: None,
            pause: None,
            then: Then::Finish,
        };
        let all_but_the_last = length.saturating_sub(1);
        match fault {
            Some(&Fault::CutAfter(bytes)) => {
                delivery.sent = bytes.min(all_but_the_last);
                delivery.then = Then::Close;
            }
            Some(&Fault::StallInBody(bytes)) => {
                delivery.sent = bytes.min(all_but_the_last);
                delivery.then = Then::Stall;
            }
            Some(&Fault::LyingLength(delta)) => {
                delivery.promised = Some(length.saturating_add_signed(delta));
                delivery.then = Then::Close;
            }
            Some(Fault::ChunkedWithoutEnd) => {
                delivery.promised = None;
                delivery.then = Then::Close;
            }
            Some(Fault::EndlessBody) => {
                delivery.promised = None;
                delivery.then = Then::Flood;
            }
            Some(&Fault::CorruptZip(at)) => delivery.flipped = at.checked_rem(length),
            Some(&Fault::Drip { pause }) => delivery.pause = Some(pause),
            _ => {}
        }
        delivery
    }

    /// Sends it all, keeping the journal ahead of the socket.
    pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        stream: &mut S,
        date: UtcMs,
        keep_alive: bool,
        ticket: &Ticket<'_>,
    ) -> io::Result<Ending> {
        let (status, code) = (self.reply.status, self.reply.error_code.take());
        ticket.answering(status, code, self.reply.records, self.reply.lied);
        let head = self.head(date, keep_alive);
        if self.is_last(0) {
            ticket.finished();
        }
        stream.write_all(&head).await?;

        let mut at = 0;
        while at < self.sent {
            let most = PIECE.min(self.sent - at);
            let mut piece = self.reply.body.read(at, most).await?;
            let flipped = self.flipped.and_then(|place| place.checked_sub(at));
            if let Some(byte) = flipped.and_then(|place| piece.get_mut(place as usize)) {
                *byte = !*byte;
            }
            let step = self.pause.map_or(piece.len(), |_| 1).max(1);
            for bytes in piece.chunks(step) {
                at += bytes.len() as u64;
                ticket.sending(bytes.len() as u64);
                if self.is_last(at) {
                    ticket.finished();
                }
                self.write(stream, bytes).await?;
                if let Some(pause) = self.pause.filter(|pause| !pause.is_zero()) {
                    tokio::time::sleep(pause).await;
                }
            }
        }
        match self.then {
            Then::Finish => {
                if self.promised.is_none() {
                    stream.write_all(b"0\r\n\r\n").await?;
                }
                stream.flush().await?;
                return Ok(if keep_alive {
                    Ending::KeepAlive
                } else {
                    Ending::Close
                });
            }
            Then::Close => {}
            Then::Stall => until_gone(stream).await,
            Then::Flood => loop {
                ticket.sending(PIECE);
                self.write(stream, &[0; PIECE as usize]).await?;
            },
        }
        Ok(Ending::Close)
    }

    fn head(&mut self, date: UtcMs, keep_alive: bool) -> Vec<u8> {
        let mut headers = std::mem::take(&mut self.reply.headers);
        headers.push(match self.promised {
            Some(length) => ("Content-Length", length.to_string()),
            None => ("Transfer-Encoding", "chunked".to_owned()),
        });
        if !keep_alive {
            headers.push(("Connection", "close".to_owned()));
        }
        http::head(self.reply.status, date, &headers)
    }

    /// Whether the client can know that nothing more comes once it has this much of the body.
    fn is_last(&self, at: u64) -> bool {
        at == self.sent && matches!(self.then, Then::Finish | Then::Close)
    }

    async fn write<S: AsyncWrite + Unpin>(&self, stream: &mut S, bytes: &[u8]) -> io::Result<()> {
        if self.promised.is_some() {
            stream.write_all(bytes).await?;
        } else {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            stream.write_all(&chunk).await?;
        }
        stream.flush().await
    }
}

/// Waits until the client has closed its side; what it still sends is thrown away.
pub(super) async fn until_gone<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let mut ignored = [0; 1024];
    while stream.flush().await.is_ok() && matches!(stream.read(&mut ignored).await, Ok(1..)) {}
}
