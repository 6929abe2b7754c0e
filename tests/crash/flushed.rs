//! What no cut can show, shown by the trace: when a window becomes visible, every file and folder
//! in it was flushed before, and when a line says so, every folder above it was. Of a refused zip
//! and its reason, when they get the names under which they are kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::call::{Call, Kind, QUARANTINE};
use super::tracer::Seen;

/// What is on the disk and not flushed: the bytes of a file, or the names in a folder, and on
/// behalf of which job.
#[derive(Default)]
struct Unflushed(BTreeSet<(PathBuf, String)>);

impl Unflushed {
    fn add(&mut self, path: &Path, job: &str) {
        self.0.insert((path.to_owned(), job.to_owned()));
    }

    fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.0
            .iter()
            .map(|(path, _)| path)
            .filter(move |path| path.starts_with(folder))
    }

    fn moved(&mut self, from: &Path, to: &Path) {
        let renamed = |(path, job): (PathBuf, String)| match path.strip_prefix(from) {
            Ok(rest) => (to.join(rest), job),
            Err(_) => (path, job),
        };
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            .map(renamed)
            .collect();
    }
}

/// The first thing that was relied on before it was flushed.
pub fn relied_on_too_early(seen: &[Seen]) -> Result<(), String> {
    let mut unflushed = Unflushed::default();
    for Seen { call, made, .. } in seen.iter().filter(|seen| seen.made) {
        debug_assert!(made);
        let job = call.job().unwrap_or_default();
        if call.publishes()
            && let Some(path) = unflushed.below(&call.path).next()
        {
            return Err(format!("published before {} was flushed", path.display()));
        }
        if call.keeps_aside()
            && call.kind == Kind::Rename
            && unflushed.below(&call.path).next().is_some()
        {
            return Err(format!("kept before {} was flushed", call.path.display()));
        }
        for folder in &call.records {
            // Of another window of the job it says nothing.
            let too_early = |(path, whose): &&(PathBuf, String)| match path.starts_with("state") {
                true => (whose == job || whose.is_empty()) && !path.starts_with(QUARANTINE),
                false => folder.starts_with(path) || path.starts_with(folder),
            };
            if let Some((path, _)) = unflushed.0.iter().find(too_early) {
                return Err(format!("recorded before {} was flushed", path.display()));
            }
        }
        follow(&mut unflushed, call, job);
    }
    Ok(())
}

fn follow(unflushed: &mut Unflushed, call: &Call, job: &str) {
    let names = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    match (call.kind, &call.to) {
        (Kind::Create | Kind::Write, _) if call.path.starts_with("archive/.staging") => {
            unflushed.add(&call.path, job);
            unflushed.add(&names(&call.path), job);
        }
        (Kind::Create | Kind::Write, _) if call.keeps_aside() => unflushed.add(&call.path, job),
        // No line says anything of the quarantine, so none waits for the names in it.
        (Kind::MakeFolder | Kind::Rename, _) if call.keeps_aside() => {}
        (Kind::MakeFolder, _) => unflushed.add(&names(&call.path), job),
        (Kind::Rename, Some(to)) => {
            unflushed.moved(&call.path, to);
            unflushed.add(&names(to), job);
            if call.sets_aside() {
                // That it has gone is relied on too.
                unflushed.add(&names(&call.path), job);
            }
        }
        (Kind::Remove, _) => unflushed
            .0
            .retain(|(path, _)| !path.starts_with(&call.path)),
        (Kind::SyncFile | Kind::SyncFolder, _) => {
            unflushed.0.retain(|(path, _)| *path != call.path)
        }
        _ => {}
    }
}
