//! The client and the time of day, through a real socket: what it signs by and takes for now when the
//! `Date` is another clock's.

use super::*;
use crate::clock::machine_time;
use crate::domain::job::{AccountName, ToBound};
use crate::domain::plan::tests::job;
use crate::domain::secret::Secret;
use crate::domain::span::Span;
use crate::simulator::{Fault, FaultPlan, KeyPair, Project, Settings, Simulator};

const HOUR: Millis = Millis::from_hours(1);

/// A service whose clock is this machine's, and whose `Date` is an hour behind it.
async fn service(faults: FaultPlan) -> Simulator {
    let job = job();
    let project = Project::from_times(&job.project_key, job.project_id, 7, vec![UtcMs(1)]);
    Simulator::start(Settings {
        projects: vec![project],
        date_skew: Some(Millis(-HOUR.0)),
        faults,
        ..Settings::default()
    })
    .await
    .unwrap()
}

fn client(service: &Simulator) -> Client {
    let account = Account {
        name: AccountName("default".into()),
        endpoint: Endpoint::parse(&service.endpoint()).unwrap(),
        max_in_flight: 1,
        requests_per_second: 1e6,
    };
    let KeyPair {
        access_key,
        secret_key,
        ..
    } = KeyPair::default();
    let keys = Keys {
        access_key: Secret::new(access_key),
        secret_key: Secret::new(secret_key),
    };
    Client::new(&account, keys, Clock::system(), Deadlines::default()).unwrap()
}

async fn ask(client: &Client) -> Result<(), CallError> {
    let span = Span::new(UtcMs(0), UtcMs(HOUR.0)).unwrap();
    client
        .ask(&Request::new(&job(), ToBound::Inclusive, span))
        .await
        .map(drop)
}

fn fault(http: u16, error_code: &str) -> Fault {
    Fault::Status {
        http,
        error_code: error_code.into(),
        message: "no".into(),
        retry_after: None,
    }
}

#[track_caller]
fn assert_goes_by_our_clock(client: &Client) {
    let apart = client.now().since(machine_time());
    assert!(apart.0.abs() < 60_000, "{apart:?}");
    assert!(!client.is_dated());
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_date_beside_an_accepted_signature_is_not_used_whatever_the_answer() {
    for plan in [
        FaultPlan::none(),
        FaultPlan::always(fault(400, "100")),
        FaultPlan::always(fault(429, "410")),
        FaultPlan::always(fault(500, "900")),
        FaultPlan::always(Fault::Html200),
    ] {
        let service = service(plan).await;
        let client = client(&service);
        let _ = ask(&client).await;
        assert_eq!(service.journal().len(), 1);
        assert_goes_by_our_clock(&client);
    }
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_refusal_with_a_wrong_date_is_overcome_without_a_restart() {
    let service = service(FaultPlan::script([fault(401, "200")])).await;
    let client = client(&service);
    let Failure::ClockSkew { skew } = ask(&client).await.unwrap_err().failure else {
        panic!("it was not taken for a wrong clock");
    };
    assert!((skew.0 + HOUR.0).abs() < 60_000, "{skew:?}");
    client.correct_clock(skew);
    for _ in 0..2 {
        let error = ask(&client).await.unwrap_err();
        assert_eq!(error.failure, Failure::WrongKey);
        assert!(error.message.contains("a proxy's or a cache's"), "{error}");
    }
    ask(&client).await.unwrap();
    assert_goes_by_our_clock(&client);
}
