//! Where in a day the records of a job lie, kept for the next start: `<state.dir>/NAME.densities.json`. It is no
//! state: it only says what is asked for first, and can be deleted at any time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::job::JobName;
use crate::domain::split::shape::Shape;
use crate::durable::{Disk, DiskError};

fn path(state_dir: &Path, job: &JobName) -> PathBuf {
    state_dir.join(format!("{job}.densities.json"))
}

/// Keeps what is known, if anything is.
///
/// # Errors
/// When it can't be written.
pub(crate) fn keep(
    state_dir: &Path,
    job: &JobName,
    shape: &Shape,
    disk: &Disk,
) -> Result<(), DiskError> {
    match serde_json::to_vec(shape) {
        Ok(json) if !shape.is_empty() => disk.replace_cache(&path(state_dir, job), &json),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What was kept; nothing where there is none, or it can't be read.
pub(crate) fn read(state_dir: &Path, job: &JobName) -> Shape {
    let kept = fs::read(path(state_dir, job)).ok();
    let kept = kept.and_then(|json| serde_json::from_slice(&json).ok());
    kept.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::{Span, UtcMs};
    use crate::domain::split::histogram::Histogram;

    #[test]
    fn what_is_kept_is_read_back_and_what_is_damaged_counts_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let job = JobName::parse("shop").unwrap();
        let disk = Disk::default();
        let kept = || fs::read(path(dir.path(), &job));
        keep(dir.path(), &job, &Shape::default(), &disk).unwrap();
        assert!(kept().is_err(), "nothing is known of most jobs");
        let mut shape = Shape::default();
        let hour = Span::new(UtcMs(0), UtcMs(3_600_000)).unwrap();
        shape.note(&Histogram::of(hour));
        keep(dir.path(), &job, &shape, &disk).unwrap();
        assert_eq!(read(dir.path(), &job), shape);
        let half = kept().unwrap();
        fs::write(path(dir.path(), &job), &half[..half.len() / 2]).unwrap();
        assert_eq!(read(dir.path(), &job), Shape::default());
    }
}
