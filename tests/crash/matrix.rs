//! Which points are tried on which disks: all of them, or a sample that a seed decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Mutex;
use std::thread;

use elsa_archiver::durable::Step;

use super::flushed::relied_on_too_early;
use super::ground::{Cut, Ground, own_namespace};
use super::lie::Lie;
use super::scene::{Scene, Start};
use super::tracer::{At, Point, Seen, What};

/// Repeatable randomness.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound` (SplitMix64).
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % bound.max(1) as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// How a run ends: on which disk, and whether the power is cut.
pub type Mode = (Ground, Cut);

/// Those that need no more than a folder.
pub const UNPRIVILEGED: [Mode; 1] = [(Ground::Folder, Cut::None)];

/// All of them.
pub const ALL: [Mode; 5] = [
    (Ground::Folder, Cut::None),
    (Ground::Ext4, Cut::KeepJournal),
    (Ground::Ext4, Cut::LoseJournal),
    (Ground::Xfs, Cut::KeepJournal),
    (Ground::Xfs, Cut::LoseJournal),
];

/// One run that is killed.
#[derive(Clone, Debug)]
pub struct Case {
    pub start: Start,
    pub lie: Lie,
    pub point: Point,
    pub step: Option<Step>,
    pub what: What,
    pub mode: Mode,
    /// Where the run that follows is killed too.
    pub then: Option<usize>,
}

/// Every call of an undisturbed cycle.
pub fn reference(scene: &mut Scene, start: Start, lie: Lie) -> Vec<Seen> {
    scene.lay(start);
    let traced = scene.traced(None, lie);
    assert_eq!(traced.code, Some(0), "{}", traced.log);
    if lie == Lie::None {
        scene.look().unwrap();
    }
    traced.calls
}

/// Every case there is for these calls.
pub fn cases(calls: &[Seen], start: Start, lie: Lie, modes: &[Mode], dice: &mut Dice) -> Vec<Case> {
    let mut cases = Vec::new();
    let tried = |seen: &&Seen| seen.call.changes() && start.is_about(&seen.call);
    for Seen { point, call, .. } in calls.iter().filter(tried) {
        let halves = call.bytes > 1 && call.kind == super::call::Kind::Write
            || lie == Lie::PublishByCopy && call.publishes();
        for &mode in modes {
            for what in [What::KillBefore, What::KillMidway, What::KillAfter] {
                if what != What::KillMidway || halves {
                    let then = (dice.below(2) == 0).then(|| 1 + dice.below(60));
                    let (point, step) = (point.clone(), call.step());
                    cases.push(Case {
                        start,
                        lie,
                        point,
                        step,
                        what,
                        mode,
                        then,
                    });
                }
            }
        }
    }
    cases
}

/// So many of them that each step comes with each mode before any comes twice.
pub fn sample(mut cases: Vec<Case>, most: usize, dice: &mut Dice) -> Vec<Case> {
    dice.shuffle(&mut cases);
    let mut cases = in_turns(cases, |case| (case.step, case.mode));
    cases.truncate(most);
    cases
}

/// Puts them into an order in which each kind comes before any comes twice, and otherwise leaves
/// them in theirs.
pub fn in_turns<T, K: Hash + Eq>(all: Vec<T>, kind: impl Fn(&T) -> K) -> Vec<T> {
    let mut times: HashMap<K, usize> = HashMap::new();
    let mut ranked: Vec<(usize, T)> = Vec::new();
    for one in all {
        let times = times.entry(kind(&one)).or_insert(0);
        ranked.push((*times, one));
        *times += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, one)| one).collect()
}

/// What came of all cases.
#[derive(Debug, Default)]
pub struct Tally {
    pub points: BTreeSet<(Start, Point)>,
    pub steps: BTreeMap<String, usize>,
    pub kills: usize,
    pub kills_in_recovery: usize,
    pub cuts: usize,
    pub not_reached: usize,
    pub by_mode: BTreeMap<Mode, usize>,
    pub violations: Vec<String>,
}

/// Runs cases side by side, and stops early at `enough` violations.
pub fn run(cases: Vec<Case>, enough: usize) -> Tally {
    let left = Mutex::new(cases);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism()
            .map_or(2, usize::from)
            .min(4)
        {
            scope.spawn(|| {
                let mut scenes = BTreeMap::new();
                let mut private = false;
                // The next one, on its own line: the lock must not be held while it runs.
                loop {
                    let Some(case) = left.lock().unwrap().pop() else {
                        break;
                    };
                    let kind = case.mode.0;
                    if kind != Ground::Folder && !private {
                        own_namespace().unwrap();
                        private = true;
                    }
                    let scene = scenes.entry(kind).or_insert_with(|| Scene::new(kind));
                    let result = one(scene, &case, &tally);
                    let mut tally = tally.lock().unwrap();
                    if let Err(violation) = result {
                        tally.violations.push(format!("{case:?}: {violation}"));
                    }
                    if tally.violations.len() >= enough {
                        left.lock().unwrap().clear();
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// One case: killed, cut, looked at, killed and cut again while it recovers, and made good.
fn one(scene: &mut Scene, case: &Case, tally: &Mutex<Tally>) -> Result<(), String> {
    let cut = case.mode.1;
    scene.lay(case.start);
    let traced = scene.traced(Some((At::Point(&case.point), case.what)), case.lie);
    {
        let mut tally = tally.lock().unwrap();
        tally.points.insert((case.start, case.point.clone()));
        *tally.by_mode.entry(case.mode).or_insert(0) += 1;
        if traced.hit.is_some() {
            tally.kills += 1;
            *tally.steps.entry(super::step_name(case.step)).or_insert(0) += 1;
        } else {
            tally.not_reached += 1;
        }
        tally.cuts += usize::from(cut != Cut::None);
    }
    if case.lie == Lie::None {
        relied_on_too_early(&traced.calls)?;
    }
    scene.disk.cut(cut);
    scene.look().map_err(|why| format!("right after: {why}"))?;
    if let Some(nth) = case.then {
        let traced = scene.traced(Some((At::Nth(nth), What::KillAfter)), Lie::None);
        if traced.hit.is_some() {
            let mut tally = tally.lock().unwrap();
            tally.kills_in_recovery += 1;
            tally.cuts += usize::from(cut != Cut::None);
        }
        relied_on_too_early(&traced.calls)?;
        scene.disk.cut(cut);
        scene
            .look()
            .map_err(|why| format!("after a kill in recovery: {why}"))?;
    }
    scene
        .converge()
        .map_err(|why| format!("started again: {why}"))
}
