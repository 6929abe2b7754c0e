//! The second opinion, by the real program: what is asked, what is recorded, and that no answer alone
//! makes a window `complete`.

use elsa_archiver::domain::job::ToBound;
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::{
    Call, Dialect, EmptyAnswer, Fault, FaultPlan, JsonLayout, Lie, LieKind, LyingCalls, Project,
    Search, SearchAccess, SearchForm, Settings, TimeStyle,
};
use serde_json::json;

use crate::harness::{Due, Folder, Job, LOGS_A_WINDOW, World, project_key, tell};

/// A service with this project, whose search behaves so.
pub(crate) async fn world(project: Project, search: Search) -> World {
    World::start(Settings {
        projects: vec![project],
        search,
        ..Settings::default()
    })
    .await
}

/// A job whose windows are all asked for twice.
pub(crate) fn job(due: &Due) -> Job {
    Job::new("shop", due).with("cross_check", "\"all\"")
}

/// The requests of one kind.
pub(crate) fn requests(world: &World, call: Call) -> usize {
    let entries = world.requests("shop");
    entries
        .iter()
        .filter(|entry| entry.call == Some(call))
        .count()
}

/// Spans that were downloaded again, by what the manifests say: two at least of a window with records,
/// and one without, as a whole.
fn downloaded_again(world: &World) -> usize {
    let folders = world.folders("shop");
    let by_download = folders
        .iter()
        .map(|folder| &folder.manifest)
        .filter(|manifest| manifest["confirmed"]["by"] == "download");
    let mut all = 0;
    for manifest in by_download {
        let spans = manifest["confirmed"]["spans"].as_array().unwrap().len();
        match manifest["records"].as_u64() {
            // With a record before it, and one after it.
            Some(0) => assert!((1..=3).contains(&spans), "{spans}"),
            _ => assert!(spans >= 2, "{spans}"),
        }
        all += spans;
    }
    all
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
        let search = Search {
            form,
            with_total,
            ..Search::default()
        };
        let world = world(due.project("shop"), search).await;
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
        // Two windows in parts again, and one search for what no project holds.
        assert_eq!(
            requests(&world, Call::Download),
            8 + downloaded_again(&world)
        );
        assert_eq!(requests(&world, Call::Search), 2 * 8 + 1);
        // They are on record apart from the downloads.
        assert_eq!(
            world.status("shop")["opinion_requests"],
            requests(&world, Call::Search) + downloaded_again(&world)
        );
        let status = world.run(&["status"]).exits(0).stdout;
        assert!(!status.contains("second opinion"), "{status}");
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

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn what_to_means_is_told_by_the_answers_and_no_record_is_lost_or_doubled() {
    for to_bound in [ToBound::Inclusive, ToBound::Exclusive] {
        for time in [TimeStyle::Number, TimeStyle::Rfc3339 { offset_seconds: 0 }] {
            let due = Due::hours(4);
            let world = World::start(Settings {
                projects: vec![due.project("shop")],
                dialect: Dialect {
                    to_bound,
                    time,
                    ..Dialect::default()
                },
                ..Settings::default()
            })
            .await;
            let auto = Job::new("shop", &due).with("to_bound", "\"auto\"");
            world.configure(std::slice::from_ref(&auto));
            world.once().exits(0);
            world.assert_archived("shop", &due.windows);
            let meant: Vec<_> = world
                .folders("shop")
                .iter()
                .map(|folder| folder.manifest["request"]["to_bound"].clone())
                .collect();
            // The first window is asked for twice where it holds a log of the next one.
            let (requests, word) = match to_bound {
                ToBound::Inclusive => (5, "inclusive"),
                ToBound::Exclusive => (4, "exclusive"),
            };
            assert_eq!(meant, [word; 4]);
            assert_eq!(world.requests("shop").len(), requests);
            // It is remembered for a day.
            assert_eq!(
                world.ledger_lines("shop")[0]["to_bound"] == word,
                requests == 5
            );
            let again = due.windows[0].from();
            let earlier = format!("\"{}\"", again.minus(Millis::from_hours(2)));
            world.configure(&[auto.with("since", &earlier)]);
            world.service.clear_journal();
            world.once().exits(0);
            assert_eq!(world.requests("shop").len(), 2);
        }
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
        // `status` says why: not that search rests, but what it answered before.
        let confirmed = &world.status("shop")["confirmed"];
        let reason = confirmed["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("search: the service answered 40"),
            "{reason}"
        );
        assert_eq!(confirmed["search_agreed"], 0);
        let status = world.run(&["status"]).exits(0);
        tell(&status.stdout);
        status
            .shows("the newest window by a second download: search: ")
            .shows("search has agreed on 0 of 3 windows that it takes to believe it");
        // It only looks: what can't be read is not told.
        let root = world.root();
        std::fs::rename(&root, world.path("elsewhere")).unwrap();
        let status = world.run(&["status"]).exits(1).shows("Mount the disk");
        let status = status.stdout;
        assert!(!status.contains("second opinion"), "{status}");
        std::fs::rename(world.path("elsewhere"), &root).unwrap();
        // Each is downloaded again, in parts. Search is asked for nothing, and for the first window; then it
        // rests.
        assert_eq!(
            requests(&world, Call::Download),
            3 + downloaded_again(&world)
        );
        assert_eq!(requests(&world, Call::Search), 2);
    }
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_lags_raises_no_alarm() {
    for lag in [Millis::from_hours(3), Millis::from_hours(-3)] {
        let due = Due::hours(6);
        let search = Search {
            lag,
            ..Search::default()
        };
        let world = world(due.project("shop"), search).await;
        world.configure(&[job(&due)]);
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
    }
}

/// Guarantee: Confirmed
/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_day_later_search_shows_which_windows_have_changed_and_only_those_are_downloaded() {
    // By the settled instant some windows are a day old, and all of them are new.
    let due = Due::hours(40);
    let late = Millis(1 << 40);
    let world = world(due.project("shop").with_late(40, late), Search::default()).await;
    world.configure(&[job(&due).with("settle", "\"22h\"")]);
    world.once().exits(0);
    world.make_ledger_older("shop", &due);
    let confirmed = |folder: &Folder| folder.manifest["confirmed"]["by"] == "search";
    let folders = world.folders("shop");
    let day_ago = UtcMs::from(jiff::Timestamp::now()).minus(Millis::from_days(1));
    let is_due = |folder: &&Folder| confirmed(folder) && folder.window.to() <= day_ago;
    let rechecked: Vec<Span> = folders
        .iter()
        .filter(is_due)
        .map(|folder| folder.window)
        .collect();
    assert!(!rechecked.is_empty());
    let project = world.service.project(&project_key("shop")).unwrap();
    let is_late = |seq| project.indexed_at(seq) > Some(due.whole().to());
    let changed: Vec<Span> = rechecked
        .iter()
        .copied()
        .filter(|&window| project.truth(window).any(|truth| is_late(truth.seq)))
        .collect();
    assert!(!changed.is_empty() && changed.len() < rechecked.len());

    world.service.set_visible_at(Some(UtcMs(1 << 45)));
    world.service.clear_journal();
    world
        .once()
        .exits(0)
        .shows(&format!("{} rechecked", rechecked.len()));
    assert_eq!(requests(&world, Call::Download), changed.len());
    let revised: Vec<Span> = world
        .folders("shop")
        .iter()
        .filter(|folder| folder.name.ends_with(".r2"))
        .map(|folder| folder.window)
        .collect();
    assert_eq!(revised, changed);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_search_contradicts_a_day_later_is_not_called_unchanged() {
    let due = Due::hours(40);
    let late = Millis(1 << 40);
    let world = world(due.project("shop").with_late(40, late), Search::default()).await;
    world.configure(&[job(&due).with("settle", "\"22h\"")]);
    world.once().exits(0);
    world.make_ledger_older("shop", &due);
    // Search finds the late logs, downloads go on without them.
    world.service.set_search(Search {
        lag: Millis(-late.0),
        ..Search::default()
    });
    world.once().exits(1).says("search finds ");
    let status = world.status("shop");
    let message = status["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("what is archived stays"), "{message}");
    assert!(
        world
            .folders("shop")
            .iter()
            .all(|folder| !folder.name.ends_with(".r2"))
    );
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn where_times_are_left_out_no_log_is_doubled_while_nobody_knows_what_to_means() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let blind = Job::new("shop", &due)
        .with("to_bound", "\"auto\"")
        .with("include_fields", "[\"seq\", \"body\"]");
    world.configure(&[blind]);
    world.once().exits(0);
    for folder in world.folders("shop") {
        assert_eq!(folder.manifest["records"], LOGS_A_WINDOW);
    }
}

/// The windows that were downloaded, in the order in which they were asked for, by number.
fn asked_in_order(world: &World, due: &Due) -> Vec<usize> {
    let whole = |from, to| {
        let is_it = |window: &Span| window.from() == from && window.to().0 - 1 <= to;
        due.windows.iter().position(is_it)
    };
    let entries = world.requests("shop");
    let downloads = entries
        .iter()
        .filter(|entry| entry.call == Some(Call::Download));
    downloads
        .filter_map(|entry| whole(entry.from.unwrap(), entry.to.unwrap().0))
        .collect()
}

/// Guarantee: Isolated
/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_again_waits_until_the_other_windows_are_archived() {
    for (lost, access) in [
        (LieKind::OneIn(10), SearchAccess::Permitted),
        (LieKind::Empty, SearchAccess::Denied),
    ] {
        let due = Due::hours(4);
        let search = Search {
            access,
            ..Search::default()
        };
        let world = world(due.project("shop"), search).await;
        world.service.set_lies(vec![Lie {
            kind: lost,
            times: Some(1),
            calls: LyingCalls::Download,
        }]);
        world.configure(&[job(&due)]);
        world
            .once()
            .exits(0)
            .says("asked for again after the other windows");
        world.assert_archived("shop", &due.windows);
        assert_eq!(asked_in_order(&world, &due), [0, 1, 2, 3, 0], "{lost:?}");
    }
}

/// A world whose service answers a window without logs with an error, and which of its windows is one.
async fn refusing(due: &Due, empty: usize, access: SearchAccess) -> World {
    let windows = due.windows.iter().enumerate();
    let with_logs = windows
        .filter(|(at, _)| *at != empty)
        .map(|(_, window)| *window);
    let world = World::start(Settings {
        projects: vec![Due::project_of("shop", with_logs)],
        search: Search {
            access,
            ..Search::default()
        },
        dialect: Dialect {
            empty: EmptyAnswer::NotFound,
            ..Dialect::default()
        },
        ..Settings::default()
    })
    .await;
    world.configure(&[job(due)]);
    world
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_refused_because_it_is_empty_is_archived_once_search_says_so() {
    let due = Due::hours(6);
    let world = refusing(&due, 4, SearchAccess::Permitted).await;
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
    let empty = &world.folders("shop")[4].manifest;
    assert_eq!(
        (&empty["records"], &empty["parts"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(empty["confirmed"]["by"], "search");
    let reason = empty["confirmed"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the download is refused: "), "{reason}");
    world.run(&["verify"]).exits(0);
    world.run(&["status"]).exits(0);
    world.assert_nothing_left_to_do();
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_refused_for_a_day_is_unproven_where_search_can_t_say_that_it_is_empty() {
    let due = Due::hours(30);
    let world = refusing(&due, 2, SearchAccess::Denied).await;
    world.once().exits(1);
    assert_eq!(world.status("shop")["due"], 1);
    // Soon after it is still due; a day later it is not.
    world.once().exits(1);
    assert_eq!(world.status("shop")["due"], 1);
    world.make_ledger_older("shop", &due);
    world.once().exits(1);
    let status = world.status("shop");
    assert_eq!(
        (&status["due"], &status["unproven"]),
        (&json!(0), &json!(1))
    );
    let window = &world.folders("shop")[2].manifest;
    assert_eq!(window["status"], "unproven");
    assert_eq!(window["records"], json!(null));
    let reason = window["confirmed"]["reason"].as_str().unwrap();
    assert!(reason.contains("has refused it for a day"), "{reason}");
    world.run(&["verify"]).exits(1).shows("unproven");
    world.run(&["status", "--ack", "shop"]).exits(0);

    // Seen again the next day, and refused again, it is what it was.
    let recheck = format!("\"{}s\"", due.settle_s + 60);
    world.configure(&[job(&due).with("recheck", &recheck)]);
    world.make_ledger_older("shop", &due);
    world.once().exits(0).shows("30 rechecked");
    world.run(&["status"]).exits(0);
    assert_eq!(world.folders("shop").len(), 30);
}

/// Guarantee: Confirmed
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn manifest_and_status_tell_what_is_confirmed_what_could_not_be_and_what_is_contradicted() {
    let shard = Lie {
        kind: LieKind::OneIn(10),
        times: None,
        calls: LyingCalls::Download,
    };
    for (name, cross_check, lies, by, is_well) in [
        ("confirmed", "all", vec![], "search", true),
        ("unconfirmable", "off", vec![], "none", true),
        ("contradicted", "all", vec![shard], "none", false),
    ] {
        let due = Due::hours(4);
        let world = World::of([due.project("shop")]).await;
        let job = job(&due).with("cross_check", &format!("{cross_check:?}"));
        let since = format!("\"{}\"", due.windows[1].from());
        world.configure(&[job.clone().with("since", &since)]);
        world.once().exits(0);
        world.service.set_lies(lies);
        world.configure(&[job]);
        world.once();
        let manifest = &world.folders("shop")[0].manifest;
        let (status, confirmed) = (&manifest["status"], &manifest["confirmed"]);
        assert_eq!(confirmed["by"], by, "{confirmed}");
        assert_eq!(status == "complete", is_well, "{confirmed}");
        let told = serde_json::to_string_pretty(confirmed).unwrap();
        tell(format!(
            "{name}: \"status\": {status}, \"confirmed\": {told}"
        ));
        let ran = world.run(&["status"]).exits(i32::from(!is_well));
        tell(&ran.stdout);
        ran.prints(&format!("status_{name}"));
    }
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_shows_more_and_fails_while_it_counts_them_has_shown_more() {
    let due = Due::hours(6);
    let world = world(due.project("shop"), Search::default()).await;
    world.configure(&[job(&due).with("to_bound", "\"inclusive\"")]);
    let [from, to] = [due.since(), due.windows[5].from()].map(|at| at.to_string());
    world
        .run(&["backfill", "--job", "shop", "--from", &from, "--to", &to])
        .exits(0);
    // A shard is gone for good.
    world.service.set_lies(vec![Lie {
        kind: LieKind::OneIn(3),
        times: None,
        calls: LyingCalls::Download,
    }]);
    let gone = Fault::Status {
        http: 403,
        error_code: "210".to_owned(),
        message: "gone".to_owned(),
        retry_after: None,
    };
    // The download, an answer without records, and what is at n, at n - 1 and far beyond.
    let until_it_counts = (0..5).map(|_| None);
    let faults = FaultPlan::steps(until_it_counts.chain([Some(gone)]));
    world.service.set_faults(faults.also_for_search());
    world.once().exits(1);
    assert_eq!(world.folders("shop")[5].manifest["status"], "unproven");
    world.run(&["status"]).exits(1);
}
