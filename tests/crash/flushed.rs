//! What no cut can show, shown by the trace: when a window becomes visible, every file and folder
//! in it was flushed before, and when a line says so, every folder above it was. Of a refused zip
//! and its reason, when they get the names under which they are kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elsa_archiver::durable::Step;

use super::call::{Call, HEADS, Kind, QUARANTINE};
use super::tracer::Seen;

/// What is on the disk and not flushed: the bytes of a file, or a name in a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Waits {
    /// The file, or what has the name.
    what: PathBuf,
    /// What is to be flushed for it: the file itself, or the folder with the name.
    flush: PathBuf,
    /// On behalf of which job.
    whose: String,
}

#[derive(Default)]
struct Unflushed(BTreeSet<Waits>);

impl Unflushed {
    fn bytes(&mut self, file: &Path, job: &str) {
        self.0.insert(Waits {
            what: file.to_owned(),
            flush: file.to_owned(),
            whose: job.to_owned(),
        });
    }

    fn name(&mut self, what: &Path, job: &str) {
        self.0.insert(Waits {
            what: what.to_owned(),
            flush: what.parent().unwrap_or(Path::new("")).to_owned(),
            whose: job.to_owned(),
        });
    }

    fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.0
            .iter()
            .map(|waits| &waits.flush)
            .filter(move |path| path.starts_with(folder))
    }

    fn moved(&mut self, from: &Path, to: &Path) {
        let renamed = |path: PathBuf| match path.strip_prefix(from) {
            Ok(rest) if rest == Path::new("") => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path,
        };
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            // A name that is gone is waited for no more.
            .filter(|waits| waits.what != from || waits.flush == from)
            .map(|waits| Waits {
                what: renamed(waits.what),
                flush: renamed(waits.flush),
                ..waits
            })
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
        if call.lets_go() {
            // The window's sums, and what its ledger says.
            let window: PathBuf = call.path.iter().take(4).collect();
            let ledger = format!("state/{job}.ledger");
            let waits = unflushed.0.iter().find(|waits| {
                let what = waits.what.to_string_lossy();
                (waits.what.starts_with(&window) && waits.what != call.path)
                    || what.starts_with(&ledger) && !is_cache(&waits.what)
            });
            if let Some(waits) = waits {
                return Err(format!(
                    "let go of before {} was flushed",
                    waits.flush.display()
                ));
            }
        }
        let is_rename = call.kind == Kind::Rename;
        if is_rename && call.step() == Some(Step::WriteHead) {
            // It names what ledgers say, and the key of its signature.
            let is_named = |waits: &&Waits| {
                let what = waits.what.to_string_lossy();
                waits.what == call.path || what.ends_with(".ledger.jsonl") || what.ends_with(".sig")
            };
            if let Some(waits) = unflushed.0.iter().find(is_named) {
                let path = waits.flush.display();
                return Err(format!("a head before {path} was flushed"));
            }
        }
        if is_rename
            && call.step() == Some(Step::NoteHead)
            && let Some(path) = unflushed.below(Path::new(HEADS)).next()
        {
            return Err(format!(
                "kept beside the ledgers before {} was flushed",
                path.display()
            ));
        }
        for folder in &call.records {
            // Of another window of the job it says nothing.
            let too_early = |waits: &&Waits| match waits.what.starts_with("state") {
                true => {
                    // What is written in two pieces is flushed as one.
                    (waits.whose == job || waits.whose.is_empty())
                        && waits.what != call.path
                        && !waits.what.starts_with(QUARANTINE)
                }
                false => folder.starts_with(&waits.what) || waits.what.starts_with(folder),
            };
            if let Some(waits) = unflushed.0.iter().find(too_early) {
                let path = waits.flush.display();
                return Err(format!("recorded before {path} was flushed"));
            }
        }
        follow(&mut unflushed, call, job);
    }
    Ok(())
}

fn follow(unflushed: &mut Unflushed, call: &Call, job: &str) {
    match (call.kind, &call.to) {
        (Kind::Create | Kind::Write, _) if call.path.starts_with("archive/.staging") => {
            unflushed.bytes(&call.path, job);
            unflushed.name(&call.path, job);
        }
        (Kind::Create | Kind::Write, _) if call.keeps_aside() => unflushed.bytes(&call.path, job),
        (Kind::Create | Kind::Write, _)
            if matches!(
                call.step(),
                Some(
                    Step::MarkPruning
                        | Step::Append
                        | Step::WriteSignature
                        | Step::WriteHead
                        | Step::NoteHead
                )
            ) =>
        {
            unflushed.bytes(&call.path, job);
        }
        // No line says anything of the quarantine, so none waits for the names in it.
        (Kind::MakeFolder | Kind::Rename, _) if call.keeps_aside() => {}
        (Kind::MakeFolder, _) => unflushed.name(&call.path, job),
        // What can be deleted at any time (`docs/format.md`) is relied on by nobody.
        (Kind::Rename, Some(to)) if is_cache(to) => {}
        (Kind::Rename, Some(to)) => {
            unflushed.moved(&call.path, to);
            unflushed.name(to, job);
            if call.sets_aside() {
                // That it has gone is relied on too.
                unflushed.name(&call.path, job);
            }
        }
        (Kind::Remove, _) => unflushed
            .0
            .retain(|waits| !waits.what.starts_with(&call.path)),
        // A line that could not be flushed is cut off again, and nobody names it.
        (Kind::Truncate | Kind::SyncFile | Kind::SyncFolder, _) => {
            unflushed.0.retain(|waits| waits.flush != call.path);
        }
        _ => {}
    }
}

/// Whether a file of the state is a cache.
fn is_cache(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let caches = [".ledger.checkpoint", ".proven.json", ".densities.json"];
    name.starts_with("state/outage-") || caches.iter().any(|cache| name.ends_with(cache))
}
