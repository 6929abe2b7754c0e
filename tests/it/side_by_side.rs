//! Windows of a job are collected side by side, as many as the account allows. Carries *Isolated* and
//! *Bounded*.

use std::time::Duration;

use elsa_archiver::simulator::{Entry, Fault, FaultPlan};

use crate::harness::{Due, Job, World, project_key};

/// How many requests were in flight at most.
fn most_in_flight(entries: &[Entry]) -> usize {
    let begun = entries.iter().map(|entry| (entry.arrived_at, 1));
    let ended = entries.iter().map(|entry| (entry.finished_at.unwrap(), -1));
    // Of one instant, the end comes first.
    let mut changes: Vec<_> = begun.chain(ended).collect();
    changes.sort();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    most as usize
}

/// Guarantee: Bounded
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn once_has_as_many_requests_in_flight_as_the_account_allows_and_never_more() {
    let due = Due::hours(100);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.at_once(8);
    world
        .service
        .set_latency(Duration::from_millis(300)..=Duration::from_millis(300));
    world.once().exits(0);
    let asked = world.requests("shop");
    assert_eq!(asked.len(), 100);
    assert_eq!(most_in_flight(&asked), 8);
    // Whether the service answers is seen by the first one alone.
    assert!(asked[0].finished_at.unwrap() <= asked[1].arrived_at);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_window_is_not_kept_waiting_by_a_backlog_of_its_job_or_of_another() {
    let due = Due::hours(100);
    let fresh = Due {
        windows: due.windows[99..].to_vec(),
        ..due.clone()
    };
    let world = World::of([due.project("shop"), due.project("mail")]).await;
    world.configure(&[Job::new("shop", &due), Job::new("mail", &fresh)]);
    world
        .service
        .set_latency(Duration::from_millis(20)..=Duration::from_millis(20));
    world.once().exits(0);
    let asked = world.requests("shop");
    let of = |window: usize| {
        let from = Some(due.windows[window].from());
        asked.iter().position(|entry| entry.from == from).unwrap()
    };
    // The oldest goes alone; it is among those that begin together then.
    assert_eq!(of(0), 0);
    assert!(of(99) <= 4, "{}", of(99));
    assert!(of(98) < 20, "the newest that is left is in flight too");
    assert!(of(50) > 40, "and the others wait");
    // The other job's only window has overtaken nearly all of the backlog.
    let all = world.service.journal();
    let other = Some(project_key("mail"));
    let at = all.iter().position(|entry| entry.project_key == other);
    assert!(at.unwrap() <= 10, "{at:?}");
    for job in ["shop", "mail"] {
        let windows = if job == "shop" {
            &due.windows
        } else {
            &fresh.windows
        };
        world.assert_archived(job, windows);
    }
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_is_asked_once_by_each_request_in_flight_and_then_by_one_at_a_time() {
    let due = Due::hours(40);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due).with("cross_check", "\"off\"")]);
    world.at_once(8);
    world
        .service
        .set_latency(Duration::from_millis(100)..=Duration::from_millis(100));
    let down = || Fault::Status {
        http: 503,
        error_code: "500".into(),
        message: "Endpoint Error".into(),
        retry_after: None,
    };
    let well = std::iter::repeat_n(None, 20);
    let dead = std::iter::repeat_with(|| Some(down())).take(1000);
    world.service.set_faults(FaultPlan::steps(well.chain(dead)));
    world.once().exits(1);
    let asked = world.requests("shop");
    let failed: Vec<&Entry> = asked.iter().filter(|entry| entry.fault.is_some()).collect();
    // Eight in flight, as many that had begun since others were answered, and then four more attempts at each of
    // three windows.
    assert!(
        (15..=2 * 8 + 3 * 4).contains(&failed.len()),
        "{}",
        failed.len()
    );
    for pair in failed[failed.len() - 6..].windows(2) {
        assert!(pair[0].finished_at.unwrap() <= pair[1].arrived_at);
    }
}
