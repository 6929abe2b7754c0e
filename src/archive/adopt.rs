//! Folders that are published but that the ledger lacks: after a crash between the two, or after
//! the ledger was lost. Carries *Self-healing* and *Exactly once*: a folder that can be what it is called
//! is adopted, also behind a hole; any other folder that the ledger lacks blocks its span.

use std::collections::{BTreeMap, HashSet};
use std::io;

use rustix::io::Errno;

use super::fits::{self, Claim};
use super::manifest::{ChainBreak, MANIFEST, Manifest};
use super::plain_file::MOST_TEXT;
use super::prune::{self, PRUNED_SUMS};
use super::publish::{Archived, Published, SUMS, sums};
use super::storage::{self, Storage as _, below};
use super::store::Store;
use crate::digest::Digest;
use crate::domain::coverage::Coverage;
use crate::domain::job::JobName;
use crate::domain::span::UtcMs;
use crate::domain::window::{Named, Window};
use crate::durable::{DiskError, Step};
use succession::{Candidate, Order, order};

mod succession;

/// A crash leaves a group of folders that the ledger lacks, at most so many. Of no more than so many every byte is read. Of a lost
/// ledger's, which may be those of ten years, lengths and sums are compared: `verify` proves the rest.
pub(crate) const FEW: usize = 8;

/// What was found of one job.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Folders that are taken over, in the order in which they are to be recorded.
    pub adopted: Vec<Adopted>,
    /// Folders that can't be, each with the reason.
    pub unrecorded: Vec<UnrecordedFolder>,
}

/// A folder that is taken over.
#[derive(Debug)]
pub(crate) struct Adopted {
    /// The folder.
    pub published: Published,
    /// The chain's break before it, if there is one.
    pub breaks: Option<ChainBreak>,
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

/// Looks for folders of `job` that the ledger lacks. `project_id` is `None` where nobody knows it.
///
/// # Errors
/// When the archive can't be listed, a folder can't be read just now, or an adopted folder's name can't be
/// made durable.
pub(crate) fn adopt(
    store: &Store,
    job: &JobName,
    project_id: Option<i64>,
    known: Known<'_>,
) -> Result<Found, DiskError> {
    let listing = store.storage().place(job.as_str());
    let published = store
        .disk()
        .step(Step::ListArchive, &listing, || store.published(job))?;
    let mut found = Found::default();
    let (mut candidates, mut recorded) = (Vec::new(), HashSet::new());
    for (named, folder) in published {
        if known.has(named) {
            recorded.insert(named.window);
            continue;
        }
        match candidate(store, &folder, (job, project_id), named)? {
            Ok(candidate) => candidates.push(candidate),
            Err(why) => found.leave(named.window, folder, why),
        }
    }
    let is_few = candidates.len() <= FEW;
    let mut proven = HashSet::new();
    let Order { taken, left } = loop {
        let order = order(&candidates, known, &recorded);
        let taken = order.taken.iter().map(|taken| taken.candidate);
        match first_changed(store, &candidates, taken.filter(|_| is_few), &mut proven)? {
            None => break order,
            Some((changed, why)) => {
                let Archived { window, folder, .. } = candidates.remove(changed).archived;
                found.leave(window, folder, why);
            }
        }
    };
    for next in left {
        let Archived { window, folder, .. } = candidates[next].archived.clone();
        let why = "another folder that is archived holds instants of its window";
        found.leave(window, folder, why.into());
    }
    for next in taken {
        let Candidate {
            archived, previous, ..
        } = &candidates[next.candidate];
        let breaks = next.breaks.then_some(ChainBreak {
            from_ms: archived.window.from(),
            to_ms: archived.window.to(),
            manifest_sha256: archived.manifest_sha256,
            previous: *previous,
        });
        let mut archived = archived.clone();
        let replaces = next.replaces.map(|before| &candidates[before].archived);
        if let (Some(before), Some(replaces)) = (&mut archived.supersedes, replaces) {
            before.is(replaces);
        }
        let published = Published::adopted(store, archived, next.anew)?;
        found.adopted.push(Adopted { published, breaks });
    }
    found.unrecorded.sort_by_key(|folder| folder.window);
    Ok(found)
}

impl Found {
    fn leave(&mut self, window: Window, folder: String, why: String) {
        self.unrecorded.push(UnrecordedFolder {
            window,
            folder,
            why,
        });
    }
}

/// Reads a folder's manifest and checks what can be checked without reading the data; within, why
/// the folder can't be adopted.
///
/// # Errors
/// When the disk fails in a way that may pass. Such a folder is not left out: the chain would break
/// before what follows it.
fn candidate(
    store: &Store,
    folder: &str,
    (job, project_id): (&JobName, Option<i64>),
    named: Named,
) -> Result<Result<Candidate, String>, DiskError> {
    let json = match read(store, folder, MANIFEST)? {
        Ok(json) => json,
        Err(why) => return Ok(Err(why)),
    };
    let manifest = match Manifest::parse(&json) {
        Ok(manifest) => manifest,
        Err(why) => return Ok(Err(format!("its {MANIFEST}: {why}"))),
    };
    let claim = Claim {
        job: job.as_str(),
        project_id,
        folder,
    };
    if let Err(unfit) = fits::check(&manifest, claim) {
        return Ok(Err(unfit.to_string()));
    }
    let sha256 = Digest::of(&json);
    let storage = store.storage();
    let is_pruned = prune::is_pruned(&storage, folder);
    let name = if is_pruned { PRUNED_SUMS } else { SUMS };
    match read(store, folder, name)? {
        Ok(found) if found == sums(&manifest, sha256).as_bytes() => {}
        Ok(_) => return Ok(Err(format!("its {name} are not those of its {MANIFEST}"))),
        Err(why) => return Ok(Err(why)),
    }
    let stored = manifest.stored().filter(|_| !is_pruned);
    for file in stored {
        let path = below(folder, file.path);
        let looked = || storage.length(&path);
        match store
            .disk()
            .step(Step::ReadPublished, &storage.place(&path), looked)
        {
            Ok(Some(bytes)) if bytes == file.bytes => {}
            Err(error) if may_pass(&error.source) => return Err(error),
            _ => {
                return Ok(Err(format!(
                    "{} is missing or has another length",
                    file.path
                )));
            }
        }
    }
    let written = manifest.archived_at.parse::<jiff::Timestamp>().ok();
    // What it supersedes was gone when it was published, and may be back.
    let archived = Archived {
        supersedes: manifest.supersedes.clone(),
        is_pruned,
        ..Archived::of(folder.to_owned(), named.window, &manifest, sha256)
    };
    Ok(Ok(Candidate {
        named,
        archived,
        previous: manifest.previous,
        written: written.map(UtcMs::from),
    }))
}

/// Reads a text file of a folder; within, why it can't be read.
///
/// # Errors
/// When the disk fails in a way that may pass.
fn read(store: &Store, folder: &str, name: &str) -> Result<Result<Vec<u8>, String>, DiskError> {
    let (storage, path) = (store.storage(), below(folder, name));
    let read = || storage::read(&storage, &path, MOST_TEXT);
    match store
        .disk()
        .step(Step::ReadPublished, &storage.place(&path), read)
    {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error) if may_pass(&error.source) => Err(error),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            Ok(Err(format!("it has no {name}")))
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// The first of `taken`, not among the `proven` ones, with a file whose bytes are not those that were
/// published, and what is wrong with it. Those before it are proven.
///
/// # Errors
/// When the disk fails in a way that may pass.
fn first_changed(
    store: &Store,
    candidates: &[Candidate],
    taken: impl Iterator<Item = usize>,
    proven: &mut HashSet<Digest>,
) -> Result<Option<(usize, String)>, DiskError> {
    for at in taken {
        let Archived {
            folder,
            manifest_sha256,
            is_pruned,
            ..
        } = &candidates[at].archived;
        if *is_pruned || proven.contains(manifest_sha256) {
            continue;
        }
        if let Some(why) = changed(store, folder)? {
            return Ok(Some((at, why)));
        }
        proven.insert(*manifest_sha256);
    }
    Ok(None)
}

/// Which file of a folder has other bytes than its manifest says; `None` when all are as published.
fn changed(store: &Store, folder: &str) -> Result<Option<String>, DiskError> {
    let json = match read(store, folder, MANIFEST)? {
        Ok(json) => json,
        Err(why) => return Ok(Some(why)),
    };
    let manifest = match Manifest::parse(&json) {
        Ok(manifest) => manifest,
        Err(why) => return Ok(Some(why)),
    };
    let storage = store.storage();
    for file in manifest.stored() {
        let path = below(folder, file.path);
        let hash = || storage.open(&path).and_then(Digest::of_reader);
        match store
            .disk()
            .step(Step::ReadPublished, &storage.place(&path), hash)
        {
            Ok(found) if found == (file.sha256, file.bytes) => {}
            Ok(_) => return Ok(Some(format!("{}: was changed", file.path))),
            Err(error) if may_pass(&error.source) && !is_bad_sector(&error.source) => {
                return Err(error);
            }
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
    Ok(None)
}

/// Whether an error says nothing about the folder, only that it could not be read now: any error
/// except that something is missing, has an impossible name, or is neither folder nor plain file.
fn may_pass(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(errno) => !matches!(
            errno,
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO
        ),
        // It is our own verdict, or nothing was answered.
        None => storage::says_nothing(error),
    }
}

/// Whether the disk has lost the bytes: data is not worth the whole job's waiting.
fn is_bad_sector(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::IO)
}
