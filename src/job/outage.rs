//! The outage of an account as `status` reads it, which is another process: `<state.dir>/outage-NAME.json`,
//! there while the account's service is down. It is no state: nothing is decided by it, and a start removes
//! it. The ledgers can't tell: jobs that are held up write no line, and one that is answered
//! says nothing of the others. Carries *Candid*.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::job::AccountName;
use crate::domain::outage::Down;
use crate::domain::span::UtcMs;
use crate::durable::{Disk, DiskError};

/// What is kept of an outage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// When its first window failed.
    pub(crate) since_ms: UtcMs,
    /// When it was asked last.
    pub(crate) last_ms: UtcMs,
    /// When it is asked next.
    pub(crate) next_ms: UtcMs,
    /// The last failure, fit to print.
    pub(crate) message: String,
    /// The jobs of which windows have failed.
    pub(crate) jobs: Vec<String>,
}

fn path(state_dir: &Path, account: &AccountName) -> PathBuf {
    state_dir.join(format!("outage-{account}.json"))
}

/// Keeps an outage, or removes it once there is none.
///
/// # Errors
/// When it can't be written or removed.
pub(crate) fn keep(
    state_dir: &Path,
    account: &AccountName,
    down: Option<Down>,
    disk: &Disk,
) -> Result<(), DiskError> {
    let path = path(state_dir, account);
    let Some(down) = down else {
        return disk.remove(&path);
    };
    let kept = Kept {
        since_ms: down.since,
        last_ms: down.last,
        next_ms: down.next,
        message: down.message,
        jobs: down.jobs.iter().map(ToString::to_string).collect(),
    };
    let json = serde_json::to_vec(&kept).unwrap_or_default();
    disk.replace_cache(&path, &json)
}

/// The outage of an account; `None` where there is none, or it can't be read.
#[must_use]
pub(crate) fn read(state_dir: &Path, account: &AccountName) -> Option<Kept> {
    let json = fs::read(path(state_dir, account)).ok()?;
    serde_json::from_slice(&json).ok()
}
