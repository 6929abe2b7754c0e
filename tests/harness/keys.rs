//! *Suspicious*: looks for keys in what was written or printed, where none may be.

use std::fs;
use std::path::Path;

use memchr::memmem;

use super::archive::files_below;
use super::escaped;

/// Keys that are given away nowhere: what would tell of them.
pub struct Keys(Vec<String>);

impl Keys {
    /// Half a key is a leak too, and so is one as JSON may write it.
    pub(super) fn new(keys: &[String]) -> Self {
        let halves = keys.iter().map(|key| &key[..key.len() / 2]);
        Self(
            halves
                .flat_map(|half| [half.to_owned(), escaped(half)])
                .collect(),
        )
    }

    /// Asserts that none is in these bytes.
    #[track_caller]
    pub fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        let found = |key: &String| memmem::find(bytes, key.as_bytes()).is_some();
        assert!(!self.0.iter().any(found), "a key is in {what}");
    }

    /// Asserts that none is in a file below `folder`, or in its name, but for what is below
    /// `except`, and for refused zips: they are kept as they came, as the logs of one that is read
    /// are, and what is in them was the service's to say.
    #[track_caller]
    pub fn assert_not_below(&self, folder: &Path, except: &[&Path]) {
        for path in files_below(folder) {
            if !except.iter().any(|except| path.starts_with(except)) && !is_kept_zip(&path) {
                let shown = path.display().to_string();
                self.assert_not_in("a file's name", shown.as_bytes());
                self.assert_not_in(&shown, &fs::read(&path).unwrap());
            }
        }
    }
}

fn is_kept_zip(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == "quarantine")
        && path.extension().is_some_and(|extension| extension == "zip")
}
