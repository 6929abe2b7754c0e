//! Any records in any layout, and agreement with serde_json about what is JSON.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::*;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[{}\\[\\],:\"\\\\ 가\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner).prop_map(Value::from),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![
        any::<String>(),
        Just("logTime".to_owned()),
        "[a-z\"\\\\]{1,3}"
    ];
    proptest::collection::hash_map(key, value, 0..5).prop_map(|map| map.into_iter().collect())
}

/// Records, some with a time.
fn records() -> impl Strategy<Value = Vec<(Map<String, Value>, Option<UtcMs>)>> {
    let time = proptest::option::of((631_152_000_000..4_133_980_800_000_i64, 0..4));
    let record = (object(value()), time).prop_map(|(mut record, time)| {
        record.remove("logTime");
        if let Some((ms, writing)) = time {
            let written = match writing {
                0 => Value::from(ms),
                1 => Value::from(ms.to_string()),
                2 => Value::from(ms as f64 / 1000.0),
                _ => Value::from(UtcMs(ms).to_string()),
            };
            record.insert("logTime".to_owned(), written);
            return (record, Some(UtcMs(ms)));
        }
        (record, None)
    });
    proptest::collection::vec(record, 0..8)
}

/// What serde_json makes of a file: the number of records, or `None` for a refusal.
fn by_serde_json(bytes: &[u8]) -> Option<u64> {
    str::from_utf8(bytes).ok()?;
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    let mut records = 0;
    loop {
        let from = values.byte_offset();
        match values.next() {
            None => return Some(records),
            Some(value) => value.ok()?,
        };
        let text = bytes[from..values.byte_offset()].trim_ascii_start();
        match text.first() {
            Some(b'{') => records += 1,
            Some(b'[') => {
                let list: Vec<Value> = serde_json::from_slice(text).ok()?;
                if !list.iter().all(Value::is_object) {
                    return None;
                }
                records += list.len() as u64;
            }
            _ => return None,
        }
    }
}

/// Files of objects made of JSON's pieces and then damaged, most of them slightly.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    const PIECES: &[&[u8]] = &[
        b"\\\"", b"\\u00e9", b"\\ud800", b"\\u0", b"true", b"nul", b"\x0C", b"\x01", b"\0", b"a",
        b"\"a\":", b"\"a\"", b"{}", b"{\"a\":1}", b"\xED\x95\x9C", b"\xED\x95", b"\x80", b"{", b"}",
        b"[", b"]", b",", b":", b"\"", b"\\", b"0", b"1", b"-", b".", b"e", b"+", b" ", b"\n",
    ];
    let piece = proptest::sample::select(PIECES);
    let damage = (
        any::<proptest::sample::Index>(),
        0_usize..3,
        proptest::option::of(piece),
    );
    let objects = proptest::collection::vec((object(value()), any::<bool>()), 0..4);
    (objects, proptest::collection::vec(damage, 0..3)).prop_map(|(objects, damages)| {
        let mut bytes = Vec::new();
        for (object, in_lines) in objects {
            bytes.extend(serde_json::to_vec(&object).unwrap());
            bytes.extend(in_lines.then_some(b'\n'));
        }
        for (at, removed, inserted) in damages {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + removed);
            bytes.splice(at..end, inserted.unwrap_or_default().iter().copied());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Guarantee: Complete
    #[test]
    fn any_records_are_counted_and_timed_in_every_layout(records in records()) {
        let (values, times): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let written: Vec<String> =
            values.iter().map(|value| serde_json::to_string(value).unwrap()).collect();
        let pages: Vec<String> =
            values.chunks(3).map(|page| serde_json::to_string_pretty(page).unwrap()).collect();
        for text in [
            serde_json::to_string(&values).unwrap(),
            serde_json::to_string_pretty(&values).unwrap(),
            written.join("\n"),
            written.join("\r\n") + "\r\n",
            written.concat(),
            pages.concat(),
        ] {
            let counted = count(&text);
            prop_assert_eq!(counted, (times.clone(), Ok(times.len() as u64)), "{}", text);
        }
    }

    /// Guarantee: Complete
    #[test]
    fn what_serde_json_accepts_is_counted_and_nothing_else(bytes in nearly_json()) {
        let ours = count(&bytes).1.ok();
        prop_assert_eq!(ours, by_serde_json(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }
}
