//! What may have been published passes, and each single thing that makes it something else is refused.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::archive::manifest::{Bounds, Confirmed, Supersedes, Zip};
use crate::archive::publish::tests::{manifest, span};
use crate::archive::store::Store;
use crate::domain::job::JobName;
use crate::domain::window::{Window, Zone};

const HOUR: i64 = 3_600_000;

/// A folder and what lies in it.
#[derive(Clone, Debug)]
struct Held {
    folder: String,
    manifest: Manifest,
}

impl Held {
    fn of(manifest: Manifest) -> Self {
        let job = JobName::parse("shop").unwrap();
        let window = Window::of(manifest.window.span().unwrap());
        let mut folder = Store::folder(&job, window, &Zone::utc());
        if let Some(before) = &manifest.supersedes {
            folder = FolderName::of_next_revision(&before.folder).unwrap();
        }
        Self { folder, manifest }
    }

    fn check(&self) -> Result<(), Unfit> {
        let claim = Claim {
            job: "shop",
            project_id: Some(1),
            folder: &self.folder,
        };
        check(&self.manifest, claim)
    }

    /// Asserts that it is refused, and why.
    #[track_caller]
    fn is_refused(&self, why: &str) {
        let refused = self.check().expect_err(why).to_string();
        assert!(
            refused.contains(why),
            "{refused:?} does not say {why:?}: {self:#?}"
        );
    }
}

/// A file of a part, with its records and whether their times can be read.
fn file(path: String, part: Span, records: Option<u64>, timed: bool) -> DataFile {
    let is_empty = records == Some(0);
    let data = path.clone();
    let at = Some(part.from()).filter(|_| timed && !is_empty);
    DataFile {
        bytes: if is_empty { 0 } else { data.len() as u64 },
        sha256: Digest::of(if is_empty { b"" } else { data.as_bytes() }),
        path,
        records,
        first_ms: at,
        last_ms: at.map(|_| part.to().minus(Millis(1))),
    }
}

/// A part's length in ms, its status, the records of its files, whether it can be counted as a whole
/// and whether times can be read.
type Shape = (i64, Status, Vec<Option<u64>>, bool, bool);

fn shape() -> impl Strategy<Value = Shape> {
    let status = prop_oneof![
        4 => Just(Status::Complete),
        1 => Just(Status::Unproven),
        1 => Just(Status::Truncated)
    ];
    let records = prop::option::weighted(0.9, 0u64..3000);
    let files = prop::collection::vec(records, 0..4);
    (1i64..2 * HOUR, status, files, any::<bool>(), any::<bool>())
}

/// What may be published, of any number of parts.
fn published() -> impl Strategy<Value = Held> {
    let parts = prop::collection::vec(shape(), 1..6);
    (parts, 1u32..4, any::<bool>()).prop_map(|(shapes, revision, has_digest)| {
        let mut parts = Vec::new();
        let mut at = UtcMs(1_795_132_800_000);
        let from = at;
        for (length, status, records, countable, timed) in shapes {
            let part = Span::new(at, at.plus(Millis(length))).unwrap();
            let number = parts.len() + 1;
            let files: Vec<DataFile> = records
                .iter()
                .enumerate()
                .map(|(page, &records)| {
                    let path = format!("part-{number:04}/logs-{page}.json");
                    file(path, part, records, timed)
                })
                .collect();
            let total = sum(files.iter().map(|file| file.records));
            let records = total.filter(|_| countable || status == Status::Complete);
            let status = match records {
                None => Status::Unproven,
                Some(_) => status,
            };
            parts.push(Part {
                from_ms: part.from(),
                to_ms: part.to(),
                status,
                records,
                attempts: 1,
                received_at: part.to().to_string(),
                zip: Zip {
                    bytes: 22,
                    sha256: Digest::of(b"zip"),
                    // Both stores may lie in one archive.
                    path: (length % 2 == 0).then(|| zip_of_part(number)),
                },
                files,
            });
            at = part.to();
        }
        let window = Span::new(from, at).unwrap();
        let mut manifest = manifest(window, None);
        manifest.status = parts.iter().map(|part| part.status).max().unwrap();
        manifest.records = sum(parts.iter().map(|part| part.records));
        manifest.parts = parts;
        let digest = manifest.records.filter(|_| has_digest).map(|records| {
            let mut digest = RecordsDigest::default();
            (0..records).for_each(|_| digest.add(7));
            digest
        });
        manifest.records_digest = digest;
        let mut held = Held::of(manifest);
        for _ in 1..revision {
            held.manifest.supersedes = Some(Box::new(supersedes(&held.folder)));
            held = Held::of(held.manifest);
        }
        held
    })
}

fn supersedes(folder: &str) -> Supersedes {
    Supersedes {
        folder: folder.into(),
        manifest_sha256: Digest::of(b"before"),
        status: Status::Complete,
        records: Some(1),
        bytes: 9,
        confirmed: None,
        asked_ms: UtcMs(1),
        found_ms: UtcMs(2),
        missing: false,
    }
}

/// What makes a window another one, or none: what is done to it, and what is said then. `None` where
/// there is nothing to do it to. `at` chooses the part and the file.
type Mutation = (fn(&mut Held, usize) -> Option<()>, &'static str);

fn part(held: &mut Held, at: usize) -> &mut Part {
    let parts = held.manifest.parts.len();
    &mut held.manifest.parts[at % parts]
}

fn any_file(held: &mut Held, at: usize) -> Option<&mut DataFile> {
    let part = part(held, at);
    let files = part.files.len();
    part.files.get_mut(at.checked_rem(files)?)
}

const MUTATIONS: &[Mutation] = &[
    (
        |held, at| {
            let path = part(held, at).zip.path.as_mut()?;
            *path = path.replace("part-", "part-1");
            Some(())
        },
        "it is not what the zip of its part is called",
    ),
    (
        |held, at| {
            let path = part(held, at).zip.path.as_mut()?;
            path.insert_str(0, "../");
            Some(())
        },
        "it is not what the zip of its part is called",
    ),
    (
        |held, at| {
            let zip = &mut part(held, at).zip;
            zip.path.as_ref()?;
            zip.bytes = 0;
            Some(())
        },
        "its length and its digest don't agree",
    ),
    (
        |held, _| {
            held.manifest.job = "other".into();
            Some(())
        },
        "it is of the job other",
    ),
    (
        |held, _| {
            held.folder = held.folder.replacen("shop/", "other/", 1);
            Some(())
        },
        "it is of the job shop",
    ),
    (
        |held, _| {
            held.manifest.project_id = 2;
            Some(())
        },
        "of the project 2, and the job's is 1",
    ),
    (
        |held, _| {
            let to = held.manifest.window.to_ms.plus(Millis(1));
            let longer = Span::new(held.manifest.window.from_ms, to)?;
            held.manifest.window = Bounds::of(longer, &Zone::utc());
            Some(())
        },
        "its manifest is another window's",
    ),
    (
        |held, _| {
            held.folder += match held.folder.contains(".r") {
                true => "9",
                false => ".r2",
            };
            Some(())
        },
        "it is revision",
    ),
    (
        |held, _| {
            held.folder = held.folder.replace("2026-11-20/", "2026-11-21/");
            Some(())
        },
        "not its date's",
    ),
    (
        |held, _| {
            let before = &mut held.manifest.supersedes.as_mut()?.folder;
            *before = before.replace("20261120T", "20261119T");
            Some(())
        },
        "not the revision before it",
    ),
    (
        |held, _| {
            held.manifest.parts.clear();
            held.manifest.status = Status::Complete;
            Some(())
        },
        "it has none",
    ),
    (
        |held, at| {
            let at = at % held.manifest.parts.len();
            if held.manifest.parts.len() > 1 {
                held.manifest.parts.remove(at);
                return Some(());
            }
            None
        },
        "don't make up its window",
    ),
    (
        |held, at| {
            let part = part(held, at);
            part.to_ms = part.to_ms.plus(Millis(1));
            Some(())
        },
        "don't make up its window",
    ),
    (
        |held, at| {
            let part = part(held, at);
            part.from_ms = part.from_ms.minus(Millis(1));
            Some(())
        },
        "don't make up its window",
    ),
    (
        |held, at| {
            let again = part(held, at).clone();
            held.manifest.parts.push(again);
            Some(())
        },
        "don't make up its window",
    ),
    (
        |held, at| {
            *part(held, at).records.as_mut()? += 1;
            Some(())
        },
        "its files together have others",
    ),
    (
        |held, at| {
            part(held, at).records?;
            *any_file(held, at)?.records.as_mut().filter(|n| **n > 0)? += 1;
            Some(())
        },
        "its files together have others",
    ),
    (
        |held, at| {
            part(held, at).records?;
            any_file(held, at)?.records.take()?;
            Some(())
        },
        "its files together have others",
    ),
    (
        |held, _| {
            *held.manifest.records.as_mut()? += 977;
            Some(())
        },
        "its parts together have",
    ),
    (
        |held, _| {
            held.manifest.records.take()?;
            Some(())
        },
        "its parts together have",
    ),
    (
        |held, at| {
            let part = part(held, at);
            (part.status == Status::Complete).then_some(())?;
            part.records = None;
            Some(())
        },
        "can't be counted",
    ),
    (
        |held, _| {
            held.manifest.status = match held.manifest.status {
                Status::Complete => Status::Truncated,
                Status::Unproven | Status::Truncated => Status::Complete,
            };
            Some(())
        },
        "that of the worst part",
    ),
    (
        |held, at| {
            let path = &mut any_file(held, at)?.path;
            *path = path.replace("part-", "part-1");
            Some(())
        },
        "it lies outside part-0",
    ),
    (
        |held, at| {
            let path = &mut any_file(held, at)?.path;
            *path = path.replace("logs", "../logs");
            Some(())
        },
        "it lies outside part-0",
    ),
    (
        |held, at| {
            let first = any_file(held, at)?.clone();
            let part = part(held, at);
            part.records = part.records.zip(first.records).map(|(a, b)| a + b);
            part.files.push(first);
            Some(())
        },
        "it comes twice",
    ),
    (
        |held, at| {
            any_file(held, at)?.sha256 = match any_file(held, at)?.bytes {
                0 => Digest::of(b"something"),
                _ => Digest::of(b""),
            };
            Some(())
        },
        "its length and its digest",
    ),
    (
        |held, at| {
            any_file(held, at)?.first_ms.take()?;
            Some(())
        },
        "its first and its last time",
    ),
    (
        |held, at| {
            (part(held, at).status == Status::Complete).then_some(())?;
            let file = any_file(held, at)?;
            file.first_ms = Some(file.first_ms?.minus(COARSEST));
            Some(())
        },
        "it holds a record of",
    ),
    (
        |held, at| {
            (part(held, at).status == Status::Complete).then_some(())?;
            let file = any_file(held, at)?;
            file.last_ms = Some(file.last_ms?.plus(Millis(1)));
            Some(())
        },
        "it holds a record of",
    ),
    (
        |held, _| {
            match held.manifest.records {
                Some(0) => {
                    let mut digest = RecordsDigest::default();
                    digest.add(1);
                    held.manifest.records_digest = Some(digest);
                }
                None => held.manifest.records_digest = Some(RecordsDigest::default()),
                Some(_) => return None,
            }
            Some(())
        },
        "none that were counted",
    ),
];

proptest! {
    /// Guarantee: Exactly once
    #[test]
    fn what_may_be_published_is_taken_for_what_it_is(held in published()) {
        prop_assert_eq!(held.check(), Ok(()), "{:#?}", held);
    }

    /// Guarantee: Exactly once
    #[test]
    fn whatever_makes_it_something_else_is_refused_and_said(held in published(), at in 0usize..64) {
        for (mutate, why) in MUTATIONS {
            let mut other = held.clone();
            if mutate(&mut other, at).is_some() {
                other.is_refused(why);
            }
        }
    }
}

#[test]
fn a_window_that_the_service_refuses_needs_no_part_where_search_or_a_day_vouches_for_it() {
    let mut held = Held::of(manifest(span(0, HOUR), None));
    held.manifest.parts.clear();
    held.manifest.records = Some(0);
    held.is_refused("it has none");
    held.manifest.confirmed = Some(Confirmed::agreed(Way::Search, "now".into(), Vec::new()));
    assert_eq!(held.check(), Ok(()));
    held.manifest.records = Some(977);
    held.is_refused("it has none");
    held.manifest.confirmed = Some(Confirmed::not("it was refused for a day".into()));
    (held.manifest.status, held.manifest.records) = (Status::Unproven, None);
    assert_eq!(held.check(), Ok(()));
}

#[test]
fn a_record_of_a_whole_second_may_begin_before_its_part() {
    let mut held = Held::of(manifest(span(999, HOUR), None));
    let file = &mut held.manifest.parts[0].files[0];
    (file.first_ms, file.last_ms) = (Some(UtcMs(0)), Some(UtcMs(0)));
    assert_eq!(held.check(), Ok(()));
}

#[test]
fn of_a_copy_only_what_its_path_says_is_compared() {
    let held = Held::of(manifest(span(0, HOUR), None));
    let (above, name) = held.folder.rsplit_once('/').unwrap();
    let date = above.rsplit('/').next().unwrap();
    let dated = format!("{date}/{name}");
    let deeper = format!("backup/{}", held.folder);
    for folder in ["", "renamed", name, &dated, &held.folder, &deeper] {
        let claim = Claim {
            job: "shop",
            project_id: None,
            folder,
        };
        assert_eq!(check(&held.manifest, claim), Ok(()), "{folder}");
    }
}

/// Guarantee: Evident
#[test]
fn what_earlier_versions_have_published_passes() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    let mut below: Vec<PathBuf> = vec![data.into()];
    let mut seen = 0;
    while let Some(at) = below.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below.push(path);
            } else if path.ends_with("manifest.json") {
                let manifest = Manifest::parse(&fs::read(&path).unwrap()).unwrap();
                let folder = at.to_str().unwrap();
                let claim = Claim {
                    job: &manifest.job,
                    project_id: Some(16_706),
                    folder,
                };
                assert_eq!(check(&manifest, claim), Ok(()), "{folder}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 33, "{seen}");
}
