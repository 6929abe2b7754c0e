//! The cells of one line of CSV, unquoted. Pure.

use csv_core::{ReadRecordResult, Reader};

/// The cells of one line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Cells {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    /// The cells of a line without the line break that ends it.
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut reader = Reader::new();
        let (mut text, mut ends) = (vec![0; line.len() + 1], vec![0; line.len() + 2]);
        let (mut written, mut ended) = (0, 0);
        let mut input = line;
        // The reader drops a byte-order mark at its beginning; a blank line before it keeps it.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        loop {
            let (result, read, wrote, found) =
                reader.read_record(input, &mut text[written..], &mut ends[ended..]);
            input = input.get(read..).unwrap_or_default();
            written += wrote;
            ended += found;
            // The end of the input is told by an empty one.
            match result {
                ReadRecordResult::InputEmpty => {}
                _ => break,
            }
        }
        text.truncate(written);
        ends.truncate(ended);
        Self { text, ends }
    }

    /// Each cell.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(from, &to)| self.text.get(from..to).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Vec<String> {
        let cells = Cells::of(line.as_bytes());
        let text = |cell: &[u8]| String::from_utf8(cell.to_owned()).unwrap();
        cells.iter().map(text).collect()
    }

    #[test]
    fn cells_are_unquoted() {
        assert_eq!(cells("a,b"), ["a", "b"]);
        assert_eq!(cells("a"), ["a"]);
        assert_eq!(cells(",,"), ["", "", ""]);
        assert_eq!(
            cells("\"a\"\"b\",\"c\r\nd\",\" e \""),
            ["a\"b", "c\r\nd", " e "]
        );
        assert_eq!(cells("\u{feff}a,\u{ac00}"), ["\u{feff}a", "\u{ac00}"]);
    }
}
