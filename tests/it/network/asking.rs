//! The client under test, in this process: the program's own, over real TLS, with a network that
//! finds every host on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use elsa_archiver::clock::Clock;
use elsa_archiver::domain::account::{Account, Endpoint};
use elsa_archiver::domain::circuit_breaker::Remedy;
use elsa_archiver::domain::job::{AccountName, Format, Job, JobName, ToBound};
use elsa_archiver::domain::recheck::Recheck;
use elsa_archiver::domain::retry::{Decision, Failure, Policy};
use elsa_archiver::domain::schedule::Schedule;
use elsa_archiver::domain::second_opinion::CrossCheck;
use elsa_archiver::domain::secret::{Keys, Secret};
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::domain::window::{WindowSize, Zone};
use elsa_archiver::elsa::client::{Client, Deadlines};
use elsa_archiver::elsa::error_response::CallError;
use elsa_archiver::elsa::network::Network;
use elsa_archiver::elsa::request::Request;
use elsa_archiver::simulator::KeyPair;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::authority;

const HOUR_MS: i64 = 3_600_000;
/// A midnight long ago: whatever begins here has settled.
pub const BEGIN: UtcMs = UtcMs(20_000 * 24 * HOUR_MS);

/// The hours from [`BEGIN`] on.
pub fn hour(number: i64) -> Span {
    let from = BEGIN.plus(Millis(number * HOUR_MS));
    Span::new(from, from.plus(Millis(HOUR_MS))).unwrap()
}

struct ToLoopback;

impl Resolve for ToLoopback {
    fn resolve(&self, _: Name) -> Resolving {
        let found = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Box::pin(async move { Ok(Box::new(std::iter::once(found)) as Addrs) })
    }
}

/// Trusts the tests' authority too.
pub fn network() -> Network {
    Network {
        resolver: Arc::new(ToLoopback),
        also_trusted: vec![authority::certificate()],
        ..Network::default()
    }
}

/// An account with hardly a bound.
pub fn account(endpoint: &str) -> Account {
    Account {
        name: AccountName("default".into()),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        max_in_flight: 4,
        requests_per_second: 1e6,
    }
}

/// The simulator's keys.
pub fn keys() -> Keys {
    let KeyPair {
        access_key,
        secret_key,
        ..
    } = KeyPair::default();
    Keys {
        access_key: Secret::new(access_key),
        secret_key: Secret::new(secret_key),
    }
}

/// A client with the deadlines that the program has.
pub fn client(port: u16) -> Client {
    client_over(network(), port)
}

/// The same over another network.
pub fn client_over(network: Network, port: u16) -> Client {
    let account = account(&format!("https://localhost:{port}"));
    let deadlines = Deadlines::default();
    Client::over(network, &account, keys(), Clock::system(), deadlines).unwrap()
}

/// A job of this name, with hourly windows from [`BEGIN`] on.
pub fn job(name: &str) -> Job {
    Job {
        keep: None,
        name: JobName::parse(name).unwrap(),
        account: AccountName("default".into()),
        project_key: format!("Pb_{name}"),
        project_id: 1,
        since: BEGIN,
        configured_since: BEGIN,
        zone: Zone::utc(),
        window: WindowSize::new(Millis(HOUR_MS)).unwrap(),
        settle: Millis::ZERO,
        schedule: Schedule::default(),
        format: Format::Json,
        include_fields: Vec::new(),
        retention: None,
        recheck: Recheck::Never,
        to_bound: Some(ToBound::Inclusive),
        cross_check: CrossCheck::Off,
        count: 2000,
        limit: 1000,
        records_zone: None,
        succeeds: None,
        owed: Vec::new(),
        elsewhere: Vec::new(),
        enabled: true,
    }
}

/// One attempt: the answer's bytes, or why there are none.
pub async fn download(client: &Client) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    let mut answer = client
        .ask(&Request::new(&job("shop"), ToBound::Inclusive, hour(0)))
        .await?;
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Asserts what the program's policy makes of a failure: what follows the first attempt, and what
/// the last one.
#[track_caller]
pub fn assert_followed(failure: Failure) {
    let policy = Policy::default();
    let [first, last] = [1, policy.attempts].map(|attempt| policy.next(failure, attempt, 0.5));
    let later = matches!(
        first,
        Decision::RetryLater {
            wait: Millis(500..=1000),
            whole_account: false
        }
    );
    let expected = match failure {
        Failure::Passing | Failure::BadAnswer => later && last == Decision::GiveUpWindow,
        Failure::Unreachable => later && last == Decision::GiveUpJob(Remedy::Time),
        Failure::TooSlow => later && last == Decision::AskForLess,
        _ => panic!("{failure:?} is no failure of the network"),
    };
    assert!(expected, "{failure:?}: {first:?}, {last:?}");
}
