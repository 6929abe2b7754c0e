//! Text from outside, made fit to be printed and written: no control characters, no endless
//! lines, no keys.

use crate::domain::secret::{Keys, Secret};

/// Most characters of foreign text that are shown.
const LONGEST: usize = 200;
/// What stands in place of a key.
const BLOT: &str = "[key]";
/// Fewer bytes of a key's beginning are not taken for one, and tell nothing.
const TELLING: usize = 4;

/// `text` on one line, without control characters, cut to 200 characters, in quotes.
#[must_use]
pub fn quote(text: &str) -> String {
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

/// `text` with both keys blotted out, should the service have echoed them, also where it was cut
/// within one.
#[must_use]
pub fn blot(text: &str, keys: &Keys) -> String {
    [&keys.secret_key, &keys.access_key]
        .into_iter()
        .map(Secret::expose)
        .filter(|key| !key.is_empty())
        .fold(text.to_owned(), |text, key| {
            let mut text = text.replace(key, BLOT);
            let beginnings = key.char_indices().map(|(at, _)| &key[..at]);
            let cut = beginnings
                .rev()
                .take_while(|beginning| beginning.len() >= TELLING)
                .find(|beginning| text.ends_with(*beginning));
            if let Some(cut) = cut {
                text.truncate(text.len() - cut.len());
                text.push_str(BLOT);
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_comes_out_on_one_short_line() {
        assert_eq!(quote("a\r\n\x1b[31mred\x07 \"b\""), "\"a [31mred 'b'\"");
        assert_eq!(quote(""), "\"\"");
        assert_eq!(quote("권한이 없습니다"), "\"권한이 없습니다\"");
        assert_eq!(quote("evil\u{202e}txt"), "\"evil txt\"");
        let long = quote(&"x".repeat(100_000));
        assert!(long.len() < 210 && long.ends_with("...\""), "{long}");
    }

    #[test]
    fn an_echoed_key_is_blotted_out() {
        let keys = Keys {
            access_key: Secret::new("AKCANARY".into()),
            secret_key: Secret::new("SKCANARY".into()),
        };
        assert_eq!(
            blot("no AKCANARY with SKCANARY", &keys),
            "no [key] with [key]"
        );
        for cut in ["no AKCANARY with SKCANAR", "no AKCANARY with SKCA"] {
            assert_eq!(blot(cut, &keys), "no [key] with [key]");
        }
        assert_eq!(blot("SK and AKC", &keys), "SK and AKC");
    }
}
