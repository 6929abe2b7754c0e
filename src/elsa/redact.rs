//! Text from outside, made fit to be printed and written: no control characters, no endless
//! lines, no keys.

use crate::domain::secret::{Keys, Secret};

/// How many characters of text from outside are shown.
const LONGEST: usize = 200;
/// What replaces a key.
const REDACTED: &str = "[key]";
/// Fewer bytes of a key's beginning are not taken for one, and tell nothing.
const TELLING: usize = 4;

/// `text` on one line, without control characters, cut to 200 characters, in quotes.
#[must_use]
pub(crate) fn quote(text: &str) -> String {
    let mut shown = String::with_capacity(LONGEST.min(text.len()) + 5);
    shown.push('"');
    let mut words = text.split(|c: char| c.is_whitespace() || is_unprintable(c));
    let mut length = 0;
    let mut first = true;
    for word in words.by_ref().filter(|word| !word.is_empty()) {
        if !std::mem::take(&mut first) {
            shown.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length >= LONGEST {
                shown.push_str("...\"");
                return shown;
            }
            shown.push(if c == '"' { '\'' } else { c });
            length += 1;
        }
    }
    shown.push('"');
    shown
}

/// Control characters, and those that turn the direction of text or hide themselves.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` with both keys redacted, should the service have echoed them: as they are or as JSON
/// may escape them, also where the text was cut within one.
#[must_use]
pub(crate) fn redact(text: &str, keys: &Keys) -> String {
    redact_all(text, &[&keys.secret_key, &keys.access_key])
}

/// The same for any secrets.
#[must_use]
pub(crate) fn redact_all(text: &str, secrets: &[&Secret]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let secrets = secrets.iter().map(|secret| secret.expose());
        let echoes = secrets.filter(|secret| !secret.is_empty());
        match echoes.filter_map(|secret| echo(rest, secret)).max() {
            Some(length) => {
                shown.push_str(REDACTED);
                rest = &rest[length..];
            }
            None => {
                shown.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    shown
}

/// How many bytes `key` has at the beginning of `text`, where it stands there.
fn echo(text: &str, key: &str) -> Option<usize> {
    let mut rest = text;
    for (at, c) in key.char_indices() {
        rest = match after(rest, c) {
            Some(rest) => rest,
            None if is_cut(rest) && at >= TELLING => return Some(text.len()),
            None => return None,
        };
    }
    Some(text.len() - rest.len())
}

/// What follows on `c`, however JSON writes it.
fn after(text: &str, c: char) -> Option<&str> {
    text.strip_prefix(c).or_else(|| {
        let escape = text.strip_prefix('\\')?;
        let number = escape.strip_prefix('u').and_then(|u| u.split_at_checked(4));
        match number {
            Some((digits, rest)) if u32::from_str_radix(digits, 16) == Ok(c.into()) => Some(rest),
            _ => escape.strip_prefix(c),
        }
    })
}

/// Whether text ends here, or within an escape.
fn is_cut(rest: &str) -> bool {
    rest.is_empty() || (rest.starts_with('\\') && rest.len() < r"\u0000".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn text_from_outside_comes_out_on_one_short_line() {
        assert_eq!(quote("a\r\n\x1b[31mred\x07 \"b\""), "\"a [31mred 'b'\"");
        assert_eq!(quote(""), "\"\"");
        assert_eq!(quote("권한이 없습니다"), "\"권한이 없습니다\"");
        assert_eq!(quote("evil\u{202e}txt"), "\"evil txt\"");
        let long = quote(&"x".repeat(100_000));
        assert!(long.len() < 210 && long.ends_with("...\""), "{long}");
    }

    /// Guarantee: Suspicious
    #[test]
    fn an_echoed_key_is_redacted() {
        let keys = Keys {
            access_key: Secret::new("AKCANARY".into()),
            secret_key: Secret::new("SKCANARY".into()),
        };
        assert_eq!(
            redact("no AKCANARY with SKCANARY", &keys),
            "no [key] with [key]"
        );
        for cut in ["no AKCANARY with SKCANAR", "no AKCANARY with SKCA"] {
            assert_eq!(redact(cut, &keys), "no [key] with [key]");
        }
        assert_eq!(redact("SK and AKC", &keys), "SK and AKC");
        for written in [r"\u0041KCANARY.", r"A\u004b\u0043\u0041\u004e\u0041RY."] {
            assert_eq!(redact(written, &keys), "[key].");
        }
        for cut in [r"\u0053KCA", r"SKCA\", r"SKCAN\u004", r"SKCAN\u0041"] {
            assert_eq!(redact(cut, &keys), "[key]");
        }
        for other in [r"\u0041K", r"AKCA\u004f", r"AKCA\u00e9", r"\u", "AKCAé"] {
            assert_eq!(redact(other, &keys), other);
        }
    }
}
