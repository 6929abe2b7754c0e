//! What an earlier version archived stays readable: small archives with their ledgers lie in
//! `tests/data/`, in a folder named by the commit that wrote them. Each is verified, read and continued.

use std::process::Command;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use serde_json::Value;

use crate::harness::{Due, Job, World};

/// The first instant of each archive in `tests/data/`: 2026-11-20T00:00:00Z.
const START: UtcMs = UtcMs(1_795_132_800_000);

/// The hours from `first` to `end` after [`START`].
fn hours(first: i64, end: i64) -> Due {
    let at = |hour| START.plus(Millis::from_hours(hour));
    Due {
        windows: (first..end)
            .map(|hour| Span::new(at(hour), at(hour + 1)).unwrap())
            .collect(),
        window: "1h",
        settle_s: 3600,
    }
}

/// The archive that `commit` wrote, and a service with logs of the two hours that come next.
async fn archive_of(commit: &str) -> World {
    let next = hours(11, 13);
    let world = World::of(["shop", "dense"].map(|job| next.project(job))).await;
    let data = format!("{}/tests/data/{commit}", env!("CARGO_MANIFEST_DIR"));
    for (name, to) in [("archive", world.root()), ("state", world.path("state"))] {
        let copied = Command::new("cp")
            .args(["-r", &format!("{data}/{name}")])
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    }
    let job = |name: &str| Job::new(name, &hours(0, 11));
    world.configure(&[
        job("shop").with("recheck", "\"6h\""),
        job("dense").with("count", "200").with("format", "\"csv\""),
    ]);
    world
}

/// What `status` says that follows from the ledger alone.
fn facts(world: &World, job: &str) -> Value {
    let mut status = world.status(job);
    // Rechecks are due for a week.
    if let Some(lateness) = status["lateness"].as_object_mut() {
        lateness.remove("due");
    }
    let fields = [
        "since_ms",
        "covered_until_ms",
        "records",
        "truncated",
        "unproven",
        "last_success",
        "gaps",
        "lateness",
    ];
    fields
        .map(|field| (field.to_owned(), status[field].clone()))
        .into_iter()
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Archives the next two hours of both jobs.
fn go_on(world: &World) {
    let next = hours(11, 13);
    let (from, to) = (next.since().to_string(), next.whole().to().to_string());
    for job in ["shop", "dense"] {
        world
            .run(&["backfill", "--job", job, "--from", &from, "--to", &to])
            .exits(0)
            .shows("2 windows archived");
    }
}

/// Asserts that `verify` finds nothing but the two truncated windows of `dense`.
fn is_proven(world: &World, args: &[&str]) {
    let ran = world.run(args).exits(1).shows("shop: intact: ");
    let found = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("  dense/"));
    assert_eq!(found.clone().count(), 2, "{ran:#?}");
    assert!(
        found.clone().all(|line| line.contains(": truncated: ")),
        "{ran:#?}"
    );
}

/// Asserts that the archive is proven and holds the next two hours too. Moves it away.
fn is_continued(world: &World) {
    is_proven(world, &["verify"]);
    for job in ["shop", "dense"] {
        let folders = world.folders(job);
        for folder in &folders {
            folder.assert_sums_pass();
        }
        let next = hours(11, 13);
        let added = folders
            .iter()
            .filter(|folder| next.windows.contains(&folder.window));
        assert_eq!(added.clone().count(), 2);
        added.for_each(|folder| world.assert_holds_the_truth(job, folder));
        let until = next.whole().to().0;
        assert_eq!(world.status(job)["covered_until_ms"], until);
    }
    is_proven(world, &["verify", &world.copy_and_nothing_else()]);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_8a268a3_is_verified_read_and_continued() {
    let world = archive_of("8a268a3").await;
    is_proven(&world, &["verify"]);
    insta::assert_json_snapshot!(
        "status_of_8a268a3",
        [facts(&world, "shop"), facts(&world, "dense")]
    );
    let ledger = world.ledger_lines("shop").len();
    go_on(&world);
    assert_eq!(world.ledger_lines("shop").len(), ledger + 2);
    is_continued(&world);
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_8a268a3_without_its_ledger_is_adopted_and_continued() {
    let world = archive_of("8a268a3").await;
    let before = facts(&world, "shop");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    go_on(&world);
    let after = facts(&world, "shop");
    for field in ["since_ms", "truncated", "unproven", "gaps"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    is_continued(&world);
}
