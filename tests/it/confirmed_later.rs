//! What is confirmed after it was published, and what is asked for again since the service was found to
//! lie meanwhile.

use elsa_archiver::domain::span::Span;
use elsa_archiver::simulator::{
    Call, Dialect, Fault, FaultPlan, Lie, LieKind, LyingCalls, Order, Project, Search,
    SearchAccess, Settings,
};
use serde_json::{Value, json};

use crate::harness::{Due, Folder, PROJECT_ID, World, project_key};
use crate::second_opinion::{job, requests, world};

fn search(access: SearchAccess) -> Search {
    Search {
        access,
        ..Search::default()
    }
}

/// The ledger's lines of one event.
fn events(world: &World, event: &str) -> Vec<Value> {
    let mut lines = world.ledger_lines("shop");
    lines.retain(|line| line["event"] == event);
    lines
}

/// Guarantee: Confirmed
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_second_opinion_that_could_not_be_had_is_asked_for_an_hour_later_and_recorded() {
    let due = Due::hours(3);
    let world = world(due.project("shop"), search(SearchAccess::Denied)).await;
    world.configure(&[job(&due)]);
    // Of each window the first download is answered, and the second is not.
    let gone = Fault::Status {
        http: 403,
        error_code: "210".to_owned(),
        message: "gone".to_owned(),
        retry_after: None,
    };
    let faults = [None, Some(gone)].into_iter().cycle().take(6);
    world.service.set_faults(FaultPlan::steps(faults));
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    for folder in world.folders("shop") {
        let confirmed = &folder.manifest["confirmed"];
        assert_eq!(confirmed["by"], "none", "{confirmed}");
        assert_eq!(confirmed["retry"], true, "{confirmed}");
    }
    // It is no fault of the archive, and is not asked for again at once.
    world.run(&["status"]).exits(0);
    world.assert_nothing_left_to_do();

    world.make_ledger_older("shop", &due);
    let before: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    world.once().exits(0);
    // The last window may not be an hour old.
    let confirmed = events(&world, "confirmed");
    for (line, window) in confirmed.iter().zip(&due.windows) {
        assert_eq!(line["from_ms"], window.from().0);
    }
    assert!(confirmed.len() >= 2, "{confirmed:?}");
    assert_eq!(confirmed[0]["confirmed"], "download");
    assert_eq!(
        confirmed[0]["records"],
        world.ledger_lines("shop")[0]["records"]
    );
    let spans = confirmed[0]["spans"].as_array().unwrap();
    assert!(
        spans.iter().all(|span| span["expected"] == span["found"]),
        "{spans:?}"
    );
    let status = &world.status("shop")["confirmed"];
    assert_eq!(
        json!({"search": status["search"], "download": status["download"], "none": status["none"]}),
        json!({"search": 0, "download": confirmed.len(), "none": 3 - confirmed.len()})
    );
    // What is published stays as it is.
    let after: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    assert_eq!(before, after);
    world.run(&["verify"]).exits(0);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_window_that_search_can_t_confirm_is_asked_for_once_more_the_next_day() {
    let due = Due::hours(30);
    let empty = due.windows[2];
    let with_logs = due
        .windows
        .iter()
        .copied()
        .filter(|window| *window != empty);
    let world = world(
        Due::project_of("shop", with_logs),
        search(SearchAccess::Denied),
    )
    .await;
    world.configure(&[job(&due)]);
    world.once().exits(0);
    assert_eq!(
        world.folders("shop")[2].manifest["confirmed"]["by"],
        "download"
    );
    world.make_ledger_older("shop", &due);
    world.service.clear_journal();
    world.once().exits(0).shows("1 rechecked");
    // As a whole, and in spans as long that end with a record before it and after it.
    assert_eq!(requests(&world, Call::Download), 3);
    world.assert_nothing_left_to_do();
}

/// Logs of the world below: some 300 a window.
const LOGS: usize = 9_000;

/// The newest folder of each window.
pub(crate) fn newest(world: &World) -> Vec<Folder> {
    let mut folders = world.folders("shop");
    folders.sort_by_key(|folder| (folder.window.from(), folder.name.len()));
    folders.reverse();
    let mut newest: Vec<Folder> = Vec::new();
    for folder in folders {
        if newest.last().map(|last| last.window) != Some(folder.window) {
            newest.push(folder);
        }
    }
    newest
}

/// Guarantee: Confirmed
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn once_the_service_is_found_to_cut_answers_what_was_archived_before_is_asked_for_again() {
    // Suspicion waits for no recheck.
    for recheck in [None, Some("\"7d\"")] {
        found_to_cut(recheck).await;
    }
}

async fn found_to_cut(recheck: Option<&str>) {
    // One window in 24 is asked for again in any case: not the first, which is to be archived unseen.
    let is_sampled = |due: &Due| due.since().0 / 3_600_000 % 24 == 12;
    let due = [30, 31].map(Due::hours);
    let due = due.into_iter().find(|due| !is_sampled(due)).unwrap();
    let world = World::start(Settings {
        projects: vec![Project::uniform(
            &project_key("shop"),
            PROJECT_ID,
            7,
            due.whole(),
            LOGS,
        )],
        dialect: Dialect {
            order: Order::Shuffled { seed: 7 },
            ..Dialect::default()
        },
        search: search(SearchAccess::Denied),
        ..Settings::default()
    })
    .await;
    world.service.set_lies(vec![Lie {
        kind: LieKind::CapBytes(10_000),
        times: None,
        calls: LyingCalls::Download,
    }]);
    let mut some = job(&due).with("cross_check", "\"some\"");
    if let Some(recheck) = recheck {
        some = some.with("recheck", recheck);
    }
    world.configure(&[some]);
    world.once().exits(0);
    let cut: Vec<Span> = world
        .folders("shop")
        .iter()
        .filter(|folder| folder.manifest["confirmed"]["cut"] == true)
        .map(|folder| folder.window)
        .collect();
    assert!(!cut.is_empty());
    let newest = newest(&world);
    assert_eq!(newest.len(), due.windows.len());
    for folder in &newest {
        world.assert_holds_the_truth("shop", folder);
    }
    let was_cut = |folder: &&Folder| folder.name.ends_with(".r2");
    assert!(newest.iter().filter(was_cut).count() >= 1);
    world.run(&["verify"]).exits(0);
}
