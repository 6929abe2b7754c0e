//! What a manifest says of one download, and of the data files that lie in the window's folder for it. Carries
//! *Evident*.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::domain::span::UtcMs;
use crate::domain::split::Status;

/// One download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// First instant asked for, UTC milliseconds.
    pub from_ms: UtcMs,
    /// First instant after, UTC milliseconds.
    pub to_ms: UtcMs,
    /// What is known of it.
    pub status: Status,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// The number of attempts, 1 or more.
    pub attempts: u32,
    /// When the answer had come in full, RFC 3339.
    pub received_at: String,
    /// The zip as it came.
    pub zip: Zip,
    /// The zip's files, in its order. They lie in the folder unless the zip does.
    pub files: Vec<DataFile>,
}

/// A zip as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zip {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Where it is kept, relative to the window's folder; `None` where its files are kept instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One file of a zip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the window's folder, with `/` between its components. Where the zip is kept, what follows the
    /// part's folder is the entry's name in it.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// Its records; `None` when they can't be counted.
    pub records: Option<u64>,
    /// Smallest `logTime` that could be read, UTC milliseconds.
    pub first_ms: Option<UtcMs>,
    /// Largest `logTime` that could be read, UTC milliseconds.
    pub last_ms: Option<UtcMs>,
}

/// What the folder of a part's files is called; `number` is 1 for the first part.
#[must_use]
pub fn folder_of_part(number: usize) -> String {
    format!("part-{number:04}")
}

/// What the zip of a part is called where it is kept; `number` is 1 for the first part.
#[must_use]
pub fn zip_of_part(number: usize) -> String {
    folder_of_part(number) + ".zip"
}

/// A data file as it lies in a window's folder: a file of a zip, or a zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Relative to the window's folder.
    pub path: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

impl Part {
    /// The data files of the part that lie in the window's folder.
    pub fn stored(&self) -> impl Iterator<Item = Stored<'_>> {
        let zip = self.zip.path.as_deref().map(|path| Stored {
            path,
            bytes: self.zip.bytes,
            sha256: self.zip.sha256,
        });
        let unpacked = if zip.is_some() { &[] } else { &self.files[..] };
        let files = unpacked.iter().map(|file| Stored {
            path: &file.path,
            bytes: file.bytes,
            sha256: file.sha256,
        });
        zip.into_iter().chain(files)
    }
}
