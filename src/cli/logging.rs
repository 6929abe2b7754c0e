//! The log: to stderr, as text or as JSON.

use std::env;
use std::fmt;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::args::{Command, LogFormat};
use super::journal;
use super::progress::Terminal;
use crate::clock::machine_time;

/// The time of a line, to the millisecond, as instants in messages are shown.
struct LineTime;

impl FormatTime for LineTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", machine_time())
    }
}

/// Where lines go.
struct Lines {
    terminal: Terminal,
    /// Whether each begins with its priority.
    is_prefixed: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            terminal: self.terminal.clone(),
            level: None,
        }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line {
        Line {
            level: self.is_prefixed.then_some(*of.level()),
            ..self.make_writer()
        }
    }
}

/// One event, which may take several lines. It comes in one piece.
struct Line {
    terminal: Terminal,
    level: Option<Level>,
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self.level {
            None => self.terminal.write(text),
            Some(level) => {
                let lines = journal::prefixed(&String::from_utf8_lossy(text), level);
                self.terminal.write_all(lines.as_bytes())?;
                Ok(text.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.flush()
    }
}

/// Starts the log. `RUST_LOG` chooses what is logged; by default this program's own lines from
/// `info` on (the demo, which tells its story on stdout, `warn`), and warnings of its libraries.
pub(super) fn start(format: LogFormat, command: &Command, terminal: &Terminal) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| match command {
        Command::Demo { .. } => EnvFilter::new("warn"),
        _ => EnvFilter::new("warn,elsa_archiver=info"),
    });
    let is_journal = journal::is_stderr();
    let writer = Lines {
        terminal: terminal.clone(),
        is_prefixed: is_journal && matches!(format, LogFormat::Text),
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
        LogFormat::Text if is_journal => lines.without_time().try_init(),
        LogFormat::Text => lines.try_init(),
    };
}
