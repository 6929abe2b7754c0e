//! What receivers cost: windows a minute with and without, side by side. A measurement, for `docs/performance.md`:
//! `cargo test --locked --test it -- --ignored --nocapture what_receivers_cost`.

use std::fs;
use std::time::Instant;

use super::receiver::{Answer, Receiver};
use super::{address, notified, program};
use crate::harness::{Due, Job, World, until};

const WINDOWS: i64 = 600;
const ROUNDS: usize = 7;

/// Seconds until all windows are archived.
async fn seconds(due: &Due, receiver: Option<&Receiver>, script: &str) -> f64 {
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", due)]);
    world.at_once(2);
    if let Some(receiver) = receiver {
        let line = program(&world, script);
        let all = address("ping", receiver) + &address("webhook", receiver) + &line;
        notified(&world, &all);
    }
    let ledger = world.ledger("shop");
    let begun = Instant::now();
    let daemon = world.spawn(&["run"]);
    until("all is archived", || {
        let text = fs::read_to_string(&ledger).unwrap_or_default();
        text.matches("\"archived\"").count() >= due.windows.len()
    });
    let took = begun.elapsed().as_secs_f64();
    super::ends(daemon);
    took
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn what_receivers_cost() {
    let due = Due::hours(WINDOWS);
    let elsewhere = Receiver::well();
    let to = elsewhere.url();
    let status = |status| move |_| Answer::Status(status, String::new());
    let redirect = move |_| Answer::Status(302, format!("Location: {to}\r\n"));
    let (hangs, ends) = ("sleep 1000", "exit 0");
    let ways = [
        ("none", None, ""),
        ("well", Some(Receiver::answering(status(200))), ends),
        ("hang", Some(Receiver::answering(|_| Answer::Hang)), hangs),
        ("404", Some(Receiver::answering(status(404))), hangs),
        ("redirect", Some(Receiver::answering(redirect)), hangs),
    ];
    let mut took = vec![Vec::new(); ways.len()];
    for round in 0..ROUNDS {
        for at in 0..ways.len() {
            let at = (at + round) % ways.len();
            let (name, receiver, script) = &ways[at];
            let seconds = seconds(&due, receiver.as_ref(), script).await;
            println!(
                "round {round}: {name}: {:.0} windows a minute",
                WINDOWS as f64 * 60.0 / seconds
            );
            took[at].push(seconds);
        }
    }
    for ((name, ..), each) in ways.iter().zip(&took) {
        let mut ratios: Vec<f64> = took[0]
            .iter()
            .zip(each)
            .map(|(none, one)| none / one)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let mut rates: Vec<f64> = each.iter().map(|one| WINDOWS as f64 * 60.0 / one).collect();
        rates.sort_by(f64::total_cmp);
        let last = ROUNDS - 1;
        println!(
            "{name}: {:.0} windows a minute; over none {:.2} ({:.2} to {:.2})",
            rates[ROUNDS / 2],
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[last]
        );
    }
}
