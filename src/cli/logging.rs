//! The log: to stderr, as text or as JSON.

use std::env;
use std::fmt;
use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::args::{Args, Command, LogFormat};
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

/// What is logged, by how many steps less (`-q`) or more (`-v`): this program's own lines, and warnings of its libraries.
const FILTERS: [&str; 5] = [
    "error",
    "warn",
    "warn,elsa_archiver=info",
    "warn,elsa_archiver=debug",
    "warn,elsa_archiver=trace",
];

/// The filter that options and command ask for. The demo tells its story on stdout, and logs a step less.
fn asked(args: &Args) -> &'static str {
    let usual = match &args.command {
        Command::Demo { .. } => 1,
        _ => 2,
    };
    let at = (usual + usize::from(args.verbose)).saturating_sub(args.quiet.into());
    FILTERS
        .get(at)
        .or(FILTERS.last())
        .copied()
        .unwrap_or_default()
}

/// Starts the log. `RUST_LOG` chooses what is logged; without it, `-v` and `-q` do.
pub(super) fn start(args: &Args, terminal: &Terminal) {
    let format = args.log_format;
    let variable = EnvFilter::try_from_default_env().ok();
    let is_overruled = variable.is_some() && args.verbose + args.quiet > 0;
    let filter = variable.unwrap_or_else(|| EnvFilter::new(asked(args)));
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
    if is_overruled {
        tracing::warn!("RUST_LOG is set and says what is logged; -v and -q do not count");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn each_v_logs_a_step_more_and_each_q_a_step_less() {
        for (line, filter) in [
            ("run", FILTERS[2]),
            ("run -v", FILTERS[3]),
            ("-vv run", FILTERS[4]),
            ("-vvvvv run", FILTERS[4]),
            ("-q run", FILTERS[1]),
            ("run -qq", FILTERS[0]),
            ("run -qqqq", FILTERS[0]),
            ("demo", FILTERS[1]),
            ("demo --verbose", FILTERS[2]),
            ("demo --quiet", FILTERS[0]),
        ] {
            let words = ["elsa-archiver"].into_iter().chain(line.split(' '));
            assert_eq!(asked(&Args::parse_from(words)), filter, "{line}");
        }
    }
}
