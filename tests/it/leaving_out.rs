//! A service that leaves records out of its answers, of each kind: it is found out, and overcome or red.

use std::thread;

use elsa_archiver::domain::span::Millis;
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{Call, Lie, LieKind, LyingCalls, Project, Search, SearchAccess};

use crate::harness::{Due, Folder, Job, PROJECT_ID, World, project_key, tell};
use crate::second_opinion::{job, requests, world};

/// Logs of each window of a liar's world.
const LOGS: usize = 3000;

/// What a liar's world came to.
#[derive(Debug)]
struct Came {
    exit: Option<i32>,
    /// Windows that are `complete`.
    complete: usize,
    /// Windows that hold exactly what was logged.
    exact: usize,
    /// Windows that are `complete` and not exact.
    wrong: Vec<String>,
    downloads: usize,
    searches: usize,
}

/// Four windows are archived from a service that lies.
async fn archived_from(lie: Lie, format: &str, access: SearchAccess) -> Came {
    let due = Due::hours(4);
    let key = project_key("shop");
    let project = Project::uniform(&key, PROJECT_ID, 7, due.whole(), LOGS * due.windows.len());
    let search = Search {
        access,
        ..Search::default()
    };
    let world = world(project, search).await;
    world.service.set_lies(vec![lie]);
    let job = job(&due).with("format", &format!("{format:?}"));
    world.configure(&[job.with("limit", "100")]);
    let ran = world.once();
    let folders = world.folders("shop");
    let is_exact = |folder: &Folder| {
        let logged = world.service.project(&key).unwrap();
        let found = folder.records();
        let found = found.iter().map(|record| record.seq);
        Difference::between(seqs_in(logged, folder.window), found).is_none()
    };
    let is_complete = |folder: &&Folder| folder.manifest["status"] == "complete";
    let complete: Vec<_> = folders.iter().filter(is_complete).collect();
    let wrong = complete.iter().filter(|folder| !is_exact(folder));
    Came {
        exit: ran.code,
        complete: complete.len(),
        exact: folders.iter().filter(|folder| is_exact(folder)).count(),
        wrong: wrong
            .map(|folder| format!("{}: {}", folder.name, folder.manifest["confirmed"]))
            .collect(),
        downloads: requests(&world, Call::Download),
        searches: requests(&world, Call::Search),
    }
}

/// Whether no request that the service allows tells a lie from the truth (docs/completeness.md).
fn is_beyond_proof(lie: &Lie, access: SearchAccess) -> bool {
    let says_the_same_of_any_span = matches!(lie.kind, LieKind::Empty | LieKind::OneIn(_));
    lie.times.is_none() && access != SearchAccess::Permitted && says_the_same_of_any_span
}

/// Tries a lie once and always, with search and without, in both formats.
fn assert_found_out(kind: LieKind) {
    let mut tried = Vec::new();
    for times in [Some(1), None] {
        for access in [SearchAccess::Permitted, SearchAccess::Denied] {
            for format in ["json", "csv"] {
                tried.push(thread::spawn(move || {
                    found_out(kind, times, access, format)
                }));
            }
        }
    }
    let faults: Vec<_> = tried
        .into_iter()
        .filter_map(|one| one.join().unwrap())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with how a lie ended, if anything.
fn found_out(
    kind: LieKind,
    times: Option<u32>,
    access: SearchAccess,
    format: &str,
) -> Option<String> {
    let lie = Lie {
        kind,
        times,
        calls: LyingCalls::Download,
    };
    let is_beyond_proof = is_beyond_proof(&lie, access);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let came = runtime.block_on(archived_from(lie, format, access));
    let how = format!(
        "{kind:?}, {}, search {access:?}, {format}: exit {:?}, of 4 windows {} complete, {} \
         exact; {} downloads, {} searches",
        if times.is_some() { "once" } else { "always" },
        came.exit,
        came.complete,
        came.exact,
        came.downloads,
        came.searches
    );
    tell(&how);
    let is_green = came.exit == Some(0);
    let is_right =
        came.wrong.is_empty() && is_green == (came.complete == 4) && (times.is_none() || is_green);
    (is_right == is_beyond_proof).then(|| format!("{how}: {:#?}", came.wrong))
}

/// Guarantee: Confirmed
#[test]
fn an_empty_answer_where_there_are_logs_is_found_out() {
    assert_found_out(LieKind::Empty);
}

/// Guarantee: Confirmed
#[test]
fn an_answer_without_one_record_in_ten_is_found_out() {
    assert_found_out(LieKind::OneIn(10));
}

/// Guarantee: Confirmed
#[test]
fn an_answer_that_is_cut_at_a_number_of_records_is_found_out() {
    assert_found_out(LieKind::CapRecords(1234));
}

/// Guarantee: Confirmed
#[test]
fn an_answer_that_is_cut_at_a_number_of_bytes_is_found_out() {
    assert_found_out(LieKind::CapBytes(100_000));
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_in_bytes_is_learnt_as_one_whatever_the_number_of_records() {
    let due = Due::hours(4);
    let jobs = [("shop", 60), ("site", 400)];
    let projects = jobs.map(|(name, body)| {
        let logs = LOGS * due.windows.len();
        let key = project_key(name);
        Project::uniform(&key, PROJECT_ID, 7, due.whole(), logs).with_body_size(body)
    });
    let world = World::of(projects).await;
    world.service.set_lies(vec![Lie {
        kind: LieKind::CapBytes(100_000),
        times: None,
        calls: LyingCalls::Download,
    }]);
    let all =
        |(name, _): (&'static str, usize)| Job::new(name, &due).with("cross_check", "\"all\"");
    world.configure(&jobs.map(all));
    world
        .once()
        .exits(0)
        .says("the service cuts answers at a number of bytes");
    for (name, _) in jobs {
        world.assert_archived(name, &due.windows);
    }
}

/// Guarantee: Confirmed
#[test]
fn an_answer_with_the_newest_twenty_minutes_is_found_out() {
    assert_found_out(LieKind::Newest(Millis::from_mins(20)));
}

/// Guarantee: Confirmed
#[test]
fn an_answer_with_the_oldest_twenty_minutes_is_found_out() {
    assert_found_out(LieKind::Oldest(Millis::from_mins(20)));
}

/// Guarantee: Confirmed
#[test]
fn an_answer_without_one_of_its_pages_is_found_out() {
    assert_found_out(LieKind::LostPage);
}

/// Guarantee: Confirmed
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_a_split_window_that_came_back_empty_is_found_out() {
    for (access, pieces) in [
        (SearchAccess::Permitted, 1),
        (SearchAccess::Permitted, 3),
        (SearchAccess::Denied, 1),
        (SearchAccess::Denied, 2),
    ] {
        let due = Due::hours(4);
        let key = project_key("shop");
        let project = Project::uniform(&key, PROJECT_ID, 3, due.whole(), 12_000 * 4);
        let search = Search {
            access,
            ..Search::default()
        };
        let world = world(project, search).await;
        let job = job(&due).with("count", "3000");
        let since = format!("\"{}\"", due.windows[1].from());
        world.configure(&[job.clone().with("since", &since)]);
        world.once().exits(0);
        // The first window is asked for in pieces from the start, and some of them come back empty.
        world.service.set_lies(vec![Lie {
            kind: LieKind::Empty,
            times: Some(pieces),
            calls: LyingCalls::Download,
        }]);
        world.configure(&[job]);
        world.once().exits(0);
        world.assert_archived("shop", &due.windows);
    }
}
