//! CSV in its nastier writings, and agreement with the csv crate.

use super::*;
use crate::archive::count::Kind;
use crate::archive::count::log_time::parse;
use crate::archive::count::tests::{Counted, count as count_kind};
use crate::domain::span::UtcMs;
use ::csv::{QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use proptest::prelude::*;

fn count(bytes: impl AsRef<[u8]>) -> Counted {
    count_kind(Kind::Csv, bytes)
}

fn problem(bytes: impl AsRef<[u8]>) -> (u64, Problem) {
    let fault = count(bytes).1.unwrap_err();
    (fault.offset, fault.problem)
}

#[test]
fn records_are_what_follows_the_header() {
    for (text, records) in [
        ("", 0),
        ("\n\r\n\r", 0),
        ("a,b", 0),
        ("a,b\r\n", 0),
        ("a,b\n1,2", 1),
        ("a,b\n1,2\n", 1),
        ("a,b\r\n1,2\r\n3,4\r\n", 2),
        ("a,b\r1,2\r3,4", 2),
        ("\na,b\n\n1,2\n\r\n\n3,4\n\n", 2),
        ("a,b\n,\n,", 2),
        ("a,b\n\"\",\"\"\n", 1),
        ("a\n1\n\"\"\n2", 3),
        ("a\r\n1\r\n2\r\n", 2),
        ("a\r1\r2", 2),
        (" a , b \n 1 , 2 \n", 1),
        ("a,b\n1,\0\n\0,\0\0\n", 2),
        ("이름,값\n한글,😀\n", 1),
    ] {
        assert_eq!(count(text).1, Ok(records), "{text:?}");
    }
}

#[test]
fn quotes_hide_commas_line_breaks_and_quotes() {
    for (text, records) in [
        ("a,b\n\"x,y\",2\n", 1),
        ("a,b\n\"line\nline\r\nline\r\",2\n3,4\n", 2),
        ("a,b\n1,\"\n\"", 1),
        ("a,b\n1,\"\"\"\"\n", 1),
        ("a,b\n1,\"say \"\"hi\"\"\"\n", 1),
        ("a,b\n1,\"{\"\"k\"\":\"\"v\"\",\"\"l\"\":[1,2]}\"\r\n", 1),
        ("\"a\nb\",\"c\"\"d\"\n1,2\n", 1),
        // As csv-core has it: quotes count only at the start of a field.
        ("a,b\n1,x\"y\"z\n", 1),
        ("a,b\n1, \"x\"\n", 1),
        ("a,b\n1,\"x\"y\"z\n", 1),
    ] {
        assert_eq!(count(text).1, Ok(records), "{text:?}");
    }
}

#[test]
fn what_cannot_be_told_apart_ends_the_count() {
    for (text, at, problem_there) in [
        ("a,b\n1,\"x\n", 4, Problem::OpenQuote),
        ("a,b\n1,2\n3,\"4\"\"\n5,6\n", 8, Problem::OpenQuote),
        ("\"a,b\n1,2\n", 0, Problem::OpenQuote),
        (
            "a,b\n1\n",
            4,
            Problem::FieldCount {
                found: 1,
                expected: 2,
            },
        ),
        (
            "a,b\n1,2\n1,2,3\n",
            8,
            Problem::FieldCount {
                found: 3,
                expected: 2,
            },
        ),
        (
            "a,b\n1,2,",
            4,
            Problem::FieldCount {
                found: 3,
                expected: 2,
            },
        ),
        ("a\n1\n\n2\n", 4, Problem::BlankLine),
        ("a\r\n\r\n", 3, Problem::BlankLine),
    ] {
        assert_eq!(problem(text), (at, problem_there), "{text:?}");
    }
}

#[test]
fn the_time_is_in_the_column_that_the_header_names() {
    let ms = |ms: i64| Some(UtcMs(1_763_737_200_000 + ms));
    let early = |ms: i64| Some(UtcMs(ms));
    for (text, times) in [
        (
            "logTime,b\n1763737200001,2\n1763737200003,4\n",
            vec![ms(1), ms(3)],
        ),
        (
            "b,\"logTime\"\r\n2,\"1763737200001\"\r\n4,1763737200003",
            vec![ms(1), ms(3)],
        ),
        (
            "b,logTime,c\nx,1970-01-01T00:00:01Z,\n,,\nx,\"1970-01-01 09:00:02+0900\",1\n",
            vec![early(1000), None, early(2000)],
        ),
        (
            "logtime, logTime,logTimes,log\n1763737200001,1763737200002,1763737200003,1763737200004\n",
            vec![None],
        ),
        ("b,c\nlogTime,1763737200001\n", vec![None]),
        ("logTime\n1763737200005", vec![ms(5)]),
    ] {
        assert_eq!(count(text).0, times, "{text:?}");
    }
}

/// Guarantee: Bounded
#[test]
fn long_fields_and_many_fields_are_counted() {
    let long = "x\"\"\n".repeat(10_000);
    let text = format!(
        "{},logTime\n\"{long}\",1763737200007\n\"{long}\",\"{long}\"\n",
        "n".repeat(100_000)
    );
    assert_eq!(
        count(text),
        (vec![Some(UtcMs(1_763_737_200_007)), None], Ok(2))
    );
    let wide = ",".repeat(100_000);
    assert_eq!(count(format!("{wide}\n{wide}\n")).1, Ok(1));
}

fn table() -> impl Strategy<Value = (Vec<Vec<String>>, usize)> {
    let field = prop_oneof![
        any::<String>(),
        "[a,\"\r\n가 ]{0,6}",
        (0..5_000_000_000_000_i64).prop_map(|ms| ms.to_string()),
        Just("2026-11-22T00:00:00+09:00".to_owned()),
    ];
    (1_usize..6).prop_flat_map(move |columns| {
        let row = proptest::collection::vec(field.clone(), columns);
        (proptest::collection::vec(row, 0..8), 0..columns)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Guarantee: Complete
    #[test]
    fn any_table_that_the_csv_crate_writes_is_counted_and_timed(
        (rows, time_column) in table(),
        crlf: bool,
        style in proptest::sample::select(vec![QuoteStyle::Always, QuoteStyle::Necessary]),
    ) {
        let terminator = if crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
        let mut writer = WriterBuilder::new()
            .terminator(terminator)
            .quote_style(style)
            .from_writer(Vec::new());
        let columns = rows.first().map_or(1, Vec::len);
        let header = (0..columns).map(|at| if at == time_column { "logTime" } else { "\"other\"" });
        writer.write_record(header).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let times: Vec<Option<UtcMs>> =
            rows.iter().map(|row| parse(&row[time_column], None).map(|time| time.at)).collect();
        let records = times.len() as u64;
        prop_assert_eq!(count(&bytes), (times, Ok(records)), "{:?}", bytes);
    }

    #[test]
    fn any_bytes_are_read_as_the_csv_crate_reads_them(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec!["a", ",", "\"", "\"\"", "\n", "\r\n", "\r", "가,", " "]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        let mut reader = ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
        let header = reader.byte_headers().unwrap().clone();
        let mut rows = Vec::new();
        let whole = reader.byte_records().try_for_each(|row| row.map(|row| rows.push(row)));
        match count(&text).1 {
            Ok(records) => {
                prop_assert!(whole.is_ok() && !rows.contains(&header));
                prop_assert_eq!(rows.len() as u64, records);
            }
            Err(fault) => match fault.problem {
                Problem::FieldCount { .. } => prop_assert!(whole.is_err()),
                // Stricter than the csv crate.
                Problem::HeaderAgain => prop_assert!(rows.contains(&header)),
                Problem::BlankLine => prop_assert!(text.contains("\n\n") || text.contains('\r')),
                problem => prop_assert_eq!(problem, Problem::OpenQuote),
            },
        }
    }
}
