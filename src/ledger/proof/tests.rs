//! Proofs of what a start has not read: when they are due, what they find, and what follows.

use super::*;
use crate::clock::Clock;
use crate::domain::failures::Failed;
use crate::domain::span::Span;
use crate::domain::window::Window;
use crate::ledger::Ledger;

const DAY: i64 = 86_400_000;

struct World {
    dir: tempfile::TempDir,
    job: JobName,
}

impl World {
    /// A ledger of so many lines that was closed.
    fn of(lines: u64) -> Self {
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            job: JobName::parse("shop").unwrap(),
        };
        let mut ledger = world.resume();
        for line in 0..lines {
            fail(&mut ledger, line).unwrap();
        }
        ledger.close();
        world
    }

    fn resume(&self) -> Ledger {
        let disk = Disk::default();
        let looked = Ledger::look(self.dir.path(), &self.job).unwrap();
        let clock = Clock::new(|| UtcMs(DAY));
        Ledger::resume(self.dir.path(), &self.job, looked, (&disk, &clock)).unwrap()
    }

    fn path(&self) -> PathBuf {
        Ledger::path(self.dir.path(), &self.job)
    }

    /// Changes a letter in the second line.
    fn damage(&self) {
        let text = fs::read_to_string(self.path()).unwrap();
        fs::write(self.path(), text.replacen("no. 1", "no. 7", 1)).unwrap();
    }

    fn checkpoint(&self) -> PathBuf {
        checkpoint::path(&self.path())
    }
}

fn fail(ledger: &mut Ledger, number: u64) -> Result<(), LedgerError> {
    let from = UtcMs(number as i64 * 1000);
    ledger.record_failure(Failed {
        window: Window::of(Span::new(from, from.plus(Millis(1000))).unwrap()),
        message: format!("no. {number}"),
        needs_bytes: None,
        contradicts: false,
    })
}

fn make(proof: &Proof, now: i64) -> Result<(), LedgerError> {
    proof.make(UtcMs(now), |_| Ok(()))
}

/// Guarantee: Evident
/// Guarantee: Candid
#[test]
fn a_start_trusts_a_checkpoint_and_the_proof_finds_damage_before_it_and_stops_the_job() {
    let world = World::of(150);
    world.damage();
    let told = Ledger::read(world.dir.path(), &world.job, |_| {}).unwrap_err();
    let glance = || Ledger::glance(world.dir.path(), &world.job);
    assert_eq!(glance().unwrap().lines, 150);
    let mut ledger = world.resume();
    fail(&mut ledger, 150).unwrap();

    let proof = ledger.proof().clone();
    assert!(proof.is_due(UtcMs(DAY)));
    let found = make(&proof, DAY).unwrap_err();
    assert_eq!(found.to_string(), told.to_string());
    assert!(told.to_string().contains("line 3"), "{told}");
    // Whoever looks now finds it too, and nothing is built on it.
    assert!(!world.checkpoint().exists());
    assert_eq!(glance().unwrap_err().to_string(), told.to_string());
    let before = fs::read(world.path()).unwrap();
    let refused = fail(&mut ledger, 151).unwrap_err();
    assert_eq!(refused.to_string(), told.to_string());
    ledger.close();
    assert_eq!(fs::read(world.path()).unwrap(), before);
    assert!(!world.checkpoint().exists() && !proof.is_due(UtcMs(9 * DAY)));
}

/// Guarantee: Evident
#[test]
fn a_ledger_is_proven_once_a_day_also_over_restarts_and_by_a_start_that_reads_it_whole() {
    let world = World::of(150);
    let proof = world.resume().proof().clone();
    assert!(proof.is_due(UtcMs(3 * DAY)));
    make(&proof, 3 * DAY).unwrap();
    for proof in [proof, world.resume().proof().clone()] {
        assert!(!proof.is_due(UtcMs(4 * DAY - 1)));
        assert!(proof.is_due(UtcMs(4 * DAY)));
        // A clock that was ahead says nothing.
        assert!(proof.is_due(UtcMs(3 * DAY - 1)));
    }
    fs::remove_file(world.checkpoint()).unwrap();
    let ledger = world.resume();
    assert!(!ledger.proof().is_due(UtcMs(DAY)) && ledger.proof().is_due(UtcMs(2 * DAY)));
    // One that is read whole by each start needs none.
    let world = World::of(99);
    assert!(!world.resume().proof().is_due(UtcMs(DAY)));
}

/// Guarantee: Evident
#[test]
fn a_checkpoint_that_does_not_show_what_its_lines_say_is_found_and_taken_away() {
    let world = World::of(150);
    let ledger = world.resume();
    let mut wrong = ledger.replay().clone();
    wrong.coverage.add(Span::new(UtcMs(0), UtcMs(9)).unwrap());
    checkpoint::save(&world.path(), &wrong, &Disk::default()).unwrap();
    let error = make(ledger.proof(), DAY).unwrap_err().to_string();
    assert!(error.contains("the first 150 lines"), "{error}");
    assert!(!world.checkpoint().exists());
    assert_eq!(world.resume().replay(), ledger.replay());
}

/// Guarantee: Self-healing
#[test]
fn a_proof_that_is_stopped_or_beside_which_lines_are_written_says_nothing_wrong() {
    let world = World::of(150);
    let mut ledger = world.resume();
    let proof = ledger.proof().clone();
    let stopped = proof.make(UtcMs(DAY), |_| Err(io::Error::other("stop")));
    stopped.unwrap_err();
    assert!(proof.holds().is_ok() && proof.is_due(UtcMs(DAY)) && world.checkpoint().exists());
    // A line is half written, and a new checkpoint is kept while the proof reads.
    let mut number = 150;
    let made = proof.make(UtcMs(DAY), |_| {
        for _ in 0..100 {
            fail(&mut ledger, number).unwrap();
            number += 1;
        }
        Ok(())
    });
    made.unwrap();
    // Without any, all of it is read.
    fs::remove_file(world.checkpoint()).unwrap();
    let whole = fs::read(world.path()).unwrap();
    fs::write(world.path(), &whole[..whole.len() - 9]).unwrap();
    make(&proof, 2 * DAY).unwrap();
}
