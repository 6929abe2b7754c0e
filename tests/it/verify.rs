//! *Evident*: whatever happens to an archive after it was published, `verify` names it, also in
//! a copy that has neither ledger nor config.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Due, Folder, Job, World};

/// A world with four archived windows, and the folder of the second one.
async fn archived() -> (World, Folder) {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    world
        .run(&["verify"])
        .exits(0)
        .shows("shop: INTACT: 4 windows");
    let second = world.folders("shop").swap_remove(1);
    (world, second)
}

/// The one data file of a folder, relative to it.
fn data_file(folder: &Folder) -> String {
    let path = &folder.manifest["parts"][0]["files"][0]["path"];
    path.as_str().unwrap_or_default().to_owned()
}

/// What `verify --json` finds, as `(folder, file, problem)`, whether in place or in a copy.
#[track_caller]
fn findings(world: &World, dir: &[&str]) -> Vec<(String, Option<String>, String)> {
    let report = world
        .run(&[&["verify", "--json"], dir].concat())
        .exits(4)
        .json();
    assert_eq!(report["intact"], false);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let findings = report["jobs"][0]["findings"].as_array().cloned();
    findings
        .unwrap_or_default()
        .iter()
        .map(|found| {
            let folder = text(&found["folder"]).unwrap_or_default();
            let problem = text(&found["problem"]).unwrap_or_default();
            (folder, text(&found["file"]), problem)
        })
        .collect()
}

/// Asserts that exactly this is found, and that people are told of it too.
#[track_caller]
fn assert_found(world: &World, folder: &Folder, file: Option<&str>, problem: &str) {
    let found = findings(world, &[]);
    let file = file.map(str::to_owned);
    assert_eq!(
        found,
        [(folder.name.clone(), file.clone(), problem.to_owned())]
    );
    let what = file
        .as_deref()
        .map_or("folder", |file| file.rsplit('/').next().unwrap());
    let what = what.to_owned();
    let place = file.map_or_else(
        || folder.name.clone(),
        |file| format!("{}/{file}", folder.name),
    );
    world
        .run(&["verify"])
        .exits(4)
        .prints(&format!("verify_{problem}_{what}"))
        .shows("DAMAGED")
        .shows(&format!("{place}: "));
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_is_found() {
    let (world, folder) = archived().await;
    let file = data_file(&folder);
    let mut bytes = fs::read(folder.path.join(&file)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.path.join(&file), bytes).unwrap();
    assert_found(&world, &folder, Some(&file), "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_found() {
    let (world, folder) = archived().await;
    let file = data_file(&folder);
    fs::remove_file(folder.path.join(&file)).unwrap();
    assert_found(&world, &folder, Some(&file), "missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_file_is_found() {
    let (world, folder) = archived().await;
    fs::write(folder.path.join("part-0001/more.json"), "[]").unwrap();
    assert_found(&world, &folder, Some("part-0001/more.json"), "added");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_folder_is_found() {
    let (world, folder) = archived().await;
    fs::remove_dir_all(&folder.path).unwrap();
    assert_found(&world, &folder, None, "missing");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn however_many_read_at_once_they_find_the_same_in_the_same_order() {
    let due = Due::hours(20);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let folders = world.folders("shop");
    for at in [1, 5, 6, 18] {
        fs::write(folders[at].path.join("part-0001/more.json"), "[]").unwrap();
        let next = &folders[at + 1];
        fs::write(next.path.join(data_file(next)), "[]").unwrap();
    }
    let root = world.root().display().to_string();
    for dir in [None, Some(root.as_str())] {
        let report = |threads| {
            let mut args = vec!["verify", "--json", "--jobs", threads];
            args.extend(dir);
            world.run(&args).exits(4).json()
        };
        let alone = report("1");
        assert_eq!(alone["jobs"][0]["findings"].as_array().unwrap().len(), 8);
        for threads in ["2", "3", "40"] {
            assert_eq!(report(threads), alone);
        }
    }
    world.run(&["verify", "--jobs", "0"]).exits(2);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manifest_is_found() {
    let (world, folder) = archived().await;
    let place = folder.path.join("manifest.json");
    let text = fs::read_to_string(&place).unwrap();
    fs::write(
        &place,
        text.replacen("\"attempts\": 1", "\"attempts\": 2", 1),
    )
    .unwrap();
    let found = findings(&world, &[]);
    let of = |file: &str| {
        (
            folder.name.clone(),
            Some(file.to_owned()),
            "changed".to_owned(),
        )
    };
    assert_eq!(found, [of("manifest.json"), of("SHA256SUMS")]);
    world
        .run(&["verify"])
        .exits(4)
        .shows("manifest.json: was changed");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn changed_sums_are_found() {
    let (world, folder) = archived().await;
    fs::write(folder.path.join("SHA256SUMS"), "").unwrap();
    assert_found(&world, &folder, Some("SHA256SUMS"), "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_the_ledger_lacks_is_found() {
    let (world, folder) = archived().await;
    let name = folder.name.replace("0000+0900", "0001+0900");
    let added = world.root().join(&name);
    fs::create_dir_all(&added).unwrap();
    assert_eq!(
        findings(&world, &[]),
        [
            (name.clone(), None, "not-in-ledger".to_owned()),
            (name, Some("manifest.json".into()), "missing".to_owned())
        ]
    );
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_proven_from_its_manifests_alone() {
    let (world, _) = archived().await;
    let copy = world.copy_and_nothing_else();
    world
        .run(&["verify", &copy])
        .exits(0)
        .shows("shop: INTACT: 4 windows");
    // Also one job of it, and a single folder.
    world.run(&["verify", &format!("{copy}/shop")]).exits(0);
    assert!(world.service.journal().len() == 4);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lacks_a_folder_in_the_middle_shows_the_gap() {
    let (world, second) = archived().await;
    let third = world.folders("shop").swap_remove(2);
    let copy = world.copy_and_nothing_else();
    fs::remove_dir_all(Path::new(&copy).join(&second.name)).unwrap();
    let by_chain = (third.name, None, "previous-missing".to_owned());
    let head = Some("_archive/heads/000001.head".to_owned());
    let by_head = (String::new(), head, "contradicted".to_owned());
    assert_eq!(findings(&world, &[&copy]), [by_chain, by_head]);
    let report = world.run(&["verify", "--json", &copy]).exits(4).json();
    let gaps = &report["jobs"][0]["gaps"];
    assert_eq!(gaps.as_array().map(Vec::len), Some(1));
    assert_eq!(gaps[0]["from_ms"], second.window.from().0);
    assert_eq!(gaps[0]["to_ms"], second.window.to().0);
    let ran = world.run(&["verify", &copy]).exits(4);
    ran.prints("verify_gap")
        .shows("follows a manifest that is not here")
        .shows("gap: nothing is archived from");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_changed_byte_is_not_intact() {
    let (world, second) = archived().await;
    let copy = world.copy_and_nothing_else();
    let file = data_file(&second);
    let place = Path::new(&copy).join(&second.name).join(&file);
    fs::write(place, "").unwrap();
    let expected = (second.name, Some(file), "changed".to_owned());
    assert_eq!(findings(&world, &[&copy]), [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_an_archive_is_no_proof() {
    let (world, _) = archived().await;
    let keys = world.path("keys").display().to_string();
    world
        .run(&["verify", &keys])
        .exits(1)
        .says("there is no archived window");
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_date_of_a_copy_verifies_as_a_part_in_whatever_order_it_was_archived() {
    // At least two dates, each with several windows.
    let due = Due::hours(30);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    for at in [17, 2, 20, 5] {
        let bounds = [due.windows[at].from(), due.windows[at].to()].map(|at| at.to_string());
        let args = [
            "backfill", "--job", "shop", "--from", &bounds[0], "--to", &bounds[1],
        ];
        world.run(&args).exits(0);
    }
    world.once().exits(0);
    let copy = world.copy_and_nothing_else();
    let dates = fs::read_dir(Path::new(&copy).join("shop")).unwrap();
    let mut dates: Vec<_> = dates.map(|date| date.unwrap().path()).collect();
    dates.sort();
    assert!(dates.len() > 1);
    for date in &dates {
        let part = date.display().to_string();
        world.run(&["verify", &part]).exits(0).shows("INTACT");
    }
    // One that is missing in the middle shows all the same.
    let full = dates
        .iter()
        .max_by_key(|date| fs::read_dir(date).unwrap().count());
    let full = full.unwrap();
    let mut windows: Vec<_> = fs::read_dir(full)
        .unwrap()
        .map(|window| window.unwrap().path())
        .collect();
    windows.sort();
    fs::remove_dir_all(&windows[windows.len() / 2]).unwrap();
    let part = full.display().to_string();
    world.run(&["verify", &part]).exits(4).shows("gap: ");
}
