//! Cycles against the simulator, with a clock and deadlines of the test's own: clocks that jump,
//! and a service that says nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::archive::adopt::UnrecordedFolder;
use crate::archive::quarantine::Quarantine;
use crate::archive::store::Store;
use crate::clock::Clock;
use crate::domain::account::{Account, Endpoint};
use crate::domain::job::JobName;
use crate::domain::limits::Limits;
use crate::domain::plan::{plan, tests::job};
use crate::domain::recheck::Recheck;
use crate::domain::retry::Policy;
use crate::domain::secret::{Keys, Secret};
use crate::domain::span::{Millis, Span, UtcMs};
use crate::durable::Disk;
use crate::durable::Step;
use crate::elsa::client::Deadlines;
use crate::job::NoProgress;
use crate::simulator::{self, Fault, FaultPlan, KeyPair, Project, Settings, Simulator};

mod circuit_breaker;
mod deferred;
mod disk;
mod fresh;
mod halted;
mod outage;
mod retry_leader;
mod side_by_side;
mod stopped;
mod told;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Midnight of some day.
const BEGIN: i64 = 20_000 * DAY;

/// A place to archive to, and a service; the time of both is the test's.
pub(crate) struct Rig {
    pub(crate) service: Simulator,
    dir: tempfile::TempDir,
    ours: Arc<AtomicI64>,
    disk: Disk,
    recheck: Option<Millis>,
    max_in_flight: u32,
}

impl Rig {
    /// With a log each minute of two days from [`BEGIN`] on, and both clocks at that instant plus
    /// `now` milliseconds.
    pub(crate) async fn at(now: i64) -> Self {
        Self::with_logs_of(2 * DAY, now).await
    }

    /// The same, with logs of so many milliseconds.
    async fn with_logs_of(length: i64, now: i64) -> Self {
        let minutes = (0..length / 60_000).map(|minute| UtcMs(BEGIN + minute * 60_000));
        let job = job();
        let settings = Settings {
            projects: vec![Project::from_times(
                &job.project_key,
                job.project_id,
                1,
                minutes.collect(),
            )],
            ..Settings::default()
        };
        let rig = Self {
            service: Simulator::start(settings).await.unwrap(),
            dir: tempfile::tempdir().unwrap(),
            ours: Arc::default(),
            disk: Disk::default(),
            recheck: None,
            max_in_flight: 2,
        };
        rig.set_clocks(now, now);
        rig
    }

    /// Sets our clock and the service's, in milliseconds after [`BEGIN`].
    fn set_clocks(&self, ours: i64, theirs: i64) {
        self.ours.store(BEGIN + ours, Ordering::Relaxed);
        let theirs = UtcMs(BEGIN + theirs);
        self.service
            .set_clock(simulator::ServiceClock::Frozen(theirs));
    }

    pub(crate) fn clock(&self) -> Clock {
        let ours = Arc::clone(&self.ours);
        Clock::new(move || UtcMs(ours.load(Ordering::Relaxed)))
    }

    /// The job's runner as after a start of the program.
    pub(crate) fn runner(&self, progress: Arc<dyn Progress>, deadlines: Deadlines) -> JobRunner {
        self.runner_of(job().name, self.client(deadlines), progress)
    }

    /// A client of the account, as after a start of the program.
    fn client(&self, deadlines: Deadlines) -> Arc<Client> {
        let account = Account {
            name: job().account,
            endpoint: Endpoint::parse(&self.service.endpoint()).unwrap(),
            max_in_flight: self.max_in_flight,
            requests_per_second: 1e6,
        };
        let keys = KeyPair::default();
        let keys = Keys {
            access_key: Secret::new(keys.access_key),
            secret_key: Secret::new(keys.secret_key),
        };
        Arc::new(Client::new(&account, keys, self.clock(), deadlines).unwrap())
    }

    /// The runner of a job of this name, which has the project that all have.
    fn runner_of(
        &self,
        name: JobName,
        client: Arc<Client>,
        progress: Arc<dyn Progress>,
    ) -> JobRunner {
        let job = Job {
            name,
            since: UtcMs(BEGIN),
            recheck: self.recheck.map_or(Recheck::Never, Recheck::After),
            ..job()
        };
        let (clock, disk) = (self.clock(), self.disk.clone());
        let store = Store::new(self.dir.path().join("archive"), 0, disk.clone());
        store.prepare().unwrap();
        let shared = Shared {
            store,
            clock,
            quarantine: Quarantine::new(self.dir.path(), 0, Disk::default()),
            policy: Policy {
                attempts: 3,
                base: Millis(2),
                ..Policy::default()
            },
            limits: Limits::default(),
            turns: Default::default(),
        };
        let (job, shared) = (Arc::new(job), Arc::new(shared));
        JobRunner::open(job, client, self.dir.path(), &disk, shared, progress).unwrap()
    }
}

/// The window of the hour that begins so many hours after [`BEGIN`].
fn window(hour: i64) -> Window {
    let begin = BEGIN + hour * HOUR;
    Window::of(Span::new(UtcMs(begin), UtcMs(begin + HOUR)).unwrap())
}

async fn cycle(runner: &mut JobRunner) -> Outcome {
    let stop = CancellationToken::new();
    runner.cycle(plan, Mode::Daemon, &stop).await
}

/// How many hours from [`BEGIN`] on are archived without a gap.
fn hours(runner: &JobRunner) -> i64 {
    let replay = runner.ledger().replay();
    assert_eq!(replay.records as i64 % 60, 0);
    assert_eq!(replay.coverage.gaps(UtcMs(BEGIN)), []);
    let hours = (replay.coverage.covered_until(UtcMs(BEGIN)).0 - BEGIN) / HOUR;
    // Nothing is archived twice, or before its logs had come.
    assert_eq!(replay.records as i64, hours * 60);
    hours
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test]
async fn a_clock_that_jumps_ahead_archives_nothing_before_its_time() {
    let rig = Rig::at(2 * HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 2);
    // A day ahead, far beyond what the gateway accepts: signed by its clock, and settled by its.
    rig.set_clocks(DAY + 3 * HOUR + HOUR / 2, 3 * HOUR + HOUR / 2);
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (1, 24));
    // From then on it is known what time it is there, and that nothing is due.
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 3);
    // Set right again, it goes on at once: what failed meanwhile did so in a future that is over.
    rig.set_clocks(5 * HOUR + HOUR / 2, 5 * HOUR + HOUR / 2);
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 5);
}

/// Guarantee: Self-healing
#[tokio::test]
async fn a_clock_that_is_right_again_is_noticed_also_where_something_stays_due() {
    let rig = Rig::at(2 * HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    // Its first window is blocked, and so is due in every cycle without a request.
    runner.recorder.unrecorded.push(UnrecordedFolder {
        window: window(0),
        folder: "shop/unknown".into(),
        why: "it is unknown".into(),
    });
    runner.recorder.look_for_folders = false;
    assert_eq!(cycle(&mut runner).await.archived, 1);
    rig.set_clocks(DAY + 3 * HOUR + HOUR / 2, 3 * HOUR + HOUR / 2);
    assert_eq!(cycle(&mut runner).await.archived, 1);
    rig.set_clocks(5 * HOUR + HOUR / 2, 5 * HOUR + HOUR / 2);
    assert_eq!(cycle(&mut runner).await.archived, 2);
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test]
async fn a_clock_that_jumps_back_archives_nothing_twice_and_goes_on() {
    let rig = Rig::at(5 * HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    for ours in [HOUR, -400 * DAY, 2 * HOUR] {
        rig.set_clocks(ours, 6 * HOUR);
        rig.service.clear_journal();
        assert!(cycle(&mut runner).await.is_complete());
        assert_eq!(hours(&runner), 5);
        assert!(rig.service.journal().is_empty());
    }
    // Also when it was stopped meanwhile.
    rig.set_clocks(7 * HOUR + HOUR / 2, 7 * HOUR + HOUR / 2);
    drop(runner);
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 7);
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test]
async fn a_clock_before_since_archives_nothing() {
    let rig = Rig::at(-3 * DAY).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 0);
    rig.set_clocks(HOUR + HOUR / 2, HOUR + HOUR / 2);
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 1);
}

/// Guarantee: Exactly once
/// Guarantee: Self-healing
#[tokio::test]
async fn a_pause_that_began_in_the_future_is_over() {
    let rig = Rig::at(DAY + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    rig.service.set_faults(FaultPlan::always(Fault::Status {
        http: 400,
        error_code: "100".into(),
        message: "no".into(),
        retry_after: None,
    }));
    assert_eq!(cycle(&mut runner).await.left, 24);
    rig.service.set_faults(FaultPlan::none());
    // Within the pause nothing is asked for; half a day before it began, everything due by then.
    assert_eq!(cycle(&mut runner).await.archived, 0);
    rig.set_clocks(DAY / 2 + HOUR / 2, DAY / 2 + HOUR / 2);
    assert_eq!(cycle(&mut runner).await.archived, 12);
    assert_eq!(hours(&runner), 12);
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_service_that_answers_nothing_in_time_ends_the_cycle() {
    let rig = Rig::at(DAY + HOUR / 2).await;
    let deadlines = Deadlines {
        look_up: Duration::ZERO,
        connect: Duration::from_millis(100),
        head: Duration::ZERO,
        ..Deadlines::default()
    };
    let mut runner = rig.runner(Arc::new(NoProgress), deadlines);
    rig.service
        .set_faults(FaultPlan::always(Fault::StallBeforeHeaders));
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (0, 24));
    // One window, twice whole and then in halves of halves, and not the 23 others.
    let asked = rig.service.journal();
    assert!(
        asked
            .iter()
            .all(|entry| entry.from < Some(UtcMs(BEGIN + HOUR)))
    );
    assert!(asked.len() <= 2 * 9, "{}", asked.len());
}

/// Guarantee: Candid
#[tokio::test]
async fn a_folder_that_can_t_be_read_shows_in_status_until_it_can_be() {
    let mut rig = Rig::at(2 * HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.archived, 2);
    drop(runner);
    // The ledger is lost, so that every folder is looked at; and the disk fails.
    std::fs::remove_file(Ledger::path(rig.dir.path(), &job().name)).unwrap();
    rig.disk = Disk::gated(|step, _| match step {
        Step::ReadPublished => Err(rustix::io::Errno::IO.into()),
        _ => Ok(()),
    });
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    // What was lost before says nothing of why the job stands still now.
    let lost = Span::new(UtcMs(BEGIN), UtcMs(BEGIN + HOUR)).unwrap();
    runner.recorder.ledger.record_lost(lost).unwrap();
    for _ in 0..3 {
        let outcome = cycle(&mut runner).await;
        assert_eq!((outcome.archived, outcome.left), (0, 2));
    }
    let replay = runner.ledger().replay();
    let (message, _) = replay
        .last_error(UtcMs(BEGIN + 3 * HOUR), runner.job())
        .unwrap();
    assert!(message.starts_with("can't read "), "{message}");
    // Once, and not at each look.
    // The settings are one of them.
    assert_eq!(replay.lines, 3);
    drop(runner);
    rig.disk = Disk::default();
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 2);
    let replay = runner.ledger().replay();
    assert_eq!(
        replay.last_error(UtcMs(BEGIN + 3 * HOUR), runner.job()),
        None
    );
}

/// Guarantee: Self-healing
#[tokio::test]
async fn what_could_not_be_removed_from_staging_is_when_the_next_cycle_begins() {
    let mut rig = Rig::at(HOUR + HOUR / 2).await;
    let stuck = Arc::new(AtomicBool::new(true));
    rig.disk = Disk::gated({
        let stuck = Arc::clone(&stuck);
        move |step, _| match step {
            Step::Clean if stuck.load(Ordering::Relaxed) => Err(rustix::io::Errno::IO.into()),
            _ => Ok(()),
        }
    });
    let staging = rig.dir.path().join("archive/.staging");
    stuck.store(false, Ordering::Relaxed);
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    let left = staging.join(job().name.as_str()).join("0-1/part-0001");
    std::fs::create_dir_all(&left).unwrap();
    stuck.store(true, Ordering::Relaxed);
    cycle(&mut runner).await;
    assert!(left.exists());
    stuck.store(false, Ordering::Relaxed);
    let stop = CancellationToken::new();
    let outcome = runner.cycle(plan, Mode::Once, &stop).await;
    assert_eq!(outcome.archived, 1);
    assert!(!left.exists());
}

/// Remembers how many windows were said to be done.
#[derive(Default)]
struct Counted(Mutex<(usize, usize)>);

impl Progress for Counted {
    fn planned(&self, _: &Job, windows: usize) {
        self.0.lock().unwrap().0 += windows;
    }
    fn done(&self, _: &Job, _: Window) {
        self.0.lock().unwrap().1 += 1;
    }
}

/// Guarantee: Isolated
#[tokio::test]
async fn what_fails_for_all_fails_once_also_where_windows_are_collected_side_by_side() {
    let rig = Rig::at(DAY + HOUR / 2).await;
    let counted = Arc::new(Counted::default());
    let mut runner = rig.runner(Arc::clone(&counted) as _, Deadlines::default());
    rig.service.set_faults(FaultPlan::always(Fault::Status {
        http: 401,
        error_code: "210".into(),
        message: "permission denied".into(),
        retry_after: None,
    }));
    let stop = CancellationToken::new();
    let outcome = runner.cycle(plan, Mode::Backfill, &stop).await;
    assert_eq!((outcome.archived, outcome.left), (0, 24));
    assert_eq!(rig.service.journal().len(), 1);
    assert_eq!(*counted.0.lock().unwrap(), (24, 1));
    rig.service.set_faults(FaultPlan::none());
    let outcome = runner.cycle(plan, Mode::Backfill, &stop).await;
    assert_eq!((outcome.archived, outcome.left), (24, 0));
    assert_eq!(rig.service.journal().len(), 25);
    assert_eq!(hours(&runner), 24);
}
