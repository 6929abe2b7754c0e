//! Zips that contradict themselves, and floods.

use super::cases::{Ground, Group, refused, refused_bytes};
use super::forge::{DESCRIPTOR, ENCRYPTED, Entry, Header, Zip, extra};

impl Ground {
    /// Directories and headers that contradict each other or themselves.
    pub fn lies(&self) -> Group {
        let differs = |name, why, change: fn(&mut Header)| {
            refused(name, why, Zip::of([self.file("a.json").central(change)]))
        };
        let coloured = self
            .file("\x1b[31ma.json")
            .central(|header| header.flags |= ENCRYPTED);
        let same = Entry {
            at: Some(0),
            unwritten: true,
            ..self.file("b.json")
        };
        // A stored file whose content is an entry, which the directory lists too.
        let inner = Zip::of([self.file("inner.json")]).bytes();
        let outer = Entry::stored("outer.bin", &inner);
        let within = Entry {
            at: Some(30 + "outer.bin".len() as u64),
            unwritten: true,
            ..self.file("inner.json")
        };
        let hidden = Entry {
            unlisted: true,
            ..self.file("hidden.json")
        };
        let two = || Zip::of([self.file("a.json"), self.file("b.json")]);
        let whole = two().bytes();
        let announces = |entries, bytes| Zip {
            announces: Some((entries, bytes)),
            ..two()
        };
        let far = Entry {
            zip64: true,
            at: Some(u64::MAX - 100),
            ..self.file("a.json")
        };
        let mut without_record = Zip {
            zip64: true,
            ..two()
        }
        .bytes();
        let record = without_record.len() - 22 - 20 - 56;
        without_record[record] = b'Q';
        vec![
            refused(
                "two-names-for-one-entry",
                "overlap",
                Zip::of([self.file("a.json"), same]),
            ),
            refused(
                "an-entry-within-another",
                "overlap",
                Zip::of([outer, within]),
            ),
            differs("another-name-in-its-header", "filename mismatch", |h| {
                h.name = b"b.json".into()
            }),
            differs("another-size-in-its-header", "size mismatch", |h| {
                h.size += 1
            }),
            differs("another-length-in-its-header", "mismatch", |h| {
                h.packed -= 1
            }),
            differs("other-flags-in-its-header", "mismatch", |h| {
                h.flags |= ENCRYPTED
            }),
            differs("descriptor-in-the-directory-alone", "mismatch", |h| {
                h.flags |= DESCRIPTOR
            }),
            differs("another-method-in-its-header", "mismatch", |h| h.method = 0),
            refused(
                "a-method-that-nobody-knows",
                "compression",
                Zip::of([self.file("a.json").both(|h| h.method = 4711)]),
            ),
            differs("another-checksum-in-its-header", "mismatch", |h| h.crc ^= 1),
            refused(
                "escape-sequence-in-a-complaint",
                r"flag mismatch for '\u{1b}[31ma.json'",
                Zip::of([coloured]),
            ),
            refused(
                "an-entry-that-is-not-listed",
                "missing from central",
                Zip::of([self.file("a.json"), hidden]),
            ),
            refused(
                "wrong-checksum",
                "checksum",
                Zip::of([self.file("a.json").both(|h| h.crc ^= 1)]),
            ),
            refused_bytes(
                "cut-directory",
                "end is missing",
                whole[..whole.len() - 60].to_vec(),
            ),
            refused_bytes(
                "cut-end",
                "end is missing",
                whole[..whole.len() - 5].to_vec(),
            ),
            refused(
                "one-entry-too-many-announced",
                "Unexpected end",
                announces(3, 160),
            ),
            refused(
                "one-entry-too-few-announced",
                "local file header",
                announces(1, 52),
            ),
            refused(
                "an-end-without-its-directory",
                "announces 2 entries",
                Zip {
                    after: whole[whole.len() - 22..].to_vec(),
                    ..Zip::default()
                },
            ),
            refused(
                "zip64-place-beyond-everything",
                "points outside",
                Zip::of([far]),
            ),
            refused_bytes("zip64-without-its-record", "end is missing", without_record),
        ]
    }

    /// What is too much: of bytes, of entries, of directory.
    pub fn floods(&self) -> Group {
        let zeros = vec![b' '; 40 << 20];
        let bomb = Entry::deflated("bomb.json", &zeros);
        let small = Entry::deflated("bomb.json", &zeros[..15 << 20]);
        let many = (0..4).map(|at| {
            let name = format!("bomb-{at}.json").into_bytes();
            small.clone().both(|header| header.name.clone_from(&name))
        });
        let sized = |name, why, size| {
            let entry = self.file("a.json").both(|header| header.size = size);
            refused(
                name,
                why,
                Zip::of([Entry {
                    zip64: true,
                    ..entry
                }]),
            )
        };
        let liar = bomb.clone().both(|header| header.size = 10);
        let length = self.log.len() as u64;
        let record = |extra_bytes: usize| {
            let entry = self
                .file("a")
                .central(|header| header.extra = extra(0xcafe, &vec![0; extra_bytes]));
            let directory = Zip::of([Entry {
                unwritten: true,
                ..entry
            }])
            .bytes();
            directory[..directory.len() - 22].to_vec()
        };
        // The directory alone: a reader must not get as far as to look for its entries.
        let directory = |records: usize, extra_bytes: usize, zip64: bool, announces| Zip {
            before: record(extra_bytes).repeat(records),
            announces: Some(announces),
            zip64,
            ..Zip::default()
        };
        let million = 1_000_000 * record(0).len() as u64;
        // Its directory begins where the zip begins.
        let placed = |zip: Zip| {
            let mut bytes = [b"PK\x03\x04".to_vec(), zip.bytes()].concat();
            let (end, start) = (bytes.len(), 4u32.to_le_bytes());
            bytes[end - 6..end - 2].copy_from_slice(&start);
            bytes
        };
        vec![
            refused("bomb-of-1000-to-1", "1000 times", Zip::of([bomb])),
            refused("many-small-bombs", "1000 times", Zip::of(many)),
            refused("bomb-that-declares-10-bytes", "declared", Zip::of([liar])),
            sized("declares-one-byte-more", "declares", length + 1),
            sized("declares-one-byte-less", "declared", length - 1),
            sized("declares-9-gib", "more bytes than are allowed", 9 << 30),
            sized(
                "declares-everything",
                "more bytes than are allowed",
                u64::MAX,
            ),
            refused_bytes(
                "a-million-entries",
                "1000000 entries",
                placed(directory(1_000_000, 0, true, (1_000_000, million))),
            ),
            refused_bytes(
                "a-million-entries-counted-round",
                "a directory of 48 MiB",
                placed(directory(1_000_000, 0, false, (16_960, million))),
            ),
            refused_bytes(
                "a-directory-longer-than-announced",
                "directory is too long",
                placed(directory(100, 65_000, false, (100, 4_600))),
            ),
            refused_bytes(
                "a-directory-of-exabytes",
                "directory of",
                placed(directory(1, 0, true, (1, u64::MAX))),
            ),
            refused_bytes(
                "entries-beyond-counting",
                "entries",
                placed(directory(1, 0, true, (u64::MAX, 46))),
            ),
        ]
    }
}
