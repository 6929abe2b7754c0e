//! *Its own*: a job is one project, and a project that goes on under another name is archived once.

use std::fs;

use elsa_archiver::simulator::truth::{Difference, seqs_in};
use serde_json::json;

use crate::harness::{Due, Folder, Job, PROJECT_ID, World, project_key};

mod back;
mod between;
mod lost_state;

/// A job of the project of `shop`, under another name.
fn renamed(name: &str, due: &Due) -> Job {
    Job::new(name, due).with("project_key", &format!("{:?}", project_key("shop")))
}

async fn archived(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.once().exits(0);
    world.service.clear_journal();
    world
}

/// The events about settings.
fn settings(world: &World, job: &str) -> Vec<serde_json::Value> {
    let mut lines = world.all_ledger_lines(job);
    lines.retain(|line| line["event"] == "job");
    lines
}

/// Guarantee: Its own
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_says_the_settings_and_so_does_each_change() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    let first = world.all_ledger_lines("shop").remove(0);
    assert_eq!((&first["event"], &first["seq"]), (&json!("job"), &json!(1)));
    assert_eq!(first["project_id"], PROJECT_ID);
    assert_eq!(first["window"], "1h");
    assert_eq!(first["timezone"], "Asia/Seoul");
    world.once().exits(0);
    assert_eq!(settings(&world, "shop").len(), 1);
    let job = Job::new("shop", &due).with("retention", "\"30d\"");
    world.configure(&[job.with("window", "\"2h\"")]);
    world.run(&["check"]).exits(0);
    let ran = world.once().exits(0);
    let ran = ran
        .says("window was 1h and is 2h")
        .says("retention was not set and is 30d");
    assert_eq!(ran.stderr.matches("settings have changed").count(), 2);
    assert_eq!(settings(&world, "shop").len(), 2);
    // Nothing is fetched twice.
    assert!(world.requests("shop").is_empty());
    let quiet = world.once().exits(0);
    assert!(!quiet.stderr.contains("settings have changed"));
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn another_project_under_a_known_name_is_refused_and_a_rotated_key_is_recorded() {
    let due = Due::hours(3);
    for is_told in [true, false] {
        let world = archived(&due).await;
        if !is_told {
            // As an older version left it.
            let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
            let lines = ledger.lines().skip(1);
            let older = lines
                .enumerate()
                .fold(Vec::<String>::new(), |mut older, (at, line)| {
                    let mut fields: serde_json::Map<String, serde_json::Value> =
                        serde_json::from_str(line).unwrap();
                    fields["seq"] = json!(at + 1);
                    fields["prev"] = older.last().map_or(json!(null), |last| {
                        json!(elsa_archiver::digest::Digest::of(last.as_bytes()))
                    });
                    older.push(serde_json::to_string(&fields).unwrap());
                    older
                });
            fs::write(world.ledger("shop"), older.join("\n") + "\n").unwrap();
        }
        let before = fs::read(world.ledger("shop")).unwrap();
        world.configure(&[Job::new("shop", &due).with("project_id", "4711")]);
        world.run(&["check"]).exits(2).says("a job is one project");
        world
            .once()
            .exits(1)
            .says("is project 16706")
            .says("another name");
        world
            .run(&["status"])
            .exits(1)
            .shows("a job is one project");
        world
            .run(&["repair", "--confirm"])
            .exits(1)
            .shows("a job is one project");
        assert_eq!(fs::read(world.ledger("shop")).unwrap(), before);
        assert!(!world.root().join(".damaged").exists());
        assert!(world.requests("shop").is_empty());

        world.configure(&[Job::new("shop", &due).with("project_key", "\"Pb_rotated\"")]);
        world.run(&["check"]).exits(0);
        world.once().exits(0);
        let recorded = settings(&world, "shop").pop().unwrap();
        assert_eq!(recorded["project_key"], "Pb_rotated");
    }
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_goes_on_under_another_name_begins_where_the_old_one_ended() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (from, to) = (due.since().to_string(), due.windows[2].to().to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);

    world.configure(&[renamed("store", &due)]);
    world.run(&["check"]).exits(2).says("succeeds = \"shop\"");
    world.once().exits(1).says("archived twice");
    assert!(!world.root().join("store").exists());

    let store = renamed("store", &due).with("succeeds", "\"shop\"");
    world.configure(std::slice::from_ref(&store));
    world.run(&["check"]).exits(0);
    world.run(&["plan"]).exits(0).shows("2 windows");
    world.once().exits(0);
    let windows: Vec<_> = world.folders("store").iter().map(|f| f.window).collect();
    assert_eq!(windows, due.windows[3..]);
    let status = world.status("store");
    assert_eq!(status["since_ms"], due.windows[3].from().0);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
    let project = world.service.project(&project_key("shop")).unwrap();
    let mut folders = world.folders("shop");
    folders.extend(world.folders("store"));
    let found = folders
        .iter()
        .flat_map(Folder::records)
        .map(|record| record.seq);
    let difference = Difference::between(seqs_in(project, due.whole()), found);
    assert!(difference.is_none(), "{difference}");
    // It stays so when the old ledger is damaged or gone, and when the line is taken out of the config.
    world.service.clear_journal();
    let old = fs::read_to_string(world.ledger("shop")).unwrap();
    fs::write(
        world.ledger("shop"),
        old.replacen("\"records\"", "\"recorts\"", 1),
    )
    .unwrap();
    world.once().exits(0);
    fs::remove_file(world.ledger("shop")).unwrap();
    world.once().exits(0);
    world.configure(&[renamed("store", &due)]);
    world.once().exits(0);
    assert_eq!(world.status("store")["since_ms"], due.windows[3].from().0);
    assert_eq!(world.folders("store").len(), 2);
    assert!(world.requests("shop").is_empty());
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_can_t_succeed_is_refused_with_the_reason() {
    let due = Due::hours(2);
    let world = archived(&due).await;
    let store = |succeeds: &str| renamed("store", &due).with("succeeds", succeeds);
    for (jobs, told) in [
        (vec![store("\"shpo\"")], "has no ledger of that job"),
        (
            vec![Job::new("shop", &due), store("\"shop\"")],
            "is in the configuration",
        ),
        (
            vec![store("\"shop\"").with("project_id", "4711")],
            "one of the same project",
        ),
    ] {
        world.configure(&jobs);
        world.run(&["check"]).exits(2).says(told);
        world.once().exits(1).says(told);
        assert!(!world.root().join("store").exists());
    }
    // The same project twice is only doubted.
    world.configure(&[Job::new("shop", &due), renamed("store", &due)]);
    world.run(&["check"]).exits(0).shows("kept twice");
    let csv = renamed("store", &due).with("format", "\"csv\"");
    world.configure(&[Job::new("shop", &due), csv]);
    let check = world.run(&["check"]).exits(0);
    assert!(!check.stdout.contains("kept twice"));
}

/// Asserts that the folders of these jobs together hold what the service has, once.
#[track_caller]
fn assert_once(world: &World, due: &Due, jobs: &[&str]) {
    let project = world.service.project(&project_key("shop")).unwrap();
    let folders = jobs.iter().flat_map(|job| world.folders(job));
    let found: Vec<u64> = folders
        .flat_map(|folder| folder.records())
        .map(|record| record.seq)
        .collect();
    let difference = Difference::between(seqs_in(project, due.whole()), found);
    assert!(difference.is_none(), "{difference}");
}

fn backfill(world: &World, job: &str, due: &Due, windows: std::ops::Range<usize>) {
    let (from, to) = (
        due.windows[windows.start].from(),
        due.windows[windows.end - 1].to(),
    );
    let (from, to) = (from.to_string(), to.to_string());
    world
        .run(&["backfill", "--job", job, "--from", &from, "--to", &to])
        .exits(0);
}

/// Guarantee: Its own
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn what_the_job_before_lacked_is_due_under_the_new_name() {
    let due = Due::hours(6);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    backfill(&world, "shop", &due, 1..2);
    backfill(&world, "shop", &due, 3..4);
    let store = renamed("store", &due).with("succeeds", "\"shop\"");
    world.configure(std::slice::from_ref(&store));
    world.run(&["plan"]).exits(0).shows("4 windows");
    assert_eq!(world.status("store")["due"], 4);
    world.run(&["verify"]).exits(1);
    world.once().exits(0);
    assert_once(&world, &due, &["shop", "store"]);
    world.service.clear_journal();
    world.once().exits(0);
    assert!(world.requests("shop").is_empty());
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
    let depot = renamed("depot", &due).with("succeeds", "\"store\"");
    world.configure(&[depot]);
    world.once().exits(0);
    assert!(world.requests("shop").is_empty());
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_gets_its_old_name_back_goes_on_where_the_new_one_ended() {
    let due = Due::hours(6);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    backfill(&world, "shop", &due, 0..2);
    world.configure(&[renamed("store", &due).with("succeeds", "\"shop\"")]);
    backfill(&world, "store", &due, 2..4);
    world.configure(&[Job::new("shop", &due)]);
    world.run(&["check"]).exits(2).says("succeeds = \"store\"");
    world.once().exits(1).says("archived twice");
    assert_eq!(world.folders("shop").len(), 2);
    world.configure(&[Job::new("shop", &due).with("succeeds", "\"store\"")]);
    world.run(&["check"]).exits(0);
    world.once().exits(0);
    assert_once(&world, &due, &["shop", "store"]);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn another_project_is_refused_where_the_ledger_is_lost_too() {
    let due = Due::hours(3);
    let world = archived(&due).await;
    fs::remove_dir_all(world.path("state")).unwrap();
    let other = Job::new("shop", &due).with("project_id", "4711");
    world.configure(&[other]);
    for command in [&["once"][..], &["repair", "--confirm"]] {
        let ran = world.run(command).exits(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("a job is one project"), "{told}");
    }
    world.run(&["check"]).exits(2).says("a job is one project");
    assert_eq!(world.folders("shop").len(), due.windows.len());
    assert!(!world.root().join(".damaged").exists());
}
