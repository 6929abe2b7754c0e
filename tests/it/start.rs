//! *Evident* and *Candid* at a start that reads a ledger from its checkpoint on: damage before it is found within a
//! day, by whoever archives, and at once by `verify`.

use std::fs;

use serde_json::json;

use super::systemd::Notified;
use crate::harness::{Due, Job, World, until};

/// A world whose job has more than a hundred lines, of which the third was changed afterwards.
async fn damaged() -> World {
    let due = Due::hours(104);
    let world = World::of([due.project("shop"), due.project("other")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let whole = fs::read_to_string(world.ledger("shop")).unwrap();
    let damaged = whole.replacen("\"records\":13", "\"records\":14", 1);
    assert_ne!(whole, damaged);
    fs::write(world.ledger("shop"), &damaged).unwrap();
    world.configure(&[Job::new("shop", &due), Job::new("other", &Due::hours(2))]);
    world
}

/// All lines were read at the instant `at_ms`, says what is kept of it.
fn prove(world: &World, at_ms: i64) {
    let proven = json!({ "proven_ms": at_ms });
    fs::write(world.path("state/shop.proven.json"), proven.to_string()).unwrap();
}

fn is_told(world: &World) {
    let status = world.status("shop");
    let told = status["last_error"]["message"].to_string();
    assert!(
        told.contains("line 3") && told.contains("rebuilt"),
        "{told}"
    );
    world.run(&["plan"]).exits(1).says("line 3");
}

/// Guarantee: Evident
/// Guarantee: Candid
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn damage_before_a_checkpoint_is_found_by_once_within_a_day_and_by_verify_at_once() {
    let world = damaged().await;
    let before = fs::read_to_string(world.ledger("shop")).unwrap();
    let now = elsa_archiver::clock::machine_time().0;
    prove(&world, now);
    // It starts from the checkpoint, and was proven today.
    world.run(&["plan"]).exits(0);
    world.once().exits(0);
    world
        .run(&["verify", "--job", "shop"])
        .exits(4)
        .shows("line 3");
    prove(&world, now - 86_400_000);
    world.once().exits(1).says("line 3").says("rebuilt");
    is_told(&world);
    // The next start reads every line, and stops the job as it ever did.
    world.once().exits(1).says("line 3").says("can't run");
    assert_eq!(fs::read_to_string(world.ledger("shop")).unwrap(), before);
}

/// Guarantee: Evident
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn damage_before_a_checkpoint_is_found_behind_a_daemon_and_stops_the_job_alone() {
    let world = damaged().await;
    let before = fs::read_to_string(world.ledger("shop")).unwrap();
    let systemd = Notified::new(&world);
    let mut daemon = systemd.run(&world);
    daemon.wait_until_it_says("running");
    daemon.wait_until_it_says("rename it and keep it");
    systemd.wait_for("can't run: shop (the ledger ");
    until("status says it", || {
        let status = world.status("shop");
        status["last_error"]["message"]
            .to_string()
            .contains("line 3")
    });
    is_told(&world);
    until("the other job is archived", || {
        world.status("other")["due"] == 0
    });
    daemon.terminate();
    daemon.wait().exits(0);
    assert_eq!(fs::read_to_string(world.ledger("shop")).unwrap(), before);
    is_told(&world);
}
