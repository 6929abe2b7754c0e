//! Where the file says which directories are whose, and which can't be right whatever is on the disk. What
//! only the disk can tell is `cli/place.rs`. Carries *Its own*.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::problem::{Problem, Report, shown};
use super::table::Table;

/// A key, by its table and its name.
pub(crate) type Key = (&'static str, &'static str);

/// The archive's root.
pub(crate) const ROOT: Key = ("archive", "root");
/// The state directory.
pub(crate) const STATE: Key = ("state", "dir");

/// Lines of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) root: Line,
    pub(crate) state_dir: Line,
}

/// A line of the config or of a file that it includes. What a config says is the same wherever it says it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// An included file; `None` for the config itself.
    file: Option<Arc<Path>>,
    /// Counted from 1.
    number: usize,
}

impl Line {
    pub(super) const fn of(file: Option<Arc<Path>>, number: usize) -> Self {
        Self { file, number }
    }

    /// That `message` is said of `key` here.
    pub(crate) fn problem(&self, key: String, message: String) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.number,
            key: Some(key),
            message,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "line {} of {}", self.number, shown(file)),
            None => write!(f, "line {}", self.number),
        }
    }
}

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Lines {
    pub(super) fn read(root: &Table<'_>, report: &Report<'_>) -> Self {
        let line = |key| report.line(at_of(root, key));
        Self {
            root: line(ROOT),
            state_dir: line(STATE),
        }
    }
}

/// The byte at which a key is, or the nearest before it.
fn at_of(root: &Table<'_>, (table, key): Key) -> usize {
    let at = root.at_of(table);
    match root.value(table) {
        Some(DeValue::Table(entries)) => Table::new(entries, table.to_owned(), at).at_of(key),
        _ => at,
    }
}

/// Reports root and state directory where they are not apart by their names.
pub(super) fn refuse_nested(
    root: &Table<'_>,
    archive: &Path,
    state_dir: &Path,
    report: &mut Report<'_>,
) {
    if let Some((key, message)) = apart(archive, state_dir) {
        let (table, name) = key;
        report.wrong(at_of(root, key), format!("{table}.{name}"), message);
    }
}

/// What is wrong with where root and state directory are, with the key that is to blame. The two would
/// take each other's files for their own, and a collector would take the state's.
pub(crate) fn apart(root: &Path, state_dir: &Path) -> Option<(Key, String)> {
    let is_top = |path: &Path| path.parent().is_none();
    let remedy = "give each a directory of its own, side by side, like /var/backups/elsa and \
                  /var/lib/elsa-archiver";
    let (key, what) = if is_top(root) {
        (ROOT, "is the whole file system")
    } else if is_top(state_dir) {
        (STATE, "is the whole file system")
    } else if root == state_dir {
        (ROOT, "is state.dir too")
    } else if state_dir.starts_with(root) {
        (STATE, "lies inside archive.root")
    } else if root.starts_with(state_dir) {
        (ROOT, "lies inside state.dir")
    } else {
        return None;
    };
    Some((key, format!("{what}; {remedy}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Its own
    #[test]
    fn root_and_state_directory_lie_side_by_side() {
        for (root, state, blamed) in [
            ("/", "/var/lib/x", Some(ROOT)),
            ("//", "/var/lib/x", Some(ROOT)),
            ("/srv", "/", Some(STATE)),
            ("/srv/a", "/srv/a/", Some(ROOT)),
            ("/srv/a", "/srv/a/_archive", Some(STATE)),
            ("/srv/a/./b", "/srv/a", Some(ROOT)),
            ("/srv/a", "/srv/ab", None),
            ("/srv/a", "/srv/b", None),
        ] {
            let found = apart(Path::new(root), Path::new(state)).map(|(key, _)| key);
            assert_eq!(found, blamed, "{root} and {state}");
        }
    }
}
