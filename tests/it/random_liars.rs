//! *Confirmed* against random liars: whatever a service leaves out, when, of which call, in which
//! dialect, no window is `complete` that is not exact, but for lies that no request tells from the
//! truth.
//!
//! `LIARS` says how many liars are tried, `LIARS_SEED` which: liar `i` of seed `s` is liar 0 of seed
//! `s + i`. `LIARS_TELL=1` tells of each. The program draws the place of one piece itself, so a seed brings back the liar, and not
//! each request.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::truth::{Difference, seqs_in};
use elsa_archiver::simulator::{
    Call, CsvLayout, Dialect, EmptyAnswer, Entry, Framing, JsonLayout, Lie, LieKind, LyingCalls,
    Newline, Order, Project, Search, SearchAccess, SearchForm, Settings, TimeStyle,
};
use fastrand::Rng;
use serde_json::Value;

use crate::confirmed_later::newest;
use crate::harness::{Due, Folder, Job, PROJECT_ID, World, project_key, tell};

/// The liars of a run that is not told which: those of every run, so that what it finds is not left to chance.
/// `LIARS_SEED` finds others, by hand.
const SEED: u64 = 20_261_129;
/// Liars of a run that is not told how many.
const LIARS: u64 = 12;
/// Worlds at once: most of the time one waits, for the disk or through a pause.
const AT_ONCE: usize = 6;
/// Windows of a world.
const WINDOWS: usize = 6;
/// The most records of a window.
const MOST_RECORDS: f64 = 3000.0;
/// A second download asks for one record in so many.
const SHARE: f64 = 16.0;
/// A window of so many is downloaded again as a whole.
const FEW: u64 = 50;
/// A window that a second download misses by less than this chance is no bad luck.
const CHANCE: f64 = 1e-6;

/// A service that lies, and what it is asked.
#[derive(Debug)]
struct Liar {
    seed: u64,
    lie: Lie,
    search: Search,
    dialect: Dialect,
    format: &'static str,
    limit: u32,
    count: u32,
    /// Windows that are archived before the lie begins.
    honest: usize,
    /// Records of each window, and whether half of them come within ten seconds.
    records: Vec<(usize, bool)>,
}

impl Liar {
    fn new(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let limit = one_of(rng, &[37, 100, 100, 1000]);
        Self {
            seed,
            lie: lie(rng, limit),
            search: search(rng),
            dialect: dialect(rng),
            format: one_of(rng, &["json", "csv"]),
            limit,
            count: one_of(rng, &[200_000, 200_000, 200_000, 1000, 1777]),
            honest: one_of(rng, &[0, 0, 0, 1, 2, 3, 4]),
            records: (0..WINDOWS).map(|_| records(rng)).collect(),
        }
    }

    fn project(&self, due: &Due) -> Project {
        let rng = &mut Rng::with_seed(!self.seed);
        let mut times = Vec::new();
        for (window, &(records, has_spike)) in due.windows.iter().zip(&self.records) {
            let spike = rng.i64(0..window.length().0 - 10_000);
            for at in 0..records {
                let into = if has_spike && at % 2 == 0 {
                    spike + rng.i64(0..10_000)
                } else {
                    rng.i64(0..window.length().0)
                };
                times.push(window.from().plus(Millis(into)));
            }
        }
        Project::from_times(&project_key("shop"), PROJECT_ID, self.seed, times)
    }

    fn job(&self, due: &Due) -> Job {
        Job::new("shop", due)
            .with("cross_check", "\"all\"")
            .with("format", &format!("{:?}", self.format))
            .with("limit", &self.limit.to_string())
            .with("count", &self.count.to_string())
    }
}

fn one_of<T: Clone>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(0..choices.len())].clone()
}

/// Small numbers as often as large ones.
fn up_to(rng: &mut Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(rng.f64())
}

fn records(rng: &mut Rng) -> (usize, bool) {
    let most = one_of(rng, &[0.0, 20.0, 500.0, 500.0, MOST_RECORDS, MOST_RECORDS]);
    ((rng.f64() * most) as usize, rng.u8(0..5) == 0)
}

fn lie(rng: &mut Rng, limit: u32) -> Lie {
    let length = Millis(up_to(rng, 1000.0, 3_540_000.0) as i64);
    let kind = match rng.u8(0..8) {
        0 => LieKind::Empty,
        1 => LieKind::OneIn(one_of(rng, &[1, 2, 3, 10, 100, 1000])),
        // A smaller cap is overcome, or given up, by hundreds of requests a window.
        2 => LieKind::CapRecords(up_to(rng, 40.0, MOST_RECORDS) as u64),
        3 => LieKind::CapRecords(rng.u64(1..10) * u64::from(limit)),
        4 => LieKind::CapBytes(up_to(rng, 8000.0, 200_000.0) as u64),
        5 => LieKind::Newest(length),
        6 => LieKind::Oldest(length),
        _ => LieKind::LostPage,
    };
    Lie {
        kind,
        times: match rng.u8(0..4) {
            0 => Some(1),
            1 => Some(rng.u32(2..7)),
            _ => None,
        },
        calls: match rng.u8(0..10) {
            0..6 => LyingCalls::Download,
            6 => LyingCalls::Search,
            _ => LyingCalls::Both,
        },
    }
}

fn search(rng: &mut Rng) -> Search {
    let (permitted, hour) = (SearchAccess::Permitted, 60);
    Search {
        access: one_of(
            rng,
            &[
                permitted,
                permitted,
                permitted,
                SearchAccess::Denied,
                SearchAccess::Forbidden,
                SearchAccess::NotFound,
            ],
        ),
        form: one_of(
            rng,
            &[SearchForm::Logs, SearchForm::ResultList, SearchForm::Hits],
        ),
        with_total: rng.bool(),
        lag: Millis::from_mins(one_of(rng, &[0, 0, 0, 30, 3 * hour, -3 * hour, 240 * hour])),
    }
}

fn dialect(rng: &mut Rng) -> Dialect {
    let rfc = |offset_seconds| TimeStyle::Rfc3339 { offset_seconds };
    let seed = rng.u64(..);
    Dialect {
        order: one_of(
            rng,
            &[
                Order::Ascending,
                Order::Descending,
                Order::Shuffled { seed },
            ],
        ),
        json: one_of(
            rng,
            &[
                JsonLayout::Array,
                JsonLayout::Lines,
                JsonLayout::Concatenated,
                JsonLayout::Pages,
            ],
        ),
        csv: one_of(rng, &[CsvLayout::Whole, CsvLayout::Pages]),
        newline: one_of(rng, &[Newline::Crlf, Newline::Lf]),
        empty: one_of(
            rng,
            &[
                EmptyAnswer::NoEntry,
                EmptyAnswer::EmptyFile,
                EmptyAnswer::EmptyList,
                EmptyAnswer::NotFound,
            ],
        ),
        time: one_of(
            rng,
            &[TimeStyle::Number, TimeStyle::Decimal, rfc(0), rfc(32_400)],
        ),
        framing: one_of(rng, &[Framing::ContentLength, Framing::Chunked]),
        ..Dialect::default()
    }
}

/// A window that is `complete` and not exact.
#[derive(Debug)]
struct Lost {
    window: Span,
    /// Logs that it lacks.
    missing: Vec<UtcMs>,
    /// In so many places, between each two of which it has a log.
    places: i32,
    /// Logs that it has.
    kept: u64,
    /// Whether it holds what it should not; no lie here adds anything.
    has_more: bool,
    /// What was asked about it, and what was answered.
    asked: Vec<Entry>,
    /// The spans by which it is confirmed.
    again: Vec<Span>,
    /// Whether a log within a window's length before it is archived, and one after it.
    beside: [bool; 2],
    /// What its manifest says of it.
    confirmed: String,
}

/// Why a window is `complete` and not exact. Search does not tell where it is refused, lags behind,
/// or lies too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Search leaves out the same as the download, of any span: nothing at the service tells.
    BothLieOfAnySpan,
    /// Search leaves out the same as the download of this span. Shorter ones would tell, but search
    /// agrees, and is believed.
    BothLieOfThisSpan,
    /// Search does not tell, and each download leaves out the same, of any span.
    EachDownloadLies,
    /// Search does not tell, and a lie that is told some times was told to both downloads.
    LastsThroughBoth,
    /// Search does not tell, and none of the pieces that were downloaded again holds a missing log:
    /// a matter of chance.
    OutsideThePieces,
    /// Search does not tell, and each piece that was downloaded again and reaches over all of a page
    /// lacks just that page too. Only a piece that ends within it would tell: a matter of chance.
    SamePageAgain,
    /// Search does not tell, and each answer holds only a short end of its span. Nothing that is
    /// archived within a window's length lies at the other end of any span, so no two answers
    /// contradict each other, unless a span happens to end at a log.
    NothingBeside,
}

/// Why no request tells that a window lacks something, or none that was sent. `None` where one must
/// have told.
fn beyond_proof(liar: &Liar, lost: &Lost, now: UtcMs) -> Option<Why> {
    let Lie { kind, times, calls } = liar.lie;
    if lost.has_more || calls == LyingCalls::Search {
        // Nothing was left out of a download.
        return None;
    }
    let is_of_any_span = matches!(kind, LieKind::Empty | LieKind::OneIn(_));
    let is_of_search = !matches!(kind, LieKind::CapBytes(_) | LieKind::LostPage);
    let asks_for_one_more = |entry: &&Entry| entry.offset.map(u64::from) == Some(lost.kept);
    let mut searches = lost.asked.iter().filter(asks_for_one_more);
    if calls == LyingCalls::Both && is_of_search && searches.any(|entry| entry.lied) {
        return Some(if is_of_any_span {
            Why::BothLieOfAnySpan
        } else {
            Why::BothLieOfThisSpan
        });
    }
    let lags = lost.window.to().plus(liar.search.lag) > now;
    if liar.search.access == SearchAccess::Permitted && !lags {
        // Search finds each log, and one more than the window has.
        return None;
    }
    if is_of_any_span && times.is_none() {
        return Some(Why::EachDownloadLies);
    }
    let is_missing =
        |from: UtcMs, to: UtcMs| lost.missing.iter().any(|at| (from..=to).contains(at));
    let has_told = |entry: &Entry| {
        let (from, to) = (entry.from.unwrap(), entry.to.unwrap());
        is(entry, Call::Download) && !entry.lied && is_missing(from, to)
    };
    if lost.asked.iter().any(has_told) || lost.again.is_empty() {
        return None;
    }
    let holds_missing = |span: &&Span| is_missing(span.from(), UtcMs(span.to().0 - 1));
    if lost.again.iter().any(|span| holds_missing(&span)) {
        let [before, after] = lost.beside;
        return match kind {
            _ if is_of_any_span => Some(Why::LastsThroughBoth),
            LieKind::LostPage => Some(Why::SamePageAgain),
            LieKind::Newest(_) if lost.kept <= FEW && !before => Some(Why::NothingBeside),
            LieKind::Oldest(_) if lost.kept <= FEW && !after => Some(Why::NothingBeside),
            _ => None,
        };
    }
    (chance(lost) >= CHANCE).then_some(Why::OutsideThePieces)
}

/// How likely it is that no place of a missing log lies in a sixteenth of the window.
fn chance(lost: &Lost) -> f64 {
    (1.0 - 1.0 / SHARE).powi(lost.places)
}

fn is(entry: &Entry, call: Call) -> bool {
    entry.call == Some(call) && entry.status == Some(200)
}

/// What a liar's world came to.
struct Came {
    liar: Liar,
    exit: Option<i32>,
    has_lied: bool,
    by_search: bool,
    by_download: bool,
    by_splitting: bool,
    /// Whether every window is `complete`.
    is_complete: bool,
    lost: Vec<(Lost, Option<Why>)>,
    /// What the program has logged.
    said: String,
}

/// How a world ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// No answer was changed.
    Idle,
    /// Nothing was lost, and nothing noticed.
    Harmless,
    /// It was noticed, and every window is exact.
    MadeGood,
    /// A window is not `complete`, or the exit code is not 0.
    Red,
    /// Nothing is red, and a window is inexact for a reason of [`Why`].
    BeyondProof,
    /// A window is `complete` and inexact, and a request should have told.
    Fault,
}

impl Came {
    fn end(&self) -> End {
        let was_noticed = self.by_search || self.by_download || self.by_splitting;
        if self.lost.iter().any(|(_, why)| why.is_none()) {
            End::Fault
        } else if self.exit != Some(0) || !self.is_complete {
            End::Red
        } else if !self.lost.is_empty() {
            End::BeyondProof
        } else if was_noticed {
            End::MadeGood
        } else if self.has_lied {
            End::Harmless
        } else {
            End::Idle
        }
    }

    /// All that is to be known of what is lost.
    fn story(&self) -> String {
        let mut story = format!(
            "LIARS=1 LIARS_SEED={}: {:?}, exit {:?}: {:?}\n",
            self.liar.seed,
            self.end(),
            self.exit,
            self.liar
        );
        for (lost, why) in &self.lost {
            let (from, kept, missing) = (lost.window.from(), lost.kept, lost.missing.len());
            let _ = writeln!(
                story,
                "  {why:?}: {kept} kept, {missing} missing; {}",
                lost.confirmed
            );
            for entry in &lost.asked {
                let into = |at: Option<UtcMs>| at.unwrap().since(from).0;
                let _ = writeln!(
                    story,
                    "    {:?} {}..={} ms, offset {:?}: {} records{}",
                    entry.call.unwrap(),
                    into(entry.from),
                    into(entry.to),
                    entry.offset,
                    entry.records,
                    if entry.lied { ", a lie" } else { "" }
                );
            }
        }
        story + &self.said
    }
}

async fn tried(liar: Liar) -> Came {
    let due = Due::hours(WINDOWS as i64);
    let world = World::start(Settings {
        projects: vec![liar.project(&due)],
        dialect: liar.dialect.clone(),
        search: liar.search.clone(),
        ..Settings::default()
    })
    .await;
    if liar.honest > 0 {
        let later = (WINDOWS - liar.honest) as i64 * 3600;
        let early = Due {
            settle_s: due.settle_s + later,
            ..due.clone()
        };
        world.configure(&[liar.job(&early)]);
        world.once();
        world.service.clear_journal();
    }
    world.service.set_lies(vec![liar.lie.clone()]);
    world.configure(&[liar.job(&due)]);
    let now = world.service.now();
    let mut ran = world.once();
    let mut said = ran.stderr.clone();
    if ran.code != Some(0) {
        ran = world.once();
        said += &ran.stderr;
    }
    let journal = world.requests("shop");
    let folders = newest(&world);
    let ledger = world.ledger_lines("shop");
    let is_contradicted = |window: Span| {
        let is_about = |line: &&Value| line["from_ms"] == window.from().0;
        let last = ledger.iter().rfind(is_about);
        last.is_some_and(|line| line["event"] == "recheck_failed")
    };
    // What a later answer contradicts stays as it is, and is red.
    let is_complete = |folder: &&Folder| {
        folder.manifest["status"] == "complete" && !is_contradicted(folder.window)
    };
    let complete: Vec<_> = folders.iter().filter(is_complete).collect();
    let lost = complete
        .iter()
        .filter_map(|folder| lost(&world, folder, &journal, &ledger, &folders))
        .map(|lost| {
            let why = beyond_proof(&liar, &lost, now);
            (lost, why)
        })
        .collect();
    Came {
        exit: ran.code,
        has_lied: journal.iter().any(|entry| entry.lied),
        by_search: said.contains("search finds "),
        by_download: said.contains("a second download finds"),
        by_splitting: said.contains("the service counts")
            || said.contains("the service cuts answers below"),
        is_complete: complete.len() == WINDOWS,
        lost,
        liar,
        said,
    }
}

/// What a window lacks, if anything.
fn lost(
    world: &World,
    folder: &Folder,
    journal: &[Entry],
    ledger: &[Value],
    all: &[Folder],
) -> Option<Lost> {
    let project = world.service.project(&project_key("shop")).unwrap();
    let found = folder.records();
    let kept = found.len() as u64;
    let found = found.iter().map(|record| record.seq);
    let difference = Difference::between(seqs_in(project, folder.window), found);
    if difference.is_none() {
        return None;
    }
    let window = folder.window;
    let is_about = |entry: &&Entry| {
        let is_within = |at: UtcMs| window.from() <= at && at <= window.to();
        entry.from.is_some_and(is_within) && entry.to.is_some_and(is_within)
    };
    let confirmed = &folder.manifest["confirmed"];
    let bound = |span: &Value, name: &str| UtcMs(span[name].as_i64().unwrap());
    let again = |span: &Value| Span::new(bound(span, "from_ms"), bound(span, "to_ms")).unwrap();
    let is_look = |entry: &&Entry| is_about(entry) && entry.from == Some(window.from());
    let looked = journal.iter().rfind(is_look).map(|entry| entry.arrived);
    // What is archived while it is being looked at comes too late.
    let is_before = |line: &Value| {
        let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
        looked.is_some_and(|looked| UtcMs::from(at).plus(Millis::from_secs(1)) < looked)
    };
    let is_archived = |other: &Folder| {
        let lines = ledger.iter().filter(|line| line["folder"] == other.name);
        lines.clone().any(is_before)
    };
    let known: Vec<UtcMs> = all
        .iter()
        .filter(|other| other.window != window && is_archived(other))
        .flat_map(|other| other.records())
        .map(|record| record.log_time)
        .collect();
    let is_known = |from: UtcMs, to: UtcMs| known.iter().any(|&at| from <= at && at < to);
    let time = |&seq: &u64| project.record(seq).unwrap().log_time;
    Some(Lost {
        window,
        missing: difference.missing.iter().map(time).collect(),
        places: difference
            .missing
            .chunk_by(|one, next| one + 1 == *next)
            .count() as i32,
        kept,
        has_more: !difference.unknown.is_empty() || !difference.repeated.is_empty(),
        asked: journal.iter().filter(is_about).cloned().collect(),
        again: confirmed["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .map(again)
            .collect(),
        beside: [
            is_known(window.from().minus(window.length()), window.from()),
            is_known(window.to(), window.to().plus(window.length())),
        ],
        confirmed: confirmed.to_string(),
    })
}

/// Tries so many liars, some of them at once.
fn try_all(seed: u64, liars: u64) -> Vec<Came> {
    let next = AtomicU64::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut came = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= liars {
                return came;
            }
            came.push(runtime.block_on(tried(Liar::new(seed.wrapping_add(number)))));
        }
    };
    let mut came: Vec<Came> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    came.sort_by_key(|came| came.liar.seed.wrapping_sub(seed));
    came
}

/// The figures of a run.
fn figures(all: &[Came]) -> String {
    let count = |is: &dyn Fn(&Came) -> bool| all.iter().filter(|came| is(came)).count();
    let (mut ends, mut whys, mut chances) = (BTreeMap::new(), BTreeMap::new(), 0.0);
    for came in all {
        *ends.entry(came.end()).or_insert(0) += 1;
        for (lost, why) in &came.lost {
            *whys.entry(*why).or_insert(0) += 1;
            if *why == Some(Why::OutsideThePieces) {
                chances += chance(lost);
            }
        }
    }
    format!(
        "{} liars, {} have lied; found by search {}, by a second download {}, by splitting {}; \
         ended: {ends:?}; red with a window that is complete and inexact: {}; windows that are \
         complete and inexact: {whys:?}, the chances of those outside the pieces add up to \
         {chances:.1}; search alone has lied and it ended red: {}",
        all.len(),
        count(&|came| came.has_lied),
        count(&|came| came.by_search),
        count(&|came| came.by_download),
        count(&|came| came.by_splitting),
        count(&|came| came.end() == End::Red && !came.lost.is_empty()),
        count(&|came| {
            let is_archived = came.liar.dialect.empty != EmptyAnswer::NotFound;
            let is_alarm = came.liar.lie.calls == LyingCalls::Search && came.end() == End::Red;
            is_alarm && is_archived
        }),
    )
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap())
}

/// Guarantee: Confirmed
#[test]
fn no_random_liar_ends_green_and_inexact_unless_it_is_beyond_proof() {
    let seed = number("LIARS_SEED").unwrap_or(SEED);
    let liars = number("LIARS").unwrap_or(LIARS);
    tell(format!("LIARS={liars} LIARS_SEED={seed}"));
    let all = try_all(seed, liars);
    tell(figures(&all));
    for came in all.iter().filter(|_| env::var_os("LIARS_TELL").is_some()) {
        tell(came.story());
    }
    let lost = all.iter().flat_map(|came| &came.lost);
    let outside = lost.filter(|(_, why)| *why == Some(Why::OutsideThePieces));
    let outside = outside.count() as u64;
    assert!(
        outside <= liars / 20 + WINDOWS as u64,
        "{outside} by chance"
    );
    let faults: Vec<_> = all
        .iter()
        .filter(|came| came.end() == End::Fault)
        .map(Came::story)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
