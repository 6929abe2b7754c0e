//! One cycle that has everything in it, and what must hold wherever it ends: right after, and once
//! it was started again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use elsa_archiver::domain::job::JobName;
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::ledger::Ledger;
use elsa_archiver::simulator::FaultPlan;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::call::{Call, Disks};
use super::damaged::{self, Damaged};
use super::ground::{Disk, Ground};
use super::heads;
use super::lie::Lie;
use super::pruned;
use super::refused;
use super::tracer::{self, At, Traced, What};
use super::violation::violation;
use crate::harness::{Due, Folder, Job, World, command};

/// How the disk is when the cycle begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Start {
    /// There is nothing, not even the folders.
    Empty,
    /// A ledger ends in a torn line whose folder is there; another lacks the line of a folder; more
    /// windows are due, of which those of one job have to be split.
    Interrupted,
    /// A window is archived without the logs that came late, and its recheck is due: what it is
    /// published anew as has to be split. Of the other job, whose logs are the same, too.
    Late,
    /// Nothing is archived; a crash has left half a zip in the quarantine, and the first answer to
    /// one job is that zip again.
    Refused,
    /// Nothing is archived, and eight windows of two dates are due: they are collected side by side and published
    /// in groups.
    Group,
    /// Nothing is archived, zips are kept, and one job's windows have to be split.
    Zips,
    /// Everything is archived, and a byte of a folder was changed since: it is repaired, and then its window
    /// is archived anew.
    Damaged,
    /// Everything is archived, and the data of all windows but the newest are let go of.
    Pruned,
}

impl Start {
    const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Interrupted => "interrupted",
            Self::Late => "late",
            Self::Refused => "refused",
            // The same nothing.
            Self::Group | Self::Zips => "empty",
            Self::Damaged => "damaged",
            Self::Pruned => "pruned",
        }
    }

    /// What is run.
    const fn command(self) -> &'static [&'static str] {
        match self {
            Self::Damaged => &["repair", "--confirm"],
            Self::Pruned => pruned::COMMAND,
            _ => &["once"],
        }
    }

    /// Whether this call may end otherwise than it does from another start.
    pub fn is_about(self, call: &Call) -> bool {
        self != Self::Refused || call.keeps_aside() || call.job() == Some(refused::JOB)
    }
}

pub const JOBS: [&str; 2] = ["shop", "mail"];

/// The job of which some logs come late.
const LATE: &str = "shop";

/// Fewer than a window of `shop` holds.
const COUNT: &str = "8";

/// Far beyond the time at which any log can be found.
const EVERYTHING: UtcMs = UtcMs(1 << 45);

/// A world on a disk of a kind, laid out anew for each case.
pub struct Scene {
    pub disk: Disk,
    pub world: World,
    due: Due,
    /// The last two days of it in quarters.
    quarters: Vec<Span>,
    start: Start,
    /// What is archived in full at [`Start::Late`], byte by byte: it must stay so.
    first: BTreeMap<PathBuf, Vec<u8>>,
    /// The folder that is damaged at [`Start::Damaged`].
    damaged: Option<Damaged>,
    runtime: Runtime,
    scratch: TempDir,
}

impl Scene {
    /// For real file systems this thread must have a mount namespace of its own.
    pub fn new(kind: Ground) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let due = Due::days(3);
        let scratch = tempfile::tempdir_in(fast_place()).unwrap();
        let mut world = runtime.block_on(World::of(JOBS.map(|job| match job {
            LATE => due.project(job).with_late(4, Millis(1 << 40)),
            _ => due.project(job),
        })));
        let store = scratch.path().join("store");
        fs::create_dir(&store).unwrap();
        let disk = Disk::new(kind, &scratch.path().join("disks"), &store);
        let paths = disk.paths();
        world.place(paths.root(), paths.state_dir());
        let quarters = due.windows[1..].iter().flat_map(|day| {
            let quarter = day.to().since(day.from()).0 / 4;
            let at = move |number| UtcMs(day.from().0 + number * quarter);
            (0..4).map(move |number| Span::new(at(number), at(number + 1)).unwrap())
        });
        let mut scene = Self {
            disk,
            world,
            quarters: quarters.collect(),
            due,
            start: Start::Empty,
            first: BTreeMap::new(),
            damaged: None,
            runtime,
            scratch,
        };
        scene.disk.keep(Start::Empty.name());
        scene.archive_too_early();
        scene.disk.keep(Start::Late.name());
        scene.disk.reset(Start::Empty.name());
        scene.world.service.set_visible_at(Some(EVERYTHING));
        scene.interrupt();
        scene.disk.keep(Start::Interrupted.name());
        scene.disk.reset(Start::Empty.name());
        refused::leave_half(&scene.disks(), scene.due.windows[2]);
        scene.disk.keep(Start::Refused.name());
        scene.disk.reset(Start::Empty.name());
        scene.configure(Start::Damaged);
        scene.world.once().exits(0);
        let first = scene.world.folders(damaged::JOB).swap_remove(0);
        scene.damaged = Some(Damaged::spoil(&first));
        scene.disk.keep(Start::Damaged.name());
        scene.disk.reset(Start::Empty.name());
        scene.configure(Start::Pruned);
        scene.world.once().exits(0);
        scene.disk.keep(Start::Pruned.name());
        scene
    }

    fn archive_too_early(&mut self) {
        self.configure(Start::Late);
        let window = self.windows()[0];
        for job in JOBS {
            self.backfill(job, window.from().to_string(), window.to().to_string());
            self.world.make_ledger_older(job, &self.due);
            self.first.extend(self.world.folders(job)[0].content());
        }
    }

    fn interrupt(&mut self) {
        self.configure(Start::Interrupted);
        let (first, second) = (self.due.windows[0], self.due.windows[1]);
        self.backfill("shop", first.from().to_string(), second.to().to_string());
        self.backfill("mail", first.from().to_string(), first.to().to_string());
        let (shop, mail) = (self.world.ledger("shop"), self.world.ledger("mail"));
        let line = fs::read(&shop).unwrap();
        fs::write(&shop, &line[..line.len() - 60]).unwrap();
        fs::write(mail, "").unwrap();
        // What is not durable yet, no head names.
        self.world.forget_heads();
    }

    fn backfill(&self, job: &str, from: String, to: String) {
        self.world
            .run(&["backfill", "--job", job, "--from", &from, "--to", &to])
            .exits(0);
    }

    /// The windows that are archived in the end.
    pub fn windows(&self) -> &[Span] {
        match self.start {
            Start::Empty | Start::Refused | Start::Zips => &self.due.windows[2..],
            Start::Group => &self.quarters,
            Start::Interrupted | Start::Pruned => &self.due.windows,
            Start::Late | Start::Damaged => &self.due.windows[1..],
        }
    }

    /// The folders of a job in the end: the windows of them, and whether they are published anew.
    pub fn folders(&self, job: &str) -> Vec<(Span, bool)> {
        let mut folders: Vec<_> = self.windows().iter().map(|&w| (w, false)).collect();
        if self.start == Start::Late && job == LATE {
            folders.insert(1, (self.windows()[0], true));
        }
        if self.start == Start::Damaged && job == damaged::JOB {
            folders[0].1 = true;
        }
        folders
    }

    fn configure(&mut self, start: Start) {
        self.start = start;
        let due = Due {
            windows: self.windows().to_vec(),
            window: match start {
                Start::Group => "6h",
                _ => self.due.window,
            },
            // Nothing of the day after them has settled.
            settle_s: match start {
                Start::Group => self.due.settle_s + 9 * 3600,
                _ => self.due.settle_s,
            },
        };
        let shop = Job::new("shop", &due)
            .with("count", COUNT)
            .with("limit", "5");
        let mail = Job::new("mail", &due).with("format", "\"csv\"");
        let recheck = match start {
            Start::Empty
            | Start::Interrupted
            | Start::Refused
            | Start::Group
            | Start::Zips
            | Start::Damaged
            | Start::Pruned => "\"never\"".to_owned(),
            Start::Late => format!("\"{}s\"", due.settle_s + 60),
        };
        self.world
            .configure(&[shop, mail].map(|job| job.with("recheck", &recheck)));
        match start {
            Start::Group => self.world.at_once(8),
            Start::Zips => self.world.keep_zips(true),
            _ => {}
        }
        self.world.sign_heads();
    }

    /// Lays everything out as it is at the start.
    pub fn lay(&mut self, start: Start) {
        self.disk.reset(start.name());
        self.configure(start);
        let _ = fs::remove_file(self.log());
        self.spoil_one_answer();
    }

    /// Has the service send the zip that is refused, where the start is about that.
    fn spoil_one_answer(&self) {
        self.world.service.set_faults(match self.start {
            Start::Refused => refused::once(),
            _ => FaultPlan::none(),
        });
    }

    /// What the last run that was traced has printed.
    pub fn log(&self) -> PathBuf {
        self.scratch.path().join("traced.log")
    }

    pub fn disks(&self) -> Disks {
        self.disk.paths()
    }

    /// Runs a cycle of which every call is seen.
    pub fn traced(&self, at: Option<(At<'_>, What)>, lie: Lie) -> Traced {
        let _inside = self.runtime.enter();
        self.spoil_one_answer();
        let command = command(self.start.command(), &self.world.path(""));
        tracer::run(&command, &self.log(), &self.disks(), at, lie)
    }

    /// What must hold at any instant: what can be seen is whole, what a ledger claims is there, and
    /// no key is anywhere.
    pub fn look(&self) -> Result<(), String> {
        violation(|| {
            let (disks, keys) = (self.disks(), self.world.keys());
            let log = fs::read(self.log()).unwrap_or_default();
            keys.assert_not_in("the log", &log);
            for disk in [&disks.archive, &disks.state] {
                keys.assert_not_below(disk, &[]);
            }
            refused::assert_nothing_half(&disks, &String::from_utf8_lossy(&log));
            let damaged = self.damaged();
            if let Some(damaged) = damaged {
                damaged.assert_is_kept(&disks);
                let events = self.whole_lines(damaged::JOB);
                damaged.assert_is_out_of_the_way(&events, &disks);
            }
            for job in JOBS {
                let mut folders = self.world.folders(job);
                let visible = self.visible(job);
                assert_eq!(
                    folders.len(),
                    visible.len(),
                    "half a folder is visible: {visible:?}"
                );
                let mut sums = String::new();
                let mut published = Vec::new();
                if let Some(damaged) = damaged {
                    folders.retain(|folder| !damaged.is_at(&folder.path, &disks));
                    published.push((damaged.name.clone(), damaged.manifest.clone()));
                }
                for folder in &folders {
                    let listed = pruned::sums(folder);
                    for line in listed.lines() {
                        let (digest, file) = line.split_once("  ").unwrap();
                        sums += &format!("{digest}  {}\n", folder.path.join(file).display());
                    }
                    let manifest = listed.split_once(' ').unwrap().0.to_owned();
                    published.push((folder.name.clone(), manifest));
                }
                check_sums(&sums);
                if self.start == Start::Pruned {
                    pruned::assert_announced(&folders, &self.whole_lines(job));
                }
                for folder in &folders {
                    if !self.is_first(folder) && !pruned::is_pruned(folder) {
                        self.world.assert_holds_the_truth(job, folder);
                    }
                }
                self.look_at_ledger(job, &published);
            }
            heads::assert_name_what_is_there(&disks);
            if self.start == Start::Late {
                for (path, bytes) in &self.first {
                    assert!(fs::read(path).unwrap() == *bytes, "{path:?} has changed");
                }
            }
        })
    }

    /// Whether a folder was archived too early to hold the truth.
    fn is_first(&self, folder: &Folder) -> bool {
        self.start == Start::Late
            && self.first.contains_key(&folder.path.join("manifest.json"))
            && folder.path.starts_with(self.disks().root().join(LATE))
    }

    fn look_at_ledger(&self, job: &str, published: &[(String, String)]) {
        let name = JobName::parse(job).unwrap();
        Ledger::read(&self.disks().state_dir(), &name, |_| {}).unwrap();
        for line in self.whole_lines(job) {
            if line["event"] == "archived" {
                let claimed = (
                    line["folder"].as_str().unwrap(),
                    line["manifest_sha256"].as_str().unwrap(),
                );
                assert!(
                    published
                        .iter()
                        .any(|(name, digest)| claimed == (name, digest)),
                    "the ledger claims {claimed:?}; visible are {published:?}"
                );
            }
        }
    }

    /// The whole lines of a job's ledger.
    fn whole_lines(&self, job: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.world.ledger(job)).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text[..whole].lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The folder that is damaged, where this is about one.
    fn damaged(&self) -> Option<&Damaged> {
        self.damaged
            .as_ref()
            .filter(|_| self.start == Start::Damaged)
    }

    /// Folders where a window's belongs.
    fn visible(&self, job: &str) -> Vec<PathBuf> {
        let below = |folder: PathBuf| {
            fs::read_dir(folder)
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path())
        };
        below(self.disks().root().join(job))
            .flat_map(below)
            .collect()
    }

    /// Starts it again and looks at what it comes to: everything, once, and proven.
    pub fn converge(&self) -> Result<(), String> {
        violation(|| {
            self.world.service.set_faults(FaultPlan::none());
            if self.start == Start::Damaged {
                self.world.run(self.start.command()).exits(0);
            }
            self.world.once().exits(0);
            if self.start == Start::Pruned {
                for job in JOBS {
                    let lines = self.whole_lines(job);
                    pruned::assert_finished(&self.world.folders(job), &lines);
                }
                self.world.run(self.start.command()).exits(0);
                self.assert_all_is_done();
            }
            self.assert_all_is_archived();
            assert!(self.world.staged().is_empty(), "{:?}", self.world.staged());
            refused::assert_tidy(&self.disks());
        })
    }

    /// Asserts that nothing is left to be asked for again.
    fn assert_asked_again(&self, job: &str) {
        if self.start == Start::Late && job != LATE {
            let events = self.world.ledger_lines(job);
            let agrees = ["rechecked", "confirmed"];
            let is_it = |event: &&Value| agrees.iter().any(|agrees| event["event"] == *agrees);
            assert_eq!(events.iter().filter(is_it).count(), 1, "{job} asked again");
        }
    }

    /// Asserts that a run which ended well has done all.
    pub fn assert_all_is_done(&self) {
        match self.start {
            Start::Damaged => {
                let due = self.world.status(damaged::JOB)["due"].clone();
                assert_eq!(due, 1, "its window is due");
            }
            Start::Pruned => {
                for job in JOBS {
                    let folders = self.world.folders(job);
                    let is: Vec<bool> = folders.iter().map(pruned::is_pruned).collect();
                    assert_eq!(is, [true, true, false], "{job}");
                    pruned::assert_finished(&folders, &self.whole_lines(job));
                }
                self.world.run(&["verify"]).exits(0);
            }
            _ => self.assert_all_is_archived(),
        }
    }

    /// Asserts that everything is archived, recorded once, and proven.
    pub fn assert_all_is_archived(&self) {
        for job in JOBS {
            self.assert_asked_again(job);
            let folders = self.world.folders(job);
            let found: Vec<_> = folders
                .iter()
                .map(|folder| (folder.window, folder.name.ends_with(".r2")))
                .collect();
            assert_eq!(found, self.folders(job), "{job}");
            let mut recorded: Vec<String> = Vec::new();
            for line in self.world.ledger_lines(job) {
                let folder = || line["folder"].as_str().unwrap().to_owned();
                match line["event"].as_str() {
                    Some("archived") => recorded.push(folder()),
                    Some("missing") => recorded.retain(|known| *known != folder()),
                    _ => {}
                }
            }
            recorded.sort();
            let names: Vec<&String> = folders.iter().map(|folder| &folder.name).collect();
            assert_eq!(
                recorded.iter().collect::<Vec<_>>(),
                names,
                "{job}: recorded and visible"
            );
        }
        self.world.run(&["verify"]).exits(0);
        self.look().unwrap();
    }
}

/// Asserts that `sha256sum` finds every file of the list as the list says.
fn check_sums(list: &str) {
    if list.is_empty() {
        return;
    }
    let mut checking = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    checking
        .stdin
        .take()
        .unwrap()
        .write_all(list.as_bytes())
        .unwrap();
    let checked = checking.wait_with_output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}

/// In memory where there is room: flushing is what takes longest.
fn fast_place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let roomy =
        rustix::fs::statvfs(&memory).is_ok_and(|found| found.f_bavail * found.f_frsize > 1 << 30);
    if roomy { memory } else { std::env::temp_dir() }
}
