//! What `status` says beside the jobs: whether a daemon lives and when it looks next, and how long the disk lasts.
//! The real binary; nothing of it is made up.

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::{Due, Job, World, until};

fn daemon(world: &World) -> Value {
    world.run(&["status", "--json"]).json()["daemon"].clone()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn status_tells_a_living_daemon_from_a_file_that_a_dead_one_left() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    // The last second of the year: whenever this runs, that is next.
    world.configure(&[Job::new("shop", &due).with("schedule", "\"59 59 23 31 12 *\"")]);
    let none = "daemon: none runs; start it with `systemctl start elsa-archiver`\n";
    world.run(&["status"]).shows(none);
    let mut running = world.spawn(&["run"]);
    until("it is archived", || world.folders("shop").len() == 1);

    let found = daemon(&world);
    assert_eq!(found["alive"], true, "{found}");
    assert_eq!(found["pid"], running.id());
    let next = found["next_look"].as_str().unwrap();
    assert!(next.ends_with("-12-31T23:59:59+09:00"), "{next}");
    assert!(next.parse::<Timestamp>().unwrap() > Timestamp::now());
    let words = format!(
        "daemon: alive (pid {}), next look at {next}\n",
        running.id()
    );
    world.run(&["status"]).exits(0).shows(&words);
    // Looking took nothing away from it.
    running.hang_up();
    running.wait_until_it_says("the configuration is in force");

    running.kill();
    assert!(world.path("state/lock").exists());
    let found = daemon(&world);
    assert_eq!(found["alive"], false, "{found}");
    assert_eq!(
        (&found["pid"], &found["next_look"]),
        (&Value::Null, &Value::Null)
    );
    world.run(&["status"]).exits(0).shows(none);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn status_says_how_long_the_disk_lasts_once_a_day_is_archived() {
    let due = Due::days(2);
    let world = World::of([due.project("shop"), due.project("new")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let report = world.run(&["status", "--json"]).exits(0).json();
    let (archive, shop) = (&report["archive"], &report["jobs"][0]);
    let rate = archive["bytes_per_day"].as_u64().unwrap();
    assert_eq!(
        rate,
        shop["bytes"].as_u64().unwrap().div_ceil(2),
        "{report}"
    );
    let ran = world.run(&["status"]).exits(0).shows("disk: ");
    assert!(ran.stdout.contains(" a day "), "{ran:#?}");

    // Of one job nothing is known yet, so nothing is of all.
    world.configure(&[Job::new("shop", &due), Job::new("new", &due)]);
    let archive = &world.run(&["status", "--json"]).exits(1).json()["archive"];
    assert_eq!(archive.get("bytes_per_day"), None);
    assert_eq!(archive.get("lasts_ms"), None);
    let told = "how long it lasts is not known: less than a day of new is archived\n";
    world.run(&["status"]).exits(1).shows(told);
}
