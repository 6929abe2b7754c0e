//! Runs of the real program: each with a config, an archive and a state directory of its own.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use elsa_archiver::archive::manifest::MANIFEST;
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use serde_json::Value;

use crate::measure::{self, Spent};
use crate::server::Server;
use crate::zips::Shape;

/// A program that is measured.
#[derive(Clone, Debug)]
pub struct Ours {
    /// As the tables call it.
    pub label: String,
    /// Where it is.
    pub path: PathBuf,
}

const MINUTE_MS: i64 = 60_000;
/// An hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The windows of a job, the newest of them settled half a window ago, so that no other becomes due while it runs.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Them, oldest first.
    pub spans: Vec<Span>,
    /// Their length, as the config says it.
    length: &'static str,
    settle_s: i64,
}

impl Windows {
    /// So many whole days.
    pub fn days(count: usize) -> Self {
        Self::of(count, DAY_MS, "1d")
    }

    /// So many whole hours.
    pub fn hours(count: usize) -> Self {
        Self::of(count, HOUR_MS, "1h")
    }

    fn of(count: usize, each: i64, length: &'static str) -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        let into = now.rem_euclid(each);
        let end = now - into - each;
        let begins = (1..=count as i64).rev().map(|at| UtcMs(end - at * each));
        Self {
            spans: begins
                .filter_map(|from| Span::new(from, from.plus(Millis(each))))
                .collect(),
            length,
            settle_s: (into + each / 2) / 1000,
        }
    }
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Whom it asks.
    pub server: &'a Server,
    /// Which project it asks for.
    pub shape: Shape,
    /// What it archives.
    pub windows: &'a Windows,
    /// How many records each of them holds.
    pub records: usize,
    /// Requests in flight at once.
    pub in_flight: usize,
    /// Whether by `backfill`; by `once` otherwise.
    pub by_backfill: bool,
    /// Whether the zips are kept, and not their files.
    pub keeps_zips: bool,
}

impl Run<'_> {
    /// Runs it in the empty folder `home`, and checks that it has archived each window with one request.
    ///
    /// # Errors
    /// When it fails, or has done anything else.
    pub fn measured(self, ours: &Ours, home: &Path) -> Result<Spent, Box<dyn Error>> {
        let command = self.command(ours, home)?;
        self.server.take_requests();
        let spent = measure::run(&command, &home.join("log"))?;
        self.check(home)?;
        Ok(spent)
    }

    /// The same, about to run.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn command(self, ours: &Ours, home: &Path) -> Result<Command, Box<dyn Error>> {
        fs::write(home.join("access"), "SPEEDACCESSKEY000001")?;
        fs::write(
            home.join("secret"),
            "SPEEDSECRETKEYSPEEDSECRETKEYSPEEDKEY0001",
        )?;
        for key in ["access", "secret"] {
            fs::set_permissions(home.join(key), fs::Permissions::from_mode(0o600))?;
        }
        fs::write(home.join("config.toml"), self.config(home))?;
        let mut command = Command::new(&ours.path);
        for variable in ["RUST_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
            command.env_remove(variable);
        }
        self.server.let_trust(&mut command);
        command.arg("--config").arg(home.join("config.toml"));
        match (self.windows.spans.first(), self.windows.spans.last()) {
            (Some(first), Some(last)) if self.by_backfill => {
                command.args(["backfill", "--job", "speed"]);
                command.args(["--from", &first.from().to_string()]);
                command.args(["--to", &last.to().to_string()]);
            }
            _ => _ = command.arg("once"),
        }
        Ok(command)
    }

    /// Checks that each window is archived with all its records, and that each took one request.
    ///
    /// # Errors
    /// When not.
    pub fn check(self, home: &Path) -> Result<(), Box<dyn Error>> {
        let asked = self.server.take_requests() as usize;
        let mut archived = Vec::new();
        records(&home.join("archive"), &mut archived)?;
        let windows = self.windows.spans.len();
        if asked != windows || archived != vec![Some(self.records as u64); windows] {
            archived.dedup();
            let what = format!(
                "{windows} windows of {} records took {asked} requests and became folders of these: {archived:?}",
                self.records
            );
            return Err(what.into());
        }
        Ok(())
    }

    fn config(self, home: &Path) -> String {
        let Windows {
            spans,
            length,
            settle_s,
        } = self.windows;
        let since = spans.first().map(|first| first.from());
        let since = since.map(|since| since.to_string()).unwrap_or_default();
        let store = match self.keeps_zips {
            true => "store = \"zip\"\n",
            false => "",
        };
        let (in_flight, limit) = (self.in_flight, self.shape.limit());
        format!(
            "[account.default]\nendpoint = {:?}\naccess_key = {{ file = {:?} }}\n\
             secret_key = {{ file = {:?} }}\nmax_in_flight = {in_flight}\nrequests_per_second = 1000\n\n\
             [archive]\n{store}root = {:?}\ntimezone = \"UTC\"\nmin_free_space = \"1MiB\"\n\n\
             [state]\ndir = {:?}\n\n\
             [[job]]\nname = \"speed\"\nproject_key = \"Pb_speed\"\nproject_id = {}\nsince = \"{since}\"\n\
             window = {length:?}\nsettle = \"{settle_s}s\"\nlimit = {limit}\ncross_check = \"off\"\n\
             to_bound = \"inclusive\"\n",
            self.server.endpoint(),
            home.join("access"),
            home.join("secret"),
            home.join("archive"),
            home.join("state"),
            self.shape.entries,
        )
    }
}

/// How many records the manifests below `folder` say.
fn records(folder: &Path, found: &mut Vec<Option<u64>>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            records(&entry.path(), found)?;
        } else if entry.file_name() == MANIFEST {
            let manifest: Value = serde_json::from_slice(&fs::read(entry.path())?)?;
            found.push(manifest["records"].as_u64());
        }
    }
    Ok(())
}
