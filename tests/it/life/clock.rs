//! The machine's clock.

use std::fs;
use std::path::{Path, PathBuf};

use super::stage::until_archived;
use super::{Row, Scene, Stage};
use crate::clock::library;
use crate::harness::Running;

pub const SCENES: &[Scene] = &[not_set, waits, since_ahead, jumps, another_zone];

/// A clock that is set by a file.
struct Moved {
    library: &'static Path,
    file: PathBuf,
}

impl Moved {
    fn new(stage: &Stage, to: &str) -> Option<Self> {
        let moved = Self {
            library: library()?,
            file: stage.world.path("clock"),
        };
        moved.set(to);
        Some(moved)
    }

    fn set(&self, to: &str) {
        let new = self.file.with_extension("new");
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

fn not_set() -> Vec<Row> {
    let stage = Stage::due(2);
    let Some(clock) = Moved::new(&stage, "-9000d") else {
        return Vec::new();
    };
    let played = stage.when_with(
        "The machine's clock is not set yet",
        &clock.variables(),
        &["once"],
    );
    played
        .exits(2)
        .prints("… is not in the past … set this machine's clock …")
        .unwritten()
        .after("setting it", |_| ())
        .after_running(&["once"])
        .exact()
        .row()
}

fn waits() -> Vec<Row> {
    let stage = Stage::due(2);
    let Some(clock) = Moved::new(&stage, "-9000d") else {
        return Vec::new();
    };
    let meanwhile = |daemon: &mut Running| {
        daemon.wait_until_it_says("waiting until this machine's clock is set");
        assert!(!stage.world.root().exists());
        clock.set("+0");
        until_archived(&stage, 2);
    };
    let played = stage.when_running(
        "The same, and it is set a while after",
        &clock.variables(),
        meanwhile,
    );
    played
        .exits(0)
        .prints("waiting until this machine's clock is set: …")
        .leaves("nothing written until it is set")
        .exact()
        .green()
        .row()
}

fn since_ahead() -> Vec<Row> {
    let stage = Stage::due(2);
    stage
        .world
        .configure(&[stage.job().with("since", "\"2099-01-01\"")]);
    let played = stage.when_each("`since` lies ahead", &[&["check"], &["once"]]);
    played
        .exits(2)
        .prints("config.toml:… since … is not in the past …")
        .unwritten()
        .after("correcting it", |stage| {
            stage.world.configure(&[stage.job()])
        })
        .after_running(&["once"])
        .exact()
        .row()
}

fn jumps() -> Vec<Row> {
    let stage = Stage::due(3);
    stage
        .world
        .configure(&[stage.job().with("retention", "\"30d\"")]);
    let Some(clock) = Moved::new(&stage, "+0") else {
        return Vec::new();
    };
    let meanwhile = |daemon: &mut Running| {
        until_archived(&stage, 3);
        clock.set("+400d");
        daemon.wait_until_it_says("the local clock has changed");
        daemon.wait_until_it_says("ahead of the service's");
        clock.set("+0");
        daemon.wait_until_it_has_said("the local clock has changed", 2);
    };
    let played = stage.when_running(
        "The clock is set 400 days ahead while `run` works, and back",
        &clock.variables(),
        meanwhile,
    );
    played
        .exits(0)
        .prints("… ahead of the service's …")
        .exact()
        .green()
        .row()
}

fn another_zone() -> Vec<Row> {
    let stage = Stage::archived(2);
    let played = stage.when_with(
        "The machine is in another time zone than `archive.timezone`",
        &[("TZ", Path::new("America/New_York"))],
        &["status"],
    );
    played
        .exits(0)
        .prints("… +09:00 …")
        .unwritten()
        .exact()
        .row()
}
