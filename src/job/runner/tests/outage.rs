//! A service that is down for all jobs of an account is asked by one request now and then, and what is due
//! goes on in all of them once it answers.

use tokio::time::timeout;

use super::*;
use crate::domain::standing::State;
use crate::job::outage;

const MINUTE: i64 = 60_000;

/// What is due then are the 24 windows of a day.
const BEGUN: i64 = DAY + HOUR / 2;

fn down() -> Fault {
    Fault::Status {
        http: 503,
        error_code: "500".into(),
        message: "Endpoint Error".into(),
        retry_after: None,
    }
}

/// Runners of jobs of one account.
fn runners<const N: usize>(rig: &Rig, names: [&str; N]) -> [JobRunner; N] {
    let client = rig.client(Deadlines::default());
    names.map(|name| {
        let name = JobName::parse(name).unwrap();
        rig.runner_of(name, Arc::clone(&client), Arc::new(NoProgress))
    })
}

async fn may_be_back(runner: &JobRunner) -> bool {
    let waited = timeout(Duration::ZERO, runner.service_may_be_back());
    waited.await.is_ok()
}

/// Guarantee: Bounded
/// Guarantee: Self-healing
/// Guarantee: Candid
#[tokio::test]
async fn a_service_that_is_down_for_all_is_probed_and_then_everything_goes_on_at_once() {
    let rig = Rig::at(BEGUN).await;
    let [mut a, mut b, mut c] = runners(&rig, ["a", "b", "c"]);
    rig.service.set_faults(FaultPlan::always(down()));
    let mut minutes = Vec::new();
    for now in (BEGUN..BEGUN + 41 * MINUTE).step_by(10_000) {
        rig.set_clocks(now, now);
        for runner in [&mut a, &mut b, &mut c] {
            let before = rig.service.journal().len();
            let outcome = cycle(runner).await;
            // Nothing of what is due is hidden meanwhile.
            let settled = (now - 10 * MINUTE) / HOUR;
            assert_eq!((outcome.archived, outcome.left), (0, settled as u64));
            assert!(outcome.error.is_some());
            for _ in before..rig.service.journal().len() {
                minutes.push((now - BEGUN) / MINUTE);
            }
        }
    }
    // Three attempts at each of three windows of a, and at one of b; not at c's.
    let at_first = [0; 12].into_iter();
    let probes = [1, 3, 7, 12, 17, 22, 27, 32, 37];
    assert_eq!(minutes, at_first.chain(probes).collect::<Vec<i64>>());
    let account = job().account;
    let kept = outage::read(rig.dir.path(), &account).unwrap();
    assert_eq!(kept.since_ms, UtcMs(BEGIN + BEGUN));
    assert_eq!(kept.next_ms, kept.last_ms.plus(Millis::from_mins(5)));
    assert!(kept.message.contains("Endpoint Error"), "{}", kept.message);
    assert_eq!(kept.jobs[..2], ["a", "b"]);

    let outcome = cycle(&mut c).await;
    let stands = c.standing(Some(&outcome));
    assert_eq!(
        (stands.due, stands.covered_until),
        (25, Some(c.job().since))
    );
    let State::Paused { until, message } = stands.state else {
        panic!("{stands:?}");
    };
    assert_eq!(until, kept.next_ms);
    assert!(message.contains("Endpoint Error"), "{message}");

    // It answers again: none waits for its pauses, and none of its schedule.
    assert!(!may_be_back(&a).await);
    let now = BEGUN + 42 * MINUTE;
    rig.set_clocks(now, now);
    rig.service.set_faults(FaultPlan::none());
    for runner in [&mut c, &mut a, &mut b] {
        assert!(may_be_back(runner).await);
        let outcome = cycle(runner).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        assert_eq!(outcome.archived, 25);
        let stands = runner.standing(Some(&outcome));
        assert_eq!((stands.due, stands.state), (0, State::AtWork));
    }
    assert!(outage::read(rig.dir.path(), &account).is_none());
}

/// Guarantee: Isolated
#[tokio::test]
async fn windows_that_fail_while_others_are_answered_hold_no_window_up() {
    let rig = Rig::at(BEGUN).await;
    let [mut a] = runners(&rig, ["a"]);
    // Two windows after all their attempts, then one that is answered, and so on.
    let two = || std::iter::repeat_n(Some(down()), 6).chain([None]);
    rig.service
        .set_faults(FaultPlan::steps((0..4).flat_map(|_| two())));
    let outcome = cycle(&mut a).await;
    assert_eq!((outcome.archived, outcome.left), (16, 8));
    assert!(outage::read(rig.dir.path(), &job().account).is_none());
}

/// Guarantee: Isolated
#[tokio::test]
async fn what_fails_for_one_job_alone_holds_no_other_job_up() {
    let rig = Rig::at(BEGUN).await;
    let [mut a, mut b] = runners(&rig, ["a", "b"]);
    rig.service
        .set_faults(FaultPlan::script(std::iter::repeat_n(down(), 9)));
    assert_eq!(cycle(&mut a).await.left, 24);
    assert_eq!(cycle(&mut b).await.archived, 24);
    // Nor has that shown anything of the other's project.
    assert_eq!(cycle(&mut a).await.left, 24);
    assert_eq!(rig.service.journal().len(), 9 + 24);
    rig.set_clocks(BEGUN + MINUTE, BEGUN + MINUTE);
    assert!(!may_be_back(&b).await);
    assert!(may_be_back(&a).await);
    assert_eq!(cycle(&mut a).await.archived, 24);
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_probe_that_the_job_can_t_make_is_left_to_another_and_nobody_spins() {
    let rig = Rig::at(BEGUN).await;
    let [mut a, mut b, mut idle] = runners(&rig, ["a", "b", "idle"]);
    assert_eq!(cycle(&mut idle).await.archived, 24);
    rig.service.set_faults(FaultPlan::always(down()));
    cycle(&mut a).await;
    cycle(&mut b).await;
    rig.set_clocks(BEGUN + MINUTE, BEGUN + MINUTE);
    assert!(may_be_back(&idle).await);
    let outcome = cycle(&mut idle).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    assert!(!may_be_back(&idle).await);
    assert!(may_be_back(&b).await);
    let before = rig.service.journal().len();
    cycle(&mut b).await;
    assert_eq!(rig.service.journal().len(), before + 1);
}

/// Guarantee: Self-healing
#[tokio::test]
async fn a_job_whose_disk_is_gone_does_not_spin_for_the_service_s_sake_and_goes_on_later() {
    let mut rig = Rig::at(BEGUN).await;
    let gone = Arc::new(AtomicBool::new(false));
    rig.disk = Disk::gated({
        let gone = Arc::clone(&gone);
        move |step, _| match step {
            Step::ListArchive if gone.load(Ordering::Relaxed) => Err(rustix::io::Errno::IO.into()),
            _ => Ok(()),
        }
    });
    let [mut a, mut b] = runners(&rig, ["a", "b"]);
    rig.service.set_faults(FaultPlan::always(down()));
    cycle(&mut a).await;
    cycle(&mut b).await;
    rig.set_clocks(BEGUN + MINUTE, BEGUN + MINUTE);
    gone.store(true, Ordering::Relaxed);
    b.recorder.look_for_folders = true;
    assert!(may_be_back(&b).await);
    assert!(cycle(&mut b).await.error.is_some());
    assert!(!may_be_back(&b).await);
    rig.service.set_faults(FaultPlan::none());
    assert_eq!(cycle(&mut a).await.archived, 24);
    assert!(may_be_back(&b).await);
    assert!(cycle(&mut b).await.error.is_some());
    assert!(!may_be_back(&b).await);
    gone.store(false, Ordering::Relaxed);
    assert_eq!(cycle(&mut b).await.archived, 24);
}

/// Guarantee: Self-healing
#[tokio::test]
async fn a_refusal_shows_that_the_service_is_not_down_and_a_start_asks_for_everything() {
    let rig = Rig::at(BEGUN).await;
    let [mut a] = runners(&rig, ["a"]);
    rig.service
        .set_faults(FaultPlan::script(std::iter::repeat_n(down(), 9).chain([
            Fault::Status {
                http: 404,
                error_code: "300".into(),
                message: "no".into(),
                retry_after: None,
            },
        ])));
    assert_eq!(cycle(&mut a).await.left, 24);
    rig.set_clocks(BEGUN + MINUTE, BEGUN + MINUTE);
    cycle(&mut a).await;
    let outcome = cycle(&mut a).await;
    assert!(outcome.is_complete(), "{outcome:?}");
    // Somebody who asks is not kept waiting.
    rig.service.set_faults(FaultPlan::always(down()));
    rig.set_clocks(BEGUN + 5 * HOUR, BEGUN + 5 * HOUR);
    cycle(&mut a).await;
    rig.service.set_faults(FaultPlan::none());
    let stop = CancellationToken::new();
    let outcome = a.cycle(plan, Mode::Once, &stop).await;
    assert!(outcome.is_complete(), "{outcome:?}");
}
