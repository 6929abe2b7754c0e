//! *Exactly once* and *Self-healing* while the machine's clock is set under a running daemon: the
//! real binary with libfaketime's clock, which a file moves. Without the library (the package is
//! mostly called `faketime`) there is nothing to try; the test says so, or fails with `REQUIRE_ALL=1`.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Due, Job, World, left_out, until};

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

pub fn library() -> Option<&'static Path> {
    let library = LIBRARIES.iter().map(Path::new).find(|path| path.exists());
    if library.is_none() {
        left_out("a clock that is set", "libfaketime is not installed");
    }
    library
}

/// A clock that a file moves.
struct MovedClock<'a> {
    world: &'a World,
    library: &'a Path,
    file: PathBuf,
}

impl<'a> MovedClock<'a> {
    fn new(world: &'a World, library: &'a Path) -> Self {
        let file = world.path("clock");
        Self {
            world,
            library,
            file,
        }
    }

    fn set(&self, to: &str) {
        let new = self.world.path("clock.new");
        fs::write(&new, format!("{to}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn variables(&self) -> [(&'static str, &Path); 4] {
        [
            ("LD_PRELOAD", self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
        ]
    }
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_boots_before_its_clock_is_set_archives_as_soon_as_it_is() {
    let Some(library) = library() else { return };
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let clock = MovedClock::new(&world, library);
    clock.set("-9000d");
    let variables = clock.variables();
    for refused in ["check", "once"] {
        let ran = world.spawn_with(&[refused], &variables).wait();
        ran.exits(2).says("set this machine's clock");
    }

    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut variables = variables.to_vec();
    variables.push(("NOTIFY_SOCKET", &path));
    let mut daemon = world.spawn_with(&["run"], &variables);
    daemon.wait_until_it_says("waiting until this machine's clock is set");
    let mut told = [0; 4096];
    let length = socket.recv(&mut told).unwrap();
    let told = String::from_utf8_lossy(&told[..length]);
    // Without it systemd would end it before long.
    assert!(told.lines().any(|line| line == "READY=1"), "{told}");
    let status = "STATUS=waiting until the clock is set: ";
    assert!(told.lines().any(|line| line.starts_with(status)), "{told}");
    assert!(!world.root().exists());

    clock.set("+0");
    until("what is due is archived", || {
        world.folders("shop").len() == due.windows.len()
    });
    daemon.terminate();
    let ran = daemon.wait().exits(0);
    let waited = ran
        .stderr
        .matches("waiting until this machine's clock")
        .count();
    assert_eq!(waited, 1, "{}", ran.stderr);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_waits_for_the_clock_ends_in_good_order() {
    let Some(library) = library() else { return };
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let clock = MovedClock::new(&world, library);
    clock.set("-9000d");
    let mut daemon = world.spawn_with(&["run"], &clock.variables());
    daemon.wait_until_it_says("waiting until this machine's clock is set");
    daemon.terminate();
    daemon.wait().exits(0);
    assert!(!world.root().exists());
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_under_a_running_daemon_costs_and_doubles_nothing() {
    let Some(library) = library() else { return };
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let job = Job::new("shop", &due).with("retention", "\"30d\"");
    world.configure(&[job]);
    let clock = MovedClock::new(&world, library);
    let set = |to: &str| clock.set(to);
    set("+0");
    let mut daemon = world.spawn_with(&["run"], &clock.variables());
    until("what is due is archived", || {
        world.folders("shop").len() == due.windows.len()
    });
    // Far ahead everything seems to be due, or lost already; the service says what time it is.
    set("+400d");
    daemon.wait_until_it_says("the local clock has changed");
    daemon.wait_until_it_says("ahead of the service's");
    set("-2d");
    daemon.wait_until_it_has_said("the local clock has changed", 2);
    set("+0");
    daemon.wait_until_it_has_said("the local clock has changed", 3);
    daemon.terminate();
    daemon.wait().exits(0);
    world.assert_archived("shop", &due.windows);
    let events = world.ledger_lines("shop");
    assert!(
        events.iter().all(|line| line["event"] != "lost"),
        "{events:?}"
    );
    world.run(&["verify"]).exits(0);
    world.assert_nothing_left_to_do();
}
