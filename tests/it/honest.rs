//! *Confirmed* raises no false alarm: what an honest service answers, in whatever dialect, however
//! its search behaves and however late its logs come, ends `complete` at once.
//!
//! `HONEST_WINDOWS` says how many windows are archived in all, in worlds of 400 where there are
//! enough; `HONEST_SEED` which worlds.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{
    CsvLayout, Dialect, EmptyAnswer, Framing, JsonLayout, Newline, Order, Project, Search,
    SearchAccess, SearchForm, Settings, TimeStyle,
};
use fastrand::Rng;

use crate::harness::{Due, Job, PROJECT_ID, Ran, World, project_key, tell};

/// Windows of a run that is not told how many.
const WINDOWS: usize = 480;
/// The fewest worlds, so that each way to search is there.
const WORLDS: usize = 12;
/// Windows of a world, where there are enough.
const WINDOWS_OF_A_WORLD: usize = 400;
/// Worlds at once.
const AT_ONCE: usize = 4;

const MINUTE_MS: i64 = 60_000;
/// How long a window is left alone.
const SETTLE: Millis = Millis::from_hours(1);

/// So late that a log is found only once the service is told that it is the end of time.
const LATE: Millis = Millis(1 << 40);
const END_OF_TIME: UtcMs = UtcMs(1 << 45);

/// How late some logs come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// None does.
    None,
    /// Before their windows are asked for.
    InTime,
    /// All at one moment, while windows are asked for: the answers before and after it differ.
    Now,
}

/// An honest service, and what it is asked.
#[derive(Clone, Debug)]
struct Honest {
    number: usize,
    windows: usize,
    dialect: Dialect,
    search: Search,
    format: &'static str,
    limit: u32,
    late: Late,
}

/// Each choice about as often as any other, in no order.
fn deck<T: Clone>(rng: &mut Rng, worlds: usize, choices: &[T]) -> Vec<T> {
    let mut deck: Vec<T> = choices.iter().cycle().take(worlds).cloned().collect();
    rng.shuffle(&mut deck);
    deck
}

/// Every choice of everything that may differ is in one of them.
fn worlds(seed: u64, windows: usize) -> Vec<Honest> {
    let rng = &mut Rng::with_seed(seed);
    let count = (windows / WINDOWS_OF_A_WORLD).max(WORLDS);
    let rfc = |offset_seconds| TimeStyle::Rfc3339 { offset_seconds };
    let orders = [
        Order::Ascending,
        Order::Descending,
        Order::Shuffled { seed },
    ];
    let orders = deck(rng, count, &orders);
    let (array, lines) = (JsonLayout::Array, JsonLayout::Lines);
    let (one, pages) = (JsonLayout::Concatenated, JsonLayout::Pages);
    let (csv_whole, csv_pages) = (CsvLayout::Whole, CsvLayout::Pages);
    let layouts = [
        ("json", array, csv_whole),
        ("json", lines, csv_whole),
        ("json", one, csv_whole),
        ("json", pages, csv_whole),
        ("csv", array, csv_whole),
        ("csv", array, csv_pages),
    ];
    let layouts = deck(rng, count, &layouts);
    let empties = [
        EmptyAnswer::NoEntry,
        EmptyAnswer::EmptyFile,
        EmptyAnswer::EmptyList,
    ];
    let empties = deck(rng, count, &empties);
    let times = [TimeStyle::Number, TimeStyle::Decimal, rfc(0), rfc(32_400)];
    let times = deck(rng, count, &times);
    let permitted = SearchAccess::Permitted;
    let searches = [
        (permitted, SearchForm::Logs, false),
        (permitted, SearchForm::ResultList, false),
        (permitted, SearchForm::Hits, false),
        (permitted, SearchForm::Hits, true),
        (SearchAccess::Denied, SearchForm::Logs, false),
        (SearchAccess::Forbidden, SearchForm::Logs, false),
        (SearchAccess::NotFound, SearchForm::Logs, false),
    ];
    let searches = deck(rng, count, &searches);
    // Within `settle`, within the world, beyond it; and ahead of the download.
    let lags = [0, 30, 90, 6000, -30, -6000].map(Millis::from_mins);
    let lags = deck(rng, count, &lags);
    let lates = deck(rng, count, &[Late::None, Late::InTime, Late::Now]);
    let limits = deck(rng, count, &[10, 100, 1000]);
    (0..count)
        .map(|at| Honest {
            number: at,
            windows: windows / count,
            dialect: Dialect {
                order: orders[at],
                json: layouts[at].1,
                csv: layouts[at].2,
                newline: [Newline::Crlf, Newline::Lf][at % 2],
                empty: empties[at],
                time: times[at],
                framing: [Framing::ContentLength, Framing::Chunked][at / 2 % 2],
                ..Dialect::default()
            },
            search: Search {
                access: searches[at].0,
                form: searches[at].1,
                with_total: searches[at].2,
                lag: lags[at],
            },
            format: layouts[at].0,
            limit: limits[at],
            late: lates[at],
        })
        .collect()
}

/// What came of a world.
struct Came {
    windows: usize,
    empty: usize,
    disagreements: usize,
    by: [usize; 3],
    alarms: Vec<String>,
}

/// So many whole minutes, which have settled some seconds ago.
fn due(windows: usize) -> Due {
    let now = jiff::Timestamp::now().as_millisecond() - SETTLE.0 - MINUTE_MS / 2;
    let end = now - now.rem_euclid(MINUTE_MS);
    let minute = |at: i64| {
        let from = UtcMs(end - at * MINUTE_MS);
        Span::new(from, from.plus(Millis(MINUTE_MS))).unwrap()
    };
    Due {
        windows: (1..=windows as i64).rev().map(minute).collect(),
        window: "1m",
        settle_s: SETTLE.as_secs(),
    }
}

fn project(honest: &Honest, due: &Due, rng: &mut Rng) -> Project {
    let mut times = Vec::new();
    for window in &due.windows {
        // None, a few, pages, and more than are asked for again as a whole.
        let records = match rng.u8(0..20) {
            0..5 => 0,
            5..12 => rng.usize(1..20),
            12..19 => rng.usize(20..200),
            _ => rng.usize(501..900),
        };
        let length = window.length().0;
        times.extend((0..records).map(|_| window.from().plus(Millis(rng.i64(0..length)))));
    }
    let project = Project::from_times(&project_key("shop"), PROJECT_ID, 7, times);
    match honest.late {
        Late::None => project,
        Late::InTime => project.with_late(3, Millis(SETTLE.0 / 2)),
        Late::Now => project.with_late(3, LATE),
    }
}

fn machine_time() -> UtcMs {
    jiff::Timestamp::now().into()
}

async fn archived(honest: Honest, seed: u64) -> Came {
    let rng = &mut Rng::with_seed(seed ^ honest.number as u64);
    let due = due(honest.windows);
    let world = World::start(Settings {
        projects: vec![project(&honest, &due, rng)],
        dialect: honest.dialect.clone(),
        search: honest.search.clone(),
        ..Settings::default()
    })
    .await;
    let job = Job::new("shop", &due)
        .with("cross_check", "\"all\"")
        .with("format", &format!("{:?}", honest.format))
        .with("limit", &honest.limit.to_string());
    world.configure(&[job]);
    let begun = machine_time();
    let ran = match honest.late {
        Late::Now => once_while_logs_come(&world, begun, honest.windows),
        Late::None | Late::InTime => world.once(),
    };
    let mut alarms = Vec::new();
    if ran.code != Some(0) {
        alarms.push(format!("exit {:?}: {}", ran.code, ran.stderr));
    }
    let folders = world.folders("shop");
    // Another minute may have settled before the program looked.
    let found = folders.iter().take(due.windows.len());
    if !found.map(|folder| folder.window).eq(due.windows.clone()) {
        alarms.push("not each window was archived, or one twice".to_owned());
    }
    let project = world.service.project(&project_key("shop")).unwrap();
    let (mut empty, mut by) = (0, [0; 3]);
    for folder in &folders {
        let confirmed = &folder.manifest["confirmed"];
        let ways = ["search", "download", "none"];
        let way = ways.iter().position(|way| confirmed["by"] == *way);
        by[way.unwrap()] += 1;
        empty += usize::from(folder.manifest["records"] == 0);
        let records = folder.records();
        let found = records.iter().map(|record| record.seq);
        let mut difference = Difference::between(seqs_in(project, folder.window), found);
        // What came while it was asked for may be there or not.
        let may_lack = |seq: u64| project.indexed_at(seq).unwrap() > begun;
        difference.missing.retain(|&seq| !may_lack(seq));
        let is_complete = folder.manifest["status"] == "complete";
        if !is_complete || confirmed["by"] == "none" || !difference.is_none() {
            alarms.push(format!(
                "{}: {difference}; {}, {confirmed}",
                folder.name, folder.manifest["status"]
            ));
        }
    }
    for alarm in &mut alarms {
        *alarm = format!("{alarm}\n  {honest:?}");
    }
    Came {
        windows: folders.len(),
        empty,
        disagreements: ran.stderr.matches("it is asked for again").count(),
        by,
        alarms,
    }
}

/// Archives what is due. The logs that are late come in the middle, between any two requests.
fn once_while_logs_come(world: &World, begun: UtcMs, windows: usize) -> Ran {
    world.service.set_visible_at(Some(begun));
    thread::scope(|scope| {
        let once = scope.spawn(|| world.once());
        while !once.is_finished() && world.service.journal().len() < windows {
            thread::sleep(Duration::from_millis(1));
        }
        world.service.set_visible_at(Some(END_OF_TIME));
        once.join().unwrap()
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

/// Guarantee: Confirmed
#[test]
fn an_honest_service_raises_no_alarm_in_any_dialect() {
    let seed = number("HONEST_SEED").unwrap_or(7);
    let windows = number("HONEST_WINDOWS").map_or(WINDOWS, |windows| windows as usize);
    let worlds = worlds(seed, windows);
    let next = AtomicUsize::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut came = Vec::new();
        while let Some(honest) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
            came.push(runtime.block_on(archived(honest.clone(), seed)));
        }
        came
    };
    let all: Vec<Came> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let sum = |of: &dyn Fn(&Came) -> usize| all.iter().map(of).sum::<usize>();
    let alarms: Vec<_> = all.iter().flat_map(|came| &came.alarms).collect();
    tell(format!(
        "{} windows in {} worlds, {} of them empty: {} alarms, {} disagreements that were asked \
         again; confirmed by search {}, by a second download {}, not at all {}",
        sum(&|came| came.windows),
        all.len(),
        sum(&|came| came.empty),
        alarms.len(),
        sum(&|came| came.disagreements),
        sum(&|came| came.by[0]),
        sum(&|came| came.by[1]),
        sum(&|came| came.by[2]),
    ));
    assert!(alarms.is_empty(), "{alarms:#?}");
}
