//! What an operator is used to from a good program: it begins with a config, says which version it is, is quieter or
//! louder when asked, and knows what was meant. The real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{ACCESS_KEY, Due, Job, SECRET_KEY, World};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_a_config_that_is_valid_after_its_three_steps_and_replaces_nothing() {
    let world = World::of([]).await;
    let dir = world.path("etc/elsa");
    let shown = dir.display().to_string();
    let init = ["init", "--dir", &shown];
    let ran = world.run(&init).exits(0);
    let path = dir.join("config.toml");
    assert_eq!((mode(&dir), mode(&path)), (0o750, 0o640));
    assert!(
        ran.stdout
            .contains(&format!("--config {} check --live", path.display()))
    );

    // The steps.
    for (name, key) in [("access-key", ACCESS_KEY), ("secret-key", SECRET_KEY)] {
        let key_file = world.path(format!("keys/{name}"));
        fs::write(&key_file, key).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = fs::read_to_string(&path).unwrap();
    let config = config.replace("/var/backups/elsa", &world.root().display().to_string());
    let config = config.replace(
        "/var/lib/elsa-archiver",
        &world.path("state").display().to_string(),
    );
    fs::write(&path, &config).unwrap();
    let keys = world.path("keys");
    let with_keys = [("CREDENTIALS_DIRECTORY", keys.as_path())];
    let config_option = path.display().to_string();
    let check = ["--config", &config_option, "check"];
    world
        .spawn_with(&check, &with_keys)
        .wait()
        .exits(0)
        .shows("is valid: 1 job, 1 account");

    // Once more: what is there stays.
    world
        .run(&init)
        .exits(1)
        .says("is there already, and stays as it is");
    assert_eq!(fs::read_to_string(&path).unwrap(), config);
    let file = world.path("config");
    fs::write(&file, "").unwrap();
    let below_a_file = file.join("x").display().to_string();
    world
        .run(&["init", "--dir", &below_a_file])
        .exits(1)
        .says("name another folder with --dir");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_the_config_is_told_of_sudo() {
    let world = World::of([]).await;
    let dir = world.path("etc");
    fs::create_dir(&dir).unwrap();
    for (path, mode) in [(world.path(""), 0o755), (dir.clone(), 0o700)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let shown = dir.display().to_string();
    let starter = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if is_root {
        let ran = world
            .spawn_by(&starter, &["init", "--dir", &shown])
            .wait()
            .exits(1);
        ran.says("run `sudo elsa-archiver init`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_may_name_a_commit() {
    let world = World::of([]).await;
    let ran = world.run(&["--version"]).exits(0);
    let version = ran
        .stdout
        .trim_end()
        .strip_prefix("elsa-archiver ")
        .unwrap();
    let (number, commit) = version.split_once(' ').unwrap_or((version, "(0)"));
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    let commit = commit
        .strip_prefix('(')
        .and_then(|commit| commit.strip_suffix(')'))
        .unwrap();
    assert!(commit.chars().all(|c| c.is_ascii_hexdigit()), "{version}");
}

/// `build.rs` by itself, on a repository of its own.
#[test]
fn a_release_names_the_commit_of_its_own_repository_or_what_the_packager_says() {
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("build");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let made = Command::new("rustc")
        .args(["--edition=2024", "-o"])
        .arg(&built)
        .arg(script)
        .status();
    assert!(made.unwrap().success());
    let sources = dir.path().join("sources");
    let inside = sources.join("vendor/elsa-archiver");
    fs::create_dir_all(&inside).unwrap();
    let says = |folder: &Path, profile: &str, commit: &str| {
        let mut build = Command::new(&built);
        build
            .current_dir(folder)
            .env("CARGO_MANIFEST_DIR", folder)
            .env("CARGO_PKG_VERSION", "1.2.3");
        build
            .env("PROFILE", profile)
            .env("ELSA_ARCHIVER_COMMIT", commit);
        // Nothing above the folder is a repository for git.
        build.env("GIT_CEILING_DIRECTORIES", dir.path());
        let said = String::from_utf8(build.output().unwrap().stdout).unwrap();
        let version = "cargo::rustc-env=ELSA_ARCHIVER_VERSION=";
        said.lines()
            .find_map(|line| line.strip_prefix(version))
            .unwrap()
            .to_owned()
    };
    assert_eq!(says(&sources, "release", ""), "1.2.3", "no repository");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&sources)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(args);
        let said = git.output().unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    assert_eq!(says(&sources, "release", ""), "1.2.3", "no commit");
    git(&["commit", "--quiet", "--allow-empty", "--message=a"]);
    let head = git(&["rev-parse", "HEAD"]);
    assert_eq!(
        says(&sources, "release", ""),
        format!("1.2.3 ({})", &head[..12])
    );
    assert_eq!(
        says(&sources, "debug", ""),
        "1.2.3",
        "tests are not compiled anew for each commit"
    );
    assert_eq!(
        says(&inside, "release", ""),
        "1.2.3",
        "another one's repository"
    );
    assert_eq!(says(&inside, "debug", "abc1234"), "1.2.3 (abc1234)");
    assert_eq!(
        says(&inside, "release", "v1; rm -rf"),
        "1.2.3",
        "that is no commit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_louder_or_quieter_when_asked_and_rust_log_wins() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
        .run(&["-q", "once", "-v"])
        .exits(2)
        .says("contradict each other");
    assert!(world.service.journal().is_empty());
    let ran = world.run(&["once", "-v"]).exits(0);
    assert!(
        ran.stderr.contains("DEBUG") && !ran.stderr.contains("TRACE"),
        "{ran:#?}"
    );
    let again = |args: &[&str]| {
        fs::remove_dir_all(world.root()).unwrap();
        fs::remove_dir_all(world.path("state")).unwrap();
        world.run(args).exits(0)
    };
    assert!(again(&["once"]).stderr.contains("INFO"));
    assert_eq!(again(&["--quiet", "once"]).stderr, "");
    let filter = Path::new("warn");
    let ran = world
        .spawn_with(&["status", "-vv"], &[("RUST_LOG", filter)])
        .wait();
    ran.exits(0).says("RUST_LOG is set and says what is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_name_is_told_wherever_a_name_is_given() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop-api")]).await;
    world.configure(&[Job::new("shop-api", &due), Job::new("payments", &due)]);
    let meant = "did you mean \"shop-api\"? Its jobs are: shop-api, payments";
    let (from, to) = (due.since().to_string(), due.whole().to().to_string());
    for args in [
        &["once", "--job", "shop_api"][..],
        &["plan", "--job", "shop-ap"],
        &["verify", "--job", "shop-pai"],
        &["repair", "--job", "shopapi"],
        &["status", "--ack", "shop-apy"],
        &["backfill", "--job", "hop-api", "--from", &from, "--to", &to],
    ] {
        world.run(args).exits(2).says(meant);
    }
    world
        .run(&["plan", "--job", "elsewhere"])
        .exits(2)
        .says("; its jobs are: ");
    for (args, meant) in [
        (&["statsu"][..], "'status'"),
        (&["status", "--jsn"], "'--json'"),
        (&["--log-format", "jsn", "status"], "'json'"),
    ] {
        world.run(args).exits(2).says("tip: a similar").says(meant);
    }
    let config = world.config();
    for (line, instead, says) in [
        (
            "cross_check = \"off\"",
            "cross_check = \"soem\"",
            "did you mean \"some\"? Use \"all\" or \"some\" or \"off\"",
        ),
        (
            "to_bound = \"inclusive\"",
            "to_bound = \"inclusiv\"",
            "did you mean \"inclusive\"?",
        ),
        (
            "name = \"shop-api\"",
            "name = \"shop-api\"\naccount = \"defualt\"",
            "did you mean \"default\"?",
        ),
        ("settle = ", "setle = ", "did you mean settle?"),
        (
            "[archive]",
            "[archive]\ntimezone = \"Asia/Seol\"",
            "did you mean \"Asia/Seoul\"?",
        ),
        (
            "[archive]",
            "[archive]\nstore = \"unpaked\"",
            "use \"unpacked\"",
        ),
    ] {
        world.write_config(&config.replacen(line, instead, 1));
        world.run(&["check"]).exits(2).says(says);
    }
}
