//! Folders whose data are let go of, and what must hold of them wherever that ends: nothing goes before the ledger says
//! so and the sums do, and what proves it stays.

use std::fs;
use std::path::PathBuf;

use elsa_archiver::domain::span::{Span, UtcMs};
use serde_json::Value;

use crate::harness::Folder;

/// What lets go of all windows but the newest.
pub const COMMAND: &[&str] = &["prune", "--keep", "1d", "--need", "0", "--confirm"];

/// Whether a folder says that its data were let go of.
pub fn is_pruned(folder: &Folder) -> bool {
    folder.path.join("SHA256SUMS.pruned").exists()
}

/// The lines of a folder's sums for the files that have to be there, and for those that may be gone and are not.
pub fn sums(folder: &Folder) -> String {
    if !is_pruned(folder) {
        return fs::read_to_string(folder.path.join("SHA256SUMS")).unwrap();
    }
    assert!(
        !folder.path.join("SHA256SUMS").exists(),
        "{} has both",
        folder.name
    );
    let sums = fs::read_to_string(folder.path.join("SHA256SUMS.pruned")).unwrap();
    let is_there = |line: &&str| {
        let file = line.split_once("  ").unwrap().1;
        file == "manifest.json" || folder.path.join(file).exists()
    };
    let lines: Vec<&str> = sums.lines().filter(is_there).collect();
    lines.join("\n") + "\n"
}

/// Asserts that nothing of a job has gone that its ledger does not say.
pub fn assert_announced(folders: &[Folder], lines: &[Value]) {
    let announced = announced(lines);
    for folder in folders.iter().filter(|folder| is_pruned(folder)) {
        assert!(
            announced.contains(&folder.window),
            "{} was let go of before the ledger says so",
            folder.name
        );
    }
}

/// Asserts that what was announced is done, and nothing else.
pub fn assert_finished(folders: &[Folder], lines: &[Value]) {
    let announced = announced(lines);
    for folder in folders {
        let goes = announced.contains(&folder.window);
        assert_eq!(is_pruned(folder), goes, "{}", folder.name);
        let mut left: Vec<PathBuf> = folder.content().into_keys().collect();
        left.retain(|path| {
            path.strip_prefix(&folder.path)
                .unwrap()
                .components()
                .count()
                > 1
        });
        assert_eq!(left.is_empty(), goes, "{}: {left:?}", folder.name);
    }
}

fn announced(lines: &[Value]) -> Vec<Span> {
    let pruned = lines.iter().filter(|line| line["event"] == "pruned");
    pruned
        .map(|line| {
            let bound = |name: &str| UtcMs(line[name].as_i64().unwrap());
            Span::new(bound("from_ms"), bound("to_ms")).unwrap()
        })
        .collect()
}
