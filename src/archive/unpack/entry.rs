//! What an entry of a zip may be: a plain file or a folder, compressed in a known way. Carries
//! *Suspicious*.

use std::io::Read;

use rustix::io::Errno;
use thiserror::Error;
use zip::CompressionMethod;
use zip::read::ZipFile;

use crate::archive::entry_name::BadName;

/// Why an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryFault {
    /// Its name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// This file system has no such names.
    #[error("this file system refuses its name: {0}")]
    NoSuchName(Errno),
    /// A link, a device or the like.
    #[error("it is no plain file (mode {0:o})")]
    NoPlainFile(u32),
    /// Encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// Compressed in a way that is not supported.
    #[error("its compression is not supported")]
    Method,
    /// A folder that holds bytes, which would be lost.
    #[error("it is a folder and has content")]
    FolderWithContent,
}

/// Checks what an entry is, and how it is compressed.
///
/// # Errors
/// When it is no plain file and no folder, or can't be read.
pub(super) fn check_kind<R: Read>(entry: &ZipFile<'_, R>) -> Result<(), EntryFault> {
    const FILE_TYPE: u32 = 0o170_000;
    if let Some(mode) = entry.unix_mode() {
        let expected = if entry.is_dir() { 0o040_000 } else { 0o100_000 };
        let kind = mode & FILE_TYPE;
        if kind != 0 && kind != expected {
            return Err(EntryFault::NoPlainFile(mode));
        }
    }
    if entry.encrypted() {
        return Err(EntryFault::Encrypted);
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => {}
        _ => return Err(EntryFault::Method),
    }
    // Deflate makes two bytes out of none.
    if entry.is_dir() && (entry.size() > 0 || entry.compressed_size() > 2) {
        return Err(EntryFault::FolderWithContent);
    }
    Ok(())
}
