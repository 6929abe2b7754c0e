//! A folder that is missing: what the ledger shows of its window, before and after it is made good.

use super::*;
use crate::archive::manifest::Supersedes;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::second_opinion::{SecondOpinion, Way};
use crate::domain::split::Status;

fn hour(number: i64) -> Window {
    Window::of(span(number * HOUR, (number + 1) * HOUR))
}

/// A folder of the window, of which this is the content.
fn folder(number: i64, revision: u32, records: u64) -> Archived {
    let name = |at: i64| format!("19700101T0{at}0000+0000");
    let revised = match revision {
        1 => String::new(),
        revision => format!(".r{revision}"),
    };
    let folder = format!(
        "shop/1970-01-01/{}--{}{revised}",
        name(number),
        name(number + 1)
    );
    Archived {
        window: hour(number),
        status: Status::Unproven,
        records: Some(records),
        bytes: records * 10,
        manifest_sha256: Digest::of(folder.as_bytes()),
        folder,
        supersedes: None,
        asked: None,
        opinion: SecondOpinion {
            by: Some(Way::Search),
            ..SecondOpinion::default()
        },
        is_inclusive: false,
        is_pruned: false,
    }
}

fn revision(of: &Archived, records: u64) -> Archived {
    Archived {
        supersedes: Some(Box::new(Supersedes {
            folder: of.folder.clone(),
            manifest_sha256: of.manifest_sha256,
            status: of.status,
            records: of.records,
            bytes: of.bytes,
            confirmed: of.opinion.by,
            asked_ms: UtcMs(0),
            found_ms: UtcMs(0),
            missing: false,
        })),
        ..folder(0, 2, records)
    }
}

fn missing(ledger: &mut Ledger, gone: Archived) {
    ledger.record_missing(gone, "gone".to_owned()).unwrap();
}

fn ledger(world: &World) -> Ledger {
    world.open()
}

/// What is known of the archive as a whole.
fn totals(replay: &Replay) -> (Coverage, u64, u64, u64, u64) {
    let unproven = replay.incomplete.all().unproven;
    let mut confirmed = replay.confirmed;
    let by_search = *confirmed.of(Way::Search);
    (
        replay.coverage.clone(),
        replay.records,
        replay.bytes,
        unproven,
        by_search,
    )
}

/// Guarantee: Curable
#[test]
fn a_window_whose_folder_is_gone_counts_no_more_and_once_it_is_back_as_before() {
    let world = World::new();
    let mut ledger = ledger(&world);
    let (one, two) = (folder(0, 1, 7), folder(1, 1, 5));
    ledger.append(Event::Archived(one.clone())).unwrap();
    let with_one = totals(ledger.replay());
    ledger.append(Event::Archived(two.clone())).unwrap();
    let with_both = totals(ledger.replay());
    missing(&mut ledger, two.clone());
    assert_eq!(totals(ledger.replay()), with_one);
    assert_eq!(ledger.replay().missing.spans(), [two.window.span()]);
    assert_eq!(ledger.replay().last_folder, None);
    // Told twice, it is gone once.
    missing(&mut ledger, two.clone());
    assert_eq!(totals(ledger.replay()), with_one);
    // What follows in the chain follows the last manifest, whether or not its folder is there.
    assert_eq!(ledger.replay().last_manifest, Some(two.manifest_sha256));
    missing(&mut ledger, one.clone());
    ledger.append(Event::Archived(one)).unwrap();
    assert_eq!(ledger.replay().last_manifest, Some(two.manifest_sha256));
    ledger.append(Event::Archived(two)).unwrap();
    assert_eq!(totals(ledger.replay()), with_both);
    assert!(ledger.replay().missing.spans().is_empty());
    drop(ledger);
    assert_eq!(totals(world.open().replay()), with_both);
}

/// Guarantee: Curable
#[test]
fn a_superseded_folder_that_is_gone_changes_nothing_and_a_newest_one_takes_the_window_with_it() {
    let world = World::new();
    let mut ledger = ledger(&world);
    let one = folder(0, 1, 7);
    let two = revision(&one, 9);
    ledger.append(Event::Archived(one.clone())).unwrap();
    ledger.append(Event::Archived(two.clone())).unwrap();
    let before = totals(ledger.replay());
    missing(&mut ledger, one);
    assert_eq!(totals(ledger.replay()), before);
    missing(&mut ledger, two.clone());
    let (coverage, records, ..) = totals(ledger.replay());
    assert_eq!((coverage, records), (Coverage::new(), 0));
    let gone = ledger.replay().missing.of(two.window).unwrap();
    assert_eq!((&gone.folder, gone.missing), (&two.folder, true));
    // Under the next name, and no line says that it supersedes anything.
    ledger.append(Event::Archived(folder(0, 3, 9))).unwrap();
    let (_, records, bytes, _, by_search) = totals(ledger.replay());
    assert_eq!((records, bytes, by_search), (9, 90, 1));
}

/// Guarantee: Candid
/// Guarantee: Curable
#[test]
fn what_was_lost_and_archived_all_the_same_is_lost_anew_once_its_folder_is_gone() {
    let world = World::new();
    let mut ledger = ledger(&world);
    let found = folder(0, 1, 7);
    let span = found.window.span();
    ledger.record_lost(span).unwrap();
    let known = Span::new(UtcMs(i64::MIN), UtcMs(9 * HOUR)).unwrap();
    ledger.append(Event::Acknowledged(known)).unwrap();
    assert_eq!(ledger.replay().lost(), [(span, true)]);
    ledger.append(Event::Archived(found.clone())).unwrap();
    missing(&mut ledger, found);
    // It is due: nobody knows that the service has it no more, nor did anybody say so.
    assert!(!ledger.replay().is_known_lost(span));
    assert!(ledger.replay().lost().is_empty());
    assert!(!ledger.replay().accounted().covers(span));
    ledger.record_lost(span).unwrap();
    assert_eq!(ledger.replay().lost(), [(span, false)]);
}
