//! Each record's hash: of its bytes alone, whatever is around them and however they are cut.

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::domain::records_digest::RecordsDigest;

fn hashes<'a>(kind: Kind, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u128> {
    let (records, result) = records_of(kind, &[], chunks);
    assert!(result.is_ok(), "{result:?}");
    records.iter().map(|record| record.hash).collect()
}

fn digest(kind: Kind, file: &str) -> RecordsDigest {
    let mut digest = RecordsDigest::default();
    for hash in hashes(kind, [file.as_bytes()]) {
        digest.add(hash);
    }
    digest
}

fn of(records: &[String]) -> Vec<u128> {
    let hash = |record: &String| xxh3_128(record.as_bytes());
    records.iter().map(hash).collect()
}

/// The digest of a JSON file whose records lie in an array, and the same for other ways to write it.
fn in_each_container(records: &[String]) -> [RecordsDigest; 4] {
    [
        format!("[{}]", records.join(",")),
        format!("\u{feff}[\r\n  {}\r\n]\n", records.join(",\r\n  ")),
        records.join("\n"),
        records.iter().map(|record| format!("[{record}]")).collect(),
    ]
    .map(|file| digest(Kind::Json, &file))
}

/// Guarantee: Complete
#[test]
fn a_record_s_hash_is_that_of_its_bytes_alone() {
    let inner = r#"{"logTime":1,"a":{"b":[{"c":"}\"{"}]}}"#;
    let written = ["{}", inner, r#"{ "body" : "한글 😀\n" }"#].map(str::to_owned);
    let json = format!(" [{},\n{} ]\n{}", written[0], written[1], written[2]);
    assert_eq!(hashes(Kind::Json, [json.as_bytes()]), of(&written));

    let written = ["1,\"a\r\n\"\"b\"\"\"", " 2 , c", ",\"\""].map(str::to_owned);
    for (file, last) in [("\r\n", ""), ("\n", "\n"), ("\r", "\r"), ("\n\n", "\r\n\n")]
        .map(|(newline, last)| (written.join(newline), last))
    {
        let file = format!("\u{feff}logTime,body\n{file}{last}");
        assert_eq!(
            hashes(Kind::Csv, [file.as_bytes()]),
            of(&written),
            "{file:?}"
        );
    }
}

/// Guarantee: Bounded
#[test]
fn a_record_of_many_chunks_has_the_hash_of_its_bytes_and_so_have_those_around_it() {
    let long = "x".repeat(1_000_000);
    let json = |body: &str| format!("{{\"body\":\"{body}\"}}");
    let csv = |body: &str| format!("1,\"{body}\"");
    for (kind, header, records) in [
        (Kind::Json, "", [&*long, "", &*long, "y"].map(json)),
        (
            Kind::Csv,
            "logTime,body\n",
            [&*long, "", &*long, "y"].map(csv),
        ),
    ] {
        let file = format!("{header}{}\n", records.join("\n"));
        for size in [1000, 65_536, 999_983, file.len()] {
            let told = hashes(kind, file.as_bytes().chunks(size));
            assert_eq!(told, of(&records), "{kind:?} by {size}");
        }
    }
}

fn bodies() -> impl Strategy<Value = Vec<String>> {
    let body = prop_oneof!["[a-z가 {}\\[\\],]{0,12}", "[a-z,\r\n]{0,300}"];
    proptest::collection::vec(body, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Guarantee: Complete
    #[test]
    fn the_digest_is_that_of_the_records_in_any_chunks_order_and_container(
        bodies in bodies(),
        turn in any::<proptest::sample::Index>(),
        size in 1usize..400,
    ) {
        let body = |body: &String| serde_json::json!({"logTime": 1, "body": body}).to_string();
        let json: Vec<String> = bodies.iter().map(body).collect();
        let csv: Vec<String> = bodies.iter().map(|body| format!("1,\"{body}\"")).collect();
        for (kind, header, mut records) in
            [(Kind::Json, "", json), (Kind::Csv, "logTime,body\n", csv)]
        {
            let write = |records: &[String]| format!("{header}{}\n", records.join("\n"));
            let file = write(&records);
            let whole = digest(kind, &file);
            prop_assert_eq!(hashes(kind, file.as_bytes().chunks(size)), of(&records));
            let turn = turn.index(records.len());
            records.rotate_left(turn);
            prop_assert_eq!(digest(kind, &write(&records)), whole);
            if kind == Kind::Json {
                prop_assert_eq!(in_each_container(&records), [whole; 4]);
            }
            // A record twice, and one with another byte.
            let twice = records[0].clone();
            records.push(twice);
            prop_assert_ne!(digest(kind, &write(&records)), whole);
            records.pop();
            let changed = records[turn].replacen('1', "2", 1);
            prop_assert_ne!(&changed, &records[turn]);
            records[turn] = changed;
            prop_assert_ne!(digest(kind, &write(&records)), whole);
        }
    }
}
