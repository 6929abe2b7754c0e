//! Folders made by hand: what differs is told, in however many passes, and what can't be read is no
//! difference.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::archive::manifest::{DataFile, Zip};
use crate::archive::storage::Local;
use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;

const GO_ON: &dyn Fn() -> bool = &|| false;

fn record(number: u32) -> String {
    format!(
        "{{\"logTime\":{},\"body\":\"x\"}}",
        1_763_737_200_000_u64 + u64::from(number)
    )
}

/// A folder with a file for each list of records.
fn held(folder: &Path, files: &[&[u32]]) -> Held {
    let texts: Vec<String> = files
        .iter()
        .map(|numbers| {
            numbers
                .iter()
                .map(|number| record(*number) + "\n")
                .collect()
        })
        .collect();
    of_texts(folder, "json", &texts)
}

fn of_texts(folder: &Path, ending: &str, texts: &[String]) -> Held {
    let file = |(number, text): (usize, &String)| {
        let path = format!("part-0001/{number}.{ending}");
        fs::create_dir_all(folder.join("part-0001")).unwrap();
        fs::write(folder.join(&path), text).unwrap();
        DataFile {
            path,
            bytes: text.len() as u64,
            sha256: Digest::of(text.as_bytes()),
            records: None,
            first_ms: None,
            last_ms: None,
        }
    };
    Held {
        storage: Arc::new(Local::at(folder)),
        folder: String::new(),
        parts: vec![Part {
            from_ms: UtcMs(0),
            to_ms: UtcMs(1),
            status: Status::Complete,
            records: None,
            attempts: 1,
            received_at: String::new(),
            zip: Zip {
                bytes: 0,
                sha256: Digest::of(b""),
                path: None,
            },
            files: texts.iter().enumerate().map(file).collect(),
        }],
        format: Format::Json,
        include_fields: Vec::new(),
    }
}

fn by(only_before: u64, only_now: u64, new: u64) -> Difference {
    Difference {
        only_before,
        only_now,
        new,
    }
}

/// Guarantee: Complete
#[test]
fn what_differs_is_told_whatever_the_order_the_files_and_the_passes() {
    for (before, now, expected) in [
        (&[&[1, 2, 3][..]][..], &[&[3, 1][..], &[2]][..], by(0, 0, 0)),
        (&[&[1, 2, 3]], &[&[1, 2, 3, 4, 4]], by(0, 2, 1)),
        (&[&[1, 2, 3]], &[&[1, 2, 3, 1, 1]], by(0, 2, 0)),
        (&[&[1, 2, 3]], &[&[1, 2, 2]], by(1, 1, 0)),
        (&[&[1, 2, 3]], &[&[4, 5, 6]], by(3, 3, 3)),
        (&[&[1, 1, 2]], &[&[1, 2, 3]], by(1, 1, 1)),
        (&[], &[&[1, 2, 1]], by(0, 3, 2)),
        (&[&[1]], &[], by(1, 0, 0)),
        (&[], &[], by(0, 0, 0)),
    ] {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let before = held(dirs[0].path(), before);
        let now = held(dirs[1].path(), now);
        assert_eq!(compare(&before, &now, GO_ON).unwrap(), expected);
        for most in 1..4 {
            let told = compare_within(most, &before, &now, GO_ON).unwrap();
            assert_eq!(told, expected, "{most} at once");
        }
    }
}

/// Guarantee: Complete
#[test]
fn csv_is_compared_without_its_header_and_line_breaks() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let text = |text: &str| vec![text.to_owned()];
    let before = text("logTime,body\r\n1,\"a\nb\"\r\n2,c\r\n");
    let now = text("logTime,body\n3,d\n2,c\n1,\"a\nb\"");
    let before = of_texts(dirs[0].path(), "csv", &before);
    let now = of_texts(dirs[1].path(), "csv", &now);
    assert_eq!(compare(&before, &now, GO_ON).unwrap(), by(0, 1, 1));
}

/// Guarantee: Suspicious
#[test]
fn a_folder_that_is_not_what_its_manifest_says_is_not_compared() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let whole = held(dirs[0].path(), &[&[1, 2]]);
    let told = |other: &Held| {
        let before = compare(other, &whole, GO_ON).unwrap_err();
        let now = compare(&whole, other, GO_ON).unwrap_err();
        assert!(matches!(before, CompareError::Before(_)), "{before:?}");
        assert!(matches!(now, CompareError::Now(_)), "{now:?}");
        assert_eq!(before.to_string(), now.to_string());
        now.to_string()
    };
    let mut other = held(dirs[1].path(), &[&[1, 2]]);
    let file = dirs[1].path().join("part-0001/0.json");
    fs::write(&file, record(1)).unwrap();
    assert!(told(&other).ends_with("its bytes are not those of the manifest"));
    fs::remove_file(&file).unwrap();
    assert!(told(&other).contains("can't read "));
    other.parts[0].files[0].path = "../x".to_owned();
    assert!(told(&other).contains("outside its folder"));
    let uncountable = of_texts(dirs[1].path(), "json", &["{}".to_owned()]);
    assert!(told(&uncountable).contains("can't be counted"));
    let stopped = compare(&whole, &whole, &|| true).unwrap_err();
    assert!(matches!(stopped, CompareError::Stopped));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Guarantee: Bounded
    #[test]
    fn a_pass_holds_so_many_records_at_most_and_all_are_told_in_the_end(
        before in proptest::collection::vec(0u128..40, 0..60),
        now in proptest::collection::vec(0u128..40, 0..60),
        most in 1usize..50,
    ) {
        let (mut told, mut next, mut passes) = (Difference::default(), Some(0), 0);
        while let Some(from) = next {
            let mut pass = Pass { from, beyond: None, most, counts: BTreeMap::new() };
            before.iter().for_each(|&hash| pass.add(hash, |counts| &mut counts.before));
            now.iter().for_each(|&hash| pass.add(hash, |counts| &mut counts.now));
            prop_assert!(pass.counts.len() <= most);
            pass.tell(&mut told);
            next = pass.beyond;
            passes += 1;
        }
        prop_assert!(passes <= 40 / most + 1);
        let mut expected = Difference::default();
        for hash in 0..40 {
            let count = |of: &[u128]| of.iter().filter(|&&other| other == hash).count() as u64;
            let (before, now) = (count(&before), count(&now));
            expected.only_before += before.saturating_sub(now);
            expected.only_now += now.saturating_sub(before);
            expected.new += u64::from(before == 0 && now > 0);
        }
        prop_assert_eq!(told, expected);
    }
}
