//! The bytes beneath TLS: a TCP stream that lets only so many of the server's pass.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

const A_SECOND: Duration = Duration::from_secs(1);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// TCP is closed in good order; TLS says nothing.
    Closed,
    /// TCP is reset.
    Reset,
    /// Nothing more comes, and it stays open.
    Stalled,
    /// A byte a second comes, for as long as somebody waits for it.
    Dripping,
}

/// After how many of the server's bytes a connection ends, the handshake's included, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes that pass.
    pub after: u64,
    /// What comes then.
    pub end: End,
}

/// The server's side of a connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    cut: Option<Cut>,
    /// Bytes that have passed.
    pub passed: u64,
    held_back: bool,
    /// Before the next byte that drips.
    pause: Pin<Box<Sleep>>,
}

impl Wire {
    pub fn new(stream: TcpStream, cut: Option<Cut>) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            cut,
            passed: 0,
            held_back: false,
            pause: Box::pin(sleep(A_SECOND)),
        }
    }

    /// How it is to end, if bytes were held back.
    pub fn was_cut(&self) -> Option<End> {
        self.cut.filter(|_| self.held_back).map(|cut| cut.end)
    }

    /// Ends the connection, whatever TLS thinks of it.
    pub async fn end(mut self, end: End) {
        match end {
            // Who drips ends when nobody waits any more.
            End::Closed | End::Dripping => {
                // A close with bytes unread would be a reset; the client is gone soon enough.
                let _ = self.stream.shutdown().await;
                self.until_gone().await;
            }
            End::Reset => self.stream.set_zero_linger().unwrap(),
            End::Stalled => self.until_gone().await,
        }
    }

    /// Ends the connection as its cut says, or in good order.
    pub async fn end_as_cut(self) {
        let how = self.was_cut().unwrap_or(End::Closed);
        self.end(how).await;
    }

    async fn until_gone(&mut self) {
        let mut heard = [0; 1024];
        while let Ok(1..) = self.stream.read(&mut heard).await {}
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = match self.cut {
            None => u64::MAX,
            Some(cut) if cut.end == End::Dripping && self.passed >= cut.after => {
                ready!(self.pause.as_mut().poll(context));
                self.pause.set(sleep(A_SECOND));
                1
            }
            Some(cut) => cut.after - self.passed,
        };
        if left == 0 {
            self.held_back = true;
            return Poll::Ready(Err(io::Error::other("cut")));
        }
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let written = Pin::new(&mut self.stream).poll_write(context, &bytes[..most]);
        if let Poll::Ready(Ok(written)) = written {
            self.passed += written as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
