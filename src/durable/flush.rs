//! A file that is made durable by another thread than the one that writes it. Carries *Ordered*.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};

use super::{Disk, DiskError, Step, off_the_runtime};

/// A file that is to be made durable.
///
/// It shares the writer's descriptor. The first flush after an error of the disk gets the error, and later ones do
/// not. So each error must fail the window.
#[derive(Debug)]
pub struct Flush {
    disk: Disk,
    path: PathBuf,
    file: Arc<File>,
}

impl Flush {
    pub(super) const fn new(disk: Disk, path: PathBuf, file: Arc<File>) -> Self {
        Self { disk, path, file }
    }

    /// Lets the disk begin with what was written, and does not wait for it. Linux does so when it is advised
    /// that the bytes are not needed (posix_fadvise(2), `POSIX_FADV_DONTNEED`). Where it does not, only time is
    /// lost.
    pub fn begin(&self) {
        let _ = off_the_runtime(|| fadvise(&self.file, 0, None, Advice::DontNeed));
    }

    /// Makes everything written so far durable. A file that is flushed before its end is large, so it leaves the
    /// page cache, which others may need.
    ///
    /// # Errors
    /// When the disk refuses; after that nothing written can be relied on.
    pub fn sync(&self, step: Step) -> Result<(), DiskError> {
        self.disk.step(step, &self.path, || match step {
            Step::FlushData => self.file.sync_data(),
            _ => self.file.sync_all(),
        })?;
        if step == Step::FlushData {
            // To advise once more drops what is written.
            self.begin();
        }
        Ok(())
    }
}
