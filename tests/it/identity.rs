//! *Its own*: an archive and its state know each other, and what does not belong together is refused before
//! anything is written. A root that is renamed stands for a disk that is not mounted.

use std::fs;
use std::path::Path;

use crate::harness::{Due, Job, World, files_below, until};
use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::Value;

/// The id in a file of the archive's.
fn id(path: &Path) -> String {
    let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    json["id"].as_str().unwrap().to_owned()
}

/// A world with an archive and a job that has all of `due` but what is to come.
async fn archived(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.once().exits(0);
    world
}

/// Everything below a folder, by name and content.
fn all(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = files_below(folder);
    files
        .into_iter()
        .map(|file| {
            let bytes = fs::read(&file).unwrap();
            (file, bytes)
        })
        .collect()
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn root_and_state_are_bound_at_the_first_start_and_stay_so() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    let (root, state) = (
        world.root().join("_archive/archive.json"),
        world.path("state/archive.json"),
    );
    let first = id(&root);
    assert_eq!(first, id(&state));
    world.once().exits(0);
    assert_eq!((id(&root), id(&state)), (first.clone(), first.clone()));
    let status = world.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["archive"]["id"], first.as_str());
    assert_eq!(
        status["archive"]["root"],
        world.root().display().to_string()
    );
    assert!(status["archive"]["free_bytes"].is_u64());
    // The archive's own folder is no job's.
    world.run(&["verify"]).exits(0);
    world
        .run(&["verify", &world.copy_and_nothing_else()])
        .exits(0);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_is_refused_and_nothing_is_written_to_its_mount_point() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    let (root, away) = (world.root(), world.path("away"));
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    let state = all(&world.path("state"));
    for command in [
        &["once"][..],
        &["run"],
        &["check"],
        &["status"],
        &["verify"],
    ] {
        let ran = world.run(command).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for what in [
            root.display().to_string(),
            world.path("state").display().to_string(),
            "Mount the disk".to_owned(),
        ] {
            assert!(told.contains(&what), "{command:?}: {told}");
        }
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    assert_eq!(all(&world.path("state")), state);
    // Not even the folder is made where there is none.
    fs::remove_dir(&root).unwrap();
    world.once().exits(1);
    assert!(!root.exists());
    fs::rename(&away, &root).unwrap();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Its own
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_and_comes_under_a_running_daemon_gets_what_was_due_meanwhile() {
    let due = Due::minutes_of_which_one_is_about_to_settle(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (root, away) = (world.root(), world.path("away"));
    let mut daemon = world.spawn(&["run"]);
    until("the first windows are archived", || {
        world.folders("shop").len() >= due.windows.len() - 1
    });
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    daemon.wait_until_it_says("so its disk is not mounted");
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    until("the newest window is archived", || {
        world.folders("shop").len() >= due.windows.len()
    });
    daemon.terminate();
    daemon.wait().exits(0);
    let archived: Vec<_> = world.folders("shop").iter().map(|f| f.window).collect();
    assert_eq!(archived[..due.windows.len()], due.windows);
    world.assert_archived("shop", &archived);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn another_archive_is_refused_and_a_lost_state_takes_over_what_it_finds() {
    let due = Due::hours(2);
    let (world, other) = (archived(&due).await, archived(&due).await);
    let (root, away) = (world.root(), world.path("away"));
    fs::rename(&root, &away).unwrap();
    fs::rename(other.root(), &root).unwrap();
    let found = all(&root);
    world.once().exits(1).says("belong together");
    assert_eq!(all(&root), found);
    // With its state lost, the archive is the one that is there.
    fs::remove_dir_all(world.path("state")).unwrap();
    world.once().exits(0);
    assert_eq!(
        id(&root.join("_archive/archive.json")),
        id(&world.path("state/archive.json"))
    );
    world.assert_archived("shop", &due.windows);
    let mut lines = world.ledger_lines("shop");
    lines.retain(|line| line["event"] == "archived");
    assert_eq!(lines.len(), due.windows.len());
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_a_version_before_ids_is_bound_where_folders_and_ledgers_agree() {
    for agrees in [true, false] {
        let due = Due::hours(2);
        let world = archived(&due).await;
        fs::remove_dir_all(world.root().join("_archive")).unwrap();
        fs::remove_file(world.path("state/archive.json")).unwrap();
        if agrees {
            world.once().exits(0);
            assert_eq!(world.ledger_lines("shop").len(), due.windows.len());
            world.run(&["verify"]).exits(0);
        } else {
            fs::remove_dir_all(world.root()).unwrap();
            world.once().exits(1).says("were not written for");
            assert!(!world.root().exists());
        }
    }
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_can_t_be_read_is_no_missing_one() {
    let due = Due::hours(1);
    let world = archived(&due).await;
    let path = world.path("state/archive.json");
    let before = fs::read(&path).unwrap();
    fs::write(&path, "{\"schema\":2}").unwrap();
    let ran = world.once().exits(1);
    assert!(ran.stderr.contains("archive.json"), "{}", ran.stderr);
    world.run(&["verify"]).exits(1);
    assert_eq!(fs::read(&path).unwrap(), b"{\"schema\":2}");
    // What a failing disk may leave is cured with the other one.
    fs::write(&path, vec![0; before.len()]).unwrap();
    world.once().exits(1).says("copy the other one over it");
    fs::copy(world.root().join("_archive/archive.json"), &path).unwrap();
    world.once().exits(0);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_between_two_attempts_gets_nothing_written_to_its_mount_point() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
        .service
        .set_faults(FaultPlan::script([Fault::Reset, Fault::Reset]));
    let (root, away) = (world.root(), world.path("away"));
    let mut once = world.spawn(&["once"]);
    once.wait_until_it_has_said("attempt failed", 2);
    fs::rename(&root, &away).unwrap();
    fs::create_dir(&root).unwrap();
    once.wait().exits(1).says("its disk is not mounted");
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    fs::remove_dir(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn an_older_archive_is_bound_where_the_folders_of_a_removed_job_were_deleted() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop"), due.project("old")]).await;
    world.configure(&[Job::new("old", &due), Job::new("shop", &due)]);
    world.once().exits(0);
    fs::remove_dir_all(world.root().join("old")).unwrap();
    fs::remove_dir_all(world.root().join("_archive")).unwrap();
    fs::remove_file(world.path("state/archive.json")).unwrap();
    // It still is a job that archives: its folders are missed.
    world.once().exits(1).says("were not written for");
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    assert!(world.path("state/archive.json").exists());
    // Where no folder at all is there, its disk is not either.
    fs::remove_dir_all(world.root()).unwrap();
    fs::remove_file(world.path("state/archive.json")).unwrap();
    fs::remove_file(world.ledger("shop")).unwrap();
    world.once().exits(1).says("were not written for");
    assert!(!world.root().exists());
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_ledger_of_an_older_version_still_tells_which_folders_there_were() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    fs::remove_dir_all(world.root()).unwrap();
    fs::remove_file(world.path("state/archive.json")).unwrap();
    let mut ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    ledger += "damaged\n{}\n";
    fs::write(world.ledger("shop"), ledger).unwrap();
    world.once().exits(1).says("were not written for");
    assert!(!world.root().exists());
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_known_to_be_gone_is_not_missed_when_an_id_is_lost() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    fs::remove_dir_all(&world.folders("shop")[1].path).unwrap();
    world.run(&["repair", "--confirm"]).exits(0);
    fs::remove_file(world.path("state/archive.json")).unwrap();
    world.once().exits(0);
    world.run(&["verify"]).exits(0);
}
