//! Reads a record's `logTime`, whose way of writing is unknown beforehand (`ELSA-API.md`,
//! *Unknown*). *Suspicious*: what is not certain is no time at all.

use jiff::{Timestamp, civil};

use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::Zone;

/// The last millisecond of the year 9999, the last one that four digits can write.
const LAST: UtcMs = UtcMs(253_402_300_799_999);

/// The seconds since the epoch that a number may mean: the years 1990 to 2100, UTC.
const FIRST_SECOND: u64 = 631_152_000;
const END_SECOND: u64 = 4_133_980_800;
/// How many times ten such a number is multiplied by: seconds, milliseconds, microseconds, nanoseconds.
const UNITS: [u32; 4] = [0, 3, 6, 9];
/// Digits of the smallest and of the largest number that is one of these.
const DIGITS: std::ops::RangeInclusive<i64> = 9..=19;

/// When a record was logged, as precisely as its `logTime` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTime {
    /// The first instant that it may mean.
    pub at: UtcMs,
    /// How long it may mean from there on: 1 ms, or up to 1 s where milliseconds are not written.
    pub precision: Millis,
}

impl LogTime {
    /// The first instant in `span` that it may mean; `None` when it lies outside for certain.
    #[must_use]
    pub fn within(self, span: Span) -> Option<UtcMs> {
        let at = self.at.max(span.from());
        (at < self.at.plus(self.precision) && span.contains(at)).then_some(at)
    }
}

/// The instant that a `logTime` means; `None` when that is not certain.
///
/// Read are:
///
/// - a number since the epoch, as an integer, with a fraction or with an exponent, exactly, and rounded
///   down to milliseconds. Its size tells the unit. In the years 1990 to 2100 there are
///   631,152,000 to 4,133,980,799 seconds, a thousand times as many milliseconds, a million times as
///   many microseconds, a thousand million times as many nanoseconds: no number is in two of these
///   ranges. In none of them, it is no time.
/// - a date and time with an offset, as in RFC 3339 or ISO 8601, with a fraction of up to nanoseconds
///   (rounded down), in the years 1970 to 9999, UTC.
/// - the same without an offset, if the job says in which `zone` it is, unless the clock there showed
///   that time twice or not at all.
#[must_use]
pub fn parse(text: &str, zone: Option<&Zone>) -> Option<LogTime> {
    milliseconds(text)
        .or_else(|| number(text))
        .or_else(|| date(text, zone))
}

/// Milliseconds as the service writes them; `None` where a closer look is needed.
fn milliseconds(text: &str) -> Option<LogTime> {
    let is_plain = text.len() == 13 && !text.starts_with('0') && is_made_of(text, b"");
    let ms: u64 = is_plain.then(|| text.parse().ok()).flatten()?;
    let is_time = (FIRST_SECOND * 1000..END_SECOND * 1000).contains(&ms);
    is_time.then_some(LogTime {
        at: UtcMs(ms as i64),
        precision: Millis(1),
    })
}

/// A number since the epoch.
fn number(text: &str) -> Option<LogTime> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if whole.is_empty() || !is_made_of(whole, b"") || !is_made_of(fraction, b"") {
        return None;
    }
    let written = || whole.bytes().chain(fraction.bytes());
    let zeros = written().take_while(|&digit| digit == b'0').count();
    // From here on without the zeros before the first other digit, of which so many are whole.
    let digits = (whole.len() + fraction.len() - zeros) as i64;
    let whole = whole.len() as i64 - zeros as i64 + i64::from(exponent);
    if !DIGITS.contains(&whole) {
        return None;
    }
    let first = |most: i64| {
        let padded = written().skip(zeros).chain(std::iter::repeat(b'0'));
        let digits = padded.take(usize::try_from(most).unwrap_or_default());
        digits.fold(0, |number: u64, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    };
    let number = first(whole);
    let unit = UNITS.into_iter().find(|&unit| {
        let times = 10u64.pow(unit);
        (FIRST_SECOND * times..END_SECOND * times).contains(&number)
    })?;
    let ms = first(whole + 3 - i64::from(unit));
    let decimals = match unit {
        0 => (digits - whole).clamp(0, 3) as usize,
        _ => 3,
    };
    Some(LogTime {
        at: UtcMs(i64::try_from(ms).ok()?),
        precision: precision(decimals),
    })
}

/// A date and time.
fn date(text: &str, zone: Option<&Zone>) -> Option<LogTime> {
    let at = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => civil(text, zone?)?,
    };
    let at = UtcMs::from(at);
    let decimals = text.split_once(['.', ',']).map_or(0, |(_, fraction)| {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit);
        digits.count()
    });
    (UtcMs(0) <= at && at <= LAST).then_some(LogTime {
        at,
        precision: precision(decimals),
    })
}

/// A date and time without an offset, in `zone`.
fn civil(text: &str, zone: &Zone) -> Option<Timestamp> {
    // The library passes over an offset that it can't use, and over a zone's name.
    let (date, time) = text.split_once(['T', 't', ' '])?;
    if !is_made_of(date, b"-") || !is_made_of(time, b":.,") {
        return None;
    }
    let civil: civil::DateTime = text.parse().ok()?;
    let instant = zone.tz().to_ambiguous_timestamp(civil);
    instant.unambiguous().ok()
}

/// How precise seconds with so many decimals are.
const fn precision(decimals: usize) -> Millis {
    Millis(match decimals {
        0 => 1000,
        1 => 100,
        2 => 10,
        _ => 1,
    })
}

/// Whether there are only digits and `marks` in `text`.
fn is_made_of(text: &str, marks: &[u8]) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || marks.contains(&byte))
}

/// How many bytes of a field are kept: a date with nanoseconds, an offset and a zone's name
/// has some 60.
const KEPT: usize = 64;

/// A field as far as it can matter: whole up to [`KEPT`] bytes, nothing beyond.
pub(super) struct Snippet {
    bytes: [u8; KEPT],
    /// Length of the whole field.
    len: usize,
}

impl Snippet {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; KEPT],
            len: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        for (kept, byte) in self.bytes.iter_mut().skip(self.len).zip(more) {
            *kept = *byte;
        }
        self.len = self.len.saturating_add(more.len());
    }

    /// The field, unless it was too long.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }

    /// Whether the field is `text`, of which only [`KEPT`] bytes and the length are compared.
    pub(super) fn is(&self, text: &str) -> bool {
        let kept = self.len.min(KEPT);
        self.len == text.len() && self.bytes.get(..kept) == text.as_bytes().get(..kept)
    }

    /// The field read as a time, in `zone` if it has no offset.
    pub(super) fn time(&self, zone: Option<&Zone>) -> Option<LogTime> {
        parse(str::from_utf8(self.bytes()?).ok()?, zone)
    }
}

#[cfg(test)]
mod tests;
