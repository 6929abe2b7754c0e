//! Records chosen by what their fields hold. Pure.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::cells::Cells;

/// Fields that a record must have, and their text; none lets every record through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter(Vec<(String, String)>);

impl Filter {
    /// Reads `FIELD=TEXT` of each. A field's name ends at the first `=`.
    ///
    /// # Errors
    /// Says which one has none.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, String> {
        let pairs = texts.iter().map(|text| match text.split_once('=') {
            Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
            _ => Err(format!(
                "{text:?} is no FIELD=TEXT; an example is logLevel=ERROR"
            )),
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// Whether it lets every record through.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it lets a JSON record through; `None` where that can't be known. A string is compared by what it means,
    /// anything else as it is written shortest.
    pub(crate) fn has_json(&self, record: &[u8]) -> Option<bool> {
        if self.is_empty() {
            return Some(true);
        }
        // Half a surrogate pair, which bodies of logs do hold, is no obstacle in a field that nobody asks for.
        let mut reader = serde_json::Deserializer::from_slice(record);
        reader.deserialize_map(Fields(self)).ok()
    }

    /// Whether it lets a CSV record through, of which the columns are named so.
    pub(crate) fn has_csv(&self, columns: &Cells, record: &Cells) -> bool {
        self.0.iter().all(|(field, text)| {
            let mut cells = columns.iter().zip(record.iter());
            cells.any(|(column, cell)| column == field.as_bytes() && cell == text.as_bytes())
        })
    }
}

/// Looks at the fields of a JSON record.
struct Fields<'a>(&'a Filter);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let wanted = &self.0.0;
        // Of a field that comes twice the last one counts, as for `logTime`.
        let mut has = vec![false; wanted.len()];
        while let Some(name) = fields.next_key::<String>()? {
            if !wanted.iter().any(|(field, _)| *field == name) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let found = fields.next_value::<Value>()?;
            let found = match found {
                Value::String(text) => text,
                other => other.to_string(),
            };
            for (has, (field, text)) in has.iter_mut().zip(wanted) {
                if *field == name {
                    *has = *text == found;
                }
            }
        }
        Ok(has.into_iter().all(|has| has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(texts: &[&str]) -> Filter {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Filter::parse(&texts).unwrap()
    }

    #[test]
    fn a_record_is_chosen_by_all_of_its_fields() {
        let record = br#"{"logLevel":"ERROR","body":"a=b \u00e9 \"q\"","n":7,"ok":true,"nil":null,"o":{"x":"y"}}"#;
        for (texts, chosen) in [
            (&[][..], true),
            (&["logLevel=ERROR"], true),
            (&["logLevel=ERRO"], false),
            (&["logLevel=error"], false),
            (&["body=a=b \u{e9} \"q\""], true),
            (&["n=7", "ok=true", "nil=null"], true),
            (&["n=7", "ok=false"], false),
            (&["x=y"], false),
            (&["host="], false),
        ] {
            assert_eq!(filter(texts).has_json(record), Some(chosen), "{texts:?}");
        }
        let half = br#"{"body":"\ud800","logLevel":"ERROR"}"#;
        assert_eq!(filter(&["logLevel=ERROR"]).has_json(half), Some(true));
        assert_eq!(filter(&["body=x"]).has_json(half), None);
        let twice = br#"{"a":"1","a":"2"}"#;
        assert_eq!(filter(&["a=1"]).has_json(twice), Some(false));
    }

    #[test]
    fn a_csv_record_is_chosen_by_its_columns() {
        let columns = Cells::of(b"logLevel,body");
        for (record, chosen) in [
            (&b"ERROR,\"a \"\"b\"\"\r\n\""[..], true),
            (b"ERROR,a", false),
            (b"\"a \"\"b\"\"\r\n\",ERROR", false),
        ] {
            let filter = filter(&["logLevel=ERROR", "body=a \"b\"\r\n"]);
            assert_eq!(filter.has_csv(&columns, &Cells::of(record)), chosen);
        }
    }

    #[test]
    fn what_is_no_field_and_text_is_refused() {
        for wrong in ["", "logLevel", "=ERROR"] {
            assert!(Filter::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
