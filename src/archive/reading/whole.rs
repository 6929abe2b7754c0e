//! The records of a JSON file that are all wanted, one a line. Pure. Carries *Exactly once* and *Bounded*.
//!
//! Such a file was parsed and counted when it was archived, and its bytes are proven to be the same: its grammar is not
//! asked again. What remains is to find where each record begins and ends, which is many times faster.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::extract::{Doubts, Extracted, LONGEST_RECORD, one_line};

/// How much is handed on at once: larger blocks come from the system each, and go back to it.
const MOST_AT_ONCE: usize = 64 * 1024;

/// Where in the grammar the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between records: white space, commas and brackets.
    Between,
    /// In a record, and in no string.
    Record,
    /// In a string.
    Text,
    /// After a backslash in a string.
    Escape,
}

/// The records of such a file on their way.
pub(crate) struct Whole {
    place: Place,
    /// How many objects are open.
    depth: u32,
    /// What came of a record that is not whole.
    begun: Vec<u8>,
    records: u64,
    /// How many there were when it was archived.
    expected: u64,
    too_long: bool,
}

impl Whole {
    /// Nothing yet of a file with so many records.
    pub(crate) const fn new(expected: u64) -> Self {
        Self {
            place: Place::Between,
            depth: 0,
            begun: Vec::new(),
            records: 0,
            expected,
            too_long: false,
        }
    }

    /// Takes the file's next bytes, and hands on what they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(Extracted)) {
        for piece in bytes.chunks(MOST_AT_ONCE) {
            self.feed_some(piece, out);
        }
    }

    fn feed_some(&mut self, piece: &[u8], out: &mut dyn FnMut(Extracted)) {
        if self.too_long {
            // It is read to its end all the same: its digest says whether that is so.
            return;
        }
        let before = self.records;
        let mut written = Vec::with_capacity(piece.len() + self.begun.len());
        // Where the record that is not whole begins in this piece.
        let (mut from, mut at) = (0, 0);
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            match self.place {
                Place::Between => {
                    let Some(begin) = memchr(b'{', rest) else {
                        break;
                    };
                    from = at + begin;
                    if let Some(length) =
                        Self::without_a_scan(rest.get(begin..).unwrap_or_default())
                    {
                        let record = piece.get(from..from + length).unwrap_or_default();
                        one_line(record, &mut written);
                        self.records += 1;
                        at = from + length;
                        continue;
                    }
                    (self.place, self.depth) = (Place::Record, 1);
                    at = from + 1;
                }
                Place::Record => {
                    let Some(next) = memchr3(b'"', b'{', b'}', rest) else {
                        break;
                    };
                    at += next + 1;
                    match rest.get(next) {
                        Some(b'"') => self.place = Place::Text,
                        Some(b'{') => self.depth += 1,
                        _ => self.depth -= 1,
                    }
                    if self.depth == 0 {
                        let last = piece.get(from..at).unwrap_or_default();
                        self.end(last, &mut written);
                        from = at;
                    }
                }
                Place::Text => {
                    let Some(next) = memchr2(b'"', b'\\', rest) else {
                        break;
                    };
                    at += next + 1;
                    self.place = match rest.get(next) {
                        Some(b'"') => Place::Record,
                        _ => Place::Escape,
                    };
                }
                Place::Escape => {
                    self.place = Place::Text;
                    at += 1;
                }
            }
        }
        if self.place != Place::Between {
            self.begun
                .extend_from_slice(piece.get(from..).unwrap_or_default());
            self.too_long = self.begun.len() > LONGEST_RECORD;
            if self.too_long {
                self.begun = Vec::new();
            }
        }
        if !written.is_empty() {
            out(Extracted::Records(written, self.records - before));
        }
    }

    /// How long the record is that begins here, where that can be told without a look at its strings: the next object
    /// begins behind it, and lies in no string, since quotes come in pairs where nothing is escaped. What stands before
    /// that, but for commas, brackets and white space, ends the record.
    fn without_a_scan(rest: &[u8]) -> Option<usize> {
        let next = memchr(b'{', rest.get(1..)?)? + 1;
        let is_between =
            |byte: &u8| matches!(byte, b',' | b'[' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let before = rest.get(..next)?;
        let last = before.iter().rposition(|byte| !is_between(byte))?;
        let record = before.get(..=last)?;
        let is_plain = record.ends_with(b"}") && memchr(b'\\', record).is_none();
        let is_whole = is_plain && memchr_iter(b'"', record).count().is_multiple_of(2);
        is_whole.then_some(record.len())
    }

    /// A record ends with these bytes.
    fn end(&mut self, last: &[u8], written: &mut Vec<u8>) {
        if self.begun.is_empty() {
            one_line(last, written);
        } else {
            self.begun.extend_from_slice(last);
            one_line(&self.begun, written);
            self.begun.clear();
        }
        self.place = Place::Between;
        self.records += 1;
    }

    /// After the file's last byte.
    pub(crate) fn finish(self) -> Doubts {
        let is_all = self.records == self.expected && self.begun.is_empty();
        Doubts {
            too_long: self.too_long,
            miscounted: (!is_all && !self.too_long).then_some((self.records, self.expected)),
            ..Doubts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(file: &[u8], pieces: usize, expected: u64) -> (Vec<u8>, u64, Doubts) {
        let mut whole = Whole::new(expected);
        let (mut text, mut records) = (Vec::new(), 0);
        for piece in file.chunks(pieces) {
            whole.feed(piece, &mut |found| match found {
                Extracted::Records(bytes, number) => {
                    text.extend(bytes);
                    records += number;
                }
                Extracted::Header(_) => panic!(),
            });
        }
        (text, records, whole.finish())
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z ]{0,20}",
            2 => "[{}\\[\\],:\"\\\\/ \n\r\t]{0,12}",
            1 => any::<String>(),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(Value::from),
            any_text().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec((any_text(), inner), 0..3)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Guarantee: Exactly once
        #[test]
        fn every_record_is_written_once_in_any_layout_and_in_any_pieces(
            values in prop::collection::vec(any_value(), 0..8),
            layout in 0..7_u8,
            pieces in 1..90_usize,
        ) {
            let records: Vec<Value> = values
                .into_iter()
                .map(|value| json!({"logTime": 1, "body": value}))
                .collect();
            let each: Vec<String> = records.iter().map(|record| match layout {
                5 => serde_json::to_string_pretty(record).unwrap(),
                _ => record.to_string(),
            }).collect();
            let file = match layout {
                0 => format!("[{}]", each.join(",")),
                1 | 5 => format!("[\n{}\n]\n", each.join(",\n")),
                2 => each.iter().map(|one| format!("{one}\n")).collect(),
                3 => each.concat(),
                4 => each.iter().map(|one| format!("[{one}]\r\n")).collect(),
                _ => format!("\u{feff}[ {} ]", each.join(" , ")),
            };
            let expected = records.len() as u64;
            let (text, number, doubts) = read(file.as_bytes(), pieces, expected);
            prop_assert_eq!(&doubts, &Doubts::default(), "{}", file);
            prop_assert_eq!(number, expected);
            let lines: Vec<&str> = str::from_utf8(&text).unwrap().lines().collect();
            let found: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(found, records);
            // As they were written, but for breaks between tokens.
            if layout != 5 {
                prop_assert_eq!(lines, each);
            }
        }
    }

    /// Guarantee: Candid
    #[test]
    fn what_is_not_what_was_counted_is_told() {
        let file = b"{\"a\":1}\n{\"b\":2}\n";
        assert_eq!(read(file, 4, 3).2.miscounted, Some((2, 3)));
        assert_eq!(read(&file[..12], 4, 2).2.miscounted, Some((1, 2)));
        assert_eq!(read(file, 4, 2).2, Doubts::default());
    }
}
