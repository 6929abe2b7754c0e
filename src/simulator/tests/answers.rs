//! What an honest answer holds: exactly the truth, in every dialect.

use std::io::{Cursor, Read as _};

use super::*;
use crate::domain::job::ToBound;

/// The files of the zip, in order.
fn files(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|place| {
            let mut file = archive.by_index(place).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().to_string(), bytes)
        })
        .collect()
}

/// The records of a JSON file, whatever its layout.
fn json_records(bytes: &[u8]) -> Vec<Value> {
    let mut values: Vec<Value> = serde_json::Deserializer::from_slice(bytes)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    if let [Value::Array(records)] = values.as_mut_slice() {
        return std::mem::take(records);
    }
    assert!(values.iter().all(Value::is_object));
    values
}

/// The records of a CSV file, as objects of strings.
fn csv_records(bytes: &[u8]) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().unwrap().clone();
    let object = |row: csv::StringRecord| {
        let cells = header.iter().zip(&row);
        cells
            .map(|(name, cell)| (name.to_owned(), Value::from(cell)))
            .collect::<Value>()
    };
    reader.records().map(|row| object(row.unwrap())).collect()
}

pub(super) fn records(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200);
    assert!(answer.is_whole);
    let read = |(name, bytes): (String, Vec<u8>)| {
        if name.ends_with(".csv") {
            csv_records(&bytes)
        } else {
            json_records(&bytes)
        }
    };
    files(&answer.body).into_iter().flat_map(read).collect()
}

pub(super) fn seq(record: &Value) -> u64 {
    record["seq"].as_str().unwrap().parse().unwrap()
}

pub(super) async fn seqs(simulator: &Simulator, body: &Value) -> Vec<u64> {
    let answer = answer_to(simulator, body).await;
    records(&answer).iter().map(seq).collect()
}

/// The instant that a record's `logTime` tells, however it is written.
pub(super) fn instant(time: &Value) -> UtcMs {
    if let Some(ms) = time.as_i64() {
        return UtcMs(ms);
    }
    let text = time.as_str().unwrap();
    text.parse().map_or_else(
        |_| UtcMs::from(text.parse::<jiff::Timestamp>().unwrap()),
        UtcMs,
    )
}

#[tokio::test]
async fn every_dialect_tells_exactly_the_truth() {
    let project = shop(250).with_spike(FROM.plus(Millis(5)), 50, Millis(2));
    let truth: Vec<_> = project.truth(hour()).collect();
    let layouts = [
        ("JSON", JsonLayout::Array, CsvLayout::Whole, Newline::Lf, 1),
        ("JSON", JsonLayout::Lines, CsvLayout::Whole, Newline::Lf, 1),
        (
            "JSON",
            JsonLayout::Concatenated,
            CsvLayout::Whole,
            Newline::Lf,
            1,
        ),
        ("JSON", JsonLayout::Pages, CsvLayout::Whole, Newline::Lf, 43),
        ("CSV", JsonLayout::Array, CsvLayout::Whole, Newline::Lf, 1),
        ("CSV", JsonLayout::Array, CsvLayout::Whole, Newline::Crlf, 1),
        (
            "CSV",
            JsonLayout::Array,
            CsvLayout::Pages,
            Newline::Crlf,
            43,
        ),
    ];
    let times = [
        TimeStyle::Number,
        TimeStyle::Decimal,
        TimeStyle::Rfc3339 {
            offset_seconds: 9 * 3600,
        },
    ];
    let framings = [Framing::ContentLength, Framing::Chunked];
    for (place, (format, json, csv, newline, file_count)) in layouts.into_iter().enumerate() {
        for time in times {
            let dialect = Dialect {
                json,
                csv,
                newline,
                time,
                framing: framings[place % 2],
                order: Order::Shuffled { seed: 3 },
                ..Dialect::default()
            };
            let simulator = speaking(project.clone(), dialect.clone()).await;
            let body = ask_with(&json!({"format": format, "limit": 7}));
            let answer = answer_to(&simulator, &body).await;
            assert_eq!(files(&answer.body).len(), file_count, "{dialect:?}");
            let mut told: Vec<_> = records(&answer)
                .iter()
                .map(|record| Truth {
                    seq: seq(record),
                    log_time: instant(&record["logTime"]),
                })
                .collect();
            assert_eq!(told.len() as u64, simulator.journal()[0].records);
            assert_ne!(told, truth, "{dialect:?}: not shuffled");
            told.sort_unstable();
            assert_eq!(told, truth, "{dialect:?}");
        }
    }
}

#[tokio::test]
async fn the_layouts_are_the_ones_they_are_called() {
    for (layout, is_right) in [
        (
            JsonLayout::Array,
            (|text| text.starts_with('[') && text.ends_with("}]")) as fn(&str) -> bool,
        ),
        (JsonLayout::Lines, |text| {
            text.lines().count() == 300 && text.ends_with("}\n")
        }),
        (JsonLayout::Concatenated, |text| {
            !text.contains('\n') && text.contains("}{") && text.contains("}\t{")
        }),
    ] {
        let dialect = Dialect {
            json: layout,
            ..Dialect::default()
        };
        let simulator = speaking(shop(300), dialect).await;
        let files = files(&answer_to(&simulator, &ask()).await.body);
        assert!(
            is_right(std::str::from_utf8(&files[0].1).unwrap()),
            "{layout:?}"
        );
    }
}

#[tokio::test]
async fn what_is_read_back_is_the_record_to_the_last_character() {
    let project = shop(400);
    let dialect = Dialect {
        order: Order::Ascending,
        ..Dialect::default()
    };
    let simulator = speaking(project.clone(), dialect.clone()).await;
    for format in ["JSON", "CSV"] {
        let answer = answer_to(&simulator, &ask_with(&json!({"format": format}))).await;
        for (seq, told) in (0..).zip(records(&answer)) {
            let record = project.record(seq).unwrap();
            assert_eq!(told["body"], record.body.as_str());
            assert_eq!(told["host"], record.host.as_str());
            assert_eq!(told["logType"], "nelo2-log");
            assert_eq!(told["projectName"], KEY);
            assert_eq!(told.as_object().unwrap().len(), FIELDS.len());
        }
    }
    // The same bytes can be had without the network.
    let rendering = Rendering::new(&[], dialect.time);
    let mut line = Vec::new();
    rendering
        .json(&project.record(0).unwrap(), &mut line)
        .unwrap();
    let files = files(&answer_to(&simulator, &ask()).await.body);
    assert!(files[0].1[1..].starts_with(&line));
}

#[tokio::test]
async fn only_the_fields_that_are_named_are_told() {
    let simulator = speaking(shop(3), Dialect::default()).await;
    let fields = json!(["seq", "body", "nothing", "seq"]);
    let json = answer_to(&simulator, &ask_with(&json!({"includeFields": fields}))).await;
    for record in records(&json) {
        let names: Vec<_> = record.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["body", "seq"]);
    }
    let csv = json!({"includeFields": fields, "format": "CSV"});
    let csv = files(&answer_to(&simulator, &ask_with(&csv)).await.body);
    assert!(csv[0].1.starts_with(b"seq,body,nothing\r\n"));
    let none = json!({"includeFields": ["nothing"]});
    assert_eq!(
        records(&answer_to(&simulator, &ask_with(&none)).await),
        [json!({}), json!({}), json!({})]
    );
    let none = json!({"includeFields": ["nothing"], "format": "CSV"});
    let csv = files(&answer_to(&simulator, &ask_with(&none)).await.body);
    assert_eq!(csv[0].1, b"nothing\r\n\"\"\r\n\"\"\r\n\"\"\r\n");
}

#[tokio::test]
async fn a_record_at_exactly_the_end_is_told_when_the_end_is_inclusive() {
    for (to_bound, expected) in [
        (ToBound::Inclusive, vec![0, 1, 2]),
        (ToBound::Exclusive, vec![0, 1]),
    ] {
        let times = vec![
            FROM,
            FROM.plus(Millis(1)),
            FROM.plus(Millis(2)),
            FROM.plus(Millis(3)),
            FROM.plus(Millis(-1)),
        ];
        let project = Project::from_times(KEY, ID, 1, times);
        let dialect = Dialect {
            to_bound,
            order: Order::Ascending,
            ..Dialect::default()
        };
        let simulator = speaking(project, dialect).await;
        let body = ask_with(&json!({"to": FROM.0 + 2}));
        // The record before the start is number 0.
        let told: Vec<_> = seqs(&simulator, &body).await;
        assert_eq!(told, expected.iter().map(|seq| seq + 1).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_cap_keeps_the_first_records_of_the_order_and_says_nothing() {
    let ascending: Vec<u64> = (0..20).collect();
    let descending: Vec<u64> = (0..20).rev().collect();
    for (hidden_cap, count, kept) in [
        (None, 8, 8),
        (Some(5), 8, 5),
        (Some(9), 8, 8),
        (Some(0), 8, 0),
    ] {
        for (order, expected) in [
            (Order::Ascending, &ascending),
            (Order::Descending, &descending),
        ] {
            let dialect = Dialect {
                order,
                hidden_cap,
                ..Dialect::default()
            };
            let simulator = speaking(shop(20), dialect).await;
            let told = seqs(&simulator, &ask_with(&json!({"count": count}))).await;
            assert_eq!(told, expected[..kept]);
        }
    }
    let dialect = Dialect {
        order: Order::Shuffled { seed: 5 },
        ..Dialect::default()
    };
    let simulator = speaking(shop(20), dialect).await;
    let told = seqs(&simulator, &ask_with(&json!({"count": 8}))).await;
    assert_eq!(
        told,
        seqs(&simulator, &ask_with(&json!({"count": 8}))).await
    );
    assert!(!told.is_sorted() && !told.iter().rev().is_sorted());
    assert!(truth::Difference::between(told, 0..20).repeated.is_empty());
}

#[tokio::test]
async fn without_a_count_a_hundred_thousand_records_are_the_most() {
    let project = Project::uniform(KEY, ID, 1, hour(), 100_001).with_body_size(0);
    let simulator = speaking(project, Dialect::default()).await;
    let body = ask_with(&json!({"includeFields": ["seq"]}));
    assert_eq!(answer_to(&simulator, &body).await.status, 200);
    assert_eq!(simulator.journal()[0].records, 100_000);
}

#[tokio::test]
async fn a_late_record_is_told_once_it_is_indexed() {
    let project = shop(200).with_late(4, Millis(7_200_000));
    let simulator = speaking(project.clone(), Dialect::default()).await;
    let in_time = seqs(&simulator, &ask()).await;
    let missing = truth::Difference::between(0..200, in_time).missing;
    assert!((25..=75).contains(&missing.len()), "{}", missing.len());
    // Late by two hours and looked for one hour after the end: none of them is there yet.
    let indexed_at = |seq: &u64| project.indexed_at(*seq).unwrap();
    assert!(missing.iter().all(|seq| indexed_at(seq) > NOW));

    let first = missing.iter().map(indexed_at).min().unwrap();
    simulator.set_visible_at(Some(first.plus(Millis(-1))));
    assert_eq!(seqs(&simulator, &ask()).await.len(), 200 - missing.len());
    simulator.set_visible_at(Some(first));
    assert!(seqs(&simulator, &ask()).await.len() > 200 - missing.len());
    simulator.set_visible_at(Some(UtcMs(i64::MAX)));
    assert_eq!(seqs(&simulator, &ask()).await.len(), 200);
}

#[tokio::test]
async fn a_log_of_the_future_is_not_told_before_its_time() {
    let times = vec![NOW, NOW.plus(Millis(1))];
    let simulator = speaking(Project::from_times(KEY, ID, 1, times), Dialect::default()).await;
    let body = ask_with(&json!({"to": NOW.0 + 10}));
    assert_eq!(seqs(&simulator, &body).await, [0]);
}

#[tokio::test]
async fn nothing_is_told_in_four_ways() {
    for (empty, format, expected) in [
        (EmptyAnswer::NoEntry, "JSON", None),
        (EmptyAnswer::EmptyFile, "JSON", Some(&b""[..])),
        (EmptyAnswer::EmptyFile, "CSV", Some(b"")),
        (EmptyAnswer::EmptyList, "JSON", Some(b"[]")),
        (EmptyAnswer::EmptyList, "CSV", Some(b"seq,body\r\n")),
    ] {
        let dialect = Dialect {
            empty,
            ..Dialect::default()
        };
        let simulator = speaking(Project::silent(KEY, ID), dialect).await;
        let body = ask_with(&json!({"format": format, "includeFields": ["seq", "body"]}));
        let answer = answer_to(&simulator, &body).await;
        let files = files(&answer.body);
        assert_eq!(answer.status, 200);
        let told = files.first().map(|(_, bytes)| bytes.as_slice());
        assert_eq!((told, files.len() < 2), (expected, true));
    }
    let dialect = Dialect {
        empty: EmptyAnswer::NotFound,
        ..Dialect::default()
    };
    let simulator = speaking(Project::silent(KEY, ID), dialect).await;
    let answer = answer_to(&simulator, &ask()).await;
    assert_eq!(answer.error(), (404, "300".to_owned()));
}
