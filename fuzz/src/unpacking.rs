//! Unpacks a zip in a folder of this process and holds against the disk what comes of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use elsa_archiver::archive::store::Store;
use elsa_archiver::archive::unpack::{UnpackError, Unpacked, Unpacking, unpack_in_pieces};
use elsa_archiver::digest::Digest;
use elsa_archiver::domain::job::Format;
use elsa_archiver::domain::limits::Limits;
use elsa_archiver::domain::span::{Span, UtcMs};
use elsa_archiver::durable::Disk;

use crate::printable::assert_printable;

/// Small, so that they are reached.
pub const LIMITS: Limits = Limits {
    unpacked_bytes: 256 * 1024,
    entries: 8,
    ratio: 100,
};

/// Files by their path below the part's folder.
pub type Files = BTreeMap<String, Vec<u8>>;

thread_local! {
    static PLACE: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// The folder of this process, in memory where the system has such a place.
fn place() -> PathBuf {
    PLACE.with_borrow_mut(|place| {
        let place = place.get_or_insert_with(|| {
            let memory = Path::new("/dev/shm");
            let made = match memory.is_dir() {
                true => tempfile::tempdir_in(memory),
                false => tempfile::tempdir(),
            };
            made.expect("a folder to unpack in")
        });
        place.path().to_owned()
    })
}

/// Unpacks `zip` as if it arrived in pieces of these lengths, over and over, and holds what comes of it against
/// what comes of the whole zip.
pub fn unpack_in(zip: &[u8], lengths: &[u8]) {
    let place = place();
    let whole = unpack(zip);
    let part = place.join("window/part-0001");
    let _ = fs::remove_dir_all(&part);
    let store = Store::new(place.clone(), 0, Disk::default());
    let output = lengths.iter().map(|&length| usize::from(length)).sum();
    let lengths = lengths.iter().cycle().map(|&length| usize::from(length));
    let arrived = unpack_in_pieces(
        &unpacking(&store, &part),
        &place.join("answer.zip"),
        lengths,
        output,
    );
    match (whole, arrived) {
        (Ok((whole, files)), Ok(arrived)) => {
            assert_eq!(format!("{arrived:?}"), format!("{whole:?}"));
            let mut same = Files::new();
            if part.exists() {
                gather(&part, &part, &mut same);
            }
            assert_eq!(same, files);
        }
        (Err(whole), Err(arrived)) => assert_eq!(arrived.to_string(), whole.to_string()),
        (whole, arrived) => panic!("whole: {whole:?}, as it arrives: {arrived:?}"),
    }
}

fn unpacking<'a>(store: &'a Store, part: &'a Path) -> Unpacking<'a> {
    Unpacking {
        store,
        folder: Some(part),
        span: Span::new(UtcMs(0), UtcMs(1000)).expect("a span"),
        window: Span::new(UtcMs(0), UtcMs(1000)).expect("a span"),
        format: Format::Json,
        include_fields: &[],
        records_zone: None,
        limit: 2,
        limits: LIMITS,
    }
}

/// Unpacks `zip`. Nothing may appear but plain files below the part's folder, within the limits,
/// and those exactly that are told. Returns them with their content.
pub fn unpack(zip: &[u8]) -> Result<(Unpacked, Files), UnpackError> {
    let place = place();
    let part = place.join("window/part-0001");
    let _ = fs::remove_dir_all(place.join("window"));
    fs::create_dir(place.join("window")).expect("a window's folder");
    fs::write(place.join("answer.zip"), zip).expect("an answer on disk");
    let store = Store::new(place.clone(), 0, Disk::default());
    let unpacking = unpacking(&store, &part);
    let result = unpacking.run(&place.join("answer.zip"), &|| false);

    let mut files = Files::new();
    for entry in fs::read_dir(&place).expect("the place is there") {
        let name = entry.expect("an entry").file_name();
        assert!(
            name == "window" || name == "answer.zip",
            "outside: {name:?}"
        );
    }
    for entry in fs::read_dir(place.join("window")).expect("the window is there") {
        let name = entry.expect("an entry").file_name();
        assert!(name == "part-0001", "beside the part: {name:?}");
    }
    if part.exists() {
        gather(&part, &part, &mut files);
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!(bytes as u64 <= LIMITS.unpacked_bytes, "{bytes} bytes");
    assert!(files.len() <= LIMITS.entries, "{} files", files.len());

    match result {
        Ok(unpacked) => {
            agree(&unpacked, &files);
            Ok((unpacked, files))
        }
        Err(error) => {
            // A fault of this machine is none of the zip's, and no finding of its.
            assert!(error.is_refusal(), "{error}");
            // It may hold a name of the zip's, of up to 64 KiB, which is cut where it is shown.
            assert_printable(&error.to_string(), 11 * 65_536);
            Err(error)
        }
    }
}

/// What is told is what lies on the disk.
fn agree(unpacked: &Unpacked, files: &Files) {
    assert_eq!(unpacked.files.len(), files.len());
    for told in &unpacked.files {
        let content = &files[&told.path];
        assert_eq!(told.bytes, content.len() as u64);
        assert_eq!(told.sha256, Digest::of(content));
        assert!(told.first_ms <= told.last_ms);
    }
    let records: Option<u64> = unpacked.files.iter().map(|file| file.records).sum();
    // Pages may be missing, though each file is counted.
    match &unpacked.uncountable {
        Some(_) => assert_eq!(unpacked.records, None),
        None => assert_eq!(unpacked.records, records),
    }
    assert!(unpacked.uncountable.is_some() || records.is_some());
    if let Some(why) = &unpacked.uncountable {
        assert_printable(why, 1500);
    }
}

fn gather(folder: &Path, part: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("a folder is readable") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() {
            gather(&path, part, files);
        } else {
            assert!(kind.is_file(), "no plain file: {path:?}");
            let below = path.strip_prefix(part).expect("below the part");
            let name = below.to_str().expect("UTF-8").to_owned();
            files.insert(name, fs::read(&path).expect("a file is readable"));
        }
    }
}
