//! Counts one file whole, byte by byte and in uneven chunks, which must make no difference.

use elsa_archiver::archive::count::{Counter, Kind, Record, Uncountable};

use crate::printable::assert_printable;

/// The records in order, and their number or the fault.
pub type Counted = (Vec<Record>, Result<u64, Uncountable>);

/// Counts `file`, whose records must show the field `expected`.
pub fn count_expecting(kind: Kind, file: &[u8], expected: &str) -> Counted {
    in_chunks(kind, [file], &[expected])
}

/// Counts `file`, of which no field is expected.
pub fn count(kind: Kind, file: &[u8]) -> Counted {
    let whole = in_chunks(kind, [file], &[]);
    assert_eq!(in_chunks(kind, file.chunks(1), &[]), whole);
    assert_eq!(in_chunks(kind, uneven(file), &[]), whole);
    match &whole.1 {
        Ok(records) => assert_eq!(*records, whole.0.len() as u64, "each record is told once"),
        Err(fault) => {
            assert!(fault.offset <= file.len() as u64, "{fault}");
            assert_printable(&fault.to_string(), 300);
        }
    }
    whole
}

fn in_chunks<'a>(
    kind: Kind,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    expected: &[&str],
) -> Counted {
    let mut records = Vec::new();
    let mut counter = Counter::new(kind, expected, None);
    for chunk in chunks {
        counter.feed(chunk, &mut |record| records.push(record));
    }
    let counted = counter.finish(&mut |record| records.push(record));
    (records, counted)
}

/// Cuts `file` where its own bytes say: any place can be one.
fn uneven(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = file.len();
    std::iter::from_fn(move || {
        let last = file.last()?;
        state = state.wrapping_mul(31).wrapping_add(usize::from(*last));
        let (chunk, rest) = file.split_at(file.len().min(1 + state % 17));
        file = rest;
        Some(chunk)
    })
}
