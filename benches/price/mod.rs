//! The price of *Complete*: what archiving a world costs in requests and bytes, over the least
//! that it can cost, and what a second opinion of it costs. The real cycle asks the simulator over HTTP and writes to a real disk; the
//! worlds follow from seeds, so the figures are the same on every machine.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark makes the disk that it needs"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that can't go on has failed"
)]

use std::fs;
use std::ops::{Add, AddAssign};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use elsa_archiver::archive::manifest::{MANIFEST, Manifest};
use elsa_archiver::archive::quarantine::Quarantine;
use elsa_archiver::archive::store::Store;
use elsa_archiver::clock::Clock;
use elsa_archiver::domain::account::{Account, Endpoint};
use elsa_archiver::domain::job::{AccountName, Format, Job, JobName, ToBound};
use elsa_archiver::domain::limits::Limits;
use elsa_archiver::domain::recheck::Recheck;
use elsa_archiver::domain::retry::Policy;
use elsa_archiver::domain::schedule::Schedule;
use elsa_archiver::domain::second_opinion::CrossCheck;
use elsa_archiver::domain::secret::{Keys, Secret};
use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::domain::window::{Window, WindowSize, Zone};
use elsa_archiver::durable::Disk;
use elsa_archiver::elsa::client::{Client, Deadlines};
use elsa_archiver::fetch::{Shared, Turns};
use elsa_archiver::job::{JobRunner, Mode, NoProgress};
use elsa_archiver::simulator::{
    Call, Dialect, KeyPair, Order, Project, Search, SearchAccess, ServiceClock, Settings, Simulator,
};
use tokio_util::sync::CancellationToken;

/// The cap: small, so that a world of many caps is made quickly.
pub const COUNT: u32 = 2000;
/// The page size: half the cap, so that an answer of whole pages is recounted.
pub const LIMIT: u32 = 1000;

const HOUR_MS: i64 = 3_600_000;
const PROJECT: &str = "Pb_price";

/// The worlds that are measured, with their names.
pub const WORLDS: [(&str, Shape); 4] = [
    ("steady, 5.3 caps an hour", Shape::Steady(5.3)),
    ("a spike of 12 caps in 10 s", Shape::Spike),
    ("sawtooth, 0 to 4 caps an hour", Shape::Sawtooth),
    ("silence", Shape::Silence),
];
/// The orders in which the service may hand out records, with their names.
pub const ORDERS: [(&str, Order); 3] = [
    ("ascending", Order::Ascending),
    ("descending", Order::Descending),
    ("shuffled", Order::Shuffled { seed: 5 }),
];

/// How the records of a day lie in time.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Evenly, with so many caps an hour.
    Steady(f64),
    /// Evenly and few, but for 12 caps within ten seconds in the middle of the day.
    Spike,
    /// Rising from nothing to 4 caps an hour within 6 hours, then falling back to nothing.
    Sawtooth,
    /// Not at all.
    Silence,
}

/// A day, and the next one with other records of the same shape.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Every day's shape.
    pub shape: Shape,
    /// The windows of a day, an hour each.
    pub hours: i64,
}

impl World {
    /// The windows of a day, 0 for the first.
    fn windows(self, day: i64) -> Vec<Window> {
        (day * self.hours..(day + 1) * self.hours)
            .map(|hour| Window::of(span(hour * HOUR_MS, HOUR_MS)))
            .collect()
    }

    fn project(self) -> Project {
        let all = span(0, 2 * self.hours * HOUR_MS);
        let uniform = |an_hour: f64| {
            let records = (an_hour * (2 * self.hours) as f64) as usize;
            Project::uniform(PROJECT, 1, 7, all, records)
        };
        let cap = f64::from(COUNT);
        let project = match self.shape {
            Shape::Steady(caps) => uniform(cap * caps),
            Shape::Spike => (0..2).fold(uniform(cap / 10.0), |project, day| {
                let middle = (day * self.hours + self.hours / 2) * HOUR_MS + HOUR_MS / 3;
                project.with_spike(
                    begin().plus(Millis(middle)),
                    12 * COUNT as usize,
                    Millis(10_000),
                )
            }),
            Shape::Sawtooth => sawtooth(all),
            Shape::Silence => Project::silent(PROJECT, 1),
        };
        project.with_body_size(16)
    }
}

/// Even times become a ramp by their square root: as many records as before lie below it.
fn sawtooth(all: Span) -> Project {
    let tooth_ms = 6 * HOUR_MS;
    let records = 6 * 4 * COUNT as usize / 2;
    let mut times = Vec::new();
    for tooth in 0..all.length().0 / tooth_ms {
        let span = span(tooth * tooth_ms, tooth_ms);
        let even = Project::uniform(PROJECT, 1, tooth.cast_unsigned(), span, records);
        times.extend(even.truth(span).map(|truth| {
            let share = (truth.log_time.0 - span.from().0) as f64 / tooth_ms as f64;
            span.from()
                .plus(Millis((share.sqrt() * tooth_ms as f64) as i64))
        }));
    }
    Project::from_times(PROJECT, 1, 7, times)
}

/// What was spent, and the least that could have been.
#[derive(Clone, Copy, Debug, Default)]
pub struct Price {
    /// Requests sent.
    pub requests: u64,
    /// A request for each window, and for each further cap of records in it.
    pub least: u64,
    /// Bytes of zips downloaded.
    pub downloaded: u64,
    /// Bytes of the zips that became parts.
    pub kept: u64,
    /// Windows archived.
    pub windows: u64,
    /// Those of the requests that are searches.
    pub searches: u64,
}

impl Price {
    /// Requests over the least possible.
    pub fn requests_ratio(self) -> f64 {
        self.requests as f64 / self.least as f64
    }

    /// Bytes downloaded over bytes kept.
    pub fn bytes_ratio(self) -> f64 {
        self.downloaded as f64 / self.kept as f64
    }

    /// Searches over windows.
    pub fn searches_a_window(self) -> f64 {
        self.searches as f64 / self.windows as f64
    }

    /// Bytes downloaded in addition to those of `without`, in percent of them.
    pub fn bytes_again(self, without: Self) -> f64 {
        (self.downloaded as f64 / without.downloaded as f64 - 1.0) * 100.0
    }
}

impl Add for Price {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            least: self.least + other.least,
            downloaded: self.downloaded + other.downloaded,
            kept: self.kept + other.kept,
            windows: self.windows + other.windows,
            searches: self.searches + other.searches,
        }
    }
}

impl AddAssign for Price {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What the first day cost, of which the job knew nothing, and what the second one did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prices {
    /// The first day.
    pub cold: Price,
    /// The second day.
    pub warm: Price,
}

impl AddAssign for Prices {
    fn add_assign(&mut self, other: Self) {
        self.cold += other.cold;
        self.warm += other.warm;
    }
}

/// Archives both days of `world` from a service that hands out records in `order`.
pub async fn price(world: World, order: Order) -> Prices {
    archived(world, order, CrossCheck::Off, SearchAccess::Permitted).await
}

/// What a second opinion of each window costs on the second day.
#[derive(Clone, Copy, Debug)]
pub struct SecondOpinion {
    /// Without one.
    pub without: Price,
    /// By search.
    pub by_search: Price,
    /// By a second download, since search is refused.
    pub by_download: Price,
}

/// Archives both days of `world` thrice.
pub async fn second_opinion(world: World) -> SecondOpinion {
    let (order, permitted) = (Order::Descending, SearchAccess::Permitted);
    let (off, all) = (CrossCheck::Off, CrossCheck::All);
    SecondOpinion {
        without: archived(world, order, off, permitted).await.warm,
        by_search: archived(world, order, all, permitted).await.warm,
        by_download: archived(world, order, all, SearchAccess::Denied).await.warm,
    }
}

async fn archived(
    world: World,
    order: Order,
    cross_check: CrossCheck,
    access: SearchAccess,
) -> Prices {
    let settings = Settings {
        projects: vec![world.project()],
        dialect: Dialect {
            order,
            ..Dialect::default()
        },
        search: Search {
            access,
            ..Search::default()
        },
        ..Settings::default()
    };
    let service = Simulator::start(settings).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(begin().0));
    let clock = Arc::clone(&now);
    let clock = Clock::new(move || UtcMs(clock.load(Ordering::Relaxed)));
    let mut runner = runner(&service, dir.path(), clock, cross_check);
    let mut prices = [Price::default(); 2];
    for (day, price) in prices.iter_mut().enumerate() {
        let windows = world.windows(day as i64);
        // The day is over, by both clocks, and its windows are new.
        let over = windows.last().unwrap().to();
        now.store(over.0, Ordering::Relaxed);
        service.set_clock(ServiceClock::Frozen(over));
        service.clear_journal();
        let plan = |_, _: &_, _: &[_], _: &_| windows.clone();
        let outcome = runner
            .cycle(plan, Mode::Once, &CancellationToken::new())
            .await;
        assert!(outcome.is_complete(), "{world:?}, {order:?}: {outcome:?}");
        *price = of_day(&service, dir.path(), &runner, &windows);
    }
    service.shutdown().await;
    let [cold, warm] = prices;
    Prices { cold, warm }
}

fn of_day(service: &Simulator, dir: &Path, runner: &JobRunner, windows: &[Window]) -> Price {
    let journal = service.journal();
    let project = service.project(PROJECT).unwrap();
    let records = |window: &Window| project.truth(window.span()).count() as u64;
    let folders = store(dir).published(&runner.job().name).unwrap();
    let of_windows = folders
        .iter()
        .filter(|(named, _)| windows.contains(&named.window));
    let manifests = of_windows.map(|(_, folder)| {
        let path = store(dir).root().join(folder).join(MANIFEST);
        Manifest::parse(&fs::read(path).unwrap()).unwrap()
    });
    let parts = manifests.flat_map(|manifest| manifest.parts);
    Price {
        requests: journal.len() as u64,
        least: windows
            .iter()
            .map(|window| records(window).div_ceil(COUNT.into()).max(1))
            .sum(),
        downloaded: journal
            .iter()
            .filter(|entry| entry.call == Some(Call::Download) && entry.status == Some(200))
            .map(|entry| entry.bytes)
            .sum(),
        kept: parts.map(|part| part.zip.bytes).sum(),
        windows: windows.len() as u64,
        searches: journal
            .iter()
            .filter(|entry| entry.call == Some(Call::Search))
            .count() as u64,
    }
}

fn runner(service: &Simulator, dir: &Path, clock: Clock, cross_check: CrossCheck) -> JobRunner {
    let (disk, keys) = (Disk::default(), KeyPair::default());
    let account = Account {
        name: AccountName("default".into()),
        endpoint: Endpoint::parse(&service.endpoint()).unwrap(),
        max_in_flight: 1,
        requests_per_second: 1e6,
    };
    let keys = Keys {
        access_key: Secret::new(keys.access_key),
        secret_key: Secret::new(keys.secret_key),
    };
    let client = Client::new(&account, keys, clock.clone(), Deadlines::default()).unwrap();
    let store = store(dir);
    store.prepare().unwrap();
    let shared = Shared {
        quarantine: Quarantine::new(&dir.join("state"), 0, Disk::default()),
        store,
        clock,
        policy: Policy::default(),
        limits: Limits::default(),
        turns: Turns::default(),
    };
    let state = dir.join("state");
    fs::create_dir(&state).unwrap();
    JobRunner::open(
        Arc::new(job(account.name, cross_check)),
        Arc::new(client),
        &state,
        &disk,
        Arc::new(shared),
        Arc::new(NoProgress),
    )
    .unwrap()
}

fn job(account: AccountName, cross_check: CrossCheck) -> Job {
    Job {
        keep: None,
        name: JobName::parse("price").unwrap(),
        account,
        project_key: PROJECT.into(),
        project_id: 1,
        since: begin(),
        configured_since: begin(),
        zone: Zone::utc(),
        window: WindowSize::new(Millis(HOUR_MS)).unwrap(),
        settle: Millis::ZERO,
        schedule: Schedule::default(),
        format: Format::Json,
        include_fields: Vec::new(),
        retention: None,
        recheck: Recheck::Never,
        to_bound: Some(ToBound::Inclusive),
        cross_check,
        count: COUNT,
        limit: LIMIT,
        records_zone: None,
        succeeds: None,
        owed: Vec::new(),
        elsewhere: Vec::new(),
        enabled: true,
    }
}

fn store(dir: &Path) -> Store {
    Store::new(dir.join("archive"), 1 << 20, Disk::default())
}

/// A midnight long ago, the same in every run.
const fn begin() -> UtcMs {
    UtcMs(20_000 * 24 * HOUR_MS)
}

fn span(at_ms: i64, length_ms: i64) -> Span {
    let from = begin().plus(Millis(at_ms));
    Span::new(from, from.plus(Millis(length_ms))).unwrap()
}
