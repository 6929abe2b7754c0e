//! *Curable*: what `verify` finds has a cure. Nothing is deleted, what is gone is due again, and what is only
//! soiled is cleaned.

use std::fs;
use std::path::Path;

use elsa_archiver::domain::span::Span;

use crate::harness::{Due, Folder, Job, Ran, World, files_below, until};

/// A world with an archive of all that is due.
async fn archived(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.once().exits(0);
    world.service.clear_journal();
    world
}

/// Every file below archive and state with its bytes, but what holds a lock.
fn all(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = files_below(&world.root());
    files.extend(files_below(&world.path("state")));
    let files = files
        .into_iter()
        .map(|file| (file.clone(), fs::read(file).unwrap()));
    files.collect()
}

/// Shows what would be done, which changes nothing, and does it.
#[track_caller]
fn repaired(world: &World, told: &[&str]) -> Ran {
    let before = all(world);
    let mut shown = world.run(&["repair"]).exits(1);
    for told in told {
        shown = shown.shows(told);
    }
    shown.shows("Nothing was changed");
    assert_eq!(all(world), before);
    let done = world.run(&["repair", "--confirm"]).exits(0);
    world
        .run(&["repair"])
        .exits(0)
        .shows("Nothing is to be repaired");
    done
}

/// The newest folder of each window.
fn newest(world: &World) -> Vec<Folder> {
    let mut newest: Vec<Folder> = Vec::new();
    for folder in world.folders("shop") {
        match newest
            .last_mut()
            .filter(|last| last.window == folder.window)
        {
            Some(last) if last.name < folder.name => *last = folder,
            Some(_) => {}
            None => newest.push(folder),
        }
    }
    newest
}

/// Asserts that all is archived exactly, and proven with and without the ledger.
#[track_caller]
fn assert_made_good(world: &World, windows: &[Span]) {
    world.once().exits(0);
    let newest = newest(world);
    let found: Vec<Span> = newest.iter().map(|folder| folder.window).collect();
    assert_eq!(found, windows);
    for folder in &newest {
        world.assert_holds_the_truth("shop", folder);
        folder.assert_sums_pass();
    }
    world.run(&["verify"]).exits(0).shows("INTACT");
    world.run(&["status"]).exits(0);
    let copy = world.root().display().to_string();
    world.run(&["verify", &copy]).exits(0).shows("INTACT");
}

/// The events of the ledger.
fn events(world: &World) -> Vec<String> {
    let lines = world.ledger_lines("shop").into_iter();
    lines
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect()
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_folder_is_due_again_once_that_is_confirmed() {
    let due = Due::hours(4);
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    fs::remove_dir_all(&gone.path).unwrap();
    world.run(&["verify"]).exits(4).shows("is missing");
    repaired(
        &world,
        &["1 folder missing", &gone.name, "would be due again"],
    );
    assert_eq!(events(&world).last().unwrap(), "missing");
    let status = world.status("shop");
    assert_eq!(
        (&status["due"], &status["gaps"][0]["from_ms"]),
        (&1.into(), &gone.window.from().0.into())
    );
    world.run(&["verify"]).exits(1).shows("gap");
    assert_made_good(&world, &due.windows);
    // Under another name: a collector may have the folder that is gone.
    assert!(world.root().join(format!("{}.r2", gone.name)).is_dir());
    assert!(!gone.path.exists());
    assert_eq!(world.requests("shop").len(), 1);
    world.assert_nothing_left_to_do();
    let records: u64 = newest(&world)
        .iter()
        .map(|f| f.manifest["records"].as_u64().unwrap())
        .sum();
    assert_eq!(world.status("shop")["records"], records);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_folder_is_set_aside_whole_and_archived_again() {
    let due = Due::hours(3);
    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil); 4] = [
        ("was changed", |folder| {
            let data = files_below(&folder.join("part-0001")).remove(0);
            fs::write(data, "[]").unwrap();
        }),
        ("is missing", |folder| {
            let data = files_below(&folder.join("part-0001")).remove(0);
            fs::remove_file(data).unwrap();
        }),
        ("manifest.json", |folder| {
            fs::write(folder.join("manifest.json"), "{}").unwrap()
        }),
        ("manifest.json", |folder| {
            fs::remove_file(folder.join("manifest.json")).unwrap()
        }),
    ];
    for (told, spoil) in spoils {
        let world = archived(&due).await;
        let spoilt = world.folders("shop").swap_remove(1);
        spoil(&spoilt.path);
        let before = files_below(&spoilt.path).len();
        repaired(&world, &["1 folder damaged", told, ".damaged"]);
        let aside = world.root().join(".damaged").join(&spoilt.name);
        assert_eq!(files_below(&aside).len(), before);
        assert_made_good(&world, &due.windows);
    }
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_belong_to_a_folder_is_set_aside_and_the_folder_stays() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let folders = world.folders("shop");
    fs::write(folders[0].path.join("part-0001/.nfs0001"), "stray").unwrap();
    let sums = fs::read(folders[1].path.join("SHA256SUMS")).unwrap();
    fs::remove_file(folders[1].path.join("SHA256SUMS")).unwrap();
    fs::write(folders[2].path.join("SHA256SUMS"), "").unwrap();
    let lines = events(&world).len();
    repaired(
        &world,
        &[
            ".nfs0001 would be moved",
            "SHA256SUMS would be written again",
        ],
    );
    let damaged = world.root().join(".damaged");
    let stray = damaged.join(&folders[0].name).join("part-0001/.nfs0001");
    assert_eq!(fs::read(stray).unwrap(), b"stray");
    assert_eq!(fs::read(folders[1].path.join("SHA256SUMS")).unwrap(), sums);
    assert_eq!(events(&world).len(), lines);
    assert_made_good(&world, &due.windows);
    assert!(world.requests("shop").is_empty());
}

/// Guarantee: Curable
/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_root_is_bound_again_and_all_of_it_is_due() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    fs::remove_dir_all(world.root()).unwrap();
    fs::create_dir(world.root()).unwrap();
    world.once().exits(1).says("repair");
    repaired(&world, &["becomes archive", "3 folders missing"]);
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_comes_back_from_a_copy_counts_again() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    let copy = world.path("tape");
    fs::rename(&gone.path, &copy).unwrap();
    repaired(&world, &["1 folder missing"]);
    fs::rename(&copy, &gone.path).unwrap();
    repaired(&world, &["1 folder back", "would count again"]);
    assert_made_good(&world, &due.windows);
    assert!(world.requests("shop").is_empty());
    assert_eq!(newest(&world)[1].name, gone.name);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_copy_of_a_missing_folder_is_not_taken() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    let copy = world.path("tape");
    fs::rename(&gone.path, &copy).unwrap();
    repaired(&world, &["1 folder missing"]);
    fs::rename(&copy, &gone.path).unwrap();
    fs::write(files_below(&gone.path.join("part-0001")).remove(0), "[]").unwrap();
    repaired(&world, &["1 folder in the way", "was changed"]);
    assert!(!gone.path.exists());
    assert_eq!(world.status("shop")["due"], 1);
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_from_before_since_is_due_again_too() {
    let due = Due::hours(4);
    let world = archived(&due).await;
    let since = due.windows[2].from().to_string();
    world.configure(&[Job::new("shop", &due).with("since", &format!("{since:?}"))]);
    let gone = world.folders("shop").swap_remove(0);
    fs::remove_dir_all(&gone.path).unwrap();
    repaired(&world, &["1 folder missing"]);
    assert_eq!(world.status("shop")["due"], 1);
    world.run(&["status"]).exits(1);
    world.run(&["verify"]).exits(1).shows("gap");
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Its own
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_newest_folder_is_gone_waits_for_a_repair() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (from, to) = (due.since().to_string(), due.windows[2].to().to_string());
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
        .exits(0);
    world.service.clear_journal();
    // As after a root was restored from an older copy.
    let last = world.ledger_lines("shop").pop().unwrap();
    let newest = last["folder"].as_str().unwrap();
    let place = world.root().join(newest);
    fs::rename(&place, world.path("newest")).unwrap();
    let ran = world.once().exits(1);
    ran.says(newest).says("elsa-archiver repair --job shop");
    assert!(world.requests("shop").is_empty());
    fs::rename(world.path("newest"), &place).unwrap();
    world.once().exits(0);
    fs::remove_dir_all(&world.folders("shop")[3].path).unwrap();
    repaired(&world, &["1 folder missing"]);
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_set_aside_and_its_window_archived() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    fs::remove_dir_all(&gone.path).unwrap();
    repaired(&world, &["1 folder missing"]);
    let in_the_way = world.root().join(format!("{}.r2", gone.name));
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("notes.txt"), "mine").unwrap();
    world.once().exits(1).says("is in the way").says("repair");
    repaired(&world, &["1 folder in the way"]);
    let aside = world
        .root()
        .join(".damaged")
        .join(format!("{}.r2", gone.name));
    assert_eq!(fs::read(aside.join("notes.txt")).unwrap(), b"mine");
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_repaired_while_a_daemon_runs_and_nothing_of_another_archive() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let other = archived(&due).await;
    let daemon = world.spawn(&["run"]);
    until("the daemon has archived what is due", || {
        world.ledger("shop").exists() && world.status("shop")["due"] == 0
    });
    fs::remove_dir_all(&world.folders("shop")[0].path).unwrap();
    world.run(&["repair", "--confirm"]).exits(3);
    daemon.terminate();
    daemon.wait().exits(0);
    fs::rename(world.root(), world.path("away")).unwrap();
    fs::rename(other.root(), world.root()).unwrap();
    let before = all(&world);
    for repair in [&["repair"][..], &["repair", "--confirm"]] {
        world.run(repair).exits(1).says("belong together");
    }
    assert_eq!(all(&world), before);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_folder_is_set_aside_whatever_its_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let due = Due::hours(1);
    let world = archived(&due).await;
    let folder = world.folders("shop").swap_remove(0);
    let names = [
        &b"it's \"here\".txt"[..],
        b"two\nlines",
        b"\xff\xfe",
        "남은".as_bytes(),
    ];
    let names = names.map(|name| Path::new(OsStr::from_bytes(name)).to_owned());
    for name in &names {
        fs::write(folder.path.join("part-0001").join(name), "stray").unwrap();
    }
    repaired(&world, &["would be moved to .damaged"]);
    let aside = world.root().join(".damaged").join(&folder.name);
    for name in &names {
        let stray = aside.join("part-0001").join(name);
        assert_eq!(fs::read(stray).unwrap(), b"stray", "{name:?}");
    }
    assert_made_good(&world, &due.windows);
    assert!(world.requests("shop").is_empty());
}

/// Takes a folder away, has its window archived anew, and puts the folder back.
fn archived_anew_and_put_back(world: &World, number: usize) -> Folder {
    let gone = world.folders("shop").swap_remove(number);
    let copy = world.path("tape");
    fs::rename(&gone.path, &copy).unwrap();
    repaired(world, &["1 folder missing"]);
    world.once().exits(0);
    fs::rename(&copy, &gone.path).unwrap();
    gone
}

/// Guarantee: Curable
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_came_back_after_its_window_was_archived_anew_is_counted_once() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let records = world.status("shop")["records"].clone();
    archived_anew_and_put_back(&world, 1);
    assert_made_good(&world, &due.windows);
    assert_eq!(world.status("shop")["records"], records);
    // With its ledger made anew, too.
    fs::remove_dir_all(world.path("state")).unwrap();
    assert_made_good(&world, &due.windows);
    assert_eq!(world.status("shop")["records"], records);
    let report = world.run(&["verify", "--json"]).exits(0).json();
    assert_eq!(report["jobs"][0]["records"], records);
    assert_eq!(report["jobs"][0]["superseded"], 1);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_a_state_of_an_older_time_does_not_know_is_no_reason_to_set_good_data_aside() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let backfill = |from: usize, to: usize| {
        let (from, to) = (due.windows[from].from(), due.windows[to].to());
        let (from, to) = (from.to_string(), to.to_string());
        world
            .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
            .exits(0);
    };
    backfill(0, 2);
    let (state, kept) = (world.path("state"), world.path("kept"));
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&state, &kept])
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&world.folders("shop")[1].path).unwrap();
    repaired(&world, &["1 folder missing"]);
    backfill(3, 3);
    world.once().exits(0);
    // What was archived just before its window was archived anew is gone, and the state is an older one.
    let hole = world.folders("shop").swap_remove(3);
    assert_eq!(hole.window, due.windows[3]);
    fs::rename(&hole.path, world.path("hole")).unwrap();
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&kept, &state).unwrap();
    world.service.clear_journal();
    world.run(&["repair", "--confirm"]).exits(0);
    world.once().exits(0);
    assert_eq!(world.requests("shop").len(), 1, "only for the hole");
    assert!(!world.root().join(".damaged").exists());
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_what_another_one_holds_has_a_cure() {
    let due = Due::hours(3);
    // The first folder of a window of which a ledger that was made anew knows the second alone.
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    let copy = world.path("tape");
    fs::rename(&gone.path, &copy).unwrap();
    repaired(&world, &["1 folder missing"]);
    world.once().exits(0);
    fs::remove_dir_all(world.path("state")).unwrap();
    world.once().exits(0);
    world.run(&["verify"]).exits(0);
    fs::rename(&copy, &gone.path).unwrap();
    world.once();
    world.run(&["verify"]).exits(1).shows("repair");
    repaired(&world, &["1 folder in the way"]);
    assert_made_good(&world, &due.windows);
}

/// Guarantee: Curable
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_archived_again_as_it_was_cut_whatever_the_window_is_now() {
    for window in ["\"30m\"", "\"2h\"", "\"1d\""] {
        let due = Due::hours(5);
        let world = archived(&due).await;
        for gone in &world.folders("shop")[1..4] {
            fs::remove_dir_all(&gone.path).unwrap();
        }
        world.configure(&[Job::new("shop", &due).with("window", window)]);
        repaired(&world, &["3 folders missing"]);
        world.once().exits(0);
        // Half an hour more may be due by now.
        let found: Vec<Span> = newest(&world).iter().map(|folder| folder.window).collect();
        assert_eq!(found[..5], due.windows, "{window}");
        world.run(&["verify"]).exits(0).shows("INTACT");
        let copy = world.root().display().to_string();
        world.run(&["verify", &copy]).exits(0).shows("INTACT");
    }
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_comes_back_after_a_part_of_it_was_archived_again_is_not_counted_too() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let gone = world.folders("shop").swap_remove(1);
    let copy = world.path("tape");
    fs::rename(&gone.path, &copy).unwrap();
    repaired(&world, &["1 folder missing"]);
    let from = gone.window.from();
    let half = elsa_archiver::domain::span::UtcMs(from.0 + 1_800_000);
    let (from, to) = (from.to_string(), half.to_string());
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
        .exits(0);
    fs::rename(&copy, &gone.path).unwrap();
    world.run(&["repair", "--confirm"]).exits(0);
    world.once().exits(0);
    let report = world.run(&["verify", "--json"]).exits(0).json();
    let project = world
        .service
        .project(&crate::harness::project_key("shop"))
        .unwrap();
    let truth = elsa_archiver::simulator::truth::seqs_in(project, due.whole());
    assert_eq!(report["jobs"][0]["records"], truth.len());
    assert_eq!(world.status("shop")["records"], truth.len());
}
