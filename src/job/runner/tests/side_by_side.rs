//! Hundreds of windows in flight at once, answers in any order, faults of the service and of the disk among
//! them: each window is archived once, and the manifests are one chain. `SIDE_BY_SIDE=1000` tries so many
//! seeds; `SIDE_BY_SIDE_SEED` brings one back.

use std::collections::BTreeMap;

use super::*;
use crate::archive::manifest::{ChainBreak, MANIFEST, Manifest};
use crate::archive::publish::Archived;
use crate::digest::Digest;
use crate::ledger::line::Event;

/// What is due are the windows of that many hours.
const WINDOWS: i64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Repeatable randomness, as a share of one.
fn chance(seed: u64, at: u64) -> f64 {
    fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9) ^ at).f64()
}

/// Everything that a ledger says is archived, and where it says that the chain of manifests breaks.
pub(super) fn recorded(rig: &Rig) -> (Vec<Archived>, Vec<ChainBreak>) {
    let (mut archived, mut breaks) = (Vec::new(), Vec::new());
    Ledger::read(rig.dir.path(), &job().name, |line| match &line.event {
        Event::Archived(found) => archived.push(found.clone()),
        Event::Rebuilt(rebuilt) => breaks.extend_from_slice(&rebuilt.breaks),
        _ => {}
    })
    .unwrap();
    (archived, breaks)
}

/// Asserts that what is archived is in one chain, in the order of the ledger, and that no other folder is there.
/// The data of a folder that the ledger lacks may be unreadable for a while: then the chain goes on without it, and
/// the ledger tells that when it is adopted later.
pub(super) fn assert_one_chain(rig: &Rig) {
    let root = rig.dir.path().join("archive");
    let (mut previous, mut folders) = (None, BTreeMap::new());
    let (archived, breaks) = recorded(rig);
    for archived in archived {
        let json = std::fs::read(root.join(&archived.folder).join(MANIFEST)).unwrap();
        let manifest = Manifest::parse(&json).unwrap();
        let sha256 = Digest::of(&json);
        let is_told = breaks
            .iter()
            .any(|told| told.manifest_sha256 == sha256 && told.previous == manifest.previous);
        if !is_told {
            assert_eq!(manifest.previous, previous, "{}", archived.folder);
        }
        previous = Some(sha256);
        assert_eq!(previous, Some(archived.manifest_sha256));
        let again = folders.insert(archived.window, archived.folder);
        assert_eq!(again, None, "archived twice");
    }
    let mut visible = 0;
    for date in std::fs::read_dir(root.join(job().name.as_str())).unwrap() {
        visible += std::fs::read_dir(date.unwrap().path()).unwrap().count();
    }
    assert_eq!(visible, folders.len());
}

async fn try_seed(seed: u64) {
    let now = WINDOWS * HOUR + HOUR / 2;
    let mut rig = Rig::with_logs_of(WINDOWS * HOUR, now).await;
    rig.max_in_flight = 32;
    let longest = Duration::from_micros(5000);
    rig.service.set_latency(Duration::ZERO..=longest);
    let faults = vec![
        Fault::Reset,
        Fault::CutAfter(40),
        Fault::CorruptZip(60),
        Fault::Status {
            http: 503,
            error_code: "500".into(),
            message: "Endpoint Error".into(),
            retry_after: None,
        },
        Fault::Status {
            http: 400,
            error_code: "100".into(),
            message: "no".into(),
            retry_after: None,
        },
    ];
    let share = chance(seed, 0) * 0.3;
    rig.service
        .set_faults(FaultPlan::random(seed, share, faults));
    let (steps, begun) = (AtomicI64::new(0), Arc::new(AtomicBool::new(false)));
    // A disk that fails in one of three worlds, now and then.
    let failing = match seed % 3 {
        0 => 0.001,
        _ => 0.0,
    };
    rig.disk = Disk::gated({
        let begun = Arc::clone(&begun);
        move |_, _| {
            let step = steps.fetch_add(1, Ordering::Relaxed) as u64;
            match begun.load(Ordering::Relaxed) && chance(seed, 1 + step) < failing {
                true => Err(rustix::io::Errno::IO.into()),
                false => Ok(()),
            }
        }
    });
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    begun.store(true, Ordering::Relaxed);
    let stop = CancellationToken::new();
    let mut cycles = 0;
    while runner.cycle(plan, Mode::Once, &stop).await.left > 0 {
        cycles += 1;
        assert!(cycles < 1000, "seed {seed} does not end");
    }
    assert_eq!(hours(&runner), WINDOWS);
    assert_one_chain(&rig);
}

/// Guarantee: Exactly once
/// Guarantee: Evident
/// Guarantee: Ordered
#[tokio::test(flavor = "multi_thread")]
async fn windows_side_by_side_are_archived_once_each_in_one_chain_whatever_the_order_of_answers() {
    let seeds = match number("SIDE_BY_SIDE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIDE_BY_SIDE").unwrap_or(5),
    };
    for seed in seeds {
        // Shown where it fails.
        println!("SIDE_BY_SIDE_SEED={seed}");
        try_seed(seed).await;
    }
}

/// Guarantee: Isolated
#[tokio::test]
async fn a_bad_stretch_of_time_is_no_outage_where_the_other_windows_are_answered_meanwhile() {
    let mut rig = Rig::at(DAY + HOUR / 2).await;
    rig.max_in_flight = 8;
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    // The first is answered; of those that begin together then, four fail until the others are done.
    let down = || Fault::Status {
        http: 503,
        error_code: "500".into(),
        message: "Endpoint Error".into(),
        retry_after: None,
    };
    let steps = [None].into_iter();
    let bad = (0..4).map(|_| Some(down()));
    let well = std::iter::repeat_n(None, 19);
    let rest = std::iter::repeat_with(|| Some(down())).take(8);
    rig.service
        .set_faults(FaultPlan::steps(steps.chain(bad).chain(well).chain(rest)));
    let stop = CancellationToken::new();
    let outcome = runner.cycle(plan, Mode::Daemon, &stop).await;
    assert!(!runner.client.availability().holds(&job().name));
    assert_eq!(outcome.archived + outcome.left, 24);
    assert!(outcome.archived >= 20, "{outcome:?}");
}
