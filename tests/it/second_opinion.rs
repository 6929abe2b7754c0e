//! The second opinion, by the real program: what is asked, what is recorded, and that no answer alone
//! makes a window `complete`.

use elsa_archiver::domain::span::Millis;
use elsa_archiver::simulator::{
    Call, Dialect, JsonLayout, Search, SearchAccess, SearchForm, Settings,
};
use serde_json::json;

use crate::harness::{Due, Job, LOGS_A_WINDOW, World};

/// A job whose windows are all asked for twice.
fn job(due: &Due) -> Job {
    Job::new("shop", due).with("cross_check", "\"all\"")
}

/// The requests of one kind.
fn requests(world: &World, call: Call) -> usize {
    let entries = world.requests("shop");
    entries
        .iter()
        .filter(|entry| entry.call == Some(call))
        .count()
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn search_is_believed_after_three_windows_and_costs_two_small_requests_then() {
    let forms = [SearchForm::Logs, SearchForm::ResultList, SearchForm::Hits];
    for (form, with_total) in forms
        .into_iter()
        .flat_map(|form| [(form, false), (form, true)])
    {
        let due = Due::hours(8);
        let world = World::start(Settings {
            projects: vec![due.project("shop")],
            search: Search {
                form,
                with_total,
                ..Search::default()
            },
            ..Settings::default()
        })
        .await;
        world.configure(&[job(&due)]);
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
        let ways: Vec<_> = world
            .folders("shop")
            .iter()
            .map(|folder| folder.manifest["confirmed"]["by"].clone())
            .collect();
        let (download, search) = ("download", "search");
        assert_eq!(
            ways,
            [
                download, download, search, search, search, search, search, search
            ]
        );
        assert_eq!(
            world.status("shop")["confirmed"],
            json!({"search": 6, "download": 2, "none": 0})
        );
        // Two downloads again, and one search for what no project holds.
        assert_eq!(requests(&world, Call::Download), 8 + 2);
        assert_eq!(requests(&world, Call::Search), 2 * 8 + 1);
        let last = &world.folders("shop")[7].manifest["confirmed"];
        let window = due.windows[7];
        assert_eq!(
            last["spans"],
            json!([{"from_ms": window.from().0, "to_ms": window.to().0,
                    "expected": LOGS_A_WINDOW, "found": LOGS_A_WINDOW}])
        );
        let lines = world.ledger_lines("shop");
        assert_eq!(lines[0]["confirmed"], download);
        assert_eq!(lines[7]["confirmed"], search);
    }
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn where_search_is_refused_a_second_download_confirms() {
    for access in [
        SearchAccess::Denied,
        SearchAccess::Forbidden,
        SearchAccess::NotFound,
    ] {
        let due = Due::hours(3);
        let empty = due.windows[1];
        let windows = due
            .windows
            .iter()
            .copied()
            .filter(|window| *window != empty);
        let world = World::start(Settings {
            projects: vec![Due::project_of("shop", windows)],
            search: Search {
                access,
                ..Search::default()
            },
            dialect: Dialect {
                json: JsonLayout::Lines,
                ..Dialect::default()
            },
            ..Settings::default()
        })
        .await;
        world.configure(&[job(&due)]);
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
        for folder in world.folders("shop") {
            let confirmed = &folder.manifest["confirmed"];
            assert_eq!(confirmed["by"], "download", "{confirmed}");
            let reason = confirmed["reason"].as_str().unwrap();
            assert!(reason.starts_with("search: "), "{reason}");
        }
        assert_eq!(requests(&world, Call::Download), 6);
    }
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_lags_raises_no_alarm() {
    for lag in [Millis::from_hours(3), Millis::from_hours(-3)] {
        let due = Due::hours(6);
        let world = World::start(Settings {
            projects: vec![due.project("shop")],
            search: Search {
                lag,
                ..Search::default()
            },
            ..Settings::default()
        })
        .await;
        world.configure(&[job(&due)]);
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
    }
}
