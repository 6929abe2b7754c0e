//! A server that sends prepared zips at the pace of a wire. It runs in threads of this process, so that none of
//! its work counts as a client's.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tls::Tls;
use crate::zips;

/// What is sent at once where nothing holds it back.
const PIECE_BYTES: usize = 256 * 1024;
/// What a wire makes up for when this process was woken late.
const SLACK: Duration = Duration::from_millis(5);

/// Which answer is asked for: the project's number, and `from`.
pub type Asked = (i64, i64);

/// A running server; it ends with the process.
#[derive(Clone, Debug)]
pub struct Server {
    address: SocketAddr,
    wire: Arc<Wire>,
    tls: Option<Tls>,
}

#[derive(Debug, Default)]
struct Wire {
    answers: Mutex<HashMap<Asked, Arc<Vec<u8>>>>,
    /// Bytes a second of all connections together; 0 for no bound.
    rate: AtomicU64,
    /// When the wire is free again.
    free_at: Mutex<Option<Instant>>,
    latency_ms: AtomicU64,
    requests: AtomicU64,
    /// When the last byte of the last answer was given to the system, in ms since the epoch.
    last_sent_ms: AtomicI64,
}

impl Server {
    /// Starts it on a free port of loopback; it speaks TLS where `tls` says how.
    pub fn start(tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let wire = Arc::<Wire>::default();
        let shared = Arc::clone(&wire);
        let config = tls.as_ref().map(|tls| Arc::clone(&tls.config));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (wire, tls) = (Arc::clone(&shared), config.clone());
                // A client that goes away has said all there is to say.
                thread::spawn(move || _ = wire.accept(stream, tls));
            }
        });
        Ok(Self { address, wire, tls })
    }

    /// Where it listens, as the config names it.
    pub fn endpoint(&self) -> String {
        match self.tls.is_some() {
            true => format!("https://localhost:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// Makes a client trust it.
    pub fn let_trust(&self, command: &mut Command) {
        if let Some(Tls { trusted, .. }) = &self.tls {
            // Ours, curl, Python.
            for variable in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
                command.env(variable, trusted);
            }
        }
    }

    /// What it answers from now on; everything else gets a zip with one record.
    pub fn offer(&self, asked: Asked, zip: Vec<u8>) {
        lock(&self.wire.answers).insert(asked, Arc::new(zip));
    }

    /// How fast and how late it answers from now on; a rate of 0 is no bound.
    pub fn set(&self, bytes_a_second: u64, latency: Duration) {
        self.wire.rate.store(bytes_a_second, Ordering::Relaxed);
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.wire.latency_ms.store(latency_ms, Ordering::Relaxed);
    }

    /// When the last byte of the last large answer was given to the system, in ms since the epoch. The client may
    /// have yet to take what lies in the sockets' buffers.
    pub fn last_sent_ms(&self) -> f64 {
        self.wire.last_sent_ms.load(Ordering::Relaxed) as f64
    }

    /// How many requests have come since this was asked last.
    pub fn take_requests(&self) -> u64 {
        self.wire.requests.swap(0, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    fn accept(&self, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let Some(tls) = tls else {
            return self.serve(stream);
        };
        let session = ServerConnection::new(tls).map_err(io::Error::other)?;
        self.serve(StreamOwned::new(session, stream))
    }

    fn serve(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(body) = next_body(&mut stream, &mut buffer)? {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let number = |field: &str| body[field].as_i64().unwrap_or_default();
            let zip = self.answer((number("projectId"), number("from")))?;
            thread::sleep(Duration::from_millis(
                self.latency_ms.load(Ordering::Relaxed),
            ));
            let date = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
                .map_err(io::Error::other)?;
            let head = format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/zip\r\nContent-Length: {}\r\n\r\n",
                zip.len()
            );
            if zip.len() < PIECE_BYTES / 4 {
                // One packet, as a server would.
                stream.write_all(&[head.as_bytes(), &zip].concat())?;
                stream.flush()?;
                continue;
            }
            stream.write_all(head.as_bytes())?;
            let rate = self.rate.load(Ordering::Relaxed);
            // A millisecond's worth at a time.
            let piece = match rate {
                0 => PIECE_BYTES,
                rate => usize::try_from(rate / 1000).unwrap_or(PIECE_BYTES).max(1),
            };
            for piece in zip.chunks(piece) {
                self.wait(rate, piece.len());
                stream.write_all(piece)?;
            }
            stream.flush()?;
            let now = jiff::Timestamp::now().as_millisecond();
            self.last_sent_ms.store(now, Ordering::Relaxed);
        }
        Ok(())
    }

    fn answer(&self, asked: Asked) -> io::Result<Arc<Vec<u8>>> {
        if let Some(zip) = lock(&self.answers).get(&asked) {
            return Ok(Arc::clone(zip));
        }
        Ok(Arc::new(zips::nearly_empty(asked.1)?))
    }

    /// Waits until so many bytes have gone over the wire.
    fn wait(&self, rate: u64, bytes: usize) {
        if rate == 0 {
            return;
        }
        let sent_at = {
            let now = Instant::now();
            let mut free_at = lock(&self.free_at);
            let earliest = now.checked_sub(SLACK).unwrap_or(now);
            let begins = free_at.unwrap_or(earliest).max(earliest);
            let sent_at = begins + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *free_at = Some(sent_at);
            sent_at
        };
        thread::sleep(sent_at.saturating_duration_since(Instant::now()));
    }
}

/// The body of the next request; `None` at the end of the connection.
fn next_body(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<serde_json::Value>> {
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            let (begins, ends) = (end + 4, end + 4 + length);
            if buffer.len() >= ends {
                let body = serde_json::from_slice(&buffer[begins..ends]).unwrap_or_default();
                buffer.drain(..ends);
                return Ok(Some(body));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            read => buffer.extend_from_slice(&piece[..read]),
        }
    }
}
