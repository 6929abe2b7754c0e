//! Windows against the calendar: summer-time changes, odd zones, and any zone by property.

use super::*;
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

fn zone(name: &str) -> Zone {
    Zone::new(TimeZone::get(name).unwrap())
}

fn ms(text: &str) -> UtcMs {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn size(ms: i64) -> WindowSize {
    WindowSize::new(Millis(ms)).unwrap()
}

fn cut(zone: &Zone, size: WindowSize, from: &str, to: &str) -> Vec<Span> {
    let to = ms(to);
    Windows::starting(zone, size, ms(from))
        .take_while(|span| span.to() <= to)
        .map(Window::span)
        .collect()
}

#[test]
fn a_size_divides_a_day_evenly_and_is_at_least_a_minute() {
    assert!(WindowSize::new(Millis(MINUTE_MS)).is_some());
    assert!(WindowSize::new(Millis(12 * HOUR_MS)).is_some());
    assert_eq!(WindowSize::new(Millis(DAY_MS)), Some(WindowSize::DAY));
    for wrong in [0, -HOUR_MS, 30_000, 5 * HOUR_MS, 7 * MINUTE_MS, 2 * DAY_MS] {
        assert_eq!(WindowSize::new(Millis(wrong)), None, "{wrong}");
    }
}

#[test]
fn a_plain_day_has_24_hourly_windows_named_in_local_time() {
    let seoul = zone("Asia/Seoul");
    let day = cut(
        &seoul,
        size(HOUR_MS),
        "2026-11-21T15:00:00Z",
        "2026-11-22T15:00:00Z",
    );
    assert_eq!(day.len(), 24);
    let name = FolderName::of(Window::of(day[0]), &seoul);
    assert_eq!(
        name.relative(),
        "2026-11-22/20261122T000000+0900--20261122T010000+0900"
    );
    assert_eq!(
        FolderName::of(Window::of(day[23]), &seoul).date,
        "2026-11-22"
    );
}

#[test]
fn days_of_23_and_25_hours_have_as_many_hourly_windows() {
    let zone = zone("America/New_York");
    let spring = cut(
        &zone,
        size(HOUR_MS),
        "2026-03-08T05:00:00Z",
        "2026-03-09T04:00:00Z",
    );
    assert_eq!(spring.len(), 23);
    let autumn = cut(
        &zone,
        size(HOUR_MS),
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    );
    assert_eq!(autumn.len(), 25);
    assert!(
        spring
            .iter()
            .chain(&autumn)
            .all(|span| span.length().0 == HOUR_MS)
    );
    let twice: Vec<_> = autumn[1..3]
        .iter()
        .map(|&s| FolderName::of(Window::of(s), &zone).name)
        .collect();
    assert_eq!(
        twice,
        [
            "20261101T010000-0400--20261101T010000-0500",
            "20261101T010000-0500--20261101T020000-0500"
        ]
    );
}

#[test]
fn a_day_window_is_23_24_or_25_hours_long() {
    let zone = zone("Europe/Berlin");
    let lengths = |from: &str, to: &str| -> Vec<i64> {
        let days = cut(&zone, WindowSize::DAY, from, to);
        days.iter().map(|span| span.length().0 / HOUR_MS).collect()
    };
    assert_eq!(
        lengths("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z"),
        [24, 23, 24]
    );
    assert_eq!(
        lengths("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z"),
        [24, 25, 24]
    );
}

#[test]
fn a_six_hour_window_stretches_and_shrinks_with_the_clock() {
    let zone = zone("Europe/Berlin");
    let hours = |from: &str, to: &str| -> Vec<i64> {
        let windows = cut(&zone, size(6 * HOUR_MS), from, to);
        windows
            .iter()
            .map(|span| span.length().0 / HOUR_MS)
            .collect()
    };
    assert_eq!(
        hours("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        [5, 6, 6, 6]
    );
    assert_eq!(
        hours("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        [7, 6, 6, 6]
    );
}

#[test]
fn half_an_hour_of_summer_time_is_cut_right() {
    let zone = zone("Australia/Lord_Howe");
    // 2026-04-05 02:00 +11 goes back to 01:30 +10:30; 2026-10-04 02:00 +10:30 on to 02:30 +11.
    let back = cut(
        &zone,
        size(HOUR_MS),
        "2026-04-04T13:00:00Z",
        "2026-04-05T13:30:00Z",
    );
    let on = cut(
        &zone,
        size(HOUR_MS),
        "2026-10-03T13:30:00Z",
        "2026-10-04T13:00:00Z",
    );
    let minutes = |windows: &[Span]| -> Vec<i64> {
        windows[..4]
            .iter()
            .map(|span| span.length().0 / MINUTE_MS)
            .collect()
    };
    assert_eq!((back.len(), minutes(&back)), (24, vec![60, 90, 60, 60]));
    assert_eq!((on.len(), minutes(&on)), (24, vec![60, 60, 30, 60]));
}

#[test]
fn a_date_that_a_zone_left_out_leaves_no_hole() {
    // Samoa had no 2011-12-30.
    let zone = zone("Pacific/Apia");
    let days = cut(
        &zone,
        WindowSize::DAY,
        "2011-12-29T10:00:00Z",
        "2012-01-01T10:00:00Z",
    );
    assert_eq!(days.len(), 3);
    let hours = cut(
        &zone,
        size(HOUR_MS),
        "2011-12-29T10:00:00Z",
        "2012-01-01T10:00:00Z",
    );
    assert_eq!(hours.len(), 72);
    assert!(hours.windows(2).all(|pair| pair[0].to() == pair[1].from()));
}

#[test]
fn a_day_without_midnight_starts_where_the_clock_does() {
    // Beirut goes from 00:00 to 01:00.
    let zone = zone("Asia/Beirut");
    let days = cut(
        &zone,
        WindowSize::DAY,
        "2026-03-27T22:00:00Z",
        "2026-03-30T21:00:00Z",
    );
    assert_eq!(
        days.iter()
            .map(|d| d.length().0 / HOUR_MS)
            .collect::<Vec<_>>(),
        [24, 23, 24]
    );
    assert_eq!(
        FolderName::of(Window::of(days[1]), &zone).name,
        "20260329T010000+0300--20260330T000000+0300"
    );
}

#[test]
fn a_bound_between_seconds_keeps_its_milliseconds() {
    let span = Span::new(ms("2026-11-22T00:00:00.007Z"), ms("2026-11-22T00:01:00Z")).unwrap();
    let name = FolderName::of(Window::of(span), &zone("Asia/Seoul")).name;
    assert_eq!(name, "20261122T090000.007+0900--20261122T090100+0900");
    assert_eq!(
        FolderName::parse(&name),
        Some(Named {
            window: Window::of(span),
            revision: 1
        })
    );
}

#[test]
fn a_revision_lies_beside_the_first_folder_and_is_told_from_it() {
    let span = Span::new(ms("2026-11-22T00:00:00Z"), ms("2026-11-22T01:00:00Z")).unwrap();
    let first = format!(
        "shop/{}",
        FolderName::of(Window::of(span), &zone("Asia/Seoul")).relative()
    );
    let second = FolderName::of_next_revision(&first).unwrap();
    assert_eq!(second, format!("{first}.r2"));
    let third = FolderName::of_next_revision(&second).unwrap();
    assert_eq!(third, format!("{first}.r3"));
    let name = third.rsplit('/').next().unwrap();
    assert_eq!(
        FolderName::parse(name),
        Some(Named {
            window: Window::of(span),
            revision: 3
        })
    );
    assert_eq!(FolderName::of_next_revision("shop/2026-11-22"), None);
}

#[test]
fn what_is_no_folder_name_is_not_read_as_one() {
    for name in [
        "",
        "--",
        "20261122T000000+0900",
        "a--b",
        "20261122T000000+0900--x",
        "20261122T010000+0900--20261122T000000+0900",
        "20261122T000000+09é--20261122T010000+0900",
        "20261122T000000+0900--20261122T010000+0900.r",
        "20261122T000000+0900--20261122T010000+0900.r1",
        "20261122T000000+0900--20261122T010000+0900.r02",
        "20261122T000000+0900--20261122T010000+0900.r2.r3",
        "20261122T000000+0900--20261122T010000+0900.r99999999999",
    ] {
        assert_eq!(FolderName::parse(name), None, "{name}");
    }
}

fn any_zone() -> impl Strategy<Value = Zone> {
    let names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    prop::sample::select(names).prop_filter_map("a zone of the database", |name| {
        TimeZone::get(&name).ok().map(Zone::new)
    })
}

fn any_size() -> impl Strategy<Value = WindowSize> {
    let sizes: Vec<WindowSize> = (1..=1440)
        .filter_map(|minutes| WindowSize::new(Millis(minutes * MINUTE_MS)))
        .collect();
    prop::sample::select(sizes)
}

/// An instant between 1900 and 2100, or close to a change of the zone's offset.
fn instant_near_a_change(zone: &Zone, raw: i64, near: bool) -> UtcMs {
    if !near {
        return UtcMs(raw);
    }
    let change = zone.tz().following(UtcMs(raw).timestamp()).next();
    change.map_or(UtcMs(raw), |change| {
        UtcMs::from(change.timestamp()).plus(Millis(-(raw.rem_euclid(DAY_MS))))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Guarantee: Exactly once
    #[test]
    fn windows_have_no_gap_no_overlap_and_read_back_from_their_names(
        zone in any_zone(),
        size in any_size(),
        raw in -2_208_988_800_000i64..4_102_444_800_000,
        near in any::<bool>(),
    ) {
        let from = instant_near_a_change(&zone, raw, near);
        let mut at = from;
        for span in Windows::starting(&zone, size, from).take(60) {
            prop_assert_eq!(span.from(), at);
            at = span.to();
            prop_assert!(span.span().length().0 <= 2 * DAY_MS + 3 * HOUR_MS);
            let name = FolderName::of(span, &zone);
            prop_assert_eq!(FolderName::parse(&name.name), Some(Named { window: span, revision: 1 }));
            prop_assert!(name.name.starts_with(&name.date.replace('-', "")));
        }
    }

    /// Wherever the cutting starts, it falls into step at the next boundary.
    ///
    /// Guarantee: Exactly once
    #[test]
    fn boundaries_do_not_depend_on_where_the_cutting_starts(
        zone in any_zone(),
        size in any_size(),
        raw in -2_208_988_800_000i64..4_102_444_800_000,
        near in any::<bool>(),
        later in 0i64..DAY_MS,
    ) {
        let from = instant_near_a_change(&zone, raw, near);
        let first: Vec<UtcMs> =
            Windows::starting(&zone, size, from).take(80).map(|span| span.to()).collect();
        let start = from.plus(Millis(later.min(first[39].0 - from.0)));
        let second: Vec<UtcMs> =
            Windows::starting(&zone, size, start).take(10).map(|span| span.to()).collect();
        let skipped = first.iter().position(|&boundary| boundary > start).unwrap();
        prop_assert_eq!(&second[..], &first[skipped..skipped + 10]);
    }

    /// The definition itself: at a boundary the local clock shows a multiple of the size, or has
    /// just jumped over one.
    ///
    /// Guarantee: Exactly once
    #[test]
    fn every_boundary_is_a_civil_one(
        zone in any_zone(),
        size in any_size(),
        raw in -2_208_988_800_000i64..4_102_444_800_000,
        near in any::<bool>(),
    ) {
        let from = instant_near_a_change(&zone, raw, near);
        let local = |instant: UtcMs, at: UtcMs| at.0 + i64::from(zone.offset_seconds(instant)) * 1000;
        for span in Windows::starting(&zone, size, from).take(40) {
            let at = span.to();
            let after = local(at, at);
            let before = local(at.plus(Millis(-1)), at);
            let jumped_over = before < after
                && after.div_euclid(size.length().0) > (before - 1).div_euclid(size.length().0);
            prop_assert!(after.rem_euclid(size.length().0) == 0 || jumped_over, "{} {}", at, size.length().0);
        }
    }
}
