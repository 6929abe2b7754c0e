//! Where the file says which directories are whose, and which can't be right whatever is on the disk. What
//! only the disk can tell is `cli/place.rs`. Carries *Its own*.

use std::path::Path;

use toml::de::DeValue;

use super::problem::Report;
use super::table::Table;

/// A key, by its table and its name.
pub(crate) type Key = (&'static str, &'static str);

/// The archive's root.
pub(crate) const ROOT: Key = ("archive", "root");
/// The state directory.
pub(crate) const STATE: Key = ("state", "dir");

/// Lines of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) root: Line,
    pub(crate) state_dir: Line,
}

/// A line of the file, counted from 1. What a config says is the same wherever it says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line(pub(crate) usize);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Lines {
    pub(super) fn read(root: &Table<'_>, report: &Report) -> Self {
        let line = |key| Line(report.line(at_of(root, key)));
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
    report: &mut Report,
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
