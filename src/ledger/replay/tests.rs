//! Replaying: what lines show, and what counts as damage.

use super::*;
use crate::domain::failures::Failed;
use crate::domain::hold::{Hold, HoldOrder};
use crate::domain::second_opinion::SecondOpinion;
use crate::domain::split::Status;
use crate::durable::Disk;
use crate::ledger::checkpoint;
use crate::ledger::line::MissingFolder;
use crate::ledger::lines::LONGEST_LINE;
use proptest::prelude::*;

fn archived(from: i64, to: i64) -> Event {
    Event::Archived(Archived {
        window: Window::of(Span::new(UtcMs(from), UtcMs(to)).unwrap()),
        status: Status::Complete,
        records: Some(3),
        bytes: 100,
        folder: format!("shop/{from}"),
        manifest_sha256: Digest::of(&from.to_be_bytes()),
        supersedes: None,
        asked: None,
        opinion: SecondOpinion::default(),
        is_inclusive: false,
        is_pruned: false,
    })
}

/// Long after each window here has settled.
const LATER: UtcMs = UtcMs(1_795_000_000_000);

fn failed(from: i64, to: i64) -> Event {
    Event::Failed(Failed {
        window: Window::of(Span::new(UtcMs(from), UtcMs(to)).unwrap()),
        message: "the gateway said no".into(),
        needs_bytes: None,
        contradicts: false,
    })
}

fn write(events: impl IntoIterator<Item = Event>) -> String {
    let mut replay = Replay::default();
    let mut text = String::new();
    for event in events {
        let line = replay.next_line(UtcMs(1_795_000_000_000), event);
        let json = line.to_json().unwrap();
        replay.take(&line, json.as_bytes()).unwrap();
        text.push_str(&json);
        text.push('\n');
    }
    text
}

fn read(bytes: &[u8]) -> Result<Replay, Damage> {
    Replay::read(bytes, |_| {})
}

fn since(from: i64) -> Job {
    Job {
        since: UtcMs(from),
        ..crate::domain::plan::tests::job()
    }
}

/// Guarantee: Candid
#[test]
fn a_failure_is_the_last_error_until_its_window_is_archived() {
    let replay = read(write([failed(0, 10), archived(10, 20)]).as_bytes()).unwrap();
    assert_eq!(
        replay.last_error(LATER, &since(0)).unwrap().0,
        "the gateway said no"
    );
    // Moving `since` past it is a way out.
    assert_eq!(replay.last_error(LATER, &since(10)), None);
    assert_eq!(replay.coverage.gaps(UtcMs(0)).len(), 1);
    let replay = read(write([failed(0, 10), archived(0, 10)]).as_bytes()).unwrap();
    assert_eq!(replay.last_error(LATER, &since(0)), None);
    let both = [failed(0, 10), failed(10, 20), archived(10, 20)];
    assert!(
        read(write(both).as_bytes())
            .unwrap()
            .last_error(LATER, &since(0))
            .is_some()
    );
}

/// A clock that was ahead, and was set right, leaves nothing red.
/// Guarantee: Curable
#[test]
fn a_failure_of_a_window_that_has_not_settled_is_no_error_until_it_has() {
    let replay = read(write([failed(0, 10)]).as_bytes()).unwrap();
    let settled = UtcMs(10).plus(since(0).settle);
    let before = settled.minus(crate::domain::span::Millis(1));
    assert_eq!(replay.last_error(before, &since(0)), None);
    assert!(replay.last_error(settled, &since(0)).is_some());
}

/// Guarantee: Evident
#[test]
fn a_line_changed_removed_or_swapped_is_damage() {
    let text = write((0..5).map(|i| archived(i * 10, i * 10 + 10)));
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    assert!(read(join(&lines).as_bytes()).is_ok());
    assert!(read(join(&[lines[0], lines[2]]).as_bytes()).is_err());
    assert!(read(join(&lines[1..]).as_bytes()).is_err());
    assert!(read(join(&[lines[1], lines[0]]).as_bytes()).is_err());
    assert!(
        read(
            text.replacen("\"records\":3", "\"records\":4", 1)
                .as_bytes()
        )
        .is_err()
    );
    assert!(read(b"\n").is_err());
    assert!(read(&[b'x'; 70_000]).is_ok());
    assert!(read(&[&[b'x'; 70_000][..], b"\n"].concat()).is_err());
    assert_eq!(read(&vec![0; 200_000]).unwrap().end, 0);
}

/// A window like [`archived`]'s, whose second opinion came to this.
fn with_opinion(from: i64, opinion: SecondOpinion) -> Event {
    match archived(from, from + 10) {
        Event::Archived(archived) => Event::Archived(Archived {
            opinion,
            ..archived
        }),
        other => other,
    }
}

fn by(way: Way) -> SecondOpinion {
    SecondOpinion {
        by: Some(way),
        ..SecondOpinion::default()
    }
}

fn window(from: i64) -> Window {
    Window::of(Span::new(UtcMs(from), UtcMs(from + 10)).unwrap())
}

/// Guarantee: Confirmed
#[test]
fn a_confirmation_that_comes_later_counts_in_place_of_none() {
    let later = Event::Confirmed(Agreement {
        window: window(10),
        records: 3,
        by: Way::Download,
        spans: Vec::new(),
    });
    let text = write([
        with_opinion(0, by(Way::Search)),
        with_opinion(10, by(Way::None)),
        with_opinion(20, by(Way::None)),
        later,
    ]);
    let replay = read(text.as_bytes()).unwrap();
    let ConfirmedWindows {
        search,
        download,
        none,
    } = replay.confirmed;
    assert_eq!((search, download, none), (1, 1, 1));
    let asked = replay.recheckable.asked(window(10)).unwrap();
    assert_eq!((asked.confirmed, asked.again), (Way::Download, true));
}

/// Guarantee: Confirmed
#[test]
fn a_cut_makes_suspect_what_was_archived_since_a_window_was_last_confirmed() {
    let cut = SecondOpinion {
        cut: true,
        ..by(Way::Search)
    };
    let text = write([
        with_opinion(0, by(Way::None)),
        with_opinion(10, by(Way::Search)),
        with_opinion(20, by(Way::None)),
        with_opinion(30, by(Way::None)),
        with_opinion(40, cut),
        with_opinion(50, by(Way::None)),
        Event::Rechecked(window(20)),
    ]);
    let replay = read(text.as_bytes()).unwrap();
    let is_suspect = |from| replay.recheckable.is_suspect(window(from));
    assert_eq!(
        [0, 10, 20, 30, 40, 50].map(is_suspect),
        [false, false, false, true, false, false]
    );
    let since: Vec<Window> = replay.not_confirmed_since().collect();
    assert_eq!(since, [window(50)]);
}

/// Guarantee: Candid
#[test]
fn a_contradicted_window_is_unproven_until_a_later_answer_agrees() {
    let contradicted = || {
        Event::RecheckFailed(Failed {
            window: window(0),
            message: "as many, but others".into(),
            needs_bytes: None,
            contradicts: true,
        })
    };
    let unproven = |events: Vec<Event>| {
        let replay = read(write(events).as_bytes()).unwrap();
        replay.incomplete.all().unproven
    };
    let archived = || archived(0, 10);
    assert_eq!(unproven(vec![archived(), contradicted()]), 1);
    assert_eq!(
        unproven(vec![archived(), contradicted(), contradicted()]),
        1
    );
    let agrees = Event::Rechecked(window(0));
    assert_eq!(unproven(vec![archived(), contradicted(), agrees]), 0);
}

/// Guarantee: Self-healing
#[test]
fn a_last_line_with_zeros_is_torn_and_one_in_the_middle_is_damage() {
    let text = write([archived(0, 10), archived(10, 20)]);
    let whole = text.as_bytes();
    let expected = read(whole).unwrap();
    let with = |tail: &[u8]| read(&[whole, tail].concat());
    let long = [&[0; 2 * LONGEST_LINE][..], b"\n"].concat();
    let half = [&[0; 10], &whole[10..]].concat();
    for tail in [
        &b"\0"[..],
        b"\0\0\n",
        b"{\"seq\":3\0\0\n\0\0",
        &long,
        &long[1..],
    ] {
        assert_eq!(with(tail).unwrap(), expected);
    }
    assert!(with(&half).is_err());
    assert!(with(&[&long, whole].concat()).is_err());
    assert!(with(&[b"\0\n", whole].concat()).is_err());
    assert!(with(b"nonsense\n").is_err());
}

/// Guarantee: Candid
#[test]
fn what_a_newer_version_wrote_is_told_from_damage() {
    let text = write([archived(0, 10), archived(10, 20), failed(20, 30)]);
    let lines: Vec<&str> = text.lines().collect();
    let mended = |changed: &str| {
        // The line after it continues the chain.
        let digest = |line: &str| Digest::of(line.as_bytes()).to_string();
        let last = lines[2].replace(&digest(lines[1]), &digest(changed));
        read(format!("{}\n{changed}\n{last}\n", lines[0]).as_bytes())
    };
    let damaged = |changed: &str| {
        read(format!("{}\n{changed}\n{}\n", lines[0], lines[2]).as_bytes()).unwrap_err()
    };
    let field = lines[1].replace("\"bytes\"", "\"weather\":1,\"bytes\"");
    let event = lines[1].replace("archived", "weathered");
    let status = lines[1].replace("complete", "elsewhere");
    for changed in [&field, &event, &status] {
        let newer = mended(changed).unwrap_err();
        assert!(matches!(newer, Damage::Newer { line: 2, .. }), "{newer:?}");
        // Nobody went on from it: it was changed afterwards.
        let error = damaged(changed);
        assert!(matches!(error, Damage::Line { line: 2, .. }), "{error:?}");
    }
    let lacking = lines[1].replace("\"bytes\":100,", "");
    let error = mended(&lacking).unwrap_err();
    assert!(matches!(error, Damage::Line { line: 2, .. }), "{error:?}");
    let unchained = event.replace("\"seq\":2", "\"seq\":7");
    let error = mended(&unchained).unwrap_err();
    assert!(matches!(error, Damage::Line { line: 2, .. }), "{error:?}");
}

proptest! {
    /// A crash leaves a prefix; whatever it cuts, the whole lines before count and no more.
    ///
    /// Guarantee: Self-healing
    #[test]
    fn a_ledger_cut_at_any_byte_shows_its_whole_lines(
        kinds in prop::collection::vec(any::<bool>(), 0..8),
        cut in any::<prop::sample::Index>(),
        tail in prop::collection::vec(any::<u8>().prop_filter("no newline", |b| *b != b'\n'), 0..300),
    ) {
        let events = kinds.iter().enumerate().map(|(i, &good)| {
            let from = i as i64 * 10;
            if good { archived(from, from + 10) } else { failed(from, from + 10) }
        });
        let text = write(events);
        let cut = cut.index(text.len() + 1);
        let whole = text[..cut].rfind('\n').map_or(0, |at| at + 1);
        let expected = read(&text.as_bytes()[..whole]).unwrap();
        prop_assert_eq!(expected.end, whole as u64);
        prop_assert_eq!(&read(&text.as_bytes()[..cut]).unwrap(), &expected);
        let torn = [&text.as_bytes()[..whole], &tail].concat();
        prop_assert_eq!(read(&torn).unwrap(), expected);
    }
}

/// Guarantee: Candid
#[test]
fn what_was_let_go_of_is_archived_and_counted_until_it_is_gone_and_holds_end_when_released() {
    let window = |from: i64| Window::of(Span::new(UtcMs(from), UtcMs(from + 10)).unwrap());
    let pruned = |from: i64| {
        Event::Pruned(Pruned {
            window: window(from),
            bytes: 100,
            reason: "x".into(),
        })
    };
    let hold = |reason: &str| Hold {
        span: window(10).span(),
        reason: reason.into(),
    };
    let known_pruned = match archived(20, 30) {
        Event::Archived(archived) => Event::Archived(Archived {
            is_pruned: true,
            ..archived
        }),
        other => other,
    };
    let Event::Archived(second) = archived(10, 20) else {
        panic!()
    };
    let gone = Event::Missing(MissingFolder {
        archived: second,
        message: "x".into(),
    });
    let text = write([
        archived(0, 10),
        archived(10, 20),
        known_pruned,
        archived(30, 40),
        pruned(0),
        pruned(10),
        pruned(0),
        Event::Hold(HoldOrder::Hold(hold("a"))),
        Event::Hold(HoldOrder::Hold(hold("b"))),
        Event::Hold(HoldOrder::Release(hold("a"))),
        gone,
    ]);
    let lines: Vec<&str> = text.lines().collect();
    let before = read((lines[..10].join("\n") + "\n").as_bytes()).unwrap();
    assert_eq!(before.pruned.amount().windows, 3);
    assert_eq!(before.pruned.amount().bytes, 300);
    assert!(
        before
            .coverage
            .covers(Span::new(UtcMs(0), UtcMs(40)).unwrap())
    );
    assert!(!before.pruned.covers(window(30).span()));
    // It is not asked for once more: nothing could be compared.
    let asked: Vec<Window> = before
        .recheckable
        .windows()
        .map(|(window, _)| window)
        .collect();
    assert_eq!(asked, [window(30)]);
    let after = read(text.as_bytes()).unwrap();
    assert_eq!(after.pruned.amount().windows, 2);
    assert_eq!(after.holds.all().collect::<Vec<_>>(), [&hold("b")]);

    // A checkpoint keeps all of it.
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("shop.ledger.jsonl");
    std::fs::write(&ledger, &text).unwrap();
    checkpoint::save(&ledger, &after, &Disk::default()).unwrap();
    let mut file = std::fs::File::open(&ledger).unwrap();
    assert_eq!(checkpoint::load(&ledger, &mut file), Some(after));
}
