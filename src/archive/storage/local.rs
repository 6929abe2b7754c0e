//! An archive in a folder of this machine.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use super::{Entry, Lying, Storage};
use crate::archive::plain_file;

/// The folder with an archive, a copy of one, or a part of a copy.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    root: PathBuf,
}

impl Local {
    /// The archive at `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }
}

impl Storage for Local {
    fn place(&self, path: &str) -> PathBuf {
        match path {
            "" => self.root.clone(),
            path => self.root.join(path),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let listing = match fs::read_dir(self.place(folder)) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(Vec::new());
            }
            listing => listing?,
        };
        let mut found = Vec::new();
        for entry in listing {
            let entry = entry?;
            let is_folder = match entry.file_type() {
                // A job's folder may be a link to another disk.
                Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
                kind => kind.is_ok_and(|kind| kind.is_dir()),
            };
            let name = entry.file_name().into_string().ok();
            found.extend(name.map(|name| Entry { name, is_folder }));
        }
        Ok(found)
    }

    fn files_below(&self, folder: &str) -> Vec<Lying> {
        let path = self.place(folder);
        let mut found = Vec::new();
        let mut below = vec![PathBuf::new()];
        while let Some(at) = below.pop() {
            let listing = match fs::read_dir(path.join(&at)) {
                Ok(listing) => listing,
                Err(error) => {
                    found.push(Lying::Unlisted(at, error));
                    continue;
                }
            };
            for entry in listing {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        found.push(Lying::Unlisted(at, error));
                        break;
                    }
                };
                let relative = at.join(entry.file_name());
                match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    true => below.push(relative),
                    false => found.push(Lying::File(relative)),
                }
            }
        }
        found
    }

    fn is_folder(&self, path: &str) -> io::Result<bool> {
        match path {
            // Whoever gave it may have given a link.
            "" => fs::metadata(&self.root),
            path => fs::symlink_metadata(self.place(path)),
        }
        .map(|found| found.is_dir())
    }

    fn length(&self, file: &str) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.place(file)) {
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Err(plain_file::no_plain_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, file: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(plain_file::open(&self.place(file))?))
    }

    fn open_once(&self, file: &str) -> io::Result<Box<dyn Read + Send>> {
        let file = plain_file::open(&self.place(file))?;
        // A file system that takes no advice reads it all the same.
        let _ = fadvise(&file, 0, None, Advice::Sequential);
        Ok(Box::new(Once(file)))
    }

    fn open_whole(&self, file: &str, _most: u64) -> io::Result<File> {
        plain_file::open(&self.place(file))
    }
}

/// A file that leaves the system's cache when it is closed.
struct Once(File);

impl Read for Once {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        let _ = fadvise(&self.0, 0, None, Advice::DontNeed);
    }
}
