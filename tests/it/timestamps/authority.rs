//! An authority that timestamps: `openssl ts -reply` behind a socket, and one that does not do what it should.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::left_out;

/// What it does when it is asked.
#[derive(Clone, Debug)]
pub enum Mode {
    /// It answers as openssl does.
    Answers,
    /// It takes the question, and says nothing for as long as it is waited for.
    Hangs,
    /// It says so.
    Status(u16),
    /// It answers this, whatever is asked.
    Says(Vec<u8>),
}

/// An authority on this machine.
pub struct Authority {
    dir: PathBuf,
    address: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    /// The questions so far.
    pub asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Authority {
    /// One whose keys lie in `dir`; `None` where there is no openssl.
    pub fn start(dir: PathBuf) -> Option<Self> {
        fs::create_dir(&dir).unwrap();
        let text = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        text("serial", "01\n");
        text("usage", "extendedKeyUsage = critical, timeStamping\n");
        text("tsa.cnf", &configuration(&dir, "sha256"));
        text("refuses.cnf", &configuration(&dir, "sha512"));
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for args in [
            format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 30"),
            format!("req {key} -keyout tsa.key -out tsa.csr -subj /CN=timestamps"),
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile usage -out tsa.pem".into(),
        ] {
            let mut openssl = Command::new("openssl");
            let openssl = openssl.args(args.split(' ')).current_dir(&dir);
            match openssl.stderr(Stdio::null()).status() {
                Ok(status) => assert!(status.success(), "{args}"),
                Err(error) => {
                    left_out("timestamps by openssl", error);
                    return None;
                }
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = Self {
            address: listener.local_addr().unwrap(),
            mode: Arc::new(Mutex::new(Mode::Answers)),
            asked: Arc::default(),
            dir: dir.clone(),
        };
        let (mode, asked) = (Arc::clone(&authority.mode), Arc::clone(&authority.asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (mode, asked, dir) = (
                    mode.lock().unwrap().clone(),
                    Arc::clone(&asked),
                    dir.clone(),
                );
                thread::spawn(move || answer(stream, &mode, &asked, &dir));
            }
        });
        Some(authority)
    }

    /// From here on it does this.
    pub fn does(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/tsr", self.address)
    }

    /// What it answers to a question when it refuses this kind of digest.
    pub fn refusal(&self) -> Vec<u8> {
        let question = self.asked.lock().unwrap().last().unwrap().clone();
        reply(&self.dir, "refuses.cnf", &question)
    }

    /// Whether `openssl ts -verify` proves that a head was timestamped with its signature.
    pub fn has_stamped(&self, head: &Path) -> bool {
        let file = |end: &str| PathBuf::from(format!("{}{end}", head.display()));
        let signature = fs::read(file(".sig")).unwrap_or_default();
        let stamped = self.dir.join("stamped");
        fs::write(&stamped, [fs::read(head).unwrap(), signature].concat()).unwrap();
        let verified = Command::new("openssl")
            .args([
                "ts", "-verify", "-CAfile", "ca.pem", "-data", "stamped", "-in",
            ])
            .arg(file(".tsr"))
            .current_dir(&self.dir)
            .output();
        verified.unwrap().status.success()
    }
}

/// What openssl goes by: it takes this kind of digest alone.
fn configuration(dir: &Path, digest: &str) -> String {
    let dir = dir.display();
    format!(
        "[tsa]\ndefault_tsa = here\n[here]\nserial = {dir}/serial\nsigner_cert = {dir}/tsa.pem\ncerts = {dir}/ca.pem\n\
         signer_key = {dir}/tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = {digest}\n\
         accuracy = secs:1\nclock_precision_digits = 3\nordering = yes\ntsa_name = yes\ness_cert_id_chain = no\n\
         ess_cert_id_alg = sha256\n"
    )
}

fn reply(dir: &Path, configuration: &str, question: &[u8]) -> Vec<u8> {
    fs::write(dir.join("question"), question).unwrap();
    let args = [
        "ts",
        "-reply",
        "-queryfile",
        "question",
        "-out",
        "answer",
        "-config",
        configuration,
    ];
    let mut openssl = Command::new("openssl");
    let ran = openssl
        .args(args)
        .current_dir(dir)
        .stderr(Stdio::null())
        .status();
    assert!(ran.unwrap().success());
    fs::read(dir.join("answer")).unwrap()
}

fn answer(mut stream: TcpStream, mode: &Mode, asked: &Mutex<Vec<Vec<u8>>>, dir: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    let mut is_question = false;
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        let lower = line.to_lowercase();
        is_question |= lower.trim() == "content-type: application/timestamp-query";
        if let Some(text) = lower.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut question = vec![0; length];
    if reader.read_exact(&mut question).is_err() || !is_question {
        return;
    }
    // One at a time: openssl counts in a file.
    let mut asked = asked.lock().unwrap();
    asked.push(question.clone());
    let (status, body) = match mode {
        Mode::Hangs => {
            drop(asked);
            // Until the other side goes.
            let _ = reader.read(&mut [0]);
            return;
        }
        Mode::Status(status) => (*status, Vec::new()),
        Mode::Says(body) => (200, body.clone()),
        Mode::Answers => (200, reply(dir, "tsa.cnf", &question)),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.into_bytes(), body].concat());
}
