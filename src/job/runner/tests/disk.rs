//! Cycles on a disk that fails, while the clock stands still: no pause is ever over.

use super::*;

/// A gate that refuses to stage zips whose path `refuses` names, while `broken`.
fn refusing(
    broken: &Arc<AtomicBool>,
    refuses: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Disk {
    let broken = Arc::clone(broken);
    Disk::gated(move |step, path| {
        let refused = step == Step::StageZip && refuses(path.to_str().unwrap());
        match refused && broken.load(Ordering::Relaxed) {
            true => Err(rustix::io::Errno::NOSPC.into()),
            false => Ok(()),
        }
    })
}

/// Guarantee: Self-healing
#[tokio::test]
async fn what_failed_for_the_disk_is_made_good_once_it_works_and_asked_for_no_sooner() {
    let mut rig = Rig::at(2 * HOUR + HOUR / 2).await;
    let broken = Arc::new(AtomicBool::new(true));
    rig.disk = refusing(&broken, |_| true);
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    for _ in 0..5 {
        let outcome = cycle(&mut runner).await;
        assert_eq!((outcome.archived, outcome.left), (0, 2));
        assert!(outcome.error.is_some());
    }
    // What could not be put anywhere was not asked for, and what the ledger says was said once of
    // each window, after the settings.
    assert_eq!(rig.service.journal().len(), 0);
    assert_eq!(runner.ledger().replay().lines, 3);
    // The program is started anew meanwhile: that changes nothing.
    drop(runner);
    broken.store(false, Ordering::Relaxed);
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 2);
    assert_eq!(rig.service.journal().len(), 2);
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_for_which_the_disk_always_fails_holds_no_other_up() {
    let mut rig = Rig::at(4 * HOUR + HOUR / 2).await;
    let broken = Arc::new(AtomicBool::new(true));
    rig.disk = refusing(&broken, |path| path.contains(&format!("/{BEGIN}-")));
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.archived, 0);
    // The others come first now.
    assert_eq!(cycle(&mut runner).await.archived, 3);
    assert_eq!(cycle(&mut runner).await.left, 1);
    assert_eq!(runner.ledger().replay().lines, 5);
    // So it is when its pause has long been over, and for a program that was just started.
    for (hours, how) in [(6, Mode::Daemon), (8, Mode::Once)] {
        drop(runner);
        rig.set_clocks(hours * HOUR + HOUR / 2, hours * HOUR + HOUR / 2);
        runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
        let outcome = runner.cycle(plan, how, &CancellationToken::new()).await;
        assert_eq!((outcome.archived, outcome.left), (2, 1));
    }
    broken.store(false, Ordering::Relaxed);
    assert!(cycle(&mut runner).await.is_complete());
    assert_eq!(hours(&runner), 8);
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_window_for_which_the_disk_always_fails_keeps_no_recheck_waiting() {
    let mut rig = Rig::at(2 * HOUR + HOUR / 2).await;
    rig.recheck = Some(Millis(HOUR + HOUR));
    let broken = Arc::new(AtomicBool::new(true));
    rig.disk = refusing(&broken, |path| {
        path.contains(&format!("/{}-", BEGIN + 3 * HOUR))
    });
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert_eq!(cycle(&mut runner).await.archived, 2);
    rig.set_clocks(4 * HOUR + HOUR / 2, 4 * HOUR + HOUR / 2);
    let unchecked: Vec<u64> = [cycle(&mut runner).await, cycle(&mut runner).await]
        .iter()
        .map(|outcome| outcome.unchecked)
        .collect();
    // The window that never failed before comes first, and ends the cycle; then it comes last.
    assert_eq!(unchecked, [2, 0]);
}

/// Guarantee: Isolated
#[tokio::test]
async fn what_the_service_refused_waits_for_its_pause_however_much_space_there_is() {
    let rig = Rig::at(HOUR + HOUR / 2).await;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    rig.service.set_faults(FaultPlan::always(Fault::Html200));
    assert_eq!(cycle(&mut runner).await.left, 1);
    rig.service.set_faults(FaultPlan::none());
    assert_eq!(cycle(&mut runner).await.left, 1);
    rig.set_clocks(HOUR + HOUR / 2 + 60_000, HOUR + HOUR / 2 + 60_000);
    assert!(cycle(&mut runner).await.is_complete());
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_in_small_pieces_is_unpacked_once() {
    let mut rig = Rig::at(HOUR + HOUR / 2).await;
    let drip = Fault::Drip {
        pause: Duration::from_millis(1),
    };
    rig.service.set_faults(FaultPlan::script([drip]));
    let created = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&created);
    rig.disk = Disk::gated(move |step, path| {
        if step == Step::StageData {
            seen.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    });
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    assert!(cycle(&mut runner).await.is_complete());
    // Each file is created, and written once: it is small.
    let created = created.lock().unwrap();
    assert!(!created.is_empty());
    for path in created.iter() {
        let times = created.iter().filter(|other| *other == path).count();
        assert_eq!(times, 2, "{}", path.display());
    }
}
