//! A clock that is set while the program is stopped.

use super::*;

const YEAR: i64 = 365 * DAY;

/// A start of the program, and its first pass, by these clocks.
async fn started(rig: &Rig, ours: i64, theirs: i64) -> (JobRunner, Outcome) {
    rig.set_clocks(ours, theirs);
    rig.service.clear_journal();
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    let outcome = cycle(&mut runner).await;
    (runner, outcome)
}

/// Guarantee: Exactly once
#[tokio::test]
async fn a_clock_set_back_while_stopped_archives_nothing_and_nothing_twice() {
    // Behind what the ledger's own lines say, before its first line, and before `since`.
    for ours in [5 * HOUR, 2 * HOUR + HOUR / 2, -1, -YEAR] {
        let rig = Rig::at(2 * HOUR + HOUR / 2).await;
        for (now, archived) in [(2 * HOUR + HOUR / 2, 2), (5 * HOUR + HOUR / 2, 3)] {
            let (runner, outcome) = started(&rig, now, now).await;
            assert_eq!((outcome.archived, outcome.left), (archived, 0));
            assert_eq!(hours(&runner), now / HOUR);
        }
        let (runner, outcome) = started(&rig, ours, 6 * HOUR + HOUR / 2).await;
        assert!(outcome.is_complete());
        assert_eq!(hours(&runner), 5);
        assert!(rig.service.journal().is_empty());
        drop(runner);
        let now = 7 * HOUR + HOUR / 2;
        let (runner, outcome) = started(&rig, now, now).await;
        assert!(outcome.is_complete());
        assert_eq!((outcome.archived, hours(&runner)), (2, 7));
    }
}

/// Guarantee: Exactly once
#[tokio::test]
async fn a_clock_set_ahead_while_stopped_archives_nothing_before_its_time() {
    let rig = Rig::at(5 * HOUR + HOUR / 2).await;
    let (runner, _) = started(&rig, 5 * HOUR + HOUR / 2, 5 * HOUR + HOUR / 2).await;
    assert_eq!(hours(&runner), 5);
    drop(runner);
    let theirs = 6 * HOUR + HOUR / 2;
    for archived in [1, 0] {
        // Nothing is known yet of the service's clock, so that all of a year seems to be due.
        let (runner, outcome) = started(&rig, theirs + YEAR, theirs).await;
        assert_eq!(outcome.archived, archived);
        assert!(outcome.left > 0 && !outcome.is_complete());
        assert_eq!(hours(&runner), 6);
    }
    // Lines and pauses of the year to come are no hindrance.
    let now = 8 * HOUR + HOUR / 2;
    let (runner, outcome) = started(&rig, now, now).await;
    assert!(outcome.is_complete());
    assert_eq!((outcome.archived, hours(&runner)), (2, 8));
}
