//! A folder whose bytes were changed, and what must hold of it wherever its repair ends: it is in its place or
//! set aside, whole and once, and is out of the way before the ledger says that it is missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::call::Disks;
use crate::harness::{Folder, files_below};

/// The job that has it.
pub const JOB: &str = "shop";

/// Such a folder.
pub struct Damaged {
    /// Relative to the root.
    pub name: String,
    /// The digest that its sums have of its manifest.
    pub manifest: String,
    /// Its files, relative to it.
    content: BTreeMap<PathBuf, Vec<u8>>,
}

impl Damaged {
    /// Changes a byte in a file of a folder.
    pub fn spoil(folder: &Folder) -> Self {
        let data = files_below(&folder.path.join("part-0001")).remove(0);
        let mut bytes = fs::read(&data).unwrap();
        bytes[0] ^= 1;
        fs::write(data, bytes).unwrap();
        let sums = fs::read_to_string(folder.path.join("SHA256SUMS")).unwrap();
        Self {
            name: folder.name.clone(),
            manifest: sums.split_once(' ').unwrap().0.to_owned(),
            content: content(&folder.path),
        }
    }

    /// Where it is.
    fn places(&self, disks: &Disks) -> [PathBuf; 2] {
        let root = disks.root();
        [
            root.join(&self.name),
            root.join(".damaged").join(&self.name),
        ]
    }

    /// Whether it is the folder at a path.
    pub fn is_at(&self, path: &Path, disks: &Disks) -> bool {
        self.places(disks)[0] == path
    }

    /// Asserts that it is there, whole and once, and nothing else is set aside.
    pub fn assert_is_kept(&self, disks: &Disks) {
        let found = self.places(disks).map(|place| content(&place));
        let kept: Vec<_> = found.iter().filter(|content| !content.is_empty()).collect();
        assert_eq!(kept, [&self.content], "kept whole, and once");
        let aside = files_below(&disks.root().join(".damaged"));
        assert_eq!(aside.len(), found[1].len(), "{aside:?}");
    }

    /// Asserts that it is set aside where the ledger says that it is missing.
    pub fn assert_is_out_of_the_way(&self, events: &[serde_json::Value], disks: &Disks) {
        let is_told = |event: &serde_json::Value| event["event"] == "missing";
        if events.iter().any(is_told) {
            let place = &self.places(disks)[0];
            assert!(!place.exists(), "recorded missing, and in its place");
        }
    }
}

fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(folder).into_iter();
    let relative = |path: PathBuf| path.strip_prefix(folder).unwrap().to_owned();
    files
        .map(|path| (relative(path.clone()), fs::read(path).unwrap()))
        .collect()
}
