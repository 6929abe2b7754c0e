//! *Complete* and *Exactly once*: however the service writes an answer, the archive holds exactly
//! what was logged in each settled window, and what is archived is never asked for again.

use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::span::{Millis, Span};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, EmptyAnswer, Framing, JsonLayout, Newline, Order, Settings, TimeStyle,
};

use crate::harness::{Due, Job, LOGS_A_WINDOW, World};

const KOREAN_TIME: TimeStyle = TimeStyle::Rfc3339 {
    offset_seconds: 9 * 3600,
};
const UTC_TIME: TimeStyle = TimeStyle::Rfc3339 { offset_seconds: 0 };

/// The service takes `to` for the first instant that it does not answer.
fn exclusive() -> Dialect {
    Dialect {
        to_bound: ToBound::Exclusive,
        ..Dialect::default()
    }
}

/// Archives four windows, the second one without a log, from a service that answers like this.
async fn is_archived_exactly(format: &str, dialect: Dialect) {
    let due = Due::hours(4);
    let busy = [0, 2, 3].map(|at| due.windows[at]);
    let to_bound = match dialect.to_bound {
        ToBound::Inclusive => "\"inclusive\"",
        ToBound::Exclusive => "\"exclusive\"",
    };
    let world = World::start(Settings {
        projects: vec![Due::project_of("shop", busy)],
        dialect,
        ..Settings::default()
    })
    .await;
    // Pages of five make three of thirteen logs.
    world.configure(&[Job::new("shop", &due)
        .with("format", &format!("{format:?}"))
        .with("to_bound", to_bound)
        .with("limit", "5")]);

    world
        .once()
        .exits(0)
        .shows("4 windows archived, 39 records");
    world.assert_archived("shop", &due.windows);
    assert_eq!(world.status("shop")["records"], 3 * LOGS_A_WINDOW);
    world.assert_nothing_left_to_do();
    world.run(&["verify"]).exits(0);
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn one_json_array_is_archived_exactly() {
    is_archived_exactly("json", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_json_array_up_to_an_exclusive_bound_is_archived_exactly() {
    let dialect = Dialect {
        order: Order::Ascending,
        time: TimeStyle::Decimal,
        empty: EmptyAnswer::EmptyList,
        framing: Framing::Chunked,
        ..exclusive()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Lines,
        order: Order::Shuffled { seed: 3 },
        time: KOREAN_TIME,
        empty: EmptyAnswer::EmptyFile,
        ..Dialect::default()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_up_to_an_exclusive_bound_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Lines,
        time: UTC_TIME,
        empty: EmptyAnswer::EmptyList,
        framing: Framing::Chunked,
        ..exclusive()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_objects_with_nothing_between_them_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Concatenated,
        order: Order::Ascending,
        empty: EmptyAnswer::EmptyList,
        framing: Framing::Chunked,
        ..Dialect::default()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_objects_with_nothing_between_them_up_to_an_exclusive_bound_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Concatenated,
        order: Order::Shuffled { seed: 4 },
        time: KOREAN_TIME,
        ..exclusive()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_files_page_by_page_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Pages,
        time: TimeStyle::Decimal,
        empty: EmptyAnswer::EmptyFile,
        ..Dialect::default()
    };
    is_archived_exactly("json", dialect).await;
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn json_files_page_by_page_up_to_an_exclusive_bound_are_archived_exactly() {
    let dialect = Dialect {
        json: JsonLayout::Pages,
        order: Order::Shuffled { seed: 5 },
        framing: Framing::Chunked,
        ..exclusive()
    };
    is_archived_exactly("json", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_csv_file_is_archived_exactly() {
    is_archived_exactly("csv", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_csv_file_with_plain_newlines_up_to_an_exclusive_bound_is_archived_exactly() {
    let dialect = Dialect {
        newline: Newline::Lf,
        order: Order::Ascending,
        time: KOREAN_TIME,
        empty: EmptyAnswer::EmptyList,
        framing: Framing::Chunked,
        ..exclusive()
    };
    is_archived_exactly("csv", dialect).await;
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn csv_files_page_by_page_with_plain_newlines_are_archived_exactly() {
    let dialect = Dialect {
        csv: CsvLayout::Pages,
        newline: Newline::Lf,
        order: Order::Shuffled { seed: 6 },
        time: UTC_TIME,
        empty: EmptyAnswer::EmptyFile,
        ..Dialect::default()
    };
    is_archived_exactly("csv", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_files_page_by_page_up_to_an_exclusive_bound_are_archived_exactly() {
    let dialect = Dialect {
        csv: CsvLayout::Pages,
        time: TimeStyle::Decimal,
        empty: EmptyAnswer::EmptyList,
        framing: Framing::Chunked,
        ..exclusive()
    };
    is_archived_exactly("csv", dialect).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_asked_for_and_no_others_are_archived() {
    let due = Due::hours(1);
    let world = World::of([due.project("json"), due.project("csv")]).await;
    let fields = "[\"seq\", \"logTime\"]";
    let job = |format: &str| {
        Job::new(format, &due)
            .with("format", &format!("{format:?}"))
            .with("include_fields", fields)
    };
    world.configure(&[job("json"), job("csv")]);
    world.once().exits(0);
    for format in ["json", "csv"] {
        world.assert_archived(format, &due.windows);
        let records = world.folders(format)[0].records();
        assert!(records.iter().all(|found| found.body.is_empty()));
    }
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_since_cuts_holds_what_was_logged_from_since_on() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    let since = due.windows[0].from().plus(Millis(17 * 60_000));
    let job = Job::new("shop", &due).with("since", &format!("\"{since}\""));
    world.configure(&[job]);
    world.once().exits(0);
    let cut = Span::new(since, due.windows[0].to()).unwrap();
    world.assert_archived("shop", &[cut, due.windows[1]]);
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn backfill_archives_a_span_before_since_without_a_gap_and_asks_for_it_once() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let since = due.windows[2].from();
    world.configure(&[Job::new("shop", &due).with("since", &format!("\"{since}\""))]);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows[2..]);

    let (from, to) = (due.since().to_string(), due.windows[3].to().to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);
    world.assert_archived("shop", &due.windows);
    world.service.clear_journal();
    world.run(&backfill).exits(0);
    assert!(world.requests("shop").is_empty());
    world.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_begins_with_the_newest_window_where_that_is_wanted() {
    let due = Due::hours(8);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (from, to) = (due.since().to_string(), due.whole().to().to_string());
    world
        .run(&[
            "backfill",
            "--job",
            "shop",
            "--from",
            &from,
            "--to",
            &to,
            "--newest-first",
        ])
        .exits(0);
    world.assert_archived("shop", &due.windows);
    let asked: Vec<_> = world
        .requests("shop")
        .iter()
        .map(|entry| entry.from)
        .collect();
    // After the first, several are asked for at once, and arrive in any order.
    assert_eq!(asked.len(), due.windows.len());
    assert_eq!(asked[0], Some(due.windows[7].from()));
    world.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_archived_side_by_side_and_only_those_that_are_named() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop"), due.project("pay"), due.project("off")]).await;
    let off = Job::new("off", &due).with("enabled", "false");
    world.configure(&[Job::new("shop", &due), Job::new("pay", &due), off]);
    world.run(&["once", "--job", "pay"]).exits(0);
    world.assert_archived("pay", &due.windows);
    world.assert_archived("shop", &[]);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    world.assert_archived("off", &[]);
}
