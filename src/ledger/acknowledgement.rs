//! The operator's acknowledgement of what is lost, truncated or unproven: `status --ack` writes it
//! beside the ledger, since the ledger itself belongs to whoever holds the lock. It counts at once, and
//! the next cycle records it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::replay::Replay;
use super::{LedgerError, unreadable};
use crate::domain::span::UtcMs;
use crate::durable::{Disk, DiskError, off_the_runtime};

/// Where the acknowledgement for a ledger's job is.
#[must_use]
pub(crate) fn path(ledger: &Path) -> PathBuf {
    ledger.with_extension("acknowledged")
}

/// Acknowledges everything lost before `until`, and what was recorded `truncated` or `unproven` up to
/// then.
///
/// # Errors
/// When it can't be written.
pub(crate) fn leave(ledger: &Path, until: UtcMs, disk: &Disk) -> Result<(), DiskError> {
    disk.acknowledge(&path(ledger), &format!("{}\n", until.0))
}

/// Until when that is acknowledged, if at all. A file that can't be parsed acknowledges nothing.
///
/// # Errors
/// When it is there and can't be read.
pub(crate) fn read(ledger: &Path) -> Result<Option<UtcMs>, LedgerError> {
    let path = path(ledger);
    match off_the_runtime(|| fs::read_to_string(&path)) {
        Ok(text) => Ok(text.trim().parse().ok().map(UtcMs)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    }
}

/// Takes an acknowledgement that is not recorded yet into `replay`, what the ledger shows. A file that
/// can't be read acknowledges nothing.
pub(crate) fn count_at_once(ledger: &Path, replay: &mut Replay) {
    if let Ok(Some(until)) = read(ledger) {
        replay.acknowledge_until(until);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Guarantee: Candid
    #[test]
    fn whoever_leaves_word_the_daemon_s_user_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("shop.ledger.jsonl");
        assert_eq!(read(&ledger).unwrap(), None);
        for until in [UtcMs(7), UtcMs(8)] {
            leave(&ledger, until, &Disk::default()).unwrap();
            assert_eq!(read(&ledger).unwrap(), Some(until));
            let mode = fs::metadata(path(&ledger)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
        }
        // Nothing half-written is left beside it.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(path(&ledger), "whenever").unwrap();
        assert_eq!(read(&ledger).unwrap(), None);
    }
}
