//! How a command ends when not all is well: the exit codes of the contract.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use tracing::Level;

use super::args::LogFormat;
use super::journal;
use super::wrap::fitted;
use crate::clock::machine_time;

/// Why a command does not end with 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    code: u8,
    message: Option<String>,
}

impl Stop {
    /// 1: something is not archived, not intact or not reachable; the message says what.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: Some(message.into()),
        }
    }

    /// 1, when the output already says why.
    pub(super) const fn told() -> Self {
        Self {
            code: 1,
            message: None,
        }
    }

    /// 4: bytes, names or chain are not what was archived; the output says which.
    pub(super) const fn damaged() -> Self {
        Self {
            code: 4,
            message: None,
        }
    }

    /// 4; the message says what it came to.
    pub(super) fn damaged_as(message: impl Into<String>) -> Self {
        Self {
            code: 4,
            message: Some(message.into()),
        }
    }

    /// 2: usage or configuration.
    pub(super) fn usage(why: &dyn Display) -> Self {
        Self {
            code: 2,
            message: Some(why.to_string()),
        }
    }

    /// 3: another instance holds the state directory.
    pub(super) fn held(why: &dyn Display) -> Self {
        Self {
            code: 3,
            message: Some(why.to_string()),
        }
    }

    /// Whether another instance holds the state directory.
    pub(super) const fn is_held(&self) -> bool {
        self.code == 3
    }

    /// The message; empty where the output already says why.
    pub(super) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Prints the message, if there is one, in the form of the log's lines, and returns the exit code.
    #[expect(
        clippy::print_stderr,
        reason = "the one place that speaks without the log"
    )]
    pub(super) fn tell(self, format: LogFormat) -> ExitCode {
        match (self.message, format) {
            (None, _) => {}
            (Some(message), LogFormat::Text) => {
                let message = format!("elsa-archiver: {}", message.trim_end());
                let message = fitted(&message, None, io::stderr());
                match journal::is_stderr() {
                    true => eprintln!("{}", journal::prefixed(&message, Level::ERROR)),
                    false => eprintln!("{message}"),
                }
            }
            // No filter of the log can leave it out.
            (Some(message), LogFormat::Json) => {
                let line = serde_json::json!({
                    "timestamp": format!("{:.3}", machine_time()),
                    "level": "ERROR",
                    "message": message.trim_end(),
                    "exit_code": self.code,
                });
                eprintln!("{line}");
            }
        }
        ExitCode::from(self.code)
    }
}
