//! A company's proxy on loopback: it takes CONNECT, and lets pass, refuses, answers with a page, hangs, or leads
//! to a server of its own that inspects TLS.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Lets it pass, to the port that was asked for, on loopback.
    Passes,
    /// Lets it pass to this port, whatever was asked for: who answers there reads what is said.
    LeadsTo(u16),
    /// Lets pass who shows this in `Proxy-Authorization`; others are told which schemes it takes.
    Asks(&'static str),
    /// Says this, and closes the connection.
    Says(String),
    /// Says this, and no more, and keeps the connection.
    SaysAndHangs(&'static str),
    /// Takes the connection, and says nothing.
    Hangs,
}

/// What it has seen.
#[derive(Debug, Default)]
pub struct Seen {
    heads: Mutex<Vec<String>>,
    /// Told when it begins to hang.
    pub hangs: Notify,
}

impl Seen {
    /// The heads of its requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A proxy; dropping it ends it.
#[derive(Debug)]
pub struct CompanyProxy {
    pub port: u16,
    pub seen: Arc<Seen>,
    manner: Arc<Mutex<Manner>>,
    accepting: JoinHandle<()>,
}

impl CompanyProxy {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        let manner = Arc::new(Mutex::new(manner));
        let accepting = tokio::spawn({
            let (seen, manner) = (Arc::clone(&seen), Arc::clone(&manner));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (seen, manner) = (Arc::clone(&seen), manner.lock().unwrap().clone());
                    tokio::spawn(async move { connection(stream, manner, &seen).await });
                }
            }
        });
        Self {
            port,
            seen,
            manner,
            accepting,
        }
    }

    /// From the next connection on.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same, with a user and a password.
    pub fn address_of(&self, user: &str) -> String {
        format!("http://{user}@127.0.0.1:{}", self.port)
    }
}

impl Drop for CompanyProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connection(mut stream: TcpStream, manner: Manner, seen: &Seen) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.heads.lock().unwrap().push(head.clone());
    let authorization = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then_some(value)
    });
    let port = match manner {
        Manner::LeadsTo(port) => port,
        Manner::Asks(value) if authorization != Some(value) => {
            return say(
                stream,
                "HTTP/1.1 407 Proxy Authentication Required\r\n\
                Proxy-Authenticate: Basic realm=\"company\"\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        }
        Manner::Says(text) => return say(stream, &text).await,
        Manner::SaysAndHangs(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            seen.hangs.notify_one();
            return until_gone(stream).await;
        }
        Manner::Hangs => {
            seen.hangs.notify_one();
            return until_gone(stream).await;
        }
        Manner::Passes | Manner::Asks(_) => asked_for(&head),
    };
    let Ok(mut behind) = TcpStream::connect(("127.0.0.1", port)).await else {
        return say(
            stream,
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
    };
    if stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .is_ok()
    {
        let _ = copy_bidirectional(&mut stream, &mut behind).await;
    }
}

/// The port of `CONNECT host:port HTTP/1.1`.
fn asked_for(head: &str) -> u16 {
    let target = head.strip_prefix("CONNECT ").unwrap();
    let target = target.split(' ').next().unwrap();
    target.rsplit(':').next().unwrap().parse().unwrap()
}

async fn say(mut stream: TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    until_gone(stream).await;
}

async fn until_gone(mut stream: TcpStream) {
    let mut heard = [0; 1024];
    while let Ok(1..) = stream.read(&mut heard).await {}
}
