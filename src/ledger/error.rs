//! Why a ledger can't be used, and what to do. Carries *Candid*; no advice loses what only the ledger says.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::job::JobName;
use crate::durable::{DiskError, advice_on};

/// Why a ledger can't be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Its file can't be read.
    #[error("can't read the ledger {path}: {source}{}", advice_on(path, source))]
    Unreadable {
        /// The ledger.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is damaged in another way than by a torn last line.
    #[error(
        "the ledger {path} is damaged: {what}; the job is stopped, its archive is untouched. Bring the \
         file back from a copy of the state directory, an older one too. Where there is none, rename it \
         and keep it, since it alone says what was lost and acknowledged; then restart elsa-archiver, or \
         run `elsa-archiver once --job {job}` where none is running: the ledger is rebuilt from the \
         manifests. To prove the archive meanwhile, run `elsa-archiver verify` on its folder"
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        what: String,
        /// The job.
        job: JobName,
    },
    /// A newer version wrote something in it that this one does not know.
    #[error(
        "a newer version of elsa-archiver wrote the ledger {path}: {what}; the job is stopped, nothing is \
         changed. Install that version again; leave the ledger where it is. This is version {version}",
        version = env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Which line, and what of it is not known.
        what: String,
    },
    /// Its checkpoint shows what its lines don't.
    #[error(
        "{path} does not show what the first {lines} lines of its ledger say; the job is stopped, and nothing is \
         lost: the lines are in order. Restart elsa-archiver, which reads every line; and please report it"
    )]
    Checkpoint {
        /// The checkpoint, which is taken away.
        path: PathBuf,
        /// Lines that it holds.
        lines: u64,
    },
    /// The proof of what a start has not read has found it damaged; says what the proof says.
    #[error("{0}")]
    Found(String),
    /// An order about a hold that was left beside it can't be understood.
    #[error(
        "can't read the order {path}: {what}; nothing of its job is let go of until it can be. Give the order again \
         (`elsa-archiver hold`, `release`), then remove that file"
    )]
    Order {
        /// The order.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The mark of a prune that has begun can't be understood.
    #[error(
        "can't understand {path}, which says that a prune has begun; nothing of its job is let go of. Remove that \
         file: what has no data by then stays so, the rest can be let go of anew"
    )]
    Mark {
        /// The mark.
        path: PathBuf,
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
