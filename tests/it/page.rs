//! The page of the real daemon, over real HTTP and in a real browser, and the same as a file. Carries *Candid*,
//! *Isolated* and *Suspicious*.

mod browser;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::harness::{Due, Job, World, until};
use crate::observe::{Answer, ask, ends, get, run, talk};
use browser::Browser;
use elsa_archiver::simulator::{Fault, FaultPlan};

const TAB: char = '\u{E004}';
const ENTER: char = '\u{E007}';

/// What the service says of the window that it refuses.
const REFUSAL: &str = "Bad <b>Request</b> & more";

/// A world in which all but one window of `shop` are archived, and that one is refused; no request is answered any more.
async fn with_a_gap(jobs: &[&str]) -> World {
    let due = Due::hours(30);
    let world = World::of(jobs.iter().map(|job| due.project(job))).await;
    let jobs = jobs
        .iter()
        .map(|job| Job::new(job, &due).with("retention", "\"20d\""));
    let refused = Fault::Status {
        http: 400,
        error_code: "100".into(),
        message: REFUSAL.into(),
        retry_after: None,
    };
    let mut steps = vec![None; 20];
    steps.push(Some(refused));
    let plan = FaultPlan::steps(steps);
    world
        .service
        .set_faults(plan.only_for(&crate::harness::project_key("shop")));
    world.configure(&jobs.collect::<Vec<_>>());
    world.once().exits(1);
    assert_eq!(gaps(&world).len(), 1);
    world
        .service
        .set_faults(FaultPlan::always(Fault::StallBeforeHeaders));
    world
}

/// The gaps of `shop`: where each begins, milliseconds.
fn gaps(world: &World) -> Vec<i64> {
    let status = world.status("shop");
    let gaps = status["gaps"].as_array().unwrap().iter();
    gaps.map(|gap| gap["from_ms"].as_i64().unwrap()).collect()
}

/// The address of the page of an hour's day, and of the hour, as the archive's zone names them.
fn addresses(from_ms: i64) -> (String, String) {
    let at = |ms: i64| {
        let instant = jiff::Timestamp::from_millisecond(ms).unwrap();
        instant.in_tz("Asia/Seoul").unwrap()
    };
    let stamp = |ms: i64| at(ms).strftime("%Y%m%dT%H%M%S%z").to_string();
    let day = format!("/jobs/shop/{}", at(from_ms).date());
    let window = format!("{day}/{}--{}", stamp(from_ms), stamp(from_ms + 3_600_000));
    (day, window)
}

fn get_in(to: SocketAddr, path: &str, languages: &str) -> Answer {
    let text = talk(
        to,
        &format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nAccept-Language: {languages}\r\n\r\n"),
    );
    Answer::of(&text)
}

/// What stands in the page's attribute.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    let rest = html.split(begin.as_str()).skip(1);
    rest.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn in_a_browser_a_gap_opens_to_its_window_by_a_click_and_by_the_keyboard() {
    let world = with_a_gap(&["shop"]).await;
    let (day, window) = addresses(gaps(&world)[0]);
    let (daemon, to) = run(&world, "");
    let Some(browser) = Browser::start("en-US") else {
        return ends(daemon);
    };
    let here = format!("http://{to}");
    let gap = "//td/a[contains(@class, 'gap')]";

    browser.open(&format!("{here}/"));
    assert_eq!(browser.attribute(&browser.find("/html"), "lang"), "en");
    let cell = browser.find(gap);
    let (role, name) = browser.said(&cell);
    assert_eq!(role, "link");
    assert!(
        name.contains(": gap, 1 of ") && name.ends_with(" is due"),
        "{name}"
    );
    assert_eq!(browser.text(&cell), "G");
    browser.click(&cell);
    browser.until_at(&day);
    let (seen, name) = (browser.screenshot(), window.rsplit('/').next().unwrap());
    let link = browser.find("//tr[.//span[contains(@class, 'gap')]]//a");
    assert!(browser.attribute(&link, "href").ends_with(name));
    browser.click(&link);
    browser.until_at(&window);
    let text = browser.text(&browser.find("//main"));
    assert!(text.contains("gap") && text.contains(REFUSAL), "{text}");
    assert_eq!(browser.all("//main//b").len(), 0);

    // From one that is archived to its manifest.
    browser.open(&format!("{here}{day}"));
    browser.click(&browser.find("//tr[.//span[contains(@class, 'complete')]]//a"));
    browser.until_at_any("--");
    let text = browser.text(&browser.find("//main"));
    assert!(
        text.contains("the manifest that the ledger has recorded"),
        "{text}"
    );
    assert!(text.contains("part-0001/"), "{text}");

    // By keyboard alone.
    browser.open(&format!("{here}/"));
    browser.press(TAB);
    assert_eq!(browser.text(&browser.active()), "Skip to the content");
    browser.press(ENTER);
    browser.until_at("#content");
    browser.open(&format!("{here}/"));
    let is_at_gap = || {
        let class = browser.attribute(&browser.active(), "class");
        class.contains("cell") && class.contains("gap")
    };
    let tabs = (0..40).take_while(|_| {
        browser.press(TAB);
        !is_at_gap()
    });
    assert!(tabs.count() < 40, "Tab does not reach the gap");
    browser.press(ENTER);
    browser.until_at(&day);

    // Without script it is the same.
    browser.command(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    browser.open(&format!("{here}{day}"));
    assert!(
        browser.screenshot() == seen,
        "without script it looks otherwise"
    );

    // At the width of a telephone nothing is wider than the page.
    let telephone = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
    browser.command("Emulation.setDeviceMetricsOverride", &telephone);
    for path in ["/", &day, &window] {
        browser.open(&format!("{here}{path}"));
        // It is laid out anew when the browser has read how wide it is to be.
        until(&format!("{path} is as wide as the telephone"), || {
            let layout = browser.command("Page.getLayoutMetrics", &json!({}));
            layout["cssContentSize"]["width"] == 390
        });
    }

    // Nothing was refused by the policy, and nothing was asked of anybody else.
    assert_eq!(browser.log("browser"), [""; 0]);
    let ours = format!("{here}/");
    let mut number = 0;
    for message in browser.log("performance") {
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        let message = &message["message"];
        if message["method"] != "Network.requestWillBeSent" {
            continue;
        }
        let of = |url: &serde_json::Value| url.as_str().unwrap().to_owned();
        let url = of(&message["params"]["request"]["url"]);
        // The browser's own first page asks the browser itself.
        let is_of_a_page = of(&message["params"]["documentURL"]).starts_with(&ours);
        if is_of_a_page || url.starts_with("http") {
            assert!(url.starts_with(&ours), "{url}");
            number += 1;
        }
    }
    assert!(number >= 9, "{number} requests are logged");
    drop(browser);

    let browser = Browser::start("ko-KR").unwrap();
    browser.open(&format!("{here}/"));
    assert_eq!(browser.attribute(&browser.find("/html"), "lang"), "ko");
    let (_, name) = browser.said(&browser.find(gap));
    assert!(name.contains("누락"), "{name}");
    assert_eq!(browser.log("browser"), [""; 0]);
    ends(daemon);
}

/// Guarantee: Suspicious
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_page_loads_nothing_and_shows_no_more_than_is_known() {
    let world = with_a_gap(&["shop"]).await;
    let (day, window) = addresses(gaps(&world)[0]);
    let (daemon, to) = run(&world, "");
    for path in ["/", &day, &window, "/jobs/none/2026-01-01"] {
        let answer = get(to, path);
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
            "referrer-policy: no-referrer\r\n",
            "x-content-type-options: nosniff\r\n",
            "cache-control: no-store\r\n",
            "content-type: text/html; charset=utf-8\r\n",
            "vary: accept-language\r\n",
        ] {
            assert!(answer.head.contains(header), "{header} in {}", answer.head);
        }
        let html = &answer.body;
        for wrong in [
            "<script", " src=", " style=", "http://", "https://", " onclick", "@import", "url(",
        ] {
            let found = html
                .find(wrong)
                .map(|at| &html[at..(at + 60).min(html.len())]);
            assert_eq!(found, None, "{path}");
        }
        assert_eq!(html.matches("<style").count(), 1);
    }
    let shown = get(to, &window).body;
    assert!(
        shown.contains("Bad &lt;b&gt;Request&lt;/b&gt; &amp; more"),
        "{shown}"
    );
    // Every link of the page leads somewhere.
    let all = get(to, "/").body;
    let links: BTreeSet<&str> = attributes(&all, "href").into_iter().collect();
    assert!(links.len() > 3);
    for link in links {
        match link.strip_prefix('#') {
            Some(place) => assert!(all.contains(&format!("id=\"{place}\"")), "{link}"),
            None => assert_eq!(get(to, link).status, 200, "{link}"),
        }
    }
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    for path in [
        "/jobs/shop/2020-01-01/20200101T000000+0900--20200101T010000+0900",
        "/jobs/shop/9999-01-01",
        "/jobs/none/2026-01-01",
        "/jobs/shop",
        "/jobs/shop/..",
        "/jobs/shop/../../etc/passwd",
        &format!("{day}/..%2f..%2fmanifest.json"),
        &format!("{day}/manifest.json"),
        &format!("{window}/manifest.json"),
        "/?until=yesterday",
        "/?x=%3Cscript%3E",
    ] {
        let answer = get(to, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("There is no such page"), "{path}");
    }
    assert_eq!(ask(to, "GET", "/", "evil.example").status, 421);
    assert_eq!(ask(to, "POST", &day, &to.to_string()).status, 405);
    let head = ask(to, "HEAD", &day, &to.to_string());
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // A manifest that is not what was recorded, or is none.
    let (other, manifest) = an_archived_one(&world, to);
    let changed = fs::read_to_string(&manifest)
        .unwrap()
        .replace("\"attempts\": 1", "\"attempts\": 2");
    fs::write(&manifest, changed).unwrap();
    assert!(get(to, &other).body.contains("IT IS NOT the manifest"));
    fs::remove_file(&manifest).unwrap();
    symlink("/etc/passwd", &manifest).unwrap();
    let led_away = get(to, &other);
    assert!(
        led_away.body.contains("it is no plain file"),
        "{}",
        led_away.body
    );
    assert!(!led_away.body.contains("root:"));
    fs::remove_file(&manifest).unwrap();
    assert!(get(to, &other).body.contains("No such file"));
    // The year before, and what a browser prefers.
    assert_eq!(get(to, "/?until=2020-02-29").status, 200);
    for (languages, tag) in [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en,ko;q=0.5", "en"),
        ("de", "en"),
    ] {
        let answer = get_in(to, "/", languages);
        assert!(
            answer.body.contains(&format!("<html lang=\"{tag}\">")),
            "{languages}"
        );
        assert!(
            answer
                .head
                .contains(&format!("content-language: {tag}\r\n"))
        );
    }
    ends(daemon);
}

/// The page of a window that is archived, and its manifest.
fn an_archived_one(world: &World, to: SocketAddr) -> (String, std::path::PathBuf) {
    let lines = world.ledger_lines("shop");
    let line = lines
        .iter()
        .find(|line| line["event"] == "archived")
        .unwrap();
    let folder = line["folder"].as_str().unwrap();
    let path = format!("/jobs/{folder}");
    assert!(get(to, &path).body.contains("it is the manifest"));
    (path, world.root().join(folder).join("manifest.json"))
}

/// Guarantee: Candid
/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_can_t_run_is_there_with_its_reason_and_the_others_as_ever() {
    let world = with_a_gap(&["shop", "torn"]).await;
    fs::write(world.ledger("torn"), "no line of a ledger\n").unwrap();
    let (daemon, to) = run(&world, "");
    let page = get(to, "/");
    assert_eq!(page.status, 200);
    let (shop, torn) = page.body.split_once("<h2 id=\"job.torn\"").unwrap();
    assert!(shop.contains("class=\"cell gap\""));
    assert!(torn.contains("is damaged: line 1"), "{torn}");
    let (day, _) = addresses(gaps(&world)[0]);
    let day = get(to, &day.replace("/shop/", "/torn/"));
    assert_eq!(day.status, 500);
    assert!(day.body.contains("is damaged: line 1"), "{}", day.body);
    ends(daemon);
}

/// Guarantee: Isolated
/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_nobody_fetches_hold_no_window_up_and_what_is_archived_shows_at_once() {
    let due = Due::hours(3);
    let world = World::of([due.project("shop")]).await;
    world
        .service
        .set_faults(FaultPlan::always(Fault::StallBeforeHeaders));
    world.configure(&[Job::new("shop", &due)]);
    let (daemon, to) = run(&world, "");
    let cells = |state: &str| {
        get(to, "/")
            .body
            .matches(&format!("class=\"cell {state}\""))
            .count()
    };
    until("the windows are late", || cells("late") > 0);
    ends(daemon);
    world.service.set_faults(FaultPlan::none());
    let (daemon, to) = {
        let mut daemon = world.spawn(&["run"]);
        daemon.wait_until_it_says("metrics are at /metrics");
        let to = crate::observe::address(&daemon);
        (daemon, to)
    };
    // They ask, and read nothing.
    let asked: Vec<std::net::TcpStream> = (0..6)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(to).unwrap();
            let request = format!("GET / HTTP/1.1\r\nHost: {to}\r\n\r\n");
            std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
            stream
        })
        .collect();
    until("all is archived", || world.folders("shop").len() == 3);
    drop(asked);
    until("the page shows it", || {
        let page = get(to, "/").body;
        !page.contains("class=\"cell late\"") && page.contains("class=\"cell pending\"")
    });
    ends(daemon);
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_the_page_as_one_file() {
    let world = with_a_gap(&["shop", "torn"]).await;
    fs::write(world.ledger("torn"), "no line of a ledger\n").unwrap();
    let file = world.path("coverage.html");
    let name = file.to_str().unwrap();
    fs::write(&file, "an older one").unwrap();
    world.run(&["report", "--html", name]).exits(0).shows(name);
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">") && html.ends_with("</html>"));
    assert!(html.contains(
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"
    ));
    for link in attributes(&html, "href") {
        let place = link
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{link} leads away"));
        assert!(html.contains(&format!("id=\"{place}\"")), "{link}");
    }
    let (day, _) = addresses(gaps(&world)[0]);
    let date = day.rsplit('/').next().unwrap();
    let place = html
        .split(&format!("<h3 id=\"day.shop.{date}\""))
        .nth(1)
        .unwrap();
    assert!(
        place
            .split("</section>")
            .next()
            .unwrap()
            .contains("class=\"mark gap\"")
    );
    assert!(html.contains("is damaged: line 1"));
    assert!(html.contains("Bad &lt;b&gt;Request&lt;/b&gt; &amp; more"));
    for line in world.ledger_lines("shop") {
        if let Some(folder) = line["folder"].as_str() {
            assert!(html.contains(folder), "{folder}");
        }
    }
    // No other file is left, and whoever asks in Korean is answered so.
    assert!(!Path::new(&format!("{name}.new")).exists());
    world
        .run(&["report", "--html", name, "--lang", "ko"])
        .exits(0);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("<html lang=\"ko\">")
    );
    let variables = [("LC_ALL", Path::new("ko_KR.UTF-8"))];
    world
        .spawn_with(&["report", "--html", name], &variables)
        .wait()
        .exits(0);
    assert!(fs::read_to_string(&file).unwrap().contains("누락"));
    let nowhere = world.path("none/coverage.html");
    let ran = world.run(&["report", "--html", nowhere.to_str().unwrap()]);
    ran.exits(1).says("can't write").says("No such file");
}
