//! *Complete*: whatever the service cuts off, in whatever order it hands out records, the archive
//! holds every one exactly once, and says so where it can't.

use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, EmptyAnswer, Fault, FaultPlan, JsonLayout, Order, Project, ServiceClock,
    Settings, TimeStyle,
};

use crate::harness::{Due, Job, PROJECT_ID, World, project_key, until};

const HOUR: i64 = 3_600_000;
const RECORDS: usize = 100_000;

/// Some 100,000 records: an even stream, and spikes of several caps across window boundaries, on
/// one, and within ten seconds.
fn spiky(due: &Due) -> Project {
    let begin = due.since();
    let even = RECORDS - 21_000;
    Project::uniform(&project_key("shop"), PROJECT_ID, 7, due.whole(), even)
        .with_body_size(16)
        .with_spike(begin.plus(Millis(HOUR - 20_000)), 6_000, Millis(40_000))
        .with_spike(begin.plus(Millis(2 * HOUR)), 1_500, Millis(1))
        .with_spike(begin.plus(Millis(3 * HOUR - 1)), 1_500, Millis(2))
        .with_spike(begin.plus(Millis(HOUR + HOUR / 3)), 12_000, Millis(10_000))
}

/// Archives it through a cap of 2,000 in every record order and with both meanings of `to`.
async fn is_archived_exactly_through_caps(format: &str, dialect: Dialect) {
    for order in [
        Order::Ascending,
        Order::Descending,
        Order::Shuffled { seed: 5 },
    ] {
        for to_bound in [ToBound::Inclusive, ToBound::Exclusive] {
            let due = Due::hours(4);
            let world = World::start(Settings {
                projects: vec![spiky(&due)],
                dialect: Dialect {
                    order,
                    to_bound,
                    ..dialect
                },
                ..Settings::default()
            })
            .await;
            let named = match to_bound {
                ToBound::Inclusive => "\"inclusive\"",
                ToBound::Exclusive => "\"exclusive\"",
            };
            world.configure(&[Job::new("shop", &due)
                .with("count", "2000")
                .with("limit", "999")
                .with("format", &format!("{format:?}"))
                .with("to_bound", named)]);
            world.once().exits(0);
            world.assert_archived("shop", &due.windows);
            let status = world.status("shop");
            assert_eq!(status["records"], RECORDS);
            assert_eq!(
                (&status["truncated"], &status["gaps"]),
                (&0.into(), &[(); 0][..].into())
            );
            world.run(&["verify"]).exits(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_json_arrays_is_archived_exactly() {
    is_archived_exactly_through_caps("json", Dialect::default()).await;
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_json_lines_is_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Lines,
        ..Dialect::default()
    };
    is_archived_exactly_through_caps("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_json_objects_is_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Concatenated,
        time: TimeStyle::Decimal,
        ..Dialect::default()
    };
    is_archived_exactly_through_caps("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_json_pages_is_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Pages,
        ..Dialect::default()
    };
    is_archived_exactly_through_caps("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_csv_is_archived_exactly() {
    is_archived_exactly_through_caps("csv", Dialect::default()).await;
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_dense_and_spiky_day_of_csv_pages_is_archived_exactly() {
    let dialect = Dialect {
        csv: CsvLayout::Pages,
        time: TimeStyle::Rfc3339 {
            offset_seconds: 32_400,
        },
        ..Dialect::default()
    };
    is_archived_exactly_through_caps("csv", dialect).await;
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_the_service_does_not_mention_is_found_remembered_and_told() {
    let due = Due::hours(4);
    let world = World::start(Settings {
        projects: vec![spiky(&due)],
        dialect: Dialect {
            hidden_cap: Some(3000),
            order: Order::Descending,
            ..Dialect::default()
        },
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due)]);
    let told = "the service cuts answers below the count";
    world.once().exits(0).says(told);
    world.assert_archived("shop", &due.windows);
    assert_eq!(world.status("shop")["records"], RECORDS);
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn whole_pages_by_chance_are_asked_for_again_and_believed() {
    let due = Due::hours(1);
    let project = Project::uniform(&project_key("shop"), PROJECT_ID, 7, due.whole(), 3000);
    let world = World::of([project]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    assert_eq!(world.requests("shop").len(), 3);
    let parts = &world.folders("shop")[0].manifest["parts"];
    assert_eq!(parts.as_array().map(Vec::len), Some(1));
}

/// Guarantee: Complete
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn more_in_one_millisecond_than_the_cap_is_kept_said_and_not_asked_for_for_ever() {
    let due = Due::hours(2);
    let burst = due.since().plus(Millis(1_234_567));
    let times = (0..900).map(|at| due.since().plus(Millis(at * 4000)));
    let times: Vec<UtcMs> = times.chain([burst; 5000]).collect();
    let world = World::of([Project::from_times(
        &project_key("shop"),
        PROJECT_ID,
        3,
        times,
    )])
    .await;
    world.configure(&[Job::new("shop", &due).with("count", "2000")]);
    world
        .once()
        .exits(1)
        .says("a single millisecond holds as many records");

    let folders = world.folders("shop");
    assert_eq!(folders[0].manifest["status"], "truncated");
    assert_eq!(folders[1].manifest["status"], "complete");
    let parts = folders[0].manifest["parts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let truncated: Vec<_> = parts
        .iter()
        .filter(|part| part["status"] == "truncated")
        .collect();
    assert_eq!(truncated.len(), 1);
    assert_eq!(truncated[0]["from_ms"], burst.0);
    assert_eq!(
        (&truncated[0]["to_ms"], &truncated[0]["records"]),
        (&(burst.0 + 1).into(), &2000.into())
    );
    assert_eq!(folders[0].manifest["records"], 2000 + 900);
    assert!(world.requests("shop").len() < 100);

    assert_eq!(world.ledger_lines("shop")[0]["status"], "truncated");
    let status = world.status("shop");
    assert_eq!(
        (&status["truncated"], &status["due"]),
        (&1.into(), &0.into())
    );
    world.run(&["status"]).exits(1);
    world.run(&["verify"]).exits(1).shows(&folders[0].name);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn records_outside_the_span_that_was_asked_for_are_kept_and_reported() {
    let due = Due::hours(2);
    let edge = due.windows[1].from();
    let project = Project::from_times(&project_key("shop"), PROJECT_ID, 3, vec![due.since(), edge]);
    let world = World::of([project]).await;
    // The service answers the record at `to`, the config says that it does not.
    world.configure(&[Job::new("shop", &due).with("to_bound", "\"exclusive\"")]);
    world
        .once()
        .exits(1)
        .says("records outside the span")
        .says("to_bound");
    let folders = world.folders("shop");
    assert_eq!(folders[0].manifest["records"], 2);
    // The record is in two windows now, so neither ledger nor status calls the first complete.
    assert_eq!(folders[0].manifest["status"], "unproven");
    assert_eq!(world.status("shop")["unproven"], 1);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_gives_nothing_up_for_lost() {
    let due = Due::hours(6);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_clock(ServiceClock::Skewed(Millis(-9_000_000)));
    let now = jiff::Timestamp::now().as_millisecond();
    let keeps = (now - due.windows[0].to().0) / 1000 - 60;
    let job = Job::new("shop", &due).with("retention", &format!("\"{keeps}s\""));
    world.configure(&[job]);
    world.once().exits(1).says("ahead of the service's");
    let events = world.ledger_lines("shop");
    assert!(
        events.iter().all(|line| line["event"] != "lost"),
        "{events:?}"
    );
    assert_eq!(world.folders("shop")[0].manifest["status"], "complete");
}

/// Guarantee: Exactly once
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_on_beside_a_window_that_hangs_and_later_where_it_was_stopped() {
    let due = Due::hours(8);
    let world = World::of([due.project("shop")]).await;
    let since = format!("\"{}\"", due.windows[7].from());
    world.configure(&[Job::new("shop", &due).with("since", &since)]);
    world.at_once(4);
    let stalls = [None, None, None, Some(Fault::StallInBody(300))];
    world.service.set_faults(FaultPlan::steps(stalls));
    let (from, to) = (due.since().to_string(), due.whole().to().to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    let running = world.spawn(&backfill);
    until("every window but the one that hangs is archived", || {
        world.folders("shop").len() == due.windows.len() - 1
    });
    let requests = world.requests("shop");
    let hangs = requests.iter().find(|entry| entry.fault.is_some());
    let interrupted = hangs.unwrap().from;
    running.terminate();
    running.wait().exits(1);
    world.run(&backfill).exits(0);
    world.assert_archived("shop", &due.windows);
    let asked: Vec<Option<UtcMs>> = world
        .requests("shop")
        .iter()
        .map(|entry| entry.from)
        .collect();
    let starts = due.windows.iter().map(|window| Some(window.from()));
    for start in starts {
        let times = asked.iter().filter(|from| **from == start).count();
        assert_eq!(times, if start == interrupted { 2 } else { 1 }, "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spike_is_kept_also_where_the_service_finds_nothing_beside_it() {
    let due = Due::hours(1);
    let spike = due.since().plus(Millis(HOUR / 2));
    let project =
        Project::silent(&project_key("shop"), PROJECT_ID).with_spike(spike, 9_000, Millis(5_000));
    let world = World::start(Settings {
        projects: vec![project],
        dialect: Dialect {
            empty: EmptyAnswer::NotFound,
            ..Dialect::default()
        },
        ..Settings::default()
    })
    .await;
    world.configure(&[Job::new("shop", &due).with("count", "2000")]);
    // Every log is there; what was answered with an error is not called complete.
    world.once().exits(1).says("a part of it was refused");
    let folders = world.folders("shop");
    assert_eq!(folders[0].manifest["status"], "unproven");
    let parts = folders[0].manifest["parts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let records: u64 = parts
        .iter()
        .filter_map(|part| part["records"].as_u64())
        .sum();
    assert_eq!(records, 9_000);
    folders[0].assert_sums_pass();
    world.run(&["verify"]).exits(1).shows("unproven");
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_comes_each_day_is_expected_after_a_restart_too() {
    let due = Due::days(5);
    let quiet = Project::uniform(&project_key("shop"), PROJECT_ID, 7, due.whole(), 500);
    let bursts = due.windows.iter().fold(quiet, |project, day| {
        project.with_spike(day.from().plus(Millis(9 * HOUR)), 6_000, Millis(600_000))
    });
    let mut asked = Vec::new();
    for knows in [true, false] {
        let world = World::of([bursts.clone()]).await;
        world.configure(&[Job::new("shop", &due).with("count", "2000")]);
        let time = |ms: UtcMs| jiff::Timestamp::from_millisecond(ms.0).unwrap().to_string();
        let (from, to) = (time(due.since()), time(due.windows[3].to()));
        world
            .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
            .exits(0);
        let kept = world.path("state/shop.densities.json");
        if !knows {
            std::fs::remove_file(&kept).unwrap();
        }
        let before = world.requests("shop").len();
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
        asked.push(world.requests("shop").len() - before);
    }
    assert!(asked[0] < asked[1], "{asked:?} requests for the last day");
}
