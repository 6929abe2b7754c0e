//! What may be shown to an operator.

/// Asserts that `text` is one line of at most `most` bytes, without control characters and without
/// those that hide or turn text around.
pub fn assert_printable(text: &str, most: usize) {
    let unprintable = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(unprintable), "{text:?}");
    assert!(text.len() <= most, "{} bytes: {text}", text.len());
}
