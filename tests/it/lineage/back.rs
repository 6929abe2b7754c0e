//! A project goes through several names, and back to one that it had: none of it is archived twice.

use elsa_archiver::simulator::truth::{Difference, seqs_in};

use super::renamed;
use crate::harness::{Due, Folder, Job, World, project_key};

fn backfill(world: &World, job: &str, due: &Due, from: usize, to: usize) {
    let (from, to) = (due.windows[from].from(), due.windows[to - 1].to());
    let (from, to) = (from.to_string(), to.to_string());
    let backfill = ["backfill", "--job", job, "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);
}

/// A world in which `shop` archived two windows, and `store` the next two.
async fn renamed_once(due: &Due) -> World {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    backfill(&world, "shop", due, 0, 2);
    world.configure(&[renamed("store", due).with("succeeds", "\"shop\"")]);
    backfill(&world, "store", due, 2, 4);
    world.service.clear_journal();
    world
}

/// Asserts that the job is refused as it is, and goes on exactly once it says whom it succeeds.
#[track_caller]
fn is_refused_until_it_succeeds_store(world: &World, due: &Due, job: &str, as_it_is: Job) {
    world.configure(&[as_it_is]);
    world.run(&["check"]).exits(2).says("succeeds = \"store\"");
    world.once().exits(1).says("succeeds = \"store\"");
    assert!(world.requests("shop").is_empty());
    world.configure(&[renamed(job, due).with("succeeds", "\"store\"")]);
    world.run(&["check"]).exits(0);
    world.once().exits(0);
    let project = world.service.project(&project_key("shop")).unwrap();
    let folders = ["shop", "store", "mall"].map(|name| world.folders(name));
    let found = folders.iter().flatten().flat_map(Folder::records);
    let seqs = found.map(|record| record.seq);
    let difference = Difference::between(seqs_in(project, due.whole()), seqs);
    assert!(difference.is_none(), "{difference}");
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
    world.assert_nothing_left_to_do();
    // The line may be taken out again.
    world.configure(&[renamed(job, due)]);
    world.run(&["check"]).exits(0);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_gets_its_old_name_back_goes_on_where_the_other_name_ended() {
    let due = Due::hours(6);
    let world = renamed_once(&due).await;
    is_refused_until_it_succeeds_store(&world, &due, "shop", Job::new("shop", &due));
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_third_name_succeeds_the_second_and_no_other() {
    for said in [None, Some("\"shop\"")] {
        let due = Due::hours(6);
        let world = renamed_once(&due).await;
        let mut mall = renamed("mall", &due);
        if let Some(said) = said {
            mall = mall.with("succeeds", said);
        }
        is_refused_until_it_succeeds_store(&world, &due, "mall", mall);
    }
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_job_beside_a_retired_one_of_another_format_goes_on() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let table = renamed("table", &due).with("format", "\"csv\"");
    world.configure(&[Job::new("shop", &due), table]);
    backfill(&world, "shop", &due, 0, 2);
    backfill(&world, "table", &due, 0, 4);
    world.configure(&[Job::new("shop", &due)]);
    world.run(&["check"]).exits(0);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}
