//! What can't be right is refused before anything is written: directories that are not apart, keys that
//! everybody can read, places that can't be written. `check` says so, and `once` and `run` do as it says.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use crate::harness::{Due, Job, World, files_below, left_out};

/// Somebody who is not root.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn world() -> World {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
}

/// Asserts that the commands that archive are refused as `check` is, with these words at the line that
/// begins so, and that nothing is written.
#[track_caller]
fn assert_refused(world: &World, line: &str, words: &str) {
    let config = world.config();
    let number = config.lines().position(|found| found.starts_with(line));
    let place = format!("config.toml:{}: ", number.map_or(0, |before| before + 1));
    let before = files_below(&world.path("")).len();
    for command in ["check", "once", "run"] {
        let ran = world.run(&[command]).exits(2).says(words);
        assert!(ran.stderr.contains(&place), "{place} is not in {ran:#?}");
        assert_eq!(files_below(&world.path("")).len(), before, "{ran:#?}");
    }
    assert!(world.service.journal().is_empty());
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn directories_that_are_not_apart_are_refused_however_they_are_written() {
    let mut world = world().await;
    let home = world.path("");
    fs::create_dir_all(home.join("deep/er")).unwrap();
    symlink(home.join("deep"), home.join("link")).unwrap();
    let at = |path: &str| home.join(path);
    for (root, state, line, words) in [
        ("deep", "deep", "root", "is state.dir too"),
        ("deep", "link", "root", "is state.dir too"),
        ("deep", "deep/_archive", "dir", "lies inside archive.root"),
        ("deep", "link/er/state", "dir", "lies inside archive.root"),
        ("deep", "new/../deep/er", "dir", "lies inside archive.root"),
        (
            "link/er/../er/archive",
            "deep",
            "root",
            "lies inside state.dir",
        ),
        (
            "deep/archive",
            "link/../deep",
            "root",
            "lies inside state.dir",
        ),
    ] {
        world.place(at(root), at(state));
        world.configure(&[Job::new("shop", &Due::hours(1))]);
        assert_refused(&world, line, words);
    }
    world.place("/".into(), at("state"));
    world.configure(&[Job::new("shop", &Due::hours(1))]);
    assert_refused(&world, "root", "is the whole file system");
    world.place(at("deep"), at("link/../side/by/side"));
    world.configure(&[Job::new("shop", &Due::hours(1))]);
    world.run(&["check"]).exits(0);
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_everybody_can_read_are_refused_and_those_of_a_group_warned_of() {
    let world = world().await;
    let keys = world.path("keys");
    for key in ["access", "secret"] {
        set_mode(&keys.join(key), 0o644);
    }
    // Nobody comes as far as the files.
    world.run(&["check"]).exits(0);
    set_mode(&world.path(""), 0o755);
    set_mode(&keys, 0o711);
    assert_refused(&world, "secret_key", "everybody on this machine can read");
    assert_refused(&world, "access_key", "chmod 600");
    set_mode(&keys.join("access"), 0o600);
    set_mode(&keys.join("secret"), 0o640);
    let ran = world.run(&["check"]).exits(0).shows("the group of");
    assert_eq!(ran.stdout.matches("can read it").count(), 1, "{ran:#?}");
    world.once().exits(0).says("the group of");
    set_mode(&keys.join("secret"), 0o600);
    let ran = world.run(&["check"]).exits(0);
    assert!(!ran.stdout.contains("can read"), "{ran:#?}");
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_a_file_or_has_no_space_is_told_with_its_line() {
    let mut world = world().await;
    let roomy = world.config();
    world.write_config(&roomy.replace("\"1MiB\"", "\"1000TiB\""));
    let ran = world.run(&["check"]).exits(1);
    for line in ["config.toml:9: archive.root", "config.toml:13: state.dir"] {
        assert!(ran.stderr.contains(line), "{line}: {ran:#?}");
    }
    let ran = ran.says("archive.min_free_space is 1000.00 TiB");
    assert_eq!(ran.stderr.lines().count(), 2, "{ran:#?}");
    assert!(!world.path("state").exists() && !world.root().exists());

    fs::write(world.path("file"), "").unwrap();
    world.place(world.path("file/archive"), world.path("state"));
    world.configure(&[Job::new("shop", &Due::hours(1))]);
    world
        .run(&["check"])
        .exits(1)
        .says("archive.root: ")
        .says("is a file; name a directory");
    world.once().exits(1);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_this_user_may_not_write_is_told_with_its_line() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return left_out("another user's directories", "this is not root");
    }
    let mut world = world().await;
    set_mode(&world.path(""), 0o755);
    for (folder, mode) in [("theirs", 0o755), ("mine", 0o700), ("mine/state", 0o700)] {
        fs::create_dir(world.path(folder)).unwrap();
        set_mode(&world.path(folder), mode);
    }
    for mine in ["mine", "mine/state", "keys", "keys/access", "keys/secret"] {
        chown(world.path(mine), Some(NOBODY), None).unwrap();
    }
    for key in ["keys/access", "keys/secret"] {
        set_mode(&world.path(key), 0o600);
    }
    let check = |world: &World| {
        let nobody = NOBODY.to_string();
        let starter = ["setpriv", "--reuid", &nobody, "--clear-groups"];
        world.spawn_by(&starter, &["check"]).wait()
    };
    for (root, words) in [
        ("theirs", "can't be written by this user (uid 65534)"),
        ("theirs/new", "it can't be made in "),
    ] {
        world.place(world.path(root), world.path("mine/state"));
        world.configure(&[Job::new("shop", &Due::hours(1))]);
        let ran = check(&world).exits(1).says(words).says("9: archive.root: ");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
    }
    world.place(world.path("mine/new"), world.path("mine/state"));
    world.configure(&[Job::new("shop", &Due::hours(1))]);
    check(&world).exits(0);
    assert!(!world.path("mine/new").exists());
}
