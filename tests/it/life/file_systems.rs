//! File systems that lack something, and limits that are too low.

use std::path::PathBuf;
use std::process::Command;

use super::{Row, Scene, Stage};
use crate::harness::{Due, Job, left_out};

pub const SCENES: &[Scene] = &[
    no_fsync_of_folders,
    no_fsync_and_accepted,
    no_rename,
    no_locks,
    no_locks_in_the_state,
    umask,
    few_files,
    many_jobs,
];

const NO_FSYNC: (&str, &str) = ("fsync", "EINVAL");

/// What traces a program and answers a call of its on a path with an error; `None` where nothing may trace.
fn strace((call, error): (&str, &str), path: Option<PathBuf>) -> Option<Vec<String>> {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-o", "/dev/null", "true"]);
    if !probe.output().is_ok_and(|probe| probe.status.success()) {
        left_out(
            "file systems that lack something",
            "no strace that may trace",
        );
        return None;
    }
    let mut strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"]
        .map(str::to_owned)
        .to_vec();
    strace.push(format!("trace={call}"));
    strace.extend(["-e".into(), format!("inject={call}:error={error}")]);
    if let Some(path) = path {
        strace.extend(["-P".into(), path.display().to_string()]);
    }
    Some(strace)
}

/// An archive that has more to do.
fn going_on() -> Stage {
    let stage = Stage::due(3);
    let mut due = stage.due.clone();
    due.windows.remove(0);
    stage.world.configure(&[Job::new("shop", &due)]);
    stage.world.once().exits(0);
    stage.world.configure(&[stage.job()]);
    stage
}

fn accept(stage: &Stage) {
    let config = stage.world.config();
    stage
        .world
        .write_config(&config.replace("min_free_space", "durable_folders = false\nmin_free_space"));
}

fn is_refused(stage: &Stage, before: &str, strace: Option<Vec<String>>, told: &str) -> Vec<Row> {
    let Some(strace) = strace else {
        return Vec::new();
    };
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    let played = stage.when_by(before, &strace, &["once"]);
    let played = played
        .exits(1)
        .prints(&format!("… this file system {told} … use another one, or accept that with `durable_folders = false` in [archive]"))
        .unwritten();
    accept(stage);
    stage.world.spawn_by(&strace, &["once"]).wait().exits(0);
    played.after("accepting it", |_| ()).exact().green().row()
}

fn no_fsync_of_folders() -> Vec<Row> {
    let stage = going_on();
    let strace = strace(NO_FSYNC, Some(stage.world.root()));
    is_refused(
        &stage,
        "ROOT can't flush a folder (fsync: EINVAL)",
        strace,
        "can't promise that a rename survives a power cut",
    )
}

fn no_fsync_and_accepted() -> Vec<Row> {
    let stage = going_on();
    accept(&stage);
    let Some(strace) = strace(NO_FSYNC, Some(stage.world.root())) else {
        return Vec::new();
    };
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    let played = stage.when_by(
        "The same, with `durable_folders = false`",
        &strace,
        &["once"],
    );
    played
        .exits(0)
        .prints("… this file system can't promise that a rename survives a power cut …")
        .exact()
        .green()
        .row()
}

fn no_rename() -> Vec<Row> {
    let stage = going_on();
    let strace = strace(("renameat2", "EINVAL"), None);
    is_refused(
        &stage,
        "ROOT has no rename that replaces nothing",
        strace,
        "has no rename that replaces nothing",
    )
}

fn no_locks() -> Vec<Row> {
    let stage = going_on();
    let strace = strace(("flock", "ENOLCK"), Some(stage.world.root().join(".lock")));
    is_refused(
        &stage,
        "ROOT has no locks (flock: ENOLCK)",
        strace,
        "has no locks, so nothing on it keeps a second instance out",
    )
}

fn no_locks_in_the_state() -> Vec<Row> {
    let stage = going_on();
    let Some(strace) = strace(("flock", "ENOLCK"), Some(stage.state().join("lock"))) else {
        return Vec::new();
    };
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    accept(&stage);
    let played = stage.when_by(
        "STATE has none, with `durable_folders = false` too",
        &strace,
        &["once"],
    );
    played
        .exits(1)
        .prints("… this file system has no locks …")
        .unwritten()
        .after("moving it to another one", |_| ())
        .after_running(&["once"])
        .exact()
        .row()
}

fn umask() -> Vec<Row> {
    let stage = Stage::due(1);
    let played = stage.when_by(
        "The umask is 000",
        &["sh", "-c", "umask 000 && exec \"$0\" \"$@\""],
        &["once"],
    );
    let played = played.exits(0).prints("1 window").exact();
    for (mode, path) in stage.modes() {
        assert_eq!(mode & 0o027, 0, "{}", path.display());
    }
    played.leaves("nothing for others to read").row()
}

fn few_files() -> Vec<Row> {
    let stage = Stage::due(3);
    stage.world.at_once(4);
    let limited = ["sh", "-c", "ulimit -n 182 && exec \"$0\" \"$@\""];
    let played = stage.when_by("The process may open too few files", &limited, &["once"]);
    played
        .exits(0)
        .prints("this process may open too few files for max_in_flight = 4: 2 at once …")
        .exact()
        .green()
        .row()
}

fn many_jobs() -> Vec<Row> {
    let due = Due::hours(1);
    let names: Vec<String> = (0..160).map(|at| format!("job-{at:03}")).collect();
    let projects = names.iter().map(|name| due.project(name)).collect();
    let mut stage = Stage::with(due, projects);
    let jobs: Vec<Job> = names
        .iter()
        .map(|name| Job::new(name, &stage.due))
        .collect();
    stage.world.configure(&jobs);
    stage.world.at_once(4);
    stage.projects = names
        .into_iter()
        .map(|name| (name.clone(), vec![name]))
        .collect();
    let limited = ["sh", "-c", "ulimit -n 182 && exec \"$0\" \"$@\""];
    let played = stage.when_by(
        "There are more jobs than files that may be open",
        &limited,
        &["once"],
    );
    played
        .exits(0)
        .prints("job-159  1 window archived …")
        .exact()
        .row()
}
