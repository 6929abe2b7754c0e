//! What the service may answer, row by row of its error table and beyond: how often a job with two
//! windows due asks, and what is left. `src/elsa/answer/tests.rs` has what each row means,
//! `tests/faults.rs` that it is made good once it passes.

use elsa_archiver::domain::span::Millis;
use std::sync::Arc;

use elsa_archiver::clock::Clock;
use elsa_archiver::domain::secret::{Keys, Secret};
use elsa_archiver::elsa::client::{Client, Deadlines};
use elsa_archiver::job::Outcome;
use elsa_archiver::simulator::{self, Fault, FaultPlan, Project, Settings, Simulator};
use tokio::task::JoinSet;

use super::archiving::{Archiving, BRISK};
use super::asking::{account, hour, job, keys};

/// A service with a log in each of the first hours, for the jobs of these names.
pub async fn service(jobs: &[&str], faults: FaultPlan) -> Simulator {
    let project = |name: &&str| {
        let job = job(name);
        let times = (0..8)
            .map(|number| hour(number).from().plus(Millis(1)))
            .collect();
        Project::from_times(&job.project_key, job.project_id, 7, times)
    };
    Simulator::start(Settings {
        projects: jobs.iter().map(project).collect(),
        faults,
        ..Settings::default()
    })
    .await
    .unwrap()
}

fn client(service: &Simulator, keys: Keys) -> Arc<Client> {
    let account = account(&service.endpoint());
    let client = Client::new(&account, keys, Clock::system(), Deadlines::default());
    Arc::new(client.unwrap())
}

fn status(http: u16, error_code: &str) -> Fault {
    Fault::Status {
        http,
        error_code: error_code.into(),
        message: "no".into(),
        retry_after: None,
    }
}

/// A cycle with two windows due, where every answer is `fault`.
async fn cycle(fault: Fault) -> (Outcome, usize) {
    let service = service(&["shop"], FaultPlan::always(fault.clone())).await;
    let mut archiving = Archiving::new("shop", client(&service, keys()), BRISK);
    let outcome = archiving.cycle(2).await;
    assert!(archiving.files().is_empty(), "{fault:?}: {outcome:?}");
    (outcome, service.journal().len())
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_followed_as_its_class_says_and_leaves_nothing_behind() {
    let (each_once, all_once) = (2, 1);
    let (each_five_times, all_five_times) = (10, 5);
    // Twice, and then so for eight halves in a row, after which it is not the size.
    let smaller_and_smaller = 18;
    let rows = [
        (status(400, "100"), each_once, "project_key"),
        (status(401, "200"), all_once, "access_key and secret_key"),
        (status(401, "210"), all_once, "permission"),
        (status(404, "300"), each_once, "project_id"),
        (status(413, "430"), each_once, "count and limit"),
        (status(429, "400"), all_five_times, "quota"),
        (status(429, "410"), all_five_times, "error 410"),
        (status(429, "420"), all_five_times, "error 420"),
        (status(503, "500"), each_five_times, "error 500"),
        (status(504, "510"), smaller_and_smaller, "error 510"),
        (status(500, "900"), each_five_times, "error 900"),
        (status(403, "0"), all_once, "permission"),
        (status(418, "0"), all_once, "418"),
        (Fault::Html200, each_five_times, "no zip"),
        (Fault::ErrorIn200, each_five_times, "error 900"),
        (Fault::EmptyBody200, each_five_times, "no content"),
        (
            Fault::Body(b"{\"logs\":[]}".to_vec()),
            each_five_times,
            "no zip",
        ),
    ];
    let mut running = JoinSet::new();
    for (fault, requests, told) in rows {
        running.spawn(async move {
            let (outcome, asked) = cycle(fault.clone()).await;
            assert_eq!((outcome.archived, outcome.left), (0, 2), "{fault:?}");
            let error = outcome.error.unwrap();
            assert!(error.contains(told), "{fault:?}: {error}");
            assert_eq!(asked, requests, "{fault:?}: {error}");
        });
    }
    while let Some(row) = running.join_next().await {
        row.unwrap();
    }
}

/// With a clock that is wrong as well: it is corrected once, and then the key is to blame.
///
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_told_from_a_wrong_clock_and_not_tried_again() {
    for skew_ms in [-400_000, 0, 400_000] {
        let service = service(&["shop"], FaultPlan::none()).await;
        service.set_clock(simulator::ServiceClock::Skewed(Millis(skew_ms)));
        let wrong = Keys {
            secret_key: Secret::new("not the one".into()),
            ..keys()
        };
        let mut archiving = Archiving::new("shop", client(&service, wrong), BRISK);
        for cycle in 1..=2 {
            let outcome = archiving.cycle(2).await;
            let error = outcome.error.unwrap();
            assert!(
                error.contains("access_key and secret_key"),
                "{skew_ms}: {error}"
            );
            assert_eq!(outcome.left, 2);
            // What was learnt of the clock is not forgotten with the next cycle.
            let corrections = usize::from(skew_ms != 0);
            assert_eq!(service.journal().len(), cycle + corrections, "{skew_ms}");
        }
    }
}
