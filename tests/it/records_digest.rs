//! What a window's records are, beside how many, by the real program: a second answer of as many
//! records but others, or with a page twice, is never taken for what is archived nor for more.

use std::fs;

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::span::{Millis, UtcMs};
use elsa_archiver::simulator::{Lie, LieKind, LyingCalls, Project, Search, SearchAccess, Settings};
use serde_json::{Value, json};

use crate::harness::{Due, Folder, Job, World};

/// Far beyond any log's time.
const EVERYTHING: UtcMs = UtcMs(1 << 45);
/// Records of a page. A window has two whole ones and some more.
const LIMIT: &str = "5";
const FORMATS: [&str; 2] = ["json", "csv"];

/// A job whose windows are all due for a recheck once the ledger is older.
fn job(due: &Due, format: &str) -> Job {
    Job::new("shop", due)
        .with("recheck", &format!("\"{}s\"", due.settle_s + 60))
        .with("format", &format!("{format:?}"))
        .with("limit", LIMIT)
}

fn project(due: &Due) -> Project {
    due.project("shop").with_late(16, Millis(1 << 40))
}

/// A world whose windows are archived without the late logs, and are due for a recheck.
async fn archived(due: &Due, format: &str) -> World {
    let world = World::start(Settings {
        projects: vec![project(due)],
        ..Settings::default()
    })
    .await;
    world.configure(&[job(due, format)]);
    world.once().exits(0);
    world
}

fn set_lie(world: &World, kind: LieKind) {
    world.service.set_lies(vec![Lie {
        kind,
        times: None,
        calls: LyingCalls::Download,
    }]);
}

fn digest(folder: &Folder) -> String {
    let digest = folder.manifest["records_digest"].as_str().unwrap();
    assert_eq!(digest.len(), 32, "{digest}");
    digest.to_owned()
}

/// Asserts that a recheck with this lie publishes nothing and says `why`, and that all is well once
/// the service tells the truth again.
fn is_not_believed(world: &World, kind: LieKind, why: &str) {
    let before: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    set_lie(world, kind);
    world
        .once()
        .exits(1)
        .says(why)
        .says("what is archived stays");
    let status = world.run(&["status", "--json"]).exits(1).json();
    let message = status["jobs"][0]["last_error"]["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}");
    // It stays so when nobody asks any more, until somebody says that it is known.
    assert_eq!(status["jobs"][0]["unproven"], 1);
    let after: Vec<_> = world.folders("shop").iter().map(Folder::content).collect();
    assert_eq!(before, after);
    assert!(world.staged().is_empty());
    world.run(&["verify"]).exits(0);
    world.service.set_lies(Vec::new());
    world.once().exits(0).shows("rechecked");
    world.run(&["status"]).exits(0);
    assert_eq!(world.folders("shop").len(), before.len());
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_recheck_with_as_many_records_but_others_is_not_believed() {
    for format in FORMATS {
        let due = Due::hours(1);
        let world = archived(&due, format).await;
        world.make_ledger_older("shop", &due);
        let why = "as many records of it now, but 5 of them are others";
        is_not_believed(&world, LieKind::RepeatedPage, why);
    }
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_recheck_with_a_page_twice_is_no_revision() {
    for format in FORMATS {
        let due = Due::hours(1);
        let world = archived(&due, format).await;
        world.make_ledger_older("shop", &due);
        is_not_believed(&world, LieKind::DoubledPage, "5 of them only repeat others");
    }
}

/// Guarantee: Complete
/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn late_logs_are_published_and_not_while_archived_ones_are_missing() {
    for format in FORMATS {
        let due = Due::hours(6);
        let world = archived(&due, format).await;
        world.make_ledger_older("shop", &due);
        let first = world.folders("shop");
        world.service.set_visible_at(Some(EVERYTHING));
        // As many records as with the late logs, and an archived page is not among them.
        set_lie(&world, LieKind::RepeatedPage);
        world
            .once()
            .exits(1)
            .says("of the archived ones are missing from it");
        assert_eq!(world.folders("shop").len(), first.len());

        world.service.set_lies(Vec::new());
        world.once().exits(0);
        let revised: Vec<_> = world
            .folders("shop")
            .into_iter()
            .filter(|folder| folder.name.ends_with(".r2"))
            .collect();
        assert!(!revised.is_empty());
        for folder in &revised {
            world.assert_holds_the_truth("shop", folder);
            let before = first.iter().find(|first| first.window == folder.window);
            assert_ne!(digest(folder), digest(before.unwrap()));
        }
        world.run(&["verify"]).exits(0);
        world.assert_nothing_left_to_do();
    }
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_window_has_one_digest_in_one_part_and_in_many() {
    for format in FORMATS {
        let due = Due::hours(3);
        let silent = due.windows[1];
        let windows = due
            .windows
            .iter()
            .copied()
            .filter(|window| *window != silent);
        let project = Due::project_of("shop", windows);
        let mut digests = Vec::new();
        for count in ["200000", "5"] {
            let world = World::of([project.clone()]).await;
            world.configure(&[job(&due, format).with("count", count)]);
            world.once().exits(0);
            world.assert_archived("shop", &due.windows);
            let folders = world.folders("shop");
            let parts = folders[0].manifest["parts"].as_array().unwrap().len();
            assert_eq!(parts > 1, count == "5");
            digests.push(folders.iter().map(digest).collect::<Vec<_>>());
        }
        assert_eq!(digests[0], digests[1]);
        assert_eq!(digests[0][1], "0".repeat(32));
        assert_ne!(digests[0][0], digests[0][2]);
    }
}

/// Makes the manifests those of a version that wrote no digest of records: sums, chain and ledger fit.
fn forget_digests(world: &World) {
    let mut ledger = fs::read_to_string(world.ledger("shop")).unwrap();
    let mut renamed: Vec<(String, String)> = Vec::new();
    for folder in world.folders("shop") {
        let [manifest, sums] = ["manifest.json", "SHA256SUMS"].map(|name| folder.path.join(name));
        let text = fs::read_to_string(&manifest).unwrap();
        let mut older: String = text
            .lines()
            .filter(|line| !line.contains("\"records_digest\""))
            .map(|line| line.to_owned() + "\n")
            .collect();
        assert_ne!(older, text);
        for (was, is) in &renamed {
            older = older.replace(was, is);
        }
        let of = |text: &str| Digest::of(text.as_bytes()).to_string();
        renamed.push((of(&text), of(&older)));
        let listed = fs::read_to_string(&sums).unwrap();
        fs::write(&sums, listed.replace(&of(&text), &of(&older))).unwrap();
        fs::write(&manifest, older).unwrap();
    }
    for (was, is) in &renamed {
        ledger = ledger.replace(was, is);
    }
    fs::write(world.ledger("shop"), ledger).unwrap();
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_without_digests_archived_is_rechecked_record_by_record() {
    for format in FORMATS {
        let due = Due::hours(6);
        let world = archived(&due, format).await;
        forget_digests(&world);
        world.make_ledger_older("shop", &due);
        world.run(&["verify"]).exits(0);
        let first = world.folders("shop");
        let forgotten = |folder: &Folder| folder.manifest["records_digest"] == Value::Null;
        assert!(first.iter().all(forgotten));

        set_lie(&world, LieKind::DoubledPage);
        world.once().exits(1).says("5 of them only repeat others");
        assert_eq!(world.folders("shop").len(), first.len());
        world.service.set_lies(Vec::new());
        world.service.set_visible_at(Some(EVERYTHING));
        world.once().exits(0);
        let revised: Vec<_> = world
            .folders("shop")
            .into_iter()
            .filter(|folder| folder.name.ends_with(".r2"))
            .collect();
        assert!(!revised.is_empty() && revised.len() < first.len());
        for folder in &revised {
            world.assert_holds_the_truth("shop", folder);
            digest(folder);
        }
        world.run(&["verify"]).exits(0);
        world.assert_nothing_left_to_do();
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn where_the_archived_files_can_t_be_read_the_numbers_decide_and_that_is_said() {
    let due = Due::hours(1);
    let world = archived(&due, "json").await;
    world.make_ledger_older("shop", &due);
    let folder = &world.folders("shop")[0];
    let path = folder.manifest["parts"][0]["files"][0]["path"]
        .as_str()
        .unwrap();
    fs::remove_file(folder.path.join(path)).unwrap();
    set_lie(&world, LieKind::DoubledPage);
    world
        .once()
        .exits(0)
        .says("so their numbers decide: can't read ");
    let records: Vec<_> = world
        .folders("shop")
        .iter()
        .map(|folder| folder.manifest["records"].clone())
        .collect();
    assert_eq!(records.len(), 2);
    assert!(records[0].as_u64() < records[1].as_u64(), "{records:?}");
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_asked_for_otherwise_by_now_raise_no_alarm() {
    let due = Due::hours(2);
    let world = archived(&due, "json").await;
    let fields = json!(["logTime", "seq"]).to_string();
    for job in [
        job(&due, "csv"),
        job(&due, "json").with("include_fields", &fields),
    ] {
        world.make_ledger_older("shop", &due);
        world.configure(&[job]);
        world.once().exits(0).shows("2 rechecked");
        assert_eq!(world.folders("shop").len(), 2);
    }
}

/// Archives all windows but the newest while the service tells the truth, so that its search is believed.
fn archive_all_but_the_newest(world: &World, due: &Due) {
    let [from, to] = [due.since(), due.windows[due.windows.len() - 1].from()];
    let [from, to] = [from, to].map(|at| at.to_string());
    let backfill = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);
}

/// Guarantee: Complete
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_only_counts_takes_no_doubt_away_that_is_about_which_records_they_are() {
    let due = Due::hours(6);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[job(&due, "json").with("cross_check", "\"all\"")]);
    archive_all_but_the_newest(&world, &due);
    // A page comes in place of another, so search finds as many records.
    set_lie(&world, LieKind::RepeatedPage);
    world.once().exits(0);
    assert_eq!(
        world.folders("shop")[5].manifest["confirmed"]["by"],
        "search"
    );
    world.service.set_lies(Vec::new());

    // Search is gone for a while, so the recheck downloads the window, and sees it.
    world.make_ledger_older("shop", &due);
    world.service.set_search(Search {
        access: SearchAccess::Denied,
        ..Search::default()
    });
    world.once().exits(1).says("5 of them are others");
    world.service.set_search(Search::default());
    world.once().exits(1).says("5 of them are others");
    world.run(&["status"]).exits(1);
}
