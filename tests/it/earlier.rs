//! What an earlier version archived stays readable: small archives with their ledgers lie in
//! `tests/data/`, in a folder named by the commit that wrote them. Each is verified, read and continued.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{ServiceClock, Settings};
use serde_json::{Value, json};

use crate::clock::{MovedClock, library};
use crate::harness::{Due, Folder, Job, World};

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

/// An archive that an earlier version wrote.
#[derive(Clone, Copy)]
struct Earlier {
    commit: &'static str,
    jobs: &'static [&'static str],
    /// How many hours of each job it holds.
    hours: i64,
    /// How many of its windows `verify` lists, with which status.
    listed: (usize, &'static str),
}

const BEFORE_SECOND_OPINIONS: Earlier = Earlier {
    commit: "8a268a3",
    jobs: &["shop", "dense"],
    hours: 11,
    listed: (2, "truncated"),
};

/// Some windows are confirmed by search, some by a second download, one is empty, and one contradicted.
const BEFORE_RECORDS_DIGEST: Earlier = Earlier {
    commit: "7afa317",
    jobs: &["shop"],
    hours: 7,
    listed: (1, "unproven"),
};

/// Copies what that commit wrote to where `world` looks for it.
fn lay(commit: &str, world: &World) {
    let data = format!("{}/tests/data/{commit}", env!("CARGO_MANIFEST_DIR"));
    for (name, to) in [("archive", world.root()), ("state", world.path("state"))] {
        let copied = Command::new("cp")
            .args(["-r", &format!("{data}/{name}")])
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    }
}

impl Earlier {
    /// The two hours that come next.
    fn next(self) -> Due {
        hours(self.hours, self.hours + 2)
    }

    /// The archive, and a service with logs of the two hours that come next.
    async fn world(self) -> World {
        let next = self.next();
        let world = World::of(self.jobs.iter().map(|job| next.project(job))).await;
        lay(self.commit, &world);
        let jobs = self.jobs.iter().map(|&name| {
            let job = Job::new(name, &hours(0, self.hours));
            match name {
                "dense" => job.with("count", "200").with("format", "\"csv\""),
                _ => job.with("recheck", "\"6h\""),
            }
        });
        world.configure(&jobs.collect::<Vec<_>>());
        world
    }

    /// Archives the next two hours of each job.
    fn go_on(self, world: &World) {
        let next = self.next();
        let (from, to) = (next.since().to_string(), next.whole().to().to_string());
        for job in self.jobs {
            world
                .run(&["backfill", "--job", job, "--from", &from, "--to", &to])
                .exits(0)
                .shows("2 windows archived");
        }
    }

    /// Asserts that `verify` finds nothing but the windows that are not complete.
    fn is_proven(self, world: &World, args: &[&str]) {
        let ran = world.run(args).exits(1);
        let found = ran.stdout.lines().filter(|line| {
            self.jobs
                .iter()
                .any(|job| line.starts_with(&format!("  {job}/")))
        });
        let (windows, status) = self.listed;
        assert_eq!(found.clone().count(), windows, "{ran:#?}");
        let status = format!(": {status}: ");
        assert!(found.clone().all(|line| line.contains(&status)), "{ran:#?}");
    }

    /// Asserts that the archive is proven and holds the next two hours too. Moves it away.
    fn is_continued(self, world: &World) {
        self.is_proven(world, &["verify"]);
        let next = self.next();
        for job in self.jobs {
            let folders = world.folders(job);
            for folder in &folders {
                folder.assert_sums_pass();
            }
            let added = folders
                .iter()
                .filter(|folder| next.windows.contains(&folder.window));
            assert_eq!(added.clone().count(), 2);
            added.for_each(|folder| world.assert_holds_the_truth(job, folder));
            let until = next.whole().to().0;
            assert_eq!(world.status(job)["covered_until_ms"], until);
        }
        self.is_proven(world, &["verify", &world.copy_and_nothing_else()]);
    }
}

/// What `status` says that follows from the ledger alone.
fn facts(world: &World, job: &str) -> Value {
    let mut status = world.status(job);
    // Rechecks are due for a week.
    if let Some(lateness) = status["lateness"].as_object_mut() {
        lateness.remove("due");
    }
    if let Some(confirmed) = status["confirmed"].as_object_mut() {
        // Why search did not confirm the newest window is told as long as that is so.
        confirmed.retain(|way, _| ["search", "download", "none"].contains(&way.as_str()));
    }
    let fields = [
        "confirmed",
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

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_an_earlier_version_is_verified_read_and_continued() {
    for earlier in [BEFORE_SECOND_OPINIONS, BEFORE_RECORDS_DIGEST] {
        let world = earlier.world().await;
        earlier.is_proven(&world, &["verify"]);
        let facts: Vec<Value> = earlier.jobs.iter().map(|job| facts(&world, job)).collect();
        insta::assert_json_snapshot!(format!("status_of_{}", earlier.commit), facts);
        let ledger = world.ledger_lines("shop").len();
        earlier.go_on(&world);
        assert_eq!(world.ledger_lines("shop").len(), ledger + 2);
        earlier.is_continued(&world);
    }
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_an_earlier_version_without_its_ledger_is_adopted_and_continued() {
    for earlier in [BEFORE_SECOND_OPINIONS, BEFORE_RECORDS_DIGEST] {
        let world = earlier.world().await;
        let before = facts(&world, "shop");
        std::fs::remove_dir_all(world.path("state")).unwrap();
        earlier.go_on(&world);
        let after = facts(&world, "shop");
        for field in ["since_ms", "truncated", "unproven", "gaps"] {
            assert_eq!(before[field], after[field], "{field}");
        }
        let before = before["confirmed"].as_object().unwrap();
        for (way, windows) in before {
            // The two hours more are asked for once.
            let more = if way == "none" { 2 } else { 0 };
            let windows = windows.as_u64().unwrap();
            assert_eq!(after["confirmed"][way], windows + more, "{way}");
        }
        earlier.is_continued(&world);
    }
}

/// The last commit that knew neither ids nor a job's settings. It has archived three jobs until
/// [`LEFT_AT`]: six hours with late logs, six of which most are empty, and thirteen days of which the first
/// three were lost, the fourth is unproven, and both acknowledged.
const BEFORE_IDS: &str = "41a5389";

/// When it was last run: 2026-11-20T07:33:00Z.
const LEFT_AT: UtcMs = UtcMs(1_795_159_980_000);

/// Guarantee: Evident
/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_a_version_before_ids_is_taken_over_whole_and_goes_on() {
    let Some(library) = library() else { return };
    let (short, long) = (hours(0, 8), days_before(13));
    let mail = [1, 4, 6].map(|at: usize| short.windows[at]);
    let world = World::start(Settings {
        projects: vec![
            short.project("shop").with_late(16, Millis(1 << 40)),
            Due::project_of("mail", mail),
            Due::project_of("old", long.windows[..12].iter().copied()),
        ],
        ..Settings::default()
    })
    .await;
    world.service.set_visible_at(Some(UtcMs(1 << 45)));
    lay(BEFORE_IDS, &world);
    world.configure(&[
        Job::new("shop", &short)
            .with("cross_check", "\"all\"")
            .with("recheck", "\"3h\""),
        Job::new("mail", &short)
            .with("cross_check", "\"all\"")
            .with("format", "\"csv\""),
        Job::new("old", &long).with("retention", "\"10d\""),
    ]);
    let clock = MovedClock::new(&world, library);
    let run_after = |minutes: i64, args: &[&str]| {
        let now = UtcMs(jiff::Timestamp::now().as_millisecond());
        let moved = LEFT_AT.plus(Millis(minutes * 60_000)).0 - now.0;
        let skewed = ServiceClock::Skewed(Millis(moved));
        world.service.set_clock(skewed);
        clock.set(&format!("{}s", moved / 1000));
        world.spawn_with(args, &clock.variables()).wait()
    };
    let jobs = ["shop", "mail", "old"];
    let files = || -> BTreeMap<_, _> {
        let folders = jobs.iter().flat_map(|job| world.folders(job));
        folders
            .flat_map(|folder| Folder::content(&folder))
            .collect()
    };
    let ledgers = || jobs.map(|job| fs::read_to_string(world.ledger(job)).unwrap());
    let (files_before, ledgers_before) = (files(), ledgers());

    // As it is, and after its first start, which asks for nothing.
    for what in ["before", "after"] {
        let verdict = run_after(2, &["verify"]).exits(0);
        verdict.shows("shop: INTACT").shows("old: INTACT");
        let status = run_after(2, &["status", "--json"]).exits(0).json();
        let told: Vec<_> = status["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| {
                let fields = ["job", "covered_until_ms", "records", "due", "state"];
                fields.map(|field| job[field].clone())
            })
            .collect();
        insta::assert_json_snapshot!("taken_over_41a5389", told);
        let old = &status["jobs"][2];
        assert_eq!(old["acknowledged"], json!({"truncated": 0, "unproven": 1}));
        if what == "before" {
            run_after(2, &["once"]).exits(0);
        }
    }
    assert!(world.service.journal().is_empty(), "it asks anew");
    assert_eq!(files(), files_before);
    for (before, after) in ledgers_before.iter().zip(ledgers()) {
        let added = after.strip_prefix(before.as_str()).unwrap();
        let added: Vec<Value> = added
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let events: Vec<_> = added.iter().map(|line| &line["event"]).collect();
        assert_eq!(events, ["job"]);
    }

    // Two hours later two hours more are due.
    run_after(130, &["once"]).exits(0);
    let mut all = files();
    assert!(
        files_before
            .iter()
            .all(|(path, bytes)| all.remove(path).as_ref() == Some(bytes))
    );
    for (job, windows) in [
        ("shop", &short.windows),
        ("mail", &short.windows),
        ("old", &long.windows),
    ] {
        let mut folders = world.folders(job);
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        // A revision's name comes after that of the folder before it.
        let newest = folders
            .into_iter()
            .map(|folder| (folder.window.from(), folder));
        let newest: BTreeMap<_, _> = newest.collect();
        let lost = if job == "old" { 3 } else { 0 };
        assert_eq!(newest.len(), windows.len() - lost, "{job}");
        for folder in newest.values() {
            folder.assert_sums_pass();
            world.assert_holds_the_truth(job, folder);
        }
    }
    run_after(131, &["verify"]).exits(0).shows("shop: INTACT");
}

/// So many days, in Seoul, that end where [`START`]'s begins.
fn days_before(count: i64) -> Due {
    let at = |day| START.plus(Millis::from_hours(24 * (day - count) - 9));
    Due {
        windows: (0..count)
            .map(|day| Span::new(at(day), at(day + 1)).unwrap())
            .collect(),
        window: "1d",
        settle_s: 3600,
    }
}

/// Files and zips, windows that were let go of, one that was held, and a receipt.
const WITH_PRUNED_WINDOWS: &str = "3f2b454";

/// Guarantee: Evident
/// Guarantee: Atomic
#[tokio::test(flavor = "multi_thread")]
async fn what_was_let_go_of_and_what_was_held_stays_so() {
    let (due, next) = (hours(0, 6), hours(6, 8));
    let world = World::of([next.project("shop")]).await;
    lay(WITH_PRUNED_WINDOWS, &world);
    world.configure(&[Job::new("shop", &due)]);
    // Later windows are due, which nobody has asked for.
    world
        .run(&["verify"])
        .exits(1)
        .shows("the data of 3 of these folders were let go of");
    let status = world.status("shop");
    assert_eq!(status["pruned"]["windows"], 3);
    assert_eq!(status["holds"][0]["reason"], "case 7");
    world
        .run(&["receipt", "list"])
        .exits(0)
        .shows("vault: number 1")
        .shows("6 folders");
    let bound = |at: UtcMs| at.to_string();
    let (from, to) = (bound(next.since()), bound(next.whole().to()));
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
        .exits(0)
        .shows("2 windows archived");
    let before = bound(due.whole().to());
    world
        .run(&["prune", "--before", &before, "--confirm"])
        .exits(0)
        .shows("let go of the data of 2 windows")
        .shows("held: case 7");
    let held = due.windows[1];
    let (from, to) = (bound(held.from()), bound(held.to()));
    let ran = world.run(&["cat", "--job", "shop", "--from", &from, "--to", &to]);
    assert!(!ran.exits(0).stdout.is_empty());
    let root = world.root().display().to_string();
    world
        .run(&["verify", &root])
        .exits(0)
        .shows("INTACT: 8 windows")
        .shows("the data of 5 of these folders");
}
