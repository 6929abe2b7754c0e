//! The counter of JSON against serde_json: what that accepts as records is counted, with their
//! times, and nothing else.

#![no_main]

use elsa_archiver::archive::count::log_time::{self, LogTime};
use elsa_archiver::archive::count::{Kind, LOG_TIME, Problem};
use elsa_archiver_fuzz::counting::{count, count_expecting};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The records in a file, as serde_json tells them apart; `None` for a file that is no list of
/// records.
fn records(file: &[u8]) -> Option<Vec<&RawValue>> {
    // A mark at the beginning is allowed in files, though not in JSON.
    let text = str::from_utf8(file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file)).ok()?;
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.ok()?;
        match value.get().as_bytes().first() {
            Some(b'{') => records.push(value),
            Some(b'[') => records.extend(serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?),
            _ => return None,
        }
    }
    let are_objects = records.iter().all(|record| record.get().starts_with('{'));
    are_objects.then_some(records)
}

/// The time of a record as serde_json reads it. `None` where the two may differ: in escapes, which
/// we compare as they are written, in long fields, and in numbers that it rounds or refuses.
fn time(record: &RawValue) -> Option<Option<LogTime>> {
    if record.get().contains('\\') {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(record.get()).ok()?;
    match fields.get(LOG_TIME) {
        Some(Value::String(text)) => (text.len() <= 64).then(|| log_time::parse(text, None)),
        Some(Value::Number(number)) => {
            let integer = number.as_u64()?;
            Some(log_time::parse(&integer.to_string(), None))
        }
        _ => Some(None),
    }
}

fuzz_target!(|file: &[u8]| {
    let (told, counted) = count(Kind::Json, file);
    let expecting = count_expecting(Kind::Json, file, LOG_TIME);
    let records = records(file);
    match &counted {
        Ok(ours) => {
            let records = records.expect("serde_json reads it too");
            assert_eq!(*ours, records.len() as u64);
            for (ours, record) in told.iter().zip(&records) {
                if let Some(theirs) = time(record) {
                    assert_eq!(ours.time, theirs, "{record}");
                }
            }
            let shown = told.iter().all(|record| record.time.is_some());
            match expecting.1 {
                Ok(_) => assert_eq!(expecting, (told, counted)),
                Err(fault) => {
                    assert!(matches!(fault.problem, Problem::NoKey(_)), "{fault}");
                    assert!(!shown && !records.is_empty());
                }
            }
        }
        Err(fault) => {
            let lacks_key =
                matches!(&expecting.1, Err(other) if matches!(other.problem, Problem::NoKey(_)));
            assert!(lacks_key || expecting.1.as_ref() == Err(fault), "{fault}");
            // serde_json passes over values of any depth.
            assert!(
                records.is_none() || fault.problem == Problem::TooDeep,
                "{fault}"
            );
        }
    }
});
