//! Typed reading of one TOML table that knows where in the file its keys are.
//!
//! A reader of a value says what is wrong in words; the table adds the key and the line.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::problem::{Report, nearest, quote, show_key};
use super::units;
use crate::domain::span::Millis;

/// A table of the file.
#[derive(Clone)]
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    path: String,
    /// Byte at which its header begins.
    pub at: usize,
}

impl<'t> Table<'t> {
    /// The table `entries`, called `path` in messages, whose header is at the byte `at`.
    pub(super) const fn new(entries: &'t DeTable<'t>, path: String, at: usize) -> Self {
        Self { entries, path, at }
    }

    /// The full path of `key`.
    pub(super) fn path_of(&self, key: &str) -> String {
        let key = show_key(key);
        if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The byte at which `key` begins, or the table's when it is not there.
    pub(super) fn at_of(&self, key: &str) -> usize {
        // Not its value's, since a value that is not TOML has no place.
        self.entries
            .get_key_value(key)
            .map_or(self.at, |(key, _)| key.span().start)
    }

    /// Whether `key` is there, be its value right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The table's keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'t str> {
        self.entries.keys().map(|key| key.get_ref().as_ref())
    }

    /// The value of `key` as it stands.
    pub(super) fn value(&self, key: &str) -> Option<&'t DeValue<'t>> {
        Some(self.entries.get(key)?.get_ref())
    }

    /// Reports every key that is not one of `valid`.
    pub(super) fn refuse_unknown(&self, valid: &[&str], report: &mut Report<'_>) {
        for key in self.keys().filter(|key| !valid.contains(key)) {
            let message = match nearest(key, valid.iter().copied()) {
                Some(meant) => format!("unknown key; did you mean {meant}?"),
                None => format!("unknown key; valid here: {}", valid.join(", ")),
            };
            // Keys without a header are the file's top: their header may be what is not TOML.
            if self.path.is_empty() {
                report.wrong_if_whole(self.at_of(key), self.path_of(key), message);
            } else {
                self.wrong(key, message, report);
            }
        }
    }

    /// Reports what is wrong with the value of `key`.
    pub(super) fn wrong(&self, key: &str, message: impl Into<String>, report: &mut Report<'_>) {
        report.wrong(self.at_of(key), self.path_of(key), message);
    }

    /// Reports that `key` is needed here; `hint` says what to give.
    pub(super) fn missing(&self, key: &str, hint: &str, report: &mut Report<'_>) {
        report.wrong_if_whole(self.at, self.path_of(key), format!("missing; {hint}"));
    }

    /// The value of `key`; `None` when it is not there, and when it is wrong, which is reported.
    pub(super) fn read<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl FnOnce(&'t DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        parse(self.value(key)?)
            .map_err(|message| self.wrong(key, message, report))
            .ok()
    }

    /// Overwrites `slot` with the value of `key` when that is there and right, and says whether it
    /// was.
    pub(super) fn overlay<T>(
        &self,
        key: &str,
        slot: &mut T,
        report: &mut Report<'_>,
        parse: impl FnOnce(&'t DeValue<'t>) -> Result<T, String>,
    ) -> bool {
        self.read(key, report, parse)
            .map(|value| *slot = value)
            .is_some()
    }

    /// The value of `key`, whose absence is reported with `hint`.
    pub(super) fn required<T>(
        &self,
        key: &str,
        hint: &str,
        report: &mut Report<'_>,
        parse: impl FnOnce(&'t DeValue<'t>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(key) {
            self.missing(key, hint, report);
        }
        self.read(key, report, parse)
    }

    /// The text of `key`, or else `default`, as `parse` understands it; what is wrong with either
    /// is reported.
    pub(super) fn text_or<T>(
        &self,
        key: &str,
        default: &'static str,
        report: &mut Report<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = match self.value(key) {
            Some(value) => string(value, default),
            None => Ok(default),
        };
        text.and_then(parse)
            .map_err(|message| self.wrong(key, message, report))
            .ok()
    }

    /// The table below `key`, where `header` is how to write one.
    pub(super) fn table(
        &self,
        key: &str,
        header: &str,
        report: &mut Report<'_>,
    ) -> Option<Table<'t>> {
        let (name, value) = self.entries.get_key_value(key)?;
        let DeValue::Table(entries) = value.get_ref() else {
            let found = kind(value.get_ref());
            self.wrong(
                key,
                format!("must be a table, {header}, not {found}"),
                report,
            );
            return None;
        };
        Some(Table::new(entries, self.path_of(key), name.span().start))
    }

    /// The tables of the array below `key`, where `header` is how to write one.
    pub(super) fn tables(
        &self,
        key: &str,
        header: &str,
        report: &mut Report<'_>,
    ) -> Vec<Table<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let message = |found| format!("must be tables headed {header}, not {found}");
        let DeValue::Array(items) = value else {
            self.wrong(key, message(kind(value)), report);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item.get_ref() {
                DeValue::Table(entries) => {
                    let path = format!("{}[{}]", self.path_of(key), index + 1);
                    tables.push(Table::new(entries, path, item.span().start));
                }
                other => self.wrong(key, message(kind(other)), report),
            }
        }
        tables
    }

    /// The same table under another name in messages.
    pub(super) fn called(self, path: String) -> Self {
        Self { path, ..self }
    }
}

/// A string; `example` shows what one would look like.
pub(super) fn string<'t>(value: &'t DeValue<'t>, example: &str) -> Result<&'t str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("must be a string like {example:?}, not {}", kind(value)))
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("must be true or false, not {}", kind(value)))
}

/// A whole number in `range`.
pub(super) fn integer<T>(value: &DeValue<'_>, range: RangeInclusive<i64>) -> Result<T, String>
where
    T: TryFrom<i64>,
{
    let expected = match (range.start(), range.end()) {
        (least, &i64::MAX) => format!("a whole number, at least {least}"),
        (least, most) => format!("a whole number from {least} to {most}"),
    };
    let DeValue::Integer(digits) = value else {
        return Err(format!("must be {expected}, not {}", kind(value)));
    };
    i64::from_str_radix(digits.as_str(), digits.radix())
        .ok()
        .filter(|number| range.contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("out of range; use {expected}"))
}

/// A number above 0 and up to `most`.
pub(super) fn positive(value: &DeValue<'_>, most: f64) -> Result<f64, String> {
    let number = match value {
        DeValue::Float(digits) => digits.as_str().parse().ok(),
        DeValue::Integer(_) => integer::<i32>(value, 0..=i32::MAX.into())
            .ok()
            .map(f64::from),
        _ => return Err(format!("must be a number like 2.0, not {}", kind(value))),
    };
    // Not a number (NaN) fails the comparison.
    number
        .filter(|&number| number > 0.0 && number <= most)
        .ok_or_else(|| format!("out of range; use a number above 0 and up to {most}"))
}

/// A duration in milliseconds, at least 0.
pub(super) fn duration(value: &DeValue<'_>, example: &str) -> Result<Millis, String> {
    let text = string(value, example)?;
    units::parse_duration(text).ok_or_else(|| {
        format!(
            "{} is not a duration; write a whole number and s, m, h or d, like {example:?}",
            quote(text)
        )
    })
}

/// A size in bytes.
pub(super) fn size(value: &DeValue<'_>, example: &str) -> Result<u64, String> {
    let text = string(value, example)?;
    units::parse_size(text).ok_or_else(|| {
        format!(
            "{} is not a size; write a whole number and B, KiB, MiB, GiB or TiB, like {example:?}",
            quote(text)
        )
    })
}

/// An absolute path.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{} holds a control character", quote(text)));
    }
    if !text.starts_with('/') {
        return Err(format!(
            "{} is not absolute; give the whole path from /",
            quote(text)
        ));
    }
    Ok(PathBuf::from(text))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let names: Vec<_> = choices
        .iter()
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    let names = names.join(" or ");
    let text = value
        .as_str()
        .ok_or_else(|| format!("must be {names}, not {}", kind(value)))?;
    choices
        .iter()
        .find_map(|&(name, choice)| (name == text).then_some(choice))
        .ok_or_else(|| {
            let words = choices.iter().map(|&(name, _)| name);
            let meant = nearest(text, words).map(|meant| format!("did you mean {meant:?}? "));
            let (meant, use_) = match meant {
                Some(meant) => (meant, "Use"),
                None => (String::new(), "use"),
            };
            format!("{} is unknown; {meant}{use_} {names}", quote(text))
        })
}

/// What a value is, in words. The value itself is not shown: it may be a secret in a wrong place.
pub(super) const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
