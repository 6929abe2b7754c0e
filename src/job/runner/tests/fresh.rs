//! A window that settles while a cycle is at work waits neither for a backlog nor for what has failed before.

use super::*;
use crate::domain::failures::Failed;

/// Moves our clock an hour on once so many windows are done.
struct Later {
    ours: Arc<AtomicI64>,
    left: AtomicI64,
}

impl Progress for Later {
    fn done(&self, _: &Job, _: Window) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.ours.fetch_add(HOUR, Ordering::Relaxed);
        }
    }
}

/// A runner by whose clock, though not by the service's, an hour passes once so many windows are done.
fn runner(rig: &Rig, now: i64, done: i64) -> JobRunner {
    let later = Later {
        ours: Arc::clone(&rig.ours),
        left: AtomicI64::new(done),
    };
    rig.set_clocks(now, now + HOUR);
    rig.runner(Arc::new(later), Deadlines::default())
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_settles_while_a_backlog_is_archived_is_asked_for_at_once() {
    let now = DAY + HOUR / 2;
    let rig = Rig::at(now).await;
    let mut runner = runner(&rig, now, 5);
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (25, 0));
    let asked = rig.service.journal();
    let fresh = Some(UtcMs(BEGIN + DAY));
    let at = asked.iter().position(|entry| entry.from == fresh).unwrap();
    assert!((5..16).contains(&at), "{at} of {}", asked.len());
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_settles_meanwhile_goes_before_those_that_failed_before_and_may_end_the_cycle()
 {
    let now = 5 * HOUR + HOUR / 2;
    let mut rig = Rig::at(now).await;
    rig.max_in_flight = 1;
    let mut runner = runner(&rig, now, 1);
    for hour in [2, 3, 4] {
        let failed = Failed {
            window: window(hour),
            message: "no".into(),
            needs_bytes: None,
            contradicts: false,
        };
        runner.recorder.ledger.record_failure(failed).unwrap();
    }
    // Their pauses are over. What is too short for a backlog goes in its order.
    rig.ours.fetch_add(2 * 60_000, Ordering::Relaxed);
    let refused = Fault::Status {
        http: 401,
        error_code: "200".into(),
        message: "no".into(),
        retry_after: None,
    };
    let well = std::iter::repeat_n(None, 3);
    let refused = std::iter::repeat_n(Some(refused), 9);
    rig.service
        .set_faults(FaultPlan::steps(well.chain(refused)));
    let outcome = cycle(&mut runner).await;
    assert_eq!((outcome.archived, outcome.left), (3, 3));
    let covered = &runner.ledger().replay().coverage;
    for hour in [0, 1, 5] {
        assert!(covered.covers(window(hour).span()), "{hour}");
    }
}
