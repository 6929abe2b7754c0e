//! Root over the directories of the archiver's user: the commands that write refuse, and show the line that runs the
//! same as that user; and what a user may not open is named with its owner and the command that mends it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use crate::harness::{Due, Job, Ran, World, files_below, left_out, until};

/// Somebody who is not root, with a name on every machine.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        left_out("another user's directories", "this is not root");
    }
    is_root
}

fn bash(line: &str) -> std::process::Output {
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(line).output().unwrap()
}

fn give(path: &Path, uid: u32) {
    let line = format!("chown -R {uid}:{uid} '{}'", path.display());
    assert!(bash(&line).status.success());
}

/// A world with two windows, of which nobody has archived the first; everything but the config and the world
/// itself belongs to nobody.
async fn world(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[
        Job::new("shop", due).with("since", &format!("\"{}\"", due.windows[1].from()))
    ]);
    world.once().exits(0);
    world.configure(&[Job::new("shop", due)]);
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for theirs in ["archive", "state", "keys"] {
        give(&world.path(theirs), NOBODY);
    }
    for key in ["keys/access", "keys/secret"] {
        fs::set_permissions(world.path(key), fs::Permissions::from_mode(0o600)).unwrap();
    }
    world.service.clear_journal();
    world
}

fn as_nobody(world: &World, args: &[&str]) -> Ran {
    let starter = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    world.spawn_by(&starter, args).wait()
}

/// Guarantee: Its own
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn root_writes_nothing_into_another_user_s_directories_and_shows_the_line_that_does() {
    if !is_root() {
        return;
    }
    let due = Due::hours(2);
    let world = world(&due).await;
    let (from, to) = (due.since().to_string(), due.whole().to().to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    let listed = || files_below(&world.path("")).len();
    let before = listed();
    for args in [
        &["once", "--job", "shop"],
        &backfill[..],
        &["repair", "--confirm"],
        &["run"],
    ] {
        let ran = world.run(args).exits(1).says("belong to nobody");
        let ran = ran.says("nothing was written");
        assert_eq!(listed(), before, "{ran:#?}");
        if args != ["run"] {
            let line = format!(
                " --config {} {}\n",
                world.path("config.toml").display(),
                args.join(" ")
            );
            let ran = ran.says("\n  runuser -u nobody -- /");
            assert!(ran.stderr.ends_with(&line), "{ran:#?}");
        }
    }
    assert!(world.service.journal().is_empty());
    // What only looks does so for root, too, and so does what another may leave there.
    world.run(&["check"]).exits(0);
    world.run(&["verify"]).exits(1);
    world.run(&["repair"]).exits(0);
    world.run(&["status", "--ack", "shop"]).exits(1);

    let ran = world.run(&["once"]).exits(1);
    let line = ran.stderr.lines().last().unwrap().trim();
    let pasted = bash(line);
    assert!(pasted.status.success(), "{line}: {pasted:?}");
    world.assert_archived("shop", &due.windows);
    assert_eq!(fs::metadata(world.ledger("shop")).unwrap().uid(), NOBODY);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn one_directory_of_another_user_is_enough_and_the_other_is_to_be_given() {
    if !is_root() {
        return;
    }
    let due = Due::hours(2);
    let world = world(&due).await;
    for (mine, words) in [
        (
            "archive",
            "Give nobody the archive's root, too: `chown -R 65534:65534 ",
        ),
        (
            "state",
            "Give nobody the state directory, too: `chown -R 65534:65534 ",
        ),
    ] {
        chown(world.path(mine), Some(0), Some(0)).unwrap();
        world.once().exits(1).says(words).says("belongs to nobody");
        chown(world.path(mine), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    // A root on a network's file system may show one owner for everything: the daemon goes on as root.
    chown(world.path("state"), Some(0), Some(0)).unwrap();
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("Unless root is to archive, set User= in the unit");
    until("it is archived", || world.folders("shop").len() == 2);
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Candid
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_may_not_open_is_named_with_its_owner_and_the_command_that_mends_it() {
    if !is_root() {
        return;
    }
    let due = Due::hours(2);
    let world = world(&due).await;
    let state = world.path("state");
    let mend = format!("`chown -R 65534:65534 {}`", state.display());
    for (file, command) in [
        ("lock", "once"),
        ("shop.ledger.jsonl", "once"),
        ("shop.ledger.jsonl", "status"),
        ("archive.json", "once"),
        ("archive.json", "status"),
    ] {
        let path = state.join(file);
        chown(&path, Some(0), Some(0)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let ran = as_nobody(&world, &[command]).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for words in [
            &path.display().to_string(),
            "belongs to uid 0, and this runs as uid 65534",
            &mend,
        ] {
            assert!(told.contains(words), "{words} is not in {ran:#?}");
        }
        let command = mend.trim_matches('`');
        assert!(bash(command).status.success());
    }
    // The root alone, in which this user's own folders can't be removed.
    chown(world.root(), Some(0), Some(0)).unwrap();
    fs::set_permissions(world.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = as_nobody(&world, &["once"]).exits(1);
    let (root, mend) = (
        world.root(),
        format!("`chown -R 65534:65534 {}`", world.root().display()),
    );
    ran.says(&format!("{} belongs to uid 0", root.display()))
        .says(&mend);
    give(&root, NOBODY);
    // A folder on the way, and one that is to be made.
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    chown(&state, Some(0), Some(0)).unwrap();
    as_nobody(&world, &["once"])
        .exits(1)
        .says("does not let this user (uid 65534) in");
    give(&state, NOBODY);
    let config = world.config();
    world.write_config(&config.replace("/state\"", "/new/state\""));
    let ran = as_nobody(&world, &["once"]).exits(1);
    ran.says("`install -d -o 65534 -g 65534 -m 750 ");
    world.write_config(&config);
    as_nobody(&world, &["once"]).exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_is_told_what_and_nothing_of_it_is_made_up() {
    if !is_root() {
        return;
    }
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due).with("retention", "\"30d\"")]);
    world.once().exits(0);
    world.run(&["verify"]).exits(0);
    let home = world.path("");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let all = format!("chmod -R a+rX '{0}/state' '{0}/archive'", home.display());
    assert!(bash(&all).status.success());
    for (closed, commands) in [
        (
            "state/shop.ledger.jsonl",
            &[&["status"][..], &["plan"], &["verify"]][..],
        ),
        (
            "state",
            &[&["status"], &["status", "--json"], &["plan"], &["verify"]],
        ),
        ("archive/shop", &[&["verify"]]),
        ("archive", &[&["verify"], &["status"]]),
    ] {
        let path = home.join(closed);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for &command in commands {
            // 4 would be damage, of which nothing is known.
            let ran = as_nobody(&world, command).exits(1);
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(told.contains(path.to_str().unwrap()), "{told}");
            for made_up in [
                "0 records, 0 B\n",
                "windows due",
                "due     ",
                "DAMAGED",
                "lost",
                "covered until  ",
                "null",
            ] {
                let is_known = closed == "archive" && made_up == "covered until  ";
                assert!(
                    is_known || !told.contains(made_up),
                    "{made_up:?} is in {ran:#?}"
                );
            }
        }
        fs::set_permissions(&path, before).unwrap();
    }
    // For programs: null, of which they can make nothing.
    let ledger = world.ledger("shop");
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o600)).unwrap();
    let job = as_nobody(&world, &["status", "--json"]).exits(1).json()["jobs"][0].clone();
    for unknown in [
        "covered_until_ms",
        "gaps",
        "due",
        "truncated",
        "unproven",
        "records",
        "bytes",
        "last_success",
    ] {
        assert_eq!(
            job.get(unknown),
            Some(&serde_json::Value::Null),
            "{unknown} in {job}"
        );
    }
    assert!(
        job["last_error"]["message"]
            .as_str()
            .unwrap()
            .contains("to look, run this as that user")
    );
    assert_eq!(job["since_ms"], due.since().0);
    as_nobody(&world, &["verify", "--json"]).exits(1);
}
