//! When to look: a cron expression, as the scheduler will read it.
//!
//! A firing means "look now" and nothing more; windows never come from it.

use std::fmt;

use chrono::{DateTime, FixedOffset, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::span::UtcMs;
use super::window::Zone;

/// A cron expression that the scheduler accepts, in its form with six fields (seconds first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    expression: String,
}

impl Schedule {
    /// Reads an expression with five fields (minute first) or six (second first).
    ///
    /// # Errors
    /// Says which field is wrong, in words for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let expression = match fields.len() {
            5 => format!("0 {}", text.trim()),
            6 => text.trim().to_owned(),
            fields => {
                return Err(format!(
                    "a schedule has 5 fields (minute first) or 6 (second first), this one has \
                     {fields}"
                ));
            }
        };
        let cron = parse_six(&expression).map_err(|why| wrong_field(&fields).unwrap_or(why))?;
        if cron.find_next_occurrence(&BEGIN, true).is_err() {
            return Err(
                "it never fires: no month of those has such a day; both day fields must hold"
                    .to_owned(),
            );
        }
        Ok(Self { expression })
    }

    /// The first instant after `now` at which a daemon in `zone` looks: the next firing, or the zone's clock being
    /// changed, if that comes before.
    #[must_use]
    pub(crate) fn next_look(&self, now: UtcMs, zone: &Zone) -> Option<UtcMs> {
        let offset = FixedOffset::east_opt(zone.offset_seconds(now))?;
        // Whole seconds: what is left of one would be carried into the firing.
        let local = DateTime::from_timestamp(now.0.div_euclid(1000), 0)?.with_timezone(&offset);
        let cron = parse_six(&self.expression).ok()?;
        let fires = cron.find_next_occurrence(&local, false).ok()?;
        let fires = UtcMs(fires.timestamp_millis());
        let changes = zone.tz().following(now.timestamp()).next();
        Some(changes.map_or(fires, |change| fires.min(change.timestamp().into())))
    }

    /// The expression, with six fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.expression
    }
}

impl Default for Schedule {
    /// Every five minutes.
    fn default() -> Self {
        Self {
            expression: "0 */5 * * * *".to_owned(),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}

/// Whence firings are looked for: any day will do, since the calendar repeats.
const BEGIN: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The fields, and what each may be.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last one"),
    ("month", "1 to 12, or JAN to DEC"),
    (
        "day of the week",
        "0 to 7 (0 and 7 are Sunday), or SUN to SAT",
    ),
];

/// Which of 5 or 6 fields is wrong by itself, and what it may be.
fn wrong_field(fields: &[&str]) -> Option<String> {
    let first = FIELDS.len().checked_sub(fields.len())?;
    let at = (0..fields.len()).find(|&at| {
        let mut alone = ["*"; 6];
        alone[first + at] = fields[at];
        parse_six(&alone.join(" ")).is_err()
    })?;
    let (name, values) = FIELDS[first + at];
    Some(format!(
        "field {} ({name}) is wrong: it may be *, {values}, a range like 1-5, a list like 1,3, and a step \
         like */5",
        at + 1
    ))
}

/// The same parser with the same settings as tokio-cron-scheduler 0.15 uses, so that what passes
/// here can't be refused there.
fn parse_six(expression: &str) -> Result<Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(expression)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn the_next_look_is_in_the_zone_s_time_and_no_later_than_its_clock_changes() {
        let at = |text: &str| UtcMs::from(text.parse::<Timestamp>().unwrap());
        let next = |schedule: &str, zone: &str, now: &str| {
            let zone = Zone::new(TimeZone::get(zone).unwrap());
            let schedule = Schedule::parse(schedule).unwrap();
            schedule.next_look(at(now), &zone).unwrap()
        };
        let five = Schedule::default().to_string();
        for (schedule, zone, now, look) in [
            (
                &five[..],
                "Asia/Seoul",
                "2026-11-30T10:45:00.5Z",
                "2026-11-30T10:50:00Z",
            ),
            // A firing now is not the next one.
            (
                &five,
                "Asia/Seoul",
                "2026-11-30T10:45:00Z",
                "2026-11-30T10:50:00Z",
            ),
            (
                "0 3 * * *",
                "Asia/Seoul",
                "2026-11-30T10:45:00Z",
                "2026-11-30T18:00:00Z",
            ),
            // Summer time begins at 07:00 UTC.
            (
                "0 3 * * *",
                "America/New_York",
                "2026-03-08T06:00:00Z",
                "2026-03-08T07:00:00Z",
            ),
            (
                "0 9 * * *",
                "America/New_York",
                "2026-03-08T08:00:00Z",
                "2026-03-08T13:00:00Z",
            ),
        ] {
            assert_eq!(
                next(schedule, zone, now),
                at(look),
                "{schedule} in {zone} at {now}"
            );
        }
    }

    #[test]
    fn five_fields_fire_at_second_zero() {
        assert_eq!(
            Schedule::parse("*/5 * * * *").unwrap().as_str(),
            "0 */5 * * * *"
        );
        assert_eq!(
            Schedule::parse("30 */5 * * * *").unwrap().as_str(),
            "30 */5 * * * *"
        );
    }

    #[test]
    fn the_default_passes_its_own_rules() {
        let default = Schedule::default();
        assert_eq!(Schedule::parse(default.as_str()), Ok(default));
    }

    /// Guarantee: Candid
    #[test]
    fn a_wrong_field_is_named_with_what_it_may_be() {
        for (text, field, values) in [
            ("0 99 * * * *", "field 2 (minute)", "0 to 59"),
            ("99 * * * *", "field 1 (minute)", "0 to 59"),
            ("* 24 * * *", "field 2 (hour)", "0 to 23"),
            ("* * 0 * *", "field 3 (day of the month)", "1 to 31"),
            ("* * * 13 *", "field 4 (month)", "JAN to DEC"),
            ("* * * * MOO", "field 5 (day of the week)", "SUN to SAT"),
            ("61 * * * * *", "field 1 (second)", "0 to 59"),
            ("* */x * * *", "field 2 (hour)", "a step like */5"),
            ("hello * * * *", "field 1 (minute)", "0 to 59"),
        ] {
            let why = Schedule::parse(text).unwrap_err();
            assert!(
                why.starts_with(field) && why.contains(values),
                "{text}: {why}"
            );
        }
    }

    /// Guarantee: Candid
    #[test]
    fn a_schedule_that_never_fires_is_refused() {
        for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 2 *"] {
            let why = Schedule::parse(never).unwrap_err();
            assert!(why.contains("never fires"), "{never}: {why}");
        }
        for seldom in [
            "0 0 29 2 *",
            "0 0 29 2 MON",
            "0 0 31 * *",
            "59 59 23 31 12 SUN",
        ] {
            Schedule::parse(seldom).unwrap();
        }
    }

    #[test]
    fn a_wrong_expression_says_what_is_wrong() {
        assert!(Schedule::parse("").unwrap_err().contains("has 0"));
        assert!(Schedule::parse("* * *").unwrap_err().contains("5 fields"));
        assert!(!Schedule::parse("0 99 * * * *").unwrap_err().is_empty());
        assert!(
            !Schedule::parse("hello every five minutes please")
                .unwrap_err()
                .is_empty()
        );
    }
}
