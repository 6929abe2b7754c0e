//! *Curable*: `backfill --again` asks once more for what is archived, and keeps what is better.

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{Fault, FaultPlan, Settings};

use crate::harness::{Due, Folder, Job, Ran, World, zip_of};

/// Asks once more for a span.
fn again(world: &World, span: Span) -> Ran {
    let (from, to) = (span.from().to_string(), span.to().to_string());
    world.run(&[
        "backfill", "--again", "--job", "shop", "--from", &from, "--to", &to,
    ])
}

fn revisions(world: &World) -> Vec<Folder> {
    let mut folders = world.folders("shop");
    folders.retain(|folder| folder.name.contains(".r"));
    folders
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_is_archived_is_asked_for_once_more_and_what_differs_is_published_beside_it() {
    let due = Due::hours(5);
    let project = due.project("shop").with_late(7, Millis(1 << 40));
    let world = World::start(Settings {
        projects: vec![project],
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let few = world.status("shop")["records"].as_u64().unwrap();
    world.service.set_visible_at(Some(UtcMs(1 << 45)));
    world.service.clear_journal();
    let asked = Span::new(due.windows[1].from(), due.windows[3].to()).unwrap();
    again(&world, asked).exits(0).shows("3 rechecked");
    assert_eq!(world.requests("shop").len(), 3);
    let revised = revisions(&world);
    assert!(!revised.is_empty());
    for folder in &revised {
        world.assert_holds_the_truth("shop", folder);
        assert!(asked.covers(folder.window));
    }
    assert!(world.status("shop")["records"].as_u64().unwrap() > few);
    world.run(&["verify"]).exits(0);
    world
        .run(&["verify", &world.root().display().to_string()])
        .exits(0);
    // What did not change says that it was looked at.
    let lines = world.ledger_lines("shop");
    let same = lines.iter().filter(|line| line["event"] == "rechecked");
    assert_eq!(same.count() + revised.len(), 3);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_window_becomes_complete_and_the_status_green() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let unreadable = Fault::Body(zip_of("logs.json", "[{\"a\":"));
    world.service.set_faults(FaultPlan::script([unreadable]));
    world.once().exits(1);
    let shown = world.run(&["status"]).exits(1);
    let advice = shown
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("ask again: `elsa-archiver "));
    let advice = advice.unwrap().trim_end_matches('`');
    let advice: Vec<&str> = advice.split(' ').collect();
    // As the status says.
    world.run(&advice).exits(0);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
    let revised = revisions(&world);
    assert_eq!(revised.len(), 1);
    world.assert_holds_the_truth("shop", &revised[0]);
}

/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_any_recheck_is_asked_for_too() {
    let due = Due::days(50);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let asked = due.windows[0];
    world.service.clear_journal();
    again(&world, asked).exits(0).shows("1 rechecked");
    assert_eq!(world.requests("shop").len(), 1);
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_fewer_by_now_takes_nothing_from_the_archive() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let middle = UtcMs(i64::midpoint(
        due.windows[1].from().0,
        due.windows[1].to().0,
    ));
    world.service.forget_before(middle);
    again(&world, due.windows[1]).exits(1);
    assert!(revisions(&world).is_empty());
    assert_eq!(world.status("shop")["unproven"], 1);
}
