//! Ledgers as files: where they are, which there are, and how one is read.

use std::fs::{self, File};
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::chain;
use super::error::{LedgerError, unreadable};
use super::line::Line;
use super::lines::Damage;
use super::replay::Replay;
use crate::domain::job::JobName;

/// How a ledger's file is called after its job.
const LEDGER: &str = ".ledger.jsonl";

/// Where the ledger of a job is.
pub(super) fn path(state_dir: &Path, job: &JobName) -> PathBuf {
    state_dir.join(format!("{job}{LEDGER}"))
}

/// The jobs that have a ledger in `state_dir`, by name.
///
/// # Errors
/// When the folder is there and can't be listed.
pub(crate) fn jobs(state_dir: &Path) -> io::Result<Vec<JobName>> {
    let listing = match fs::read_dir(state_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut jobs = Vec::new();
    for entry in listing {
        let name = entry?.file_name();
        let job = name.to_str().and_then(|name| name.strip_suffix(LEDGER));
        jobs.extend(job.and_then(|job| JobName::parse(job).ok()));
    }
    jobs.sort();
    Ok(jobs)
}

/// Reads the lines of a ledger after those that `known` knows already.
pub(super) fn read_on(
    state_dir: &Path,
    job: &JobName,
    known: impl FnOnce(&Path, &mut File) -> Option<Replay>,
    each: impl FnMut(&Line),
) -> Result<Replay, LedgerError> {
    let path = path(state_dir, job);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Replay::default()),
        Err(source) => return Err(unreadable(&path, source)),
    };
    let known = known(&path, &mut file).unwrap_or_default();
    file.seek(SeekFrom::Start(known.end))
        .map_err(|source| unreadable(&path, source))?;
    let lines = BufReader::with_capacity(256 * 1024, file);
    chain::read_on(known, lines, each).map_err(|damage| told(&path, job, damage))
}

/// What is wrong with a ledger, for the operator.
pub(super) fn told(path: &Path, job: &JobName, damage: Damage) -> LedgerError {
    let path = path.to_owned();
    match damage {
        Damage::Unreadable(source) => unreadable(&path, source),
        damage @ Damage::Line { .. } => LedgerError::Damaged {
            path,
            what: damage.to_string(),
            job: job.clone(),
        },
        damage @ Damage::Newer { .. } => LedgerError::Newer {
            path,
            what: damage.to_string(),
        },
    }
}
