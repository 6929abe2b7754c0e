//! Being told: a dead man's switch, a webhook, and a program for each published folder. Whatever a receiver does, no
//! window waits for it, and none learns a key. Carries *Isolated*, *Candid*, *Suspicious* and *Bounded*.

mod price;
mod receiver;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use elsa_archiver::simulator::{Fault, FaultPlan};
use serde_json::Value;

use crate::harness::{Due, Job, Running, World, left_out, until};
use receiver::{Answer, Receiver, SECRET};

/// Adds a table `[notify]` with these lines to the config.
fn notified(world: &World, lines: &str) {
    let config = world.config();
    world.write_config(&format!("{config}\n[notify]\n{lines}\n"));
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(world.path("config.toml"), mode).unwrap();
}

fn address(key: &str, receiver: &Receiver) -> String {
    format!("{key} = {:?}\n", receiver.url())
}

/// A program in the world, and the line that has it run.
fn program(world: &World, script: &str) -> String {
    let path = world.path("collect");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("on_archived = [{path:?}, \"one word\"]\n")
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

/// The lines of a file that a program writes.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn ends(daemon: Running) -> String {
    daemon.terminate();
    let ran = daemon.wait().exits(0);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    ran.stderr
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_for_all_jobs_hears_nothing_of_a_part_of_them() {
    let due = Due::hours(1);
    let world = World::of(["shop", "pay"].map(|job| due.project(job))).await;
    let ping = Receiver::well();
    world.configure(&["shop", "pay"].map(|job| Job::new(job, &due)));
    notified(&world, &address("ping", &ping));
    world.run(&["once", "--job", "shop"]).exits(0);
    assert_eq!(ping.pings(), [""; 0]);
    world.once().exits(0);
    assert_eq!(ping.pings().first().unwrap(), "/start");
    assert_eq!(ping.pings().last().unwrap(), "");
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_says_is_told_in_its_order_and_the_switch_hears_how_it_ends() {
    let due = Due::hours(4);
    let world = World::of([due.project("shop")]).await;
    let (ping, webhook) = (Receiver::well(), Receiver::well());
    world.configure(&[Job::new("shop", &due)]);
    notified(
        &world,
        &(address("ping", &ping) + &address("webhook", &webhook)),
    );
    // The second window is refused.
    let refused = Fault::Status {
        http: 404,
        error_code: "300".to_owned(),
        message: "Not Found Exception".to_owned(),
        retry_after: None,
    };
    world
        .service
        .set_faults(FaultPlan::steps([None, Some(refused)]));
    let ran = world.once().exits(1);
    assert!(!ran.stderr.contains(SECRET), "{ran:#?}");
    assert_eq!(ping.pings(), ["/start", "/fail"]);
    let reason = &ping.got()[1];
    assert_eq!(reason.method, "POST");
    assert!(reason.body.contains("failing: shop"), "{reason:?}");
    let events = webhook.events();
    let of_ledger = world.all_ledger_lines("shop");
    let archive = fs::read_to_string(world.root().join("_archive/archive.json")).unwrap();
    let archive: Value = serde_json::from_str(&archive).unwrap();
    let mut told = events.iter();
    for line in of_ledger.iter().filter(|line| line["event"] != "job") {
        let event = told.next().unwrap();
        for field in ["event", "from_ms", "to_ms"] {
            assert_eq!(event[field], line[field], "{field} of {event}");
        }
        let id = format!(
            "{}/shop/{}-{}/{}",
            archive["id"].as_str().unwrap(),
            line["seq"],
            line["from_ms"],
            line["event"].as_str().unwrap()
        );
        assert_eq!(event["id"], id);
        assert_eq!(
            (&event["job"], &event["schema"]),
            (&"shop".into(), &1.into())
        );
        assert!(
            event["from"].as_str().unwrap().ends_with("+09:00"),
            "{event}"
        );
        assert!(event["at"].as_str().unwrap().ends_with('Z'), "{event}");
        if line["event"] == "archived" {
            for field in ["status", "records", "bytes", "folder", "manifest_sha256"] {
                assert_eq!(event[field], line[field], "{field} of {event}");
            }
        } else {
            assert!(event["message"].as_str().is_some(), "{event}");
        }
    }
    assert_eq!(told.next(), None);
    let got = &webhook.got()[0];
    assert_eq!(got.method, "POST");
    assert!(
        got.head
            .to_lowercase()
            .contains("content-type: application/json")
    );

    world.once().exits(0);
    assert_eq!(ping.pings()[2..], ["/start", ""]);
    let events = webhook.events();
    assert_eq!(
        names(&events[events.len() - 2..]),
        ["archived", "caught_up"]
    );
    // Nothing is due: the switch hears it all the same.
    world.once().exits(0);
    assert_eq!(ping.pings()[4..], [""]);
    assert_eq!(webhook.events().len(), events.len());
    // A span by hand says nothing of what the schedule would.
    let (from, to) = (due.since().to_string(), due.whole().to().to_string());
    let args = ["backfill", "--job", "shop", "--from", &from, "--to", &to];
    world.run(&args).exits(0);
    assert_eq!(ping.pings().len(), 5);
}

/// Guarantee: Isolated
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_redirects_or_knows_nothing_delays_no_window() {
    let due = Due::hours(30);
    let elsewhere = Receiver::well();
    let to = elsewhere.url();
    let redirect = move |_| Answer::Status(302, format!("Location: {to}\r\n"));
    let receivers = [
        (Receiver::answering(|_| Answer::Hang), "dropped="),
        (
            Receiver::answering(|_| Answer::Status(404, String::new())),
            "answered 404; nobody knows that address there",
        ),
        (
            Receiver::answering(redirect),
            "answered 302, a redirection, which is not followed",
        ),
    ];
    for (receiver, told) in &receivers {
        let world = World::of([due.project("shop")]).await;
        world.configure(&[Job::new("shop", &due)]);
        let hangs = program(&world, "sleep 1000");
        let all = address("ping", receiver) + &address("webhook", receiver) + &hangs;
        notified(&world, &all);
        let daemon = world.spawn(&["run"]);
        until("all is archived", || {
            world.folders("shop").len() == due.windows.len()
        });
        until("somebody was told", || !receiver.got().is_empty());
        let log = ends(daemon);
        assert!(
            log.contains(told) && log.contains("the program ends"),
            "{log}"
        );
        world.assert_archived("shop", &due.windows);
    }
    assert!(elsewhere.got().is_empty(), "a redirection was followed");
}

/// Guarantee: Candid
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_recovers_is_told_in_the_same_order_what_it_missed() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let webhook = Receiver::answering(|number| match number {
        0 => Answer::Status(500, String::new()),
        1 => Answer::Garbage,
        2 => Answer::Status(429, "Retry-After: 1\r\n".to_owned()),
        3 => Answer::Close,
        _ => Answer::Status(204, String::new()),
    });
    world.configure(&[Job::new("shop", &due)]);
    notified(&world, &address("webhook", &webhook));
    world.once().exits(0);
    let events = webhook.events();
    let (tries, rest) = events.split_at(5);
    // The same one, which its id tells.
    assert!(tries.iter().all(|event| event["id"] == tries[0]["id"]));
    assert_eq!(names(rest), ["archived", "archived", "caught_up"]);
}

/// Guarantee: Suspicious
/// Guarantee: Ordered
#[tokio::test(flavor = "multi_thread")]
async fn a_program_learns_of_each_folder_in_order_and_of_no_key() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    let (environment, seen) = (world.path("environment"), world.path("seen"));
    let script = format!(
        "env >> {environment:?}\ntest \"$1\" = 'one word' || exit 7\ntest -f \"$ELSA_ARCHIVER_MANIFEST\" || exit 8\n\
         test -z \"$(cat)\" || exit 9\ncd \"$ELSA_ARCHIVER_FOLDER\" && sha256sum -c --quiet SHA256SUMS || exit 10\n\
         echo \"$ELSA_ARCHIVER_JOB $ELSA_ARCHIVER_FOLDER $ELSA_ARCHIVER_FROM $ELSA_ARCHIVER_TO\" >> {seen:?}"
    );
    world.configure(&[Job::new("shop", &due)]);
    let line = program(&world, &script);
    notified(&world, &line);
    let secret = PathBuf::from("CANARYVARIABLE");
    let variables = [
        ("NCLOUD_ACCESS_KEY", secret.as_path()),
        ("NCLOUD_SECRET_KEY", &secret),
        ("CREDENTIALS_DIRECTORY", &secret),
        ("ANOTHER_SECRET", &secret),
        ("NOTIFY_SOCKET", Path::new("")),
        ("TZ", Path::new("Asia/Seoul")),
    ];
    world.spawn_with(&["once"], &variables).wait().exits(0);
    let folders = world.folders("shop");
    let expected: Vec<String> = folders
        .iter()
        .map(|folder| {
            let window = &folder.manifest["window"];
            let (from, to) = (window["from"].as_str(), window["to"].as_str());
            let path = folder.path.display();
            format!("shop {path} {} {}", from.unwrap(), to.unwrap())
        })
        .collect();
    assert_eq!(lines(&seen), expected);
    let environment = fs::read_to_string(environment).unwrap();
    assert!(!environment.contains("CANARY"), "{environment}");
    // What the shell itself adds apart.
    let known = [
        "PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_", "FOLDER", "JOB", "MANIFEST",
        "FROM", "TO",
    ];
    for line in environment.lines() {
        let (name, _) = line.split_once('=').unwrap();
        let name = name.trim_start_matches("ELSA_ARCHIVER_");
        assert!(known.contains(&name), "{line}");
    }
    assert!(environment.contains("TZ=Asia/Seoul"), "{environment}");
}

/// Guarantee: Isolated
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_is_tried_again_and_one_that_floods_or_is_missing_is_told() {
    let due = Due::hours(2);
    let run = |webhook: &Receiver, line: &dyn Fn(&World) -> String| {
        let due = due.clone();
        let url = address("webhook", webhook);
        let project = due.project("shop");
        let world = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(World::of([project]))
        });
        world.configure(&[Job::new("shop", &due)]);
        let line = line(&world);
        notified(&world, &(url + &line));
        let ran = world.once().exits(0);
        world.assert_archived("shop", &due.windows);
        (world, ran)
    };
    // It fails once for each folder, then it does not.
    let webhook = Receiver::well();
    let (world, _) = run(&webhook, &|world| {
        let seen = world.path("seen");
        program(
            world,
            &format!(
                "echo \"$ELSA_ARCHIVER_FROM\" >> {seen:?}\ntest $(grep -c \"$ELSA_ARCHIVER_FROM\" {seen:?}) = 2"
            ),
        )
    });
    let seen = lines(&world.path("seen"));
    assert_eq!(seen.len(), 4);
    assert!(seen[0] == seen[1] && seen[1] < seen[2] && seen[2] == seen[3]);
    assert_eq!(
        names(&webhook.events()),
        ["archived", "archived", "caught_up"]
    );

    // It never succeeds.
    let webhook = Receiver::well();
    let (_, ran) = run(&webhook, &|world| {
        program(world, "echo \"what is$(printf '\\033')[2J wrong\"; exit 3")
    });
    ran.says("ended with exit status: 3")
        .says("on_archived says: what is\\u{1b}[2J wrong");
    let events = webhook.events();
    let failed: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "on_archived_failed")
        .collect();
    assert_eq!(failed.len(), 2, "{events:?}");
    assert!(failed[0]["folder"].as_str().unwrap().starts_with("shop/"));
    // What it prints is not for everybody.
    assert!(!failed[0]["message"].as_str().unwrap().contains("wrong"));

    // It floods.
    let (_, ran) = run(&Receiver::well(), &|world| {
        program(world, "yes 0123456789 | head -c 50000000; echo; echo last")
    });
    assert!(ran.stderr.len() < 50_000, "{}", ran.stderr.len());
    ran.says("on_archived says: last");

    // It is missing.
    let missing = "on_archived = [\"/none/such\"]";
    let (world, ran) = run(&Receiver::well(), &|_| missing.to_owned());
    ran.says("/none/such can't be run")
        .says("notify.on_archived: there is no such program");
    world
        .run(&["check"])
        .exits(0)
        .shows("notify.on_archived: there is no such program");
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_puts_other_receivers_in_force_and_those_before_learn_what_is_refused() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop"), due.project("pay")]).await;
    let [first, second] = [(); 2].map(|()| Receiver::well());
    world.configure(&[Job::new("shop", &due)]);
    notified(&world, &address("webhook", &first));
    let mut daemon = world.spawn(&["run"]);
    until("the first is told", || first.events().len() == 4);
    let right = world.config();
    world.write_config(&format!("{right}widow = 1\n"));
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is refused");
    until("it is told of it", || first.events().len() == 5);
    let event = first.events().pop().unwrap();
    assert_eq!(event["event"], "config_refused");
    assert!(
        event["message"].as_str().unwrap().contains("notify.widow"),
        "{event}"
    );

    // The address lies in a file that is not there yet.
    let kept = world.path("webhook-address");
    let other = right.replace(
        &address("webhook", &first),
        &format!("webhook = {{ file = {kept:?} }}\n"),
    );
    assert_ne!(other, right);
    world.write_config(&other);
    daemon.hang_up();
    daemon.wait_until_it_says("notify.webhook: can't read");
    until("it is told of that too", || first.events().len() == 6);
    fs::write(&kept, second.url()).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).unwrap();
    world.configure(&[Job::new("shop", &due), Job::new("pay", &due)]);
    notified(&world, &format!("webhook = {{ file = {kept:?} }}"));
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("the second is told", || second.events().len() == 4);
    assert!(second.events().iter().all(|event| event["job"] == "pay"));
    ends(daemon);
    assert_eq!(first.events().len(), 6);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_that_opens_is_told_once_and_the_switch_hears_no_success_meanwhile() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    let (ping, webhook) = (Receiver::well(), Receiver::well());
    let right = fs::read_to_string(world.path("keys/secret")).unwrap();
    world.set_secret_key("WRONGWRONGWRONGWRONGWRONGWRONGWRONGWRONG");
    world.configure(&[Job::new("shop", &due)]);
    notified(
        &world,
        &(address("ping", &ping) + &address("webhook", &webhook)),
    );
    let mut daemon = world.spawn(&["run"]);
    until("it is told", || {
        names(&webhook.events()).contains(&"circuit_open")
    });
    until("the switch hears it", || {
        ping.pings().contains(&"/fail".to_owned())
    });
    assert!(!ping.pings().contains(&String::new()), "{:?}", ping.pings());
    world.set_secret_key(&right);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("the switch hears of the end", || {
        ping.pings().last() == Some(&String::new())
    });
    ends(daemon);
    let events = webhook.events();
    let mut told = names(&events);
    // Before or after the windows that show it.
    let closed = told.iter().position(|name| *name == "circuit_closed");
    told.remove(closed.unwrap());
    assert!(closed.unwrap() > 1, "{told:?}");
    assert_eq!(
        told,
        [
            "failed",
            "circuit_open",
            "archived",
            "archived",
            "caught_up"
        ]
    );
}

/// Guarantee: Candid
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_wrong_and_tries_the_webhook_when_it_is_asked_to() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let plain = world.config();
    notified(
        &world,
        &format!(
            "ping = \"http://hc.example/{SECRET}\"\nwebhook = \"{SECRET}\"\non_archived = \"x\""
        ),
    );
    let ran = world.run(&["check"]).exits(2);
    assert!(!ran.stderr.contains(SECRET), "{ran:#?}");
    ran.says("notify.ping: http:// is accepted for loopback only")
        .says("notify.webhook: not an address")
        .says("notify.on_archived: must be an array");
    let (ping, webhook) = (Receiver::well(), Receiver::well());
    world.write_config(&plain);
    notified(
        &world,
        &(address("ping", &ping) + &address("webhook", &webhook)),
    );
    world.run(&["check"]).exits(0);
    assert!(webhook.got().is_empty());
    let ran = world.run(&["check", "--live"]).exits(0);
    assert!(!ran.stdout.contains(SECRET), "{ran:#?}");
    ran.shows("it got one that is called `test`");
    assert_eq!(names(&webhook.events()), ["test"]);
    assert!(ping.got().is_empty());
    let gone = Receiver::answering(|_| Answer::Status(410, String::new()));
    world.write_config(&plain);
    notified(&world, &address("webhook", &gone));
    world
        .run(&["check", "--live"])
        .exits(1)
        .shows("answered 410");
    // It archives all the same, also where the address can't be read.
    world.write_config(&plain);
    notified(&world, "ping = { credential = \"ping\" }");
    world
        .once()
        .exits(0)
        .says("notify.ping: no credential ping");
}

/// Guarantee: Ordered
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_a_kill_has_left_unrecorded_is_told_once_it_is_in_the_ledger() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.once().exits(0);
    // As if the last line had never been written, and so nothing that follows from it.
    let text = fs::read_to_string(world.ledger("shop")).unwrap();
    let whole = text.trim_end();
    let (before, last) = whole.split_at(whole.rfind('\n').unwrap() + 1);
    fs::write(world.ledger("shop"), before).unwrap();
    let state = world.ledger("shop").parent().unwrap().to_owned();
    for kept in fs::read_dir(state).unwrap() {
        let path = kept.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("shop.") && name != "shop.ledger.jsonl" {
            fs::remove_file(path).unwrap();
        }
    }
    let webhook = Receiver::well();
    let seen = world.path("seen");
    let line = program(
        &world,
        &format!("echo \"$ELSA_ARCHIVER_FOLDER\" >> {seen:?}"),
    );
    notified(&world, &(address("webhook", &webhook) + &line));
    world.once().exits(0).says("adopted a folder");
    let last: Value = serde_json::from_str(last).unwrap();
    let events = webhook.events();
    assert_eq!(names(&events), ["archived"]);
    assert_eq!(events[0]["folder"], last["folder"]);
    let folder = world.root().join(last["folder"].as_str().unwrap());
    assert_eq!(lines(&seen), [folder.display().to_string()]);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_notices_is_counted_for_prometheus() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let config = world.config();
    world.write_config(&format!("{config}\n[observe]\nlisten = \"127.0.0.1:0\"\n"));
    let (ping, webhook) = (
        Receiver::well(),
        Receiver::answering(|number| {
            Answer::Status(if number == 1 { 410 } else { 200 }, String::new())
        }),
    );
    notified(
        &world,
        &(address("ping", &ping) + &address("webhook", &webhook)),
    );
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("metrics are at /metrics");
    let log = daemon.log();
    let address = log.split("address=").nth(1).unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();
    let scrape = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let line = |receiver: &str, outcome: &str, number: u64| {
        format!(
            "elsa_archiver_notifications_total{{receiver={receiver:?},outcome={outcome:?}}} {number}"
        )
    };
    until("all is told", || {
        let text = scrape();
        text.contains(&line("webhook", "delivered", 3))
            && text.contains(&line("webhook", "failed", 1))
    });
    let text = scrape();
    assert!(text.contains(&line("ping", "dropped", 0)), "{text}");
    assert!(!text.contains("on_archived"), "{text}");
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .spawn();
    match promtool {
        Err(error) => left_out("what promtool says", format!("promtool: {error}")),
        Ok(mut child) => {
            let mut input = child.stdin.take().unwrap();
            input.write_all(text.as_bytes()).unwrap();
            drop(input);
            assert!(child.wait().unwrap().success());
        }
    }
    ends(daemon);
}
