//! `verify`: what is proven, and what can't be.

use std::fs;

use super::{Row, Scene, Stage};
use crate::harness::files_below;

pub const SCENES: &[Scene] = &[
    intact,
    changed,
    added,
    emptied_job,
    gap,
    copy,
    part,
    copy_with_a_hole,
    nothing_there,
];

fn intact() -> Vec<Row> {
    let stage = Stage::archived(3);
    let played = stage.when("All is well", &["verify"]);
    played
        .exits(0)
        .prints("shop: INTACT: 3 windows")
        .unwritten()
        .exact()
        .row()
}

fn changed() -> Vec<Row> {
    let stage = Stage::archived(3);
    let data = files_below(&stage.folders()[1].path.join("part-0001")).remove(0);
    let mut bytes = fs::read(&data).unwrap();
    bytes[10] ^= 1;
    fs::write(&data, bytes).unwrap();
    let played = stage.when("A byte was changed", &["verify"]);
    played
        .exits(4)
        .prints("shop: DAMAGED")
        .prints("… was changed")
        .unwritten()
        .after_running(&["repair", "--confirm"])
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn added() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::write(stage.folders()[1].path.join("more.json"), "{}").unwrap();
    let played = stage.when("A file was added to a folder", &["verify"]);
    played
        .exits(4)
        .prints("shop: DAMAGED")
        .prints("… more.json")
        .unwritten()
        .after_running(&["repair", "--confirm"])
        .exact()
        .green()
        .row()
}

fn emptied_job() -> Vec<Row> {
    let stage = Stage::archived(3);
    fs::remove_dir_all(stage.world.root().join("shop")).unwrap();
    let played = stage.when(
        "A job's folder is gone, and the ledger knows its windows",
        &["verify"],
    );
    played
        .exits(4)
        .prints("shop: DAMAGED")
        .prints("… is missing")
        .unwritten()
        .after_running(&["repair", "--confirm"])
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn gap() -> Vec<Row> {
    let stage = Stage::archived(4);
    let earlier = stage.due.windows[0]
        .from()
        .plus(elsa_archiver::domain::span::Millis(-3_600_000));
    stage
        .world
        .configure(&[stage.job().with("since", &format!("\"{earlier}\""))]);
    let played = stage.when("`since` was moved an hour back", &["verify"]);
    played
        .exits(1)
        .prints("shop: INCOMPLETE")
        .prints("gap: nothing is archived from …")
        .unwritten()
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

/// A copy of the archive, or of a part, as a collector makes it.
fn copied(stage: &Stage, part: &std::path::Path) -> String {
    let copy = stage.world.path("copy").display().to_string();
    crate::harness::sh(&["cp", "-r", &part.display().to_string(), &copy]);
    copy
}

fn copy() -> Vec<Row> {
    let stage = Stage::archived(3);
    let copy = copied(&stage, &stage.world.root());
    let played = stage.when("A copy, without config and ledger", &["verify", &copy]);
    played
        .exits(0)
        .prints("shop: INTACT: 3 windows")
        .prints("what should have come after can't be known from a copy")
        .unwritten()
        .exact()
        .row()
}

fn part() -> Vec<Row> {
    let stage = Stage::archived(3);
    let copy = copied(&stage, &stage.folders()[1].path);
    let played = stage.when("A copy of one window's folder", &["verify", &copy]);
    played
        .exits(0)
        .prints("shop: INTACT: 1 window")
        .prints("begins with this window, which follows a manifest that is elsewhere")
        .unwritten()
        .exact()
        .row()
}

fn copy_with_a_hole() -> Vec<Row> {
    let stage = Stage::archived(4);
    let copy = copied(&stage, &stage.world.root());
    let hole = stage.folders().swap_remove(1).name;
    fs::remove_dir_all(stage.world.path("copy").join(hole)).unwrap();
    let played = stage.when(
        "A copy that lacks a folder in the middle",
        &["verify", &copy],
    );
    played
        .exits(4)
        .prints("gap: nothing is archived from …")
        .unwritten()
        .exact()
        .row()
}

fn nothing_there() -> Vec<Row> {
    let stage = Stage::archived(1);
    fs::create_dir(stage.world.path("copy")).unwrap();
    let copy = stage.world.path("copy").display().to_string();
    let played = stage.when("A folder that holds no archive", &["verify", &copy]);
    played
        .exits(1)
        .prints("there is no archived window in … give an archive's root, or the folder of a job, a date or a window")
        .unwritten()
        .exact()
        .row()
}
