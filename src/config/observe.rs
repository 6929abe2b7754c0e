//! Reads `[observe]`: who may ask how it goes, and where.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Line;
use super::problem::{Report, quote};
use super::table::{Table, absolute_path, duration, string};
use crate::domain::span::Millis;

/// Every key of the table.
pub(super) const KEYS: [&str; 3] = ["listen", "max_lag", "textfile"];

/// Loopback: others reach it only if the config says so.
const LISTEN: &str = "127.0.0.1:9187";

/// What can be asked while the daemon runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// Where to listen for HTTP; port 0 is any that is free. `None` where only the file is wanted.
    pub listen: Option<SocketAddr>,
    /// How far behind the coverage of a job may be; above 0.
    pub max_lag: Millis,
    /// A file for node_exporter's textfile collector: absolute, its name ends in `.prom`.
    pub textfile: Option<PathBuf>,
    /// Where the file says so: the line of `listen`, of `max_lag` and of `textfile`.
    pub(crate) lines: [Line; 3],
}

/// What the file says; `None` where it has no such table, or what it says is wrong.
pub(super) fn read(root: &Table<'_>, report: &mut Report<'_>) -> Option<Observe> {
    let table = root.table("observe", "[observe]", report)?;
    table.refuse_unknown(&KEYS, report);
    let mut max_lag = Millis::from_hours(3);
    table.overlay("max_lag", &mut max_lag, report, |value| {
        let length = duration(value, "3h")?;
        let is_some = length > Millis::ZERO;
        is_some
            .then_some(length)
            .ok_or_else(|| "nothing is ever that new; use at least \"1m\"".to_owned())
    });
    let textfile = table.read("textfile", report, |value| {
        textfile(string(value, "/var/lib/node_exporter/elsa.prom")?)
    });
    let is_file_alone = table.has("textfile") && !table.has("listen");
    let listen = match is_file_alone {
        true => None,
        false => table.text_or("listen", LISTEN, report, address),
    };
    let line = |key| report.line(table.at_of(key));
    Some(Observe {
        listen,
        max_lag,
        textfile,
        lines: KEYS.map(line),
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{} is no IP address with a port; write one like {LISTEN:?} or \"[::1]:9187\"",
            quote(text)
        )
    })
}

fn textfile(text: &str) -> Result<PathBuf, String> {
    let path = absolute_path(text)?;
    match path
        .extension()
        .is_some_and(|extension| extension == "prom")
    {
        true => Ok(path),
        false => Err(format!(
            "{} does not end in .prom, and node_exporter reads no other file; write a path like \
             \"/var/lib/node_exporter/elsa.prom\"",
            quote(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::span::UtcMs;

    const JOB: &str =
        "[[job]]\nname = \"a\"\nproject_key = \"k\"\nproject_id = 1\nsince = \"2026-01-01\"\n";

    fn observe(table: &str) -> Result<Option<Observe>, String> {
        let config = Config::parse(&format!("{table}\n{JOB}"), UtcMs(1_795_000_000_000));
        config
            .map(|config| config.observe)
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn nothing_is_observed_unless_the_table_is_there_and_a_file_alone_opens_no_port() {
        assert_eq!(observe(""), Ok(None));
        let plain = observe("[observe]").unwrap().unwrap();
        assert_eq!(plain.listen.unwrap().to_string(), LISTEN);
        assert_eq!(plain.max_lag, Millis::from_hours(3));
        assert_eq!(plain.textfile, None);
        let file = observe("[observe]\ntextfile = \"/a/b.prom\"")
            .unwrap()
            .unwrap();
        assert_eq!(
            (file.listen, file.textfile),
            (None, Some("/a/b.prom".into()))
        );
        let both = "[observe]\nlisten = \"[::1]:0\"\nmax_lag = \"90s\"\ntextfile = \"/a/b.prom\"";
        let both = observe(both).unwrap().unwrap();
        assert!(both.listen.unwrap().ip().is_loopback() && both.textfile.is_some());
        assert_eq!(both.max_lag, Millis(90_000));
    }

    #[test]
    fn what_cannot_be_listened_on_or_read_is_refused_with_its_line() {
        for (line, says) in [
            (
                "listen = \"localhost:9187\"",
                "2: observe.listen: \"localhost:9187\" is no IP address",
            ),
            ("listen = \"127.0.0.1\"", "no IP address with a port"),
            ("listen = 9187", "observe.listen: must be a string like"),
            (
                "max_lag = \"0s\"",
                "observe.max_lag: nothing is ever that new",
            ),
            ("textfile = \"/a/b.txt\"", "does not end in .prom"),
            ("textfile = \"b.prom\"", "is not absolute"),
            ("listn = \"\"", "unknown key; did you mean listen?"),
        ] {
            let told = observe(&format!("[observe]\n{line}")).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
