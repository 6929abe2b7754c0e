//! What the tests of the real binary stand on: a [`World`] of its own for each test, with a
//! simulated ELSA on a real socket, and a config, an archive and a state directory on a real disk.
//!
//! When a world ends, it looks for its keys in everything that was printed or written in it; so
//! every test is a test of *Suspicious* too.
#![allow(dead_code, reason = "each test file uses the part that it needs")]
#![allow(unused_imports, reason = "likewise")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod archive;
mod due;
mod keys;
mod missing;
mod mounts;
mod object_storage;
mod printed;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver::simulator::{Entry, KeyPair, Permitted, Project, Settings, Simulator};
use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub use archive::{Folder, Found, files_below, in_csv, in_json};
pub use due::{Due, LOGS_A_WINDOW};
pub use keys::Keys;
pub use missing::{left_out, tell};
pub use mounts::{own_namespace, sh};
pub use object_storage::{Lie, ObjectStorage};
pub use process::{Ran, Running, command, until};

/// The canaries: they must turn up nowhere but in the two files that hold them.
pub const ACCESS_KEY: &str = "CANARYACCESSKEY00001";
pub const SECRET_KEY: &str = "CANARYSECRETKEYCANARYSECRETKEYCANARY0001";

/// The number of every project here.
pub const PROJECT_ID: i64 = 16_706;

/// The key of the project that the job of this name archives.
pub fn project_key(job: &str) -> String {
    format!("Pb_{job}")
}

/// A zip with one file.
pub fn zip_of(name: &str, content: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default()).unwrap();
    zip.write_all(content.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// Text as JSON may write it, with nothing of it left in the open.
pub fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect()
}

/// A job's table in the config, value by value as TOML.
#[derive(Clone)]
pub struct Job(BTreeMap<&'static str, String>);

impl Job {
    /// A job that has exactly the windows of `due` to archive, from the project of its name.
    pub fn new(name: &str, due: &Due) -> Self {
        Self(BTreeMap::new())
            .with("name", &format!("{name:?}"))
            .with("project_key", &format!("{:?}", project_key(name)))
            .with("project_id", &PROJECT_ID.to_string())
            .with("since", &format!("\"{}\"", due.since()))
            .with("window", &format!("{:?}", due.window))
            .with("settle", &format!("\"{}s\"", due.settle_s))
            .with("schedule", "\"* * * * * *\"")
            // Each test counts its own requests; the second opinion and `to` have tests of their own.
            .with("cross_check", "\"off\"")
            .with("to_bound", "\"inclusive\"")
    }

    /// With `key = value` too, or instead.
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        self.0.insert(key, value.to_owned());
        self
    }
}

/// A temporary place, and the service that is archived there.
pub struct World {
    /// The service.
    pub service: Simulator,
    dir: TempDir,
    root: PathBuf,
    state: PathBuf,
    /// Everything that any command has printed.
    printed: Arc<Mutex<Vec<u8>>>,
}

impl World {
    /// With these projects at an honest service.
    pub async fn of(projects: impl IntoIterator<Item = Project>) -> Self {
        Self::start(Settings {
            projects: projects.into_iter().collect(),
            ..Settings::default()
        })
        .await
    }

    /// With a service of these settings; its keys are the canaries.
    pub async fn start(settings: Settings) -> Self {
        let service = Simulator::start(Settings {
            accounts: vec![KeyPair {
                access_key: ACCESS_KEY.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                permitted: Permitted::All,
            }],
            ..settings
        });
        let dir = tempfile::tempdir().unwrap();
        let world = Self {
            service: service.await.unwrap(),
            root: dir.path().join("archive"),
            state: dir.path().join("state"),
            dir,
            printed: Arc::default(),
        };
        let keys = world.path("keys");
        fs::create_dir(&keys).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(world.path("keys/access"), ACCESS_KEY).unwrap();
        world.set_secret_key(SECRET_KEY);
        world
    }

    /// A world whose windows were archived before all logs of `job` had come, one in so many of them late, and were
    /// published anew since. The zips of each were kept, or not.
    pub async fn with_revisions(job: &str, due: &Due, one_in: u64, zips: [bool; 2]) -> Self {
        let project = due.project(job).with_late(one_in, Millis(1 << 40));
        let world = Self::start(Settings {
            projects: vec![project],
            ..Settings::default()
        })
        .await;
        let recheck = format!("\"{}s\"", due.settle_s + 60);
        world.configure(&[Job::new(job, due).with("recheck", &recheck)]);
        world.keep_zips(zips[0]);
        world.once().exits(0);
        world.make_ledger_older(job, due);
        // Far beyond any log's time.
        world.service.set_visible_at(Some(UtcMs(1 << 45)));
        world.keep_zips(zips[1]);
        world.once().exits(0);
        assert!(world.folders(job).len() > due.windows.len());
        world
    }

    /// Puts archive and state directory elsewhere.
    pub fn place(&mut self, root: PathBuf, state: PathBuf) {
        (self.root, self.state) = (root, state);
    }

    /// Writes the config, in which windows are collected one after the other, in their order.
    pub fn configure(&self, jobs: &[Job]) {
        let mut text = format!(
            "[account.default]\nendpoint = {:?}\naccess_key = {{ file = {:?} }}\n\
             secret_key = {{ file = {:?} }}\nmax_in_flight = 1\nrequests_per_second = 1000\n\n\
             [archive]\nroot = {:?}\nmin_free_space = \"1MiB\"\n\n[state]\ndir = {:?}\n",
            self.service.endpoint(),
            self.path("keys/access"),
            self.path("keys/secret"),
            self.root(),
            self.state,
        );
        for Job(lines) in jobs {
            text += "\n[[job]]\n";
            for (key, value) in lines {
                text += &format!("{key} = {value}\n");
            }
        }
        self.write_config(&text);
    }

    /// Lets so many requests be in flight at once: windows end in any order.
    pub fn at_once(&self, requests: u32) {
        let lines = self.config();
        let config = lines.lines().map(|line| match line.split_once(" = ") {
            Some(("max_in_flight", _)) => format!("max_in_flight = {requests}\n"),
            _ => format!("{line}\n"),
        });
        self.write_config(&config.collect::<String>());
    }

    /// Keeps the zips of new windows, or their files again.
    pub fn keep_zips(&self, keeps: bool) {
        let config = self.config().replace("store = \"zip\"\n", "");
        let store = if keeps { "store = \"zip\"\n" } else { "" };
        self.write_config(&config.replace("[archive]\n", &format!("[archive]\n{store}")));
    }

    /// Has heads signed by a key of this world.
    pub fn sign_heads(&self) {
        let key = self.path("keys/signing");
        if !key.exists() {
            let key = key.to_str().unwrap();
            self.run(&["keygen", "--out", key]).exits(0);
        }
        let config = self.config();
        self.write_config(&format!(
            "{config}\n[evidence]\nkey = {{ file = {key:?} }}\n"
        ));
    }

    /// Writes a config that [`World::configure`] would not.
    pub fn write_config(&self, text: &str) {
        fs::write(self.path("config.toml"), text).unwrap();
    }

    /// The config as it is.
    pub fn config(&self) -> String {
        fs::read_to_string(self.path("config.toml")).unwrap()
    }

    /// Replaces the secret key that the program is given.
    pub fn set_secret_key(&self, key: &str) {
        fs::write(self.path("keys/secret"), key).unwrap();
    }

    /// A path in this world.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The archive's root.
    pub fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// The ledger of a job.
    pub fn ledger(&self, job: &str) -> PathBuf {
        self.state.join(format!("{job}.ledger.jsonl"))
    }

    /// The lines of a job's ledger, but those that say its settings.
    pub fn ledger_lines(&self, job: &str) -> Vec<Value> {
        let mut lines = self.all_ledger_lines(job);
        lines.retain(|line| line["event"] != "job");
        lines
    }

    /// All lines of a job's ledger.
    pub fn all_ledger_lines(&self, job: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.ledger(job)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Moves each line of a job's ledger to when its window had just settled, and mends the chain.
    pub fn make_ledger_older(&self, job: &str, due: &Due) {
        let mut previous: Option<Digest> = None;
        let mut older = String::new();
        for line in fs::read_to_string(self.ledger(job)).unwrap().lines() {
            let fields: Value = serde_json::from_str(line).unwrap();
            let to = fields["to_ms"].as_i64().unwrap_or(due.since().0);
            let settled = UtcMs(to + due.settle_s * 1000);
            let at = fields["at"].as_str().unwrap();
            let mut line = line.replacen(at, &settled.to_string(), 1);
            if let (Some(old), Some(new)) = (fields["prev"].as_str(), previous) {
                line = line.replacen(old, &new.to_string(), 1);
            }
            previous = Some(Digest::of(line.as_bytes()));
            older += &(line + "\n");
        }
        fs::write(self.ledger(job), older).unwrap();
        self.forget_heads();
    }

    /// Removes all heads, which name what a test is about to rewrite, or has rewritten.
    pub fn forget_heads(&self) {
        let _ = fs::remove_dir_all(self.root().join("_archive/heads"));
        let _ = fs::remove_file(self.state.join("newest.head"));
    }

    /// Starts a command and leaves it running.
    pub fn spawn(&self, args: &[&str]) -> Running {
        self.spawn_with(args, &[])
    }

    /// The same, with variables in its environment.
    pub fn spawn_with(&self, args: &[&str], variables: &[(&str, &Path)]) -> Running {
        let mut command = command(args, self.dir.path());
        command.envs(variables.iter().copied());
        Running::start(command, Arc::clone(&self.printed))
    }

    /// The same to its end.
    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, Path::new(*value)))
            .collect();
        self.spawn_with(args, &variables).wait()
    }

    /// The same, by another program, which is given ours with its arguments.
    pub fn spawn_by(&self, starter: &[&str], args: &[&str]) -> Running {
        let command = process::command_by(starter, args, self.dir.path());
        Running::start(command, Arc::clone(&self.printed))
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.spawn(args).wait()
    }

    /// Runs a command to its end on a terminal so many columns wide.
    pub fn run_on_terminal(&self, args: &[&str], columns: u16) -> Ran {
        let command = process::command(args, self.dir.path());
        let running = Running::start_on_terminals(command, columns, Arc::clone(&self.printed));
        let mut ran = running.wait();
        for text in [&mut ran.stdout, &mut ran.stderr] {
            // A terminal's driver ends lines so.
            *text = text.replace("\r\n", "\n");
        }
        ran
    }

    /// Archives what is due.
    pub fn once(&self) -> Ran {
        self.run(&["once"])
    }

    /// What `status --json` says of a job, whatever its exit code.
    pub fn status(&self, job: &str) -> Value {
        let mut status = self.run(&["status", "--json"]).json();
        let jobs = status["jobs"].as_array_mut().unwrap();
        let place = jobs.iter().position(|found| found["name"] == job);
        jobs.swap_remove(place.unwrap())
    }

    /// The requests about a job's project so far.
    pub fn requests(&self, job: &str) -> Vec<Entry> {
        let mut entries = self.service.journal();
        let key = project_key(job);
        entries.retain(|entry| entry.project_key.as_ref().is_none_or(|found| *found == key));
        entries
    }

    /// Asserts that archiving again has nothing to do and asks nothing.
    #[track_caller]
    pub fn assert_nothing_left_to_do(&self) {
        self.service.clear_journal();
        self.once().exits(0);
        let asked = self.service.journal();
        assert!(asked.is_empty(), "asked again: {asked:#?}");
    }

    /// The keys that the program was given, and those that it is given now.
    pub fn keys(&self) -> Keys {
        let mut keys = vec![ACCESS_KEY.to_owned(), SECRET_KEY.to_owned()];
        let mut files = files_below(&self.path("keys"));
        // Public keys are no secret.
        files.retain(|path| !path.ends_with("allowed_signers"));
        keys.extend(files.iter().map(|path| fs::read_to_string(path).unwrap()));
        Keys::new(&keys)
    }

    fn assert_no_key_leaked(&self) {
        let keys = self.keys();
        keys.assert_not_in("what was printed", &self.printed.lock().unwrap());
        let home = self.dir.path();
        keys.assert_not_below(home, &[&self.path("keys")]);
        for elsewhere in [&self.root, &self.state] {
            if !elsewhere.starts_with(home) {
                keys.assert_not_below(elsewhere, &[]);
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that has failed already has a better story to tell.
        if !std::thread::panicking() {
            self.assert_no_key_leaked();
        }
    }
}
