//! A process may open so many files, and a machine has so much memory: jobs by the thousand are archived all
//! the same. Carries *Bounded* and *Isolated*. `MANY_JOBS=2000` is the whole proof, under systemd's 1,024 files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::harness::{Due, Job, Running, World, tell};

/// What is allowed, whatever the number of jobs.
const MOST_THREADS: u64 = 64;
const MOST_MEMORY_KIB: u64 = 100 * 1024;

/// Jobs, and files that the process may open: fewer than there are jobs, in any case.
fn size() -> (usize, usize) {
    match std::env::var("MANY_JOBS").map(|jobs| jobs.parse()) {
        Ok(Ok(jobs)) => (jobs, 1024),
        _ => (300, 256),
    }
}

/// The most that a process had at once.
#[derive(Debug, Default)]
struct Peak {
    threads: u64,
    memory_kib: u64,
    files: usize,
}

impl Peak {
    /// Looks at a process; whether it is alive.
    fn look(&mut self, process: u32) -> bool {
        let of = |file: &str| format!("/proc/{process}/{file}");
        let text = fs::read_to_string(of("status")).unwrap_or_default();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // A process that has ended has no memory.
        let Some(memory) = value("VmHWM:") else {
            return false;
        };
        self.memory_kib = self.memory_kib.max(memory);
        self.threads = self.threads.max(value("Threads:").unwrap());
        let files = fs::read_dir(of("fd")).map_or(0, Iterator::count);
        self.files = self.files.max(files);
        true
    }

    #[track_caller]
    fn is_bounded(&self) {
        assert!(self.threads <= MOST_THREADS, "{self:?}");
        assert!(self.memory_kib <= MOST_MEMORY_KIB, "{self:?}");
    }
}

/// Starts a command that may open so many files.
fn spawn(world: &World, files: usize, args: &[&str], variables: &str) -> Running {
    // The same process goes on as ours.
    let script = format!("ulimit -n {files} && {variables} exec \"$0\" \"$@\"");
    world.spawn_by(&["sh", "-c", &script], args)
}

fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 16_384];
    // A signal that arrives meanwhile interrupts it (signal(7)).
    let length = loop {
        match socket.recv(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received.unwrap(),
        }
    };
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Guarantee: Bounded
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn more_jobs_than_a_process_may_open_files_are_all_archived() {
    let (jobs, files) = size();
    let due = Due::hours(1);
    let names: Vec<String> = (0..jobs).map(|at| format!("job-{at:04}")).collect();
    let world = World::of(names.iter().map(|name| due.project(name))).await;
    let tables: Vec<Job> = names.iter().map(|name| Job::new(name, &due)).collect();
    world.configure(&tables);
    world.at_once(4);

    let (mut once_peak, mut run_peak) = (Peak::default(), Peak::default());
    let once = spawn(&world, files, &["once"], "");
    while once_peak.look(once.id()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    tell(format!(
        "{jobs} jobs, {files} files allowed: once {once_peak:?}"
    ));
    let ran = once.wait().exits(0);
    assert!(!ran.stderr.contains("Too many open files"), "{ran:?}");
    for name in &names {
        assert_eq!(world.folders(name).len(), 1, "{name}");
    }
    once_peak.is_bounded();

    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let minute = Some(Duration::from_mins(1));
    socket.set_read_timeout(minute).unwrap();
    let variable = format!("NOTIFY_SOCKET={}", Path::new(&path).display());
    let daemon = spawn(&world, files, &["run"], &variable);
    while !told(&socket).contains("READY=1") {}
    // Each looks at the start, and says so.
    for _ in 0..jobs {
        let status = told(&socket);
        assert!(
            status.contains("; everything due is archived; all is covered until 20"),
            "{status}"
        );
        run_peak.look(daemon.id());
    }
    // Whoever tells more than is read would wait for ever.
    drop(socket);
    daemon.terminate();
    let ran = daemon.wait().exits(0);
    assert!(!ran.stderr.contains("Too many open files"), "{ran:?}");
    run_peak.is_bounded();
    tell(format!(
        "{jobs} jobs, {files} files allowed: run {run_peak:?}"
    ));
}

/// Guarantee: Bounded
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_open_files_that_is_too_low_is_said_and_archives_all_the_same() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.at_once(4);
    let once = spawn(&world, 182, &["once"], "").wait().exits(0);
    once.says("this process may open too few files for max_in_flight = 4: 2 at once");
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let script = "ulimit -Sn 64 && exec \"$0\" \"$@\"";
    let mut daemon = world.spawn_by(&["sh", "-c", script], &["run"]);
    daemon.wait_until_it_says("running");
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.id())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files: Vec<_> = files.unwrap().split_whitespace().collect();
    assert_eq!(files[3], files[4], "{limits}");
    daemon.terminate();
    daemon.wait().exits(0);
}
