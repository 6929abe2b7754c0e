//! A configuration that can't be right is refused, by `check` and by what archives.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Row, Scene, Stage};

pub const SCENES: &[Scene] = &[
    retention_too_short,
    never_fires,
    no_such_cron,
    state_inside_root,
    root_of_everything,
    key_for_everybody,
    key_for_a_group,
    password_for_everybody,
    no_ca_file,
    no_space,
    fatal_as_json,
];

const ALL: &[&[&str]] = &[&["check"], &["once"], &["run"]];

/// The config with one text in another's place.
fn change(stage: &Stage, from: &str, to: &str) {
    let config = stage.world.config();
    assert!(config.contains(from), "{config}");
    stage.world.write_config(&config.replacen(from, to, 1));
}

/// Refused by all, with nothing asked, and exact once the config is as it was.
fn is_refused(stage: &Stage, before: &str, spoil: impl FnOnce(&Stage), told: &str) -> Vec<Row> {
    let right = stage.world.config();
    spoil(stage);
    let played = stage.when_each(before, ALL);
    played
        .exits(2)
        .prints(told)
        .unwritten()
        .asking(0)
        .after("correcting it", |stage| stage.world.write_config(&right))
        .after_running(&["once"])
        .exact()
        .row()
}

fn retention_too_short() -> Vec<Row> {
    let stage = Stage::due(2);
    is_refused(
        &stage,
        "`retention` is shorter than `window` and `settle`",
        |stage| {
            stage
                .world
                .configure(&[stage.job().with("retention", "\"1h\"")])
        },
        "retention 1h is not longer than the window 1h and settle …: logs would be gone before they are asked for; give what the service's project is set to",
    )
}

fn never_fires() -> Vec<Row> {
    let stage = Stage::due(2);
    is_refused(
        &stage,
        "A schedule never comes",
        |stage| {
            stage
                .world
                .configure(&[stage.job().with("schedule", "\"0 0 30 2 *\"")])
        },
        "config.toml:… schedule … never",
    )
}

fn no_such_cron() -> Vec<Row> {
    let stage = Stage::due(2);
    is_refused(
        &stage,
        "A schedule is none",
        |stage| {
            stage
                .world
                .configure(&[stage.job().with("schedule", "\"0 61 * * * *\"")])
        },
        "config.toml:… schedule … minute … 0 to 59",
    )
}

fn state_inside_root() -> Vec<Row> {
    let stage = Stage::due(2);
    is_refused(
        &stage,
        "`state.dir` lies inside `archive.root`",
        |stage| change(stage, "/state\"", "/archive/state\""),
        "config.toml:… state.dir: lies inside archive.root; give each a directory of its own, side by side",
    )
}

fn root_of_everything() -> Vec<Row> {
    let stage = Stage::due(2);
    let root = stage.world.root().display().to_string();
    is_refused(
        &stage,
        "`archive.root` is `/`",
        |stage| change(stage, &format!("{root:?}"), "\"/\""),
        "config.toml:… archive.root: is the whole file system",
    )
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The key's folder lets everybody in.
fn open(stage: &Stage) {
    set_mode(&stage.world.path(""), 0o755);
    set_mode(&stage.world.path("keys"), 0o711);
    for key in ["access", "secret"] {
        set_mode(&stage.world.path("keys").join(key), 0o600);
    }
}

fn key_for_everybody() -> Vec<Row> {
    let stage = Stage::due(2);
    open(&stage);
    let key = stage.world.path("keys/secret");
    set_mode(&key, 0o644);
    let played = stage.when_each("Everybody can read a key's file", ALL);
    played
        .exits(2)
        .prints("config.toml:… secret_key: everybody on this machine can read … `chmod 600 …")
        .unwritten()
        .asking(0)
        .after_pasting_into_a_shell("that `chmod`", "take that away with `")
        .after_running(&["once"])
        .exact()
        .row()
}

fn key_for_a_group() -> Vec<Row> {
    let stage = Stage::due(2);
    open(&stage);
    set_mode(&stage.world.path("keys/secret"), 0o640);
    let played = stage.when("A group can read a key's file", &["check"]);
    played
        .exits(0)
        .prints("the group of … can read it (mode 640); unless that is meant, `chmod 600 …")
        .unwritten()
        .after_running(&["once"])
        .exact()
        .row()
}

fn password_for_everybody() -> Vec<Row> {
    let stage = Stage::due(2);
    open(&stage);
    let proxy = "[account.default]\nproxy = \"http://kim:secret@127.0.0.1:9\"\n";
    change(&stage, "[account.default]\n", proxy);
    set_mode(&stage.world.path("config.toml"), 0o644);
    let what = "Everybody can read the config, and a proxy's password in it";
    let played = stage.when_each(what, ALL);
    played
        .exits(2)
        .prints("config.toml:… account.default.proxy: everybody on this machine can read … `chmod 640 …")
        .unwritten()
        .asking(0)
        .after_pasting_into_a_shell("that `chmod`", "take that away with `")
        .after("it is the right proxy", |stage| {
            change(stage, proxy, "[account.default]\n");
        })
        .after_running(&["once"])
        .exact()
        .row()
}

fn no_ca_file() -> Vec<Row> {
    let stage = Stage::due(2);
    let ca_file = "[account.default]\nca_file = \"/nonexistent/company.pem\"\n";
    change(&stage, "[account.default]\n", ca_file);
    let played = stage.when("`ca_file` is not there", &["check"]);
    played
        .exits(2)
        .prints("config.toml:… account.default.ca_file: can't read /nonexistent/company.pem: No such file …")
        .unwritten()
        .asking(0)
        .after("leaving it out", |stage| {
            change(stage, ca_file, "[account.default]\n");
        })
        .after_running(&["once"])
        .exact()
        .row()
}

fn no_space() -> Vec<Row> {
    let stage = Stage::due(2);
    let right = stage.world.config();
    change(&stage, "\"1MiB\"", "\"1000TiB\"");
    let played = stage.when("The disk has less than `min_free_space`", &["check"]);
    played
        .exits(1)
        .prints("config.toml:… archive.root: … archive.min_free_space is 1000.00 TiB")
        .unwritten()
        .after("making space", |stage| stage.world.write_config(&right))
        .after_running(&["once"])
        .exact()
        .row()
}

fn fatal_as_json() -> Vec<Row> {
    let stage = Stage::archived(1);
    stage.unmount();
    let played = stage.when("Whatever ends a command", &["once", "--log-format=json"]);
    played
        .exits(1)
        .prints("… \"level\":\"ERROR\" …")
        .also_prints("\"exit_code\":1")
        .unwritten()
        .after("mounting it", Stage::mount)
        .after_running(&["once"])
        .exact()
        .row()
}
