//! The simulator over a real socket, asked by a client that shows every byte.

mod answers;
mod client;
mod faults;
mod gateway;
mod lies;
mod search;

use serde_json::{Value, json};

use super::*;
use crate::domain::span::Span;
use client::{Answer, Client};

/// An hour of records...
const FROM: UtcMs = UtcMs(1_700_000_000_000);
const TO: UtcMs = UtcMs(FROM.0 + 3_600_000);
/// ... and a clock that stands still an hour later, so that no test depends on the machine's.
const NOW: UtcMs = UtcMs(TO.0 + 3_600_000);

const KEY: &str = "P0001_shop";
const ID: i64 = 16706;

fn hour() -> Span {
    Span::new(FROM, TO).unwrap()
}

fn shop(records: usize) -> Project {
    Project::uniform(KEY, ID, 42, hour(), records)
}

fn settings(project: Project) -> Settings {
    Settings {
        projects: vec![project],
        clock: ServiceClock::Frozen(NOW),
        ..Settings::default()
    }
}

async fn speaking(project: Project, dialect: Dialect) -> Simulator {
    let settings = Settings {
        dialect,
        ..settings(project)
    };
    Simulator::start(settings).await.unwrap()
}

/// The body that asks for the whole hour, with an inclusive `to`.
fn ask() -> Value {
    json!({"projectKey": KEY, "projectId": ID, "from": FROM.0, "to": TO.0 - 1})
}

/// As [`ask`], with other or further fields.
fn ask_with(fields: &Value) -> Value {
    let mut body = ask();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn answer_to(simulator: &Simulator, body: &Value) -> Answer {
    let mut client = Client::connect(simulator).await;
    client.ask(body).await;
    client.answer().await.unwrap()
}

async fn found_by(simulator: &Simulator, body: &Value) -> Answer {
    let mut client = Client::connect(simulator).await;
    client.ask_search(body).await;
    client.answer().await.unwrap()
}

#[test]
fn the_same_seed_makes_the_same_world_and_another_seed_another() {
    let [one, same] = [shop(300), shop(300)];
    let other = Project::uniform(KEY, ID, 43, hour(), 300);
    let all = |project: &Project| (0..301).map(|seq| project.record(seq)).collect::<Vec<_>>();
    assert_eq!(all(&one), all(&same));
    assert_ne!(all(&one), all(&other));
    assert_eq!(one.record(300), None);
}

#[test]
fn the_truth_of_a_span_is_cut_half_open_and_the_truths_of_its_parts_add_up() {
    let project = shop(1000).with_spike(FROM.plus(Millis(60_000)), 500, Millis(1));
    let middle = FROM.plus(Millis(60_000));
    let before = truth::seqs_in(&project, Span::new(FROM, middle).unwrap());
    let after = truth::seqs_in(&project, Span::new(middle, TO).unwrap());
    let whole = truth::seqs_in(&project, hour());
    assert_eq!([before.clone(), after].concat(), whole);
    assert_eq!(whole.len(), 1500);
    let spike: Vec<_> = project
        .truth(Span::new(middle, middle.plus(Millis(1))).unwrap())
        .collect();
    assert!(spike.len() >= 500 && spike.iter().all(|truth| truth.log_time == middle));
    assert_eq!(spike[0].seq, before.len() as u64);
}

#[test]
fn bodies_hold_everything_that_breaks_readers_and_are_of_the_size_asked_for() {
    for size in [200, 750] {
        let project = shop(4000).with_body_size(size);
        let bodies: Vec<String> = (0..4000)
            .map(|seq| project.record(seq).unwrap().body)
            .collect();
        for nasty in [
            "\n",
            "\r\n",
            "\"",
            ",",
            "{",
            "주문",
            "\\",
            "{\"order\"",
            "\u{1}",
            "\"\"",
        ] {
            assert!(bodies.iter().any(|body| body.contains(nasty)), "{nasty:?}");
        }
        assert!(bodies.iter().any(String::is_empty));
        let average = bodies.iter().map(String::len).sum::<usize>() / bodies.len();
        assert!(
            (size * 9 / 10..=size * 11 / 10).contains(&average),
            "{average}"
        );
    }
    let bare = shop(100).with_body_size(0);
    assert!((0..100).all(|seq| bare.record(seq).unwrap().body.is_empty()));
}

#[tokio::test]
async fn the_journal_tells_what_was_asked_and_what_was_answered() {
    let simulator = speaking(shop(500), Dialect::default()).await;
    let mut client = Client::connect(&simulator).await;
    client
        .ask(&ask_with(&json!({"count": 7, "limit": 3})))
        .await;
    let answer = client.answer().await.unwrap();
    client.ask(&ask_with(&json!({"projectKey": "P2"}))).await;
    client.answer().await.unwrap();

    let journal = simulator.journal();
    let [served, refused] = journal.as_slice() else {
        panic!("{journal:?}");
    };
    assert_eq!(served.arrived, NOW);
    assert_eq!(served.call, Some(Call::Download));
    assert_eq!(served.access_key.as_deref(), Some("SIMULATORACCESSKEY01"));
    assert_eq!(served.signed_at, Some(NOW));
    assert_eq!(served.project_key.as_deref(), Some(KEY));
    assert_eq!(
        (served.from, served.to),
        (Some(FROM), Some(TO.plus(Millis(-1))))
    );
    assert_eq!((served.count, served.limit), (Some(7), Some(3)));
    assert_eq!((served.status, served.records), (Some(200), 7));
    assert_eq!(served.bytes, answer.body.len() as u64);
    assert_eq!(served.error_code, None);
    assert_eq!(refused.project_key.as_deref(), Some("P2"));
    assert_eq!(refused.status, Some(404));
    assert_eq!(refused.error_code.as_deref(), Some("300"));
    // One connection, one request at a time: the two were never in flight together.
    assert!(served.finished_at.unwrap() <= refused.arrived_at);

    simulator.clear_journal();
    assert!(simulator.journal().is_empty());
}

#[tokio::test]
async fn a_dropped_simulator_closes_its_connections_and_its_port() {
    let simulator = speaking(shop(1), Dialect::default()).await;
    let mut client = Client::connect(&simulator).await;
    client.ask(&ask()).await;
    client.answer().await.unwrap();
    let address = simulator.endpoint().split_off("http://".len());
    drop(simulator);
    assert!(client.rest().await.is_empty());
    // The listener goes a moment after the handle.
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
