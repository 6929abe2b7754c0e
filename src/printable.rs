//! Text from outside, made fit to be printed (**Suspicious**).

use std::ffi::OsStr;

/// How many characters of a text are shown.
const MOST: usize = 160;

/// `text` on one line: characters that control, hide or turn text are escaped, and what is longer
/// than 160 characters is cut.
#[must_use]
pub(crate) fn printable(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => whole(&text[..end]) + "…",
        None => whole(text),
    }
}

/// As [`printable`], uncut: what a file is called, say.
#[must_use]
pub(crate) fn whole(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// A word of a command that is shown to be pasted into a shell, quoted where it has to be. Bytes that are no
/// text, and characters that control, can't be shown so.
#[must_use]
pub(crate) fn shell_word(word: impl AsRef<OsStr>) -> String {
    let word = whole(&word.as_ref().to_string_lossy());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_in_a_shell() {
        for (word, shown) in [
            ("/var/lib/elsa-archiver", "/var/lib/elsa-archiver"),
            ("", "''"),
            ("my disk", "'my disk'"),
            ("it's $(here)", "'it'\\''s $(here)'"),
            ("2026-11-01T00:00:00+09:00", "2026-11-01T00:00:00+09:00"),
        ] {
            assert_eq!(shell_word(word), shown);
        }
    }
}
