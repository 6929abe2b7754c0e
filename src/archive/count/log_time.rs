//! Reads a record's `logTime`, whose way of writing is unknown beforehand (`ELSA-API.md`,
//! *Unknown*). *Suspicious*: what is not certain is no time at all.

use crate::domain::span::UtcMs;

/// The last millisecond of the year 9999, the last one that four digits can write.
const LAST: UtcMs = UtcMs(253_402_300_799_999);

/// The instant that a `logTime` means; `None` when that is not certain.
///
/// Read are epoch milliseconds as a decimal integer, and a date and time with an offset, as in
/// RFC 3339 or ISO 8601, with a fraction of up to nanoseconds (rounded down). A date without an
/// offset is in an unknown zone; a number is never taken for seconds. The instant is in the
/// years 1970 to 9999, UTC.
#[must_use]
pub fn parse(text: &str) -> Option<UtcMs> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let instant = if is_integer {
        UtcMs(text.parse().ok()?)
    } else {
        text.parse::<jiff::Timestamp>().ok()?.into()
    };
    (UtcMs(0) <= instant && instant <= LAST).then_some(instant)
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

    /// The field read as a time.
    pub(super) fn time(&self) -> Option<UtcMs> {
        parse(str::from_utf8(self.bytes()?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_read_and_seconds_are_not_guessed_at() {
        for (text, ms) in [
            ("1763737200123", 1_763_737_200_123),
            ("0", 0),
            ("-0", 0),
            ("1763737200", 1_763_737_200),
            ("253402300799999", 253_402_300_799_999),
        ] {
            assert_eq!(parse(text), Some(UtcMs(ms)), "{text}");
        }
        for wrong in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e12",
            "0x10",
            "-1",
            "253402300800000",
            "9223372036854775807",
            "9223372036854775808",
            "99999999999999999999999999",
            "١٢٣",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_date_is_read_when_it_has_an_offset() {
        for (text, utc) in [
            ("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("2026-11-22T00:00:00+09:00", "2026-11-21T15:00:00Z"),
            ("2026-11-22 00:00:00.5+0900", "2026-11-21T15:00:00.5Z"),
            ("2026-11-22T00:00:00.123456789Z", "2026-11-22T00:00:00.123Z"),
            (
                "2026-11-22T00:00:00.1239999-00:30",
                "2026-11-22T00:30:00.123Z",
            ),
            ("20261122T000000+0900", "2026-11-21T15:00:00Z"),
            (
                "2026-11-22T00:00:00+09:00[Asia/Seoul]",
                "2026-11-21T15:00:00Z",
            ),
        ] {
            assert_eq!(
                parse(text).map(|ms| ms.to_string()).as_deref(),
                Some(utc),
                "{text}"
            );
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
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_field_is_kept_whole_or_not_at_all() {
        let mut field = Snippet::new();
        field.push(&[b'0'; KEPT - 1]);
        field.push(b"7");
        assert_eq!(field.time(), Some(UtcMs(7)));
        field.push(b"1");
        assert_eq!(field.bytes(), None);
        let (whole, other) = ("0".repeat(KEPT - 1) + "71", "0".repeat(KEPT) + "71");
        assert!(field.is(&whole) && !field.is(&other) && !field.is(&whole.replace('7', "1")));
        field.push(&[b'1'; 3 * KEPT]);
        assert_eq!(field.bytes(), None);
        field.clear();
        field.push(b"12");
        field.push(b"34");
        assert_eq!(field.time(), Some(UtcMs(1234)));
        assert!(field.is("1234") && !field.is("123") && !field.is(""));
    }
}
