//! *Suspicious* and *Candid*: what is wrong with a config, a key, a disk or an answer is said at
//! once, in words that help, and nothing half-done is left behind.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::harness::{Due, Job, LOGS_A_WINDOW, World, zip_of};
use elsa_archiver::simulator::{Fault, FaultPlan};

/// Commands that need a config; none of them may do anything with a wrong one.
const COMMANDS: [&[&str]; 6] = [
    &["check"],
    &["once"],
    &["run"],
    &["plan"],
    &["status"],
    &["verify"],
];

/// Asserts that the config is refused with these problems, each named by its line.
#[track_caller]
fn assert_refused(world: &World, problems: &[(&str, &str)]) {
    let config = world.config();
    let ran = world
        .run(&["check"])
        .exits(2)
        .prints("problems_of_a_config");
    for (culprit, message) in problems {
        let line = config.lines().position(|line| line == *culprit);
        let number = line.map_or(0, |before| before + 1);
        let place = format!("config.toml:{number}: ");
        let told = ran
            .stderr
            .lines()
            .any(|line| line.contains(&place) && line.contains(message));
        assert!(told, "no {message:?} at {place:?} in {ran:#?}");
    }
    assert_eq!(ran.stderr.lines().count(), problems.len(), "{ran:#?}");
    for command in COMMANDS {
        world.run(command).exits(2);
    }
    assert!(world.service.journal().is_empty());
    assert!(!world.path("state").exists());
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_config_is_told_at_once_with_its_line() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    let odd = Job::new("odd", &due)
        .with("window", "\"7m\"")
        .with("schedule", "\"every now and then\"")
        .with("since", "\"2999-01-01\"")
        .with("windwo", "\"1h\"");
    world.configure(&[Job::new("shop", &due), odd]);
    let zoned = world
        .config()
        .replace("[archive]\n", "[archive]\ntimezone = \"Asia/Soul\"\n");
    world.write_config(&zoned);
    assert_refused(
        &world,
        &[
            ("timezone = \"Asia/Soul\"", "\"Asia/Seoul\""),
            ("schedule = \"every now and then\"", "job.odd.schedule"),
            ("since = \"2999-01-01\"", "job.odd.since"),
            ("window = \"7m\"", "job.odd.window"),
            ("windwo = \"1h\"", "window"),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_of_one_name_are_refused() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    world.configure(&[Job::new("shop", &due), Job::new("shop", &due)]);
    let ran = world
        .run(&["once"])
        .exits(2)
        .prints("two_jobs_of_one_name")
        .says("names are unique");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_is_not_there_is_said_to_be_missing() {
    let world = World::of([]).await;
    for command in COMMANDS {
        let ran = world.run(command).exits(2).says("config.toml");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_in_the_config_is_a_mistake_of_usage() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
        .run(&["once", "--job", "shpo"])
        .exits(2)
        .prints("unknown_job")
        .says("shop");
    world
        .run(&["archive-everything"])
        .exits(2)
        .prints("unknown_command");
    assert!(world.service.journal().is_empty());
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_stops_at_once_and_leaves_the_first_alone() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("running");
    for command in ["once", "run"] {
        let begun = Instant::now();
        world
            .run(&[command])
            .exits(3)
            .prints(&format!("second_instance_{command}"))
            .says("another elsa-archiver");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    // Looking is no archiving.
    world.run(&["plan"]).exits(0);
    daemon.terminate();
    daemon.wait().exits(0);
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_can_t_be_written_is_one_clear_message() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    fs::write(world.root(), "a plain file").unwrap();
    let below = world.config().replace("/archive\"", "/archive/deep\"");
    for config in [world.config(), below] {
        world.write_config(&config);
        for command in ["once", "run"] {
            let ran = world.run(&[command]).exits(1).says("archive's root");
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
        }
    }
    assert!(world.service.journal().is_empty());
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_tried_once_and_said_to_be_the_key() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.set_secret_key("CANARYSECRETKEYTHATISNOTTHERIGHTONE00002");
    world
        .once()
        .exits(1)
        .prints("wrong_key")
        .says("access_key and secret_key");
    // Refused before its body was looked at, so the request names no project.
    assert_eq!(world.service.journal().len(), 1);
    let status = world.status("shop");
    assert_eq!(status["due"], 5);
    let message = status["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("access_key and secret_key"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_there_is_named_by_its_file() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    world.configure(&[Job::new("shop", &due)]);
    fs::remove_file(world.path("keys/secret")).unwrap();
    world
        .once()
        .exits(2)
        .prints("no_key_file")
        .says("keys/secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_zip_leaves_nothing_behind() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.service.set_faults(FaultPlan::always(Fault::Html200));
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(1)
        .prints("no_zip")
        .says("what is no zip");
    assert!(world.folders("shop").is_empty());
    assert!(!world.root().join("shop").exists());
    assert!(world.staged().is_empty(), "{:?}", world.staged());
}

/// Guarantee: Atomic
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_zip_that_is_damaged_every_time_leaves_nothing_behind() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let faults = FaultPlan::always(Fault::CorruptZip(200));
    world.service.set_faults(faults);
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(1)
        .prints("damaged_zip")
        .says("not archived");
    assert!(!world.root().join("shop").exists());
    assert!(world.staged().is_empty(), "{:?}", world.staged());

    world.service.set_faults(FaultPlan::none());
    world.once().exits(0);
    world.assert_archived("shop", &due.windows);
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_zip_that_holds_no_records_of_ours_is_kept_and_never_complete() {
    let due = Due::hours(1);
    for (name, content, reason) in [
        (
            "logs.json",
            r#"{"total":1000,"logs":[{"logTime":1},{"logTime":2}]}"#,
            "an object has no 'logTime'",
        ),
        (
            "logs.json",
            r#"{"error":{"errorCode":"900","message":"unexpected error"}}"#,
            "an object has no 'logTime'",
        ),
        (
            "logs.json",
            r#"[{"logTime":@},{"logTime":@},{"error":{"errorCode":"900"}}]"#,
            "an object has no 'logTime'",
        ),
        (
            "logs.json",
            "{\"logTime\":@}\n{\"logTime\":@}\n{\"truncated\":true}\n",
            "an object has no 'logTime'",
        ),
        (
            "logs.csv",
            "<html><body>unexpected error</body></html>\n",
            "no column 'logTime'",
        ),
        (
            "logs.csv",
            "logTime,body\n@,a\nlogTime,body\n@,b\n",
            "the header comes again",
        ),
        ("logs.csv", "logTime,logTime\n@,@\n", "two columns"),
    ] {
        let world = World::of([due.project("shop")]).await;
        // In place of a time inside the window.
        let content = &content.replace('@', &due.since().0.to_string());
        let body = zip_of(name, content);
        world
            .service
            .set_faults(FaultPlan::always(Fault::Body(body)));
        world.configure(&[Job::new("shop", &due)]);
        world.once().exits(1).says("unproven").says(reason);
        let folders = world.folders("shop");
        let kept = fs::read_to_string(folders[0].path.join("part-0001").join(name));
        assert_eq!(&kept.unwrap(), content);
        assert_eq!(folders[0].manifest["status"], "unproven");
        let status = world.status("shop");
        assert_eq!(
            (&status["unproven"], &status["due"]),
            (&1.into(), &0.into())
        );
        world
            .run(&["status"])
            .exits(1)
            .prints("status_unproven")
            .shows("unproven");
    }
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_one_of_its_pages_is_kept_and_never_complete() {
    let due = Due::hours(1);
    let record = format!("{{\"logTime\":{}}}\n", due.since().0);
    for (first, second, proven) in [
        (("logs_1.json", 3), ("logs_2.json", 1), true),
        (("logs_1.json", 3), ("logs_3.json", 1), false),
        (("logs_1.json", 2), ("logs_2.json", 2), false),
    ] {
        let world = World::of([due.project("shop")]).await;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, records) in [first, second] {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(name, options).unwrap();
            zip.write_all(record.repeat(records).as_bytes()).unwrap();
        }
        let body = zip.finish().unwrap().into_inner();
        world
            .service
            .set_faults(FaultPlan::always(Fault::Body(body)));
        world.configure(&[Job::new("shop", &due).with("limit", "3")]);
        let ran = world.once().exits(i32::from(!proven));
        let folders = world.folders("shop");
        let manifest = &folders[0].manifest;
        for (name, _) in [first, second] {
            assert!(folders[0].path.join("part-0001").join(name).exists());
        }
        if proven {
            assert_eq!(
                (&manifest["status"], &manifest["records"]),
                (&"complete".into(), &4.into())
            );
        } else {
            let reason = format!(
                "{}: a page",
                if second.0 == "logs_3.json" {
                    second.0
                } else {
                    first.0
                }
            );
            ran.says("unproven").says(&reason);
            assert_eq!(manifest["status"], "unproven");
            assert_eq!(manifest["records"], serde_json::Value::Null);
        }
    }
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_day_are_noticed_in_whatever_unit_they_tell_their_time() {
    let due = Due::hours(1);
    let inside = due.since().0 + 1000;
    let civil = |ms: i64| {
        let seoul = jiff::tz::TimeZone::get("Asia/Seoul").unwrap();
        let instant = jiff::Timestamp::from_millisecond(ms).unwrap();
        format!("\"{:.3}\"", instant.to_zoned(seoul).datetime())
    };
    for (unit, write) in [
        (
            "seconds",
            &(|ms: i64| format!("{}", ms / 1000)) as &dyn Fn(i64) -> String,
        ),
        ("decimals", &|ms: i64| format!("{}.123", ms / 1000)),
        ("microseconds", &|ms| format!("\"{ms}000\"")),
        ("nanoseconds", &|ms| format!("{ms}000000")),
        ("exponent", &|ms| format!("{ms}0e-1")),
        ("no offset", &civil),
    ] {
        for (ms, noticed) in [(inside, false), (inside - 86_400_000, true)] {
            let world = World::of([due.project("shop")]).await;
            let record = format!("{{\"logTime\":{},\"body\":\"x\"}}", write(ms));
            let body = zip_of("logs.json", &record);
            world
                .service
                .set_faults(FaultPlan::always(Fault::Body(body)));
            let job = Job::new("shop", &due).with("time_zone_of_records", "\"Asia/Seoul\"");
            world.configure(&[job]);
            let ran = world.once().exits(i32::from(noticed));
            if noticed {
                ran.says("1 records lie outside the span that was asked for");
            }
            let status = &world.folders("shop")[0].manifest["status"];
            let expected = if noticed { "unproven" } else { "complete" };
            assert_eq!(status, expected, "{unit}");
        }
    }
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_always_full_is_stopped_and_its_answers_are_kept_as_truncated() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    let faults = FaultPlan::always(Fault::AlwaysFull);
    world.service.set_faults(faults);
    world.configure(&[Job::new("shop", &due)
        .with("count", "100")
        .with("limit", "100")]);
    world
        .once()
        .exits(1)
        .says("the service still fills its answers")
        .says("truncated");
    // An hour down to 101 milliseconds, at two requests a cut.
    let most = due.windows.len() * (2 * (101 + 22) + 1);
    assert!(world.requests("shop").len() <= most);
    let folders = world.folders("shop");
    assert_eq!(folders.len(), due.windows.len());
    for (folder, window) in folders.iter().zip(&due.windows) {
        assert_eq!(folder.manifest["status"], "truncated");
        let mut at = window.from().0;
        for part in folder.manifest["parts"].as_array().into_iter().flatten() {
            assert_eq!(
                (&part["from_ms"], &part["records"]),
                (&at.into(), &100.into())
            );
            at = part["to_ms"].as_i64().unwrap_or(0);
        }
        assert_eq!(at, window.to().0);
        folder.assert_sums_pass();
    }
    let status = world.status("shop");
    assert_eq!(
        (&status["truncated"], &status["due"]),
        (&2.into(), &0.into())
    );
    assert!(world.staged().is_empty(), "{:?}", world.staged());
    world
        .run(&["verify"])
        .exits(1)
        .prints("verify_truncated")
        .shows("truncated");
    world.assert_nothing_left_to_do();
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_records_that_the_parts_do_not_bear_out_is_never_complete() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let count = (LOGS_A_WINDOW + 1).to_string();
    // The first answer is full, although there is less in the window.
    let faults = FaultPlan::script([Fault::AlwaysFull]);
    world.service.set_faults(faults);
    world.configure(&[Job::new("shop", &due).with("count", &count)]);
    world
        .once()
        .exits(1)
        .prints("contradicted_count")
        .says(&format!("the service counts {count} records"))
        .says("unproven");
    let folders = world.folders("shop");
    assert_eq!(folders[0].manifest["status"], "unproven");
    world.assert_holds_the_truth("shop", &folders[0]);
}

/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_since_it_would_carry_the_keys_elsewhere() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let elsewhere = World::of([due.project("shop")]).await;
    let address = format!("{}/api/v1/logs/download", elsewhere.service.endpoint());
    world
        .service
        .set_faults(FaultPlan::always(Fault::Redirect(address)));
    world.configure(&[Job::new("shop", &due)]);
    world
        .once()
        .exits(1)
        .prints("redirect")
        .says("check endpoint");
    assert!(elsewhere.service.journal().is_empty());
    assert!(!world.root().join("shop").exists());
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_without_the_space_that_must_stay_free() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let greedy = world.config().replace("\"1MiB\"", "\"1000000TiB\"");
    world.write_config(&greedy);
    world
        .once()
        .exits(1)
        .prints("no_space")
        .says("min_free_space");
    assert!(world.service.journal().is_empty());
    assert_eq!(world.status("shop")["due"], 2);
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_another_instance_works_on_is_left_alone() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("running");
    let elsewhere = world.path("another-state");
    let config = world.config().replace(
        &format!("{:?}", world.path("state")),
        &format!("{elsewhere:?}"),
    );
    world.write_config(&config);
    world
        .once()
        .exits(3)
        .prints("archive_in_use")
        .says("another elsa-archiver works on");
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Complete
#[tokio::test(flavor = "multi_thread")]
async fn an_error_before_the_end_of_an_empty_zip_is_no_empty_window() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let mut body = br#"{"error":{"errorCode":"900","message":"unexpected error"}}"#.to_vec();
    body.extend(b"PK\x05\x06");
    body.extend([0; 18]);
    let faults = FaultPlan::script([Fault::Body(body)]);
    world.service.set_faults(faults);
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0).says("unexpected error");
    world.assert_archived("shop", &due.windows);
}
