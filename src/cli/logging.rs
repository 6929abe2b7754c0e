//! The log: to stderr, as text or as JSON.

use std::env;
use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::args::{Command, LogFormat};
use super::progress::Terminal;
use crate::clock::machine_time;

/// The time of a line, to the millisecond, as instants in messages are shown.
struct LineTime;

impl FormatTime for LineTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", machine_time())
    }
}

/// Starts the log. `RUST_LOG` chooses what is logged; by default this program's own lines from
/// `info` on (the demo, which tells its story on stdout, `warn`), and warnings of its libraries.
pub(super) fn start(format: LogFormat, command: &Command, terminal: &Terminal) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| match command {
        Command::Demo { .. } => EnvFilter::new("warn"),
        _ => EnvFilter::new("warn,elsa_archiver=info"),
    });
    let writer = {
        let terminal = terminal.clone();
        move || terminal.clone()
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_timer(LineTime)
        .with_target(false)
        .with_ansi(terminal.is_terminal() && env::var_os("NO_COLOR").is_none());
    // A second start in one process is refused, which leaves the first in place.
    let _ = match format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        // The journal stamps each line itself.
        LogFormat::Text if env::var_os("JOURNAL_STREAM").is_some() => {
            lines.without_time().try_init()
        }
        LogFormat::Text => lines.try_init(),
    };
}
