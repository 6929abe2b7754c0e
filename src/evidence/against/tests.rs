use super::*;
use crate::archive::publish::Archived;
use crate::domain::second_opinion::SecondOpinion;
use crate::domain::span::Span;
use crate::domain::split::Status;
use crate::domain::window::Window;
use crate::ledger::line::{MissingFolder, Pruned};
use crate::ledger::rebuilt::Rebuilt;

fn digest(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// What is said of a folder whose manifest has this number.
fn archived(number: u64) -> Archived {
    let at = i64::try_from(number).unwrap();
    Archived {
        window: Window::of(Span::new(UtcMs(at), UtcMs(at + 1)).unwrap()),
        status: Status::Complete,
        records: Some(1),
        bytes: 10,
        folder: format!("shop/{number}"),
        manifest_sha256: digest(number),
        supersedes: None,
        asked: None,
        opinion: SecondOpinion::default(),
        is_inclusive: false,
        is_pruned: false,
    }
}

/// A ledger of these events, a second apart, beginning at an instant.
fn ledger(at: i64, events: &[Event]) -> String {
    let mut text = String::new();
    for (number, event) in (1_u64..).zip(events) {
        let prev = text.lines().last().map(|line| Digest::of(line.as_bytes()));
        let line = Line {
            seq: number,
            at: UtcMs(at + i64::try_from(number).unwrap() * 1_000),
            event: event.clone(),
            prev,
            opinion_requests: 0,
        };
        text += &format!("{}\n", line.to_json().unwrap());
    }
    text
}

fn folders(numbers: impl IntoIterator<Item = u64>) -> Vec<Event> {
    let numbers = numbers.into_iter();
    numbers
        .map(|number| Event::Archived(archived(number)))
        .collect()
}

fn named(ledger: &str, lines: usize, at: i64, is_given: bool) -> Named {
    let lines: Vec<&str> = ledger.lines().take(lines).collect();
    Named {
        head: format!("{:06}.head", lines.len()),
        at: UtcMs(at),
        is_given,
        is_newest: true,
        of_job: OfJob {
            lines: lines.len() as u64,
            ledger: lines.last().map(|line| Digest::of(line.as_bytes())),
            windows: lines.len() as u64,
            newest: lines.len().checked_sub(1).map(|at| digest(at as u64 + 1)),
            ..OfJob::default()
        },
    }
}

/// What is found of a ledger that heads speak of.
fn held_against(named: &[Named], ledger: &str) -> JobReport {
    let mut against = AgainstLedger::new(named.iter().collect());
    let mut recorded = Vec::new();
    let replay = Replay::read(ledger.as_bytes(), |line| {
        against.take(line);
        if let Event::Archived(archived) = &line.event {
            recorded.push(Recorded {
                archived: archived.clone(),
                is_missing: false,
                is_pruned: false,
            });
        }
    });
    let mut report = JobReport::default();
    against.end(&replay.unwrap(), &recorded, &mut report);
    report
}

/// Guarantee: Evident
#[test]
fn what_heads_name_of_a_ledger_must_be_there_line_by_line() {
    let truth = ledger(0, &folders(1..=6));
    let heads: Vec<Named> = [1, 3, 3, 6]
        .map(|lines| named(&truth, lines, 10_000, false))
        .into();
    let longer = ledger(0, &folders(1..=9));
    for good in [&truth, &longer] {
        assert_eq!(held_against(&heads, good).findings, []);
    }
    let mut swapped = folders(1..=6);
    swapped.swap(0, 1);
    let one_later = ledger(1, &folders(1..=6));
    for (wrong, first, more) in [
        (ledger(0, &folders(1..=5)), "000006.head", None),
        (ledger(0, &folders(2..=7)), "000001.head", Some(3)),
        (ledger(0, &swapped), "000001.head", Some(3)),
        (one_later, "000001.head", Some(3)),
        (
            ledger(0, &folders([1, 2, 4, 5, 6, 7])),
            "000003.head",
            Some(2),
        ),
    ] {
        let found = held_against(&heads, &wrong).findings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].file.as_deref(), Some(first));
        let Problem::Contradicted(why) = &found[0].problem else {
            panic!("{found:?}");
        };
        let told = more.map(|more| format!("so do {more} later heads"));
        assert!(told.is_none_or(|told| why.ends_with(&told)), "{why}");
    }
    // A ledger that is lost is rebuilt at the next start, if there are folders.
    for (has_folders, is_damage) in [(true, false), (false, true)] {
        let mut report = JobReport::default();
        let orphan = finding("shop/1".into(), Problem::NotInLedger);
        report.findings.extend(has_folders.then_some(orphan));
        let against = AgainstLedger::new(heads.iter().collect());
        against.end(&Replay::default(), &[], &mut report);
        assert_eq!(report.is_damaged(), is_damage);
    }
}

/// Guarantee: Evident
#[test]
fn a_ledger_that_was_rebuilt_is_told_and_excuses_only_older_heads_of_the_archive() {
    let truth = ledger(0, &folders(1..=4));
    let rebuilt = |numbers: &[u64]| {
        let span = Span::new(UtcMs(1), UtcMs(9)).unwrap();
        let mut events = vec![Event::Rebuilt(Rebuilt {
            span,
            windows: 4,
            breaks: Vec::new(),
        })];
        events.extend(folders(numbers.iter().copied()));
        ledger(50_000, &events)
    };
    let before = named(&truth, 4, 10_000, false);
    for (numbers, words) in [
        (&[1, 2, 3, 4, 5][..], "recorded as it names them"),
        (&[1, 3, 4], "not recorded as it names them"),
    ] {
        let found = held_against(std::slice::from_ref(&before), &rebuilt(numbers));
        assert_eq!(found.findings, []);
        let told = found.older_heads.unwrap();
        assert!(
            told.contains("carry no original times") && told.contains(words),
            "{told}"
        );
    }
    // It is no excuse for a head from outside, or one that is younger than that.
    let given = Named {
        is_given: true,
        ..before.clone()
    };
    let younger = Named {
        at: UtcMs(90_000),
        ..before
    };
    for head in [&given, &younger] {
        let found = held_against(std::slice::from_ref(head), &rebuilt(&[1, 2, 3, 4, 5]));
        assert_eq!((found.findings.len(), found.older_heads), (1, None));
    }
}

/// Guarantee: Evident
/// Guarantee: Curable
#[test]
fn what_was_replaced_is_told_of_older_heads_and_is_red_only_where_the_newest_names_it_too() {
    let (before, after) = (ledger(0, &folders(1..=4)), ledger(7, &folders(1..=4)));
    let older = Named {
        is_newest: false,
        ..named(&before, 4, 10_000, false)
    };
    let newer = named(&after, 4, 20_000, false);
    let found = held_against(&[older.clone(), newer], &after);
    assert_eq!(found.findings, []);
    assert!(found.older_heads.is_some());
    let found = held_against(&[older, named(&before, 4, 20_000, false)], &after);
    assert_eq!(
        (found.findings.len(), found.older_heads.is_some()),
        (1, true)
    );
}

/// Guarantee: Evident
#[test]
fn what_heads_name_of_a_copy_must_be_the_end_of_so_long_a_chain() {
    let chain = |numbers: &[u64]| -> Vec<(Digest, Option<Digest>)> {
        let mut before = None;
        let mut links = Vec::new();
        for &number in numbers {
            links.push((digest(number), before));
            before = Some(digest(number));
        }
        links
    };
    let head = |newest: u64, windows| Named {
        head: "000001.head".into(),
        at: UtcMs(0),
        is_given: false,
        is_newest: true,
        of_job: OfJob {
            windows,
            newest: Some(digest(newest)),
            ..OfJob::default()
        },
    };
    let found = |heads: &[Named], chain| {
        let mut report = JobReport {
            chain,
            ..JobReport::default()
        };
        against_copy(&heads.iter().collect::<Vec<_>>(), &mut report);
        let mut findings = report.findings.into_iter();
        let found = findings.next().map(|found| found.problem);
        assert_eq!(findings.next(), None);
        found
    };
    let heads = [head(2, 2), head(4, 4)];
    // A copy may have more than the archive.
    for good in [&[1, 2, 3, 4][..], &[1, 2, 3, 4, 5], &[0, 1, 2, 3, 4]] {
        assert_eq!(found(&heads, chain(good)), None);
    }
    let is_damage = |numbers: &[u64]| match found(&heads, chain(numbers)) {
        Some(Problem::Contradicted(_)) => Some(true),
        Some(Problem::NamesMore(_)) => Some(false),
        _ => None,
    };
    // Older, or cut at its end; made anew; cut at its beginning.
    assert_eq!(is_damage(&[1, 2, 3]), Some(false));
    assert_eq!(is_damage(&[]), Some(false));
    assert_eq!(is_damage(&[1, 2, 3, 9]), Some(true));
    assert_eq!(is_damage(&[3, 4]), Some(true));
    // A window is gone, and what came later names that break: it is one more than the head knows of.
    let mut broken = chain(&[1, 3, 4, 5]);
    broken[1].1 = Some(digest(2));
    assert!(matches!(
        found(&heads[1..], broken.clone()),
        Some(Problem::Contradicted(_))
    ));
    let known = |holes| {
        let mut head = head(4, 4);
        head.of_job.holes = holes;
        head.is_given = true;
        head
    };
    assert_eq!(found(&[known(1)], broken.clone()), None);
    broken.remove(0);
    assert!(found(&[known(1)], broken).is_some());
    // One that follows itself is no endless loop.
    let mut ring = chain(&[1, 2]);
    ring[0].1 = Some(digest(2));
    assert!(found(&[head(2, 2)], ring).is_some());
    // Nothing is archived yet.
    let nothing = Named {
        of_job: OfJob::default(),
        ..head(1, 0)
    };
    assert_eq!(found(&[nothing], Vec::new()), None);
}

/// Guarantee: Evident
#[test]
fn data_that_were_let_go_of_since_are_told_by_a_head_from_outside_alone() {
    let mut events = folders(1..=3);
    let truth = ledger(0, &events);
    let pruned = |number| {
        Event::Pruned(Pruned {
            window: archived(number).window,
            bytes: 10,
            reason: "old".into(),
        })
    };
    events.push(pruned(1));
    let later = ledger(0, &events);
    let inside = named(&truth, 3, 10_000, false);
    let outside = Named {
        is_given: true,
        ..inside.clone()
    };
    let mut newer = named(&later, 4, 10_000, true);
    newer.of_job.pruned = 1;
    let found = |head: &Named| held_against(std::slice::from_ref(head), &later).findings;
    assert_eq!(found(&inside), []);
    assert_eq!(found(&newer), []);
    let found = found(&outside);
    assert!(
        matches!(&found[..], [one] if matches!(one.problem, Problem::NamesMore(_))),
        "{found:?}"
    );
    for (given, pruned_windows, is_told) in [(true, 1, true), (false, 1, false), (true, 0, false)] {
        let mut report = JobReport {
            pruned_windows,
            ..JobReport::default()
        };
        let mut head = outside.clone();
        (head.is_given, head.of_job.newest) = (given, None);
        against_copy(&[&head], &mut report);
        assert_eq!(!report.findings.is_empty(), is_told);
    }
}

/// Guarantee: Evident
#[test]
fn folders_that_were_recorded_as_missing_since_are_told_by_a_head_from_outside_alone() {
    let mut events = folders(1..=3);
    let truth = ledger(0, &events);
    events.push(Event::Missing(MissingFolder {
        archived: archived(2),
        message: "gone".into(),
    }));
    let later = ledger(0, &events);
    let outside = named(&truth, 3, 10_000, true);
    let newer = named(&later, 4, 10_000, true);
    let found = |head: &Named| held_against(std::slice::from_ref(head), &later).findings;
    assert_eq!(found(&newer), []);
    assert_eq!(found(&named(&truth, 3, 10_000, false)), []);
    assert!(matches!(&found(&outside)[..], [one] if matches!(one.problem, Problem::NamesMore(_))));
}
