//! A job that the config has no more stays in sight: listed, verified, never red by itself.

use std::fs;

use crate::harness::{Due, Job, World, files_below};

/// Guarantee: Candid
/// Guarantee: Curable
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
    world.run(&["verify"]).exits(4).shows(&folder.name);
    // It has a cure, and what it lacks from then on is told and is not red.
    world.run(&["repair"]).exits(1).shows("only cure");
    world
        .run(&["repair", "--job", "shop", "--confirm"])
        .exits(0);
    assert!(world.root().join(".damaged").join(&folder.name).is_dir());
    world.run(&["verify"]).exits(0).shows("shop: INCOMPLETE");
    world.run(&["status"]).exits(0);
    world.run(&["repair"]).exits(0);
}
