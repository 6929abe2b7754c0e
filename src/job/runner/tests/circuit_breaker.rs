//! What fails for all windows is asked for less and less often, however often the schedule fires.

use super::*;
use crate::domain::circuit_breaker::Remedy;
use crate::domain::failures::Failed;
use crate::domain::span::Millis;

const MINUTE: i64 = 60_000;

/// What is due then are the 24 windows of a day.
const BEGUN: i64 = DAY + HOUR / 2;

fn refused(http: u16, error_code: &str) -> Fault {
    Fault::Status {
        http,
        error_code: error_code.into(),
        message: "no".into(),
        retry_after: None,
    }
}

/// Fires the schedule every ten seconds for some two hours, and says in which minutes after `BEGUN`
/// something was done, as far as `done_so_far` counts it.
async fn minutes_of_work(
    rig: &Rig,
    runner: &mut JobRunner,
    done_so_far: impl Fn(&Rig, &JobRunner) -> usize,
) -> Vec<i64> {
    let mut minutes = Vec::new();
    for now in (BEGUN..BEGUN + 130 * MINUTE).step_by(10_000) {
        rig.set_clocks(now, now);
        let before = done_so_far(rig, runner);
        let outcome = cycle(runner).await;
        // Nothing of what is due is hidden meanwhile.
        let settled = (now - 10 * MINUTE) / HOUR;
        assert_eq!((outcome.archived, outcome.left), (0, settled as u64));
        assert!(outcome.error.is_some());
        for _ in before..done_so_far(rig, runner) {
            minutes.push((now - BEGUN) / MINUTE);
        }
    }
    let (now, replay) = (rig.clock().now(), runner.ledger().replay());
    assert!(replay.last_error(now, runner.job()).is_some());
    minutes
}

/// Guarantee: Bounded
#[tokio::test]
async fn a_wrong_key_is_not_tried_at_each_firing_but_in_pauses_that_grow_to_an_hour() {
    for refused in [refused(401, "200"), refused(403, "210")] {
        let rig = Rig::at(BEGUN).await;
        let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
        let always = || FaultPlan::always(refused.clone());
        rig.service.set_faults(always());
        let requests = |rig: &Rig, _: &JobRunner| rig.service.journal().len();
        let minutes = minutes_of_work(&rig, &mut runner, requests).await;
        assert_eq!(minutes, [0, 1, 3, 7, 15, 31, 63, 123]);

        // Somebody who asks is not kept waiting.
        let stop = CancellationToken::new();
        assert!(runner.cycle(plan, Mode::Once, &stop).await.error.is_some());
        assert_eq!(rig.service.journal().len(), 9);
        // What is over is over: should it fail anew, the pauses begin anew.
        let mut now = BEGUN + 200 * MINUTE;
        for (faults, archived) in [
            (FaultPlan::none(), 27),
            (always(), 0),
            (FaultPlan::none(), 1),
        ] {
            rig.service.set_faults(faults);
            rig.set_clocks(now, now);
            assert_eq!(cycle(&mut runner).await.archived, archived);
            now += if archived == 27 { HOUR } else { MINUTE };
        }
        assert_eq!(hours(&runner), 28);
    }
}

/// Guarantee: Self-healing
/// Guarantee: Bounded
#[tokio::test]
async fn a_service_that_can_t_be_reached_is_tried_every_five_minutes() {
    let mut rig = Rig::at(BEGUN).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    // The first one, of which the runner knows, is gone.
    rig.service = Simulator::start(Settings::default()).await.unwrap();
    let failures = |_: &Rig, runner: &JobRunner| runner.ledger().replay().lines as usize;
    let minutes = minutes_of_work(&rig, &mut runner, failures).await;
    // The job's own pauses, until three windows show that it is down; then the account's.
    let begin = [0, 1, 3, 4, 6, 10].into_iter();
    let expected: Vec<i64> = begin.chain((15..130).step_by(5)).collect();
    assert_eq!(minutes, expected);
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_is_refused_as_if_all_were_has_the_others_go_first_next_time() {
    let rig = Rig::at(BEGUN).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    rig.service
        .set_faults(FaultPlan::script([refused(403, "210")]));
    assert_eq!(cycle(&mut runner).await.left, 24);
    rig.set_clocks(BEGUN + MINUTE, BEGUN + MINUTE);
    assert!(cycle(&mut runner).await.is_complete());
    let asked: Vec<i64> = rig
        .service
        .journal()
        .iter()
        .map(|entry| entry.from.unwrap().0)
        .collect();
    let hour = |hour| BEGIN + hour * HOUR;
    assert_eq!(asked.len(), 25);
    assert_eq!(asked[..2], [0, 1].map(hour));
    assert!(asked[2..4].contains(&hour(23)));
    assert_eq!(asked[24], hour(0));
}

/// Guarantee: Bounded
#[tokio::test]
async fn while_our_clock_is_ahead_the_service_is_asked_for_the_time_once_a_minute() {
    let begun = 2 * HOUR + HOUR / 2;
    let rig = Rig::at(begun).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    rig.set_clocks(begun + DAY, begun);
    // What is due by our clock alone is found out not to be.
    cycle(&mut runner).await;
    rig.service.clear_journal();
    for second in 0..300 {
        let passed = second * 1000;
        rig.set_clocks(begun + DAY + passed, begun + passed);
        assert!(cycle(&mut runner).await.is_complete());
    }
    assert_eq!(rig.service.journal().len(), 5);
    assert_eq!(hours(&runner), 2);
}

/// A job whose only window is in the longest of its pauses.
async fn paused(hours: i64) -> (Rig, JobRunner) {
    let rig = Rig::at(hours * HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    for hour in 0..hours {
        for _ in 0..9 {
            let failed = Failed {
                window: window(hour),
                message: "no".into(),
                needs_bytes: None,
                contradicts: false,
            };
            runner.recorder.ledger.record_failure(failed).unwrap();
        }
    }
    (rig, runner)
}

/// Guarantee: Self-healing
#[tokio::test]
async fn what_ends_for_all_windows_is_noticed_soon_however_long_their_own_pauses_are() {
    let (rig, mut runner) = paused(2).await;
    runner.recorder.breaker.tried();
    runner
        .recorder
        .breaker
        .open(Remedy::Time, "unreachable", rig.clock().now());
    assert_eq!(cycle(&mut runner).await.left, 2);
    assert_eq!(rig.service.journal().len(), 0);
    let later = 2 * HOUR + HOUR / 2 + MINUTE;
    rig.set_clocks(later, later);
    assert_eq!(cycle(&mut runner).await.archived, 2);
}

/// Guarantee: Self-healing
#[tokio::test]
async fn a_start_tries_at_least_one_window_and_all_where_that_succeeds() {
    let (rig, runner) = paused(3).await;
    drop(runner);
    rig.service
        .set_faults(FaultPlan::script([refused(401, "200")]));
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.left, 3);
    assert_eq!(rig.service.journal().len(), 1);
    drop(runner);
    // The key was corrected.
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.archived, 3);
}

/// Guarantee: Bounded
#[tokio::test]
async fn while_our_clock_is_ahead_pauses_hold_and_a_recheck_is_done_once() {
    let mut rig = Rig::at(HOUR + HOUR / 2).await;
    rig.recheck = Some(Millis(HOUR));
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.archived, 1);
    // By our clock the second window is archived late, so it is to be seen again an hour later.
    for (hours, fault, archived, unchecked) in [
        (2, FaultPlan::none(), 1, 0),
        (3, FaultPlan::always(Fault::Html200), 0, 1),
    ] {
        rig.service.set_faults(fault);
        let now = hours * HOUR + HOUR / 2;
        rig.set_clocks(9 * HOUR + now, now);
        assert_eq!(cycle(&mut runner).await.archived, archived);
        // The cycle that finds out how far ahead it is does not do everything.
        cycle(&mut runner).await;
        rig.service.clear_journal();
        for _ in 0..5 {
            assert_eq!(cycle(&mut runner).await.unchecked, unchecked);
        }
        assert_eq!(rig.service.journal().len(), 0, "at {hours}");
    }
}
