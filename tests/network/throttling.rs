//! A service that says "too often": one limiter answers it for all jobs of the account. Time is
//! moved by hand, so that the journal can be held against each wait to the second.

use std::sync::Arc;
use std::time::Duration;

use elsa_archiver::clock::Clock;
use elsa_archiver::domain::account::Account;
use elsa_archiver::domain::retry::Policy;
use elsa_archiver::elsa::client::{Client, Deadlines};
use elsa_archiver::simulator::{Fault, FaultPlan};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answers::service;
use super::archiving::Archiving;
use super::asking::{account, keys};
use super::stillness::Stillness;

const JOBS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn throttled(retry_after: Option<String>) -> Fault {
    Fault::Status {
        http: 429,
        error_code: "410".into(),
        message: "Throttled".into(),
        retry_after,
    }
}

/// All jobs have a cycle, and each answer is `fault`: asserts that never more requests came within
/// `pause` than may be under way at once. Returns when they came.
async fn requests(fault: Fault, max_in_flight: u32, pause: Duration) -> Vec<Duration> {
    let stillness = Stillness::begin();
    let service = service(&JOBS, FaultPlan::always(fault)).await;
    let account = Account {
        max_in_flight,
        ..account(&service.endpoint())
    };
    let client = Client::new(&account, keys(), Clock::system(), Deadlines::default());
    let client = Arc::new(client.unwrap());
    let mut cycles = JoinSet::new();
    for name in JOBS {
        let mut archiving = Archiving::new(name, Arc::clone(&client), Policy::default());
        cycles.spawn(async move {
            let outcome = archiving.cycle(2).await;
            assert_eq!((outcome.archived, outcome.left), (0, 2), "{outcome:?}");
        });
    }
    let (begun, step) = (Instant::now(), pause / 100);
    let mut came = Vec::new();
    stillness
        .pass_by(step, cycles.join_all(), || {
            came.resize(service.journal().len(), begun.elapsed());
        })
        .await;
    for those in came.windows(max_in_flight as usize + 1) {
        let took = those[those.len() - 1] - those[0];
        // A request is seen up to one step after it came.
        assert!(took >= pause - step, "{those:?} in {came:?}");
    }
    assert!(came.len() <= JOBS.len() * 5, "{}", came.len());
    came
}

#[tokio::test(start_paused = true)]
async fn all_jobs_of_an_account_wait_as_long_as_the_service_says_and_none_asks_between() {
    for at_once in [1, 3] {
        let fault = throttled(Some("7".into()));
        requests(fault, at_once, Duration::from_secs(7)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_is_waited_for_as_well() {
    // An hour is more than a cycle waits for; a quarter of one it does.
    let until = jiff::Timestamp::now() + Duration::from_secs(3600);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&until);
    let fault = throttled(Some(date.unwrap()));
    requests(fault, 1, Duration::from_mins(15)).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_time_to_wait_the_pauses_grow_and_nobody_asks_in_step() {
    let came = requests(throttled(None), 1, Duration::from_millis(500)).await;
    let gaps: Vec<Duration> = came.windows(2).map(|two| two[1] - two[0]).collect();
    let longest = gaps.iter().max().unwrap();
    assert!(*longest >= Duration::from_secs(2), "{gaps:?}");
}
