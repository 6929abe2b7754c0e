//! Durable layers that are broken on purpose. The program is the real one: between it and the
//! kernel, the tracer leaves something out or puts it in another order. The matrix has to notice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use elsa_archiver::durable::Step;

use super::call::{Call, Disks, Kind};

/// How the layer is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// It is not.
    None,
    /// Files are not flushed.
    NoFileSync,
    /// Folders outside `.staging` are not flushed.
    NoFolderSync,
    /// Folders below `.staging` are not flushed.
    NoStagingSync,
    /// Manifests and sums of a group are flushed only after its renames.
    FlushAfterRename,
    /// A window is copied into place, not renamed.
    PublishByCopy,
    /// The line is in the ledger before the folder is in place.
    LedgerFirst,
    /// Nothing marks that a prune has begun.
    NoMark,
    /// Sums get their new name after the data have gone.
    SumsLast,
}

impl Lie {
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "as it is",
            Self::NoFileSync => "no fsync of a file",
            Self::NoFolderSync => "no fsync of a folder",
            Self::NoStagingSync => "no fsync of a staged folder",
            Self::FlushAfterRename => "a group's files flushed after its renames",
            Self::PublishByCopy => "publish by copy",
            Self::LedgerFirst => "ledger before folder",
            Self::NoMark => "no mark of a prune",
            Self::SumsLast => "sums renamed after the data",
        }
    }
}

/// A lie in the course of one run.
pub struct Lying<'a> {
    lie: Lie,
    disks: &'a Disks,
    /// Windows that seem to be published: by job, where they are and where they belong.
    held: BTreeMap<String, Vec<(PathBuf, PathBuf)>>,
    /// Sums that seem to be renamed.
    sums: Vec<(PathBuf, PathBuf)>,
}

impl<'a> Lying<'a> {
    pub const fn new(lie: Lie, disks: &'a Disks) -> Self {
        Self {
            lie,
            disks,
            held: BTreeMap::new(),
            sums: Vec::new(),
        }
    }

    /// What the call seems to return when it is not made.
    pub fn instead(&mut self, call: &Call) -> Option<i64> {
        let staged = call.path.starts_with("archive/.staging");
        let left_out = match self.lie {
            Lie::None => false,
            Lie::NoFileSync => call.kind == Kind::SyncFile,
            Lie::NoFolderSync => call.kind == Kind::SyncFolder && !staged,
            Lie::NoStagingSync => call.kind == Kind::SyncFolder && staged,
            Lie::FlushAfterRename => {
                matches!(call.step(), Some(Step::SyncManifest | Step::SyncSums))
            }
            Lie::PublishByCopy => call.publishes() && self.copy(call, usize::MAX),
            Lie::LedgerFirst => call.publishes() && self.hold(call),
            Lie::NoMark => call.kind == Kind::Rename && call.step() == Some(Step::MarkPruning),
            Lie::SumsLast if call.step() == Some(Step::RenameSums) => {
                self.sums.push(self.ends(call));
                true
            }
            Lie::SumsLast => false,
        };
        left_out.then_some(0)
    }

    /// Does half of a call that can be halved only because of the lie.
    pub fn half(&self, call: &Call) {
        if self.lie == Lie::PublishByCopy && call.publishes() {
            self.copy(call, 1);
        }
    }

    /// After a call that went through.
    pub fn after(&mut self, call: &Call) {
        if self.lie == Lie::FlushAfterRename && call.step() == Some(Step::SyncParent) {
            let parent = self.disks.archive.join(&call.path);
            for window in fs::read_dir(parent).unwrap() {
                for file in ["manifest.json", "SHA256SUMS"] {
                    let flushed = File::open(window.as_ref().unwrap().path().join(file));
                    let _ = flushed.and_then(|file| file.sync_all());
                }
            }
        }
        if call.step() == Some(Step::UnmarkPruning) {
            for (from, to) in self.sums.drain(..) {
                fs::rename(from, to).unwrap();
            }
        }
        if call.step() == Some(Step::SyncLedger)
            && let Some(job) = call.job()
            && let Some(held) = self.held.remove(job)
        {
            for (from, to) in held {
                fs::rename(from, &to).unwrap();
                File::open(to.parent().unwrap())
                    .unwrap()
                    .sync_all()
                    .unwrap();
            }
        }
    }

    fn ends(&self, call: &Call) -> (PathBuf, PathBuf) {
        let to = call.to.as_deref().unwrap();
        (
            self.disks.archive.join(&call.path),
            self.disks.archive.join(to),
        )
    }

    fn hold(&mut self, call: &Call) -> bool {
        let (from, to) = self.ends(call);
        let job = call.job().unwrap().to_owned();
        let held = self.held.entry(job.clone()).or_default();
        let aside = self
            .disks
            .root()
            .join(".staging")
            .join(format!("held-{job}-{}", held.len()));
        fs::rename(&from, &aside).unwrap();
        held.push((aside, to));
        true
    }

    /// Copies as careless programs do, though every file and folder is flushed.
    fn copy(&self, call: &Call, files: usize) -> bool {
        let (from, to) = self.ends(call);
        let mut left = files;
        copy_folder(&from, &to, &mut left);
        if left > 0 {
            fs::remove_dir_all(from).unwrap();
        }
        true
    }
}

fn copy_folder(from: &Path, to: &Path, files: &mut usize) {
    fs::create_dir_all(to).unwrap();
    let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let target = to.join(entry.file_name());
        if *files == 0 {
            return;
        } else if entry.path().is_dir() {
            copy_folder(&entry.path(), &target, files);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            File::open(&target).unwrap().sync_all().unwrap();
            *files -= 1;
        }
    }
    File::open(to).unwrap().sync_all().unwrap();
    File::open(to.parent().unwrap())
        .unwrap()
        .sync_all()
        .unwrap();
}
