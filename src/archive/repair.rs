//! What cures a folder that is not as it was published, and the hands that do it. Nothing is deleted: what
//! does not belong is moved to `.damaged`. Carries *Curable*.

use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{MANIFEST, Manifest};
use super::plain_file;
use super::prune::{self, PRUNED_SUMS};
use super::publish::{SUMS, make_parents, sums};
use super::recorded::Recorded;
use super::store::Store;
use super::verify::folder::{self, Expected};
use super::verify::{Depth, Finding, JobReport, Problem};
use crate::digest::Digest;
use crate::durable::{DiskError, Step};

/// The folder below the root that holds what was set aside; collectors skip its name.
pub(crate) const DAMAGED: &str = ".damaged";

/// What cures a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// It is as it was published.
    Nothing,
    /// It is gone: that is recorded.
    RecordMissing,
    /// Its data are gone as if they were let go of: that is recorded. What proves them stays where it is.
    RecordPruned,
    /// What was published is damaged, for this reason: it is set aside, and recorded missing.
    SetAside(String),
    /// What was published is there: these files that are not of it are set aside, and `SHA256SUMS` is
    /// written again where that is what differs.
    Tidy {
        /// The files, relative to the folder; their names may be no text.
        added: Vec<PathBuf>,
        /// Whether the sums are not those of the manifest.
        sums: bool,
    },
    /// It can't be read now, for this reason: nothing is known of it.
    Leave(String),
}

/// What cures a folder of which this was found; `added` are the files that are not of it.
pub(crate) fn remedy(findings: &[Finding], added: Vec<PathBuf>) -> Remedy {
    let mut damaged = None;
    let (mut sums, mut is_pruned) = (false, false);
    for finding in findings {
        let file = finding.file.as_deref();
        match (&finding.problem, file) {
            (Problem::Unreachable(_), _) => return Remedy::Leave(finding.to_string()),
            (Problem::Missing, None) => return Remedy::RecordMissing,
            (Problem::Added, Some(_)) => {}
            (Problem::Missing | Problem::Changed, Some(SUMS | PRUNED_SUMS)) => sums = true,
            (Problem::PruneNotInLedger, _) => is_pruned = true,
            _ => {
                damaged.get_or_insert_with(|| finding.to_string());
            }
        }
    }
    match damaged {
        Some(why) => Remedy::SetAside(why),
        None if is_pruned => Remedy::RecordPruned,
        None if added.is_empty() && !sums => Remedy::Nothing,
        None => Remedy::Tidy { added, sums },
    }
}

/// What cures a folder that the ledger has recorded; all of its files are hashed again, and those in its zips where
/// `depth` says so.
pub(crate) fn examine(store: &Store, recorded: &Recorded, depth: Depth) -> Remedy {
    let expected = Expected {
        manifest: recorded.archived.manifest_sha256,
        is_pruned: recorded.is_pruned,
    };
    let mut report = JobReport::default();
    folder::verify(
        &store.storage(),
        &recorded.archived.folder,
        None,
        Some(expected),
        depth,
        &mut report,
    );
    remedy(&report.findings, report.added)
}

/// Moves a folder or a file, relative to the root, to `.damaged`. Returns where it is now, relative too.
///
/// # Errors
/// When it can't be moved; it is in its old place then, or in the new one, and whole.
pub(crate) fn set_aside(store: &Store, place: &Path) -> Result<PathBuf, DiskError> {
    let (from, disk) = (store.root().join(place), store.disk());
    store.check_before(Step::SetAside, &from)?;
    let mut number = 1_u32;
    loop {
        let mut aside = Path::new(DAMAGED).join(place).into_os_string();
        if number > 1 {
            aside.push(format!(".{number}"));
        }
        let aside = PathBuf::from(aside);
        let to = store.root().join(&aside);
        let above = to.parent().unwrap_or(store.root());
        make_parents(store, &aside)?;
        match disk.set_folder_aside(&from, &to) {
            Err(error) if error.name_is_taken() => number += 1,
            moved => {
                moved?;
                disk.sync_folder(Step::SyncAside, above)?;
                disk.sync_folder(Step::SyncAside, from.parent().unwrap_or(store.root()))?;
                return Ok(aside);
            }
        }
    }
}

/// Makes durable that a folder is not there: a repair that was killed may have moved it just before.
///
/// # Errors
/// When what is there of the folders above it can't be flushed.
pub(crate) fn make_absence_durable(store: &Store, folder: &str) -> Result<(), DiskError> {
    for above in Path::new(folder).ancestors().skip(1) {
        let synced = store
            .disk()
            .sync_folder(Step::SyncAside, &store.root().join(above));
        match synced {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Writes the `SHA256SUMS` of a folder again, as its manifest says; one that is there is set aside.
///
/// # Errors
/// When the manifest is not the one that was recorded any more, or the disk fails.
pub(crate) fn write_sums(store: &Store, recorded: &Recorded) -> Result<(), String> {
    let folder = &recorded.archived.folder;
    let place = store.root().join(folder);
    let json = plain_file::read(&place.join(MANIFEST)).map_err(|error| error.to_string())?;
    let digest = Digest::of(&json);
    if digest != recorded.archived.manifest_sha256 {
        return Err(format!("{folder}/{MANIFEST} has changed meanwhile"));
    }
    let manifest = Manifest::parse(&json)?;
    // Where there are data they are not let go of, whatever sums lie beside them.
    let name = match recorded.is_pruned && !prune::has_data(&store.storage(), folder, &manifest) {
        true => PRUNED_SUMS,
        false => SUMS,
    };
    let text = sums(&manifest, digest);
    let staged = store.root().join(super::store::STAGING).join("repair");
    let written = || -> Result<(), DiskError> {
        let disk = store.disk();
        disk.remove(&staged)?;
        store.make_staging(&staged)?;
        let mut out = disk.create(Step::StageSums, &staged.join(SUMS))?;
        out.write(text.as_bytes())?;
        out.sync(Step::SyncSums)?;
        if is_there(&place.join(name)) {
            set_aside(store, &Path::new(folder).join(name))?;
        }
        disk.publish(&staged.join(SUMS), &place.join(name))?;
        disk.sync_folder(Step::SyncParent, &place)?;
        disk.remove(&staged)
    };
    written().map_err(|error| error.to_string())
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: Option<&str>, problem: Problem) -> Finding {
        Finding {
            folder: "shop/d/w".into(),
            file: file.map(str::to_owned),
            problem,
        }
    }

    /// Guarantee: Curable
    #[test]
    fn good_data_is_never_set_aside_for_what_lies_beside_it() {
        let stray = finding(Some("part-0001/.nfs01"), Problem::Added);
        let sums = finding(Some(SUMS), Problem::Changed);
        let added = || vec![PathBuf::from("part-0001/.nfs01")];
        assert_eq!(
            remedy(&[stray.clone(), sums.clone()], added()),
            Remedy::Tidy {
                added: added(),
                sums: true
            }
        );
        let changed = finding(Some("part-0001/logs.json"), Problem::Changed);
        assert!(matches!(
            remedy(&[stray, changed.clone(), sums], added()),
            Remedy::SetAside(_)
        ));
        assert_eq!(remedy(&[], Vec::new()), Remedy::Nothing);
        // Of what was let go of, and of what was brought back, too.
        let pruned = finding(Some(PRUNED_SUMS), Problem::Changed);
        assert_eq!(
            remedy(&[pruned], Vec::new()),
            Remedy::Tidy {
                added: Vec::new(),
                sums: true
            }
        );
        assert_eq!(
            remedy(&[finding(None, Problem::PruneNotInLedger)], Vec::new()),
            Remedy::RecordPruned
        );
        assert_eq!(
            remedy(&[finding(None, Problem::Missing)], Vec::new()),
            Remedy::RecordMissing
        );
        // Another file can't be read now: nothing is known of the folder.
        let denied = finding(Some("part-0001/b.json"), Problem::Unreachable("x".into()));
        assert!(matches!(
            remedy(&[changed, denied], Vec::new()),
            Remedy::Leave(_)
        ));
    }
}
