//! A daemon at work on small disks of its own.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use elsa_archiver::simulator::Settings;
use tempfile::TempDir;

use super::gate::Gate;
use crate::harness::{Due, Job, Running, World, left_out, own_namespace, sh, until};

pub const JOBS: [&str; 2] = ["shop", "mail"];

/// Which disks there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One for the archive, one for the state.
    Apart,
    /// One for both.
    Together,
}

/// A disk in memory; dropping it unmounts it.
pub struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Self, String> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(&at)
            .output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        match mounted.status.success() {
            true => Ok(Self(at)),
            false => Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned()),
        }
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let error = loop {
            if let Err(error) = ballast.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }

    pub fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    pub fn enlarge(&self) {
        sh(&["mount", "-o", "remount,size=96m", self.path()]);
    }

    /// The daemon holds files of the disk open, so that it can't be remounted; a second, read-only
    /// mount hides the first.
    pub fn make_read_only(&self) {
        sh(&["mount", "--bind", self.path(), self.path()]);
        sh(&["mount", "-o", "remount,bind,ro", self.path()]);
    }

    /// Puts an empty disk over it, as if it were not mounted; the daemon keeps its lock open.
    pub fn hide(&self) {
        sh(&["mount", "-t", "tmpfs", "tmpfs", self.path()]);
    }

    /// What lies on the empty disk over it.
    pub fn lies_on_top(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Takes the empty disk, or the read-only one, away.
    pub fn show(&self) {
        self.make_writable();
    }

    pub fn make_writable(&self) {
        // Whoever is just looking at it keeps it busy for a moment.
        until("the read-only mount is gone", || {
            let ran = Command::new("umount").arg(&self.0).output().unwrap();
            ran.status.success()
        });
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Where archive and state lie. The disks go before the folder that they are mounted in.
struct Ground {
    archive: Disk,
    state: Option<Disk>,
    _dir: TempDir,
}

impl Ground {
    fn new(layout: Layout) -> Result<Self, String> {
        own_namespace()?;
        let dir = tempfile::tempdir().unwrap();
        let archive = Disk::mount(dir.path().join("disk"))?;
        let state = match layout {
            Layout::Apart => Some(Disk::mount(dir.path().join("another"))?),
            Layout::Together => None,
        };
        Ok(Self {
            archive,
            state,
            _dir: dir,
        })
    }

    fn state(&self) -> &Disk {
        self.state.as_ref().unwrap_or(&self.archive)
    }
}

/// The daemon, and how often a job of it has looked so far.
pub struct Daemon {
    pub running: Running,
    looks: Arc<AtomicUsize>,
}

impl Daemon {
    /// Waits until each job has looked some more times. In the middle of a look it may be told how it goes, too.
    pub fn look_often(&self) {
        let enough = self.looks.load(Ordering::SeqCst) + 6 * JOBS.len();
        until("the jobs have looked", || {
            self.looks.load(Ordering::SeqCst) >= enough
        });
    }
}

/// Three windows due for each of two jobs, behind a gate.
pub struct Scene {
    pub world: World,
    pub due: Due,
    pub gate: Gate,
    ground: Ground,
}

impl Scene {
    /// Lays it out; `None`, and a line that says so, where nothing can be mounted. What this thread
    /// starts from now on sees the disks.
    pub async fn new(layout: Layout, settings: Settings) -> Option<Self> {
        let ground = match Ground::new(layout) {
            Ok(ground) => ground,
            Err(why) => {
                left_out("disks that run full under a living daemon", why);
                return None;
            }
        };
        let due = Due::hours(3);
        let settings = Settings {
            projects: JOBS.map(|job| due.project(job)).into(),
            ..settings
        };
        let mut world = World::start(settings).await;
        world.place(
            ground.archive.0.join("archive"),
            ground.state().0.join("state"),
        );
        // The ledger's first line nearly fills a page, so that the next one needs room on the disk.
        let fields = ["logTime", "logLevel", "host", "body", "seq"].map(str::to_owned);
        let more = (0..522).map(|at| format!("f{at:03}"));
        let fields: Vec<String> = fields.into_iter().chain(more).collect();
        let fields = format!("{fields:?}");
        world.configure(&JOBS.map(|job| Job::new(job, &due).with("include_fields", &fields)));
        let service = world.service.endpoint();
        let address = service.trim_start_matches("http://").parse().unwrap();
        let gate = Gate::before(address).await;
        world.write_config(&world.config().replace(&service, &gate.endpoint));
        world.at_once(4);
        Some(Self {
            world,
            due,
            gate,
            ground,
        })
    }

    /// Starts the daemon, which looks each second.
    pub fn start(&self) -> Daemon {
        let path = self.world.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let looks = Arc::<AtomicUsize>::default();
        thread::spawn({
            let looks = Arc::clone(&looks);
            move || {
                let mut told = [0; 4096];
                while let Ok(length) = socket.recv(&mut told) {
                    // After each look, how it goes; at the start, more than that.
                    let looked = told[..length].starts_with(b"STATUS=");
                    looks.fetch_add(usize::from(looked), Ordering::SeqCst);
                }
            }
        });
        Daemon {
            running: self.world.spawn_with(&["run"], &[("NOTIFY_SOCKET", &path)]),
            looks,
        }
    }

    /// The archive's disk, or the only one.
    pub fn archive_disk(&self) -> &Disk {
        &self.ground.archive
    }

    /// The state's disk, or the only one.
    pub fn state_disk(&self) -> &Disk {
        self.ground.state()
    }

    /// What is set aside beside a job's ledger.
    pub fn reserve(&self, job: &str) -> PathBuf {
        self.world.ledger(job).with_extension("reserve")
    }

    /// Waits until `status` says that so many windows of a job are due.
    pub fn until_due(&self, job: &str, windows: u64) {
        until(&format!("{windows} windows of {job} are due"), || {
            self.world.status(job)["due"] == windows
        });
    }

    /// Waits until `status` gives a reason like `what` for the last failure of a job.
    pub fn until_status_says(&self, job: &str, what: &str) {
        until(&format!("`status` says {what:?} of {job}"), || {
            let message = &self.world.status(job)["last_error"]["message"];
            message.as_str().is_some_and(|text| text.contains(what))
        });
    }

    /// Waits until the daemon, as it is, has archived everything, ends it, and asserts that what it
    /// leaves is the truth and nothing else.
    pub fn makes_good(self, daemon: Daemon) -> World {
        for job in JOBS {
            self.until_due(job, 0);
        }
        self.world.run(&["status"]).exits(0);
        daemon.running.terminate();
        let ran = daemon.running.wait().exits(0);
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        for job in JOBS {
            self.world.assert_archived(job, &self.due.windows);
            let reserve = fs::metadata(self.reserve(job)).unwrap();
            assert_eq!(reserve.len(), 64 * 1024);
        }
        self.world.run(&["verify"]).exits(0);
        let staged = self.world.staged();
        assert!(staged.is_empty(), "{staged:?}");
        // Keys are looked for there.
        for place in [&self.ground.archive, self.ground.state()] {
            let copy = self.world.path(place.0.file_name().unwrap());
            sh(&["cp", "-r", place.path(), copy.to_str().unwrap()]);
        }
        self.world
    }
}
