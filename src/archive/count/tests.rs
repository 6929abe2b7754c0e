//! What holds for every kind of file: which kind it is, byte-order marks, and chunks of any size.

mod records;

use super::*;
use crate::domain::span::UtcMs;
use proptest::prelude::*;

/// What came of counting: the times in order, and the number of records or the fault.
pub(super) type Counted = (Vec<Option<UtcMs>>, Result<u64, Uncountable>);

pub(super) fn count_chunks<'a>(kind: Kind, chunks: impl IntoIterator<Item = &'a [u8]>) -> Counted {
    count_expecting(kind, &[], chunks)
}

fn count_expecting<'a>(
    kind: Kind,
    expected: &[&str],
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Counted {
    let (records, result) = records_of(kind, expected, chunks);
    let time = |record: &Record| record.time.map(|time| time.at);
    (records.iter().map(time).collect(), result)
}

fn records_of<'a>(
    kind: Kind,
    expected: &[&str],
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Record>, Result<u64, Uncountable>) {
    let mut told = Vec::new();
    let mut counter = Counter::new(kind, expected, None);
    let mut tell = |record: Record| told.push(record);
    for chunk in chunks {
        counter.feed(chunk, &mut tell);
    }
    let result = counter.finish(&mut tell);
    if let Ok(records) = result {
        assert_eq!(records, told.len() as u64, "each record is told once");
    }
    (told, result)
}

pub(super) fn count(kind: Kind, bytes: impl AsRef<[u8]>) -> Counted {
    count_chunks(kind, [bytes.as_ref()])
}

/// Pieces that files are made of, whole ones and broken ones.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    const PIECES: &[&[u8]] = &[
        b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\"\"", b"\\", b"\\u00e9", b"\\ud800", b"\n",
        b"\r", b"\r\n", b" ", b"a", b"-1.5e+3", b"0", b"true", b"null", b"\x01", b"\0", b"\xFF",
        b"\"logTime\":", b"logTime", b"{\"logTime\":\"1763737200123\"}", b"{\"a\":[{}]}",
        b"1763737200123", b"\xEB\xA1\x9C", b"\xF0\x9F\x98\x80", b"\xEA\xB0", b"\xEF",
        b"\xEF\xBB", BOM,
    ];
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24).prop_map(|all| all.concat())
}

fn a_file() -> impl Strategy<Value = Vec<u8>> {
    let whole = proptest::sample::select(vec![
        "\u{feff}[{\"logTime\":1763737200123,\"body\":\"한글 \\\"{[\\\\\"},\n{\"a\":[{}, -0.5E-7]}]",
        "{\"logTime\":\"2026-11-22T00:00:00+09:00\"}{\"b\":\"😀\\ud83d\"}\r\n[] [{}]",
        "\u{feff}body,logTime\r\n\"a\n\"\"b\"\"\",1763737200123\r\n\r\n한글,\n",
    ]);
    // One byte gone, or one byte other, near what is right.
    let damaged = (whole, any::<proptest::sample::Index>(), any::<Option<u8>>()).prop_map(
        |(text, at, byte)| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes.splice(at..=at, byte);
            bytes
        },
    );
    prop_oneof![soup(), damaged]
}

#[test]
fn an_ending_tells_the_kind_and_otherwise_the_request_does() {
    for (name, requested, kind) in [
        ("logs.json", Format::Csv, Kind::Json),
        ("a/b.c/LOGS.JsonL", Format::Csv, Kind::Json),
        ("x.csv.ndjson", Format::Csv, Kind::Json),
        ("logs_1.CSV", Format::Json, Kind::Csv),
        ("logs", Format::Csv, Kind::Csv),
        ("logs", Format::Json, Kind::Json),
        ("csv", Format::Json, Kind::Json),
        ("logs.txt", Format::Csv, Kind::Csv),
        ("로그.", Format::Json, Kind::Json),
    ] {
        assert_eq!(Kind::of(name, requested), kind, "{name}");
    }
}

#[test]
fn one_byte_order_mark_is_no_content_and_part_of_one_is() {
    for kind in [Kind::Json, Kind::Csv] {
        assert_eq!(count(kind, BOM).1, Ok(0));
    }
    assert_eq!(count(Kind::Json, [BOM, b"{}"].concat()).1, Ok(1));
    for wrong in [&b"\xEF"[..], b"\xEF\xBB", b"\xEF\xBB{}"] {
        let fault = count(Kind::Json, wrong).1.unwrap_err();
        assert_eq!((fault.offset, fault.problem), (0, Problem::NotARecord));
    }
    // A second one is a character of the header's first name.
    let (times, _) = count(Kind::Csv, [BOM, b"logTime\n1763737200001\n"].concat());
    assert_eq!(times, [Some(UtcMs(1_763_737_200_001))]);
    let (times, _) = count(Kind::Csv, [BOM, BOM, b"logTime\n1763737200001\n"].concat());
    assert_eq!(times, [None]);
    assert_eq!(count(Kind::Csv, b"\xEF\xBB\nx\n").1, Ok(1));
}

#[test]
fn a_fault_is_told_with_its_place_in_the_file_and_without_its_bytes() {
    let fault = count(Kind::Json, [BOM, b"{} \x1B[31m"].concat())
        .1
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "its records can't be counted: at byte 6, a record (a JSON object) should begin; compare \
         the job's `format` with the file"
    );
    let fault = count(Kind::Csv, [BOM, b"a,b\n1,2\n3\n"].concat())
        .1
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "its records can't be counted: at byte 11, a CSV record has 1 fields where the header has 2"
    );
}

#[test]
fn records_before_a_fault_are_told_and_none_after_it() {
    let (times, result) = count_chunks(
        Kind::Json,
        [
            &b"{\"logTime\":1763737200001}{\"logTime\":1763737200002"[..],
            b"}x{\"logTime\":1763737200003}",
            b"{\"logTime\":1763737200004}",
        ],
    );
    assert_eq!(times, [1, 2].map(|ms| Some(UtcMs(1_763_737_200_000 + ms))));
    assert_eq!(result.unwrap_err().offset, 50);
}

#[test]
fn a_field_that_was_asked_for_is_expected_where_it_must_be() {
    let fields = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    for (kind, asked_for, expected) in [
        (Kind::Json, &[][..], &["logTime"][..]),
        (Kind::Csv, &[], &["logTime"]),
        (Kind::Json, &["body", "logTime"], &["logTime"]),
        (Kind::Csv, &["body", "logTime"], &["logTime"]),
        (Kind::Json, &["body", "host"], &["body", "host"]),
        (Kind::Csv, &["body", "host"], &["body"]),
    ] {
        assert_eq!(
            expected_fields(kind, &fields(asked_for)),
            expected,
            "{kind:?}"
        );
    }
}

/// Guarantee: Complete
#[test]
fn json_with_a_record_that_lacks_the_expected_field_is_not_counted() {
    let count = |text: &str| count_expecting(Kind::Json, &["logTime"], [text.as_bytes()]).1;
    for (text, records) in [
        ("", 0),
        (" \n", 0),
        ("\u{feff}", 0),
        ("[]", 0),
        ("[]\n[ ]", 0),
        (r#"{"logTime":1}"#, 1),
        (
            r#"[{"body":"x","logTime":null},{"logTime":"soon","a":{}}]"#,
            2,
        ),
    ] {
        assert_eq!(count(text), Ok(records), "{text}");
    }
    for (text, at) in [
        ("{}", 0),
        (" [\n{},{}]", 3),
        (r#"[{"logTime":1},{"error":{"logTime":2}}]"#, 15),
        ("{\"logTime\":1}\n{\"truncated\":true}\n", 14),
        (r#"[{},{"a":{}},{"logTime":1}]"#, 1),
        ("\u{feff}{}", 3),
        (r#"{"total":1000,"logs":[{"logTime":1},{"logTime":2}]}"#, 0),
        (r#"[{"logs":{"logTime":1}}]"#, 1),
        (r#"{"error":{"errorCode":"900","message":"logTime"}}"#, 0),
        (r#"{"logtime":1,"logTime ":2,"":"logTime"}"#, 0),
    ] {
        let fault = count(text).unwrap_err();
        let expected = Problem::NoKey(vec!["logTime".into()]);
        assert_eq!((fault.offset, fault.problem), (at, expected), "{text}");
    }
    // Any one of several fields is enough.
    let count = |text: &str| count_expecting(Kind::Json, &["body", "host"], [text.as_bytes()]).1;
    assert_eq!(count(r#"[{"host":"a"},{"body":"b","host":"a"}]"#), Ok(2));
    let fault = count(r#"[{"host":"a"},{"logTime":1}]"#).unwrap_err();
    assert_eq!(fault.offset, 14);
    assert!(
        fault.to_string().contains("no \"body\" or \"host\""),
        "{fault}"
    );
}

/// Guarantee: Complete
#[test]
fn csv_whose_header_lacks_the_expected_field_is_not_counted() {
    let long = "열".repeat(100);
    let count = |name: &str, text: &str| count_expecting(Kind::Csv, &[name], [text.as_bytes()]).1;
    for (name, text, records) in [
        ("logTime", "", 0),
        ("logTime", "\r\n\n", 0),
        ("logTime", "\u{feff}", 0),
        ("logTime", "logTime", 0),
        ("logTime", "\u{feff}\"logTime\",a\r\n1,2\r\n", 1),
        ("logTime", "a,\"log\"\"Time\",logTime\n1,2,3\n", 1),
        ("a,b", "\"a,b\"\n1\n2", 2),
        (&long, &format!("{long},b\n1,2\n"), 1),
    ] {
        assert_eq!(count(name, text), Ok(records), "{text}");
    }
    for (text, at) in [
        ("a,b\nlogTime,1\n", 0),
        ("\nlogtime, logTime,logTime \n1,2,3\n", 1),
        ("\u{feff}a", 3),
        ("<html>\n<body>logTime</body>\n</html>\n", 0),
        ("no logs, since logTime is late", 0),
    ] {
        let fault = count("logTime", text).unwrap_err();
        let expected = Problem::NoColumn("logTime".into());
        assert_eq!((fault.offset, fault.problem), (at, expected), "{text}");
    }
}

/// Guarantee: Complete
#[test]
fn a_line_of_csv_that_shows_no_record_is_not_counted() {
    for (expected, text, at, problem) in [
        ("logTime", "logTime,a\n1,2\n,\n", 14, Problem::NoCell),
        ("a", "a,b\n1,2\n,\"\"\n", 8, Problem::NoCell),
        ("a", "a\n1\n{\"truncated\":true}\n", 4, Problem::ObjectInCsv),
        ("a", "a,b\n{\"a\":1,\"b\":2}\n", 4, Problem::ObjectInCsv),
        (
            "logTime",
            "a,logTime\nx,1\nerror,none\n",
            14,
            Problem::OtherTime,
        ),
        (
            "logTime",
            "a,logTime\nerror,none\nx,1\n",
            21,
            Problem::OtherTime,
        ),
    ] {
        for size in [1, 2, 7, text.len()] {
            let mut counter = Counter::new(Kind::Csv, &[expected], None);
            for chunk in text.as_bytes().chunks(size) {
                counter.feed(chunk, &mut |_| {});
            }
            let fault = counter.finish(&mut |_| {}).unwrap_err();
            assert_eq!(
                (fault.offset, &fault.problem),
                (at, &problem),
                "{text} by {size}"
            );
        }
    }
    for text in [
        // A writer of CSV quotes what begins like an object, and leaves what it does not know empty.
        "logTime,a\n,x\n,y\n",
        "logTime,a\n1,\n2,x\n",
        "a,logTime\n\"{\"\"a\"\":1}\",1\n{a},1\n",
    ] {
        let mut counter = Counter::new(Kind::Csv, &["a"], None);
        counter.feed(text.as_bytes(), &mut |_| {});
        assert_eq!(counter.finish(&mut |_| {}), Ok(2), "{text}");
    }
}

/// Guarantee: Complete
#[test]
fn csv_with_its_header_again_or_with_two_times_is_not_counted() {
    let long = "x".repeat(10_000);
    for (text, at, problem) in [
        ("logTime,a\n1,2\nlogTime,a\n3,4\n", 14, Problem::HeaderAgain),
        (
            "a,\"log\"\"T\",\r\n1,2,3\r\na,\"log\"\"T\",",
            20,
            Problem::HeaderAgain,
        ),
        (&format!("{long},b\n{long},b"), 10_003, Problem::HeaderAgain),
        ("a\na\n", 2, Problem::HeaderAgain),
        ("logTime,a,logTime\n1,2,3\n", 0, Problem::TwoColumns),
    ] {
        for size in [1, 7, text.len()] {
            let counted = count_chunks(Kind::Csv, text.as_bytes().chunks(size));
            let expected = Uncountable {
                offset: at,
                problem: problem.clone(),
            };
            assert_eq!(counted.1, Err(expected), "{text:.40} by {size}");
        }
    }
    for text in ["a,b\na,c\na,bb\n,b\nab,\n", "a,b\n\"a,b\",\n"] {
        assert!(count(Kind::Csv, text).1.is_ok(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Guarantee: Complete
    #[test]
    fn nothing_depends_on_how_a_file_is_cut_into_chunks(
        bytes in a_file(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for kind in [Kind::Json, Kind::Csv] {
            let at_once = records_of(kind, &[], [&*bytes]);
            let chunks = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(&records_of(kind, &[], chunks), &at_once);
            prop_assert_eq!(&records_of(kind, &[], bytes.chunks(1)), &at_once);
            let expecting = |size| count_expecting(kind, &["logTime"], bytes.chunks(size));
            prop_assert_eq!(expecting(1), expecting(bytes.len().max(1)));
        }
    }
}
