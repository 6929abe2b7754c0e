//! The daemon: windows are archived as they settle, no job waits for another's failure, and
//! however it is stopped, the next start makes good. Carries *Self-healing*, *Isolated*, *Atomic*.

use elsa_archiver::domain::span::Millis;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::harness::{Due, Job, Running, World, until};
use elsa_archiver::simulator::{Fault, FaultPlan};

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_archived_soon_after_it_settles_and_not_before() {
    let due = Due::minutes_of_which_one_is_about_to_settle(4);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let daemon = world.spawn(&["run"]);
    until("the newest window is archived", || {
        world.folders("shop").len() >= due.windows.len()
    });
    daemon.terminate();
    daemon.wait().exits(0);

    // A slow machine may have seen one more minute settle.
    let archived: Vec<_> = world.folders("shop").iter().map(|f| f.window).collect();
    assert_eq!(archived[..due.windows.len()], due.windows);
    world.assert_archived("shop", &archived);
    let mut requests = world.requests("shop");
    requests.sort_by_key(|entry| entry.from);
    assert_eq!(requests.len(), archived.len());
    for (request, window) in requests.iter().zip(&archived) {
        assert_eq!(request.from, Some(window.from()));
        let settled = window.to().plus(Millis(due.settle_s * 1000));
        assert!(request.arrived >= settled, "{request:?} before {settled}");
    }
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_job_delays_no_other_job() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("gone", &due), Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("not archived");
    until("the other job is archived", || {
        world.status("shop")["due"] == 0
    });
    let status = world.status("gone");
    assert_eq!(status["due"], 3);
    let message = status["last_error"]["message"].to_string();
    assert!(message.contains("404"), "{message}");
    daemon.terminate();
    let ran = daemon.wait().exits(0);
    assert!(ran.stderr.lines().any(|line| {
        line.contains("ERROR") && line.contains("job=gone") && line.contains("project_key")
    }));
    world.assert_archived("shop", &due.windows);
    world.assert_archived("gone", &[]);
    // Each window is left alone for a minute, although the schedule looks every second.
    let asked = world.requests("gone");
    for (at, entry) in asked.iter().enumerate() {
        let again = asked[at + 1..]
            .iter()
            .find(|later| later.from == entry.from);
        let pause = again.map(|again| again.arrived_at - entry.arrived_at);
        assert!(
            pause.is_none_or(|pause| pause >= Duration::from_secs(60)),
            "{asked:?}"
        );
    }
}

/// A world whose daemon has archived one window of three and hangs in the middle of the second
/// one's download.
async fn in_the_middle_of_a_download(due: &Due) -> (World, Running) {
    let world = World::of([due.project("shop")]).await;
    let stalls = [None, Some(Fault::StallInBody(300))];
    world.service.set_faults(FaultPlan::steps(stalls));
    world.configure(&[Job::new("shop", due)]);
    let daemon = world.spawn(&["run"]);
    until("a download hangs half-done", || {
        let hangs = world
            .requests("shop")
            .iter()
            .any(|entry| entry.fault.is_some());
        hangs && !world.staged().is_empty()
    });
    (world, daemon)
}

/// What can be seen is whole and recorded, and a new start completes the rest.
fn is_made_good(world: &World, due: &Due) {
    world.assert_archived("shop", &due.windows[..1]);
    world.run(&["verify"]).exits(1).shows("2 windows due");
    world.once().exits(0);
    world.run(&["verify"]).exits(0);
    world.assert_archived("shop", &due.windows);
    assert!(world.staged().is_empty(), "{:?}", world.staged());
    world.run(&["verify"]).exits(0);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_of_a_download_ends_it_in_good_order() {
    let due = Due::hours(3);
    let (world, daemon) = in_the_middle_of_a_download(&due).await;
    let begun = Instant::now();
    daemon.terminate();
    daemon.wait().exits(0);
    assert!(begun.elapsed() < Duration::from_secs(10));
    is_made_good(&world, &due);
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn sigkill_in_the_middle_of_a_download_costs_nothing_but_that_download() {
    let due = Due::hours(3);
    let (world, daemon) = in_the_middle_of_a_download(&due).await;
    assert_eq!(daemon.kill().code, None);
    assert!(!world.staged().is_empty());
    is_made_good(&world, &due);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_once_too_and_says_that_it_is_not_done() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let stalls = FaultPlan::always(Fault::StallBeforeHeaders);
    world.service.set_faults(stalls);
    world.configure(&[Job::new("shop", &due)]);
    let once = world.spawn(&["once"]);
    until("it waits for an answer", || {
        !world.requests("shop").is_empty()
    });
    once.terminate();
    once.wait().exits(1).says("stopped by a signal");
    world.assert_archived("shop", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_s_lock_holds_nobody_up() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("running");
    assert_eq!(daemon.kill().code, None);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_of_the_start_of_how_it_goes_and_of_the_end() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("gone", &due)]);
    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let told = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };

    let daemon = world.spawn_with(&["run"], &[("NOTIFY_SOCKET", &path)]);
    let first = told();
    assert!(first.lines().any(|line| line == "READY=1"), "{first}");
    assert!(
        first.lines().any(|line| line.starts_with("STATUS=")),
        "{first}"
    );
    until("a status names the failing job", || {
        let told = told();
        told.starts_with("STATUS=") && told.contains("gone (windows not archived: 1")
    });
    daemon.terminate();
    until("the end is told", || {
        told().lines().any(|line| line == "STOPPING=1")
    });
    daemon.wait().exits(0);
}
