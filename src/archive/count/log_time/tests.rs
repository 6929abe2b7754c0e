//! What is read as which instant, and what is not read at all.

use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::new(jiff::tz::TimeZone::get(name).unwrap())
}

/// The time without a zone, and its precision.
fn read(text: &str) -> Option<(i64, i64)> {
    parse(text, None).map(|time| (time.at.0, time.precision.0))
}

/// Guarantee: Suspicious
#[test]
fn a_number_is_seconds_or_finer_by_its_size() {
    const MS: i64 = 1_763_737_200_123;
    for (text, ms, precision) in [
        ("1763737200", 1_763_737_200_000, 1000),
        ("1763737200123", MS, 1),
        ("1763737200123456", MS, 1),
        ("1763737200123999999", MS, 1),
        // The years 1990 to 2100.
        ("631152000", 631_152_000_000, 1000),
        ("631152000000", 631_152_000_000, 1),
        ("631152000000000", 631_152_000_000, 1),
        ("631152000000000000", 631_152_000_000, 1),
        ("4133980799", 4_133_980_799_000, 1000),
        ("4133980799999", 4_133_980_799_999, 1),
        ("4133980799999999", 4_133_980_799_999, 1),
        ("4133980799999999999", 4_133_980_799_999, 1),
        // Decimals.
        ("1763737200.123", MS, 1),
        ("1763737200.1239999999", MS, 1),
        ("1763737200.12", 1_763_737_200_120, 10),
        ("1763737200.5", 1_763_737_200_500, 100),
        ("1763737200.0", 1_763_737_200_000, 100),
        ("1763737200123.0", MS, 1),
        ("1763737200123.9", MS, 1),
        ("1763737200123456.789", MS, 1),
        ("4133980799.99999999999999999999", 4_133_980_799_999, 1),
        // Exponents.
        ("1.7637372e12", 1_763_737_200_000, 1),
        ("1.7637372E+9", 1_763_737_200_000, 1000),
        ("1.763737200123e12", MS, 1),
        ("1.763737200123e9", MS, 1),
        ("17637372001230000e-4", MS, 1),
        ("1763737200123e-3", MS, 1),
        ("1763737200123e0", MS, 1),
        ("0.0000001763737200123e19", MS, 1),
        ("2e9", 2_000_000_000_000, 1000),
        // More digits than a float can tell apart.
        ("1763737200123999999.9999e0", MS, 1),
        ("0000001763737200123", MS, 1),
    ] {
        assert_eq!(read(text), Some((ms, precision)), "{text}");
    }
}

/// Guarantee: Suspicious
#[test]
fn a_number_outside_those_years_is_no_time() {
    for wrong in [
        "",
        "-",
        "+1",
        " 1",
        "0",
        "-0",
        "1",
        "1e3",
        "-1763737200123",
        "+1763737200123",
        "1763737200123 ",
        " 1763737200123",
        "0x6920a0b0",
        "1763737200123.",
        ".1763737200123e13",
        "1763737200123e",
        "1763737200123e+",
        "1763737200123e1.0",
        "1763737200.1.2",
        "1_763_737_200",
        "1,763,737,200",
        "1763737200e99999999999999999999",
        "1763737200e-2147483648",
        "1763737200e2147483647",
        "0e2147483647",
        "NaN",
        "inf",
        "١٧٦٣٧٣٧٢٠٠",
        // Just outside each range.
        "631151999",
        "4133980800",
        "631151999999",
        "4133980800000",
        "631151999999999",
        "4133980800000000",
        "631151999999999999",
        "4133980800000000000",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999999999",
        "631151999.999999",
        "4133980800.0",
        // Dates as numbers.
        "20261122",
        "202611220000",
        "20261122000000",
        "20261122000000123",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_date_is_read_when_it_has_an_offset() {
    for (text, utc, precision) in [
        ("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", 1000),
        ("2026-11-22T00:00:00+09:00", "2026-11-21T15:00:00Z", 1000),
        ("2026-11-22 00:00:00.5+0900", "2026-11-21T15:00:00.5Z", 100),
        (
            "2026-11-22T00:00:00.123456789Z",
            "2026-11-22T00:00:00.123Z",
            1,
        ),
        ("2026-11-22T00:00:00,12Z", "2026-11-22T00:00:00.12Z", 10),
        (
            "2026-11-22T00:00:00.1239999-00:30",
            "2026-11-22T00:30:00.123Z",
            1,
        ),
        ("20261122T000000+0900", "2026-11-21T15:00:00Z", 1000),
        (
            "2026-11-22T00:00:00+09:00[Asia/Seoul]",
            "2026-11-21T15:00:00Z",
            1000,
        ),
        ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z", 1),
    ] {
        // Its own offset counts, whatever the job says.
        for zone in [None, Some(&zone("America/New_York"))] {
            let time = parse(text, zone).unwrap_or_else(|| panic!("{text}"));
            let found = (time.at.to_string(), time.precision.0);
            assert_eq!(found, (utc.to_owned(), precision), "{text}");
        }
    }
    for wrong in [
        "2026-11-22T00:00:00",
        "2026-11-22 00:00:00.123",
        "2026-11-22",
        "2026-11-22Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T00:00:00Z ",
        "2026-11-22T00:00:00 KST",
        "1969-12-31T23:59:59.999Z",
        "Sun, 22 Nov 2026 00:00:00 +0900",
        "yesterday",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

/// Guarantee: Suspicious
#[test]
fn a_date_without_an_offset_is_read_when_the_job_says_its_zone() {
    let seoul = zone("Asia/Seoul");
    for (text, utc, precision) in [
        ("2026-11-22T00:00:00.123", "2026-11-21T15:00:00.123Z", 1),
        ("2026-11-22 00:00:00.123", "2026-11-21T15:00:00.123Z", 1),
        ("2026-11-22 00:00:00", "2026-11-21T15:00:00Z", 1000),
        ("2026-11-22 00:00:00,5", "2026-11-21T15:00:00.5Z", 100),
        ("20261122T000000", "2026-11-21T15:00:00Z", 1000),
    ] {
        let time = parse(text, Some(&seoul)).unwrap_or_else(|| panic!("{text}"));
        let found = (time.at.to_string(), time.precision.0);
        assert_eq!(found, (utc.to_owned(), precision), "{text}");
        assert_eq!(read(text), None, "{text}");
    }
    for wrong in [
        "2026-11-22",
        "20261122",
        "00:00:00",
        "2026-02-30 00:00:00",
        "2026-11-22 24:00:01",
        "2026-11-22 00:00:00 KST",
        "2026-11-22T00:00:00[Europe/Paris]",
        "2026-11-22T00:00:00[Asia/Seoul]",
        "2026-11-22T00:00:00+99:00",
        "2026-11-22T00:00:00-",
        "2026-11-22T00:00:00 ",
        "22/11/2026 00:00:00",
        "1969-12-31T23:59:59.999",
        "1763737200 00:00:00",
    ] {
        assert_eq!(parse(wrong, Some(&seoul)), None, "{wrong}");
    }
}

/// Guarantee: Suspicious
#[test]
fn a_time_that_the_clock_shows_twice_or_never_is_no_time() {
    let (paris, york) = (zone("Europe/Paris"), zone("America/New_York"));
    for (zone, text, utc) in [
        // Forward from 2:00 to 3:00, back from 3:00 to 2:00.
        (
            &paris,
            "2026-03-29 01:59:59.999",
            Some("2026-03-29T00:59:59.999Z"),
        ),
        (&paris, "2026-03-29 02:00:00", None),
        (&paris, "2026-03-29 02:59:59.999", None),
        (&paris, "2026-03-29 03:00:00", Some("2026-03-29T01:00:00Z")),
        (
            &paris,
            "2026-10-25 01:59:59.999",
            Some("2026-10-24T23:59:59.999Z"),
        ),
        (&paris, "2026-10-25 02:00:00", None),
        (&paris, "2026-10-25 02:59:59.999", None),
        (&paris, "2026-10-25 03:00:00", Some("2026-10-25T02:00:00Z")),
        (&york, "2026-11-01T01:30:00", None),
        (&york, "2026-11-01T02:00:00", Some("2026-11-01T07:00:00Z")),
    ] {
        let found = parse(text, Some(zone)).map(|time| time.at.to_string());
        assert_eq!(found.as_deref(), utc, "{text}");
    }
}

#[test]
fn a_time_without_milliseconds_may_lie_anywhere_in_its_second() {
    let span = Span::new(UtcMs(10_500), UtcMs(11_000)).unwrap();
    for (at, precision, found) in [
        (10_499, 1, None),
        (10_500, 1, Some(10_500)),
        (10_999, 1, Some(10_999)),
        (11_000, 1, None),
        (9_000, 1000, None),
        (10_000, 1000, Some(10_500)),
        (11_000, 1000, None),
        (10_400, 100, None),
        (10_410, 100, Some(10_500)),
        (10_490, 10, None),
    ] {
        let time = LogTime {
            at: UtcMs(at),
            precision: Millis(precision),
        };
        assert_eq!(time.within(span), found.map(UtcMs), "{at} {precision}");
    }
}

#[test]
fn a_field_is_kept_whole_or_not_at_all() {
    const MS: &str = "1763737200123";
    let time = |field: &Snippet| field.time(None).map(|time| time.at.to_string());
    let mut field = Snippet::new();
    field.push(&[b'0'; KEPT - MS.len()]);
    field.push(MS.as_bytes());
    assert_eq!(time(&field).as_deref(), Some("2025-11-21T15:00:00.123Z"));
    field.push(b"1");
    assert_eq!(field.bytes(), None);
    let (whole, other) = (
        "0".repeat(KEPT - MS.len()) + MS + "1",
        "0".repeat(KEPT) + "71",
    );
    assert!(field.is(&whole) && !field.is(&other) && !field.is(&whole.replace('7', "1")));
    field.push(&[b'1'; 3 * KEPT]);
    assert_eq!(field.bytes(), None);
    field.clear();
    field.push(&MS.as_bytes()[..2]);
    field.push(&MS.as_bytes()[2..]);
    assert_eq!(time(&field).as_deref(), Some("2025-11-21T15:00:00.123Z"));
    assert!(field.is(MS) && !field.is("176373720012") && !field.is(""));
}

proptest! {
    /// Guarantee: Suspicious
    #[test]
    fn one_instant_is_the_same_in_every_way_of_writing(
        ms in 631_152_000_000i64..4_133_980_800_000,
        finer in 0u32..1_000_000,
    ) {
        let timestamp = UtcMs(ms).timestamp();
        let (seconds, rest) = (ms / 1000, ms % 1000);
        let all = ms.to_string();
        let (first, others) = all.split_at(1);
        for text in [
            format!("{ms}"),
            format!("{seconds}.{rest:03}"),
            format!("{seconds}.{rest:03}{finer:06}"),
            format!("{ms}.{finer:06}"),
            format!("{ms}{:03}", finer / 1000),
            format!("{ms}{finer:06}"),
            format!("{first}.{others}e{}", others.len()),
            format!("{ms}{finer:06}E-6"),
            format!("{ms}{finer:06}e-9"),
            format!("{timestamp:.3}"),
            format!("{timestamp:.9}"),
        ] {
            let time = parse(&text, None).map(|time| (time.at.0, time.precision.0));
            prop_assert_eq!(time, Some((ms, 1)), "{}", text);
        }
        let civil = timestamp.to_zoned(zone("Asia/Seoul").tz().clone()).datetime();
        let time = parse(&format!("{civil:.3}"), Some(&zone("Asia/Seoul")));
        prop_assert_eq!(time.map(|time| time.at.0), Some(ms));
    }

    #[test]
    fn milliseconds_as_the_service_writes_them_are_read_like_any_number(text in "[0-9]{13}") {
        let closely = number(&text);
        prop_assert_eq!(milliseconds(&text).or(closely), closely);
    }

    #[test]
    fn no_text_panics(text in "[-+0-9.eETZ: ]{0,70}|.{0,70}") {
        for zone in [None, Some(&zone("Europe/Paris"))] {
            if let Some(time) = parse(&text, zone) {
                prop_assert!(UtcMs(0) <= time.at && time.at <= LAST);
            }
        }
    }
}
