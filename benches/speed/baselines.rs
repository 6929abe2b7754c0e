//! What else archives the same windows, as far as it is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use elsa_archiver::domain::span::Span;

use crate::server::Server;
use crate::zips::Shape;

/// A way without our program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// `curl -o` of one window after the other over one connection: nothing but the wire.
    Curl,
    /// `baseline.sh` with this unpacker.
    Shell(&'static str),
    /// `baseline.py`, by the interpreter of this path: what is in the path may be a script that starts it.
    Python(String),
}

impl Baseline {
    /// What is installed, with what the tables call it, and what is not.
    pub fn all() -> (Vec<(String, Self)>, Vec<&'static str>) {
        let mut missing = Vec::new();
        let mut has = |tool: &'static str, argument| {
            let found = answers(tool, &[argument]).is_some();
            if !found {
                missing.push(tool);
            }
            found
        };
        let mut found = Vec::new();
        if has("curl", "--version") {
            found.push(("`curl -o` alone".to_owned(), Self::Curl));
            if has("sha256sum", "--version") && has("sync", "--version") {
                for (unpacker, argument) in [("unzip", "-v"), ("bsdtar", "--version")] {
                    if has(unpacker, argument) {
                        let name = format!("curl + sha256sum + {unpacker} + sync");
                        found.push((name, Self::Shell(unpacker)));
                    }
                }
            }
        }
        let asked = "import sys, requests; print(sys.executable)";
        match answers("python3", &["-c", asked]) {
            Some(path) => found.push((
                "Python: requests, zipfile, hashlib, fsync".to_owned(),
                Self::Python(path),
            )),
            None => missing.push("python3 with requests"),
        }
        (found, missing)
    }

    /// The command that archives these windows below the empty folder `home`.
    pub fn command(&self, server: &Server, shape: Shape, spans: &[Span], home: &Path) -> Command {
        let url = format!("{}/api/v1/logs/download", server.endpoint());
        let project = shape.entries.to_string();
        let froms = spans.iter().map(|span| span.from().0.to_string());
        let script = |name| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("benches/speed")
                .join(name)
        };
        let mut command;
        match self {
            Self::Curl => {
                command = Command::new("curl");
                for (at, from) in froms.enumerate() {
                    if at > 0 {
                        command.arg("--next");
                    }
                    let body = format!("{{\"projectId\":{project},\"from\":{from}}}");
                    command.args(["-sS", "--fail", "-d", &body, "-o"]);
                    command.arg(home.join(from + ".zip")).arg(&url);
                }
            }
            Self::Shell(unpacker) => {
                command = Command::new("sh");
                command.arg(script("baseline.sh")).arg(home);
                command.args([&url, &project, *unpacker]).args(froms);
            }
            Self::Python(interpreter) => {
                command = Command::new(interpreter);
                command.arg(script("baseline.py")).arg(home);
                command.args([&url, &project]).args(froms);
            }
        }
        server.let_trust(&mut command);
        command
    }
}

/// The first line that a tool prints, when it is there and succeeds.
pub fn answers(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(first)
}
