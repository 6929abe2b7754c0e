//! What one key of a job may say: each value is read into its domain type, or told what is wrong with it.

use std::collections::BTreeSet;

use toml::de::DeValue;

use crate::config::problem::{nearest, printable, quote};
use crate::config::table::{duration, kind, string};
use crate::config::units::show_duration;
use crate::domain::job::{AccountName, JobName};
use crate::domain::recheck::{LONGEST, Recheck};
use crate::domain::schedule::Schedule;
use crate::domain::span::Millis;
use crate::domain::window::WindowSize;

/// The service's own bound (`ELSA-API.md`, *One call*).
const LONGEST_PROJECT_KEY: usize = 53;

/// A log is late only by the service's own indexing; a month is far beyond that, and as long as
/// the service keeps logs by default.
const LONGEST_SETTLE: Millis = Millis::from_days(30);

/// What is younger is never let go of by rule.
const SHORTEST_KEEP: Millis = Millis::from_days(1);

pub(super) fn name(value: &DeValue<'_>) -> Result<JobName, String> {
    let text = string(value, "shop-api")?;
    JobName::parse(text).map_err(|rule| format!("{}: {rule}", quote(text)))
}

/// How old data may be let go of: at least a day, so that a slip of a unit takes nothing new.
pub(super) fn keep(value: &DeValue<'_>) -> Result<Millis, String> {
    let keep = duration(value, "400d")?;
    match keep < SHORTEST_KEEP {
        true => Err(format!(
            "{} is shorter than a day; leave `keep` out to keep data for ever",
            show_duration(keep)
        )),
        false => Ok(keep),
    }
}

pub(super) fn known_account(
    name: &str,
    accounts: Option<&BTreeSet<String>>,
) -> Result<AccountName, String> {
    let Some(accounts) = accounts.filter(|accounts| !accounts.contains(name)) else {
        return Ok(AccountName(name.to_owned()));
    };
    let advice = match nearest(name, accounts.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {}?", quote(meant)),
        None => "add its table, or name one of the others".to_owned(),
    };
    Err(format!("there is no account {}; {advice}", quote(name)))
}

pub(super) fn project_key(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value, "Pbxxxxx_elsa-test")?;
    let length = text.chars().count();
    if !(1..=LONGEST_PROJECT_KEY).contains(&length) {
        return Err(format!(
            "has {length} characters; a project's key has 1 to {LONGEST_PROJECT_KEY}"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{} holds a control character", quote(text)));
    }
    Ok(text.to_owned())
}

pub(super) fn schedule(value: &DeValue<'_>) -> Result<Schedule, String> {
    let text = string(value, "0 */5 * * * *")?;
    Schedule::parse(text).map_err(|why| format!("{}: {}", quote(text), printable(&why)))
}

pub(super) fn window(value: &DeValue<'_>) -> Result<WindowSize, String> {
    WindowSize::new(duration(value, "1h")?).ok_or_else(|| {
        format!(
            "{} does not divide a day evenly; use 1m to 12h dividing a day evenly, or 1d",
            quote(value.as_str().unwrap_or_default())
        )
    })
}

pub(super) fn settle(value: &DeValue<'_>) -> Result<Millis, String> {
    let length = duration(value, "10m")?;
    if length > LONGEST_SETTLE {
        return Err(format!(
            "{} is too long; use at most 30d",
            show_duration(length)
        ));
    }
    Ok(length)
}

pub(super) fn recheck(value: &DeValue<'_>) -> Result<Recheck, String> {
    if value.as_str() == Some("never") {
        return Ok(Recheck::Never);
    }
    let length = duration(value, "24h")?;
    if length > LONGEST {
        return Err(format!(
            "{} is too long; use at most {}",
            show_duration(length),
            show_duration(LONGEST)
        ));
    }
    Ok(Recheck::After(length))
}

pub(super) fn include_fields(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let expected = "a list of field names like [\"logTime\", \"body\"]";
    let DeValue::Array(items) = value else {
        return Err(format!("must be {expected}, not {}", kind(value)));
    };
    let name = |item: &DeValue<'_>| match item.as_str() {
        Some(text) if text.is_empty() || text.chars().any(char::is_control) => {
            Err(format!("{} is no field's name", quote(text)))
        }
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("must be {expected}, and holds {}", kind(item))),
    };
    items.iter().map(|item| name(item.get_ref())).collect()
}
