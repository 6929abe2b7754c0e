//! *Candid*: nothing is lost unasked, and what was lost can still be had while the service has it.

use elsa_archiver::domain::span::{Millis, Span};
use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::{Value, json};

use crate::harness::{Due, Job, World};

/// A job whose first two windows of `due` are past its `retention`, and none is in part.
pub(crate) fn job(due: &Due) -> Job {
    let edge = due.windows[1].to().plus(Millis(60_000));
    let now = jiff::Timestamp::now().as_millisecond();
    let keeps = (now - edge.0) / 1000;
    Job::new("shop", due).with("retention", &format!("\"{keeps}s\""))
}

fn events(world: &World) -> Vec<Value> {
    let lines = world.ledger_lines("shop").into_iter();
    lines.map(|line| line["event"].clone()).collect()
}

/// Each status in the archive.
fn statuses(world: &World) -> Vec<Value> {
    let folders = world.folders("shop").into_iter();
    folders
        .map(|folder| folder.manifest["status"].clone())
        .collect()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_still_has_is_kept_however_old_it_is() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[job(&due)]);
    world.once().exits(1);
    let expected = ["unproven", "unproven", "unproven", "complete", "complete"];
    assert_eq!(statuses(&world), expected.map(Value::from));
    for folder in world.folders("shop") {
        world.assert_holds_the_truth("shop", &folder);
    }
    assert!(!events(&world).contains(&json!("lost")));
    // What is not certain can be said to be known, and all is green.
    world.run(&["status", "--ack", "shop"]).exits(0);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Candid
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_asked_for_once_and_lost_loudly_until_somebody_knows() {
    let refused = || Fault::Status {
        http: 400,
        error_code: "300".to_owned(),
        message: "out of retention".to_owned(),
        retry_after: None,
    };
    for faults in [FaultPlan::none(), FaultPlan::script([refused(), refused()])] {
        let due = Due::hours(5);
        let world = World::of([due.project("shop")]).await;
        world.configure(&[job(&due)]);
        world.service.forget_before(due.windows[2].from());
        world.service.set_faults(faults);
        world
            .once()
            .exits(1)
            .says("no logs of it any more")
            .shows("1 span lost");
        assert_eq!(world.requests("shop").len(), 5);
        let lost = events(&world)
            .iter()
            .filter(|event| **event == "lost")
            .count();
        assert_eq!(lost, 2);
        assert_eq!(world.folders("shop").len(), 3);
        // Never asked for again, and never forgotten.
        world.service.clear_journal();
        world.once().exits(1);
        assert!(world.requests("shop").is_empty());
        let status = world.status("shop");
        assert_eq!(status["due"], 0);
        assert_eq!(status["covered_until_ms"], due.since().0);
        let both = Span::new(due.windows[0].from(), due.windows[1].to()).unwrap();
        assert_eq!(status["lost"][0]["to_ms"], both.to().0);
        world.run(&["verify"]).exits(1).shows("gap");
        world
            .run(&["status", "--ack", "shop"])
            .exits(0)
            .shows("(acknowledged)");
        let status = world.status("shop");
        assert_eq!(status["covered_until_ms"], due.whole().to().0);
        world.run(&["verify"]).exits(0);

        // It was there after all: a backfill always asks.
        world.service.forget_before(due.since());
        let (from, to) = (both.from().to_string(), both.to().to_string());
        let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
        world.run(&backfill).exits(1).shows("2 windows archived");
        for folder in world.folders("shop") {
            world.assert_holds_the_truth("shop", &folder);
        }
        assert_eq!(world.status("shop")["lost"], Value::Null);
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_loses_nothing() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[job(&due)]);
    let down = Fault::Status {
        http: 500,
        error_code: "900".to_owned(),
        message: "down".to_owned(),
        retry_after: None,
    };
    world.service.set_faults(FaultPlan::script(vec![down; 5]));
    world.once().exits(1);
    assert!(!events(&world).contains(&json!("lost")));
    assert_eq!(world.status("shop")["due"], 1);
    // They are older than `retention` says, so their beginning may be gone.
    world.once().exits(1);
    assert_eq!(world.folders("shop").len(), 5);
}
