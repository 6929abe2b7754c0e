//! A TLS server that answers as it is told, byte by byte, and keeps count of what it has seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::wire::{Cut, End, Wire};

/// One step of an answer.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, one a second.
    Drip(Vec<u8>),
    /// These bytes once a second, so many times.
    Trickle(Vec<u8>, usize),
    /// These bytes, so many times (`u64::MAX` is for ever).
    Repeat(Vec<u8>, u64),
    /// TLS says that this was all, and TCP is closed in good order.
    Finish,
    /// The connection ends beneath TLS.
    Break(End),
}

/// How one connection goes.
#[derive(Clone, Debug)]
pub struct Script {
    /// Ends the connection after so many of the server's bytes.
    pub cut: Option<Cut>,
    /// What each request on it is answered with.
    pub answer: Vec<Act>,
    /// The most that are answered; the next one ends the connection, like this.
    pub most: usize,
    pub last: End,
}

impl Script {
    pub fn of(answer: impl IntoIterator<Item = Act>) -> Self {
        Self {
            cut: None,
            answer: answer.into_iter().collect(),
            most: usize::MAX,
            last: End::Closed,
        }
    }
}

/// What the server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connections so far.
    pub connections: AtomicUsize,
    /// Requests that came whole.
    pub requests: AtomicUsize,
    /// Bytes of the last handshake that were the server's; 0 when it did not come to its end.
    pub handshake: AtomicU64,
    /// Bytes of the last connection that ended, as they are beneath TLS.
    pub passed: AtomicU64,
    /// Bytes of answers that TLS has taken.
    pub sent: AtomicU64,
    /// Whether the last connection was cut short by its script.
    pub was_cut: AtomicBool,
    /// Told when a connection has ended, on the client's side too.
    pub ended: Notify,
    /// Told when a connection stalls, or before each piece that drips.
    pub stalls: Notify,
}

impl Seen {
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn handshake(&self) -> u64 {
        self.handshake.load(Ordering::SeqCst)
    }

    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    pub fn was_cut(&self) -> bool {
        self.was_cut.load(Ordering::SeqCst)
    }
}

/// A server on loopback; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    pub seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts one; `script` says how the connection with this number (0 for the first) goes.
    pub async fn start(
        tls: Arc<ServerConfig>,
        script: impl Fn(usize) -> Script + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        let accepting = tokio::spawn(accept(listener, tls, Arc::new(script), Arc::clone(&seen)));
        Self {
            port,
            seen,
            accepting,
        }
    }

    /// One that goes the same way every time.
    pub async fn always(tls: Arc<ServerConfig>, script: Script) -> Self {
        Self::start(tls, move |_| script.clone()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    script: Arc<dyn Fn(usize) -> Script + Send + Sync>,
    seen: Arc<Seen>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = seen.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, script, seen) = (tls.clone(), script(number), Arc::clone(&seen));
        tokio::spawn(async move {
            connection(stream, tls, &script, &seen).await;
            seen.ended.notify_one();
        });
    }
}

async fn connection(stream: TcpStream, tls: Arc<ServerConfig>, script: &Script, seen: &Seen) {
    seen.handshake.store(0, Ordering::SeqCst);
    seen.was_cut.store(false, Ordering::SeqCst);
    let wire = Wire::new(stream, script.cut);
    let accepting = TlsAcceptor::from(tls).accept(wire).into_fallible();
    let mut stream = match accepting.await {
        Ok(stream) => stream,
        Err((_, wire)) => return end(wire, None, seen).await,
    };
    seen.handshake
        .store(stream.get_ref().0.passed, Ordering::SeqCst);
    let mut answered = 0;
    while read_request(&mut stream).await {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        if answered == script.most {
            return end(stream.into_inner().0, Some(script.last), seen).await;
        }
        answered += 1;
        for act in &script.answer {
            let done = match act {
                Act::Send(bytes) => send(&mut stream, bytes, seen).await,
                Act::Drip(bytes) => trickle(&mut stream, bytes.chunks(1), seen).await,
                Act::Trickle(bytes, times) => {
                    let pieces = std::iter::repeat_n(bytes.as_slice(), *times);
                    trickle(&mut stream, pieces, seen).await
                }
                Act::Repeat(bytes, times) => repeat(&mut stream, bytes, *times, seen).await,
                Act::Finish => stream.shutdown().await.is_ok(),
                Act::Break(how) => return end(stream.into_inner().0, Some(*how), seen).await,
            };
            if !done {
                return end(stream.into_inner().0, None, seen).await;
            }
        }
        if matches!(script.answer.last(), Some(Act::Finish)) {
            return end(stream.into_inner().0, None, seen).await;
        }
    }
}

async fn end(wire: Wire, how: Option<End>, seen: &Seen) {
    seen.passed.store(wire.passed, Ordering::SeqCst);
    let cut = wire.was_cut();
    if cut.is_some() {
        seen.was_cut.store(true, Ordering::SeqCst);
    }
    let how = how.or(cut).unwrap_or(End::Closed);
    if how == End::Stalled {
        seen.stalls.notify_one();
    }
    wire.end(how).await;
}

async fn send(stream: &mut TlsStream<Wire>, bytes: &[u8], seen: &Seen) -> bool {
    let sent = stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok();
    if sent {
        seen.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    }
    sent
}

async fn trickle(
    stream: &mut TlsStream<Wire>,
    pieces: impl Iterator<Item = &[u8]>,
    seen: &Seen,
) -> bool {
    for piece in pieces {
        seen.stalls.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !send(stream, piece, seen).await {
            return false;
        }
    }
    true
}

async fn repeat(stream: &mut TlsStream<Wire>, bytes: &[u8], times: u64, seen: &Seen) -> bool {
    seen.stalls.notify_one();
    for _ in 0..times {
        if !send(stream, bytes, seen).await {
            return false;
        }
    }
    true
}

/// Reads one request to its end; false when there is none.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.is_ok()
}
