//! A copy that can't be read just now is not taken for one that is damaged, nor for one that is whole.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;

use super::*;
use crate::archive::storage::{Entry, Lying, Storage};

/// A copy of which what ends so can't be read just now.
#[derive(Debug)]
struct Unsure {
    inner: Local,
    fails: String,
    /// What lies there besides.
    more: Vec<PathBuf>,
}

impl Unsure {
    fn try_at(&self, path: &str) -> io::Result<()> {
        match path.ends_with(&self.fails) && !self.fails.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::HostUnreachable, "no answer")),
            false => Ok(()),
        }
    }
}

impl Storage for Unsure {
    fn place(&self, path: &str) -> PathBuf {
        self.inner.place(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.try_at(folder)?;
        self.inner.list(folder)
    }

    fn files_below(&self, folder: &str) -> Vec<Lying> {
        let more = self.more.iter().cloned().map(Lying::File);
        self.inner
            .files_below(folder)
            .into_iter()
            .chain(more)
            .collect()
    }

    fn is_folder(&self, path: &str) -> io::Result<bool> {
        self.try_at(path)?;
        self.inner.is_folder(path)
    }

    fn length(&self, file: &str) -> io::Result<Option<u64>> {
        self.try_at(file)?;
        self.inner.length(file)
    }

    fn open(&self, file: &str) -> io::Result<Box<dyn Read + Send>> {
        self.try_at(file)?;
        self.inner.open(file)
    }

    fn open_whole(&self, file: &str, most: u64) -> io::Result<File> {
        self.try_at(file)?;
        self.inner.open_whole(file, most)
    }
}

fn verified(world: &World, fails: String, more: &[&str]) -> io::Result<JobReport> {
    let storage = Unsure {
        inner: Local::at(world.dir.path()),
        fails,
        more: more.iter().map(PathBuf::from).collect(),
    };
    let folders = copy::folders(&storage)?;
    let threads = (NonZeroUsize::MIN, &(|| {}) as &(dyn Fn() + Sync));
    Ok(copy::verify(&storage, &folders, Depth::Stored, threads).remove(0))
}

/// Guarantee: Candid
#[test]
fn what_can_t_be_read_just_now_is_no_damage_and_no_proof() {
    let world = World::new();
    let folder = |at: usize| world.archived[at].folder.clone();
    for fails in [
        format!("{}/manifest.json", folder(1)),
        folder(1),
        format!("{}/SHA256SUMS", folder(2)),
        format!("{}/part-0001/logs.json", folder(2)),
    ] {
        let report = verified(&world, fails.clone(), &[]).unwrap();
        assert!(!report.is_damaged(), "{fails}: {:?}", report.findings);
        assert!(!report.is_proven(), "{fails}");
    }
    // Whether a folder is a window's must be known.
    let job = job().name.to_string();
    verified(&world, format!("{job}/manifest.json"), &[]).unwrap_err();
    verified(&world, job, &[]).unwrap_err();
    // A copy of which nobody knows whether it is all of an archive has to begin at its begin.
    fs::remove_dir_all(world.folder(0)).unwrap();
    assert!(
        verified(&world, "_archive".to_owned(), &[])
            .unwrap()
            .is_damaged()
    );
    assert!(!verified(&world, String::new(), &[]).unwrap().is_damaged());
}

/// Guarantee: Evident
#[test]
fn what_only_looks_like_a_file_of_the_window_was_added() {
    let world = World::new();
    for path in [
        "part-0001//logs.json",
        "part-0001/./logs.json",
        "manifest.json/",
    ] {
        let report = verified(&world, String::new(), &[path]).unwrap();
        let added = |finding: &Finding| finding.problem == Problem::Added;
        assert!(report.findings.iter().any(added), "{path}");
    }
}
