//! Folders that are published but that the ledger lacks: after a crash between the two, or after
//! the ledger was lost. Carries *Self-healing* and *Exactly once*: a folder that continues the
//! job's chain is adopted, any other folder that the ledger lacks blocks its span.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;

use super::manifest::{MANIFEST, Manifest};
use super::publish::Published;
use super::store::Store;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::job::Job;
use crate::domain::window::{Named, Window};
use crate::durable::{DiskError, Step};

/// What was found of one job.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Folders that continue the chain, in its order.
    pub adopted: Vec<Published>,
    /// Folders that do not continue it, each with the reason.
    pub unrecorded: Vec<UnrecordedFolder>,
}

/// A folder that the ledger lacks and that can't be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnrecordedFolder {
    /// The window that its name says.
    pub window: Window,
    /// Relative to the root.
    pub folder: String,
    /// Why it can't be adopted.
    pub why: String,
}

struct Candidate {
    named: Named,
    folder: String,
    manifest: Manifest,
    sha256: Digest,
}

/// What the ledger knows already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The spans archived.
    pub coverage: &'a Coverage,
    /// The newest revision of each window that was published anew, or whose folder is missing.
    pub revisions: &'a BTreeMap<Window, u32>,
    /// The end of its chain.
    pub last_manifest: Option<Digest>,
}

impl Known<'_> {
    fn has(&self, named: Named) -> bool {
        // Of a window whose folder is missing too: what is there of it was recorded once.
        match self.revisions.get(&named.window) {
            Some(&recorded) => named.revision <= recorded,
            None => named.revision == 1 && self.coverage.covers(named.window.span()),
        }
    }
}

/// Looks for folders of `job` that the ledger lacks.
///
/// # Errors
/// When the archive can't be listed, or an adopted folder's name can't be made durable.
pub(crate) fn adopt(store: &Store, job: &Job, known: Known<'_>) -> Result<Found, DiskError> {
    let listing = store.root().join(job.name.as_str());
    let published = store
        .disk()
        .step(Step::ListArchive, &listing, || store.published(&job.name))?;
    let mut found = Found::default();
    let mut by_previous: HashMap<Option<Digest>, Candidate> = HashMap::new();
    for (named, folder) in published {
        if known.has(named) {
            continue;
        }
        let window = named.window;
        let unrecorded = |folder, why| UnrecordedFolder {
            window,
            folder,
            why,
        };
        match read(store, &folder, job, named)? {
            Err(why) => found.unrecorded.push(unrecorded(folder, why)),
            Ok((manifest, sha256)) => {
                let previous = manifest.previous;
                let candidate = Candidate {
                    named,
                    folder,
                    manifest,
                    sha256,
                };
                if let Some(rival) = by_previous.insert(previous, candidate) {
                    let why = "another folder follows the same manifest".into();
                    found.unrecorded.push(UnrecordedFolder {
                        window: rival.named.window,
                        folder: rival.folder,
                        why,
                    });
                }
            }
        }
    }
    let mut covered = known.coverage.clone();
    let mut end = known.last_manifest;
    if end.is_none() && known.coverage.end().is_none() && !by_previous.contains_key(&None) {
        // No ledger, and the oldest folders were taken away: the chain begins at the one whose
        // predecessor is gone, when there is only one such.
        let known: HashSet<Digest> = by_previous.values().map(|known| known.sha256).collect();
        let mut heads = by_previous
            .keys()
            .filter(|previous| previous.is_some_and(|previous| !known.contains(&previous)));
        if let (Some(&head), None) = (heads.next(), heads.next()) {
            end = head;
        }
    }
    while let Some(next) = by_previous.remove(&end) {
        let window = next.named.window;
        let span = window.span();
        // A revision of a window whose first folder was taken away is all there is of it.
        let anew = covered.missing_in(span) == [span];
        let revises = next.named.revision > 1 && covered.covers(span);
        if !anew && !revises {
            by_previous.insert(end, next);
            break;
        }
        covered.add(span);
        end = Some(next.sha256);
        let Candidate {
            folder,
            manifest,
            sha256,
            ..
        } = next;
        found.adopted.push(Published::adopted(
            store, folder, window, &manifest, sha256, anew,
        )?);
    }
    found
        .unrecorded
        .extend(by_previous.into_values().map(|left| UnrecordedFolder {
            window: left.named.window,
            folder: left.folder,
            why: "it does not continue the chain of manifests where the ledger ends".into(),
        }));
    found.unrecorded.sort_by_key(|folder| folder.window);
    Ok(found)
}

/// Reads a folder's manifest and checks what can be checked without reading the data; within, why
/// the folder can't be adopted.
///
/// # Errors
/// When the disk fails in a way that may pass. Such a folder must not be left out: the job
/// would go on without it, and its chain would never include it.
fn read(
    store: &Store,
    folder: &str,
    job: &Job,
    named: Named,
) -> Result<Result<(Manifest, Digest), String>, DiskError> {
    let disk = store.disk();
    let path = store.root().join(folder);
    let place = path.join(MANIFEST);
    let json = match disk.step(Step::ReadPublished, &place, || {
        super::plain_file::read(&place)
    }) {
        Ok(json) => json,
        Err(error) if may_pass(&error.source) => return Err(error),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            return Ok(Err(format!("it has no {MANIFEST}")));
        }
        Err(error) => {
            return Ok(Err(format!(
                "its {MANIFEST} can't be read: {}",
                error.source
            )));
        }
    };
    let manifest = match Manifest::parse(&json) {
        Ok(manifest) => manifest,
        Err(why) => return Ok(Err(format!("its {MANIFEST}: {why}"))),
    };
    if manifest.job != job.name.as_str()
        || manifest.window.span() != Some(named.window.span())
        || manifest.revision() != Some(named.revision)
    {
        return Ok(Err(format!("its {MANIFEST} is another window's")));
    }
    for file in manifest.files() {
        if !super::entry_name::is_safe(&file.path) {
            return Ok(Err(format!(
                "its {MANIFEST} names files outside the folder"
            )));
        }
        let place = path.join(&file.path);
        let looked = || fs::symlink_metadata(&place);
        match disk.step(Step::ReadPublished, &place, looked) {
            Ok(found) if found.is_file() && found.len() == file.bytes => {}
            Err(error) if may_pass(&error.source) => return Err(error),
            _ => {
                return Ok(Err(format!(
                    "{} is missing or has another length",
                    file.path
                )));
            }
        }
    }
    Ok(Ok((manifest, Digest::of(&json))))
}

/// Whether an error says nothing about the folder, only that it could not be read now: any error
/// except that something is missing, has an impossible name, or is neither folder nor plain file.
fn may_pass(error: &io::Error) -> bool {
    use rustix::io::Errno;
    // An error without a system's number is our own verdict.
    Errno::from_io_error(error).is_some_and(|errno| {
        !matches!(
            errno,
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO
        )
    })
}
