//! `status --ack`: what somebody knows of is red no longer, what comes later is red again.

use elsa_archiver::simulator::{Lie, LieKind, LyingCalls, Search};
use serde_json::{Value, json};

use crate::harness::{Due, World, tell};
use crate::second_opinion::{job, world};

/// A download that leaves out a record in ten, always the same ones: search contradicts it.
fn shard() -> Lie {
    Lie {
        kind: LieKind::OneIn(10),
        times: None,
        calls: LyingCalls::Download,
    }
}

/// The spans of the events of one kind in the ledger.
fn spans_of(world: &World, event: &str) -> Vec<(Value, Value)> {
    let lines = world.ledger_lines("shop").into_iter();
    lines
        .filter(|line| line["event"] == event)
        .map(|line| (line["from_ms"].clone(), line["to_ms"].clone()))
        .collect()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn an_unproven_window_that_is_known_is_red_no_longer_and_the_next_one_is_red_again() {
    let due = Due::hours(6);
    let world = world(due.project("shop"), Search::default()).await;
    let since = |at: usize| job(&due).with("since", &format!("\"{}\"", due.windows[at].from()));
    world.configure(&[since(2)]);
    world.once().exits(0);
    world.service.set_lies(vec![shard()]);
    world.configure(&[since(1)]);
    world.once().exits(1);
    let red = world.run(&["status"]).exits(1);
    red.prints("status_before_ack").shows("status --ack shop");
    world.run(&["verify"]).exits(1).shows("INCOMPLETE");
    assert_eq!(world.status("shop")["acknowledged"], Value::Null);

    // At once, before the ledger says so; the number is still told.
    let known = world.run(&["status", "--ack", "shop"]).exits(0);
    tell(&known.stdout);
    known.prints("status_acknowledged");
    world
        .run(&["verify"])
        .exits(0)
        .prints("verify_acknowledged")
        .shows("(acknowledged)");
    let told = |status: &Value| (status["unproven"].clone(), status["acknowledged"].clone());
    let one = json!({"truncated": 0, "unproven": 1});
    assert_eq!(told(&world.status("shop")), (json!(1), one.clone()));
    assert!(spans_of(&world, "acknowledged").is_empty());

    // What is archived after it was left, before it is recorded, nobody has seen.
    world.configure(&[since(0)]);
    world.once().exits(1);
    assert!(!world.path("state/shop.ledger.acknowledged").exists());
    let acknowledged = spans_of(&world, "acknowledged");
    let window = due.windows[1];
    let losses_and_it = [
        json!(i64::MIN),
        json!(window.from().0),
        json!(window.to().0),
    ];
    assert_eq!(
        [&acknowledged[0].0, &acknowledged[1].0, &acknowledged[1].1],
        losses_and_it.each_ref()
    );
    let red = world.run(&["status"]).exits(1);
    tell(&red.stdout);
    red.prints("status_unproven_again");
    assert_eq!(told(&world.status("shop")), (json!(2), one));
    world.run(&["verify"]).exits(1);
    let report = world.run(&["verify", "--json"]).exits(1).json();
    assert_eq!(report["intact"], false);
    let folders = &report["jobs"][0];
    assert_eq!(folders["unproven"].as_array().map(Vec::len), Some(2));
    assert_eq!(folders["acknowledged"].as_array().map(Vec::len), Some(1));

    world.run(&["status", "--ack", "shop"]).exits(0);
    world.once().exits(0);
    world.run(&["status"]).exits(0);
    let report = world.run(&["verify", "--json"]).exits(0).json();
    assert_eq!(report["intact"], true);

    // A copy has no ledger: nobody knows there what was acknowledged here.
    let copy = world.copy_and_nothing_else();
    world.run(&["verify", &copy]).exits(1).shows("unproven");
}
