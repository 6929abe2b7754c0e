//! Every container, cut anywhere, comes to the same records; each is cut by its own time.

use proptest::prelude::*;

use super::*;
use crate::domain::span::UtcMs;

const START: i64 = 1_763_737_200_000;

fn span(from: i64, to: i64) -> Span {
    Span::new(UtcMs(START + from), UtcMs(START + to)).unwrap()
}

fn complete(part: Span) -> Origin {
    Origin {
        part,
        is_complete: true,
        times: None,
    }
}

/// What comes of a file of the part [0, 1000), fed in pieces of these lengths: its header, its records, what is told.
fn extract(
    (file, kind): (&[u8], Kind),
    wanted: Span,
    (format, filter): (Format, &Filter),
    lengths: &[usize],
) -> (String, String, Doubts) {
    let selection = Selection {
        span: wanted,
        filter,
        format,
        zone: None,
    };
    let mut extract = Extract::new(selection, complete(span(0, 1000)), kind, &[]);
    let (mut header, mut records, mut told) = (Vec::new(), Vec::new(), 0);
    let mut take = |found| match found {
        Extracted::Header(line) => {
            assert!(header.is_empty() && records.is_empty());
            header = line;
        }
        Extracted::Records(some, number) => {
            records.extend_from_slice(&some);
            told += number;
        }
    };
    let mut rest = file;
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at(length.clamp(1, rest.len()));
        assert!(extract.feed(piece, &mut take));
        rest = more;
    }
    let doubts = extract.finish(&mut take);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(header), text(records), doubts)
}

fn all(file: &[u8], kind: Kind, wanted: Span, lengths: &[usize]) -> (String, String, Doubts) {
    let format = match kind {
        Kind::Json => Format::Json,
        Kind::Csv => Format::Csv,
    };
    extract((file, kind), wanted, (format, &Filter::default()), lengths)
}

fn json(times: &[i64]) -> Vec<String> {
    let record = |(number, at): (usize, &i64)| {
        let body = ["x", "{}[],\\\"\\n", "한글 😀"][number % 3];
        format!("{{\"logTime\":\"{}\", \"body\":\"{body}\"}}", START + at)
    };
    times.iter().enumerate().map(record).collect()
}

proptest! {
    /// Guarantee: Exactly once
    #[test]
    fn every_container_cut_anywhere_comes_to_the_same_lines(
        times in prop::collection::vec(0_i64..1000, 0..12),
        from in 0_i64..1000,
        length in 1_i64..1000,
        lengths in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let wanted = span(from, from + length);
        let written = json(&times);
        let inside = written.iter().zip(&times).filter(|(_, at)| {
            (from..from + length).contains(*at)
        });
        let expected: String = inside.map(|(record, _)| format!("{record}\n")).collect();
        for file in [
            format!("[{}]", written.join(",")),
            format!("\u{feff}[\r\n  {}\r\n]\n", written.join(",\r\n  ")),
            written.join("\n"),
            written.concat(),
            written.iter().map(|record| format!("[{record}]\n")).collect(),
        ] {
            let (_, records, doubts) = all(file.as_bytes(), Kind::Json, wanted, &lengths);
            prop_assert_eq!(&records, &expected, "{}", file);
            prop_assert_eq!(doubts, Doubts::default());
        }
        for newline in ["\n", "\r\n"] {
            let rows: Vec<String> = times
                .iter()
                .enumerate()
                .map(|(number, at)| format!("{},\"a\"\"{number}\r\nb\"", START + at))
                .collect();
            for end in ["", newline] {
                let mut lines = vec!["\u{feff}logTime,body".to_owned()];
                lines.extend(rows.iter().cloned());
                let file = lines.join(newline) + end;
                let inside = rows.iter().zip(&times).filter(|(_, at)| {
                    (from..from + length).contains(*at)
                });
                let expected: String = inside.map(|(row, _)| format!("{row}{newline}")).collect();
                let (header, records, doubts) = all(file.as_bytes(), Kind::Csv, wanted, &lengths);
                prop_assert_eq!(header.trim_end(), "logTime,body");
                prop_assert_eq!(&records, &expected);
                prop_assert_eq!(doubts, Doubts::default());
            }
        }
    }
}

/// Pieces that files are made of, whole ones and broken ones.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "\u{feff}",
        "[",
        "]",
        ",",
        "{",
        "}",
        "\r",
        "\n",
        "\r\n",
        " ",
        "\"",
        "\\",
        "logTime,body",
        "a,b",
        "\"a\"\"\r\nb\",c",
        "{\"logTime\":1763737200001}",
        "{\"logTime\":1763737200999,\"a\":[{}]}",
        "1763737200002,x",
        "{\"logTime\":\"\"}",
        "한",
    ];
    let piece = prop::sample::select(PIECES).prop_map(str::as_bytes);
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Guarantee: Suspicious
    #[test]
    fn whatever_a_file_holds_nothing_depends_on_how_it_is_cut(
        file in soup(),
        is_csv in any::<bool>(),
        lengths in prop::collection::vec(1_usize..9, 1..5),
        from in 0_i64..3,
    ) {
        let kind = if is_csv { Kind::Csv } else { Kind::Json };
        let wanted = span(from, 1000);
        let whole = all(&file, kind, wanted, &[usize::MAX]);
        let cut = all(&file, kind, wanted, &lengths);
        prop_assert_eq!(whole, cut);
    }
}

#[test]
fn a_record_over_several_lines_becomes_one_line() {
    let file = format!("[\n{{\n  \"logTime\": {START},\r\n  \"body\": \"a\\nb\"\n}}\n]");
    let (_, records, _) = all(file.as_bytes(), Kind::Json, span(0, 1000), &[7]);
    assert_eq!(
        records,
        format!("{{  \"logTime\": {START},  \"body\": \"a\\nb\"}}\n")
    );
}

/// Guarantee: Exactly once
#[test]
fn a_time_without_milliseconds_lies_in_its_part() {
    // The part begins 300 ms into this second.
    let part = Span::new(UtcMs(START + 300), UtcMs(START + 1300)).unwrap();
    let file = format!("{{\"logTime\":{}}}", START / 1000);
    for (wanted, is_inside) in [((0, 300), false), ((0, 301), true), ((301, 1300), false)] {
        let filter = Filter::default();
        let selection = Selection {
            span: span(wanted.0, wanted.1),
            filter: &filter,
            format: Format::Json,
            zone: None,
        };
        let mut extract = Extract::new(selection, complete(part), Kind::Json, &[]);
        let mut found = 0;
        extract.feed(file.as_bytes(), &mut |_| found += 1);
        extract.finish(&mut |_| found += 1);
        assert_eq!(found == 1, is_inside, "{wanted:?}");
    }
}

/// Guarantee: Candid
#[test]
fn what_can_t_be_cut_is_written_and_told() {
    let file = b"{\"logTime\":\"soon\",\"a\":1}\n{\"logTime\":null}";
    let (_, records, doubts) = all(file, Kind::Json, span(0, 1000), &[5]);
    assert_eq!((records.lines().count(), doubts.undated), (2, 0));
    let (_, records, doubts) = all(file, Kind::Json, span(0, 999), &[5]);
    assert_eq!((records.lines().count(), doubts.undated), (2, 2));
}

/// Guarantee: Candid
#[test]
fn a_time_outside_its_part_is_written_where_it_can_t_be_so_and_told_in_any_case() {
    let filter = Filter::default();
    let outside = START + 5000;
    let file = format!("{{\"logTime\":{outside}}}");
    let told = |wanted: Span, origin: Origin| {
        let selection = Selection {
            span: wanted,
            filter: &filter,
            format: Format::Json,
            zone: None,
        };
        let mut extract = Extract::new(selection, origin, Kind::Json, &[]);
        let mut found = 0;
        extract.feed(file.as_bytes(), &mut |_| found += 1);
        let Doubts {
            outside,
            beyond,
            shifted,
            ..
        } = extract.finish(&mut |_| found += 1);
        (found, [outside, beyond, shifted])
    };
    let part = complete(span(0, 1000));
    assert_eq!(told(span(0, 1000), part), (1, [1, 0, 0]));
    let unproven = |times: Option<(i64, i64)>| Origin {
        is_complete: false,
        times: times.map(|(first, last)| (UtcMs(START + first), UtcMs(START + last))),
        ..part
    };
    assert_eq!(told(span(0, 6000), unproven(None)), (1, [0, 1, 0]));
    assert_eq!(
        told(span(0, 1000), unproven(Some((0, 5000)))),
        (0, [0, 0, 0])
    );
    assert_eq!(
        told(span(0, 1000), unproven(Some((0, 900)))),
        (0, [0, 0, 1])
    );
}

/// Guarantee: Candid
#[test]
fn what_can_t_be_told_apart_is_told_with_its_place() {
    let file = format!("{{\"logTime\":{START}}}\n<html>");
    let (_, records, doubts) = all(file.as_bytes(), Kind::Json, span(0, 1000), &[4]);
    assert_eq!(records.lines().count(), 1);
    assert_eq!(doubts.uncountable.unwrap().offset, 26);
}

#[test]
fn csv_becomes_objects_of_text_where_json_is_asked_for() {
    let file = format!("logTime,\"b\"\"c\"\r\n{START},\"x\r\n\"\"y\"\r\n");
    let asked = (Format::Json, &Filter::default());
    let (header, records, _) = extract((file.as_bytes(), Kind::Csv), span(0, 1000), asked, &[3]);
    assert_eq!(header, "");
    assert_eq!(
        records,
        format!("{{\"logTime\":\"{START}\",\"b\\\"c\":\"x\\r\\n\\\"y\"}}\n")
    );
}

#[test]
fn a_filter_lets_records_through_by_their_fields() {
    let filter = Filter::parse(&["body=b".to_owned()]).unwrap();
    let file = format!("logTime,body\n{START},a\n{START},b\n");
    let asked = (Format::Csv, &filter);
    let (header, records, _) = extract((file.as_bytes(), Kind::Csv), span(0, 1000), asked, &[3]);
    assert_eq!(
        (header.as_str(), records),
        ("logTime,body\n", format!("{START},b\n"))
    );
    let file =
        format!("[{{\"logTime\":{START},\"body\":\"a\"}},{{\"logTime\":{START},\"body\":\"b\"}}]");
    let asked = (Format::Json, &filter);
    let (_, records, _) = extract((file.as_bytes(), Kind::Json), span(0, 1000), asked, &[9]);
    assert_eq!(records, format!("{{\"logTime\":{START},\"body\":\"b\"}}\n"));
}

/// Guarantee: Bounded
#[test]
fn a_record_that_never_ends_is_left_out_and_told() {
    let filter = Filter::default();
    let selection = Selection {
        span: span(0, 1000),
        filter: &filter,
        format: Format::Json,
        zone: None,
    };
    let mut extract = Extract::new(selection, complete(span(0, 1000)), Kind::Json, &[]);
    let piece = vec![b'x'; 1 << 20];
    extract.feed(b"{\"body\":\"", &mut |_| {});
    let fed = (0..1000).take_while(|_| extract.feed(&piece, &mut |_| {}));
    assert!(fed.count() <= LONGEST_RECORD >> 20);
    let doubts = extract.finish(&mut |found| panic!("{found:?}"));
    assert!(doubts.too_long);
}
