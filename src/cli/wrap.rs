//! Lines that fit a terminal: what people read is broken between words. A pipe gets its lines whole.

use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};
use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, wrap};

/// `text` as it is shown on `stream`: where that is a terminal, no line is longer than it is wide, and what
/// is left of a line that is indented begins `hanging` columns from the left, of any other two. A
/// command in backticks, and a word, stays in one piece, so that it can be pasted; without `hanging` an
/// indented line is such a command.
pub(super) fn fitted(text: &str, hanging: Option<usize>, stream: impl AsFd) -> String {
    match terminal_size_of(stream) {
        Some((Width(columns), _)) => lines(text, columns.into(), hanging),
        None => text.to_owned(),
    }
}

fn lines(text: &str, columns: usize, hanging: Option<usize>) -> String {
    let fit = |line: &str| {
        let own = line.len() - line.trim_start_matches(' ').len();
        let indent = " ".repeat(match (own, hanging) {
            (0, _) => 2,
            (own, Some(hanging)) => hanging.max(own + 2),
            (_, None) => return line.to_owned(),
        });
        let options = Options::new(columns)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation)
            .word_separator(WordSeparator::Custom(words));
        wrap(line, options).join("\n")
    };
    text.split('\n').map(fit).collect::<Vec<_>>().join("\n")
}

/// The words of a line, each with the spaces behind it; those before the first word belong to it.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut words = Vec::new();
    let (mut begun, mut is_quoted, mut in_word) = (0, false, false);
    for (at, c) in line.char_indices() {
        is_quoted ^= c == '`';
        let is_space = c == ' ' && !is_quoted;
        if !is_space && !in_word && begun < at && !line[begun..at].trim().is_empty() {
            words.push(Word::from(&line[begun..at]));
            begun = at;
        }
        in_word = !is_space;
    }
    words.push(Word::from(&line[begun..]));
    Box::new(words.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_between_words_and_hangs() {
        let text = "shop: ok\n  unproven       1 (known? `elsa-archiver status --ack shop`)\n\n";
        assert_eq!(lines(text, 80, Some(17)), text);
        let narrow = "shop: ok\n  unproven       1 (known?\n                 `elsa-archiver status \
                      --ack shop`)\n\n";
        assert_eq!(lines(text, 30, Some(17)), narrow);
    }

    #[test]
    fn what_can_t_be_broken_stays_whole() {
        let digest = "f".repeat(64);
        let shown = lines(&format!("  newest manifest {digest}"), 80, Some(4));
        assert_eq!(shown, format!("  newest manifest\n    {digest}"));
        assert_eq!(
            lines(&format!("  {digest}"), 40, Some(4)),
            format!("  {digest}")
        );
        // A quote that is not closed is no reason to lose anything.
        assert_eq!(
            lines("as that user:\n  run this now", 5, None),
            "as\n  that\n  user:\n  run this now"
        );
        assert_eq!(lines("a `b c", 3, Some(1)), "a\n  `b c");
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_spaces_is_lost_or_added(text in "[ a`é\n]{0,80}", columns in 1_usize..40) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let shown = lines(&text, columns, Some(4));
            proptest::prop_assert_eq!(words(&shown), words(&text));
        }
    }
}
