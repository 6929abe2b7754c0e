//! The state directory is lost, or an old copy of it comes back, after a project went on under another name: where
//! the old job ended is known from its folders, and nothing is archived twice.

use std::fs;
use std::path::Path;
use std::process::Command;

use elsa_archiver::simulator::Project;
use elsa_archiver::simulator::truth::{Difference, seqs_in};

use super::renamed;
use crate::harness::{Due, Folder, Job, World, project_key};

/// A world in which `shop` archived the first windows, of which its ledger was copied to `old-state` after two,
/// and `store` went on with the others.
async fn went_on(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    backfill(&world, due, 2);
    copy(&world.path("state"), &world.path("old-state"));
    backfill(&world, due, 4);
    world.configure(&[heir(due)]);
    world.once().exits(0);
    assert_eq!(world.folders("shop").len(), 4);
    assert_eq!(world.folders("store").len(), due.windows.len() - 4);
    world.service.clear_journal();
    world
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

fn backfill(world: &World, due: &Due, windows: usize) {
    let (from, to) = (
        due.since().to_string(),
        due.windows[windows - 1].to().to_string(),
    );
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);
}

fn heir(due: &Due) -> Job {
    renamed("store", due).with("succeeds", "\"shop\"")
}

fn lose_state(world: &World, old: bool) {
    fs::remove_dir_all(world.path("state")).unwrap();
    if old {
        fs::rename(world.path("old-state"), world.path("state")).unwrap();
    }
}

/// Asserts that both jobs are known for what they are, and that all is archived once.
#[track_caller]
fn assert_whole(world: &World, due: &Due) {
    world.run(&["verify"]).exits(0).shows("shop: INTACT");
    world.run(&["status"]).exits(0).shows("shop: retired");
    let ended = due.windows[3].to().0;
    assert_eq!(world.status("shop")["covered_until_ms"], ended);
    assert_eq!(world.status("store")["since_ms"], ended);
    let project = world.service.project(&project_key("shop")).unwrap();
    let mut folders = world.folders("shop");
    folders.extend(world.folders("store"));
    let found = folders.iter().flat_map(Folder::records);
    let difference = Difference::between(
        seqs_in(project, due.whole()),
        found.map(|record| record.seq),
    );
    assert!(difference.is_none(), "{difference}");
    world.assert_nothing_left_to_do();
}

/// Guarantee: Its own
/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn where_a_retired_job_ended_is_known_from_its_folders() {
    for old in [false, true] {
        let due = Due::hours(6);
        let world = went_on(&due).await;
        lose_state(&world, old);
        // Before the ledgers are there again, too.
        world.run(&["check"]).exits(0);
        let status = world.status("store");
        assert_eq!(status["since_ms"], due.windows[3].to().0);
        world.once().exits(0).says("rebuilt");
        assert!(world.requests("shop").is_empty());
        assert_whole(&world, &due);
    }
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn an_heir_whose_ledger_is_lost_must_say_again_whom_it_succeeds() {
    for old in [false, true] {
        let due = Due::hours(6);
        let world = went_on(&due).await;
        // Its ledger remembers, so the line is not needed while the ledger is there.
        world.configure(&[renamed("store", &due)]);
        lose_state(&world, old);
        world.run(&["check"]).exits(2).says("succeeds = \"shop\"");
        world.run(&["status"]).exits(1).shows("succeeds = \"shop\"");
        world.once().exits(1).says("succeeds = \"shop\"");
        assert!(world.requests("shop").is_empty());
        world.configure(&[heir(&due)]);
        world.once().exits(0);
        assert!(world.requests("shop").is_empty());
        assert_whole(&world, &due);
    }
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn where_a_retired_job_s_ledger_is_damaged_its_folders_tell_where_it_ended() {
    let due = Due::hours(6);
    let world = went_on(&due).await;
    let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    let damaged = ledger.replacen("\"records\"", "\"recorts\"", 1);
    fs::write(world.ledger("shop"), damaged).unwrap();
    fs::remove_file(world.ledger("store")).unwrap();
    world.configure(&[renamed("store", &due)]);
    world.once().exits(1).says("succeeds = \"shop\"");
    world.configure(&[heir(&due)]);
    world.once().exits(0);
    // As is said of any damaged ledger.
    fs::rename(world.ledger("shop"), world.path("aside")).unwrap();
    world.once().exits(0);
    assert!(world.requests("shop").is_empty());
    assert_whole(&world, &due);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_t_be_the_retired_job_s_does_not_move_its_end() {
    let due = Due::hours(6);
    let world = went_on(&due).await;
    let newest = world.folders("store").pop().unwrap();
    let stray = newest.path.to_str().unwrap().replace("/store/", "/shop/");
    fs::create_dir_all(Path::new(&stray).parent().unwrap()).unwrap();
    copy(&newest.path, Path::new(&stray));
    lose_state(&world, false);
    assert_eq!(world.status("store")["since_ms"], due.windows[3].to().0);
    world.once().exits(0);
    assert!(world.requests("shop").is_empty());
    assert_eq!(world.folders("store").len(), 2);
}

/// Guarantee: Candid
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_retired_job_whose_ledger_is_lost_stays_in_sight() {
    let due = Due::hours(3);
    let world = World::of([
        due.project("shop"),
        Project::silent(&project_key("site"), 17),
    ])
    .await;
    let site = Job::new("site", &due).with("project_id", "17");
    world.configure(&[Job::new("shop", &due), site.clone()]);
    world.once().exits(0);
    world.configure(&[site]);
    fs::remove_dir_all(world.path("state")).unwrap();
    world.run(&["status"]).shows("shop: retired");
    world.run(&["verify"]).shows("shop: ");
    world.once().exits(0);
    assert_eq!(world.status("shop")["covered_until_ms"], due.whole().to().0);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0).shows("shop: INTACT");
}
