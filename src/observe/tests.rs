//! What is told of jobs that hang, fail, or stop looking, by a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::advance;

use super::facts::{AccountFacts, Facts};
use super::health::{Verdict, health, readiness};
use super::metrics::metrics;
use super::watch::Watch;
use crate::clock::Clock;
use crate::domain::job::{AccountName, Job, JobName};
use crate::domain::plan::tests::job;
use crate::domain::retry::LONGEST_NAMED_WAIT;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::Window;
use crate::elsa::client::Deadlines;
use crate::elsa::client::requests::Tally;
use crate::job::{Outcome, Progress as _};
use crate::ledger::line::Event;
use crate::ledger::replay::Replay;

const HOUR: i64 = 3_600_000;

fn span(from: i64, to: i64) -> Span {
    Span::new(UtcMs(from * HOUR), UtcMs(to * HOUR)).unwrap()
}

fn named(name: &str) -> Job {
    Job {
        name: JobName::parse(name).unwrap(),
        ..job()
    }
}

/// A replay in which these events are read.
fn replay(events: &[(i64, Event)]) -> Replay {
    let mut text = String::new();
    let mut replay = Replay::default();
    for (at, event) in events {
        let line = replay.next_line(UtcMs(at * HOUR), event.clone());
        text += &(line.to_json().unwrap() + "\n");
        replay = Replay::read(text.as_bytes(), |_| {}).unwrap();
    }
    replay
}

/// A watch on these jobs, and its clock in hours.
fn watch(jobs: &[Job], max_lag: i64) -> (Watch, Arc<AtomicI64>) {
    let hours = Arc::new(AtomicI64::new(0));
    let clock = Clock::new({
        let hours = Arc::clone(&hours);
        move || UtcMs(hours.load(Ordering::Relaxed) * HOUR)
    });
    (Watch::new(jobs, Millis::from_hours(max_lag), clock), hours)
}

fn value(facts: &Facts, name: &str) -> Option<f64> {
    let text = metrics(facts);
    let head = format!("elsa_archiver_{name} ");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(&head))?;
    Some(value.parse().unwrap())
}

/// Guarantee: Candid
#[tokio::test]
async fn what_is_due_and_how_old_coverage_is_goes_by_the_clock_where_no_cycle_comes_any_more() {
    let keeps = Job {
        retention: Some(Millis::from_hours(100)),
        ..named("shop")
    };
    let (watch, hours) = watch(std::slice::from_ref(&keeps), 3);
    let mut archived = Replay::default();
    archived.coverage.add(span(0, 10));
    watch.began(&keeps);
    watch.shows(&Arc::new(keeps.clone()), &archived, false);
    watch.ended(&keeps, &Outcome::default());
    let of_shop =
        |facts: &Facts, name: &str| value(facts, &format!("{name}{{archive_job=\"shop\"}}"));
    for (hour, due, deadline) in [
        (10, 0.0, None),
        (11, 0.0, None),
        // Ten minutes settle.
        (12, 1.0, Some(110.0)),
        (40, 29.0, Some(110.0)),
    ] {
        hours.store(hour, Ordering::Relaxed);
        let facts = watch.facts();
        assert_eq!(of_shop(&facts, "due_windows"), Some(due), "{hour}");
        let until = of_shop(&facts, "covered_until_timestamp_seconds");
        assert_eq!(until, Some(36_000.0));
        let loss = of_shop(&facts, "loss_deadline_timestamp_seconds");
        assert_eq!(loss, deadline.map(|hour: f64| hour * 3600.0));
        let is_ready = readiness(&facts) == Verdict::Well;
        assert_eq!(is_ready, hour <= 13, "{hour}");
    }
    assert_eq!(
        readiness(&watch.facts()),
        Verdict::Unwell(vec![
            "shop: covered until 1970-01-01T10:00:00Z, 30 h ago; max_lag is 3 h".to_owned()
        ])
    );
}

/// Guarantee: Candid
#[tokio::test(start_paused = true)]
async fn a_cycle_is_stuck_when_nothing_has_ended_for_longer_than_deadlines_allow() {
    let deadlines = Deadlines::default();
    let request = deadlines.look_up + deadlines.connect + deadlines.head + deadlines.total;
    let allowed = request + LONGEST_NAMED_WAIT.to_std();
    assert!(allowed < Duration::from_secs(3600));

    let (shop, (watch, _)) = (named("shop"), watch(&[named("shop")], 3));
    watch.shows(&Arc::new(shop.clone()), &Replay::default(), false);
    let is_well = || health(&watch.facts()) == Verdict::Well;
    // Between cycles nothing is expected.
    advance(Duration::from_secs(100_000)).await;
    assert!(is_well());
    watch.began(&shop);
    advance(Duration::from_secs(3600)).await;
    assert!(is_well());
    watch.done(&shop, Window::of(span(0, 1)));
    advance(Duration::from_secs(3600)).await;
    assert!(is_well());
    advance(Duration::from_secs(1)).await;
    let Verdict::Unwell(lines) = health(&watch.facts()) else {
        panic!("it hangs");
    };
    assert_eq!(
        lines,
        ["shop: its cycle runs for 2 h, and nothing of it has ended for 1 h; restart the daemon"]
    );
    watch.ended(&shop, &Outcome::default());
    assert!(is_well());
}

/// Guarantee: Candid
#[tokio::test]
async fn counters_never_go_back_although_what_they_count_may() {
    let (shop, (watch, _)) = (Arc::new(named("shop")), watch(&[named("shop")], 3));
    for (records, shown) in [(10, 10.0), (4, 10.0), (12, 12.0)] {
        let mut archived = replay(&[]);
        archived.records = records;
        watch.shows(&shop, &archived, false);
        let found = value(&watch.facts(), "records_total{archive_job=\"shop\"}");
        assert_eq!(found, Some(shown));
    }
}

/// Guarantee: Candid
#[tokio::test]
async fn every_metric_is_as_it_was_promised() {
    let shop = Job {
        retention: Some(Millis::from_hours(10)),
        ..named("shop")
    };
    let off = Job {
        enabled: false,
        ..named("off")
    };
    let (watch, hours) = watch(&[shop.clone(), named("broken"), off], 3);
    let known = Span::new(UtcMs(i64::MIN), UtcMs(2 * HOUR)).unwrap();
    let mut archived = replay(&[
        (1, Event::Lost(span(0, 1))),
        (2, Event::Acknowledged(known)),
        (3, Event::Lost(span(1, 3))),
    ]);
    archived.coverage.add(span(3, 5));
    archived.confirmed.search = 7;
    archived.confirmed.none = 1;
    (archived.records, archived.bytes) = (12_345_678_901, 9_876_543_210_123);
    archived.last_success = Some((Window::of(span(4, 5)), UtcMs(19_000_500)));
    watch.began(&shop);
    watch.shows(&Arc::new(shop.clone()), &archived, true);
    let failed = Outcome {
        error: Some("a \"reason\"".to_owned()),
        ..Outcome::default()
    };
    watch.ended(&shop, &failed);
    watch.has_free(1 << 40);
    hours.store(9, Ordering::Relaxed);
    let mut facts = watch.facts();
    facts.accounts = vec![AccountFacts {
        name: AccountName("default".into()),
        in_flight: 2,
        is_open: true,
    }];
    let tally = Tally {
        outcomes: [0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 1],
        within: [0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 1, 0],
        took: Duration::from_millis(61_250),
    };
    let of_shop = facts.jobs.iter_mut().find(|facts| facts.outline.is_some());
    of_shop.unwrap().requests = Some(tally);
    let text = metrics(&facts);
    insta::with_settings!({
        snapshot_path => "../../tests/it/snapshots",
        prepend_module_to_snapshot => false,
    }, {
        insta::assert_snapshot!("metrics", text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    });
}
