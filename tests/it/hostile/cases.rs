//! Zips by name, and what has to happen to each: hostile ones are refused, odd ones read.

use super::forge::{ENCRYPTED, Entry, Header, UTF_8, Zip, extra};

/// What has to happen to a zip.
pub enum Fate {
    /// It is refused for a reason that says this.
    Refused(&'static str),
    /// Exactly these files come out of it.
    Read(Vec<(String, Vec<u8>)>),
}

/// A zip with a name, which is its job's too.
pub struct Case {
    pub name: String,
    pub zip: Vec<u8>,
    pub fate: Fate,
}

/// What cases are made from.
pub struct Ground {
    /// A file's content: one record of the window that is asked for.
    pub log: Vec<u8>,
    /// A file that is none of the program's business, by its whole path.
    pub canary: String,
}

/// A group of cases, small enough for one quarantine.
pub type Group = Vec<Case>;

pub fn refused(name: &str, why: &'static str, zip: Zip) -> Case {
    refused_bytes(name, why, zip.bytes())
}

pub fn refused_bytes(name: &str, why: &'static str, zip: Vec<u8>) -> Case {
    Case {
        name: name.to_owned(),
        zip,
        fate: Fate::Refused(why),
    }
}

impl Ground {
    pub fn file(&self, name: impl AsRef<[u8]>) -> Entry {
        Entry::deflated(name, &self.log)
    }

    fn named(&self, name: &str, why: &'static str, raw: impl AsRef<[u8]>) -> Case {
        refused(
            name,
            why,
            Zip::of([self.file("first.json"), self.file(raw)]),
        )
    }

    fn both(&self, name: &str, why: &'static str, names: [&str; 2]) -> Case {
        refused(name, why, Zip::of(names.map(|name| self.file(name))))
    }

    /// Names that lead elsewhere, or that some system reads in another way.
    pub fn names(&self) -> Group {
        let up = "../".repeat(5);
        vec![
            self.named("absolute-name", "absolute", &self.canary),
            self.named("dots", "'.' or '..'", format!("{up}canary")),
            self.named("dots-inside", "'.' or '..'", format!("a/../{up}canary")),
            self.named("dot", "'.' or '..'", "./canary"),
            self.named("backslashes", "backslash", "..\\..\\..\\..\\..\\canary"),
            self.named("drive-letter", "absolute", "C:/canary"),
            self.named("drive-letter-alone", "absolute", "c:canary"),
            self.named("share", "backslash", "\\\\host\\share\\canary"),
            self.named("nul", "control", "logs\0.json"),
            self.named("newline", "control", "logs\n.json"),
            self.named("escape-sequence", "control", "\x1b[31mlogs.json"),
            self.named("turned-text", "invisible", "logs\u{202e}nosj.exe"),
            self.named("component-of-256-bytes", "too long", "x".repeat(256)),
            self.named(
                "name-of-1040-bytes",
                "too long",
                "abcdefghijkl/".repeat(80) + "x",
            ),
            self.named("name-of-64-kib", "too long", "y".repeat(65_535)),
            self.named("nine-folders", "too many folders", "d/".repeat(9) + "x"),
            self.named("no-name", "empty", ""),
            self.named("empty-component", "empty", "a//b"),
            self.named("not-utf-8", "UTF-8", b"logs\xff.json"),
        ]
    }

    /// Names that meet, and entries that are no files.
    pub fn kinds(&self) -> Group {
        let kind = |name, why, mode| {
            let target = self.canary.as_bytes();
            let entry = Entry::stored("canary", target).of_mode(mode);
            refused(name, why, Zip::of([entry]))
        };
        let flagged = |name, why, flags, method| {
            let change = |header: &mut Header| {
                header.flags |= flags;
                header.method = method;
            };
            refused(name, why, Zip::of([self.file("a.json").both(change)]))
        };
        let mut elsewhere = Entry::stored("canary", b"..").of_mode(0o120_777);
        elsewhere.system = 19;
        let through = [
            Entry::stored("up", self.canary.as_bytes()).of_mode(0o120_777),
            self.file("up/canary"),
        ];
        let folder = |name| Entry::stored(name, b"").of_mode(0o040_755);
        let full = Entry::stored("folder/", &self.log).of_mode(0o040_755);
        vec![
            self.both("one-name-twice", "one name", ["a.json", "a.json"]),
            self.both(
                "names-in-other-case",
                "comes twice",
                ["Log.json", "lOG.json"],
            ),
            self.both(
                "names-in-other-normal-form",
                "comes twice",
                ["로그", "\u{1105}\u{1169}\u{1100}\u{1173}"],
            ),
            self.both("names-with-other-accents", "comes twice", ["é", "e\u{301}"]),
            self.both("file-then-folder", "a file's and a folder's", ["a", "a/b"]),
            self.both("folder-then-file", "a file's and a folder's", ["a/b", "a"]),
            refused(
                "file-and-empty-folder",
                "a file's and a folder's",
                Zip::of([self.file("a"), folder("A/")]),
            ),
            kind("symlink", "no plain file", 0o120_777),
            refused(
                "symlink-of-another-system",
                "no plain file",
                Zip::of([elsewhere]),
            ),
            refused("file-through-a-symlink", "no plain file", Zip::of(through)),
            kind("character-device", "no plain file", 0o020_666),
            kind("block-device", "no plain file", 0o060_660),
            kind("pipe", "no plain file", 0o010_644),
            kind("socket", "no plain file", 0o140_755),
            kind("folder-by-mode-alone", "no plain file", 0o040_755),
            refused("folder-with-content", "content", Zip::of([full])),
            flagged("encrypted", "encrypted", ENCRYPTED, 8),
            flagged("encrypted-strongly", "encrypted", ENCRYPTED | 1 << 6, 8),
            flagged("encrypted-by-aes", "encrypted", ENCRYPTED, 99),
            flagged("method-bzip2", "compression", 0, 12),
        ]
    }

    /// Bytes that belong to no part of the zip, in each place where there can be some.
    pub fn foreign(&self) -> Group {
        let error = br#"{"error":{"errorCode":"900","message":"it broke"}}"#;
        let zip = |name: &str, why, change: &dyn Fn(&mut Zip)| {
            let mut zip = Zip::of([self.file("a.json"), self.file("b.json").streamed()]);
            change(&mut zip);
            refused(name, why, zip)
        };
        let behind =
            |index: usize| move |zip: &mut Zip| zip.entries[index].descriptor.extend(error);
        vec![
            zip("bytes-before", "before its first entry", &|zip| {
                zip.before = error.to_vec();
            }),
            zip("bytes-before-zip64", "before its first entry", &|zip| {
                zip.before = error.to_vec();
                zip.zip64 = true;
            }),
            zip("bytes-between-entries", "between its entries", &behind(0)),
            zip("bytes-behind-a-descriptor", "its last entry", &behind(1)),
            zip("bytes-behind-what-is-deflated", "behind its end", &|zip| {
                let entry = &mut zip.entries[0];
                entry.data.extend(error);
                entry.local.packed = entry.data.len() as u64;
                entry.central.packed = entry.local.packed;
            }),
            zip("bytes-before-the-directory", "and its directory", &|zip| {
                zip.entries.reverse();
                zip.before_directory = error.to_vec();
            }),
            zip(
                "bytes-before-the-end",
                "its directory and its end",
                &|zip| {
                    zip.before_end = error.to_vec();
                },
            ),
            zip("bytes-after", "after its end", &|zip| {
                zip.after = error.to_vec();
            }),
            zip(
                "a-line-break-after-a-comment",
                "none of its parts",
                &|zip| {
                    zip.comment = b"made on a Sunday".to_vec();
                    zip.after = b"\r\n".to_vec();
                },
            ),
            zip("bytes-are-quoted", "':'it broke'", &|zip| {
                zip.before = error.to_vec();
                zip.after = error.to_vec();
            }),
            refused(
                "bytes-before-the-end-of-an-empty-zip",
                "before its end",
                Zip {
                    before: error.to_vec(),
                    ..Zip::default()
                },
            ),
        ]
    }

    /// What is odd, and a zip all the same.
    pub fn odd(&self) -> Group {
        let read = |name: &str, zip: Zip, files: &[(&str, &[u8])]| Case {
            name: name.to_owned(),
            zip: zip.bytes(),
            fate: Fate::Read(
                files
                    .iter()
                    .map(|(name, content)| ((*name).to_owned(), content.to_vec()))
                    .collect(),
            ),
        };
        let log = &self.log[..];
        let one = |name: &str, entry: Entry| read(name, Zip::of([entry]), &[("a.json", log)]);
        let zip = |change: fn(&mut Zip)| {
            let mut zip = Zip::of([self.file("a.json")]);
            change(&mut zip);
            zip
        };
        let a = || self.file("a.json");
        let hard_link = [&[0; 12][..], self.canary.as_bytes()].concat();
        let inner = Zip::of([Entry::deflated("bomb.json", &vec![b' '; 4 << 20])]).bytes();
        let with_extra = |field: Vec<u8>| a().both(|header| header.extra.clone_from(&field));
        vec![
            read(
                "a-comment",
                zip(|zip| zip.comment = b"made on a Sunday".to_vec()),
                &[("a.json", log)],
            ),
            read(
                "zip64-throughout",
                Zip {
                    zip64: true,
                    ..Zip::of([Entry { zip64: true, ..a() }])
                },
                &[("a.json", log)],
            ),
            one("zip64-in-an-entry-alone", Entry { zip64: true, ..a() }),
            one("sizes-after-the-data", a().streamed()),
            one("sizes-after-the-data-without-a-mark", {
                let streamed = a().streamed();
                let descriptor = streamed.descriptor[4..].to_vec();
                Entry {
                    descriptor,
                    ..streamed
                }
            }),
            one(
                "sizes-after-stored-data",
                Entry::stored("a.json", log).streamed(),
            ),
            read(
                "a-file-of-no-bytes",
                Zip::of([a(), Entry::stored("empty.json", b"")]),
                &[("a.json", log), ("empty.json", b"")],
            ),
            read(
                "folders-of-their-own",
                Zip::of([
                    Entry::stored("deep/", b"").of_mode(0o040_755),
                    self.file("deep/er/a.json"),
                ]),
                &[("deep/er/a.json", log)],
            ),
            read("no-entries", Zip::default(), &[]),
            read(
                "a-korean-name",
                Zip::of([self.file("로그.json")]),
                &[("로그.json", log)],
            ),
            one(
                "a-name-without-the-utf-8-flag",
                a().both(|header| header.flags &= !UTF_8),
            ),
            one(
                "no-mode-bits",
                Entry {
                    system: 0,
                    mode: 0,
                    ..a()
                },
            ),
            one("a-setuid-file", a().of_mode(0o104_755)),
            one(
                "a-hard-link-by-extra-field",
                with_extra(extra(0x000d, &hard_link)),
            ),
            one(
                "an-unknown-extra-field",
                with_extra(extra(0xcafe, b"whatever")),
            ),
            read(
                "a-zip-within",
                Zip::of([Entry::stored("inner.zip", &inner)]),
                &[("inner.zip", &inner)],
            ),
        ]
    }
}
