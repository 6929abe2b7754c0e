//! The end of a ledger, from its newest line backwards, without what lies before it. For looking, not for proving.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How many bytes are read at once.
const PIECE: u64 = 64 * 1024;

/// Hands the whole lines of the file at `path` to `each`, the newest first and without their newlines, while it says to
/// go on and for `most` bytes. What follows the last newline is torn, and is passed over.
///
/// # Errors
/// When the file can't be read.
pub(crate) fn newest_first(
    path: &Path,
    most: u64,
    mut each: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut at = end;
    // What was read of the line that ends where the next piece does; before the first newline that is torn.
    let mut rest = Vec::new();
    let mut is_torn = true;
    while at > 0 && end - at < most {
        let length = at.min(PIECE);
        at -= length;
        file.seek(SeekFrom::Start(at))?;
        let mut piece = Vec::new();
        (&mut file).take(length).read_to_end(&mut piece)?;
        piece.append(&mut rest);
        let mut until = piece.len();
        while let Some(newline) = memchr::memrchr(b'\n', &piece[..until]) {
            if !is_torn && !each(&piece[newline + 1..until]) {
                return Ok(());
            }
            is_torn = false;
            until = newline;
        }
        piece.truncate(until);
        rest = piece;
    }
    if at == 0 && !is_torn {
        each(&rest);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &[u8], most: u64, wanted: usize) -> Vec<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut found = Vec::new();
        let take = |line: &[u8]| {
            found.push(line.to_vec());
            found.len() < wanted
        };
        newest_first(file.path(), most, take).unwrap();
        found
    }

    #[test]
    fn what_is_torn_is_passed_over_and_enough_is_enough() {
        assert!(lines(b"", u64::MAX, 9).is_empty());
        assert!(lines(b"torn", u64::MAX, 9).is_empty());
        assert_eq!(lines(b"a\nb\ntorn", u64::MAX, 9), [b"b", b"a"]);
        assert_eq!(lines(b"a\nb\nc\n", u64::MAX, 2), [b"c", b"b"]);
        let long = [b"a\n".to_vec(), vec![b'x'; 300_000], b"\n".to_vec()].concat();
        assert_eq!(lines(&long, u64::MAX, 9).len(), 2);
        assert_eq!(lines(&long, 1, 9).len(), 0);
    }

    proptest! {
        #[test]
        fn it_reads_the_lines_as_they_are(
            lengths in prop::collection::vec(0usize..40_000, 0..12),
            torn in 0usize..10,
        ) {
            let all: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![b'x'; length]).collect();
            let mut text: Vec<u8> = all.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
            text.resize(text.len() + torn, b'y');
            let backwards: Vec<Vec<u8>> = all.into_iter().rev().collect();
            prop_assert_eq!(lines(&text, u64::MAX, usize::MAX), backwards);
        }
    }
}
