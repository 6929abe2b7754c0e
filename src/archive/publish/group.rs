//! Windows of a job that are published together: what they share is flushed once. Carries *Atomic* and
//! *Ordered*, of each window as if it were alone.

use std::io;
use std::path::{Path, PathBuf};

use super::{Archived, PublishError, Published, SUMS, make_parents, may_be_read_back, sums};
use crate::archive::fits::{self, Claim};
use crate::archive::manifest::{ChainBreak, MANIFEST, Manifest};
use crate::archive::store::Store;
use crate::digest::Digest;
use crate::domain::window::Window;
use crate::durable::{Output, Step};

/// A window that lies below `.staging`, its data durable.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Where it lies.
    pub(crate) staged: PathBuf,
    /// Its folder to be, relative to the archive's root.
    pub(crate) folder: String,
    /// The window.
    pub(crate) window: Window,
    /// Its manifest. What it continues is said when it is published.
    pub(crate) manifest: Manifest,
}

impl Staged {
    fn parent(&self) -> &Path {
        Path::new(&self.folder).parent().unwrap_or(Path::new(""))
    }
}

/// What the next manifest of a job continues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    /// The digest of its last manifest.
    pub(crate) previous: Option<Digest>,
    /// What the chain does not tell of the time before.
    pub(crate) breaks: Vec<ChainBreak>,
}

/// A window whose manifest and sums are written.
struct Written {
    /// Its place in what is returned.
    at: usize,
    staged: Staged,
    manifest_sha256: Digest,
    files: [(Step, Output); 2],
}

/// Publishes windows of one job together, each as its folder below the store's root. Their manifests are one
/// chain in the order of `group`, and so is what is returned. Those that follow each other in one folder, as in
/// order of time, have it flushed once, before anything of another folder is visible.
///
/// Of each window in turn: its files and names are durable before any of the group is visible, and it is
/// [`Published`] after the flush of its parent, and of all that its manifest continues. The data files must be durable
/// already. A window of which the manifest can't be written is left out of the chain. Whatever fails later ends the
/// group: of the windows from there on nothing is visible, or the folder is whole and is adopted later.
pub(crate) fn publish(
    store: &Store,
    group: Vec<Staged>,
    chain: Chain,
) -> Vec<Result<Published, PublishError>> {
    let mut ended: Vec<Option<Result<Published, PublishError>>> = Vec::new();
    ended.resize_with(group.len(), || None);
    let mut chain = chain;
    let mut written = Vec::new();
    for (at, staged) in group.into_iter().enumerate() {
        match write(store, at, staged, &mut chain) {
            Ok(one) => written.push(one),
            Err(error) => ended[at] = Some(Err(error)),
        }
    }
    let flushed = flush(store, &written);
    // Where one of them is not durable, those behind it would continue what may not be there.
    let durable = flushed
        .as_ref()
        .map_or_else(|(at, _)| *at, |()| written.len());
    let broken = written.split_off(durable);
    let mut is_over = false;
    for run in written.chunk_by(|one, other| one.staged.parent() == other.staged.parent()) {
        let (placed, mut why) = match is_over {
            true => (0, None),
            false => place(store, run),
        };
        is_over |= why.is_some();
        for (nth, one) in run.iter().enumerate() {
            ended[one.at] = Some(match nth < placed {
                true => Ok(one.published()),
                false => Err(why.take().unwrap_or(PublishError::Behind)),
            });
        }
    }
    let mut why = flushed.err().map(|(_, error)| error).filter(|_| !is_over);
    for one in broken {
        ended[one.at] = Some(Err(why.take().unwrap_or(PublishError::Behind)));
    }
    let ended = ended.into_iter();
    ended
        .map(|ended| ended.unwrap_or(Err(PublishError::Behind)))
        .collect()
}

impl Written {
    /// Its name must be durable.
    fn published(&self) -> Published {
        let Staged {
            folder,
            window,
            manifest,
            ..
        } = &self.staged;
        let archived = Archived::of(folder.clone(), *window, manifest, self.manifest_sha256);
        Published(archived)
    }
}

/// Writes manifest and sums of a window, which the chain goes on from then.
fn write(
    store: &Store,
    at: usize,
    mut staged: Staged,
    chain: &mut Chain,
) -> Result<Written, PublishError> {
    let manifest = &mut staged.manifest;
    manifest.previous = chain.previous;
    manifest.breaks.clone_from(&chain.breaks);
    let claim = Claim {
        job: &manifest.job,
        project_id: None,
        folder: &staged.folder,
    };
    // It would be neither adopted nor proven.
    debug_assert_eq!(fits::check(manifest, claim), Ok(()));
    let disk = store.disk();
    let json = manifest
        .to_json()
        .map_err(|error| PublishError::Manifest(error.to_string()))?;
    may_be_read_back(json.len() as u64)?;
    let manifest_sha256 = Digest::of(&json);
    let sums = sums(manifest, manifest_sha256);
    let mut manifest_file = disk.create(Step::StageManifest, &staged.staged.join(MANIFEST))?;
    manifest_file.write(&json)?;
    let mut sums_file = disk.create(Step::StageSums, &staged.staged.join(SUMS))?;
    sums_file.write(sums.as_bytes())?;
    *chain = Chain {
        previous: Some(manifest_sha256),
        breaks: Vec::new(),
    };
    Ok(Written {
        at,
        staged,
        manifest_sha256,
        files: [
            (Step::SyncManifest, manifest_file),
            (Step::SyncSums, sums_file),
        ],
    })
}

/// Makes manifests, sums and names of a group durable. An error comes with the place of the window.
fn flush(store: &Store, written: &[Written]) -> Result<(), (usize, PublishError)> {
    for (at, one) in written.iter().enumerate() {
        let flushed = one
            .files
            .iter()
            .try_for_each(|(step, file)| file.sync(*step));
        let flushed = flushed.and_then(|()| {
            store
                .disk()
                .sync_folder(Step::SyncFolder, &one.staged.staged)
        });
        flushed.map_err(|error| (at, error.into()))?;
    }
    Ok(())
}

/// Renames windows into the folder that is above all of them, and makes their names durable. Returns how many
/// are published, and why not all are.
fn place(store: &Store, run: &[Written]) -> (usize, Option<PublishError>) {
    let Some(first) = run.first() else {
        return (0, None);
    };
    if let Err(error) = make_parents(store, Path::new(&first.staged.folder)) {
        return (0, Some(error.into()));
    }
    let renamed = run.iter().map(|one| rename(store, &one.staged));
    let mut placed = 0;
    let mut failed = None;
    for renamed in renamed {
        match renamed {
            Ok(()) => placed += 1,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    if placed > 0 {
        let parent = store.root().join(first.staged.parent());
        if let Err(error) = store.disk().sync_folder(Step::SyncParent, &parent) {
            return (0, Some(error.into()));
        }
    }
    (placed, failed)
}

fn rename(store: &Store, staged: &Staged) -> Result<(), PublishError> {
    let place = store.root().join(&staged.folder);
    // Parts of it may lie on a disk that is gone by now.
    store.check_before(Step::Publish, &place)?;
    let renamed = store.disk().publish(&staged.staged, &place);
    renamed.map_err(|error| match error.source.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => {
            PublishError::InTheWay(place)
        }
        _ => PublishError::Disk(error),
    })
}
