//! *Self-healing*, *Bounded*, *Candid* on disks that run full or turn read-only under a living
//! daemon: it says so, asks for nothing that it can't keep, and makes good by itself as soon as there
//! is space.

mod gate;
mod scene;

use std::fs;

use crate::harness::{World, project_key, zip_of};
use elsa_archiver::simulator::{Dialect, Fault, FaultPlan, Framing, Settings};
use scene::{JOBS, Layout, Scene};
use serde_json::Value;

const MIB: usize = 1 << 20;

/// What the ledgers say has failed.
fn failures(scene: &Scene, job: &str) -> Vec<Value> {
    let mut lines = scene.world.ledger_lines(job);
    lines.retain(|line| line["event"] == "failed");
    lines
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_archive_s_disk_runs_full_makes_good_as_soon_as_there_is_space() {
    // In chunks, so that nothing is announced and the disk itself has to refuse.
    let settings = Settings {
        dialect: Dialect {
            framing: Framing::Chunked,
            ..Dialect::default()
        },
        ..Settings::default()
    };
    let Some(scene) = Scene::new(Layout::Apart, settings).await else {
        return;
    };
    let config = scene.world.config().replace("\"1MiB\"", "\"1B\"");
    scene.world.write_config(&config);
    let daemon = scene.start();
    scene.gate.until_wait(JOBS.len());
    scene.archive_disk().fill();
    scene.gate.open();
    for job in JOBS {
        scene.until_status_says(job, "free some space, then the next cycle tries again");
    }
    daemon.look_often();
    // A window each found out; the others were not even asked for.
    let asked = scene.world.service.journal().len();
    assert!(asked <= JOBS.len(), "{asked}");
    for job in JOBS {
        assert!(failures(&scene, job).len() <= scene.due.windows.len());
    }
    scene.archive_disk().empty();
    scene.makes_good(daemon);
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_state_s_disk_runs_full_makes_good_as_soon_as_there_is_space() {
    let Some(scene) = Scene::new(Layout::Apart, Settings::default()).await else {
        return;
    };
    let mut daemon = scene.start();
    scene.gate.until_wait(JOBS.len());
    for job in JOBS {
        // What is set aside for this very case has been used up already.
        fs::remove_file(scene.reserve(job)).unwrap();
    }
    scene.state_disk().fill();
    scene.gate.open();
    // It can't be recorded: the log has to say it, and `status` that windows are due.
    daemon
        .running
        .wait_until_it_has_said("ledger.jsonl: No space left on device", JOBS.len());
    daemon.look_often();
    for job in JOBS {
        let status = scene.world.status(job);
        assert_eq!(status["due"], scene.due.windows.len(), "{status}");
        // One folder is there, which the ledger lacks; nothing was built on top of it.
        assert_eq!(scene.world.folders(job).len(), 1);
    }
    scene.state_disk().empty();
    let windows = scene.due.windows.len();
    let world = scene.makes_good(daemon);
    for job in JOBS {
        // The folder was adopted, and not asked for again.
        assert_eq!(world.requests(job).len(), windows);
    }
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_only_disk_runs_full_records_it_and_makes_good_as_soon_as_there_is_space() {
    let Some(scene) = Scene::new(Layout::Together, Settings::default()).await else {
        return;
    };
    let daemon = scene.start();
    scene.gate.until_wait(JOBS.len());
    scene.archive_disk().fill();
    scene.gate.open();
    for job in JOBS {
        scene.until_status_says(job, "free some space, then the next cycle tries again");
    }
    daemon.look_often();
    scene.archive_disk().empty();
    scene.makes_good(daemon);
}

/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_archive_s_disk_turns_read_only_makes_good_as_soon_as_it_can_be_written() {
    let Some(scene) = Scene::new(Layout::Apart, Settings::default()).await else {
        return;
    };
    let daemon = scene.start();
    scene.gate.until_wait(JOBS.len());
    scene.archive_disk().make_read_only();
    scene.gate.open();
    for job in JOBS {
        scene.until_status_says(job, "the file system is mounted read-only");
    }
    let asked = scene.world.service.journal().len();
    daemon.look_often();
    // What could not be put anywhere is not asked for, and a failure that the ledger knows is not
    // told it at each look.
    assert!(scene.world.service.journal().len() <= asked + JOBS.len());
    for job in JOBS {
        let failed = failures(&scene, job);
        assert!(failed.len() <= 2 * scene.due.windows.len(), "{failed:#?}");
    }
    scene.archive_disk().make_writable();
    scene.makes_good(daemon);
}

/// Has the second window of a job answered with something for which there is no space, while all
/// else is answered as it should be.
async fn too_much_for_the_disk(answer: Fault, message: &str) {
    let settings = Settings {
        faults: FaultPlan::steps([None, Some(answer)]).only_for(&project_key(JOBS[0])),
        ..Settings::default()
    };
    let Some(scene) = Scene::new(Layout::Apart, settings).await else {
        return;
    };
    let config = scene.world.config().replace("\"1MiB\"", "\"8MiB\"");
    scene.world.write_config(&config);
    scene.world.at_once(1);
    scene.gate.open();
    let daemon = scene.start();
    let window = scene.due.windows[1];
    scene.until_status_says(JOBS[0], message);
    scene.until_due(JOBS[0], 1);
    scene.until_due(JOBS[1], 0);
    daemon.look_often();
    let times_asked = |world: &World| {
        let mut asked = world.requests(JOBS[0]);
        asked.retain(|entry| entry.from == Some(window.from()));
        asked.len()
    };
    assert_eq!(times_asked(&scene.world), 1);
    assert!(
        scene.world.staged().is_empty(),
        "{:?}",
        scene.world.staged()
    );
    let failed = failures(&scene, JOBS[0]);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["from_ms"], window.from().0);
    // What comes then is an honest answer.
    scene.archive_disk().enlarge();
    let world = scene.makes_good(daemon);
    assert_eq!(times_asked(&world), 2);
}

/// Guarantee: Isolated
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_announces_more_than_there_is_space_for_is_left_until_there_is() {
    let mut zip = b"PK\x03\x04".to_vec();
    zip.resize(17 * MIB, 0);
    too_much_for_the_disk(Fault::Body(zip), "MiB are needed (min_free_space").await;
}

/// Guarantee: Isolated
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_turns_out_to_be_more_than_there_is_space_for_is_left_until_there_is() {
    too_much_for_the_disk(Fault::EndlessBody, "MiB are needed (min_free_space").await;
}

/// Guarantee: Isolated
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_zip_that_declares_more_than_there_is_space_for_is_left_until_there_is() {
    let zip = zip_of("logs.json", &" ".repeat(17 * MIB));
    assert!(zip.len() < MIB);
    too_much_for_the_disk(Fault::Body(zip), "the zip does not fit").await;
}

/// Guarantee: Its own
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_unmounted_under_a_daemon_at_work_is_waited_for_and_its_mount_point_stays_empty()
 {
    let Some(scene) = Scene::new(Layout::Apart, Settings::default()).await else {
        return;
    };
    let daemon = scene.start();
    // A window of each job is on its way.
    scene.gate.until_wait(JOBS.len());
    scene.archive_disk().hide();
    scene.gate.open();
    for job in JOBS {
        scene.until_status_says(job, "so its disk is not mounted");
    }
    daemon.look_often();
    assert_eq!(
        scene.archive_disk().lies_on_top(),
        [""; 0].map(std::path::PathBuf::from)
    );
    scene.archive_disk().show();
    scene.makes_good(daemon);
}
