//! *Complete*, *Evident* and *Curable* where the service's zips are kept as they came: nothing of them is
//! changed, what is in them was counted and checked, and both stores lie in one archive.

use std::fs;

use elsa_archiver::simulator::{CsvLayout, Dialect, Fault, FaultPlan, JsonLayout, Settings};
use serde_json::Value;

use crate::harness::{Due, Folder, Job, LOGS_A_WINDOW, World};

/// The names in a folder, sorted.
fn names(folder: &Folder) -> Vec<String> {
    let listing = fs::read_dir(&folder.path).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = listing
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Asserts that what lies in a folder are its parts' zips, and no other data.
#[track_caller]
fn assert_holds_zips(folder: &Folder) {
    let parts = folder.manifest["parts"].as_array().unwrap();
    let mut expected = vec!["SHA256SUMS".to_owned(), "manifest.json".to_owned()];
    for (number, part) in (1..).zip(parts) {
        let zip = format!("part-{number:04}.zip");
        assert_eq!(part["zip"]["path"], zip, "{}", folder.name);
        let found = fs::metadata(folder.path.join(&zip)).unwrap().len();
        assert_eq!(part["zip"]["bytes"], found, "{}", folder.name);
        expected.push(zip);
    }
    assert_eq!(names(folder), expected, "{}", folder.name);
}

/// Archives three windows, the second one without a log, from a service that answers like this.
async fn is_kept_as_it_came(format: &str, count: &str, dialect: Dialect) {
    let due = Due::hours(3);
    let busy = [0, 2].map(|at| due.windows[at]);
    let world = World::start(Settings {
        projects: vec![Due::project_of("shop", busy)],
        dialect,
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due)
        .with("format", &format!("{format:?}"))
        .with("count", count)
        .with("limit", "5")]);
    world.keep_zips(true);

    world
        .once()
        .exits(0)
        .shows("3 windows archived, 26 records");

    world.assert_archived("shop", &due.windows);
    let folders = world.folders("shop");
    folders.iter().for_each(assert_holds_zips);
    let bytes: u64 = folders
        .iter()
        .flat_map(|folder| folder.manifest["parts"].as_array().unwrap().clone())
        .map(|part| part["zip"]["bytes"].as_u64().unwrap())
        .sum();
    let status = world.status("shop");
    assert_eq!(status["records"], 2 * LOGS_A_WINDOW);
    assert_eq!(status["bytes"], bytes, "what the disk holds");
    world.assert_nothing_left_to_do();
    assert_is_proven(&world, &folders, &[]);
    let copy = world.copy_and_nothing_else();
    assert_is_proven(&world, &folders, &[&copy]);
}

/// Asserts that `verify` finds nothing, and that `--deep` looks at every entry.
#[track_caller]
fn assert_is_proven(world: &World, folders: &[Folder], dir: &[&str]) {
    let verified = |args: &[&str]| {
        let report = world.run(&[&["verify", "--json"], args, dir].concat());
        report.exits(0).json()["jobs"][0].clone()
    };
    let files = |folder: &Folder| -> usize {
        let parts = folder.manifest["parts"].as_array().unwrap();
        let files = |part: &Value| part["files"].as_array().unwrap().len();
        parts.iter().map(files).sum()
    };
    assert_eq!(verified(&[])["entries"], Value::Null);
    let entries: usize = folders.iter().map(files).sum();
    assert_eq!(verified(&["--deep"])["entries"], entries);
}

/// Guarantee: Evident
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_zip_with_one_array_is_kept_as_it_came() {
    is_kept_as_it_came("json", "1000", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_with_lines_is_kept_as_it_came() {
    let dialect = Dialect {
        json: JsonLayout::Lines,
        ..Dialect::default()
    };
    is_kept_as_it_came("json", "1000", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_with_a_file_a_page_is_kept_as_it_came() {
    let dialect = Dialect {
        csv: CsvLayout::Pages,
        ..Dialect::default()
    };
    is_kept_as_it_came("csv", "1000", dialect).await;
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_split_keeps_the_zip_of_each_part() {
    is_kept_as_it_came("json", "8", Dialect::default()).await;
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn both_stores_lie_in_one_archive() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let [first, second] = [&due.windows[..2], &due.windows[2..]];
    world.configure(&[Job::new("shop", &due)]);
    let bounds = [first[0].from().to_string(), first[1].to().to_string()];
    world
        .run(&[
            "backfill", "--job", "shop", "--from", &bounds[0], "--to", &bounds[1],
        ])
        .exits(0);
    world.keep_zips(true);

    world.once().exits(0).shows("2 windows archived");

    world.assert_archived("shop", &due.windows);
    for folder in world.folders("shop") {
        match second.contains(&folder.window) {
            true => assert_holds_zips(&folder),
            false => assert!(folder.path.join("part-0001").is_dir(), "{}", folder.name),
        }
    }
    world.keep_zips(false);
    world.assert_nothing_left_to_do();
    world.run(&["verify", "--deep"]).exits(0).shows("INTACT");
}

/// What is archived and what came later are compared, whichever way each is kept.
///
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_recheck_compares_what_is_kept_one_way_with_what_is_kept_the_other() {
    for (before, now) in [(true, true), (true, false), (false, true)] {
        let due = Due::hours(6);
        let world = World::with_revisions("shop", &due, 16, [before, now]).await;
        let lateness = &world.status("shop")["lateness"];
        assert_eq!(lateness["rechecked"], 6);
        let changed = lateness["changed"].as_u64().unwrap();
        let mut folders = world.folders("shop");
        folders.retain(|folder| folder.name.ends_with(".r2"));
        assert_eq!(folders.len() as u64, changed);
        for folder in &folders {
            world.assert_holds_the_truth("shop", folder);
            folder.assert_sums_pass();
            assert_eq!(folder.path.join("part-0001.zip").exists(), now);
        }
        world.run(&["verify", "--deep"]).exits(0);
    }
}

/// Guarantee: Evident
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_zip_is_found_and_its_window_is_archived_anew() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.keep_zips(true);
    world.once().exits(0);
    let folder = world.folders("shop").swap_remove(1);
    let zip = folder.path.join("part-0001.zip");
    let mut bytes = fs::read(&zip).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&zip, bytes).unwrap();

    for deep in [&[][..], &["--deep"]] {
        let report = world.run(&[&["verify", "--json"], deep].concat()).exits(4);
        let findings = report.json()["jobs"][0]["findings"].clone();
        assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
        assert_eq!(findings[0]["file"], "part-0001.zip");
        assert_eq!(findings[0]["problem"], "changed");
    }
    world.run(&["repair", "--confirm"]).exits(0);
    world.once().exits(0);
    world.run(&["verify", "--deep"]).exits(0);
    let folders = world.folders("shop");
    let anew = folders.iter().find(|one| one.window == folder.window);
    world.assert_holds_the_truth("shop", anew.unwrap());
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_rebuilt_from_zips_and_nothing_is_asked_for_again() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due).with("count", "8")]);
    world.keep_zips(true);
    world.once().exits(0);
    let before = world.status("shop");
    let kept: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    fs::remove_dir_all(world.path("state")).unwrap();
    world.assert_nothing_left_to_do();
    let after = world.status("shop");
    assert_eq!(
        (&after["records"], &after["bytes"]),
        (&before["records"], &before["bytes"])
    );
    assert!(world.folders("shop").iter().map(Folder::content).eq(kept));
    world.run(&["verify", "--deep"]).exits(0).shows("INTACT");
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_zip_that_breaks_a_rule_is_refused_and_nothing_of_it_is_archived() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.keep_zips(true);
    world
        .service
        .set_faults(FaultPlan::always(Fault::CorruptZip(200)));
    world.once().exits(1);
    assert!(world.folders("shop").is_empty());
    assert!(world.staged().is_empty(), "{:?}", world.staged());
    let kept = fs::read_dir(world.path("state/quarantine")).unwrap();
    assert!(kept.count() > 0);
    world.service.set_faults(FaultPlan::none());
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}
