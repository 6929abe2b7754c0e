//! A receiver on loopback that answers as it is told, and keeps what it got.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A part of each address that is printed nowhere.
pub const SECRET: &str = "CANARYADDRESS0001";

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status and these lines of a head.
    Status(u16, String),
    /// Not at all; the connection stays.
    Hang,
    /// The connection ends.
    Close,
    /// With what is no HTTP.
    Garbage,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Got {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: String,
}

/// A receiver. It goes on for the life of the process.
pub struct Receiver {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// One of which the request with this number, 0 for the first, is answered so.
    pub fn answering(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let (kept, answer) = (Arc::clone(&got), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || serve(stream.unwrap(), &kept, &*answer));
            }
        });
        Self { address, got }
    }

    pub fn well() -> Self {
        Self::answering(|_| Answer::Status(200, String::new()))
    }

    /// Its address, as the config has it.
    pub fn url(&self) -> String {
        format!("http://{}/{SECRET}", self.address)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The events that came, in their order.
    pub fn events(&self) -> Vec<Value> {
        let got = self.got();
        got.iter()
            .map(|got| serde_json::from_str(&got.body).unwrap())
            .collect()
    }

    /// The pings that came: the last part of each path.
    pub fn pings(&self) -> Vec<String> {
        let path = format!("/{SECRET}");
        let rest = |got: Got| got.path.strip_prefix(&path).unwrap().to_owned();
        self.got().into_iter().map(rest).collect()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Got>>, answer: &dyn Fn(usize) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().unwrap())
        });
        let mut body = vec![0; length.unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut words = head.split(' ');
        let got = Got {
            method: words.next().unwrap().to_owned(),
            path: words.next().unwrap().to_owned(),
            body: String::from_utf8(body).unwrap(),
            head,
        };
        let number = {
            let mut kept = kept.lock().unwrap();
            kept.push(got);
            kept.len() - 1
        };
        match answer(number) {
            Answer::Status(status, lines) => {
                let text = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n{lines}\r\n");
                if stream.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
            Answer::Hang => {
                // Until the other side has had enough.
                let _ = stream.read(&mut [0]);
                return;
            }
            Answer::Close => return,
            Answer::Garbage => {
                let _ = stream.write_all(b"\x00\xff\r\n\r\nnothing that anybody knows\r\n\r\n");
                return;
            }
        }
    }
}
