//! Text from outside, made fit to be printed (**Suspicious**).

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
