//! *Complete* in the face of late logs: a window is asked for again, once, and what it holds by
//! then is published beside what it held; *Atomic*: the first folder stays as it is. The harness
//! makes the ledger as old as it has to be, instead of waiting.

use std::fs;

use crate::harness::{Due, Folder, Job, World};
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{Fault, FaultPlan, Project, Settings};

/// Far beyond any log's time, and before it.
const EVERYTHING: UtcMs = UtcMs(1 << 45);

/// A job whose windows are all due for a recheck by now.
fn job(due: &Due) -> Job {
    let recheck = format!("\"{}s\"", due.settle_s + 60);
    Job::new("shop", due).with("recheck", &recheck)
}

/// Some of its logs come late, in some windows and not in others.
fn project(due: &Due) -> Project {
    due.project("shop").with_late(16, Millis(1 << 40))
}

/// A world whose windows were archived as soon as they had settled, without the late logs.
async fn archived(due: &Due) -> World {
    let world = World::start(Settings {
        projects: vec![project(due)],
        ..Settings::default()
    })
    .await;
    world.configure(&[job(due)]);
    world.once().exits(0);
    world.make_ledger_older("shop", due);
    world
}

/// The windows in which a log comes late.
fn changed(due: &Due) -> Vec<Span> {
    let project = project(due);
    let is_late = |seq| project.indexed_at(seq) > Some(due.whole().to());
    let late = |window: &Span| project.truth(*window).any(|truth| is_late(truth.seq));
    due.windows.iter().copied().filter(late).collect()
}

fn revisions(world: &World) -> Vec<Folder> {
    let mut folders = world.folders("shop");
    folders.retain(|folder| folder.name.ends_with(".r2"));
    folders
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn logs_that_came_late_are_published_beside_the_first_folder_which_stays() {
    let due = Due::hours(6);
    let world = archived(&due).await;
    let changed = changed(&due);
    assert!(!changed.is_empty() && changed.len() < due.windows.len());
    let first: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    world.service.set_visible_at(Some(EVERYTHING));
    world.service.clear_journal();

    world.run(&["plan"]).shows("6 windows due for a recheck");
    world.once().exits(0).shows("6 rechecked");

    let revised = revisions(&world);
    let windows: Vec<Span> = revised.iter().map(|folder| folder.window).collect();
    assert_eq!(windows, changed);
    for folder in &revised {
        world.assert_holds_the_truth("shop", folder);
        folder.assert_sums_pass();
        let before = &folder.manifest["supersedes"];
        assert_eq!(
            format!("{}.r2", before["folder"].as_str().unwrap()),
            folder.name
        );
    }
    // Those that did not change hold the truth as they are, and none was touched.
    let all = world.folders("shop");
    let mut kept = all.iter().filter(|folder| !folder.name.ends_with(".r2"));
    assert!(kept.clone().map(Folder::content).eq(first));
    kept.by_ref()
        .filter(|folder| !changed.contains(&folder.window))
        .for_each(|folder| world.assert_holds_the_truth("shop", folder));

    world.run(&["verify"]).exits(0);
    let status = world.status("shop");
    let truth = project(&due).len();
    assert_eq!(status["records"], truth);
    let lateness = &status["lateness"];
    assert_eq!(lateness["rechecked"], 6);
    assert_eq!(lateness["changed"], changed.len());
    assert_eq!(lateness["over_ms"], due.settle_s * 1000);
    assert!(lateness["until_ms"].as_i64().unwrap() > (due.settle_s + 60) * 1000);
    world
        .run(&["status"])
        .exits(0)
        .shows("late logs")
        .shows("of 6 rechecked windows");
    // Once, and no more.
    world.assert_nothing_left_to_do();
    let copy = world.copy_and_nothing_else();
    world
        .run(&["verify", &copy])
        .exits(0)
        .shows("superseded by a later one");
}

/// Guarantee: Atomic
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_adopted_after_a_crash_and_rebuilt_with_a_lost_ledger() {
    let due = Due::hours(6);
    let world = archived(&due).await;
    world.service.set_visible_at(Some(EVERYTHING));
    world.once().exits(0);
    let expected = world.status("shop");
    // Killed after the last revision was published and before it was recorded.
    let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    let last = ledger.rfind("\"supersedes\"").unwrap();
    let line = ledger[..last].rfind('\n').unwrap() + 1;
    fs::write(world.ledger("shop"), &ledger[..line]).unwrap();
    world.once().exits(0).says("adopted");
    let folders = world.folders("shop").len();
    world.run(&["verify"]).exits(0);
    assert_eq!(world.status("shop")["records"], expected["records"]);

    fs::remove_file(world.ledger("shop")).unwrap();
    world.service.clear_journal();
    world.once().exits(0);
    assert!(world.service.journal().is_empty());
    assert_eq!(world.folders("shop").len(), folders);
    world.run(&["verify"]).exits(0);
    let rebuilt = world.status("shop");
    assert_eq!(rebuilt["records"], expected["records"]);
    assert_eq!(
        rebuilt["lateness"]["changed"],
        expected["lateness"]["changed"]
    );
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_recheck_that_fails_is_reported_and_made_good() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    world.service.set_visible_at(Some(EVERYTHING));
    let refuse = Fault::Status {
        http: 400,
        error_code: "100".to_owned(),
        message: "no".to_owned(),
        retry_after: None,
    };
    world.service.set_faults(FaultPlan::script([refuse]));
    world
        .once()
        .exits(1)
        .says("not rechecked")
        .shows("1 not rechecked");
    let status = world.run(&["status", "--json"]).exits(1).json();
    assert!(status["jobs"][0]["last_error"].is_object());
    world.once().exits(0);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn fewer_logs_than_before_are_not_believed_and_what_is_archived_stays() {
    let due = Due::hours(1);
    let world = World::start(Settings {
        projects: vec![project(&due)],
        visible_at: Some(EVERYTHING),
        ..Settings::default()
    })
    .await;
    world.configure(&[job(&due)]);
    world.once().exits(0);
    world.make_ledger_older("shop", &due);
    world.service.set_visible_at(None);
    let first = world.folders("shop")[0].content();
    world.once().exits(1).says("what is archived stays");
    assert_eq!(world.folders("shop").len(), 1);
    assert_eq!(world.folders("shop")[0].content(), first);
    world.run(&["status"]).exits(1).shows("due for a recheck");
    // The logs are there again, and nothing is left to be said.
    world.service.set_visible_at(Some(EVERYTHING));
    world.once().exits(0);
    world
        .run(&["status"])
        .exits(0)
        .shows("none in 1 rechecked window");
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn another_project_s_logs_are_never_published_as_late_ones() {
    let due = Due::hours(1);
    let other = due
        .project("other")
        .with_spike(due.since(), 20, Millis(1000));
    let world = World::of([due.project("shop"), other]).await;
    world.configure(&[job(&due)]);
    world.once().exits(0);
    world.make_ledger_older("shop", &due);
    world.configure(&[job(&due).with("project_key", "\"Pb_other\"")]);
    // With the same number, it may be the same project whose key was rotated.
    world
        .once()
        .exits(1)
        .says("of the archived ones are missing");
    assert_eq!(world.folders("shop").len(), 1);
}
