//! Sound zips of many writers, and zips with bytes that belong to nothing, in each place.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::super::tests::{World, options, zip_of};
use super::super::{UnpackError, Unpacked};
use forge::{DESCRIPTOR, Entry, Zip, extra};

#[allow(
    dead_code,
    unreachable_pub,
    reason = "a module of the integration tests, of which not all is needed here"
)]
#[path = "../../../../tests/it/hostile/forge.rs"]
mod forge;

const LOG: &[u8] = b"{\"logTime\":1,\"body\":\"the quick brown fox\"}\n";
/// What a server writes that fails while it streams.
const ERROR: &[u8] = b"{\"error\":{\"errorCode\":\"900\",\"message\":\"unexpected error\"}}";

fn unpack(zip: &[u8]) -> Result<Unpacked, UnpackError> {
    World::new().unpack(zip)
}

#[track_caller]
fn assert_read(what: &str, zip: &[u8], files: usize) {
    match unpack(zip) {
        Ok(unpacked) => assert_eq!(unpacked.files.len(), files, "{what}"),
        Err(error) => panic!("{what}: {error}"),
    }
}

#[track_caller]
fn assert_damaged(what: &str, zip: &[u8], told: &str) {
    let error = unpack(zip).map(|unpacked| unpacked.files).unwrap_err();
    assert!(matches!(error, UnpackError::Damaged(_)), "{what}: {error}");
    assert!(error.to_string().contains(told), "{what}: {error}");
}

fn file(name: &str) -> Entry {
    Entry::deflated(name, LOG)
}

/// With its sizes after the data in one of the four forms.
fn streamed(entry: Entry, signature: &[u8], size_bytes: usize) -> Entry {
    let mut descriptor = [signature, &entry.central.crc.to_le_bytes()].concat();
    for size in [entry.central.packed, entry.central.size] {
        descriptor.extend(&size.to_le_bytes()[..size_bytes]);
    }
    Entry {
        descriptor,
        ..entry.streamed()
    }
}

/// Writes two files, a folder and a file without bytes.
fn write<W: std::io::Write + std::io::Seek>(zip: &mut ZipWriter<W>, options: SimpleFileOptions) {
    zip.start_file("a.json", options).unwrap();
    zip.write_all(LOG).unwrap();
    zip.add_directory("folder", options).unwrap();
    zip.start_file("folder/b.json", options).unwrap();
    zip.write_all(&LOG.repeat(1000)).unwrap();
    zip.start_file("empty.json", options).unwrap();
}

#[test]
fn what_the_zip_library_writes_is_read_however_it_is_told_to() {
    let stored = options().compression_method(CompressionMethod::Stored);
    let wide = options().large_file(true);
    let aligned = options().with_alignment(4096);
    for (what, options) in [
        ("deflated", options()),
        ("stored", stored),
        ("ZIP64", wide),
        ("stored ZIP64", stored.large_file(true)),
        ("aligned", aligned),
    ] {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        write(&mut zip, options);
        let whole = zip.finish().unwrap().into_inner();
        assert_read(what, &whole, 3);

        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        write(&mut zip, options);
        zip.set_comment("made on a Sunday").unwrap();
        zip.set_raw_zip64_extensible_data_sector(b"whatever".to_vec().into_boxed_slice());
        assert_read(what, &zip.finish().unwrap().into_inner(), 3);

        let mut zip = ZipWriter::new_stream(Vec::new());
        let streamed = {
            zip.start_file("a.json", options).unwrap();
            zip.write_all(LOG).unwrap();
            zip.add_directory("folder", options).unwrap();
            zip.start_file("folder/b.json", options).unwrap();
            zip.write_all(LOG).unwrap();
            zip.finish().unwrap().into_inner()
        };
        assert_read(&format!("{what}, streamed"), &streamed, 2);

        let mut longer = ZipWriter::new_append(Cursor::new(whole.clone())).unwrap();
        longer.start_file("one-more.json", options).unwrap();
        longer.write_all(LOG).unwrap();
        let longer = longer.finish().unwrap().into_inner();
        assert_read(&format!("{what}, appended to"), &longer, 4);

        let mut copy = ZipWriter::new(Cursor::new(Vec::new()));
        for zip in [&streamed, &zip_of(&[("other.json", LOG)])] {
            let mut zip = ZipArchive::new(Cursor::new(zip.clone())).unwrap();
            for index in 0..zip.len() {
                copy.raw_copy_file(zip.by_index_raw(index).unwrap())
                    .unwrap();
            }
        }
        let copy = copy.finish().unwrap().into_inner();
        assert_read(&format!("{what}, copied"), &copy, 3);
    }
}

#[test]
fn what_other_writers_may_write_is_read() {
    let one = |entry: Entry| Zip::of([entry, file("b.json")]);
    let wide = |entry: Entry| Entry {
        zip64: true,
        ..entry
    };
    let with_extra = |entry: Entry| {
        let mut entry = entry.both(|header| header.extra = extra(0xcafe, b"whatever"));
        // Padding in the header alone, as for alignment.
        entry.local.extra.extend(extra(0xd935, &[0; 1000]));
        entry
    };
    let signature = b"PK\x07\x08";
    let empty = || Entry::stored("a.json", b"");
    let mut cases = vec![
        ("plain", one(file("a.json"))),
        ("extra fields", one(with_extra(file("a.json")))),
        ("ZIP64 sizes", one(wide(file("a.json")))),
        ("empty and ZIP64", one(wide(empty()))),
        (
            "a folder first",
            one(Entry::stored("a/", b"").of_mode(0o040_755)),
        ),
    ];
    for (what, mark, size_bytes) in [
        ("a descriptor", &signature[..], 4),
        ("a descriptor with wide sizes", signature, 8),
        ("a bare descriptor", b"", 4),
        ("a bare descriptor with wide sizes", b"", 8),
    ] {
        cases.push((what, one(streamed(file("a.json"), mark, size_bytes))));
        cases.push((what, one(streamed(empty(), mark, size_bytes))));
        // The last one before the directory.
        let last = streamed(file("c.json"), mark, size_bytes);
        cases.push((what, Zip::of([file("a.json"), last])));
    }
    for (what, zip) in cases {
        let files = zip.entries.iter();
        let files = files
            .filter(|entry| !entry.local.name.ends_with(b"/"))
            .count();
        for zip64 in [false, true] {
            for comment in [&b""[..], b"made on a Sunday"] {
                let comment = comment.to_vec();
                let zip = Zip {
                    zip64,
                    comment,
                    ..zip.clone()
                };
                assert_read(what, &zip.bytes(), files);
            }
        }
    }
}

/// The entries lie in the file as they are given, and are listed the other way round.
fn listed_backwards(zip: &Zip) -> Vec<u8> {
    let mut other = zip.clone();
    let mut at = 0;
    for entry in &mut other.entries {
        entry.at = Some(at);
        let alone = Zip::of([Entry {
            unlisted: true,
            ..entry.clone()
        }]);
        at += alone.bytes().len() as u64 - 22;
    }
    let written = other.entries.iter().map(|entry| Entry {
        unlisted: true,
        ..entry.clone()
    });
    let listed = other.entries.iter().rev().map(|entry| Entry {
        unwritten: true,
        ..entry.clone()
    });
    Zip {
        entries: written.chain(listed).collect(),
        ..zip.clone()
    }
    .bytes()
}

/// Guarantee: Complete
#[test]
fn a_directory_in_another_order_is_read_if_its_entries_leave_nothing_out() {
    let names = ["a.json", "b.json", "c.json"];
    let zip = Zip::of(names.map(|name| streamed(file(name), b"", 8)));
    let bytes = listed_backwards(&zip);
    let unpacked = unpack(&bytes).unwrap();
    let found: Vec<_> = unpacked.files.iter().map(|file| &file.path[..]).collect();
    assert_eq!(found, ["c.json", "b.json", "a.json"]);
    let mut gap = zip;
    gap.entries[1].descriptor.extend(ERROR);
    assert_damaged("a gap", &listed_backwards(&gap), "between its entries");
}

/// Guarantee: Complete
#[test]
fn bytes_that_belong_to_nothing_are_told_wherever_they_are() {
    let two = || Zip::of([file("a.json"), file("b.json")]);
    let after = |entry: Entry| Entry {
        descriptor: [&entry.descriptor[..], ERROR].concat(),
        ..entry
    };
    let between = |entry: Entry| Zip::of([after(entry), file("b.json")]);
    let shifted = {
        // Places that count what comes before.
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.json", options()).unwrap();
        zip.write_all(LOG).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let mut shifted = [ERROR, &zip].concat();
        let (end, directory) = (shifted.len() - 22, zip.len() - 22 - 46 - "a.json".len());
        let add = |bytes: &mut [u8]| {
            let place = u32::from_le_bytes(bytes[..4].try_into().unwrap());
            bytes[..4].copy_from_slice(&(place + ERROR.len() as u32).to_le_bytes());
        };
        add(&mut shifted[end + 16..]);
        add(&mut shifted[ERROR.len() + directory + 42..]);
        shifted
    };
    let said = "unexpected error";
    for zip64 in [false, true] {
        for (what, zip, place) in [
            (
                "before",
                Zip {
                    before: ERROR.to_vec(),
                    ..two()
                },
                "before its first entry",
            ),
            ("between", between(file("a.json")), "between its entries"),
            (
                "behind a descriptor",
                between(streamed(file("a.json"), b"PK\x07\x08", 4)),
                "between its entries",
            ),
            (
                "behind the last entry",
                Zip::of([file("a.json"), after(file("b.json"))]),
                "between its last entry and its directory",
            ),
            (
                "behind the last descriptor",
                Zip::of([after(streamed(file("b.json"), b"", 8))]),
                "between its last entry and its directory",
            ),
            (
                "before the directory",
                Zip {
                    before_directory: ERROR.to_vec(),
                    ..two()
                },
                "between its last entry and its directory",
            ),
            (
                "behind the directory",
                Zip {
                    before_end: ERROR.to_vec(),
                    ..two()
                },
                "between its directory and its end",
            ),
            (
                "behind the end",
                Zip {
                    after: ERROR.to_vec(),
                    ..two()
                },
                "after its end",
            ),
            (
                "behind the comment",
                Zip {
                    comment: b"made on a Sunday".to_vec(),
                    after: ERROR.to_vec(),
                    ..two()
                },
                "after its end",
            ),
            (
                "alone",
                Zip {
                    before: ERROR.to_vec(),
                    ..Zip::default()
                },
                "before its end",
            ),
        ] {
            let zip = Zip { zip64, ..zip }.bytes();
            assert_damaged(what, &zip, place);
            assert_damaged(what, &zip, said);
        }
    }
    assert_damaged("shifted", &shifted, "before its first entry");
    assert_damaged("shifted", &shifted, said);
    // One byte is enough.
    for place in ["before", "after"] {
        let (before, after) = match place {
            "before" => (vec![b'\n'], vec![]),
            _ => (vec![], vec![b'\n']),
        };
        let zip = Zip {
            before,
            after,
            ..two()
        };
        assert_damaged(place, &zip.bytes(), "from byte");
    }
}

/// Guarantee: Suspicious
#[test]
fn a_descriptor_tells_what_the_directory_tells() {
    let with = |descriptor: &[u8]| {
        let entry = Entry {
            descriptor: descriptor.to_vec(),
            ..file("a.json").streamed()
        };
        Zip::of([entry, file("b.json")]).bytes()
    };
    let right = file("a.json").streamed().descriptor;
    assert_read("right", &with(&right), 2);
    assert_damaged("none", &with(b""), "entry 1 announces a data descriptor");
    for at in 0..right.len() {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        assert_damaged("wrong", &with(&wrong), "between its entries");
    }
    assert_damaged("cut", &with(&right[..15]), "between its entries");
    // Without the flag it is none.
    let flags = |entry: Entry| entry.both(|header| header.flags &= !DESCRIPTOR);
    let mut plain = flags(file("a.json").streamed());
    plain.local = plain.central.clone();
    let zip = Zip::of([plain, file("b.json")]).bytes();
    assert_damaged("not announced", &zip, "between its entries");
}

/// Guarantee: Complete
#[test]
fn bytes_behind_the_end_of_what_data_decodes_to_are_told() {
    let with = |behind: &[u8], content: &[u8]| {
        let mut entry = Entry::deflated("a.json", content);
        entry.data.extend(behind);
        let packed = entry.data.len() as u64;
        let entry = entry.both(|header| header.packed = packed);
        Zip::of([entry, file("b.json")]).bytes()
    };
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(b' '..b'~'))
        .take(50_000)
        .collect();
    for content in [&b""[..], b"{}", LOG, &LOG.repeat(10_000), &noise] {
        assert_read("as it should be", &with(b"", content), 2);
        for behind in [&b"\r\n"[..], b"abc", ERROR, &ERROR.repeat(1000)] {
            let zip = with(behind, content);
            assert_damaged("goes on", &zip, "a file's data has bytes behind its end");
        }
    }
}

/// Guarantee: Suspicious
#[test]
fn the_end_announces_the_directory_that_is_there() {
    let two = |zip64| Zip {
        zip64,
        ..Zip::of([file("a.json"), file("b.json")])
    };
    for (zip64, end, fields) in [
        // How many entries on this disk and in all, bytes, place.
        (false, 22, [(8, 2), (10, 2), (12, 4), (16, 4)]),
        (true, 22, [(8, 2), (10, 2), (12, 4), (16, 4)]),
        (true, 22 + 20 + 56, [(24, 8), (32, 8), (40, 8), (48, 8)]),
    ] {
        let right = two(zip64).bytes();
        assert_read("right", &right, 2);
        for (field, length) in fields {
            for lie in [-1, 1] {
                let mut zip = right.clone();
                let at = zip.len() - end + field;
                let mut told = [0; 8];
                told[..length].copy_from_slice(&zip[at..at + length]);
                let told = u64::from_le_bytes(told)
                    .wrapping_add_signed(lie)
                    .to_le_bytes();
                zip[at..at + length].copy_from_slice(&told[..length]);
                assert!(unpack(&zip).is_err(), "{end} {field} {lie}");
            }
        }
    }
    // What the ZIP64 record says may be said twice.
    let mut twice = two(true).bytes();
    let plain = two(false).bytes();
    let end = twice.len() - 22;
    twice[end + 8..end + 20].copy_from_slice(&plain[plain.len() - 14..plain.len() - 2]);
    assert_read("said twice", &twice, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Guarantee: Complete
    #[test]
    fn any_content_that_the_library_deflates_is_needed_to_its_last_byte(
        content in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..3000),
            proptest::collection::vec(b'a'..b'd', 0..30_000),
        ],
        level in 1i64..=9,
        behind in proptest::collection::vec(any::<u8>(), 2..40),
    ) {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.txt", options().compression_level(Some(level))).unwrap();
        zip.write_all(&content).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        let read = unpack(&bytes);
        prop_assert!(read.is_ok(), "{:?}", read);

        let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let raw = archive.by_index_raw(0).unwrap();
        prop_assume!(raw.compression() == CompressionMethod::Deflated);
        let start = raw.data_start().unwrap() as usize;
        let data = &bytes[start..start + raw.compressed_size() as usize];
        let mut entry = Entry::stored("a.txt", &content);
        entry.data = [data, &behind].concat();
        let packed = entry.data.len() as u64;
        let entry = entry.both(|header| (header.method, header.packed) = (8, packed));
        let refused = unpack(&Zip::of([entry]).bytes()).map(|unpacked| unpacked.records);
        prop_assert!(matches!(refused, Err(UnpackError::Damaged(_))), "{:?}", refused);
    }
}
