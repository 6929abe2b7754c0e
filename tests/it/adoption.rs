//! *Self-healing* and *Exactly once*: a folder that the ledger lacks is taken over where it can be what it
//! is called, whatever is missing before it; where it can't be that, it is left alone, and said.

use std::fs;
use std::path::Path;

use elsa_archiver::digest::Digest;
use elsa_archiver::simulator::Project;
use serde_json::{Value, json};

use crate::harness::{Due, Folder, Job, PROJECT_ID, World, project_key};

/// A world in which all of `due` is archived.
async fn archived(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.once().exits(0);
    world.service.clear_journal();
    world
}

/// Changes a folder's manifest, and its sums with it: all in it still agrees with its sums.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Value)) {
    let (manifest, sums) = (folder.join("manifest.json"), folder.join("SHA256SUMS"));
    let before = fs::read(&manifest).unwrap();
    let mut value: Value = serde_json::from_slice(&before).unwrap();
    change(&mut value);
    let now = serde_json::to_vec_pretty(&value).unwrap();
    let mut text = fs::read_to_string(&sums).unwrap().replace(
        &Digest::of(&before).to_string(),
        &Digest::of(&now).to_string(),
    );
    let files = |path: &&Value| path.as_array().unwrap().clone();
    let named: Vec<Value> = value["parts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|part| files(&&part["files"]))
        .collect();
    let is_named = |line: &&str| {
        line.ends_with("  manifest.json")
            || named
                .iter()
                .any(|file| line.ends_with(file["path"].as_str().unwrap()))
    };
    text = text
        .lines()
        .filter(is_named)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(manifest, now).unwrap();
    fs::write(sums, text).unwrap();
}

/// The ledger as if the program had been killed before its last line.
fn forget_last_line(world: &World) {
    let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    let lines: Vec<&str> = ledger.split_inclusive('\n').collect();
    fs::write(world.ledger("shop"), lines[..lines.len() - 1].concat()).unwrap();
}

/// Asserts that the newest folder is not taken over, that this is said, and that doing what is said leads
/// to an exact archive.
fn is_refused_and_made_good(world: &World, due: &Due, newest: &Folder, why: &str) {
    for _ in 0..2 {
        world.once().exits(1).says(why).says("is in the way");
    }
    assert!(newest.path.exists());
    world.run(&["verify"]).exits(4).shows(why);
    let status = world.status("shop");
    assert_eq!(status["due"], 1);
    assert!(
        status["last_error"]["message"]
            .as_str()
            .unwrap()
            .contains("keep it")
    );
    fs::rename(&newest.path, world.path("aside")).unwrap();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_without_parts_is_not_taken_for_a_complete_window() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let newest = world.folders("shop").pop().unwrap();
    forget_last_line(&world);
    fs::remove_dir_all(newest.path.join("part-0001")).unwrap();
    rewrite(&newest.path, |manifest| manifest["parts"] = json!([]));
    is_refused_and_made_good(&world, &due, &newest, "its parts don't make up its window");
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_project_is_not_taken_for_the_job_s() {
    let due = Due::hours(3);
    let other = Project::from_times(&project_key("shop"), 5, 9, Vec::new());
    let world = World::of([due.project("shop"), other]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let newest = world.folders("shop").pop().unwrap();
    forget_last_line(&world);
    rewrite(&newest.path, |manifest| manifest["project_id"] = json!(5));
    let why = format!("of the project 5, and the job's is {PROJECT_ID}");
    is_refused_and_made_good(&world, &due, &newest, &why);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn parts_of_another_span_are_not_taken_for_the_window_s() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let newest = world.folders("shop").pop().unwrap();
    forget_last_line(&world);
    rewrite(&newest.path, |manifest| {
        for bound in ["from_ms", "to_ms"] {
            let at = &mut manifest["parts"][0][bound];
            *at = json!(at.as_i64().unwrap() - 3_600_000);
        }
    });
    is_refused_and_made_good(&world, &due, &newest, "its parts don't make up its window");
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_bytes_are_not_those_that_were_archived_is_not_taken_over() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let newest = world.folders("shop").pop().unwrap();
    forget_last_line(&world);
    let data = newest.path.join("part-0001/logs-0001.json");
    let bytes = fs::read(&data).unwrap();
    fs::write(&data, vec![b' '; bytes.len()]).unwrap();
    is_refused_and_made_good(&world, &due, &newest, "logs-0001.json: was changed");
}

/// The breaks of the chain that the ledger says, by the window that follows each.
fn breaks(world: &World) -> Vec<i64> {
    let lines = world.ledger_lines("shop");
    let rebuilt = lines.iter().filter(|line| line["event"] == "rebuilt");
    rebuilt
        .flat_map(|line| line["breaks"].as_array().cloned().unwrap_or_default())
        .map(|found| found["from_ms"].as_i64().unwrap())
        .collect()
}

/// Guarantee: Self-healing
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_an_archive_whose_ledger_is_lost_disowns_nothing_behind_it() {
    let due = Due::hours(6);
    let world = archived(&due).await;
    let folders = world.folders("shop");
    fs::remove_dir_all(&folders[2].path).unwrap();
    fs::remove_file(world.ledger("shop")).unwrap();

    world.once().exits(0).says("rebuilt");
    // Only the hole was asked for.
    assert_eq!(world.requests("shop").len(), 1);
    world.assert_archived("shop", &due.windows);
    let status = world.status("shop");
    assert_eq!((&status["due"], &status["gaps"]), (&json!(0), &json!([])));
    assert_eq!(breaks(&world), [due.windows[3].from().0]);
    world
        .run(&["verify"])
        .exits(0)
        .shows("INTACT")
        .shows(&folders[3].name)
        .shows("the chain of manifests breaks");
    world.assert_nothing_left_to_do();

    // Once more: it is rebuilt from what it says itself.
    fs::remove_file(world.ledger("shop")).unwrap();
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    assert_eq!(breaks(&world), [due.windows[3].from().0]);
    world.run(&["verify"]).exits(0);
    // The window of the hole was archived after that: its manifest names the break for those without the ledger.
    world
        .run(&["verify", &world.copy_and_nothing_else()])
        .exits(0)
        .shows(&folders[3].name)
        .shows("the chain of manifests breaks");
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn every_second_folder_gone_and_the_ledger_too_leaves_the_others_archived() {
    let due = Due::hours(9);
    let world = archived(&due).await;
    for folder in world.folders("shop").iter().step_by(2) {
        fs::remove_dir_all(&folder.path).unwrap();
    }
    fs::remove_file(world.ledger("shop")).unwrap();
    world.once().exits(0);
    assert_eq!(world.requests("shop").len(), 5);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
    world.assert_nothing_left_to_do();
    let named = world.folders("shop").into_iter().filter(|folder| {
        let breaks = folder.manifest["breaks"].as_array();
        breaks.is_some_and(|breaks| !breaks.is_empty())
    });
    assert_eq!(named.count(), 1);
    world
        .run(&["verify", &world.copy_and_nothing_else()])
        .exits(0);
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_of_an_older_time_takes_over_what_lies_behind_a_hole() {
    let due = Due::hours(6);
    let world = archived(&due).await;
    let folders = world.folders("shop");
    let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    let older: String = ledger.split_inclusive('\n').take(2).collect();
    fs::write(world.ledger("shop"), older).unwrap();
    fs::remove_dir_all(&folders[3].path).unwrap();
    world.once().exits(0).says("rebuilt");
    assert_eq!(world.requests("shop").len(), 1);
    world.assert_archived("shop", &due.windows);
    assert_eq!(breaks(&world), [due.windows[4].from().0]);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_can_t_be_taken_over_holds_none_back_that_follows_it() {
    let due = Due::hours(5);
    let world = archived(&due).await;
    let folders = world.folders("shop");
    rewrite(&folders[1].path, |manifest| {
        manifest["records"] = json!(9999)
    });
    fs::remove_file(world.ledger("shop")).unwrap();
    world
        .once()
        .exits(1)
        .says("is in the way")
        .says("numbers of records");
    assert_eq!(world.status("shop")["due"], 1);
    assert!(world.requests("shop").is_empty());
    fs::rename(&folders[1].path, world.path("aside")).unwrap();
    world.once().exits(0);
    assert_eq!(world.requests("shop").len(), 1);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_hole_names_the_hole_and_blames_no_folder_behind_it() {
    let due = Due::hours(5);
    let world = archived(&due).await;
    let folders = world.folders("shop");
    fs::remove_dir_all(&folders[2].path).unwrap();
    let copy = world.copy_and_nothing_else();
    let ran = world.run(&["verify", &copy]).exits(4);
    assert!(ran.stdout.contains("gap: nothing is archived"), "{ran:#?}");
    let blamed = ran
        .stdout
        .lines()
        .filter(|line| line.contains("a manifest"));
    assert_eq!(blamed.count(), 1, "{ran:#?}");
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_last_line_of_nul_bytes_is_cut_off_like_a_torn_one() {
    let due = Due::hours(3);
    for tail in [
        &b"\0\0\0\0\0\0\0\0\0"[..],
        b"\0\0\0\0\n",
        b"\0\0\"}\n\0\0\0",
    ] {
        let world = archived(&due).await;
        let mut ledger = fs::read(world.ledger("shop")).unwrap();
        ledger.extend(tail);
        fs::write(world.ledger("shop"), ledger).unwrap();
        world.once().exits(0).says("torn");
        assert_eq!(world.ledger_lines("shop").len(), 3);
        world.run(&["verify"]).exits(0);
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_a_newer_version_wrote_is_never_said_to_be_damaged() {
    let due = Due::hours(2);
    for (event, field) in [
        ("archived", r#""weather":"rain","#),
        ("weathered", ""),
        ("moved", ""),
    ] {
        let world = archived(&due).await;
        let mut ledger = fs::read_to_string(world.ledger("shop")).unwrap();
        let last = ledger.lines().next_back().unwrap().to_owned();
        let prev = Digest::of(last.as_bytes());
        ledger += &format!(
            r#"{{"seq":4,"at":"2026-11-20T00:00:00Z","event":"{event}",{field}"prev":"{prev}"}}"#
        );
        ledger += "\n";
        fs::write(world.ledger("shop"), &ledger).unwrap();
        let ran = world.once().exits(1).says("newer version");
        assert!(!ran.stderr.contains("damaged") && !ran.stderr.contains("move this file"));
        assert_eq!(fs::read_to_string(world.ledger("shop")).unwrap(), ledger);
        world.run(&["verify"]).exits(1).shows("newer version");
    }
}
