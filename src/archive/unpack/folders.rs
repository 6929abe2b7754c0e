//! The folders made for the files of one zip.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{UnpackError, Unpacking};
use crate::durable::{DiskError, Step};

/// The folders made for the files of one zip.
#[derive(Debug, Default)]
pub(super) struct Folders {
    made: BTreeSet<PathBuf>,
}

impl Folders {
    /// Makes the folders above entry `index`, whose `path` is relative to the part's folder, and
    /// that one.
    pub(super) fn make_above(
        &mut self,
        unpacking: &Unpacking<'_>,
        index: usize,
        path: &str,
    ) -> Result<(), UnpackError> {
        let Some(folder) = unpacking.folder else {
            return Ok(());
        };
        self.make(unpacking, folder.to_owned())?;
        for (at, _) in path.match_indices('/') {
            self.make(unpacking, folder.join(&path[..at]))
                .map_err(|error| UnpackError::making(index, error))?;
        }
        Ok(())
    }

    fn make(&mut self, unpacking: &Unpacking<'_>, folder: PathBuf) -> Result<(), DiskError> {
        if !self.made.contains(&folder) {
            unpacking.store.make_staging(&folder)?;
            self.made.insert(folder);
        }
        Ok(())
    }

    /// Makes the names in all of them durable, a folder after those in it.
    pub(super) fn sync(self, unpacking: &Unpacking<'_>) -> Result<(), DiskError> {
        let disk = unpacking.store.disk();
        self.made
            .iter()
            .rev()
            .try_for_each(|made| disk.sync_folder(Step::SyncDataFolder, made))
    }
}
