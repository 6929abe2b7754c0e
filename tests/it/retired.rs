//! A job that the config has no more stays in sight: listed, verified, never red by itself.

use std::fs;

use crate::harness::{Due, Job, World, files_below};

/// Guarantee: Candid
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn a_retired_job_is_listed_and_verified() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop"), due.project("site")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("site", &due)]);
    world.once().exits(0);
    world.configure(&[Job::new("site", &due)]);
    world.once().exits(0);
    world.run(&["status"]).exits(0).shows("shop: retired");
    let status = world.status("shop");
    assert_eq!(
        (&status["retired"], &status["job"]),
        (&true.into(), &"shop".into())
    );
    assert_eq!(status["covered_until_ms"], due.whole().to().0);
    assert_eq!(world.status("site")["retired"], false);
    world.run(&["verify"]).exits(0).shows("shop: INTACT");
    // What is damaged in it is found all the same.
    let folder = world.folders("shop").remove(1);
    fs::write(files_below(&folder.path.join("part-0001")).remove(0), "[]").unwrap();
    let damaged = world.run(&["verify"]);
    assert_ne!(damaged.code, Some(0));
    damaged.shows(&folder.name);
}
