//! A copy of an archive that a command is given: where it lies, and how it is read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::exit::Stop;
use crate::archive::storage::{Local, Storage};

/// A copy, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// What is read.
    pub(super) storage: Arc<dyn Storage>,
    /// What it is called.
    pub(super) shown: String,
}

impl Given {
    /// The copy in `dir`.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            storage: Arc::new(Local::at(dir)),
            shown: dir.display().to_string(),
        }
    }

    /// What it lies in, and its name in there.
    ///
    /// # Errors
    /// When its whole path can't be found out.
    pub(super) fn above(&self) -> Result<Option<(Self, String)>, Stop> {
        let whole = fs::canonicalize(self.storage.place(""));
        let whole = whole.map_err(|error| self.cant_read(&error))?;
        let (Some(above), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Ok(None);
        };
        Ok(Some((Self::of(above), name.to_string_lossy().into_owned())))
    }

    /// That it can't be read.
    pub(super) fn cant_read(&self, error: &std::io::Error) -> Stop {
        Stop::failed(format!("can't read {}: {error}", self.shown))
    }
}
