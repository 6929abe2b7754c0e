//! A soak: the daemon archives while a third of the answers is spoilt, and is killed at random
//! moments, again and again, while a collector watches the tree. At the end the archive is the
//! truth. Carries *Complete*, *Exactly once*, *Atomic* and *Self-healing*, all at once.
//!
//! It is a few seconds long, or `SOAK_MINUTES`; `SOAK_SEED` has the same chances once more (but
//! not the same course: that is up to the machine). How it went comes with `--nocapture`.
#![allow(unreachable_pub, reason = "a test program has no users")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the disk and the clock that it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that can't go on has failed, and a long one says how it goes"
)]

#[path = "soak/collector.rs"]
mod collector;
#[path = "soak/dice.rs"]
mod dice;
mod harness;
#[path = "soak/service.rs"]
mod service;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use elsa_archiver::digest::Digest;
use elsa_archiver::domain::span::{Span, UtcMs};
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{Entry, Fault, FaultPlan, Settings};
use serde_json::Value;

use collector::Collector;
use dice::Dice;
use harness::{Folder, Ran, World, project_key};
use service::{Load, Size, dialect, faults, loads};

/// Far beyond the time at which any log can be found.
const EVERYTHING: UtcMs = UtcMs(1 << 45);

/// How often the short soak stops the daemon, one time in four in good order.
const SHORT_ROUNDS: u64 = 4;

/// How often everything may have to be asked for once nothing is spoilt any more.
const MOST_ASKS: u32 = 3;

/// How the daemon came to its ends.
#[derive(Default)]
struct Ends {
    killed: u64,
    terminated: u64,
    /// The longest that it took to end in good order.
    slowest: Duration,
    violations: Vec<String>,
}

/// Guarantee: Complete
/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn soaked_in_faults_and_kills_the_archive_ends_up_as_the_truth() {
    let minutes: Option<i64> = env::var("SOAK_MINUTES").ok().map(|m| m.parse().unwrap());
    let seed = env::var("SOAK_SEED").map_or_else(|_| any_seed(), |seed| seed.parse().unwrap());
    eprintln!("SOAK_SEED={seed}");
    let mut dice = Dice::new(seed);
    let size = match minutes {
        Some(minutes) => Size {
            backlog: 24 * 60,
            dense_backlog: 6 * 60,
            future: minutes,
            late_ms: 30_000,
        },
        None => Size {
            backlog: 6,
            dense_backlog: 3,
            future: 5,
            late_ms: 1 << 40,
        },
    };
    let dialect = dialect(&mut dice);
    eprintln!("{dialect:?}");
    let loads = loads(size, &dialect, &mut dice);
    let world = World::start(Settings {
        projects: loads.iter().map(|load| load.project.clone()).collect(),
        dialect,
        ..Settings::default()
    })
    .await;
    world.configure(
        &loads
            .iter()
            .map(|load| load.job.clone())
            .collect::<Vec<_>>(),
    );
    world.at_once(4);
    if minutes.is_none() {
        archive_without_late_logs(&world, loads.last().unwrap());
    }

    let third = FaultPlan::random(dice.next(), 1.0 / 3.0, faults());
    world.service.set_faults(third);
    let collector = Collector::start(world.root(), world.path("collected"), dice.next());
    let begun = Instant::now();
    let mut ends = stop_again_and_again(&world, minutes, &mut dice);
    let lasted = begun.elapsed();
    let journal = world.service.journal();
    let archived = loads.iter().map(|load| world.folders(load.name).len());
    let archived: Vec<usize> = archived.collect();

    world.service.set_faults(FaultPlan::none());
    let asks = (1..=MOST_ASKS).find(|_| world.once().code == Some(0));
    assert!(
        asks.is_some(),
        "not everything could be had: {:#?}",
        world.once()
    );
    let collected = collector.finish();
    ends.violations.extend(collected.violations);
    let mut totals = Totals::default();
    for load in &loads {
        ends.violations.extend(totals.add(&world, load));
    }
    assert!(world.staged().is_empty(), "{:?}", world.staged());
    world.run(&["verify"]).exits(0);
    let copy = world.path("collected").display().to_string();
    world.run(&["verify", &copy]).exits(0);

    eprintln!(
        "\nsoaked for {:.1} min, killed {}, terminated {} (at most {:.1} s), restarted {}\n\
         {} windows, {} records, {} revisions; {archived:?} folders of the jobs were there when \
         the faults ceased, everything was had after {} further `once`\n\
         collector: {} folders seen and copied, {} walks, {} folders read again\n{}",
        lasted.as_secs_f64() / 60.0,
        ends.killed,
        ends.terminated,
        ends.slowest.as_secs_f64(),
        ends.killed + ends.terminated - 1,
        totals.windows,
        totals.records,
        totals.revisions,
        asks.unwrap(),
        collected.folders,
        collected.walks,
        collected.read_again,
        table_of_spoilt(&journal),
    );
    eprintln!("violations: {}", ends.violations.len());
    assert!(ends.violations.is_empty(), "{:#?}", ends.violations);
    assert_eq!(collected.folders, totals.windows + totals.revisions);
    if minutes.is_none() {
        assert!(totals.revisions > 0, "no log came late");
    } else {
        // Or a long one would show nothing.
        assert!(ends.killed > 0);
        assert!(spoilt(&journal).count() * 4 > journal.len());
        assert!(archived.iter().all(|&folders| folders > 0), "{archived:?}");
    }
}

fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// Archives windows of which the rechecks are due at once, so that nobody has to wait for them.
fn archive_without_late_logs(world: &World, load: &Load) {
    let due = &load.due;
    let (from, to) = (due.since().to_string(), due.windows[15].to().to_string());
    let backfill = ["backfill", "--job", load.name, "--from", &from, "--to", &to];
    world.run(&backfill).exits(0);
    world.make_ledger_older(load.name, due);
    world.service.set_visible_at(Some(EVERYTHING));
    world.service.clear_journal();
}

/// Starts the daemon and stops it, until the time or the rounds are over.
fn stop_again_and_again(world: &World, minutes: Option<i64>, dice: &mut Dice) -> Ends {
    let mut ends = Ends::default();
    let until = minutes.map(|m| Instant::now() + Duration::from_secs(60 * m.cast_unsigned()));
    let mut said = Instant::now();
    loop {
        let round = ends.killed + ends.terminated;
        if until.map_or(round == SHORT_ROUNDS, |until| Instant::now() >= until) {
            return ends;
        }
        let mut daemon = world.spawn(&["run"]);
        let in_good_order = round % 4 == 3;
        if in_good_order {
            // Before that it does not listen for signals yet.
            daemon.wait_until_it_says("running");
        }
        let longest_ms = minutes.map_or(1_000, |_| 20_000);
        thread::sleep(Duration::from_millis(200 + dice.below(longest_ms - 200)));
        let (ran, code) = if in_good_order {
            let told = Instant::now();
            daemon.terminate();
            let ran = daemon.wait();
            ends.slowest = ends.slowest.max(told.elapsed());
            ends.terminated += 1;
            (ran, Some(0))
        } else {
            ends.killed += 1;
            (daemon.kill(), None)
        };
        if ran.code != code || !is_calm(&ran) {
            eprintln!("VIOLATION {ran:#?}");
            ends.violations.push(format!("round {round}: {ran:?}"));
        }
        if minutes.is_some() && said.elapsed() > Duration::from_secs(60) {
            said = Instant::now();
            let (requests, rounds) = (world.service.journal().len(), round + 1);
            eprintln!("{rounds} rounds, {requests} requests");
        }
    }
}

/// Whether a log says nothing that neither a fault nor a kill excuses.
fn is_calm(ran: &Ran) -> bool {
    let inexcusable = [
        "panicked",
        "within itself",
        "in the way",
        "rebuild",
        "truncated",
    ];
    !inexcusable.iter().any(|word| ran.stderr.contains(word))
}

/// What is in the archive at the end.
#[derive(Default)]
struct Totals {
    windows: usize,
    records: usize,
    revisions: usize,
}

impl Totals {
    /// Counts a job, and hands out in what it is not what it has to be.
    fn add(&mut self, world: &World, load: &Load) -> Vec<String> {
        let mut violations = Vec::new();
        let project = world.service.project(&project_key(load.name)).unwrap();
        let mut newest: BTreeMap<Span, Folder> = BTreeMap::new();
        let mut superseded = Vec::new();
        // In order of their names where the window is the same, so the newest comes last.
        for folder in world.folders(load.name) {
            if folder.manifest["status"] != "complete" {
                violations.push(format!("{} is not complete", folder.name));
            }
            superseded.extend(newest.insert(folder.window, folder));
        }
        for folder in newest.values() {
            let records = folder.records();
            let expected = seqs_in(project, folder.window);
            let found = records.iter().map(|record| record.seq);
            let difference = Difference::between(expected, found);
            if !difference.is_none() {
                violations.push(format!("{}: {difference}", folder.name));
            }
            self.records += records.len();
        }
        for folder in &superseded {
            let found = folder.records().into_iter().map(|record| record.seq);
            let mut difference = Difference::between(seqs_in(project, folder.window), found);
            difference.missing.clear();
            if !difference.is_none() {
                violations.push(format!("{}: {difference}", folder.name));
            }
        }
        let mut reached = load.due.since();
        for window in newest.keys() {
            if window.from() != reached {
                violations.push(format!("{}: from {reached} to {window}", load.name));
            }
            reached = window.to();
        }
        if reached < load.due.whole().to() {
            violations.push(format!("{}: nothing from {reached} on", load.name));
        }
        if !is_chained(&fs::read(world.ledger(load.name)).unwrap()) {
            violations.push(format!("{}: the ledger's chain is broken", load.name));
        }
        self.windows += newest.len();
        self.revisions += superseded.len();
        violations
    }
}

/// Whether each line of a ledger is a whole one, and names the one before.
fn is_chained(ledger: &[u8]) -> bool {
    let mut before = Value::Null;
    ledger.ends_with(b"\n")
        && ledger.trim_ascii_end().split(|&b| b == b'\n').all(|line| {
            let fields: Value = serde_json::from_slice(line).unwrap_or_default();
            let follows = fields["prev"] == before && fields.is_object();
            before = Digest::of(line).to_string().into();
            follows
        })
}

/// What was done to answers.
fn spoilt(journal: &[Entry]) -> impl Iterator<Item = &Fault> {
    journal.iter().filter_map(|entry| entry.fault.as_ref())
}

/// How many requests there were, and what was spoilt of their answers.
fn table_of_spoilt(journal: &[Entry]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for fault in spoilt(journal) {
        let kind = match fault {
            Fault::Status { http, .. } => format!("Status {http}"),
            other => {
                let text = format!("{other:?}");
                let end = text.find(|letter: char| !letter.is_alphanumeric());
                text[..end.unwrap_or(text.len())].to_owned()
            }
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let requests = journal.len();
    let all: usize = kinds.values().sum();
    let mut table = format!("{requests} requests, {all} spoilt\n");
    for (kind, count) in kinds {
        table += &format!("  {kind:<20} {count:>6}\n");
    }
    table
}
