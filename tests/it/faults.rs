//! Faults that pass: each is waited out, and the archive is as exact as without it.

use elsa_archiver::domain::span::Millis;
use std::time::Duration;

use crate::harness::{Due, Job, Ran, World, until};
use elsa_archiver::simulator::{Entry, Fault, FaultPlan, ServiceClock, Settings};

/// Archives two windows, where the first answer suffers from `fault`.
async fn is_made_good(fault: Fault) -> (Vec<Entry>, Ran) {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.service.set_faults(FaultPlan::script([fault]));
    world.configure(&[Job::new("shop", &due)]);
    let ran = world.once().exits(0).says("attempt failed, trying again");
    world.assert_archived("shop", &due.windows);
    let attempts: Vec<u64> = world.folders("shop").iter().map(|f| f.attempts()).collect();
    assert_eq!(attempts, [2, 1]);
    let requests = world.requests("shop");
    assert_eq!(requests.len(), 3);
    assert!(world.staged().is_empty(), "{:?}", world.staged());
    world.assert_nothing_left_to_do();
    (requests, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_error_is_made_good() {
    is_made_good(Fault::Status {
        http: 503,
        error_code: "500".into(),
        message: "Endpoint Error".into(),
        retry_after: None,
    })
    .await;
}

/// Guarantee: Self-healing
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_request_is_made_good_no_sooner_than_the_service_says() {
    let fault = Fault::Status {
        http: 429,
        error_code: "410".into(),
        message: "Throttled".into(),
        retry_after: Some("1".into()),
    };
    let (requests, _) = is_made_good(fault).await;
    let waited = requests[1].arrived_at - requests[0].arrived_at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_made_good() {
    is_made_good(Fault::CutAfter(150)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_is_made_good() {
    is_made_good(Fault::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_with_one_wrong_byte_is_made_good() {
    is_made_good(Fault::CorruptZip(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_within_a_200_is_made_good() {
    is_made_good(Fault::ErrorIn200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_from_outside_is_printed_without_its_control_characters() {
    let fault = Fault::Status {
        http: 500,
        error_code: "900".into(),
        message: "\u{1b}[2J\u{7}gone\r\nINFO all is well".into(),
        retry_after: None,
    };
    let (_, ran) = is_made_good(fault).await;
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{7}'));
    assert!(!ran.stderr.lines().any(|line| line.starts_with("INFO")));
}

/// Archives three windows from a service whose clock is `by_ms` ahead.
async fn a_clock_is_followed(by_ms: i64) {
    let due = Due::hours(3);
    let world = World::start(Settings {
        projects: vec![due.project("shop")],
        clock: ServiceClock::Skewed(Millis(by_ms)),
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due)]);
    let ran = world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    let warnings: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("WARN"))
        .collect();
    assert_eq!(warnings.len(), 1, "{ran:#?}");
    assert!(warnings[0].contains("NTP"), "{ran:#?}");
    let named = warnings[0].split("skew_s=").nth(1);
    let number = named.and_then(|text| text.split(' ').next());
    let named_s = number.and_then(|number| number.parse::<i64>().ok());
    // `Date` has whole seconds, and the answer was some time on its way.
    assert!(
        named_s.is_some_and(|named_s| (named_s - by_ms / 1000).abs() < 60),
        "{ran:#?}"
    );
    // One refusal, and then one request a window.
    assert_eq!(world.service.journal().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_seven_minutes_ahead_is_followed_with_one_warning() {
    a_clock_is_followed(7 * 60_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_seven_minutes_behind_is_followed_with_one_warning() {
    a_clock_is_followed(-7 * 60_000).await;
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_fails_delays_no_other_window() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    // All five attempts at the first window, and no other.
    let faults = std::iter::repeat_n(Fault::ErrorIn200, 5);
    world.service.set_faults(FaultPlan::script(faults));
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(1)
        .shows("2 windows archived")
        .shows("1 not archived");
    world.assert_archived("shop", &due.windows[1..]);
    let status = world.status("shop");
    assert_eq!(status["gaps"][0]["from_ms"], due.since().0);
    assert_eq!(status["due"], 1);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_by_chance_the_archive_ends_up_exact() {
    let due = Due::hours(4);
    let jobs = ["a", "b", "c", "d"];
    let world = World::of(jobs.map(|job| due.project(job))).await;
    let faults = vec![
        Fault::CutAfter(200),
        Fault::Reset,
        Fault::EmptyBody200,
        Fault::LyingLength(9),
        Fault::LyingLength(-9),
        Fault::CorruptZip(99),
        Fault::HugeHeaders,
        Fault::Body(b"PK\x03\x04 and nothing more".to_vec()),
    ];
    world.service.set_faults(FaultPlan::random(11, 0.4, faults));
    world.configure(&jobs.map(|job| Job::new(job, &due)));
    // Whether five attempts are enough is chance too; a further look makes it good.
    until("everything is archived", || world.once().code == Some(0));
    for job in jobs {
        world.assert_archived(job, &due.windows);
    }
    world.run(&["verify"]).exits(0);
    world.service.set_faults(FaultPlan::none());
    world.assert_nothing_left_to_do();
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn windows_that_have_not_ended_by_the_service_s_clock_are_not_archived_yet() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    // Ours is two hours and a half ahead, or the service's behind: nobody can tell from here.
    world
        .service
        .set_clock(ServiceClock::Skewed(Millis(-9_000_000)));
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(1)
        .says("ahead of the service's")
        .says("NTP");
    let settled = world.service.now().plus(Millis(-(due.settle_s * 1000)));
    let folders = world.folders("shop");
    assert!(folders.len() < 4, "{}", folders.len());
    assert!(
        folders
            .iter()
            .all(|folder| folder.manifest["window"]["to_ms"].as_i64() <= Some(settled.0))
    );

    world.service.set_clock(ServiceClock::Skewed(Millis(0)));
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_that_correct_the_clock_at_once_do_not_correct_it_twice() {
    let due = Due::hours(2);
    let world = World::of([due.project("one"), due.project("two"), due.project("three")]).await;
    world
        .service
        .set_clock(ServiceClock::Skewed(Millis(400_000)));
    let jobs = ["one", "two", "three"].map(|name| Job::new(name, &due));
    world.configure(&jobs);
    world.once().exits(0);
    for name in ["one", "two", "three"] {
        world.assert_archived(name, &due.windows);
    }
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn windows_that_are_refused_delay_no_other_window() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    let refused = Fault::Status {
        http: 400,
        error_code: "100".into(),
        message: "from is too old".into(),
        retry_after: None,
    };
    let faults = vec![refused.clone(), refused.clone(), refused];
    world.service.set_faults(FaultPlan::script(faults));
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(1).says("too old");
    world.assert_archived("shop", &due.windows[3..]);
    // Moving `since` past them is a way out, and then all is well.
    let since = format!("\"{}\"", due.windows[3].from());
    world.configure(&[Job::new("shop", &due).with("since", &since)]);
    world.run(&["status"]).exits(0);
}
