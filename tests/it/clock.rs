//! *Exactly once* and *Self-healing* while the machine's clock is set under a running daemon: the
//! real binary with libfaketime's clock, which a file moves. Without the library (the package is
//! mostly called `faketime`) there is nothing to try; the test says so, or fails with `REQUIRE_ALL=1`.

use std::fs;
use std::path::Path;

use crate::harness::{Due, Job, World, left_out, until};

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_under_a_running_daemon_costs_and_doubles_nothing() {
    let Some(library) = LIBRARIES.iter().map(Path::new).find(|path| path.exists()) else {
        left_out("a clock that is set", "libfaketime is not installed");
        return;
    };
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let job = Job::new("shop", &due).with("retention", "\"30d\"");
    world.configure(&[job]);
    let clock = world.path("clock");
    let set = |to: &str| {
        let new = world.path("clock.new");
        fs::write(&new, format!("{to}\n")).unwrap();
        fs::rename(new, &clock).unwrap();
    };
    set("+0");
    let mut daemon = world.spawn_with(
        &["run"],
        &[
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", &clock),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
        ],
    );
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
