//! *Evident*: what names, once a day, how far each job is archived, and what a common tool says of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Due, Job, Ran, World, files_below, until};
use crate::prune::collect;

fn heads(world: &World) -> Vec<PathBuf> {
    files_below(&world.root().join("_archive/heads"))
}

/// What a head says.
fn value(head: &PathBuf, key: &str) -> String {
    let text = fs::read_to_string(head).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{key}: ")));
    line.unwrap_or_else(|| panic!("{key} is not in {text}"))
        .to_owned()
}

/// What the shell says of these commands.
fn sh(script: &str) -> String {
    let ran = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(
        ran.status.success() && ran.stderr.is_empty(),
        "{script}: {ran:?}"
    );
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_day_s_head_names_ledgers_and_chains_as_sha256sum_finds_them() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("mail", &due)]);
    world.run(&["head"]).exits(1).says("there is no head yet");
    world.once().exits(0).says("a head of the archive was made");
    world.once().exits(0);
    let [first] = &heads(&world)[..] else {
        panic!()
    };
    for job in ["shop", "mail"] {
        let of = |key: &str| value(first, &format!("job.{job}.{key}"));
        let ledger = world.ledger(job).display().to_string();
        let number = of("ledger-lines");
        assert_eq!(sh(&format!("wc -l < {ledger}")), number);
        let line = format!("sed -n {number}p {ledger} | tr -d '\\n' | sha256sum | cut -c1-64");
        assert_eq!(sh(&line), of("ledger-sha256"));
        let newest = world.folders(job).pop().unwrap().path.display().to_string();
        let manifest = sh(&format!("sha256sum < {newest}/manifest.json | cut -c1-64"));
        assert_eq!(manifest, of("newest-manifest"));
        assert_eq!(of("windows"), "3");
        assert_eq!(
            of("covered-until"),
            due.whole().to().timestamp().to_string()
        );
        assert_eq!(of("since"), due.since().timestamp().to_string());
    }
    assert_eq!(value(first, "previous-head"), "none");
    let sorted = sh(&format!(
        "LC_ALL=C sort -c {} && echo sorted",
        first.display()
    ));
    assert_eq!(sorted, "sorted");
    let kept = fs::read(world.path("state/newest.head")).unwrap();
    assert_eq!(kept, fs::read(first).unwrap());

    world.run(&["head", "now"]).exits(0).shows("000002.head");
    let digest = sh(&format!("sha256sum < {} | cut -c1-64", first.display()));
    let second = &heads(&world)[1];
    assert_eq!(value(second, "previous-head"), digest);
    let shown = world.run(&["head"]).exits(0);
    let digest = sh(&format!("sha256sum < {} | cut -c1-64", second.display()));
    assert!(shown.stdout.contains(&digest), "{shown:#?}");
    world
        .run(&["verify"])
        .exits(0)
        .shows("heads: INTACT: 2 heads")
        .shows(&digest);
    let json = world
        .run(&["verify", "--json", "--head", &digest])
        .exits(0)
        .json();
    assert_eq!(json["heads"]["count"], 2);
    assert_eq!(json["heads"]["newest"]["sha256"], digest);
    assert_eq!(json["heads"]["given"], digest);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_makes_a_head_when_it_is_asked_and_names_what_it_has_archived() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let daemon = world.spawn(&["run"]);
    until("the day's head is there", || !heads(&world).is_empty());
    until("all is archived", || world.folders("shop").len() == 2);
    // The cycle may not have ended yet.
    until("a head names it", || {
        let made = world.run(&["head", "now"]).exits(0);
        made.stdout.contains("with 2 folders")
    });
    let newest = heads(&world).pop().unwrap();
    assert_eq!(value(&newest, "job.shop.windows"), "2");
    assert!(!world.path("state/head.request").exists());
    // A request that nobody reads any more.
    daemon.terminate();
    let log = daemon.wait().exits(0).stderr;
    assert!(
        log.contains("a head of the archive was made") && log.contains("sha256="),
        "{log}"
    );
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn where_no_head_can_be_made_the_archive_goes_on_and_the_log_says_why() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    fs::create_dir_all(world.root().join("_archive")).unwrap();
    fs::write(world.root().join("_archive/heads"), "").unwrap();
    let ran = world.once().exits(0);
    assert!(
        ran.stderr.contains("no head of the archive was made"),
        "{ran:#?}"
    );
    world.run(&["head", "now"]).exits(1).says("heads");
    fs::remove_file(world.root().join("_archive/heads")).unwrap();
    world.run(&["head", "now"]).exits(0).shows("000001.head");
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_makes_no_heads_any_more_is_told_of_by_status() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    // Three days have passed since.
    let [first] = &heads(&world)[..] else {
        panic!()
    };
    let text = fs::read_to_string(first).unwrap();
    let made: jiff::Timestamp = value(first, "time").parse().unwrap();
    let before = made - jiff::SignedDuration::from_hours(72);
    let old = text.replace(&format!("\ntime: {made}\n"), &format!("\ntime: {before}\n"));
    assert_ne!(old, text);
    for path in [first, &world.path("state/newest.head")] {
        fs::write(path, &old).unwrap();
    }
    // Nothing makes heads: that is no fault.
    world
        .run(&["status"])
        .exits(0)
        .shows("evidence: head 1 of ");
    // A folder is where the next one is written first.
    let taken = world.path("state/coming.head");
    fs::remove_file(&taken).unwrap();
    fs::create_dir(&taken).unwrap();
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("no head of the archive was made");
    world
        .run(&["status"])
        .exits(1)
        .shows("no head was made for two days, though the daemon is alive");
    fs::remove_dir(&taken).unwrap();
    world.run(&["head", "now"]).exits(0);
    world
        .run(&["status"])
        .exits(0)
        .shows("evidence: head 2 of ");
    daemon.terminate();
    daemon.wait().exits(0);
    // One that can't be told from one that was added.
    fs::write(world.path("state/newest.head"), "x").unwrap();
    world.run(&["status"]).exits(1).shows("newest.head");
    // Another disk's heads say nothing of this archive.
    fs::remove_dir_all(world.root().join("_archive")).unwrap();
    let text = world.run(&["status"]).exits(1).stdout;
    assert!(!text.contains("evidence:"), "{text}");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_config_has_no_more_stays_in_each_head_and_a_lost_ledger_does_not_take_it_out()
 {
    let due = Due::hours(2);
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("mail", &due)]);
    world.once().exits(0);
    world.configure(&[Job::new("shop", &due)]);
    world.run(&["head", "now"]).exits(0);
    let of_mail = |head: &PathBuf| value(head, "job.mail.newest-manifest");
    assert_eq!(of_mail(&heads(&world)[0]), of_mail(&heads(&world)[1]));
    world.run(&["verify"]).exits(0);
    // Somebody removes it with everything.
    fs::remove_dir_all(world.root().join("mail")).unwrap();
    fs::remove_file(world.ledger("mail")).unwrap();
    world.run(&["head", "now"]).exits(0);
    assert_eq!(of_mail(&heads(&world)[0]), of_mail(&heads(&world)[2]));
    let ran = world.run(&["verify"]).exits(4);
    assert!(ran.stdout.contains("mail: DAMAGED"), "{ran:#?}");
    let place = collect(&world, "copy").display().to_string();
    let ran = world.run(&["verify", &place]).exits(1);
    assert!(ran.stdout.contains("mail: INCOMPLETE"), "{ran:#?}");
}

fn verify_with(world: &World, head: &str) -> Ran {
    world.run(&["verify", "--head", head])
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_as_a_head_and_is_none_is_refused_with_a_reason() {
    let due = Due::hours(2);
    let [world, other] = [(), ()].map(|()| World::of([due.project("shop")]));
    let (world, other) = (world.await, other.await);
    for world in [&world, &other] {
        world.configure(&[Job::new("shop", &due)]);
        world.once().exits(0);
    }
    let foreign = heads(&other)[0].display().to_string();
    verify_with(&world, &foreign)
        .exits(2)
        .says("of the archive");
    verify_with(&world, "/nowhere")
        .exits(2)
        .says("no file that can be read");
    let folder = world.root().display().to_string();
    verify_with(&world, &folder).exits(2).says("--head");
    let text = world.path("text");
    fs::write(&text, "\u{1b}[2Jno head").unwrap();
    let ran = verify_with(&world, &text.display().to_string()).exits(2);
    assert!(
        ran.stderr.contains("it is no head") && !ran.stderr.contains('\u{1b}'),
        "{ran:?}"
    );
    let unknown = "0".repeat(64);
    verify_with(&world, &unknown)
        .exits(4)
        .shows("no head here has this SHA-256");
    // Of a copy's part nothing is known of other jobs, and of the job all.
    let copy = collect(&world, "copy");
    let head = heads(&world)[0].display().to_string();
    for part in [copy.clone(), copy.join("shop")] {
        let part = part.display().to_string();
        world.run(&["verify", &part, "--head", &head]).exits(0);
    }
}
