//! Whoever runs a command over another user's directories.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use super::{Row, Scene, Stage};
use crate::harness::{left_out, sh};

pub const SCENES: &[Scene] = &[
    root_over_another_s,
    lock_of_root,
    ledger_of_root,
    not_writable,
];

const NOBODY: &str = "65534";
const AS_NOBODY: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// A world in which everything but the config is nobody's; `None` where this is not root.
fn nobodys(stage: Stage) -> Option<Stage> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        left_out("another user's directories", "this is not root");
        return None;
    }
    fs::set_permissions(stage.world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for theirs in ["archive", "state", "keys"] {
        let path = stage.world.path(theirs);
        fs::create_dir_all(&path).unwrap();
        sh(&[
            "chown",
            "-R",
            &format!("{NOBODY}:{NOBODY}"),
            &path.display().to_string(),
        ]);
    }
    for key in ["keys/access", "keys/secret"] {
        fs::set_permissions(stage.world.path(key), fs::Permissions::from_mode(0o600)).unwrap();
    }
    Some(stage)
}

fn root_over_another_s() -> Vec<Row> {
    let Some(stage) = nobodys(Stage::due(2)) else {
        return Vec::new();
    };
    let (from, to) = (
        stage.due.since().to_string(),
        stage.due.whole().to().to_string(),
    );
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    let played = stage.when_each(
        "Root runs it, and the directories are the service's user's",
        &[&["repair", "--confirm"], &backfill, &["once"]],
    );
    played
        .exits(1)
        .prints("… belong to nobody … nothing was written …")
        .prints("runuser -u nobody -- …")
        .unwritten()
        .after_pasting_into_a_shell("that line", "\n  ")
        .exact()
        .row()
}

/// What a command run by hand as root may leave.
fn of_root(file: &str, before: &str, told: &str) -> Vec<Row> {
    let Some(stage) = nobodys(Stage::archived(2)) else {
        return Vec::new();
    };
    let path = stage.state().join(file);
    chown(&path, Some(0), Some(0)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let played = stage.when_by(before, AS_NOBODY, &["once"]);
    let played = played
        .exits(1)
        .prints(told)
        .unwritten()
        .after_pasting_into_a_shell("that `chown`", "this runs as uid 65534: `");
    stage.world.spawn_by(AS_NOBODY, &["once"]).wait().exits(0);
    played.exact().row()
}

fn lock_of_root() -> Vec<Row> {
    of_root(
        "lock",
        "STATE/lock is root's",
        "STATE/lock … belongs to uid 0, and this runs as uid 65534 … `chown -R 65534:65534 STATE`",
    )
}

fn ledger_of_root() -> Vec<Row> {
    of_root(
        "shop.ledger.jsonl",
        "A ledger is root's",
        "STATE/shop.ledger.jsonl … belongs to uid 0, and this runs as uid 65534 … `chown -R 65534:65534 STATE`",
    )
}

fn not_writable() -> Vec<Row> {
    let Some(stage) = nobodys(Stage::archived(2)) else {
        return Vec::new();
    };
    chown(stage.world.root(), Some(0), Some(0)).unwrap();
    fs::set_permissions(stage.world.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let played = stage.when_by("ROOT can't be written by the user", AS_NOBODY, &["check"]);
    played
        .exits(1)
        .prints("config.toml:… archive.root: … can't be written by this user (uid 65534)")
        .unwritten()
        .row()
}
