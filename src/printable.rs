//! Text from outside, made fit to be printed (**Suspicious**).

/// `text` on one line: characters that control, hide or turn text are escaped, and what is longer
/// than 160 characters is cut.
#[must_use]
pub fn printable(text: &str) -> String {
    const MOST: usize = 160;
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MOST {
            shown.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}
