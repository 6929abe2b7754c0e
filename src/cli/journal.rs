//! The journal of systemd as the place where stderr leads: each line begins with its priority there (sd-daemon(3)),
//! so that `journalctl -p err` shows what is one.

use std::env;
use std::io;

use rustix::fs::fstat;
use tracing::Level;

/// Whether stderr leads to the journal: `JOURNAL_STREAM` holds the device and inode number of the stream that
/// systemd gave (systemd.exec(5)). It is there still where stderr was redirected since.
pub(super) fn is_stderr() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// `text` with its priority before each line.
pub(super) fn prefixed(text: &str, level: Level) -> String {
    let priority = match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    };
    let lines = text.split_inclusive('\n');
    lines.flat_map(|line| [priority, line]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_priority_and_no_line_is_added() {
        for (text, level, shown) in [
            ("one\n", Level::ERROR, "<3>one\n"),
            ("one\n\n  two", Level::WARN, "<4>one\n<4>\n<4>  two"),
            ("", Level::INFO, ""),
            ("<0>one\n", Level::INFO, "<6><0>one\n"),
            ("one\n", Level::TRACE, "<7>one\n"),
        ] {
            assert_eq!(prefixed(text, level), shown);
        }
    }
}
