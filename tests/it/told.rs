//! How things are told: in one clock, as JSON where that is asked for, with the job's name, and nothing of the keys.

use std::fs;
use std::path::Path;

use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::Value;

use crate::harness::{Due, Job, World};

/// The instants in a text that are not in the offset of Seoul, the default of `archive.timezone`.
fn in_another_clock(text: &str) -> Vec<&str> {
    let is_of_date = |c: char| c.is_ascii_alphanumeric() || "-:.+".contains(c);
    let words = text.split(|c: char| !is_of_date(c));
    let instants = words.filter(|word| {
        let bytes = word.as_bytes();
        bytes.len() > 16 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':'
    });
    instants
        .filter(|instant| !instant.trim_end_matches(['.', ':']).ends_with("+09:00"))
        .collect()
}

fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_people_read_is_in_the_archive_s_clock_and_what_programs_read_is_not() {
    assert_eq!(
        in_another_clock("at [2026-11-29T19:13:30Z, x)"),
        ["2026-11-29T19:13:30Z"]
    );
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let mut faults = vec![Fault::Html200; 5];
    faults.push(Fault::Reset);
    world.service.set_faults(FaultPlan::script(faults));
    world.configure(&[Job::new("shop", &due)]);
    let told = |args: &[&str]| {
        let ran = world.run(args);
        let (out, err) = (in_another_clock(&ran.stdout), in_another_clock(&ran.stderr));
        assert!(
            out.is_empty() && err.is_empty(),
            "{out:?} {err:?} in {ran:#?}"
        );
        format!("{}{}", ran.stdout, ran.stderr)
    };
    told(&["plan"]);
    let log = told(&["once"]);
    assert!(log.contains("trying again"), "{log}");
    assert!(
        log.contains("window=[20") && log.contains("+09:00)"),
        "{log}"
    );
    told(&["status"]);
    fs::remove_dir_all(world.folders("shop").pop().unwrap().path).unwrap();
    told(&["verify"]);
    told(&["repair"]);
    let since = format!(
        "\"{}\"",
        due.whole()
            .to()
            .plus(elsa_archiver::domain::span::Millis::from_days(9))
    );
    world.configure(&[Job::new("shop", &due).with("since", &since)]);
    let wrong = world
        .run(&["check"])
        .exits(2)
        .says("is not in the past (it is ")
        .stderr;
    let now = wrong.split("it is ").nth(1).unwrap();
    assert!(in_another_clock(now).is_empty(), "{wrong}");
    for line in world.ledger_lines("shop") {
        assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_command_is_json_where_the_log_is() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    let ended = |args: &[&str], code: i32, words: &str| {
        let lines = json_lines(&world.run(args).exits(code).stderr);
        let last = lines.last().unwrap();
        assert_eq!(
            (&last["level"], &last["exit_code"]),
            (&"ERROR".into(), &code.into())
        );
        assert!(last["timestamp"].is_string(), "{last}");
        assert!(last["message"].as_str().unwrap().contains(words), "{last}");
    };
    ended(&["--log-format", "json", "nonsense"], 2, "nonsense");
    ended(
        &["once", "--log-format=json", "--job", "shops"],
        2,
        "there is no job",
    );
    ended(
        &["once", "--log-format=json", "--config", "/none"],
        2,
        "can't read the config",
    );
    fs::remove_dir_all(world.root()).unwrap();
    ended(&["once", "--log-format=json"], 1, "is not the one");
    // Without a log, too.
    let ran = world.spawn_with(
        &["once", "--log-format=json"],
        &[("RUST_LOG", Path::new("off"))],
    );
    assert_eq!(json_lines(&ran.wait().exits(1).stderr).len(), 1);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_enabled_is_told_to_whoever_asks_for_it() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let disabled = Job::new("shop", &due).with("enabled", "false");
    world.configure(&[disabled]);
    let before = world.run(&["once", "--job", "shop"]).exits(2);
    before
        .says("the job shop is not enabled")
        .says("backfill --job shop");
    assert!(!world.root().exists() && world.service.journal().is_empty());
    world.once().exits(0).says("no job is enabled");
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("no job is enabled");
    daemon.wait_until_it_says("running");
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Guarantee: Candid
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_state_is_said_to_be_rebuilt_and_its_folders_are_adopted_in_one_line() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let is_said = || {
        let words = "rebuilt at the next start";
        let (status, plan) = (world.run(&["status"]), world.run(&["plan"]));
        let said = [&status, &plan].map(|ran| ran.stdout.matches(words).count());
        let json = [&["status", "--json"], &["plan", "--json"]].map(|args| world.run(args).json());
        for report in &json {
            assert_eq!(report["jobs"][0]["job"], "shop", "{report}");
            assert_eq!(report["jobs"][0]["name"], "shop", "{report}");
        }
        let flags = json.map(|report| report["jobs"][0]["rebuilt_at_next_start"] == true);
        assert_eq!(said.map(|times| times == 1), flags, "{status:#?} {plan:#?}");
        flags
    };
    assert_eq!(is_said(), [false; 2]);
    world.once().exits(0);
    assert_eq!(is_said(), [false; 2]);
    fs::remove_dir_all(world.path("state")).unwrap();
    assert_eq!(is_said(), [true; 2]);
    assert!(!world.path("state").exists());
    let ran = world.once().exits(0);
    assert_eq!(ran.stderr.matches("adopted").count(), 1, "{ran:#?}");
    assert_eq!(is_said(), [false; 2]);
}

/// Guarantee: Candid
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_told_to_whoever_debugs_without_a_header() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due).with("cross_check", "\"all\"")]);
    world
        .service
        .set_faults(FaultPlan::script([Fault::Reset, Fault::Html200]));
    let run = |level: &str| {
        let args = ["once", "--log-format", "json"];
        world
            .spawn_with(&args, &[("RUST_LOG", Path::new(level))])
            .wait()
    };
    let ran = run("debug").exits(0);
    let lines = json_lines(&ran.stderr);
    let told: Vec<&Value> = lines
        .iter()
        .filter(|line| line["span"]["job"] == "shop" && line["ms"].is_u64())
        .collect();
    let answered: Vec<_> = told
        .iter()
        .filter(|line| line["message"] == "answered")
        .collect();
    assert_eq!(told.len(), world.requests("shop").len(), "{ran:#?}");
    assert_eq!(answered.len(), told.len() - 1, "{ran:#?}");
    for line in &answered {
        assert_eq!(line["status"], 200, "{line}");
        assert!(line["bytes"].is_u64() && line["ms"].is_u64(), "{line}");
        assert!(
            line["span"]["span"].as_str().unwrap().starts_with("[20"),
            "{line}"
        );
    }
    let ran = world
        .spawn_with(&["check", "--live"], &[("RUST_LOG", Path::new("trace"))])
        .wait();
    assert!(ran.stderr.contains("check{job=shop}: answered"), "{ran:#?}");
    assert!(
        !ran.stderr.to_lowercase().contains("x-ncp-apigw"),
        "{ran:#?}"
    );
}
