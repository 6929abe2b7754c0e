//! Zips that are put together field by field, some of which lie: an honest one is unpacked
//! exactly, a lying one never becomes anything but plain files in their folder, and bytes that belong
//! to nothing are never passed over.

#![no_main]

use arbitrary::Arbitrary;
use elsa_archiver_fuzz::unpacking::{Files, unpack};
use libfuzzer_sys::fuzz_target;

#[allow(
    dead_code,
    reason = "a module of the tests, of which not all is needed here"
)]
#[path = "../../tests/it/hostile/forge.rs"]
mod forge;

use forge::{Entry, Header, Zip, extra};

#[derive(Arbitrary, Debug)]
struct Made {
    entries: Vec<MadeEntry>,
    lies: Vec<ZipLie>,
}

#[derive(Arbitrary, Debug)]
struct MadeEntry {
    content: Content,
    deflated: bool,
    streamed: bool,
    zip64: bool,
    lies: Vec<Lie>,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Bytes(Vec<u8>),
    /// So many times the same.
    Run(u8, u16),
    Records(u8),
}

/// What one header says, or both.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum In {
    Local,
    Central,
    Both,
}

#[derive(Arbitrary, Debug)]
enum Lie {
    Name(In, Vec<u8>),
    /// The name of the entry so many places before, some folders above it.
    NameOf(In, u8, u8),
    Up(In, u8),
    Folder(In),
    Flags(In, u16),
    Method(In, u16),
    Crc(In, u32),
    Packed(In, u64),
    Size(In, u64),
    Extra(In, u16, Vec<u8>),
    Data(Vec<u8>),
    Descriptor(Vec<u8>),
    System(u8),
    Mode(u32),
    At(u32),
    Unwritten,
    Unlisted,
}

#[derive(Arbitrary, Debug)]
enum ZipLie {
    Before(Vec<u8>),
    After(Vec<u8>),
    Comment(Vec<u8>),
    Announces(u64, u64),
    Zip64,
    /// A byte is changed.
    Damage(u16, u8),
    /// It is cut off.
    Cut(u16),
    BeforeDirectory(Vec<u8>),
    BeforeEnd(Vec<u8>),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Run(byte, times) => vec![*byte; usize::from(*times)],
            Self::Records(records) => (0..*records)
                .flat_map(|at| format!("{{\"logTime\":{at}}}\n").into_bytes())
                .collect(),
        }
    }
}

fn change(entry: &mut Entry, place: In, change: impl Fn(&mut Header)) {
    if !matches!(place, In::Central) {
        change(&mut entry.local);
    }
    if !matches!(place, In::Local) {
        change(&mut entry.central);
    }
}

fn tell(lie: &Lie, entry: &mut Entry, before: &[Entry]) {
    match lie {
        Lie::Name(place, name) => change(entry, *place, |header| header.name.clone_from(name)),
        Lie::NameOf(place, back, folders) => {
            let back = before.len().checked_sub(1 + usize::from(*back));
            if let Some(other) = back.and_then(|at| before.get(at)) {
                let below = "/x".repeat(usize::from(folders % 12));
                let name = [&other.central.name[..], below.as_bytes()].concat();
                change(entry, *place, |header| header.name.clone_from(&name));
            }
        }
        Lie::Up(place, times) => change(entry, *place, |header| {
            let up = "../".repeat(usize::from(times % 8));
            header.name = [up.as_bytes(), &header.name].concat();
        }),
        Lie::Folder(place) => change(entry, *place, |header| header.name.push(b'/')),
        Lie::Flags(place, flags) => change(entry, *place, |header| header.flags ^= flags),
        Lie::Method(place, method) => change(entry, *place, |header| header.method = *method),
        Lie::Crc(place, crc) => change(entry, *place, |header| header.crc = *crc),
        Lie::Packed(place, bytes) => change(entry, *place, |header| header.packed = *bytes),
        Lie::Size(place, bytes) => change(entry, *place, |header| header.size = *bytes),
        Lie::Extra(place, id, content) => change(entry, *place, |header| {
            header.extra.extend(extra(*id, content));
        }),
        Lie::Data(data) => entry.data.clone_from(data),
        Lie::Descriptor(bytes) => entry.descriptor.clone_from(bytes),
        Lie::System(system) => entry.system = *system,
        Lie::Mode(mode) => entry.mode = *mode,
        Lie::At(at) => entry.at = Some(u64::from(*at)),
        Lie::Unwritten => entry.unwritten = true,
        Lie::Unlisted => entry.unlisted = true,
    }
}

fuzz_target!(|made: Made| {
    let mut zip = Zip::default();
    let mut expected = Files::new();
    let mut honest = made.lies.is_empty();
    // One more than is allowed.
    for (number, made) in made.entries.iter().take(9).enumerate() {
        let (name, content) = (format!("f{number}.json"), made.content.bytes());
        let mut entry = match made.deflated {
            true => Entry::deflated(&name, &content),
            false => Entry::stored(&name, &content),
        };
        entry.zip64 = made.zip64;
        if made.streamed {
            entry = entry.streamed();
            // The sizes are zero in the header then, and their ZIP64 fields would be another story.
            entry.zip64 = false;
        }
        for lie in &made.lies {
            tell(lie, &mut entry, &zip.entries);
        }
        honest &= made.lies.is_empty();
        expected.insert(name, content);
        zip.entries.push(entry);
    }
    for lie in &made.lies {
        match lie {
            ZipLie::Before(bytes) => zip.before.clone_from(bytes),
            ZipLie::After(bytes) => zip.after.clone_from(bytes),
            ZipLie::Comment(bytes) => zip.comment.clone_from(bytes),
            ZipLie::Announces(entries, bytes) => zip.announces = Some((*entries, *bytes)),
            ZipLie::Zip64 => zip.zip64 = true,
            ZipLie::BeforeDirectory(bytes) => zip.before_directory.clone_from(bytes),
            ZipLie::BeforeEnd(bytes) => zip.before_end.clone_from(bytes),
            ZipLie::Damage(..) | ZipLie::Cut(..) => {}
        }
    }
    let foreign = [
        &zip.before,
        &zip.after,
        &zip.before_directory,
        &zip.before_end,
    ];
    let foreign = foreign.iter().any(|bytes| !bytes.is_empty());
    // Damage may make them belong to something.
    let only_foreign = made.lies.iter().all(|lie| {
        matches!(
            lie,
            ZipLie::Before(_)
                | ZipLie::After(_)
                | ZipLie::BeforeDirectory(_)
                | ZipLie::BeforeEnd(_)
        )
    });
    let must_fail = foreign && only_foreign && made.entries.iter().all(|made| made.lies.is_empty());
    let mut bytes = zip.bytes();
    for lie in &made.lies {
        match lie {
            ZipLie::Damage(at, byte) => {
                let at = usize::from(*at) % bytes.len().max(1);
                if let Some(place) = bytes.get_mut(at) {
                    *place = *byte;
                }
            }
            ZipLie::Cut(length) => bytes.truncate(usize::from(*length)),
            _ => {}
        }
    }
    let total: usize = expected.values().map(Vec::len).sum();
    let fits = total <= 256 * 1024 && expected.len() <= 8;
    match unpack(&bytes) {
        Ok((_, files)) if honest => assert_eq!(files, expected),
        Ok(_) => assert!(!must_fail, "bytes are passed over"),
        Err(error) => assert!(!(honest && fits), "{error}"),
    }
});
