//! `repair`: the cure for what `verify` finds.

use std::fs;

use super::{Row, Scene, Stage};
use crate::harness::files_below;

pub const SCENES: &[Scene] = &[
    missing,
    missing_and_looked_at,
    damaged,
    manifest_gone,
    stray,
    sums_gone,
    emptied_root,
    back_from_a_copy,
    in_the_way,
    nothing,
    forgotten_by_the_service,
];

fn missing() -> Vec<Row> {
    let stage = Stage::archived(4);
    fs::remove_dir_all(&stage.folders()[1].path).unwrap();
    let played = stage.when("A folder was deleted", &["verify"]);
    played
        .exits(4)
        .prints("shop: DAMAGED")
        .prints("… is missing")
        .unwritten()
        .after_running(&["repair", "--confirm"])
        .after_pasting("archived by the next cycle, or by `")
        .asking(1)
        .exact()
        .green()
        .row()
}

fn missing_and_looked_at() -> Vec<Row> {
    let stage = Stage::archived(4);
    fs::remove_dir_all(&stage.folders()[1].path).unwrap();
    let played = stage.when("The same", &["repair"]);
    played
        .exits(1)
        .prints("1 folder missing")
        .prints("Nothing was changed. A good folder of a copy may be put in its place first. To do all of this: `elsa-archiver repair --confirm`")
        .unwritten()
        .after_pasting("To do all of this: `")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn damaged() -> Vec<Row> {
    let stage = Stage::archived(3);
    let folder = stage.folders().swap_remove(1);
    fs::write(files_below(&folder.path.join("part-0001")).remove(0), "[]").unwrap();
    let played = stage.when("A data file was changed", &["repair", "--confirm"]);
    let played = played
        .exits(0)
        .prints("…: moved to .damaged/…, and recorded missing");
    assert!(
        stage
            .world
            .root()
            .join(".damaged")
            .join(&folder.name)
            .is_dir()
    );
    played
        .leaves("the folder is in ROOT/.damaged")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn manifest_gone() -> Vec<Row> {
    let stage = Stage::archived(3);
    let folder = stage.folders().swap_remove(1);
    fs::remove_file(folder.path.join("manifest.json")).unwrap();
    let played = stage.when("A manifest was deleted", &["repair", "--confirm"]);
    let played = played
        .exits(0)
        .prints("…: moved to .damaged/…, and recorded missing");
    assert!(
        stage
            .world
            .root()
            .join(".damaged")
            .join(&folder.name)
            .is_dir()
    );
    played
        .leaves("the folder is in ROOT/.damaged")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn stray() -> Vec<Row> {
    let stage = Stage::archived(3);
    let folder = stage.folders().swap_remove(1);
    fs::write(folder.path.join("part-0001/.nfs0001"), "stray").unwrap();
    let played = stage.when("A stray file lies in a folder", &["repair"]);
    played
        .exits(1)
        .prints("… .nfs0001 would be moved")
        .unwritten()
        .after_pasting("To do all of this: `")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn sums_gone() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_file(stage.folders()[1].path.join("SHA256SUMS")).unwrap();
    let played = stage.when("A SHA256SUMS was deleted", &["repair"]);
    played
        .exits(1)
        .prints("SHA256SUMS would be written again")
        .unwritten()
        .after_pasting("To do all of this: `")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn emptied_root() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(stage.world.root()).unwrap();
    fs::create_dir(stage.world.root()).unwrap();
    let played = stage.when("The disk died; ROOT is a new, empty one", &["repair"]);
    played
        .exits(1)
        .prints("the root ROOT becomes archive … which the state directory STATE belongs to")
        .prints("3 folders missing")
        .unwritten()
        .after_pasting("To do all of this: `")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn back_from_a_copy() -> Vec<Row> {
    let stage = Stage::archived(3);
    let folder = stage.folders().swap_remove(1);
    fs::rename(&folder.path, stage.world.path("tape")).unwrap();
    stage.world.run(&["repair", "--confirm"]).exits(0);
    fs::rename(stage.world.path("tape"), &folder.path).unwrap();
    let played = stage.when(
        "A folder that was missing is put back from a copy",
        &["repair", "--confirm"],
    );
    played
        .exits(0)
        .prints("…: it is back, and counts again")
        .asking(0)
        .exact()
        .green()
        .row()
}

fn in_the_way() -> Vec<Row> {
    let stage = Stage::archived(3);
    let folder = stage.folders().swap_remove(1);
    fs::remove_dir_all(&folder.path).unwrap();
    stage.world.run(&["repair", "--confirm"]).exits(0);
    let place = stage.world.root().join(format!("{}.r2", folder.name));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("notes.txt"), "mine").unwrap();
    let played = stage.when(
        "Something lies where the window is to be archived again",
        &["repair"],
    );
    played
        .exits(1)
        .prints("1 folder in the way")
        .unwritten()
        .after_pasting("To do all of this: `")
        .after_pasting("archived by the next cycle, or by `")
        .exact()
        .green()
        .row()
}

fn nothing() -> Vec<Row> {
    let stage = Stage::archived(2);
    let played = stage.when("All is well", &["repair"]);
    played
        .exits(0)
        .prints("Nothing is to be repaired")
        .unwritten()
        .exact()
        .row()
}

fn forgotten_by_the_service() -> Vec<Row> {
    let stage = Stage::archived(4);
    let job = super::lost::past_retention(&stage);
    stage.world.configure(&[job]);
    let folder = stage.folders().swap_remove(0);
    fs::remove_dir_all(&folder.path).unwrap();
    stage
        .world
        .service
        .forget_before(stage.due.windows[2].from());
    let played = stage.when(
        "A folder is missing that the service no longer has",
        &["repair", "--confirm"],
    );
    played
        .exits(0)
        .prints("…: recorded missing")
        .after_running_with(&["once"], 1)
        .after_running(&["status", "--ack", "shop"])
        .exact_but_lost()
        .green()
        .row()
}
