//! A collector that watches the tree, as `rsync` from a cron job would, only without a pause: what
//! it sees for the first time it copies at once, and from then on it must be there and the same.
//! Carries *Atomic*, from the side of those who rely on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use elsa_archiver::digest::Digest;

use crate::dice::Dice;

/// Between two walks.
const PAUSE: Duration = Duration::from_millis(20);

/// How many of the folders seen before are read again in a walk.
const SAMPLE: usize = 20;

/// A window's folder as it was when it was first seen.
struct Seen {
    /// Of the folder itself; either would change with any name in it.
    inode: u64,
    changed: (i64, i64),
    /// Every file in it.
    files: BTreeMap<PathBuf, Digest>,
}

/// What a collector has found.
#[derive(Default)]
pub struct Collected {
    /// How often it went through the whole tree.
    pub walks: u64,
    /// How many folders it has copied.
    pub folders: usize,
    /// How many folders it has read again, and compared.
    pub read_again: u64,
    /// Whatever may not be, once.
    pub violations: BTreeSet<String>,
}

/// A collector that is at work.
pub struct Collector {
    stop: Arc<AtomicBool>,
    walking: JoinHandle<Walker>,
}

impl Collector {
    /// Watches the archive at `root`, and copies what it sees to `copy`.
    pub fn start(root: PathBuf, copy: PathBuf, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut walker = Walker {
            root,
            copy,
            dice: Dice::new(seed),
            seen: BTreeMap::new(),
            found: Collected::default(),
        };
        let walking = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                walker.walk(SAMPLE);
                thread::sleep(PAUSE);
            }
            walker
        });
        Self { stop, walking }
    }

    /// Walks once more, and reads everything again.
    pub fn finish(self) -> Collected {
        self.stop.store(true, Ordering::Relaxed);
        let mut walker = self.walking.join().unwrap();
        walker.walk(usize::MAX);
        walker.found.folders = walker.seen.len();
        walker.found
    }
}

struct Walker {
    root: PathBuf,
    copy: PathBuf,
    dice: Dice,
    /// By their paths below the root.
    seen: BTreeMap<PathBuf, Seen>,
    found: Collected,
}

impl Walker {
    /// Goes through `job/date/window`, and reads `sample` of what was seen before again.
    fn walk(&mut self, sample: usize) {
        let before: Vec<PathBuf> = self.seen.keys().cloned().collect();
        for job in self.folders_in(Path::new("")) {
            for date in self.folders_in(&job) {
                for window in self.folders_in(&date) {
                    if !self.seen.contains_key(&window) {
                        self.collect(window);
                    }
                }
            }
        }
        for window in &before {
            let now = fs::symlink_metadata(self.root.join(window));
            let seen = &self.seen[window];
            match now.map(|now| (now.ino(), (now.mtime(), now.mtime_nsec()))) {
                Ok(now) if now == (seen.inode, seen.changed) => {}
                Ok(_) => self.violated(window, "another folder, or other names in it"),
                Err(error) => self.violated(window, &format!("vanished: {error}")),
            }
        }
        if sample >= before.len() {
            before.iter().for_each(|window| self.read_again(window));
        } else {
            for _ in 0..sample {
                let window = self.dice.pick(&before);
                self.read_again(&window);
            }
        }
        self.found.walks += 1;
    }

    /// The visible folders in a folder above the windows, where nothing else may be.
    fn folders_in(&mut self, above: &Path) -> Vec<PathBuf> {
        let listing = match fs::read_dir(self.root.join(above)) {
            Ok(listing) => listing,
            // Before the first start there is no archive.
            Err(error) if self.seen.is_empty() && error.kind() == io::ErrorKind::NotFound => {
                return Vec::new();
            }
            Err(error) => {
                self.violated(above, &format!("can't be listed: {error}"));
                return Vec::new();
            }
        };
        let mut folders = Vec::new();
        for entry in listing.map(Result::unwrap) {
            let name = above.join(entry.file_name());
            let file_name = entry.file_name();
            let is_own = above.as_os_str().is_empty() && file_name == "_archive";
            if is_own || file_name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(name),
                false => self.violated(&name, "no folder, and not in a window's folder"),
            }
        }
        folders.sort();
        folders
    }

    /// Copies a folder that is new, and holds the copy against the sums in it.
    fn collect(&mut self, window: PathBuf) {
        let (from, to) = (self.root.join(&window), self.copy.join(&window));
        let copied = fs::symlink_metadata(&from).and_then(|folder| {
            copy(&from, &to)?;
            Ok(Seen {
                inode: folder.ino(),
                changed: (folder.mtime(), folder.mtime_nsec()),
                files: digests(&to)?,
            })
        });
        match copied {
            Ok(seen) => {
                if let Err(why) = is_whole(&to, &seen.files) {
                    self.violated(&window, &format!("not whole when it was first seen: {why}"));
                }
                self.seen.insert(window, seen);
            }
            Err(error) => self.violated(&window, &format!("can't be copied: {error}")),
        }
    }

    fn read_again(&mut self, window: &Path) {
        match digests(&self.root.join(window)) {
            Ok(files) if files == self.seen[window].files => {}
            Ok(_) => self.violated(window, "changed since it was first seen"),
            Err(error) => self.violated(window, &format!("can't be read any more: {error}")),
        }
        self.found.read_again += 1;
    }

    fn violated(&mut self, what: &Path, why: &str) {
        let violation = format!("{}: {why}", what.display());
        if self.found.violations.insert(violation.clone()) {
            eprintln!("VIOLATION {violation}");
        }
    }
}

/// Holds files against the `SHA256SUMS` among them, which has to list all others and nothing else.
fn is_whole(folder: &Path, files: &BTreeMap<PathBuf, Digest>) -> Result<(), String> {
    const SUMS: &str = "SHA256SUMS";
    let sums = fs::read_to_string(folder.join(SUMS)).map_err(|error| error.to_string())?;
    let mut listed: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    for line in sums.lines() {
        let (digest, path) = line.split_once("  ").ok_or("a line is no sum")?;
        listed.insert(path.into(), digest.parse()?);
    }
    let others = files.iter().filter(|(path, _)| *path != Path::new(SUMS));
    let (others, listed): (Vec<_>, Vec<_>) = (others.collect(), listed.iter().collect());
    match others == listed {
        true => Ok(()),
        false => Err(format!("{others:?} are there, {listed:?} are listed")),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

/// The digest of every file in a folder, by its path there.
fn digests(folder: &Path) -> io::Result<BTreeMap<PathBuf, Digest>> {
    let mut files = BTreeMap::new();
    let mut below = vec![PathBuf::new()];
    while let Some(at) = below.pop() {
        for entry in fs::read_dir(folder.join(&at))? {
            let entry = entry?;
            let name = at.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => below.push(name),
                false => drop(files.insert(name, Digest::of(&fs::read(entry.path())?))),
            }
        }
    }
    Ok(files)
}
