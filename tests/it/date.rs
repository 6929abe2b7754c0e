//! *Suspicious* of the time of day: a `Date` that can't be that of a gateway which accepted the
//! signature moves nothing. The real binary, with another clock in the `Date` alone.

use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver::simulator::{Fault, FaultPlan, Settings};

use crate::harness::{Due, Job, Ran, World};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// What tells that a `Date` is not used.
const NOT_USED: &str = "is not used";

/// Three hours; the last of them has settled two minutes ago, and the next will in most of an hour.
fn due() -> Due {
    let mut due = Due::hours(3);
    due.settle_s += 28 * 60;
    due
}

/// A service whose `Date` is so much ahead of its own clock, which is this machine's.
async fn behind_a_proxy(due: &Due, by_ms: i64) -> World {
    let world = World::start(Settings {
        projects: vec![due.project("shop")],
        date_skew: Some(Millis(by_ms)),
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", due)]);
    world
}

fn warnings(ran: &Ran) -> Vec<&str> {
    ran.stderr
        .lines()
        .filter(|line| line.contains("WARN"))
        .collect()
}

/// The instant in a field of a line of the log.
#[track_caller]
fn time(line: &str, field: &str) -> UtcMs {
    let named = line.split(&format!("{field}=")).nth(1).unwrap();
    let text = named.split(' ').next().unwrap();
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// Archives by this machine's clock, whatever the `Date` shows, and warns once.
async fn a_date_is_not_used(by_ms: i64) {
    let due = due();
    let world = behind_a_proxy(&due, by_ms).await;
    let ran = world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    assert_eq!(world.service.journal().len(), due.windows.len());
    let warnings = warnings(&ran);
    assert_eq!(warnings.len(), 1, "{ran:#?}");
    assert!(warnings[0].contains(NOT_USED), "{ran:#?}");
    let apart = time(warnings[0], "date").since(time(warnings[0], "signed_at"));
    assert!((apart.0 - by_ms).abs() < MINUTE_MS, "{apart:?}: {ran:#?}");
    world.assert_nothing_left_to_do();
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_date_an_hour_behind_an_accepted_signature_holds_nothing_back() {
    a_date_is_not_used(-HOUR_MS).await;
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_date_of_1970_holds_nothing_back() {
    a_date_is_not_used(-jiff::Timestamp::now().as_millisecond()).await;
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_date_a_day_ahead_of_an_accepted_signature_archives_nothing_too_early() {
    a_date_is_not_used(DAY_MS).await;
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_date_four_minutes_behind_is_believed() {
    let due = due();
    let world = behind_a_proxy(&due, -4 * MINUTE_MS).await;
    let ran = world.once().exits(1).says("ahead of the service's");
    assert!(!ran.stderr.contains(NOT_USED), "{ran:#?}");
    // By that clock the last window has not settled yet.
    world.assert_archived("shop", &due.windows[..2]);
}

/// Guarantee: Suspicious
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_is_not_used_gives_nothing_up_for_lost() {
    let due = due();
    let world = behind_a_proxy(&due, -HOUR_MS).await;
    let now = jiff::Timestamp::now().as_millisecond();
    // By our clock the oldest window is out of reach, by that of the `Date` it is not.
    let keeps = (now - due.windows[0].to().0) / 1000 - 60;
    let job = Job::new("shop", &due).with("retention", &format!("\"{keeps}s\""));
    world.configure(&[job]);
    world.service.forget_before(due.windows[1].from());
    let ran = world
        .once()
        .exits(1)
        .says("does not tell the time")
        .says(NOT_USED);
    assert_eq!(ran.stderr.matches(NOT_USED).count(), 1, "{ran:#?}");
    let events = world.ledger_lines("shop");
    assert!(
        events.iter().all(|line| line["event"] != "lost"),
        "{events:?}"
    );
    // The others are not held up.
    assert_eq!(world.folders("shop").len(), due.windows.len() - 1);
}

fn refused() -> Fault {
    Fault::Status {
        http: 401,
        error_code: "200".into(),
        message: "Authentication Failed".into(),
        retry_after: None,
    }
}

/// Guarantee: Suspicious
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_with_a_wrong_date_costs_a_cycle_and_no_loop() {
    let due = due();
    let world = behind_a_proxy(&due, -HOUR_MS).await;
    world.service.set_faults(FaultPlan::script([refused()]));
    world
        .once()
        .exits(1)
        .says("access_key and secret_key")
        .says("a proxy's or a cache's");
    // By our clock, then by that of the `Date`, which the service refuses.
    assert_eq!(world.service.journal().len(), 2);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}
