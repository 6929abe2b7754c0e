//! The folder in which one run after the other works.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder, gone with this.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// Below `folder`, which is made where it is missing.
    pub fn below(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let made = tempfile::Builder::new()
            .prefix("speed-")
            .tempdir_in(folder)?;
        Ok(Self(made))
    }

    /// The folder itself; what lies in it stays.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// An empty folder for the next run. What the run before left is gone, and nothing of it waits for the disk.
    pub fn fresh(&self) -> io::Result<PathBuf> {
        let home = self.0.path().join("run");
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir(&home)?;
        rustix::fs::syncfs(File::open(&home)?)?;
        Ok(home)
    }
}
