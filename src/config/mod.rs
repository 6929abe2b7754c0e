//! The config file: the only place that knows TOML. It returns valid domain values, or every
//! problem at once with its line (**Candid**); keys are never in it (**Suspicious**).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz;
use toml::de::DeTable;

use crate::domain::bucket_address::BucketAddress;
use crate::domain::job::{AccountName, Job};
use crate::domain::limits::Limits;
use crate::domain::span::UtcMs;
use crate::domain::store_kind::StoreKind;
use crate::domain::window::Zone;

mod accounts;
mod ca_file;
mod changes;
mod evidence;
mod files;
mod jobs;
mod keys;
mod ncloud;
mod notify;
mod object_store;
mod observe;
mod places;
mod problem;
mod shareable;
mod since;
mod sources;
mod table;
mod units;

pub use accounts::ConfiguredAccount;
pub use ca_file::{CaFile, CaFileError};
pub(crate) use changes::changes;
pub use evidence::Evidence;
pub use keys::{Environment, KeyError, KeyForm, KeySource};
pub use notify::{Address, Notify};
pub use object_store::ObjectStore;
pub use observe::Observe;
pub(crate) use places::{Line, ROOT, STATE, apart};
pub use problem::{Problem, Problems};
pub(crate) use shareable::{Shareable, shareable};
pub use since::instant;
pub(crate) use units::parse_duration;

use places::Lines;
pub(crate) use problem::nearest;
use problem::{Report, quote, shown};
use sources::Sources;
use table::{Table, absolute_path, boolean, integer, size};

const KEYS: [&str; 9] = [
    "include", "account", "archive", "state", "defaults", "job", "observe", "notify", "evidence",
];
const ARCHIVE_KEYS: [&str; 9] = [
    "root",
    "s3",
    "timezone",
    "store",
    "min_free_space",
    "durable_folders",
    "max_unpacked",
    "max_entries",
    "max_ratio",
];
const STATE_KEYS: [&str; 1] = ["dir"];

const NOT_UTF_8: &str = "not UTF-8; save the file in that encoding";

/// Less would refuse windows that are quite usual.
const LEAST_UNPACKED: u64 = 1 << 20;
/// The directory of so many is some 200 MiB, which is read into memory.
const MOST_ENTRIES: i64 = 1_000_000;
/// Deflate can't reach more, so that this is no bound at all.
const MOST_RATIO: i64 = 1032;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The accounts by name; each job's account is among them.
    pub accounts: BTreeMap<AccountName, ConfiguredAccount>,
    /// The backup directory.
    pub archive: Archive,
    /// Where the ledgers and the lock are; absolute.
    pub state_dir: PathBuf,
    /// The jobs in the file's order, at least one; names are unique.
    pub jobs: Vec<Job>,
    /// What can be asked while the daemon runs; `None` for nothing.
    pub observe: Option<Observe>,
    /// Who is told what happens; `None` for nobody.
    pub notify: Option<Notify>,
    /// What signs the archive's heads; `None` for nothing.
    pub evidence: Option<Evidence>,
    /// Where in the file it says what only the disk can judge.
    pub(crate) lines: Lines,
}

/// The backup directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// The directory; absolute.
    pub root: PathBuf,
    /// The zone that cuts windows and names folders.
    pub zone: Zone,
    /// What of each answer is kept.
    pub store: StoreKind,
    /// Free space below which nothing is begun, in bytes.
    pub min_free_space: u64,
    /// Whether a file system is refused that can't make folders durable, lock, or rename without replacing.
    pub durable_folders: bool,
    /// Bounds on what one answer may become.
    pub limits: Limits,
    /// How object storage is reached in which a copy lies; `None` where it is not said.
    pub object_store: Option<ObjectStore>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the config {}: {error}; {}", shown(.path), advice(.error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file was read, and is wrong: one line a problem.
    #[error("{}", .problems.within(.path))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problems: Problems,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "`elsa-archiver init` writes one to begin with; or name another file with --config"
        }
        io::ErrorKind::PermissionDenied => "let this user read it, or run as the service's user",
        _ => "name another file with --config",
    }
}

impl Config {
    /// Reads the file at `path`, and those that it includes. `now` is what `since` must be before.
    ///
    /// # Errors
    /// When the file can't be read or is larger than 1 MiB, and with every problem of it and of the files that it
    /// includes.
    pub fn load(path: &Path, now: UtcMs) -> Result<Self, ConfigError> {
        let sources = files::read(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let parsed = match sources {
            Ok(sources) => Self::of(&sources, now),
            Err(line) => Err(Problems::one(line, NOT_UTF_8)),
        };
        parsed.map_err(|problems| ConfigError::Wrong {
            path: path.to_owned(),
            problems,
        })
    }

    /// Reads a config that stands for itself: what it includes is left out. `now` is what `since` must be before.
    ///
    /// # Errors
    /// With all problems at once, in the order of their lines.
    pub fn parse(text: &str, now: UtcMs) -> Result<Self, Problems> {
        Self::of(&Sources::alone(text), now)
    }

    fn of(sources: &Sources, now: UtcMs) -> Result<Self, Problems> {
        let (root, errors) = DeTable::parse_recoverable(sources.text());
        let mut report = Report::new(sources, &errors);
        let root = Table::new(root.get_ref(), String::new(), 0);
        let config = read(&root, now, &mut report);
        report.finish()?;
        // What can't be read has been reported, so this is never without a config.
        config.ok_or_else(|| Problems::one(1, "can't be read"))
    }
}

fn read(root: &Table<'_>, now: UtcMs, report: &mut Report<'_>) -> Option<Config> {
    root.refuse_unknown(&KEYS, report);
    root.read("include", report, sources::include);
    if let Some(why) = report.include_wrong() {
        root.wrong("include", why, report);
    }
    let archive = archive(root, report);
    let state_dir = state_dir(root, report);
    let lines = Lines::read(root, report);
    if let (Some(archive), Some(state_dir)) = (&archive, &state_dir) {
        places::refuse_nested(root, &archive.root, state_dir, report);
    }
    let (accounts, names) = accounts::read(root, report);
    // With a wrong zone the jobs are looked at all the same, for what else is wrong.
    let zone = archive
        .as_ref()
        .map_or_else(Zone::utc, |archive| archive.zone.clone());
    let context = jobs::Context {
        zone: &zone,
        now,
        accounts: report.is_whole().then_some(&names),
    };
    let jobs = jobs::read(root, &context, report);
    let observe = observe::read(root, report);
    let notify = notify::read(root, report);
    let evidence = evidence::read(root, report);
    Some(Config {
        accounts,
        archive: archive?,
        state_dir: state_dir?,
        jobs,
        observe,
        notify,
        evidence,
        lines,
    })
}

fn archive(root: &Table<'_>, report: &mut Report<'_>) -> Option<Archive> {
    let empty = DeTable::new();
    let table = root
        .table("archive", "[archive]", report)
        .unwrap_or_else(|| Table::new(&empty, "archive".to_owned(), 0));
    table.refuse_unknown(&ARCHIVE_KEYS, report);
    let path = table.text_or("root", "/var/backups/elsa", report, root_path);
    let zone = table.text_or("timezone", "Asia/Seoul", report, zone);
    let store = table.text_or("store", "unpacked", report, store);
    let mut min_free_space = 1 << 30;
    table.overlay("min_free_space", &mut min_free_space, report, |value| {
        size(value, "1GiB")
    });
    let mut durable_folders = true;
    table.overlay("durable_folders", &mut durable_folders, report, boolean);
    Some(Archive {
        durable_folders,
        object_store: object_store::read(&table, report),
        limits: limits(&table, report),
        root: path?,
        zone: zone?,
        store: store?,
        min_free_space,
    })
}

fn root_path(text: &str) -> Result<PathBuf, String> {
    match BucketAddress::is_meant(text) {
        false => absolute_path(text),
        true => Err(format!(
            "{} is in object storage, which this version reads (`verify s3://…`, `cat --dir s3://…`) and does not archive \
             to; give a folder, and have it copied there",
            quote(text)
        )),
    }
}

fn limits(table: &Table<'_>, report: &mut Report<'_>) -> Limits {
    let mut limits = Limits::default();
    table.overlay(
        "max_unpacked",
        &mut limits.unpacked_bytes,
        report,
        |value| {
            let bytes = size(value, "8GiB")?;
            let enough = bytes >= LEAST_UNPACKED;
            enough
                .then_some(bytes)
                .ok_or_else(|| "too small for any window; use at least \"1MiB\"".to_owned())
        },
    );
    table.overlay("max_entries", &mut limits.entries, report, |value| {
        integer(value, 1..=MOST_ENTRIES)
    });
    table.overlay("max_ratio", &mut limits.ratio, report, |value| {
        integer(value, 1..=MOST_RATIO)
    });
    limits
}

fn state_dir(root: &Table<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let empty = DeTable::new();
    let table = root
        .table("state", "[state]", report)
        .unwrap_or_else(|| Table::new(&empty, "state".to_owned(), 0));
    table.refuse_unknown(&STATE_KEYS, report);
    table.text_or("dir", "/var/lib/elsa-archiver", report, absolute_path)
}

fn store(text: &str) -> Result<StoreKind, String> {
    match text {
        "unpacked" => Ok(StoreKind::Unpacked),
        "zip" => Ok(StoreKind::Zip),
        _ => Err(format!(
            "{} is no store; use \"unpacked\" or \"zip\"",
            quote(text)
        )),
    }
}

fn zone(name: &str) -> Result<Zone, String> {
    match tz::db().get(name) {
        // The database's stand-in for a zone that nobody has set.
        Ok(zone) if !zone.is_unknown() => Ok(Zone::new(zone)),
        _ => {
            let names: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
            let advice = match nearest(name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {}?", quote(meant)),
                None => "use an IANA name like \"Asia/Seoul\"".to_owned(),
            };
            Err(format!("there is no time zone {}; {advice}", quote(name)))
        }
    }
}

#[cfg(test)]
mod tests;
