//! Each state of a day, days of 23 and 25 hours, windows of a day and of minutes.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::archive::publish::Archived as Published;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::domain::job::{Job, JobName};
use crate::domain::plan::tests::job;
use crate::domain::second_opinion::{SecondOpinion, Way};
use crate::domain::span::Millis;
use crate::domain::split::Status;
use crate::domain::window::{FolderName, WindowSize};
use crate::ledger::Ledger;
use crate::ledger::line::{Agreement, Event, MissingFolder};
use crate::ledger::replay::Replay;
use crate::page::sheet::rows;
use crate::page::shown::{Shown, Wanted};

const HOUR: i64 = 3_600_000;

/// A job with windows of so many minutes in a zone, from a local date on.
fn of(zone: &str, minutes: i64, since: UtcMs) -> Job {
    Job {
        zone: Zone::new(TimeZone::get(zone).unwrap()),
        window: WindowSize::new(Millis::from_mins(minutes)).unwrap(),
        since,
        retention: Some(Millis::from_days(30)),
        keep: None,
        ..job()
    }
}

fn at(zone: &str, text: &str) -> UtcMs {
    let local: jiff::civil::DateTime = text.parse().unwrap();
    let tz = TimeZone::get(zone).unwrap();
    local.to_zoned(tz).unwrap().timestamp().into()
}

fn span(from: UtcMs, to: UtcMs) -> Span {
    Span::new(from, to).unwrap()
}

/// The window from `from` on, so many minutes long, as it is archived with so many records.
fn archived(job: &Job, from: UtcMs, minutes: i64, records: u64) -> Published {
    let window = Window::of(span(from, from.plus(Millis::from_mins(minutes))));
    let folder = FolderName::of(window, &job.zone).relative();
    Published {
        window,
        status: Status::Complete,
        records: Some(records),
        bytes: records * 100,
        manifest_sha256: Digest::of(folder.as_bytes()),
        folder: format!("shop/{folder}"),
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

/// What a ledger of these events shows.
fn shown(events: &[(UtcMs, Event)]) -> Shown {
    let dir = tempfile::tempdir().unwrap();
    let name = JobName::parse("shop").unwrap();
    let mut text = String::new();
    let mut replay = Replay::default();
    for (at, event) in events {
        let line = replay.next_line(*at, event.clone());
        text += &(line.to_json().unwrap() + "\n");
        replay = Replay::read(text.as_bytes(), |_| {}).unwrap();
    }
    fs::write(Ledger::path(dir.path(), &name), text).unwrap();
    let wanted = Wanted {
        span: None,
        places: true,
    };
    Shown::read(dir.path(), &name, wanted).unwrap()
}

/// The days of a year up to the day of `now`.
fn year(job: &Job, shown: &Shown, now: UtcMs) -> Vec<Day> {
    let terms = Terms::of(&Arc::new(job.clone()));
    of_terms(&terms, shown, now)
}

fn of_terms(terms: &Terms, shown: &Shown, now: UtcMs) -> Vec<Day> {
    let openings = Openings::of(terms, &shown.outline, now);
    let block = Block::until(date_of(now, &terms.zone));
    let archived = by_day(&shown.windows, &terms.zone);
    days(terms, &openings, shown.outline.coverage(), &archived, block)
}

fn day(days: &[Day], date: Date) -> &Day {
    days.iter().find(|day| day.date == date).unwrap()
}

/// Guarantee: Candid
#[test]
fn a_day_is_the_worst_of_its_windows() {
    let zone = "Asia/Seoul";
    let begin = at(zone, "2026-10-01T12:00");
    let shop = of(zone, 720, begin);
    let noon = |day: i64| begin.plus(Millis::from_days(day));
    let whole = |day: i64| archived(&shop, noon(day), 720, 10);
    let with = |day: i64, change: &dyn Fn(&mut Published)| {
        let mut window = whole(day);
        change(&mut window);
        Event::Archived(window)
    };
    let night = |day: i64| {
        let from = noon(day).minus(Millis::from_hours(12));
        Event::Archived(archived(&shop, from, 720, 10))
    };
    let halves = |day: i64, event: Event| [night(day), event];
    let later = noon(40);
    let lost = |day: i64| Event::Lost(whole(day).window.span());
    let mut events: Vec<Event> = vec![Event::Archived(whole(0))];
    // The 2nd: its afternoon is lost, and known; the 3rd: it is lost.
    events.extend(halves(1, lost(1)));
    let known = Event::Acknowledged(span(UtcMs(i64::MIN), later));
    events.push(known);
    events.extend(halves(
        3,
        with(3, &|window| window.status = Status::Truncated),
    ));
    events.extend(halves(
        4,
        with(4, &|window| window.status = Status::Unproven),
    ));
    events.extend(halves(
        5,
        with(5, &|window| window.opinion.by = Some(Way::None)),
    ));
    events.extend(halves(6, with(6, &|_| {})));
    let empty = |from| Event::Archived(archived(&shop, from, 720, 0));
    events.extend([empty(noon(7).minus(Millis::from_hours(12))), empty(noon(7))]);
    // The 9th is a gap from noon on.
    events.push(night(8));
    events.extend(halves(9, with(9, &|_| {})));
    // The 11th is late, and so is half of the 12th.
    let mut events: Vec<_> = events.into_iter().map(|event| (later, event)).collect();
    events.push((later.plus(Millis(1)), lost(2)));
    events.push((later, night(2)));
    let shown = shown(&events);
    let now = at(zone, "2026-10-12T13:00");
    let days = year(&shop, &shown, now);
    let state = |number| day(&days, date(2026, 10, number)).state;
    for (number, expected) in [
        (1, State::Confirmed),
        (2, State::Acknowledged),
        (3, State::Lost),
        (4, State::Truncated),
        (5, State::Unproven),
        (6, State::Complete),
        (7, State::Confirmed),
        (8, State::Empty),
        (9, State::Gap),
        (10, State::Confirmed),
        (11, State::Late),
        (12, State::Late),
    ] {
        assert_eq!(state(number), expected, "{number}");
    }
    assert_eq!(day(&days, date(2026, 9, 30)).state, State::Before);
    // Of the day on which `since` lies, what is before it is no window.
    assert_eq!(day(&days, date(2026, 10, 1)).tally.all(), 1);
    let today = day(&days, date(2026, 10, 12));
    assert_eq!(
        (today.tally.of(State::Late), today.tally.of(State::Pending)),
        (1, 1)
    );
    assert_eq!(day(&days, date(2026, 10, 7)).tally.records, 20);
    // Until it has settled, the night is not due.
    let before = year(&shop, &shown, at(zone, "2026-10-12T12:09"));
    assert_eq!(day(&before, date(2026, 10, 12)).state, State::Pending);
    assert_eq!(days.len(), 365);
    assert_eq!(days[0].date, date(2025, 10, 13));
}

/// Guarantee: Candid
#[test]
fn days_of_23_and_25_hours_have_as_many_windows() {
    let zone = "Europe/Berlin";
    let shop = of(zone, 60, at(zone, "2026-03-01T00:00"));
    let days = year(&shop, &shown(&[]), at(zone, "2026-11-02T12:00"));
    for (month, number, hours) in [(3, 28, 24), (3, 29, 23), (10, 25, 25), (10, 26, 24)] {
        let found = day(&days, date(2026, month, number));
        assert_eq!(
            (found.tally.of(State::Late), found.tally.all()),
            (hours, hours)
        );
    }
    // Samoa went without the 30th of December 2011.
    let zone = "Pacific/Apia";
    let shop = of(zone, 60, at(zone, "2011-12-01T00:00"));
    let days = year(&shop, &shown(&[]), at(zone, "2012-01-05T12:00"));
    let all = |month, number, year| day(&days, date(year, month, number)).tally.all();
    assert_eq!(
        (all(12, 29, 2011), all(12, 30, 2011), all(12, 31, 2011)),
        (24, 0, 24)
    );
}

/// Guarantee: Candid
#[test]
fn a_day_is_one_window_or_hundreds() {
    let zone = "Asia/Seoul";
    let since = at(zone, "2026-10-01T13:02");
    let now = at(zone, "2026-10-02T00:20");
    let daily = of(zone, 1440, since);
    let days = year(&daily, &shown(&[]), now);
    // Its first window is clipped.
    assert_eq!(day(&days, date(2026, 10, 1)).tally.of(State::Late), 1);
    assert_eq!(day(&days, date(2026, 10, 2)).tally.of(State::Pending), 1);
    let minutes = of(zone, 5, since);
    let shown = shown(&[]);
    let days = year(&minutes, &shown, now);
    let first = day(&days, date(2026, 10, 1));
    // 13:02 to 13:05, and then every five minutes.
    assert_eq!(first.tally.of(State::Late), 1 + 131);
    let today = day(&days, date(2026, 10, 2));
    assert_eq!(
        (today.tally.of(State::Late), today.tally.of(State::Pending)),
        (2, 286)
    );
    let terms = Terms::of(&Arc::new(minutes));
    let openings = Openings::of(&terms, &shown.outline, now);
    let span = span_of(first.date, &terms.zone).unwrap();
    let rows = rows(&terms, &openings, &shown.windows, span);
    let names: Vec<String> = rows.iter().map(|row| row.name(&terms.zone)).collect();
    assert_eq!(names[0], "20261001T130200+0900--20261001T130500+0900");
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!((names.len(), different.len()), (132, 132));
    // Those of the whole day are due until the service forgets the first of them.
    let [stretch] = openings.stretches(&terms)[..] else {
        panic!("there is one stretch");
    };
    assert_eq!((stretch.windows, stretch.state), (134, State::Late));
    assert_eq!(stretch.deadline, Some(since.plus(Millis::from_days(30))));
}

/// Guarantee: Candid
#[test]
fn a_retired_job_and_one_that_is_not_enabled_have_nothing_due() {
    let zone = "Asia/Seoul";
    let since = at(zone, "2026-10-01T00:00");
    let shop = of(zone, 60, since);
    let hour = |hour: i64| Event::Archived(archived(&shop, since.plus(Millis(hour * HOUR)), 60, 1));
    let shown = shown(&[(since, hour(0)), (since, hour(2)), (since, hour(24))]);
    let now = at(zone, "2026-10-05T12:00");
    let off = Job {
        enabled: false,
        ..shop
    };
    let name = JobName::parse("shop").unwrap();
    let retired = Terms::retired(name, off.zone.clone(), &shown.outline);
    for terms in [Terms::of(&Arc::new(off)), retired] {
        let days = of_terms(&terms, &shown, now);
        let state = |number| day(&days, date(2026, 10, number)).state;
        assert_eq!(
            [1, 2, 3, 5].map(state),
            [State::Gap, State::Confirmed, State::Ended, State::Ended]
        );
        assert_eq!(
            Openings::of(&terms, &shown.outline, now).stretches(&terms),
            []
        );
    }
}

/// Guarantee: Candid
#[test]
fn a_window_is_its_newest_folder_and_what_is_gone_is_due_again() {
    let zone = "Asia/Seoul";
    let since = at(zone, "2026-10-01T00:00");
    let shop = of(zone, 60, since);
    let first = archived(&shop, since, 60, 1);
    let unconfirmed = Published {
        opinion: SecondOpinion::default(),
        ..first.clone()
    };
    let second = Published {
        folder: format!("{}.r2", first.folder),
        records: Some(5),
        manifest_sha256: Digest::of(b"second"),
        ..first.clone()
    };
    let gone = |archived: &Published| {
        Event::Missing(MissingFolder {
            archived: archived.clone(),
            message: "gone".to_owned(),
        })
    };
    let agrees = Event::Confirmed(Agreement {
        window: first.window,
        records: 1,
        by: Way::Download,
        spans: Vec::new(),
    });
    let of = |events: Vec<Event>| {
        let events: Vec<_> = events.into_iter().map(|event| (since, event)).collect();
        shown(&events)
    };
    let once = of(vec![Event::Archived(unconfirmed.clone())]);
    assert_eq!(once.windows[&first.window].state, State::Complete);
    let later = of(vec![Event::Archived(unconfirmed), agrees]);
    let held = &later.windows[&first.window];
    assert_eq!((held.state, held.by), (State::Confirmed, Way::Download));
    let twice = vec![
        Event::Archived(first.clone()),
        Event::Archived(second.clone()),
    ];
    assert_eq!(of(twice.clone()).windows[&first.window].records, Some(5));
    let older = [twice.clone(), vec![gone(&first)]].concat();
    assert_eq!(of(older).windows.len(), 1);
    let newer = [twice, vec![gone(&second)]].concat();
    let shown = of(newer);
    assert_eq!(shown.windows.len(), 0);
    let now = since.plus(Millis(2 * HOUR));
    let days = year(&shop, &shown, now);
    assert_eq!(days.last().unwrap().tally.of(State::Late), 1);
}

/// A ledger is looked at while it is written.
/// Guarantee: Isolated
#[test]
fn a_ledger_that_somebody_holds_open_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let name = JobName::parse("shop").unwrap();
    let disk = crate::durable::Disk::default();
    let _held = Ledger::open(dir.path(), &name, &disk, &Clock::system()).unwrap();
    let wanted = Wanted {
        span: None,
        places: false,
    };
    assert!(
        Shown::read(dir.path(), &name, wanted)
            .unwrap()
            .windows
            .is_empty()
    );
}
