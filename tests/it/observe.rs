//! Metrics and health of the real daemon over real HTTP: what is due, failing or hanging shows while it is so, and
//! nobody but who asks for this listener is answered. Carries *Candid*, *Isolated* and *Suspicious*.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{Due, Job, Running, World, left_out, until};
use elsa_archiver::simulator::{Fault, FaultPlan};

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Head in lower case, and body.
    pub fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase() + "\r\n",
            body: body.to_owned(),
        }
    }
}

/// Sends these bytes and reads until the other side closes, however it does.
pub fn talk(to: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let _ = stream.write_all(bytes.as_bytes());
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub fn ask(to: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    Answer::of(&talk(to, &request))
}

pub fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, &to.to_string())
}

/// The samples of a scrape, by what stands before the value.
fn scrape(to: SocketAddr) -> BTreeMap<String, f64> {
    let answer = get(to, "/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    samples(&answer.body)
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn of_shop(name: &str) -> String {
    format!("elsa_archiver_{name}{{archive_job=\"shop\"}}")
}

/// Adds a table `[observe]` with these lines to the config.
fn observed(world: &World, lines: &str) {
    let config = world.config();
    world.write_config(&format!("{config}\n[observe]\n{lines}\n"));
}

/// A daemon that listens on a port of its own, and where that is.
pub fn run(world: &World, lines: &str) -> (Running, SocketAddr) {
    observed(world, &format!("listen = \"127.0.0.1:0\"\n{lines}"));
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("metrics are at /metrics");
    let address = address(&daemon);
    (daemon, address)
}

/// Where a daemon says that it listens.
pub fn address(daemon: &Running) -> SocketAddr {
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("metrics are at"));
    let mut words = line.unwrap().split_whitespace();
    let address = words.find_map(|word| word.strip_prefix("address="));
    address.unwrap().parse().unwrap()
}

pub fn ends(daemon: Running) {
    daemon.terminate();
    daemon.wait().exits(0);
}

/// Runs promtool with this on its standard input; `None` where there is none.
fn promtool(args: &[&str], input: &str) -> Option<String> {
    let child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            left_out("what promtool says", format!("promtool: {error}"));
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {args:?}: {said}");
    Some(said.into_owned())
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_at_a_reload_shows_and_one_that_goes_does_not() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop"), due.project("pay")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (mut daemon, address) = run(&world, "");
    let running = |job: &str| format!("elsa_archiver_job_running{{archive_job=\"{job}\"}}");
    assert_eq!(scrape(address).get(&running("shop")), Some(&1.0));
    let [shop, pay] = ["shop", "pay"].map(|job| Job::new(job, &due));
    world.configure(&[shop.with("enabled", "false"), pay]);
    observed(&world, "listen = \"127.0.0.1:0\"");
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    until("the one that came is archived", || {
        world.folders("pay").len() == 1
    });
    let shown = scrape(address);
    assert_eq!(shown.get(&running("shop")), None);
    assert_eq!(shown.get(&running("pay")), Some(&1.0));
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn an_address_a_lag_and_a_file_change_at_a_reload_and_one_that_is_taken_is_refused() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    let plain = || world.configure(&[Job::new("shop", &due)]);
    plain();
    let (mut daemon, first) = run(&world, "");
    until("all is archived", || get(first, "/readyz").status == 200);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = world.path("elsa.prom");
    let lines = format!("listen = \"{address}\"\nmax_lag = \"1s\"\ntextfile = {file:?}");
    plain();
    observed(&world, &lines);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is refused");
    daemon.wait_until_it_says(&format!("can't listen on {address} (observe.listen)"));
    assert_eq!(get(first, "/readyz").status, 200);
    assert!(!file.exists());

    drop(taken);
    daemon.hang_up();
    daemon.wait_until_it_says("the configuration is in force");
    // Nothing is ever covered up to a second ago.
    until("the new lag counts at the new address", || {
        get(address, "/readyz").status == 503
    });
    until("the file is there", || file.exists());
    until("nobody listens at the old address", || {
        TcpStream::connect(first).is_err()
    });

    // The address stays, and whoever asks there is answered while the rest changes.
    let idle = TcpStream::connect(address).unwrap();
    plain();
    observed(&world, &format!("listen = \"{address}\""));
    daemon.hang_up();
    daemon.wait_until_it_has_said("the configuration is in force", 2);
    assert_eq!(get(address, "/readyz").status, 200);
    drop(idle);

    // Without the table nobody is answered any more.
    plain();
    daemon.hang_up();
    daemon.wait_until_it_has_said("the configuration is in force", 3);
    until("nobody listens", || TcpStream::connect(address).is_err());
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_has_archived_everything_says_so_to_whoever_asks() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (daemon, to) = run(&world, "max_lag = \"30d\"");
    until("all is archived", || {
        scrape(to)[&of_shop("due_windows")] == 0.0
    });
    world.assert_archived("shop", &due.windows);

    let found = scrape(to);
    let status = world.status("shop");
    let number = |field: &str| status[field].as_f64().unwrap();
    assert_eq!(found[&of_shop("records_total")], number("records"));
    assert_eq!(found[&of_shop("bytes_total")], number("bytes"));
    let until_ms = found[&of_shop("covered_until_timestamp_seconds")] * 1000.0;
    assert_eq!(until_ms, number("covered_until_ms"));
    assert_eq!(until_ms, due.whole().to().0 as f64);
    for gauge in [
        "lost_windows",
        "truncated_windows",
        "unproven_windows",
        "silent_windows",
    ] {
        assert_eq!(found[&of_shop(gauge)], 0.0, "{gauge}");
    }
    let by_none = "elsa_archiver_confirmed_windows{archive_job=\"shop\",by=\"none\"}";
    assert_eq!(found[by_none], 3.0);
    let asked = world.requests("shop").len() as f64;
    let answered = "elsa_archiver_requests_total{archive_job=\"shop\",outcome=\"answered\"}";
    assert_eq!(found[answered], asked);
    let count = "elsa_archiver_request_duration_seconds_count{archive_job=\"shop\"}";
    assert_eq!(found[count], asked);
    let of_account = |name: &str| found[&format!("elsa_archiver_{name}{{account=\"default\"}}")];
    assert_eq!(
        (of_account("requests_in_flight"), of_account("circuit_open")),
        (0.0, 0.0)
    );
    assert!(found[&of_shop("last_success_timestamp_seconds")] > 1.7e9);
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("elsa_archiver_build_info{{version=\"{version}\"}}");
    assert_eq!(found[&build], 1.0);
    until("it is known how much space is free", || {
        scrape(to)
            .get("elsa_archiver_free_bytes")
            .is_some_and(|&free| free > 0.0)
    });

    let metrics = get(to, "/metrics");
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(metrics.head.contains(kind), "{metrics:?}");
    if let Some(said) = promtool(&["check", "metrics"], &metrics.body) {
        assert_eq!(said, "");
    }
    for (path, says) in [("/healthz", "progress"), ("/readyz", "within max_lag")] {
        let answer = get(to, path);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains(says), "{answer:?}");
    }
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_falls_silent_shows_though_everything_is_archived() {
    let due = Due::hours(7 * 24 + 2);
    let mut logged = due.clone();
    logged.windows.truncate(7 * 24);
    let world = World::of([logged.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    world.at_once(8);
    let (daemon, to) = run(&world, "");
    until("all is archived", || {
        scrape(to)[&of_shop("due_windows")] == 0.0
    });
    assert_eq!(scrape(to)[&of_shop("silent_windows")], 2.0);
    ends(daemon);
    // So it does after a restart, which asks for nothing.
    world.service.clear_journal();
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("metrics are at /metrics");
    assert_eq!(scrape(address(&daemon))[&of_shop("silent_windows")], 2.0);
    assert_eq!(world.requests("shop").len(), 0);
    ends(daemon);
}

/// Guarantee: Suspicious
/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn only_who_asks_for_this_listener_and_only_to_read_is_answered() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let (daemon, to) = run(&world, "");
    let here = to.to_string();
    for (method, path, host, status) in [
        ("GET", "/metrics", here.as_str(), 200),
        ("GET", "/metrics", "localhost", 200),
        ("GET", "/metrics", "evil.example", 421),
        ("POST", "/metrics", "evil.example", 421),
        ("GET", "http://evil.example/metrics", "localhost", 421),
        ("POST", "/metrics", here.as_str(), 405),
        ("DELETE", "/", here.as_str(), 405),
        ("GET", "/", here.as_str(), 200),
        ("GET", "/", "evil.example", 421),
        ("GET", "/jobs/shop", here.as_str(), 404),
        ("GET", "/../etc/passwd", here.as_str(), 404),
    ] {
        let answer = ask(to, method, path, host);
        assert_eq!(
            answer.status, status,
            "{method} {path} at {host}: {answer:?}"
        );
        if status != 200 {
            assert!(!answer.body.contains("shop"), "{answer:?}");
        }
        assert!(answer.head.contains("connection: close"), "{answer:?}");
    }
    let refused = ask(to, "POST", "/metrics", &here);
    assert!(refused.head.contains("allow: get, head"), "{refused:?}");
    let head = ask(to, "HEAD", "/metrics", &here);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // One connection is one request.
    let twice = format!("GET /healthz HTTP/1.1\r\nHost: {here}\r\n\r\n").repeat(2);
    assert_eq!(talk(to, &twice).matches("HTTP/1.1").count(), 1);
    let nobody = talk(to, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(nobody.starts_with("HTTP/1.1 421"), "{nobody}");
    let garbage = talk(to, "\x16\x03\x01 what is no HTTP\r\n\r\n");
    assert!(
        !garbage.contains("shop") && !garbage.contains("200 OK"),
        "{garbage}"
    );
    let huge = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n", "x".repeat(20_000));
    assert!(!talk(to, &huge).contains("200 OK"));

    // Whoever sends nothing is in nobody's way for long.
    let idle: Vec<TcpStream> = (0..9).map(|_| TcpStream::connect(to).unwrap()).collect();
    assert_eq!(get(to, "/healthz").status, 200);
    drop(idle);
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_named_and_ends_the_start() {
    let due = Due::hours(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    observed(&world, &format!("listen = \"{address}\""));
    let ran = world.run(&["run"]).exits(1);
    let ran = ran.says(&format!("can't listen on {address} (observe.listen)"));
    ran.says("choose another port");
    assert_eq!(world.requests("shop").len(), 0);
    // What does not listen is not held up.
    world.once().exits(0);
    // A second instance is told what it is, not that the port is taken.
    world.configure(&[Job::new("shop", &due)]);
    let (daemon, to) = run(&world, "");
    world.configure(&[Job::new("shop", &due)]);
    observed(&world, &format!("listen = \"{to}\""));
    world.run(&["run"]).exits(3);
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_key_coverage_grows_old_and_the_job_is_not_ready() {
    let due = Due::hours(30);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due).with("retention", "\"32h\"")]);
    world.set_secret_key("WRONGWRONGWRONGWRONGWRONGWRONGWRONG0001");
    let (daemon, to) = run(&world, "max_lag = \"12h\"");
    let circuit = "elsa_archiver_circuit_open{account=\"default\"}";
    until("the circuit breaker is open", || {
        scrape(to)[circuit] == 1.0 && scrape(to)[&of_shop("job_failing")] == 1.0
    });
    let found = scrape(to);
    let refused = "elsa_archiver_requests_total{archive_job=\"shop\",outcome=\"wrong_key\"}";
    assert!(found[refused] >= 1.0);
    let since = due.since().0 as f64 / 1000.0;
    assert_eq!(found[&of_shop("covered_until_timestamp_seconds")], since);
    assert_eq!(found[&of_shop("max_lag_seconds")], 12.0 * 3600.0);
    assert_eq!(found[&of_shop("due_windows")], 30.0);
    let deadline = found[&of_shop("loss_deadline_timestamp_seconds")];
    assert_eq!(deadline, since + 32.0 * 3600.0);
    let ready = get(to, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("shop: covered until "), "{ready:?}");
    assert!(ready.body.contains("max_lag is 12 h\n"), "{ready:?}");
    assert_eq!(get(to, "/healthz").status, 200);
    ends(daemon);
}

/// Guarantee: Candid
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn while_the_service_hangs_what_is_due_shows_and_a_job_that_can_t_run_shows_too() {
    let due = Due::hours(5);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_faults(FaultPlan::always(Fault::StallBeforeHeaders));
    world.configure(&[Job::new("shop", &due), Job::new("broken", &due)]);
    fs::create_dir_all(world.path("state")).unwrap();
    fs::write(world.ledger("broken"), "no line of a ledger\n").unwrap();
    let (daemon, to) = run(&world, "max_lag = \"2h\"");
    let in_flight = "elsa_archiver_requests_in_flight{account=\"default\"}";
    until("a request hangs", || scrape(to)[in_flight] == 1.0);
    let found = scrape(to);
    assert_eq!(found[&of_shop("due_windows")], 5.0);
    assert_eq!(found[&of_shop("job_running")], 1.0);
    assert_eq!(
        found["elsa_archiver_job_running{archive_job=\"broken\"}"],
        0.0
    );
    assert!(!found.contains_key("elsa_archiver_due_windows{archive_job=\"broken\"}"));
    let ready = get(to, "/readyz");
    assert_eq!(ready.status, 503);
    let lines: Vec<&str> = ready.body.lines().collect();
    assert_eq!(lines[0], "broken: does not run; the log says why");
    assert!(lines[1].starts_with("shop: covered until "), "{ready:?}");
    // It waits for an answer no longer than deadlines allow.
    assert_eq!(get(to, "/healthz").status, 200);
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_node_exporter_is_whole_at_any_moment_and_needs_no_port() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let folder = world.path("collector");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("elsa.prom");
    observed(&world, &format!("textfile = {file:?}"));
    let daemon = world.spawn(&["run"]);
    until("it says that all is archived", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        samples(&text).get(&of_shop("due_windows")) == Some(&0.0)
    });
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    ends(daemon);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_told_once_and_holds_nothing_up() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    let file = world.path("nowhere/elsa.prom");
    observed(&world, &format!("textfile = {file:?}"));
    let mut daemon = world.spawn(&["run"]);
    daemon.wait_until_it_says("observe.textfile");
    until("all is archived", || world.folders("shop").len() == 2);
    fs::create_dir(world.path("nowhere")).unwrap();
    until("it is written once it can be", || file.exists());
    daemon.terminate();
    let ran = daemon.wait().exits(0);
    assert_eq!(
        ran.stderr.matches("observe.textfile").count(),
        1,
        "{ran:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_of_an_address_that_others_reach_and_of_a_lag_that_no_window_keeps() {
    let due = Due::days(1);
    let world = World::of([due.project("shop")]).await;
    world.configure(&[Job::new("shop", &due)]);
    observed(&world, "listen = \"0.0.0.0:9187\"");
    let checked = world.run(&["check"]).exits(0);
    let checked = checked.shows("observe.listen: whoever reaches 0.0.0.0:9187");
    checked.shows("observe.max_lag: the job shop is that far behind");
    let inside = world.root().join("elsa.prom");
    world.configure(&[Job::new("shop", &due)]);
    observed(&world, &format!("textfile = {inside:?}"));
    world
        .run(&["check"])
        .exits(2)
        .says("observe.textfile: it lies inside");
}

/// Guarantee: Candid
#[test]
fn the_alerts_that_are_shipped_hold_what_their_tests_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/prometheus");
    let rules = format!("{folder}/rules.yml");
    let tests = format!("{folder}/rules.test.yml");
    if let Some(said) = promtool(&["check", "rules", &rules], "") {
        assert!(said.contains("SUCCESS"), "{said}");
    }
    if let Some(said) = promtool(&["test", "rules", &tests], "") {
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

/// What a query may name of ours.
fn is_ours(word: &str) -> bool {
    let name = word.strip_prefix("elsa_archiver_");
    name.is_some_and(|name| !name.is_empty())
}

/// Names of metrics in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| is_ours(word))
}

/// Each expression of the dashboard is one that Prometheus reads. It and the alerts name nothing that the daemon does
/// not tell, and the page names all that it does.
#[test]
fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).unwrap()
    };
    let json: serde_json::Value =
        serde_json::from_str(&read("contrib/grafana/elsa-archiver.json")).unwrap();
    let mut expressions = Vec::new();
    expressions_in(&json, &mut expressions);
    assert!(expressions.len() > 10, "{expressions:?}");
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (at, expression) in expressions.iter().enumerate() {
        // What Grafana puts in.
        let expression = expression
            .replace("$__rate_interval", "5m")
            .replace("$__range", "1d")
            .replace("$job", "shop")
            .replace("$account", "default");
        rules += &format!("      - record: dashboard:{at}\n        expr: {expression:?}\n");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dashboard.yml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");

    let told = read("tests/it/snapshots/metrics.snap");
    let told: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert!(told.len() > 20, "{told:?}");
    let page = read("docs/operations.md");
    for family in &told {
        let name = family.strip_prefix("elsa_archiver_").unwrap();
        assert!(page.contains(&format!("`{name}`")), "no word of {family}");
    }
    for page in [
        "contrib/grafana/elsa-archiver.json",
        "contrib/prometheus/rules.yml",
    ] {
        for name in names(&read(page)) {
            let family = name
                .trim_end_matches("_bucket")
                .trim_end_matches("_sum")
                .trim_end_matches("_count");
            assert!(told.contains(&family), "{page} asks for {name}");
        }
    }
}

fn expressions_in(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value.as_str()) {
                    ("expr", Some(expression)) => found.push(expression.to_owned()),
                    _ => expressions_in(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| expressions_in(item, found));
        }
        _ => {}
    }
}
