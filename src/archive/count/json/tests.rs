//! JSON in every layout, and RFC 8259's yes and no.

use super::*;
use crate::archive::count::Kind;
use crate::archive::count::tests::{Counted, count as count_kind};
use crate::domain::span::UtcMs;

mod any;

fn count(bytes: impl AsRef<[u8]>) -> Counted {
    count_kind(Kind::Json, bytes)
}

fn problem(bytes: impl AsRef<[u8]>) -> (u64, Problem) {
    let fault = count(bytes).1.unwrap_err();
    (fault.offset, fault.problem)
}

/// Guarantee: Complete
#[test]
fn every_layout_is_counted() {
    for (text, records) in [
        ("", 0),
        (" \t\r\n\n", 0),
        ("[]", 0),
        ("[ ]\n[\t]", 0),
        ("{}", 1),
        ("{}{}", 2),
        ("{} {}\r\n\r\n{}", 3),
        ("{\"a\":1}\n{\"a\":2}\n", 2),
        ("[{}]", 1),
        ("[{},{}]", 2),
        ("[\n  {\n    \"a\": 1\n  },\n  {}\n]\n", 2),
        ("[{},{}][{}]", 3),
        ("[{}]\n[]\n[{},{},{}]", 4),
        ("{}[{},{}]", 3),
    ] {
        assert_eq!(count(text).1, Ok(records), "{text}");
    }
}

#[test]
fn what_is_inside_a_record_is_no_record() {
    for text in [
        r#"{"body":"}{][,:"}"#,
        r#"{"body":"he said \"{}\" \\"}"#,
        r#"{"body":"\\\\\"{}{}"}"#,
        r#"{"a":{"b":{}},"c":[{},[{}],[]]}"#,
        r#"{"body":"{\"json\":[{}]}"}"#,
        "{\"body\":\"java.lang.Error\\n\\tat a.b(C.java:1)\\r\\n\"}",
        "{\"한글\":\"로그 메시지 😀 \u{7f}\u{2028}\"}",
        r#"{"":"","":null}"#,
    ] {
        assert_eq!(count(text).1, Ok(1), "{text}");
        assert_eq!(count(format!("[{text},{text}]")).1, Ok(2), "{text}");
    }
}

#[test]
fn the_time_is_the_records_own_and_the_last_one() {
    const KNOWN: Option<UtcMs> = Some(UtcMs(1_763_737_200_007));
    for (record, time) in [
        (r#"{"logTime":1763737200123}"#, Some(1_763_737_200_123)),
        (r#"{"logTime" : "1763737200123" }"#, Some(1_763_737_200_123)),
        (r#"{"logTime":"1970-01-01T09:00:01+09:00"}"#, Some(1000)),
        (
            r#"{"a":{"logTime":1763737200001},"logTime":1763737200002,"b":[{"logTime":1763737200003}]}"#,
            Some(1_763_737_200_002),
        ),
        (
            r#"{"logTime":1763737200001,"logTime":1763737200002}"#,
            Some(1_763_737_200_002),
        ),
        (r#"{"logTime":1763737200001,"logTime":null}"#, None),
        (
            r#"{"logTime":1763737200001,"logTime":{"logTime":1763737200002}}"#,
            None,
        ),
        (r#"{"logTime":[1]}"#, None),
        (r#"{"a":{"logTime":1763737200001}}"#, None),
        (r#"{"a":"logTime","b":1}"#, None),
        (
            r#"{"logtime":1,"logTime ":1,"xlogTime":1,"logTim":1}"#,
            None,
        ),
        (r#"{"logTime":1763737200.123}"#, Some(1_763_737_200_123)),
        (r#"{"logTime":1763737200123.0}"#, Some(1_763_737_200_123)),
        (r#"{"logTime":1.7637372e12}"#, Some(1_763_737_200_000)),
        (r#"{"logTime":17637372.00123E+5}"#, Some(1_763_737_200_123)),
        (r#"{"logTime":-1763737200123}"#, None),
        (r#"{"logTime":1e3}"#, None),
        (r#"{"logTime":1}"#, None),
        (r#"{"logTime":true}"#, None),
        (r#"{"logTime":""}"#, None),
        (r#"{"log\u0054ime":1}"#, None),
        (r#"{"logTime":"\u0031763737200123"}"#, None),
        (r#"{"logTime":"2026-11-22\t00:00:00Z"}"#, None),
        ("{}", None),
    ] {
        let time = time.map(UtcMs);
        assert_eq!(count(record).0, [time], "{record}");
        let known = r#"{"logTime":1763737200007}"#;
        let list = count(format!("[{known},{record},{known}]")).0;
        assert_eq!(list, [KNOWN, time, KNOWN], "{record}");
    }
    let long = format!(r#"{{"logTime":"{}1"}}"#, "0".repeat(100_000));
    assert_eq!(count(long), (vec![None], Ok(1)));
}

#[test]
fn the_values_of_rfc_8259_are_accepted() {
    let written = r#"
        0 -0 -1 10 1234567890123456789012345678901234567890 0.5 -0.50 1e5 1E5 1e+5 1E-5 0e0
        0.0e+00 123.456e78 1e999999 -1e-999999 true false null [] {} [[],[[]]] [null,"",{}]
        {"a":1,"a":2} {"\u0000":0} "" "\"\\\/\b\f\n\r\t" "\u0000\uFFFF\uabCD" "\uD834\uDD1E"
        "\uD834" "\uDD1E\uD834" "\ud800abc" "a/*b*/c//d"
    "#;
    let spaced = [
        "[1,2 , 3]",
        "{ \"a\" : { \"b\" : [ ] } }",
        "\t[\r\n]\n",
        "\"asd \"",
        "\"\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\"",
        "\"\u{feff}\u{7f}\u{a0}\"",
    ];
    for value in written.split_whitespace().chain(spaced) {
        assert_eq!(count(format!(r#"{{"a":{value}}}"#)).1, Ok(1), "{value}");
        assert_eq!(
            count(format!(r#"[{{"a" : {value} , "b":[{value}]}}]"#)).1,
            Ok(1),
            "{value}"
        );
    }
}

#[test]
fn what_rfc_8259_does_not_have_ends_the_count() {
    let written = r#"
        , +1 - --1 01 -01 00 1. .5 -.5 1.e1 1e 1e+ 1E- 1e1.5 1ee1 1_000 0x1 1a NaN -NaN Infinity
        -Infinity nul nulll True TRUE undefined 'a' a [1,] [,1] [,] [1,,2] [1 [ ] [} [1} ["a":1] {
        {] {"a"} {"a":} {"a":1,} {,} {"a":1,,"b":2} {a:1} {'a':1} {1:1} {null:1} {"a"::1} {"a":1]
        {[]:1} " "a "\" "\x41" "\'" "\0" "\a" "\U0041" "\u" "\u004" "\u00g0" "\u{41}" "\u-041"
        "\😀" /**/1 1// #1
    "#;
    let spaced = [
        "",
        "1 2",
        "tru e",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "\"\\\n\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "1\u{a0}",
        "\u{feff}1",
        "\u{c}1",
        "\u{b}1",
        "\u{2028}1",
        "\u{3000}1",
        "\u{0}1",
    ];
    for value in written.split_whitespace().chain(spaced) {
        assert!(count(format!(r#"{{"a":{value}}}"#)).1.is_err(), "{value:?}");
        let in_array = format!(r#"[{{"b":[0,{value}],"c":0}}]"#);
        assert!(count(in_array).1.is_err(), "{value:?}");
    }
    for bytes in [
        &b"\x80"[..],
        b"\xC0\x80",
        b"\xC3",
        b"\xE2\x82",
        b"\xED\xA0\x80",
        b"\xF0\x80\x80\x80",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xFF",
        b"\xC3\\n",
        b"\xEA\xB0\\u00e9",
    ] {
        let text = [b"{\"a\":\"", bytes, b"\"}"].concat();
        assert_eq!(problem(&text), (6, Problem::Utf8), "{bytes:?}");
    }
    assert_eq!(problem(b"{\"a\":\"\xEA\xB0\x01"), (6, Problem::Utf8));
}

#[test]
fn what_is_no_list_of_records_ends_the_count_where_it_begins() {
    for (text, at) in [
        ("1", 0),
        ("\"a\"", 0),
        ("null", 0),
        ("<html>", 0),
        ("{},{}", 2),
        ("{}\n,{}", 3),
        ("{}\0", 2),
        ("\u{1e}{}", 0),
        ("logTime,body\n", 0),
        ("[1]", 1),
        ("[[]]", 1),
        ("[[{}]]", 1),
        ("[{},[]]", 4),
        ("[{},null]", 4),
        ("[{},]", 4),
        ("[{}],", 4),
        ("[{}]]", 4),
        ("{}}", 2),
        ("{} \u{feff}{}", 3),
    ] {
        assert_eq!(problem(text), (at, Problem::NotARecord), "{text}");
    }
}

/// Guarantee: Complete
#[test]
fn a_file_that_was_cut_off_is_not_counted() {
    let text = r#"[{"logTime":1,"b":"a\u00e9\n","c":[-0.5e-1,true,{}]},{}]"#;
    for len in 1..text.len() {
        let cut = count(&text[..len]).1;
        let end = (len as u64, Problem::CutOff);
        assert_eq!(
            cut.map_err(|fault| (fault.offset, fault.problem)),
            Err(end),
            "{len}"
        );
    }
    assert_eq!(problem("{\"a\":\"\u{ac00}").1, Problem::CutOff);
    assert_eq!(problem(b"{\"a\":\"\xEA\xB0").1, Problem::CutOff);
}

/// Guarantee: Bounded
#[test]
fn nesting_is_followed_to_the_limit_and_never_beyond() {
    let nested = |levels: usize| {
        format!(
            "{}{}{}",
            "{\"a\":[".repeat(levels / 2),
            "",
            "]}".repeat(levels / 2)
        )
    };
    let limit = MAX_DEPTH as usize;
    assert_eq!(count(nested(limit)).1, Ok(1));
    assert_eq!(problem(nested(limit + 2)).1, Problem::TooDeep);
    assert_eq!(problem(format!("[{}]", nested(limit))).1, Problem::TooDeep);
    assert_eq!(problem("{\"a\":".repeat(1_000_000)).1, Problem::TooDeep);
}

#[test]
fn grammar_faults_say_what_is_missing() {
    for (text, at, what) in [
        ("{\"a\" 1}", 5, "a colon"),
        ("{\"a\":1 2}", 7, "a comma or the end of the object"),
        ("{\"a\":[1 2]}", 8, "a comma or the end of the array"),
        ("{a}", 1, "a key in quotes"),
        ("{\"a\":-}", 6, "a digit"),
        ("{\"a\":}", 5, "a value"),
        ("{\"a\":nil}", 6, "true, false or null"),
    ] {
        assert_eq!(problem(text), (at, Problem::Expected(what)), "{text}");
    }
}
