//! *Atomic* and *Evident* over any history: windows are archived, revised, let go of, held, proven elsewhere and brought
//! back in any order, and after each step the archive is intact, and nothing has gone that the rule keeps.
//!
//! The model beside it is as small as it can be: it looks at disks, and knows nothing of ledgers. `PRUNE_SEED` brings a
//! history back, `PRUNE_HISTORIES` says how many are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use elsa_archiver::domain::span::{Millis, Span, UtcMs};
use elsa_archiver::simulator::Settings;
use fastrand::Rng;

use crate::harness::{Due, Job, World, tell};
use crate::prune::{collect, copy, pruned, receipt};

/// The histories of a run that is not told which: those of every run, so that what it finds is not left to chance.
const SEED: u64 = 20_261_130;
/// Histories of a run that is not told how many.
const HISTORIES: u64 = 3;
/// Steps of each.
const STEPS: u32 = 24;
/// Windows.
const WINDOWS: usize = 8;
/// Where copies lie.
const PLACES: [&str; 2] = ["vault", "tape"];

/// What is known of an archive by whoever looks at its disk.
struct History {
    world: World,
    due: Due,
    rng: Rng,
    /// How many windows are due so far.
    settled: usize,
    held: BTreeSet<(usize, usize)>,
    /// Of each place the folders that had all their data when it gave its last receipt.
    proven: BTreeMap<&'static str, BTreeSet<String>>,
    told: Vec<String>,
    /// Windows that a prune took, that a hold kept, and that the need of receipts did.
    went: [usize; 3],
}

impl History {
    async fn begin(seed: u64) -> Self {
        let due = Due::hours(i64::try_from(WINDOWS).unwrap());
        let project = due.project("shop").with_late(7, Millis(1 << 40));
        let settings = Settings {
            projects: vec![project],
            ..Settings::default()
        };
        let mut history = Self {
            world: World::start(settings).await,
            due,
            rng: Rng::with_seed(seed),
            settled: 2,
            held: BTreeSet::new(),
            proven: BTreeMap::new(),
            told: Vec::new(),
            went: [0; 3],
        };
        history.archive();
        history
    }

    /// The folders of a window, and whether each has data.
    fn folders(&self) -> BTreeMap<Span, Vec<(String, bool)>> {
        let mut windows: BTreeMap<Span, Vec<(String, bool)>> = BTreeMap::new();
        for folder in self.world.folders("shop") {
            let has_data = has_data(&folder.path);
            windows
                .entry(folder.window)
                .or_default()
                .push((folder.name, has_data));
        }
        windows
    }

    fn run(&mut self, args: &[&str], code: i32) -> String {
        self.told.push(args.join(" "));
        self.world.run(args).exits(code).stdout
    }

    /// Some windows, as their first and last one.
    fn some(&mut self) -> (usize, usize) {
        let first = self.rng.usize(..self.settled);
        (first, self.rng.usize(first..self.settled))
    }

    fn bounds(&self, (first, last): (usize, usize)) -> [String; 2] {
        let (first, last) = (self.due.windows[first], self.due.windows[last]);
        [first.from().to_string(), last.to().to_string()]
    }

    fn archive(&mut self) {
        let left = i64::try_from(WINDOWS - self.settled).unwrap();
        let settle = format!("\"{}s\"", self.due.settle_s + left * 3600);
        let job = Job::new("shop", &self.due).with("settle", &settle);
        self.world.configure(&[job]);
        self.world.keep_zips(self.rng.bool());
        self.run(&["once"], 0);
        assert_eq!(self.folders().len(), self.settled);
    }

    fn step(&mut self) {
        match self.rng.u8(..8) {
            0 | 1 => {
                self.settled = (self.settled + 1).min(WINDOWS);
                self.archive();
            }
            2 => {
                // All that was late comes, once and for all.
                self.world.service.set_visible_at(Some(UtcMs(1 << 45)));
                let some = self.some();
                let [from, to] = self.bounds(some);
                let args = ["backfill", "--again", "--job", "shop"];
                self.run(&[&args, &["--from", &from, "--to", &to][..]].concat(), 0);
            }
            3 => {
                let some = self.some();
                let [from, to] = self.bounds(some);
                let span = ["--job", "shop", "--from", &from, "--to", &to];
                match self.held.remove(&some) {
                    true => self.run(&[&["release"], &span[..]].concat(), 0),
                    false => {
                        self.held.insert(some);
                        let reason = ["--reason", "case"];
                        self.run(&[&["hold"], &span[..], &reason].concat(), 0)
                    }
                };
            }
            4 => self.prove(),
            5 => self.restore(),
            _ => self.prune(),
        }
    }

    /// A collector comes, and its place gives a receipt.
    fn prove(&mut self) {
        let place = PLACES[self.rng.usize(..PLACES.len())];
        self.told.push(format!("receipt of {place}"));
        collect(&self.world, place);
        let copied = self.folders().into_values().flatten();
        let whole = copied.filter(|(name, _)| has_data(&self.world.path(place).join(name)));
        let whole = whole.map(|(name, _)| name).collect();
        receipt(&self.world, place);
        self.proven.insert(place, whole);
    }

    /// Data come back from a copy, beside the sums that say that they are gone.
    fn restore(&mut self) {
        let place = self.world.path(PLACES[self.rng.usize(..PLACES.len())]);
        let gone = self.folders().into_values().flatten();
        let gone = gone.filter(|(name, is_there)| !is_there && has_data(&place.join(name)));
        let gone: Vec<String> = gone.map(|(name, _)| name).collect();
        let Some(name) = self.rng.choice(&gone) else {
            return;
        };
        self.told.push(format!("{name} is back"));
        copy(&place.join(name), &self.world.root().join(name));
    }

    fn prune(&mut self) {
        let (need, until) = (self.rng.usize(..3), self.rng.usize(..self.settled));
        let before = self.folders();
        let bound = self.due.windows[until].to();
        let (text, needs) = (bound.to_string(), need.to_string());
        let args = ["prune", "--before", &text, "--need", &needs];
        let shown = self.run(&args, 0);
        assert_eq!(self.folders(), before, "{shown}");
        self.run(&[&args[..], &["--confirm"]].concat(), 0);
        let after = self.folders();
        let newest = before.keys().next_back().unwrap();
        for (window, folders) in &before {
            let at = self
                .due
                .windows
                .iter()
                .position(|one| one == window)
                .unwrap();
            let is_held = self
                .held
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&at));
            let proven = self.proven.values();
            let has =
                |place: &&BTreeSet<String>| folders.iter().all(|(name, _)| place.contains(name));
            let places = proven.filter(has).count();
            let is_old = window.to() <= bound && window != newest;
            let has_data = folders.iter().any(|(_, is_there)| *is_there);
            let kinds = [
                !is_held && places >= need,
                is_held,
                !is_held && places < need,
            ];
            for (count, is) in self.went.iter_mut().zip(kinds) {
                *count += usize::from(is && is_old && has_data);
            }
            let goes = window.to() <= bound && window != newest && !is_held && places >= need;
            for ((name, was), (_, is)) in folders.iter().zip(&after[window]) {
                assert_eq!(
                    *is,
                    *was && !goes,
                    "{name}: held {is_held}, places {places}\n{shown}"
                );
            }
        }
    }

    /// What has to hold after each step.
    fn look(&mut self) {
        self.run(&["verify"], 0);
        let root = self.world.root().display().to_string();
        self.run(&["verify", &root], 0);
        // Sums pass on what stays.
        pruned(&self.world);
        self.run(&["status"], 0);
    }
}

/// Whether all data of a folder are there: its manifest says which.
fn has_data(folder: &Path) -> bool {
    let Ok(json) = fs::read(folder.join("manifest.json")) else {
        return false;
    };
    let manifest: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let parts = manifest["parts"].as_array().unwrap();
    let files = parts
        .iter()
        .flat_map(|part| match part["zip"]["path"].as_str() {
            Some(zip) => vec![zip.to_owned()],
            None => {
                let files = part["files"].as_array().unwrap();
                let path = |file: &serde_json::Value| file["path"].as_str().unwrap().to_owned();
                files.iter().map(path).collect()
            }
        });
    let files: Vec<PathBuf> = files.map(|file| folder.join(file)).collect();
    files.iter().all(|file| file.exists())
}

/// Guarantee: Atomic
/// Guarantee: Evident
#[tokio::test(flavor = "multi_thread")]
async fn over_any_history_nothing_goes_that_the_rule_keeps_and_all_that_stays_is_proven() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("PRUNE_SEED").unwrap_or(SEED);
    let histories = number("PRUNE_HISTORIES").unwrap_or(HISTORIES);
    let (mut steps, mut went) = (0, [0; 3]);
    for history in 0..histories {
        let seed = seed.wrapping_add(history);
        tell(format!("prune history, seed {seed}"));
        let mut history = History::begin(seed).await;
        for _ in 0..STEPS {
            history.step();
            history.look();
            steps += 1;
        }
        let places: Vec<&str> = history.proven.keys().copied().collect();
        for place in places {
            let copy = history.world.path(place).display().to_string();
            history.run(&["verify", &copy], 0);
        }
        for (all, one) in went.iter_mut().zip(history.went) {
            *all += one;
        }
    }
    tell(format!(
        "prune histories: {histories}, {steps} steps; let go of, held, without receipts: {went:?}"
    ));
    // A run of chance may have little of one; several have all.
    assert!(went[0] > 0 && (histories < 10 || went.iter().all(|count| *count > 0)));
}
