//! *Suspicious*: whether a zip is unpacked while it arrives, in pieces of whatever length, or once it is
//! whole, it is accepted or refused alike, for the same reason, and becomes the same bytes.
//!
//! `READERS` says how many random zips are tried, `READERS_SEED` which: zip `i` of seed `s` is zip 0 of seed
//! `s + i`. 10,000 of them are tried by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elsa_archiver::archive::store::Store;
use elsa_archiver::archive::unpack::{UnpackError, Unpacked, Unpacking, unpack_in_pieces};
use elsa_archiver::domain::job::Format;
use elsa_archiver::domain::limits::Limits;
use elsa_archiver::domain::span::{Span, UtcMs};
use elsa_archiver::durable::{Disk, Step};

use super::cases::Ground;
use super::forge::{Entry, Zip, deflate};

/// What is reached by zips of some kilobytes, but for the hostile ones, which are made for the program's own.
const SMALL: Limits = Limits {
    unpacked_bytes: 256 * 1024,
    entries: 8,
    ratio: 100,
};

/// A folder in memory where the system has such a place: flushing costs nothing there.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// What came of a zip, in words, and the files that it became.
type Outcome = (String, Vec<(PathBuf, Vec<u8>)>);

fn outcome(unpacked: Result<Unpacked, UnpackError>, folder: &Path) -> Outcome {
    let outcome = match unpacked {
        // How much is free happens to be so.
        Err(UnpackError::NoRoom { declared, .. }) => (format!("no room for {declared}"), vec![]),
        Err(error) => (format!("{error:?}"), vec![]),
        Ok(unpacked) => (format!("{unpacked:?}"), files(folder)),
    };
    let _ = fs::remove_dir_all(folder);
    outcome
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// What became of a zip by both readers.
struct Agreed {
    is_accepted: bool,
    /// Whether it was all unpacked before it was whole.
    is_streamed: bool,
}

/// Unpacks a zip by both readers.
fn agree(place: &Path, zip: &[u8], limits: Limits, dice: &mut fastrand::Rng, what: &str) -> Agreed {
    let path = place.join("answer.zip");
    fs::write(&path, zip).unwrap();
    let folder = place.join("window/part-0001");
    fs::create_dir_all(place.join("window")).unwrap();
    // What was unpacked in vain is removed.
    let is_removed = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&is_removed);
    let disk = Disk::gated(move |step, _| {
        watched.fetch_or(step == Step::Clean, Ordering::Relaxed);
        Ok(())
    });
    let store = Store::new(place.to_owned(), 0, disk);
    let asked = Span::new(UtcMs(0), UtcMs(1000)).unwrap();
    let unpacking = Unpacking {
        store: &store,
        folder: Some(&folder),
        span: asked,
        window: asked,
        format: Format::Json,
        include_fields: &[],
        records_zone: None,
        limit: 2,
        limits,
    };
    let whole = unpacking.run(&path, &|| false);
    let is_accepted = whole.is_ok();
    let whole = outcome(whole, &folder);
    // Where nothing is written it is checked, hashed and counted alike.
    let unwritten = Unpacking {
        folder: None,
        ..unpacking
    };
    let longest = 1usize << dice.u32(0..=12);
    let output = 1usize << dice.u32(0..=14);
    let lengths = std::iter::repeat_with(|| dice.usize(1..=longest));
    let arrived = outcome(
        unpack_in_pieces(&unpacking, &path, lengths, output),
        &folder,
    );
    assert_eq!(arrived.0, whole.0, "{what}");
    if !whole.0.starts_with("no room for") && !whole.0.contains("NoSuchName") {
        let lengths = std::iter::repeat_with(|| dice.usize(1..=longest));
        for counted in [
            unwritten.run(&path, &|| false),
            unpack_in_pieces(&unwritten, &path, lengths, output),
        ] {
            let counted = outcome(counted, &folder);
            assert_eq!((counted.0, counted.1.len()), (whole.0.clone(), 0), "{what}");
        }
    }
    assert!(arrived.1 == whole.1, "{what}: other bytes");
    Agreed {
        is_accepted,
        is_streamed: !is_removed.load(Ordering::Relaxed),
    }
}

/// A zip of up to nine entries, in which something may be wrong.
fn random(dice: &mut fastrand::Rng) -> Vec<u8> {
    let entries = (0..dice.usize(0..10)).map(|number| {
        let content = content(dice);
        let name = match dice.u32(0..20) {
            0 => format!("folder-{number}/"),
            1 => format!("deep/er-{number}/a.csv"),
            2 => "twice.json".into(),
            _ => format!("f{number}.json"),
        };
        let content = match name.ends_with('/') {
            true => Vec::new(),
            false => content,
        };
        let mut entry = match dice.bool() {
            true => Entry::stored(&name, &content),
            false => Entry::deflated(&name, &content),
        };
        entry.zip64 = dice.u32(0..10) == 0;
        if !entry.zip64 && dice.u32(0..3) > 0 {
            entry = entry.streamed();
            describe(&mut entry, dice);
        }
        if dice.u32(0..12) == 0 {
            lie(&mut entry, dice);
        }
        entry
    });
    let mut zip = Zip::of(entries.collect::<Vec<_>>());
    zip.zip64 = dice.u32(0..10) == 0;
    let noise = |dice: &mut fastrand::Rng| match dice.u32(0..30) {
        0 => std::iter::repeat_with(|| dice.u8(..)).take(30).collect(),
        _ => Vec::new(),
    };
    zip.before = noise(dice);
    zip.after = noise(dice);
    zip.before_directory = noise(dice);
    zip.before_end = noise(dice);
    zip.comment = noise(dice);
    let mut bytes = zip.bytes();
    match dice.u32(0..8) {
        0 => bytes.truncate(dice.usize(..=bytes.len())),
        1 => {
            let at = dice.usize(..bytes.len());
            bytes[at] ^= 1 << dice.u32(0..8);
        }
        _ => {}
    }
    bytes
}

fn content(dice: &mut fastrand::Rng) -> Vec<u8> {
    match dice.u32(0..8) {
        0 => Vec::new(),
        1 => vec![b' '; dice.usize(..70_000)],
        2 => {
            let length = dice.usize(..3000);
            std::iter::repeat_with(|| dice.u8(..))
                .take(length)
                .collect()
        }
        _ => (0..dice.usize(..200))
            .flat_map(|at| {
                format!("{{\"logTime\":{at},\"body\":\"{}\"}}\n", dice.u64(..)).into_bytes()
            })
            .collect(),
    }
}

/// One of the four forms of a data descriptor.
fn describe(entry: &mut Entry, dice: &mut fastrand::Rng) {
    let told = &entry.central;
    let mut descriptor = match dice.bool() {
        true => b"PK\x07\x08".to_vec(),
        false => Vec::new(),
    };
    descriptor.extend(told.crc.to_le_bytes());
    let is_wide = dice.bool();
    for size in [told.packed, told.size] {
        match is_wide {
            true => descriptor.extend(size.to_le_bytes()),
            false => descriptor.extend((size as u32).to_le_bytes()),
        }
    }
    entry.descriptor = descriptor;
}

fn lie(entry: &mut Entry, dice: &mut fastrand::Rng) {
    let header = match dice.bool() {
        true => &mut entry.local,
        false => &mut entry.central,
    };
    match dice.u32(0..12) {
        0 => header.name = b"other.json".to_vec(),
        1 => header.name.insert(0, b'/'),
        2 => header.flags ^= 1 << dice.u32(0..16),
        3 => header.method = dice.u16(0..13),
        4 => header.crc ^= 1,
        5 => header.packed = header.packed.wrapping_add(1),
        6 => header.size ^= 1,
        7 => entry.data.extend(b"more"),
        8 => entry.data = deflate(b"[{\"logTime\":1}]"),
        9 => entry
            .descriptor
            .truncate(dice.usize(..=entry.descriptor.len())),
        10 => entry.mode = dice.u32(..),
        _ => entry.unlisted = true,
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Guarantee: Suspicious
#[test]
fn a_zip_that_is_unpacked_as_it_arrives_is_what_the_whole_one_is() {
    let place = place();
    let seed = number("READERS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let zips = number("READERS").unwrap_or(1000);
    println!("READERS={zips} READERS_SEED={seed}");
    let (mut accepted, mut streamed) = (0, 0);
    for seed in seed..seed + zips {
        let mut dice = fastrand::Rng::with_seed(seed);
        let zip = random(&mut dice);
        let what = format!("READERS=1 READERS_SEED={seed}");
        let agreed = agree(place.path(), &zip, SMALL, &mut dice, &what);
        accepted += u64::from(agreed.is_accepted);
        streamed += u64::from(agreed.is_accepted && agreed.is_streamed);
    }
    println!("{accepted} of them are accepted, {streamed} as they arrive");
    assert!(zips < 100 || (zips / 5..zips * 4 / 5).contains(&accepted));
    assert!(zips < 100 || streamed > accepted / 4);
}

/// Guarantee: Suspicious
#[test]
fn a_hostile_or_odd_zip_comes_to_the_same_end_whether_it_is_whole_or_arrives() {
    let place = place();
    let ground = Ground {
        log: b"{\"logTime\":5,\"body\":\"a log\"}\n".to_vec(),
        canary: place.path().join("canary").display().to_string(),
    };
    let mut dice = fastrand::Rng::with_seed(1);
    let groups = [
        ground.names(),
        ground.kinds(),
        ground.lies(),
        ground.floods(),
        ground.foreign(),
        ground.odd(),
    ];
    for case in groups.into_iter().flatten() {
        for limits in [Limits::default(), SMALL] {
            agree(place.path(), &case.zip, limits, &mut dice, &case.name);
        }
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/zip_bytes");
    let mut seeds = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        let seed = seed.unwrap().path();
        let zip = fs::read(&seed).unwrap();
        for _ in 0..10 {
            let what = seed.display().to_string();
            agree(place.path(), &zip, SMALL, &mut dice, &what);
        }
        seeds += 1;
    }
    assert!(seeds > 10);
    assert!(!place.path().join("canary").exists());
}
