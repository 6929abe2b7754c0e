//! Root and state directory belong together by an id.

use std::fs;

use super::stage::until_archived;
use super::{Row, Scene, Stage};
use crate::harness::Due;

pub const SCENES: &[Scene] = &[
    first_start,
    not_mounted,
    unmounted_under_a_daemon,
    another_disk,
    no_root_at_all,
    ids_unknown,
    ids_unknown_and_folders_gone,
    id_damaged,
    older_copy_of_the_root,
    two_at_once,
    killed,
];

fn first_start() -> Vec<Row> {
    let stage = Stage::due(2);
    let played = stage.when("Nothing is there yet", &["once"]);
    played
        .exits(0)
        .prints("root and state directory are bound to each other")
        .exact()
        .green()
        .row()
}

fn not_mounted() -> Vec<Row> {
    let stage = Stage::archived(2);
    stage.unmount();
    let played = stage.when_each(
        "The disk of ROOT is not mounted",
        &[&["run"], &["once"], &["check"], &["status"], &["verify"]],
    );
    played
        .exits(1)
        .prints("the archive's root ROOT is not the one that the state directory STATE belongs to … it has no id, so its disk is not mounted … Mount the disk")
        .unwritten()
        .after("mounting it", Stage::mount)
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn unmounted_under_a_daemon() -> Vec<Row> {
    let stage = Stage::of(Due::minutes_of_which_one_is_about_to_settle(3));
    let windows = stage.due.windows.len();
    let played = stage.when_running(
        "The disk goes while `run` works, and comes back",
        &[],
        |daemon| {
            until_archived(&stage, windows - 1);
            stage.unmount();
            daemon.wait_until_it_says("so its disk is not mounted");
            assert_eq!(fs::read_dir(stage.world.root()).unwrap().count(), 0);
            stage.mount();
            until_archived(&stage, windows);
        },
    );
    played
        .exits(0)
        .prints("the archive's root ROOT is not archive … any more, so its disk is not mounted, or it is another one; mount it, then the next cycle goes on")
        .leaves("nothing written to the mount point")
        .exact()
        .row()
}

fn another_disk() -> Vec<Row> {
    let (stage, other) = (Stage::archived(2), Stage::archived(2));
    fs::rename(stage.world.root(), stage.world.path("away")).unwrap();
    fs::rename(other.world.root(), stage.world.root()).unwrap();
    let played = stage.when_each(
        "Another archive's disk is mounted at ROOT",
        &[&["run"], &["once"], &["check"], &["repair", "--confirm"]],
    );
    played
        .exits(1)
        .prints("the archive's root ROOT is archive … and the state directory STATE belongs to archive … Set root and state.dir to two that belong together. If the root is the right one, and its state was lost: move what is in STATE aside and keep it, and the next start rebuilds the state from the folders")
        .unwritten()
        .after("mounting the right one", |stage| {
            fs::rename(stage.world.root(), stage.world.path("other")).unwrap();
            fs::rename(stage.world.path("away"), stage.world.root()).unwrap();
        })
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn no_root_at_all() -> Vec<Row> {
    let stage = Stage::archived(2);
    fs::rename(stage.world.root(), stage.world.path("away")).unwrap();
    let played = stage.when("ROOT is not there at all", &["once"]);
    played
        .exits(1)
        .prints("its disk is not mounted … Mount the disk")
        .unwritten()
        .after("mounting it", |stage| {
            fs::rename(stage.world.path("away"), stage.world.root()).unwrap();
        })
        .after_running(&["once"])
        .exact()
        .row()
}

/// As a version before ids left them.
fn forget_ids(stage: &Stage) {
    fs::remove_dir_all(stage.world.root().join("_archive")).unwrap();
    fs::remove_file(stage.state().join("archive.json")).unwrap();
}

fn ids_unknown() -> Vec<Row> {
    let stage = Stage::archived(2);
    forget_ids(&stage);
    let played = stage.when(
        "A version before ids made it; folders and ledgers agree",
        &["once"],
    );
    played
        .exits(0)
        .prints("root and state directory are bound to each other")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn ids_unknown_and_folders_gone() -> Vec<Row> {
    let stage = Stage::archived(2);
    forget_ids(&stage);
    stage.unmount();
    let played = stage.when(
        "A version before ids made it, and its disk is not mounted",
        &["once"],
    );
    played
        .exits(1)
        .prints(
            "the ledgers in STATE were not written for the archive's root ROOT … Mount the disk",
        )
        .unwritten()
        .after("mounting it", Stage::mount)
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn id_damaged() -> Vec<Row> {
    let stage = Stage::archived(2);
    let (ours, theirs) = (
        stage.state().join("archive.json"),
        stage.world.root().join("_archive/archive.json"),
    );
    fs::write(&ours, [0; 40]).unwrap();
    let played = stage.when_each("STATE/archive.json is damaged", &[&["once"], &["verify"]]);
    played
        .exits(1)
        .prints("can't read STATE/archive.json: … root and state directory hold the same file, so where it is damaged, copy the other one over it")
        .unwritten()
        .after("copying it", |_| assert!(fs::copy(&theirs, &ours).is_ok()))
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn older_copy_of_the_root() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(&stage.folders()[2].path).unwrap();
    let played = stage.when(
        "ROOT was restored from an older copy: the newest folder is not there",
        &["once"],
    );
    played
        .exits(1)
        .prints("… which was archived last, is not there: the archive's root was restored from an older copy, or the folder was deleted. Put it back, or run `elsa-archiver repair --job shop`")
        .unwritten()
        .after_pasting("Put it back, or run `")
        .after_pasting("To do all of this: `")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn two_at_once() -> Vec<Row> {
    let stage = Stage::archived(2);
    let mut daemon = stage.world.spawn(&["run"]);
    daemon.wait_until_it_says("running");
    let played = stage.when_each(
        "`run` is at work",
        &[&["run"], &["once"], &["repair", "--confirm"]],
    );
    let played = played
        .exits(3)
        .prints("another elsa-archiver works on … stop it first")
        .unwritten();
    daemon.terminate();
    daemon.wait().exits(0);
    played
        .after("stopping it", |_| ())
        .after_running(&["once"])
        .exact()
        .row()
}

fn killed() -> Vec<Row> {
    let stage = Stage::due(6);
    let running = stage.world.spawn(&["once"]);
    until_archived(&stage, 2);
    running.kill();
    let played = stage.when("`once` was killed while it archived", &["once"]);
    played
        .exits(0)
        .prints("… windows archived …")
        .exact()
        .green()
        .row()
}
