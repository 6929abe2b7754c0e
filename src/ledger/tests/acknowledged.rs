//! Acknowledgements of windows that are not known to be complete: until when they count, and what
//! the ledger says of them.

use std::sync::atomic::AtomicI64;

use super::*;
use crate::archive::manifest::Supersedes;
use crate::digest::Digest;
use crate::domain::incomplete::Numbers;
use crate::domain::second_opinion::SecondOpinion;
use crate::domain::split::Status;

/// A ledger and the clock that dates its lines.
fn ledger(world: &World) -> (Ledger, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(0));
    let clock = Clock::new({
        let now = Arc::clone(&now);
        move || UtcMs(now.load(Ordering::Relaxed))
    });
    let ledger = Ledger::open(world.dir.path(), &world.job, &world.disk, &clock).unwrap();
    (ledger, now)
}

fn hour(number: i64) -> Window {
    Window::of(span(number * HOUR, (number + 1) * HOUR))
}

fn archived(number: i64, status: Status, supersedes: Option<Status>) -> Event {
    let manifest_sha256 = Digest::of(b"manifest");
    let supersedes = supersedes.map(|status| Supersedes {
        folder: "shop/x/y".to_owned(),
        manifest_sha256,
        status,
        records: None,
        bytes: 0,
        confirmed: None,
        asked_ms: UtcMs(0),
        found_ms: UtcMs(0),
        missing: false,
    });
    Event::Archived(Archived {
        window: hour(number),
        status,
        records: None,
        bytes: 0,
        folder: format!("shop/x/{number}"),
        manifest_sha256,
        supersedes: supersedes.map(Box::new),
        asked: None,
        opinion: SecondOpinion::default(),
        is_inclusive: false,
        is_pruned: false,
    })
}

/// How many are truncated and unproven, and how many of them are acknowledged.
fn numbers(replay: &Replay) -> [(u64, u64); 2] {
    let of = |numbers: Numbers| (numbers.truncated, numbers.unproven);
    [
        of(replay.incomplete.all()),
        of(replay.incomplete.acknowledged()),
    ]
}

/// Guarantee: Candid
#[test]
fn a_loss_that_is_recorded_after_an_acknowledgement_is_not_acknowledged() {
    let world = World::new();
    let (mut ledger, now) = ledger(&world);
    let lost = |number| hour(number).span();
    let known = 10 * HOUR;
    now.store(known, Ordering::Relaxed);
    ledger.record_lost(lost(5)).unwrap();
    acknowledgement::leave(&world.path(), UtcMs(known), &world.disk).unwrap();
    // Found in the cycle that was under way, and older.
    now.store(known + 1, Ordering::Relaxed);
    ledger.record_lost(lost(1)).unwrap();
    let expected = [(lost(1), false), (lost(5), true)];

    let mut glanced = Ledger::glance(world.dir.path(), &world.job).unwrap();
    acknowledgement::count_at_once(&world.path(), &mut glanced);
    assert_eq!(glanced.lost(), expected);
    ledger.take_acknowledgement().unwrap();
    assert_eq!(ledger.replay().lost(), expected);
    // Whoever acknowledges later knows of it too, also by a checkpoint.
    drop(ledger);
    let mut ledger = self::ledger(&world).0;
    assert_eq!(ledger.replay().lost(), expected);
    acknowledgement::leave(&world.path(), UtcMs(known + 1), &world.disk).unwrap();
    ledger.take_acknowledgement().unwrap();
    let all = [(lost(1), true), (lost(5), true)];
    assert_eq!(ledger.replay().lost(), all);
}

/// Guarantee: Candid
#[test]
fn what_is_recorded_after_an_acknowledgement_is_not_acknowledged() {
    let world = World::new();
    let (mut ledger, now) = ledger(&world);
    now.store(1000, Ordering::Relaxed);
    ledger.append(archived(5, Status::Unproven, None)).unwrap();
    ledger.append(archived(6, Status::Truncated, None)).unwrap();
    ledger.append(archived(7, Status::Complete, None)).unwrap();
    acknowledgement::leave(&world.path(), UtcMs(1000), &world.disk).unwrap();
    // A window of long ago, archived before the acknowledgement is taken.
    now.store(1001, Ordering::Relaxed);
    ledger.append(archived(1, Status::Unproven, None)).unwrap();

    // It counts at once, though the ledger does not say so.
    let mut glanced = Ledger::glance(world.dir.path(), &world.job).unwrap();
    assert_eq!(numbers(&glanced), [(1, 2), (0, 0)]);
    acknowledgement::count_at_once(&world.path(), &mut glanced);
    assert_eq!(numbers(&glanced), [(1, 2), (1, 1)]);

    ledger.take_acknowledgement().unwrap();
    assert!(!acknowledgement::path(&world.path()).exists());
    assert_eq!(numbers(ledger.replay()), [(1, 2), (1, 1)]);
    assert!(!ledger.replay().incomplete.is_acknowledged(hour(1)));
    let text = fs::read_to_string(world.path()).unwrap();
    let said: Vec<Event> = text
        .lines()
        .map(|line| Line::parse(line.as_bytes()).unwrap().event)
        .collect();
    let losses = Span::new(UtcMs(i64::MIN), UtcMs(1000)).unwrap();
    let spans = [losses, hour(5).span(), hour(6).span()];
    assert_eq!(said[4..], spans.map(Event::Acknowledged));
}

/// Guarantee: Candid
#[test]
fn what_is_published_anew_is_judged_anew_and_a_checkpoint_knows_it_too() {
    let world = World::new();
    let (mut ledger, now) = ledger(&world);
    now.store(1000, Ordering::Relaxed);
    for number in 0..3 {
        let unproven = archived(number, Status::Unproven, None);
        ledger.append(unproven).unwrap();
    }
    acknowledgement::leave(&world.path(), UtcMs(1000), &world.disk).unwrap();
    ledger.take_acknowledgement().unwrap();
    assert_eq!(numbers(ledger.replay()), [(0, 3), (0, 3)]);
    let anew = |number, status| archived(number, status, Some(Status::Unproven));
    ledger.append(anew(0, Status::Complete)).unwrap();
    ledger.append(anew(1, Status::Unproven)).unwrap();
    assert_eq!(numbers(ledger.replay()), [(0, 2), (0, 1)]);

    checkpoint::save(&world.path(), ledger.replay(), &world.disk).unwrap();
    let whole = Ledger::read(world.dir.path(), &world.job, |_| {}).unwrap();
    let glanced = Ledger::glance(world.dir.path(), &world.job).unwrap();
    assert_eq!((&whole, &glanced), (ledger.replay(), ledger.replay()));

    // It is acknowledged like any other, and an acknowledgement of losses alone is none of it.
    let losses = Span::new(UtcMs(i64::MIN), UtcMs(9000)).unwrap();
    ledger.append(Event::Acknowledged(losses)).unwrap();
    assert_eq!(numbers(ledger.replay()), [(0, 2), (0, 1)]);
    acknowledgement::leave(&world.path(), UtcMs(1000), &world.disk).unwrap();
    ledger.take_acknowledgement().unwrap();
    assert_eq!(numbers(ledger.replay()), [(0, 2), (0, 2)]);
}
