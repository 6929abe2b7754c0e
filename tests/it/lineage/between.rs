//! What lies between the names of a project: gaps that are filled later under another name, or by nobody yet. A
//! state directory that is lost, a form of its own, a line taken out of the config: none of it is archived twice,
//! and none of it is forgotten.

use std::fs;

use elsa_archiver::domain::span::Millis;

use super::{assert_once, backfill, renamed};
use crate::harness::{Due, Job, SECRET_KEY, World};

fn heir(name: &str, due: &Due, before: &str) -> Job {
    renamed(name, due).with("succeeds", &format!("{before:?}"))
}

/// A job, its name, and from which window to which it archives.
type Archives = (Job, &'static str, Vec<(usize, usize)>);

/// A world in which each job archived these windows, one after the other; the state directory is there still.
async fn world(due: &Due, archived: Vec<Archives>) -> World {
    let world = World::of([due.project("shop")]).await;
    for (job, name, windows) in archived {
        world.configure(&[job]);
        for (from, to) in windows {
            backfill(&world, name, due, from..to);
        }
    }
    world.service.clear_journal();
    world
}

fn lose_state(world: &World) {
    fs::remove_dir_all(world.path("state")).unwrap();
}

/// A world in which `store` filled a gap of `shop`, from which it went on.
async fn filled(due: &Due) -> World {
    let shop = (Job::new("shop", due), "shop", vec![(0, 1), (2, 4)]);
    let store = (heir("store", due, "shop"), "store", vec![(1, 2), (4, 5)]);
    world(due, vec![shop, store]).await
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_third_name_asks_for_nothing_that_the_first_has_though_the_state_is_lost() {
    let due = Due::hours(6);
    for ill in ["lost", "damaged"] {
        let world = filled(&due).await;
        match ill {
            "lost" => lose_state(&world),
            _ => {
                let ledger = fs::read_to_string(world.ledger("shop")).unwrap();
                let damaged = ledger.replacen("\"records\"", "\"recorts\"", 1);
                fs::write(world.ledger("shop"), damaged).unwrap();
            }
        }
        world.configure(&[heir("mall", &due, "store")]);
        world.run(&["plan"]).exits(0).shows("1 window due");
        world.once().exits(0);
        assert_once(&world, &due, &["shop", "store", "mall"]);
        world.assert_nothing_left_to_do();
    }
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn an_heir_that_filled_a_gap_and_lost_its_ledger_must_say_again_whom_it_succeeds() {
    let due = Due::hours(6);
    let world = filled(&due).await;
    lose_state(&world);
    world.configure(&[renamed("store", &due)]);
    world.run(&["check"]).exits(2).says("succeeds = \"shop\"");
    world.once().exits(1).says("succeeds = \"shop\"");
    assert!(world.requests("shop").is_empty());
    world.configure(&[heir("store", &due, "shop")]);
    world.once().exits(0);
    assert_once(&world, &due, &["shop", "store"]);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_got_its_old_name_back_and_lost_its_ledger_must_say_again_whom_it_succeeds() {
    let due = Due::hours(6);
    let shop = (Job::new("shop", &due), "shop", vec![(0, 2)]);
    let store = (heir("store", &due, "shop"), "store", vec![(2, 4)]);
    let again = (heir("shop", &due, "store"), "shop", vec![(4, 5)]);
    let world = world(&due, vec![shop, store, again]).await;
    lose_state(&world);
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(1).says("succeeds = \"store\"");
    assert!(world.requests("shop").is_empty());
    world.configure(&[heir("shop", &due, "store")]);
    world.once().exits(0);
    assert_once(&world, &due, &["shop", "store"]);
    world.assert_nothing_left_to_do();
}

/// What `shop` has of the first three windows: all but one between, or but the first, before which nothing is archived.
const WITH_A_GAP: [&[(usize, usize)]; 2] = [&[(0, 1), (2, 3)], &[(1, 3)]];

/// `shop` archived what it `has` of the first three windows; `store` went on up to window `to`.
fn with_a_gap(due: &Due, has: &[(usize, usize)], to: usize) -> Vec<Archives> {
    let shop = (Job::new("shop", due), "shop", has.to_vec());
    let store = (heir("store", due, "shop"), "store", vec![(3, to)]);
    vec![shop, store]
}

/// Guarantee: Its own
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_of_three_names_lacks_is_due_though_the_state_is_lost() {
    for lost in [false, true] {
        for has in WITH_A_GAP {
            let due = Due::hours(6);
            let world = world(&due, with_a_gap(&due, has, 5)).await;
            if lost {
                lose_state(&world);
            }
            world.configure(&[heir("mall", &due, "store")]);
            world.once().exits(0);
            assert_once(&world, &due, &["shop", "store", "mall"]);
            world.assert_nothing_left_to_do();
        }
    }
}

/// Guarantee: Its own
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_lacked_before_it_got_its_old_name_back_stays_due() {
    for lost in [false, true] {
        for has in WITH_A_GAP {
            let due = Due::hours(6);
            let mut archived = with_a_gap(&due, has, 4);
            archived.push((heir("shop", &due, "store"), "shop", vec![(4, 5)]));
            let world = world(&due, archived).await;
            if lost {
                lose_state(&world);
            } else {
                world.run(&["plan"]).exits(0).shows("2 windows due");
                assert_eq!(world.status("shop")["due"], 2);
            }
            world.once().exits(0);
            assert_once(&world, &due, &["shop", "store"]);
            world.assert_nothing_left_to_do();
        }
    }
}

/// Guarantee: Its own
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_lacked_before_a_twin_of_it_began_stays_due_when_it_goes_on_from_the_twin() {
    for lacks in [1..2, 0..1] {
        let due = Due::hours(6);
        let has = match lacks.start {
            0 => 1..3,
            _ => 0..1,
        };
        let twin = renamed("twin", &due).with("since", &format!("\"{}\"", due.windows[3].from()));
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due), twin]);
        backfill(&world, "shop", &due, has);
        backfill(&world, "twin", &due, 3..5);
        world.configure(&[Job::new("shop", &due)]);
        world.once().exits(1).says("succeeds = \"twin\"");
        world.configure(&[heir("shop", &due, "twin")]);
        backfill(&world, "shop", &due, 5..6);
        world.once().exits(0);
        assert_once(&world, &due, &["shop", "twin"]);
        world.assert_nothing_left_to_do();
    }
}

/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn a_retired_job_of_another_format_is_no_heir_though_the_state_is_lost() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let table = renamed("table", &due).with("format", "\"csv\"");
    world.configure(&[Job::new("shop", &due), table]);
    backfill(&world, "shop", &due, 0..2);
    backfill(&world, "table", &due, 0..4);
    lose_state(&world);
    world.configure(&[Job::new("shop", &due)]);
    world.run(&["check"]).exits(0);
    for _ in 0..2 {
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
    }
}

/// Guarantee: Its own
/// Guarantee: Curable
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_archived_nothing_yet_needs_not_go_on_from_one_that_is_back() {
    let due = Due::hours(3);
    let world = world(&due, vec![(Job::new("shop", &due), "shop", vec![(0, 2)])]).await;
    // Nothing of it is archived, but its ledger knows whom it succeeds.
    world.configure(&[heir("store", &due, "shop")]);
    world.set_secret_key("wrong");
    world.once().exits(1);
    world.set_secret_key(SECRET_KEY);
    let csv = renamed("store", &due).with("format", "\"csv\"");
    world.configure(&[Job::new("shop", &due), csv]);
    world.run(&["check"]).exits(0);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    assert_eq!(world.folders("store").len(), 3);
}

/// Guarantee: Candid
/// Guarantee: Its own
#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_and_lost_is_a_gap_until_somebody_knows() {
    let due = Due::hours(4);
    let world = world(
        &due,
        vec![(Job::new("shop", &due), "shop", vec![(0, 1), (2, 3)])],
    )
    .await;
    let edge = due.windows[1].to().plus(Millis::from_mins(1));
    let keeps = (jiff::Timestamp::now().as_millisecond() - edge.0) / 1000;
    let store = heir("store", &due, "shop").with("retention", &format!("\"{keeps}s\""));
    world.configure(&[store]);
    world.service.forget_before(due.windows[2].from());
    world.once().exits(1).shows("1 span lost");
    world.run(&["status"]).exits(1);
    world
        .run(&["verify"])
        .exits(1)
        .shows("gap: nothing is archived");
    world.run(&["status", "--ack", "store"]).exits(0);
    world.run(&["verify"]).exits(0);
    world.once().exits(0);
    world.run(&["status"]).exits(0);
    world.run(&["verify"]).exits(0);
    assert_eq!(world.status("store")["lost"][0]["acknowledged"], true);
}

/// Guarantee: Its own
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_asks_for_nothing_that_the_project_has_under_another_name() {
    let due = Due::hours(6);
    for lost in [false, true] {
        let world = filled(&due).await;
        if lost {
            lose_state(&world);
        }
        world.configure(&[heir("mall", &due, "store")]);
        backfill(&world, "mall", &due, 0..6);
        assert_once(&world, &due, &["shop", "store", "mall"]);
        world.assert_nothing_left_to_do();
    }
}
