//! The instant at which a job's archive begins.

use jiff::{Timestamp, civil};
use toml::de::DeValue;

use super::problem::quote;
use super::table::kind;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;

const FORMS: &str = "use a date like \"2026-11-01\" (its start in archive.timezone), or RFC 3339 \
                     with an offset like \"2026-11-01T00:00:00+09:00\"";

/// Reads `since` from a string or from TOML's own date and time: an instant before `now`, not
/// before 1970 (the service counts from there) and in whole milliseconds.
pub(super) fn since(value: &DeValue<'_>, zone: &Zone, now: UtcMs) -> Result<UtcMs, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        other => {
            return Err(format!(
                "must be a string or a date, not {}; {FORMS}",
                kind(other)
            ));
        }
    };
    let instant = instant(&text, zone).map_err(|why| format!("{} {why}", quote(&text)))?;
    if instant < UtcMs(0) {
        return Err(format!(
            "{} is before 1970; the service has no such logs",
            quote(&text)
        ));
    }
    if instant >= now {
        let now = now.timestamp();
        let now = now.display_with_offset(zone.tz().to_offset(now));
        return Err(format!(
            "{} is not in the past (it is {now} now); correct it, or set this machine's clock",
            quote(&text)
        ));
    }
    Ok(instant)
}

/// Reads an instant: RFC 3339, or a date, which means its start in `zone`.
///
/// # Errors
/// Says what is wrong with it, to follow the text itself.
pub fn instant(text: &str, zone: &Zone) -> Result<UtcMs, String> {
    // The library's own reading of a date accepts a whole date and time, and drops the time.
    if text.len() == "YYYY-MM-DD".len()
        && let Ok(date) = text.parse::<civil::Date>()
    {
        return zone
            .start_of(date)
            .map_err(|_| format!("is outside the calendar; {FORMS}"));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return if timestamp.as_nanosecond() % 1_000_000 == 0 {
            Ok(timestamp.into())
        } else {
            Err("is finer than a millisecond; the service counts in milliseconds".to_owned())
        };
    }
    if text.len() > "YYYY-MM-DD".len() && text.parse::<civil::DateTime>().is_ok() {
        return Err(format!(
            "has no offset, so its instant is not known; {FORMS}"
        ));
    }
    Err(format!("is no date or time; {FORMS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<String, String> {
        let seoul = Zone::new(jiff::tz::TimeZone::get("Asia/Seoul").unwrap());
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let value = DeValue::parse(toml).unwrap();
        since(value.get_ref(), &seoul, now.into()).map(|ms| ms.to_string())
    }

    #[test]
    fn a_date_is_its_first_instant_in_the_zone_and_a_time_brings_its_offset() {
        for (toml, instant) in [
            ("'2026-11-01'", "2026-10-31T15:00:00Z"),
            ("2026-11-01", "2026-10-31T15:00:00Z"),
            ("'2026-11-01T00:00:00Z'", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00.25+01:00", "2026-10-31T23:00:00.25Z"),
            ("2026-11-01 00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T07:30Z", "2026-11-01T07:30:00Z"),
            ("'2026-11-21T23:59:59.999Z'", "2026-11-21T23:59:59.999Z"),
            ("'1970-01-01T00:00:00Z'", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(toml).as_deref(), Ok(instant), "{toml}");
        }
    }

    #[test]
    fn what_is_not_one_past_instant_is_refused_with_the_reason() {
        for (toml, reason) in [
            ("'2026-11-01T00:00:00'", "has no offset"),
            ("2026-11-01T00:00:00", "has no offset"),
            ("'2026-11-01 00:00'", "has no offset"),
            ("'2026-11-22T00:00:00Z'", "is not in the past"),
            ("'2026-11-23'", "is not in the past"),
            ("'9999-12-31'", "is not in the past"),
            ("'1969-12-31'", "is before 1970"),
            ("'2026-11-01T00:00:00.0001Z'", "is finer than a millisecond"),
            ("2026-11-01T00:00:00.0001Z", "is finer than a millisecond"),
            ("07:30:00", "is no date or time"),
            ("'2026-02-30'", "is no date or time"),
            ("'20261101'", "is no date or time"),
            ("'yesterday'", "is no date or time"),
            ("''", "is no date or time"),
            (
                "1793491200000",
                "must be a string or a date, not an integer",
            ),
        ] {
            let error = read(toml).unwrap_err();
            assert!(error.contains(reason), "{toml}: {error}");
        }
    }
}
