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

/// "Too often".
const OFTEN: &str = "410";
/// "The quota is used up".
const QUOTA: &str = "400";

fn throttled(error_code: &str, retry_after: Option<String>) -> Fault {
    Fault::Status {
        http: 429,
        error_code: error_code.into(),
        message: "Throttled".into(),
        retry_after,
    }
}

/// All these jobs have a cycle, and each answer is `fault`: asserts that never more requests came
/// within `pause` than may be under way at once. Returns when they came.
async fn requests(
    jobs: &[&str],
    fault: Fault,
    max_in_flight: u32,
    pause: Duration,
) -> Vec<Duration> {
    let stillness = Stillness::begin();
    let service = service(jobs, FaultPlan::always(fault)).await;
    let account = Account {
        max_in_flight,
        ..account(&service.endpoint())
    };
    let client = Client::new(&account, keys(), Clock::system(), Deadlines::default());
    let client = Arc::new(client.unwrap());
    let mut cycles = JoinSet::new();
    for name in jobs {
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
    came.resize(service.journal().len(), begun.elapsed());
    for those in came.windows(max_in_flight as usize + 1) {
        let took = those[those.len() - 1] - those[0];
        // A request is seen up to one step after it came.
        assert!(took >= pause - step, "{those:?} in {came:?}");
    }
    assert!(came.len() <= jobs.len() * 5, "{}", came.len());
    came
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn all_jobs_of_an_account_wait_as_long_as_the_service_says_and_none_asks_between() {
    for at_once in [1, 3] {
        let fault = throttled(OFTEN, Some("7".into()));
        let came = requests(&JOBS, fault, at_once, Duration::from_secs(7)).await;
        if at_once == 1 {
            // Four times each job waits up to a second longer, by chance; without it they would all
            // wait alike, to a step of the clock or two. That 24 pauses come out so by chance does
            // not happen once in 10^18 runs.
            let pauses = came.windows(2).map(|two| two[1] - two[0]).take(24);
            let (shortest, longest) = (pauses.clone().min(), pauses.max());
            let alike = shortest.unwrap() + Duration::from_millis(140);
            assert!(longest.unwrap() > alike, "{came:?}");
        }
    }
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_date_is_waited_for_as_well() {
    // An hour is more than a cycle waits for; a quarter of one it does.
    let until = jiff::Timestamp::now() + Duration::from_secs(3600);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&until);
    let fault = throttled(OFTEN, Some(date.unwrap()));
    requests(&JOBS, fault, 1, Duration::from_mins(15)).await;
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn without_a_time_to_wait_the_pauses_grow_and_nobody_asks_in_step() {
    let fault = throttled(OFTEN, None);
    let came = requests(&JOBS, fault, 1, Duration::from_millis(500)).await;
    let gaps: Vec<Duration> = came.windows(2).map(|two| two[1] - two[0]).collect();
    let longest = gaps.iter().max().unwrap();
    assert!(*longest >= Duration::from_secs(2), "{gaps:?}");
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_is_waited_for_a_minute_or_as_long_as_the_service_says() {
    let minute = Duration::from_mins(1);
    for retry_after in [None, Some("7".to_owned())] {
        let came = requests(&JOBS[..1], throttled(QUOTA, retry_after), 1, minute).await;
        assert_eq!(came.len(), 5);
    }
    let fault = throttled(QUOTA, Some("120".into()));
    requests(&JOBS, fault, 1, 2 * minute).await;
}
