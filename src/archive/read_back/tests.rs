//! What is kept as a zip is read back only where its entries are those that the manifest names.

use std::fs;
use std::io::Write as _;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::archive::manifest::Zip;
use crate::archive::storage::Local;
use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;

/// A zip with these entries; one without content is a folder.
fn zip_of(entries: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default();
        match content {
            Some(content) => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
            None => zip.add_directory(*name, options).unwrap(),
        }
    }
    zip.finish().unwrap().into_inner()
}

/// A part whose zip is these bytes, with these files.
fn part(zip: &[u8], files: &[(&str, &str)]) -> Part {
    let file = |(name, content): &(&str, &str)| DataFile {
        path: format!("part-0001/{name}"),
        bytes: content.len() as u64,
        sha256: Digest::of(content.as_bytes()),
        records: None,
        first_ms: None,
        last_ms: None,
    };
    Part {
        from_ms: UtcMs(0),
        to_ms: UtcMs(1),
        status: Status::Unproven,
        records: None,
        attempts: 1,
        received_at: String::new(),
        zip: Zip {
            bytes: zip.len() as u64,
            sha256: Digest::of(zip),
            path: Some("part-0001.zip".into()),
        },
        files: files.iter().map(file).collect(),
    }
}

/// Reads all files of a part whose zip is these bytes.
fn read(zip: &[u8], part: &Part) -> Result<Vec<String>, ReadBackError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("part-0001.zip"), zip).unwrap();
    let storage = Local::at(dir.path());
    let mut files = PartFiles::open((&storage, ""), part, &|| false)?;
    let read = (0..part.files.len()).map(|at| {
        let mut content = Vec::new();
        files.read(at, &mut |piece| {
            content.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        Ok(String::from_utf8(content).unwrap())
    });
    read.collect()
}

/// Guarantee: Evident
#[test]
fn the_files_of_a_zip_are_read_back_in_the_order_of_the_manifest_and_folders_are_passed_over() {
    let zip = zip_of(&[
        ("z.json", Some("1")),
        ("a", None),
        ("a/한글 b.json", Some("22")),
        ("empty", Some("")),
    ]);
    let files = [("z.json", "1"), ("a/한글 b.json", "22"), ("empty", "")];
    assert_eq!(read(&zip, &part(&zip, &files)).unwrap(), ["1", "22", ""]);
}

/// Guarantee: Suspicious
#[test]
fn a_zip_whose_entries_are_not_those_of_the_manifest_is_refused() {
    let zip = zip_of(&[("a.json", Some("1")), ("b.json", Some("2"))]);
    for files in [
        &[("a.json", "1")][..],
        &[("b.json", "2"), ("a.json", "1")],
        &[("a.json", "1"), ("c.json", "2")],
        &[("a.json", "1"), ("b.json", "2"), ("c.json", "3")],
        &[("a.json", "1"), ("b.json", "")],
        &[("a.json", "11"), ("b.json", "2")],
    ] {
        let refused = read(&zip, &part(&zip, files)).unwrap_err();
        assert!(
            matches!(refused, ReadBackError::Entries(_)),
            "{files:?}: {refused}"
        );
    }
}

/// Guarantee: Suspicious
#[test]
fn nothing_is_inflated_of_a_zip_that_is_not_what_was_published() {
    let zip = zip_of(&[("a.json", Some("1"))]);
    let files = [("a.json", "1")];
    let told = part(&zip, &files);
    for changed in [
        zip_of(&[("a.json", Some("2"))]),
        zip[..zip.len() - 1].to_owned(),
    ] {
        let refused = read(&changed, &told).unwrap_err();
        assert!(matches!(refused, ReadBackError::Changed), "{refused}");
    }
    let no_zip = part(b"no zip", &files);
    let refused = read(b"no zip", &no_zip).unwrap_err();
    assert!(matches!(refused, ReadBackError::Entries(_)), "{refused}");
    let mut outside = told;
    outside.zip.path = Some("../part-0001.zip".into());
    let refused = read(&zip, &outside).unwrap_err();
    assert!(matches!(refused, ReadBackError::Outside), "{refused}");
}

/// Guarantee: Suspicious
#[test]
fn an_entry_that_can_t_be_inflated_or_has_another_checksum_is_told() {
    let files = [("a.json", "1".repeat(1000))];
    let files = files
        .each_ref()
        .map(|(name, content)| (*name, &content[..]));
    let zip = zip_of(&[("a.json", Some(files[0].1))]);
    let data = 30 + "a.json".len();
    let directory = zip
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    for (at, told) in [(data, "deflate"), (directory + 16, "checksum")] {
        let mut changed = zip.clone();
        changed[at] = !changed[at];
        let refused = read(&changed, &part(&changed, &files)).unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
}

/// Guarantee: Bounded
#[test]
fn a_directory_that_no_zip_with_such_files_can_have_is_not_read() {
    // An end record that announces a directory of 60,000 entries, which the file has room for.
    let mut zip = vec![0; 60_000 * 46];
    let length = u32::try_from(zip.len()).unwrap();
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    zip.extend_from_slice(&60_000_u16.to_le_bytes());
    zip.extend_from_slice(&60_000_u16.to_le_bytes());
    zip.extend_from_slice(&length.to_le_bytes());
    zip.extend_from_slice(&[0; 6]);
    let refused = read(&zip, &part(&zip, &[("a.json", "1")])).unwrap_err();
    assert!(refused.to_string().contains("60000 entries"), "{refused}");
}

#[test]
fn who_stops_is_heard_while_a_zip_is_hashed() {
    let zip = zip_of(&[("a.json", Some("1"))]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("part-0001.zip"), &zip).unwrap();
    let part = part(&zip, &[("a.json", "1")]);
    let storage = Local::at(dir.path());
    let stopped = PartFiles::open((&storage, ""), &part, &|| true);
    assert!(matches!(stopped, Err(ReadBackError::Stopped)));
}
