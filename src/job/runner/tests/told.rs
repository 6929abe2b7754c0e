//! A failure is told at once, however much there is to publish meanwhile.

use std::sync::mpsc::{self, Receiver, Sender};

use super::*;
use crate::domain::circuit_breaker::State;
use crate::job::executor::Ended;
use crate::ledger::line;

/// Longer than anything takes that happens at all.
const LONG: Duration = Duration::from_secs(60);

/// Says which windows are done.
struct Done(Sender<Window>);

impl Progress for Done {
    fn done(&self, _: &Job, window: Window) {
        let _ = self.0.send(window);
    }
}

/// A disk that holds up the second folder that is published, until `window` is done. What the ledger says of it then
/// is the answer.
fn holding(
    done: Receiver<Window>,
    window: Window,
    state_dir: std::path::PathBuf,
) -> (Disk, Receiver<bool>) {
    let (published, done) = (AtomicI64::new(0), Mutex::new(done));
    let (told, answer) = mpsc::channel();
    let disk = Disk::gated(move |step, _| {
        if step == Step::Publish && published.fetch_add(1, Ordering::Relaxed) == 1 {
            let done = done.lock().unwrap();
            let mut windows = std::iter::from_fn(|| done.recv_timeout(LONG).ok());
            let is_done = windows.any(|done| done == window);
            let mut is_told = false;
            Ledger::read(&state_dir, &job().name, |line| {
                let failed = |event: &line::Event| matches!(event, line::Event::Failed(failed) if failed.window == window);
                is_told |= failed(&line.event);
            })
            .unwrap();
            let _ = told.send(is_done && is_told);
        }
        Ok(())
    });
    (disk, answer)
}

/// Guarantee: Candid
/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_fails_while_others_are_published_is_told_before_that_ends() {
    let mut rig = Rig::at(DAY + HOUR / 2).await;
    rig.max_in_flight = 4;
    let (done, is_done) = mpsc::channel();
    // It begins when one of the four before it has landed, and so is published.
    let (disk, told) = holding(is_done, window(5), rig.dir.path().to_owned());
    rig.disk = disk;
    let mut runner = rig.runner(Arc::new(Done(done)), Deadlines::default());
    runner.recorder.unrecorded.push(UnrecordedFolder {
        window: window(5),
        folder: "shop/unknown".into(),
        why: "it is unknown".into(),
    });
    runner.recorder.look_for_folders = false;
    let stop = CancellationToken::new();
    let outcome = runner.cycle(plan, Mode::Backfill, &stop).await;
    assert!(told.recv().unwrap());
    assert_eq!((outcome.archived, outcome.left), (23, 1));
}

/// What comes of a window that is fetched alone.
async fn landed(runner: &JobRunner, executor: &mut Executor, hour: i64) -> Ended {
    let work = Work {
        task: Task::Archive,
        window: window(hour),
    };
    let start = runner.start(work, Mode::Once, None);
    let source = runner.source(&CancellationToken::new());
    let seat = executor.room(0).unwrap();
    executor.begin(seat, work, start, source);
    match executor.next(false, 0).await {
        Event::Landed(Ok(Landed::Ended(ended))) => *ended,
        _ => panic!("the window does not land"),
    }
}

/// Guarantee: Candid
/// Guarantee: Bounded
/// Guarantee: Isolated
#[tokio::test]
async fn what_would_fail_all_windows_waits_for_what_has_landed_well_and_for_nothing_that_begins_later()
 {
    let rig = Rig::at(DAY + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    runner.prepare().await.unwrap();
    let stop = CancellationToken::new();
    let mut executor = Executor::new(&runner.client, &stop, &runner.leaving);
    let refused = Fault::Status {
        http: 401,
        error_code: "200".into(),
        message: "no".into(),
        retry_after: None,
    };
    rig.service
        .set_faults(FaultPlan::steps([None, Some(refused)]));
    let first = landed(&runner, &mut executor, 0).await;
    let refused = landed(&runner, &mut executor, 1).await;
    let mut second = Some(landed(&runner, &mut executor, 2).await);
    let mut outcome = Outcome {
        left: 24,
        ..Outcome::default()
    };
    let mut waiting = VecDeque::from([refused, first]);
    for archived in [1, 2] {
        let why = runner.settle(&mut waiting, &mut executor, &mut outcome, &stop);
        assert_eq!(why.await, None);
        assert!(executor.publishes() && runner.recorder.breaker.is_closed());
        let Event::Landed(Ok(Landed::Published(group))) = executor.next(true, 0).await else {
            panic!("nothing is published");
        };
        assert_eq!(runner.record(group, &mut executor, &mut outcome), None);
        assert_eq!(outcome.archived, archived);
        // Otherwise what lands well would go on and on, and this would never be told.
        assert!(executor.room(0).is_none());
        // It was in flight.
        waiting.extend(second.take());
    }
    let why = runner.settle(&mut waiting, &mut executor, &mut outcome, &stop);
    assert!(why.await.is_some());
    assert!(executor.is_halted());
    let state = runner.recorder.breaker.state(rig.clock().now());
    assert!(matches!(state, State::Open { .. }), "{state:?}");
    let known = runner.ledger().replay().failures(Task::Archive);
    assert!(known.contains_key(&window(1)));
}
