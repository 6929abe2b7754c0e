//! The contract of the commands that only look: what they print, what they exit with, and what
//! they leave alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Due, Job, World};
use elsa_archiver::simulator::KeyPair;

fn fields(object: &Value) -> BTreeSet<&str> {
    let object = object.as_object().into_iter().flatten();
    object.map(|(name, _)| name.as_str()).collect()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_what_would_be_asked_and_neither_asks_nor_writes() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let plan = world.run(&["plan", "--json"]).exits(0).json();
    let planned = plan["jobs"][0]["due"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(planned.len(), 3);
    for (planned, window) in planned.iter().zip(&due.windows) {
        assert_eq!(planned["from_ms"], window.from().0);
        assert_eq!(planned["to_ms"], window.to().0);
        let request = &planned["request"];
        assert_eq!(request["from"], window.from().0);
        // The service answers a log at `to`, so the last instant of the window is named.
        assert_eq!(request["to"], window.to().0 - 1);
        assert_eq!(request["projectKey"], "Pb_shop");
    }
    world
        .run(&["plan"])
        .exits(0)
        .prints("plan")
        .shows("shop: 3 windows due");
    assert!(world.service.journal().is_empty());
    assert!(!world.path("state").exists());
    assert!(!world.root().exists());
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn plan_counts_the_second_opinion_apart_and_it_is_not_more_than_that() {
    for (cross_check, cold, warm) in [
        ("all", json!([6, 49, 24, 73]), json!([3, 7, 0, 7])),
        ("off", json!([0, 0, 0, 0]), json!([0, 0, 0, 0])),
    ] {
        let due = Due::hours(9);
        let world = World::of([due.project("shop")]).await;
        let since = |at: usize| {
            let since = format!("\"{}\"", due.windows[at].from());
            let job = Job::new("shop", &due).with("cross_check", &format!("{cross_check:?}"));
            job.with("since", &since)
        };
        world.configure(&[since(3)]);
        let planned = || {
            let plan = world.run(&["plan", "--json"]).exits(0).json();
            let known = &plan["jobs"][0]["second_opinion"];
            assert_eq!(known["rechecks_by_search"], 0);
            let fields = ["windows", "searches_at_most", "downloads_at_most"];
            let fields = fields.into_iter().chain(["requests_at_most"]);
            fields.map(|field| known[field].clone()).collect::<Value>()
        };
        // Nothing tells how many records a window holds, nor whether search is believed.
        assert_eq!(planned(), cold);
        world.run(&["plan"]).prints(&format!("plan_{cross_check}"));
        world.once().exits(0);
        assert!(world.requests("shop").len() <= 6 + cold[3].as_u64().unwrap_or(0) as usize);

        // Now the ledger tells both.
        world.configure(&[since(0)]);
        assert_eq!(planned(), warm);
        world
            .run(&["plan"])
            .prints(&format!("plan_{cross_check}_warm"));
        world.service.clear_journal();
        world.once().exits(0);
        let asked = world.requests("shop").len() as u64;
        assert_eq!(json!(asked - 3), warm[3]);
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn status_has_exactly_the_fields_of_the_contract() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    let unknown = Job::new("unknown", &due);
    world.configure(&[Job::new("shop", &due).with("retention", "\"30d\""), unknown]);
    let before = world.status("shop");
    assert_eq!(
        (&before["last_success"], &before["due"]),
        (&Value::Null, &json!(2))
    );
    assert!(before["loss_deadline"].is_string(), "{before}");
    world.once().exits(1);

    let report = world.run(&["status", "--json"]).exits(1).json();
    assert_eq!(fields(&report), ["archive", "daemon", "jobs"].into());
    assert_eq!(
        report["daemon"],
        json!({"alive": false, "pid": null, "next_look": null})
    );
    assert_eq!(
        fields(&report["archive"]),
        ["free_bytes", "id", "root"].into()
    );
    let names = [
        "job",
        "name",
        "retired",
        "since_ms",
        "covered_until_ms",
        "gaps",
        "due",
        "truncated",
        "unproven",
        "confirmed",
        "records",
        "bytes",
        "last_success",
        "last_error",
        "loss_deadline",
    ];
    let jobs = report["jobs"].as_array().unwrap();
    assert!(
        jobs.iter().all(|job| fields(job) == names.into()),
        "{report}"
    );

    let (shop, unknown) = (&jobs[0], &jobs[1]);
    assert_eq!(
        fields(&shop["last_success"]),
        ["from_ms", "to_ms", "at"].into()
    );
    assert_eq!(shop["since_ms"], due.since().0);
    assert_eq!(shop["covered_until_ms"], due.whole().to().0);
    assert_eq!(shop["last_success"]["to_ms"], due.whole().to().0);
    for (name, value) in [
        ("gaps", json!([])),
        ("due", json!(0)),
        ("truncated", json!(0)),
        ("unproven", json!(0)),
        ("last_error", Value::Null),
        ("loss_deadline", Value::Null),
    ] {
        assert_eq!(shop[name], value, "{name}");
    }
    assert_eq!(fields(&unknown["last_error"]), ["at", "message"].into());
    assert_eq!(unknown["due"], 2);
    assert_eq!(unknown["covered_until_ms"], due.since().0);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn status_is_well_once_everything_due_is_archived() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
        .run(&["status"])
        .exits(1)
        .prints("status_before")
        .shows("needs attention");
    world.once().exits(0);
    world
        .run(&["status"])
        .exits(0)
        .prints("status_well")
        .shows("shop: ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_that_a_config_is_valid_and_asks_nobody() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    world.configure(&[Job::new("shop", &due)]);
    world
        .run(&["check"])
        .exits(0)
        .prints("check")
        .shows("is valid");
    assert!(world.service.journal().is_empty());
}

/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_the_whole_thing_without_an_account() {
    let world = World::of([]).await;
    let dir = world.path("demo");
    let ran = world
        .run(&["demo", "--dir", &dir.display().to_string()])
        .exits(0);
    let keys = KeyPair::default();
    for key in [&keys.access_key, &keys.secret_key] {
        assert!(
            !ran.stdout.contains(key) && !ran.stderr.contains(key),
            "{ran:#?}"
        );
    }
    let ran = ran.shows("INTACT");
    assert!(!ran.stdout.contains("DIFFER"), "{ran:#?}");
    // What it says to try next can be pasted, from anywhere and without a credentials directory.
    let hints: Vec<&str> = ran
        .stdout
        .lines()
        .skip_while(|line| !line.ends_with("Try:"))
        .skip(1)
        .collect();
    let hints: Vec<&str> = hints
        .into_iter()
        .take_while(|line| line.starts_with(' '))
        .collect();
    assert_eq!(hints.len(), 3, "{ran:#?}");
    for hint in hints {
        let mut bash = std::process::Command::new("bash");
        let pasted = bash.args(["-c", hint]).current_dir("/").output().unwrap();
        let found = String::from_utf8_lossy(&pasted.stdout).into_owned();
        // A window may have settled since.
        let is_well = pasted.status.success() || hint.contains("status");
        assert!(
            is_well && !found.contains("NOT INTACT"),
            "{hint}: {pasted:?}"
        );
        assert!(pasted.stderr.is_empty(), "{hint}: {pasted:?}");
    }
    ran.prints("demo");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_explains_itself() {
    let world = World::of([]).await;
    world.run(&["--help"]).exits(0).prints("help");
    for command in [
        "run", "once", "check", "plan", "backfill", "status", "verify", "cat", "files", "repair",
        "prune", "hold", "release", "receipt", "report", "init", "support", "demo",
    ] {
        world
            .run(&[command, "--help"])
            .exits(0)
            .prints(&format!("help_{command}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_its_examples_fit_a_terminal_of_80_columns() {
    let world = World::of([]).await;
    let mut commands = elsa_archiver::cli::command();
    commands.build();
    let names = commands.get_subcommands().map(clap::Command::get_name);
    for name in names
        .filter(|name| *name != "help")
        .chain(["--log-format=text"])
    {
        let ran = world.run_on_terminal(&[name, "--help"], 80).exits(0);
        let plain = |line: &str| {
            // Colours take no place.
            let pieces = line.split('\x1b').enumerate();
            let shown = pieces.map(|(at, piece)| match at {
                0 => piece,
                _ => piece.split_once('m').map_or("", |(_, after)| after),
            });
            shown.collect::<String>()
        };
        let lines: Vec<String> = ran.stdout.lines().map(plain).collect();
        // A path stays in one piece.
        let long = lines
            .iter()
            .filter(|line| line.chars().count() > 80 && !line.contains("[env: "));
        assert_eq!(long.count(), 0, "{lines:#?}");
        assert!(lines.iter().any(|line| line == "Examples:"), "{lines:#?}");
    }
}
