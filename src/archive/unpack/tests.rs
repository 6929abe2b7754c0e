//! Zips that are fine, odd and hostile, made with the zip library or by damaging its work.

use std::fs;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::domain::span::{Millis, UtcMs};
use crate::durable::Disk;

/// The first instant of the second that is asked for.
const SPAN_FROM: UtcMs = UtcMs(1_763_737_200_000);

pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    store: Store,
    limits: Limits,
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().into(), 0, Disk::default());
        fs::create_dir(dir.path().join("window")).unwrap();
        Self {
            dir,
            store,
            limits: Limits::default(),
        }
    }

    pub(super) fn unpack(&self, zip: &[u8]) -> Result<Unpacked, UnpackError> {
        self.unpack_in(zip, None)
    }

    fn unpack_in(&self, zip: &[u8], zone: Option<&Zone>) -> Result<Unpacked, UnpackError> {
        let path = self.dir.path().join("answer.zip");
        fs::write(&path, zip).unwrap();
        let folder = self.dir.path().join("window/part-0001");
        let unpacking = Unpacking {
            store: &self.store,
            folder: Some(&folder),
            span: Span::new(SPAN_FROM, SPAN_FROM.plus(Millis(1000))).unwrap(),
            window: Span::new(SPAN_FROM, SPAN_FROM.plus(Millis(1000))).unwrap(),
            format: Format::Json,
            include_fields: &[],
            records_zone: zone,
            limit: 2,
            limits: self.limits,
        };
        let whole = unpacking.run(&path, &|| false);
        let files = contents(&folder);
        let _ = fs::remove_dir_all(&folder);
        // As it arrives, it is the same.
        let seed = fastrand::u64(..);
        let mut dice = fastrand::Rng::with_seed(seed);
        let most = 1 << dice.usize(0..16);
        let output = dice.usize(1..=1 << 14);
        let lengths = std::iter::repeat_with(|| dice.usize(1..=most));
        let arrived = unpack_in_pieces(&unpacking, &path, lengths, output);
        assert_eq!(told(&arrived), told(&whole), "seed {seed}");
        if whole.is_ok() {
            assert_eq!(contents(&folder), files, "seed {seed}");
        }
        whole
    }

    /// Every file below the world, but for the zip itself.
    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut below = vec![self.dir.path().to_owned()];
        while let Some(at) = below.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below.push(path);
                } else if !path.ends_with("answer.zip") {
                    let relative = path.strip_prefix(self.dir.path()).unwrap();
                    found.push(relative.display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

/// What came of a zip, but for the space that happens to be free.
pub(super) fn told(unpacked: &Result<Unpacked, UnpackError>) -> String {
    match unpacked {
        Err(UnpackError::NoRoom { declared, .. }) => format!("no room for {declared}"),
        other => format!("{other:?}"),
    }
}

/// Every file below a folder with its bytes.
pub(super) fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

pub(super) fn options() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

pub(super) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, options()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Replaces every `from` by a `to` of the same length: in the entry's header and the directory.
pub(super) fn patched(zip: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut zip = zip.to_vec();
    let places: Vec<usize> = (0..zip.len() - from.len())
        .filter(|&at| zip[at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        zip[at..at + to.len()].copy_from_slice(to);
    }
    zip
}

/// Guarantee: Complete
#[test]
fn an_empty_zip_is_its_end_record_and_nothing_else() {
    let world = World::new();
    let empty = zip_of(&[]);
    let commented = [&empty[..20], &[5, 0], b"hello"].concat();
    for zip in [&empty, &commented] {
        let unpacked = world.unpack(zip).unwrap();
        assert_eq!((unpacked.records, unpacked.files.len()), (Some(0), 0));
    }
    let error = b"{\"error\":{\"errorCode\":\"900\",\"message\":\"unexpected error\"}}";
    for other in [&error[..], b"\n", &empty, &[0; 76]] {
        for zip in [[other, &empty].concat(), [other, &commented].concat()] {
            let refused = world.unpack(&zip).unwrap_err();
            assert!(matches!(refused, UnpackError::Damaged(_)), "{refused}");
        }
    }
    let refused = world.unpack(&[&error[..], &empty].concat()).unwrap_err();
    assert!(
        refused.to_string().contains("unexpected error"),
        "{refused}"
    );
    assert!(world.files().is_empty());
}

#[test]
fn files_come_out_unchanged_hashed_and_counted() {
    let world = World::new();
    let at = |ms| Some(SPAN_FROM.plus(Millis(ms)));
    let pages = b"[{\"logTime\":1763737200005},{\"logTime\":1763737200003}]";
    let lines = b"{\"logTime\":1763737200009}\n{\"logTime\":\"x\"}\n";
    let unpacked = world
        .unpack(&zip_of(&[("a.json", pages), ("deep/er/b.json", lines)]))
        .unwrap();
    assert_eq!(unpacked.records, Some(4));
    assert_eq!(unpacked.uncountable, None);
    let [a, b] = &unpacked.files[..] else {
        panic!("{unpacked:?}")
    };
    assert_eq!(
        (a.path.as_str(), a.first_ms, a.last_ms),
        ("a.json", at(3), at(5))
    );
    assert_eq!(
        (b.path.as_str(), b.first_ms, b.last_ms),
        ("deep/er/b.json", at(9), at(9))
    );
    let written = fs::read(world.dir.path().join("window/part-0001").join(&b.path)).unwrap();
    assert_eq!(written, lines);
    assert_eq!(b.sha256, crate::digest::Digest::of(lines));
}

#[test]
fn a_zip_without_entries_is_a_window_without_logs() {
    let world = World::new();
    let unpacked = world.unpack(&zip_of(&[])).unwrap();
    assert_eq!((unpacked.records, unpacked.files.len()), (Some(0), 0));
    assert_eq!(world.files(), [""; 0]);
}

/// Guarantee: Complete
#[test]
fn content_that_can_t_be_counted_is_kept_and_said_so() {
    let world = World::new();
    let zip = zip_of(&[
        ("good.json", b"{\"logTime\":1}"),
        ("bad.json", b"[{},"),
        ("also.json", b"{\"logTime\":2}"),
    ]);
    let unpacked = world.unpack(&zip).unwrap();
    assert_eq!(unpacked.records, None);
    assert!(unpacked.uncountable.unwrap().starts_with("bad.json: "));
    assert_eq!(world.files().len(), 3);

    for (name, no_records) in [
        (
            "logs.json",
            &br#"{"total":2,"logs":[{"logTime":1},{"logTime":2}]}"#[..],
        ),
        (
            "logs.json",
            br#"{"error":{"errorCode":"900","message":"busy"}}"#,
        ),
        ("logs.csv", b"<html>busy</html>\n"),
    ] {
        let world = World::new();
        let unpacked = world.unpack(&zip_of(&[(name, no_records)])).unwrap();
        assert_eq!((unpacked.records, world.files().len()), (None, 1), "{name}");
        let why = unpacked.uncountable.unwrap();
        assert!(why.starts_with(name) && why.contains("logTime"), "{why}");
    }
}

/// Guarantee: Complete
#[test]
fn times_in_every_unit_are_held_against_the_span() {
    let mut lines = String::new();
    for time in [
        // Inside.
        "1763737200123",
        "1763737200",
        "1763737200.999",
        "1763737200999999",
        "1.7637372e12",
        "\"2025-11-22 00:00:00.5\"",
        "\"1763737200000000001\"",
        // Of another day, and a millisecond beside.
        "1763823600",
        "1763823600.5",
        "1763737201000000",
        "1763737199.999",
        "\"2025-11-23T00:00:00\"",
        // Unknown.
        "1",
        "\"today\"",
    ] {
        lines += &format!("{{\"logTime\":{time}}}\n");
    }
    let zip = zip_of(&[("logs.json", lines.as_bytes())]);
    let seoul = Zone::new(jiff::tz::TimeZone::get("Asia/Seoul").unwrap());
    for (zone, inside, outside) in [(Some(&seoul), 7.0, 5), (None, 6.0, 4)] {
        let world = World::new();
        let unpacked = world.unpack_in(&zip, zone).unwrap();
        assert_eq!(unpacked.records, Some(14));
        assert_eq!(unpacked.seen.outside, outside);
        let span = Span::new(UtcMs(0), UtcMs(i64::MAX)).unwrap();
        let sample = unpacked.seen.inside.finish();
        assert_eq!(sample.records_in(span), inside);
    }
}

/// Guarantee: Complete
#[test]
fn an_answer_with_a_missing_page_is_kept_and_not_counted() {
    let page = |from: u64, records: u64| {
        let records = (from..from + records).map(|at| format!("{{\"logTime\":{at}}}\n"));
        records.collect::<String>().into_bytes()
    };
    let (first, second, third) = (page(1, 2), page(3, 2), page(5, 1));
    let whole = zip_of(&[
        ("logs_1.json", &first),
        ("logs_2.json", &second),
        ("logs_3.json", &third),
    ]);
    let unpacked = World::new().unpack(&whole).unwrap();
    assert_eq!((unpacked.records, unpacked.uncountable), (Some(5), None));

    let world = World::new();
    let gap = zip_of(&[("logs_1.json", &first), ("logs_3.json", &third)]);
    let unpacked = world.unpack(&gap).unwrap();
    assert_eq!((unpacked.records, world.files().len()), (None, 2));
    let why = unpacked.uncountable.unwrap();
    assert!(why.starts_with("logs_3.json: a page before it"), "{why}");
    let counted: Vec<_> = unpacked.files.iter().map(|file| file.records).collect();
    assert_eq!(counted, [Some(2), Some(1)]);
    // What can't be counted at all is the better reason.
    let broken = zip_of(&[("logs_1.json", &first), ("logs_3.json", b"[{")]);
    let why = World::new().unpack(&broken).unwrap().uncountable.unwrap();
    assert!(why.contains("can't be counted"), "{why}");
}

/// Guarantee: Suspicious
#[test]
fn hostile_names_and_kinds_never_become_files() {
    let good = zip_of(&[("aa/bb/cc", b"[]")]);
    let name = |hostile: &[u8]| patched(&good, b"aa/bb/cc", hostile);
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.add_symlink("link", "/etc/passwd", options()).unwrap();
    let link = link.finish().unwrap().into_inner();
    // A device: the link's mode bits with another file type (S_IFCHR).
    let device = patched(&link, &[0xff, 0xa1], &[0xff, 0x21]);
    for (what, zip) in [
        ("absolute", name(b"/etc/pwd")),
        ("dots", name(b"../../cc")),
        ("dots inside", name(b"aa/../cc")),
        ("backslash", name(b"aa\\bb\\cc")),
        ("drive", name(b"C:/bb/cc")),
        ("NUL", name(b"aa/b\0/cc")),
        ("newline", name(b"aa/b\n/cc")),
        ("empty component", name(b"aa///bcc")),
        ("symlink", link),
        ("device", device),
        (
            "names in other case",
            zip_of(&[("A.json", b"[]"), ("a.json", b"[]")]),
        ),
        ("file and folder", zip_of(&[("a", b"[]"), ("a/b", b"[]")])),
    ] {
        let world = World::new();
        let error = world.unpack(&zip).unwrap_err();
        let refused = matches!(error, UnpackError::Entry { .. } | UnpackError::Damaged(_));
        assert!(refused, "{what}: {error}");
        let outside = world
            .files()
            .into_iter()
            .find(|file| !file.starts_with("window/part-0001"));
        assert_eq!(outside, None, "{what}");
    }
}

/// Guarantee: Bounded
#[test]
fn limits_hold_on_the_bytes_that_really_come() {
    let zeros = vec![b' '; 40 * 1024 * 1024];
    let bomb = zip_of(&[("bomb.json", &zeros)]);
    let limits = |limits: Limits| World {
        limits,
        ..World::new()
    };
    let small = limits(Limits {
        unpacked_bytes: 1024 * 1024,
        ..Limits::default()
    });
    assert!(matches!(
        small.unpack(&bomb).unwrap_err(),
        UnpackError::Refused(_)
    ));
    let dense = limits(Limits {
        ratio: 100,
        ..Limits::default()
    });
    let error = dense.unpack(&bomb).unwrap_err().to_string();
    assert!(error.contains("100 times"), "{error}");
    let few = limits(Limits {
        entries: 1,
        ..Limits::default()
    });
    let error = few
        .unpack(&zip_of(&[("a", b""), ("b", b"")]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("2 entries"), "{error}");

    // The declared size lies: the bytes decide.
    let size = (zeros.len() as u32).to_le_bytes();
    let liar = patched(&bomb, &size, &10u32.to_le_bytes());
    assert!(World::new().unpack(&liar).is_err());
}

/// Guarantee: Suspicious
#[test]
fn a_zip_cut_or_changed_anywhere_is_refused() {
    let body = b"[{\"logTime\":1,\"body\":\"the quick brown fox\"}]";
    let zip = zip_of(&[("logs.json", body)]);
    let whole = World::new().unpack(&zip).unwrap();
    for length in 0..zip.len() {
        assert!(
            World::new().unpack(&zip[..length]).is_err(),
            "cut at {length}"
        );
    }
    for at in 0..zip.len() {
        let mut changed = zip.clone();
        changed[at] ^= 0x10;
        // Some bytes (times, comments, versions) mean nothing for the content.
        if let Ok(unpacked) = World::new().unpack(&changed) {
            let same = |u: &Unpacked| {
                (
                    u.records,
                    u.files.iter().map(|f| f.sha256).collect::<Vec<_>>(),
                )
            };
            assert_eq!(same(&unpacked), same(&whole), "changed at {at}");
        }
    }
}

#[test]
fn a_full_disk_and_a_stop_are_told_apart_from_a_bad_zip() {
    let zip = zip_of(&[("a.json", b"[]")]);
    let full = Disk::gated(|step, _| match step {
        Step::SyncData => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let mut world = World::new();
    world.store = Store::new(world.dir.path().into(), 0, full);
    assert!(matches!(
        world.unpack(&zip).unwrap_err(),
        UnpackError::Disk(_)
    ));
    world.store = Store::new(world.dir.path().into(), u64::MAX / 2, Disk::default());
    assert!(matches!(
        World { ..world }.unpack(&zip).unwrap_err(),
        UnpackError::NoRoom { declared: 2, .. }
    ));
}

/// Guarantee: Suspicious
#[test]
fn a_name_that_this_file_system_does_not_know_is_the_zip_s_fault_and_a_failing_disk_is_not() {
    let zip = zip_of(&[("a b/c d.json", b"[]")]);
    for (errno, about_names) in [
        (Errno::INVAL, true),
        (Errno::ILSEQ, true),
        (Errno::NAMETOOLONG, true),
        (Errno::IO, false),
        (Errno::ACCESS, false),
    ] {
        // The last is our own name.
        for (failing, entrys) in [("a b", true), ("c d.json", true), ("part-0001", false)] {
            let disk = Disk::gated(move |step, path| match step {
                Step::StageFolder | Step::StageData if path.ends_with(failing) => Err(errno.into()),
                _ => Ok(()),
            });
            let mut world = World::new();
            world.store = Store::new(world.dir.path().into(), 0, disk);
            let error = world.unpack(&zip).unwrap_err();
            assert_eq!(error.is_refusal(), about_names && entrys, "{error}");
        }
    }
}

/// Guarantee: Suspicious
#[test]
fn a_write_that_fails_is_never_the_zip_s_fault() {
    let zip = zip_of(&[("a.json", b"[]")]);
    let seen = std::sync::atomic::AtomicBool::new(false);
    let disk = Disk::gated(move |step, _| match step {
        // The file is made, and then written.
        Step::StageData if seen.fetch_xor(true, std::sync::atomic::Ordering::Relaxed) => {
            Err(Errno::INVAL.into())
        }
        _ => Ok(()),
    });
    let mut world = World::new();
    world.store = Store::new(world.dir.path().into(), 0, disk);
    let error = world.unpack(&zip).unwrap_err();
    assert!(matches!(error, UnpackError::Disk(_)), "{error}");
}

/// Guarantee: Suspicious
#[test]
fn what_the_library_repeats_of_a_damaged_zip_can_be_printed() {
    let mut zip = zip_of(&[("a\x1b[31m.json", b"[]")]);
    // Only the local header says that it is encrypted (APPNOTE 4.4.4).
    zip[6] |= 1;
    let error = World::new().unpack(&zip).unwrap_err().to_string();
    assert!(error.contains("[31m.json"), "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");
}

/// Guarantee: Ordered
#[test]
fn a_flush_of_a_part_of_a_file_that_fails_fails_the_window_since_no_later_one_tells_of_it() {
    let zip = zip_of(&[("a.json", &vec![b' '; 9 << 20])]);
    let world = World::new();
    let path = world.dir.path().join("answer.zip");
    fs::write(&path, zip).unwrap();
    let folder = world.dir.path().join("window/part-0001");
    for (failing, refused) in [(Step::FlushData, true), (Step::SyncManifest, false)] {
        let _ = fs::remove_dir_all(&folder);
        let disk = Disk::gated(move |step, _| match step == failing {
            true => Err(Errno::IO.into()),
            false => Ok(()),
        });
        let store = Store::new(world.dir.path().into(), 0, disk);
        let unpacking = Unpacking {
            store: &store,
            folder: Some(&folder),
            span: Span::new(SPAN_FROM, SPAN_FROM.plus(Millis(1000))).unwrap(),
            window: Span::new(SPAN_FROM, SPAN_FROM.plus(Millis(1000))).unwrap(),
            format: Format::Json,
            include_fields: &[],
            records_zone: None,
            limit: 2,
            limits: Limits::default(),
        };
        let unpacked = unpack_in_pieces(&unpacking, &path, std::iter::empty(), PIECE_BYTES);
        let is_disk = matches!(&unpacked, Err(UnpackError::Disk(error)) if error.step == failing);
        assert_eq!(is_disk, refused, "{unpacked:?}");
        assert_eq!(unpacked.is_ok(), !refused);
    }
}
