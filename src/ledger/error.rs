//! Why a ledger can't be used, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::job::JobName;
use crate::durable::DiskError;

/// Why a ledger can't be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Its file can't be read.
    #[error("can't read the ledger {path}: {source}")]
    Unreadable {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is damaged in another way than by a torn last line.
    #[error(
        "the ledger {path} is damaged: {what}; the job is stopped, its archive is untouched. To \
         rebuild the ledger from the manifests, move this file away and restart elsa-archiver, \
         or run `elsa-archiver once --job {job}` where none is running; to prove the archive meanwhile, run `elsa-archiver verify` on its folder"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        what: String,
        /// The job.
        job: JobName,
    },
    /// It can't be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A line can't be made; it says why.
    #[error("can't write a line of the ledger {path}: {what}")]
    Line {
        /// The ledger.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
