//! What of a configuration only the disk can tell: whether root and state directory are apart, can be written
//! and have space, who else may read keys and passwords, and whether a `ca_file` holds authorities. It looks, and writes nothing. Carries *Its own*,
//! *Suspicious* and *Candid*.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::notifying;
use super::print::bytes;
use super::session::disk;
use crate::archive::store::free_bytes;
use crate::config::{
    CaFile, Config, ConfigError, Environment, Line, Problem, Problems, ROOT, STATE, apart,
};
use crate::domain::job::Job;
use crate::domain::proxy::ProxyAddress;
use crate::durable::{Step, advice, denied};

/// Bits of a mode.
const READ_BY_GROUP: u32 = 0o040;
const READ_BY_OTHERS: u32 = 0o004;
const SEARCH_BY_OTHERS: u32 = 0o001;
const SEARCH_BY_ANY_BUT_THE_OWNER: u32 = 0o011;

/// What is wrong.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What the configuration must not say: nothing is archived with it.
    pub(super) refused: Vec<Problem>,
    /// What the configuration must not say of one account: others archive all the same.
    pub(super) refused_of_account: Vec<Problem>,
    /// What would keep this user from archiving now.
    pub(super) unusable: Vec<Problem>,
    /// What may be meant.
    pub(super) warned: Vec<Problem>,
}

impl Findings {
    /// Looks at everything that the configuration names, which was read from `path`.
    pub(super) fn of(config: &Config, path: &Path, environment: &Environment) -> Self {
        let mut found = Self::default();
        found.look_at_keys(config, environment);
        found.look_at_authorities(config);
        found.look_at_passwords(config, path);
        found.look_at_observe(config);
        found
            .warned
            .extend(notifying::warnings(config, path, environment));
        let lines = &config.lines;
        let [root, state] = [&config.archive.root, &config.state_dir].map(|path| real(path));
        if let Some((key, what)) = apart(&root, &state) {
            let line = if key == ROOT {
                &lines.root
            } else {
                &lines.state_dir
            };
            let [root, state] = [root, state].map(|path| path.display().to_string());
            let message = format!("{what} (they lead to {root} and {state})");
            found.refused.push(line.problem(named(key), message));
        }
        let least = config.archive.min_free_space;
        for (key, line, path) in [
            (ROOT, &lines.root, &config.archive.root),
            (STATE, &lines.state_dir, &config.state_dir),
        ] {
            let unusable = can_be_written(path)
                .and_then(|()| has_space(path, least))
                .and_then(|()| can_be_flushed(config, path));
            if let Err(message) = unusable {
                found.unusable.push(line.problem(named(key), message));
            }
        }
        found
    }

    fn look_at_authorities(&mut self, config: &Config) {
        for (name, configured) in &config.accounts {
            let read = configured.ca_file.as_ref().map(CaFile::read);
            if let Some(Err(error)) = read {
                let key = format!("account.{name}.ca_file");
                let line = &configured.ca_line;
                let message = error.to_string();
                self.refused_of_account.push(line.problem(key, message));
            }
        }
    }

    /// A proxy's password is the one secret that a config may hold.
    fn look_at_passwords(&mut self, config: &Config, path: &Path) {
        let Some(mode) = mode(path).filter(|_| is_open_to_all(path)) else {
            return;
        };
        let shown = path.display();
        for (name, configured) in &config.accounts {
            let proxy = configured.proxy.as_ref();
            if proxy.is_some_and(ProxyAddress::has_password) {
                let message = format!(
                    "everybody on this machine can read the proxy's password in {shown} (mode {mode:03o}); \
                     take that away with `chmod 640 {shown}`, and give the file the group of the user that \
                     archives"
                );
                let key = format!("account.{name}.proxy");
                self.refused
                    .push(configured.proxy_line.problem(key, message));
            }
        }
    }

    fn look_at_observe(&mut self, config: &Config) {
        let Some(observe) = &config.observe else {
            return;
        };
        let [listen, max_lag, textfile] = &observe.lines;
        if let Some(address) = observe.listen.filter(|listen| !listen.ip().is_loopback()) {
            let message = format!(
                "whoever reaches {address} can read which jobs there are and how much they log; unless that is \
                 meant, listen on 127.0.0.1"
            );
            self.warned
                .push(listen.problem("observe.listen".into(), message));
        }
        let lag = |job: &Job| job.window.length().plus(job.settle);
        let enabled = config.jobs.iter().filter(|job| job.enabled);
        let slowest = enabled.max_by_key(|job| lag(job));
        if let Some(job) = slowest.filter(|job| lag(job) >= observe.max_lag) {
            let message = format!(
                "the job {} is that far behind before each of its windows can be archived: window and settle are \
                 {} min together, so /readyz and the alerts would not be quiet; allow an hour more than that",
                job.name,
                lag(job).as_secs() / 60
            );
            self.warned
                .push(max_lag.problem("observe.max_lag".into(), message));
        }
        let is_inside = |file: &PathBuf| {
            let file = real(file);
            let folders = [&config.archive.root, &config.state_dir];
            folders.iter().any(|folder| file.starts_with(real(folder)))
        };
        if observe.textfile.as_ref().is_some_and(is_inside) {
            let message = "it lies inside archive.root or state.dir, where nothing but this program's own is to be; \
                           name a file in the folder that node_exporter reads";
            let key = "observe.textfile".to_owned();
            self.refused.push(textfile.problem(key, message.to_owned()));
        }
    }

    fn look_at_keys(&mut self, config: &Config, environment: &Environment) {
        for (name, configured) in &config.accounts {
            let files = configured.keys.files(environment);
            let keys = ["access_key", "secret_key"]
                .into_iter()
                .zip(&configured.key_lines);
            for ((key, line), file) in keys.zip(files) {
                let key = format!("account.{name}.{key}");
                let change = "change the key at the portal";
                self.look_at_key((key, line, change), file, environment);
            }
        }
        if let Some(evidence) = &config.evidence {
            let file = evidence.key.as_ref();
            let file = file.and_then(|form| form.file(environment));
            let [line, ..] = &evidence.lines;
            let change = "make another with `elsa-archiver keygen`";
            self.look_at_key(("evidence.key".to_owned(), line, change), file, environment);
        }
    }

    fn look_at_key(
        &mut self,
        (key, line, change): (String, &Line, &str),
        file: Option<PathBuf>,
        environment: &Environment,
    ) {
        // What can't be looked at is told when it is read.
        let known = file.and_then(|file| mode(&file).map(|mode| (file, mode)));
        let Some((file, mode)) = known else { return };
        let shown = file.display();
        if is_open_to_all(&file) {
            let message = format!(
                "everybody on this machine can read {shown} (mode {mode:03o}); take that away with `chmod 600 {shown}`, \
                 and {change} if others were logged in"
            );
            self.refused.push(line.problem(key, message));
        } else if mode & READ_BY_GROUP != 0
            && is_reached(&file, SEARCH_BY_ANY_BUT_THE_OWNER)
            && !is_credential(&file, environment)
        {
            let message = format!(
                "the group of {shown} can read it (mode {mode:03o}); unless that is meant, `chmod 600 {shown}`"
            );
            self.warned.push(line.problem(key, message));
        }
    }
}

/// Problems as a wrong configuration tells them; `None` where there is none.
pub(super) fn told(path: &Path, problems: Vec<Problem>) -> Option<ConfigError> {
    let problems = Problems::of(problems)?;
    let path = path.to_owned();
    Some(ConfigError::Wrong { path, problems })
}

fn named((table, key): (&str, &str)) -> String {
    format!("{table}.{key}")
}

/// Where a path leads, through symbolic links and `..`, also where its end does not exist yet.
fn real(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            Component::CurDir => {}
            part => real.push(part),
        }
        if let Ok(found) = fs::canonicalize(&real) {
            real = found;
        }
    }
    real
}

/// The path, or the nearest above it that exists.
fn existing(path: &Path) -> &Path {
    let mut above = path.ancestors();
    above
        .find(|path| fs::metadata(path).is_ok())
        .unwrap_or_else(|| Path::new("/"))
}

/// Whether this process may make files there, and the directory itself where it does not exist yet.
fn can_be_written(path: &Path) -> Result<(), String> {
    let found = existing(path);
    let (place, user) = (found.display(), this_user());
    if !fs::metadata(found).is_ok_and(|found| found.is_dir()) {
        return Err(format!("{place} is a file; name a directory"));
    }
    let may = accessat(
        CWD,
        found,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    );
    may.map_err(|errno| {
        let error = io::Error::from(errno);
        let what = match found == path {
            true => format!("{place} can't be written"),
            false => format!("it can't be made in {place}"),
        };
        match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "{what} by this user ({user}); run this as the user that archives, or give that user the \
                 directory: `install -d -o USER -m 750 {}`",
                path.display()
            ),
            _ => format!("{what}: {error}{}", advice(&error)),
        }
    })
}

fn has_space(path: &Path, least: u64) -> Result<(), String> {
    match free_bytes(existing(path)) {
        Ok(free) if free < least => Err(format!(
            "{} are free there, and archive.min_free_space is {}, so nothing would be begun; free some space, \
             or lower it",
            bytes(free),
            bytes(least)
        )),
        // Where the file system does not say, the archiver goes by what it answers to a write.
        _ => Ok(()),
    }
}

/// Whether the names in it can be made durable, or that is accepted. What fails otherwise is told when it is
/// written.
fn can_be_flushed(config: &Config, path: &Path) -> Result<(), String> {
    let asked = disk(config).ask_sync(Step::SyncGrandparent, existing(path));
    match asked {
        Err(error) if error.is_lack() => Err(error.source.to_string()),
        _ => Ok(()),
    }
}

fn mode(file: &Path) -> Option<u32> {
    Some(fs::metadata(file).ok()?.permissions().mode() & 0o777)
}

/// Whether everybody on this machine may read the file.
pub(super) fn is_open_to_all(file: &Path) -> bool {
    mode(file).is_some_and(|mode| mode & READ_BY_OTHERS != 0) && is_reached(file, SEARCH_BY_OTHERS)
}

/// Whether somebody may come as far as the file, through folders that each have one of these bits.
fn is_reached(file: &Path, bits: u32) -> bool {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    real.ancestors()
        .skip(1)
        .all(|folder| mode(folder).is_none_or(|mode| mode & bits != 0))
}

/// Whether systemd has put it there for this process: it lets the service's user in by an access list, which
/// shows as the group's permission.
fn is_credential(file: &Path, environment: &Environment) -> bool {
    let directory = environment.credentials_directory();
    directory.is_some_and(|directory: &OsStr| file.starts_with(directory))
}

/// Who runs this, by its effective id.
fn this_user() -> String {
    denied::this_user().map_or_else(|| "unknown".to_owned(), |(uid, _)| format!("uid {uid}"))
}
