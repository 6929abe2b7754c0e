//! The heads of an archive: where they are, which is the newest, and how one more is made. Carries *Evident* and *Atomic*: a
//! head names nothing that is not durable, and is there whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::head::{self, Head, OfJob};
use crate::archive::identity;
use crate::archive::plain_file;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Zone;
use crate::durable::{Disk, DiskError, Step, advice_on, evidence};
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, jobs};

/// Where heads are, below `_archive`.
const FOLDER: &str = "heads";

/// The newest head as the state directory keeps it: whoever may write the archive may not write there.
const KEPT: &str = "newest.head";

/// What the name of a head's file ends with.
const EXTENSION: &str = ".head";

/// How many files that are no heads may be in the way of one.
const MOST_TAKEN: u32 = 1_000;

/// The longest file that may be one; a thousand jobs have some 400 KB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// How far a clock may go back without a day being a new one.
const BACK: Millis = Millis::from_days(1);

/// Why no head could be made.
#[derive(Debug, Error)]
pub(crate) enum HeadError {
    /// Folder or file can't be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A head in the archive has the highest number.
    #[error("a head in the archive has the highest number that there is; move it away")]
    NoNumber,
    /// What there is can't be read.
    #[error("can't read {path}: {why}")]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
}

/// The places that heads are kept in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The archive's root.
    pub(crate) root: &'a Path,
    /// The state directory.
    pub(crate) state_dir: &'a Path,
}

/// The newest head, as far as is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Newest {
    /// The head.
    pub(crate) head: Option<Head>,
    /// Why it is not, or may not be, the one that the archive has; fit for the operator.
    pub(crate) doubt: Option<String>,
    /// The highest number of a head in the archive.
    highest: u64,
}

/// The folder of an archive's heads.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(identity::FOLDER).join(FOLDER)
}

/// A head's path below the root, for people.
pub(crate) fn relative(number: u64) -> String {
    let name = head::file_name(number);
    format!("{}/{FOLDER}/{name}", identity::FOLDER)
}

/// The numbers of the heads at `root`, the lowest first.
///
/// # Errors
/// When the folder is there and can't be listed.
pub(crate) fn numbers(root: &Path) -> io::Result<Vec<u64>> {
    let listing = match fs::read_dir(folder(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut numbers = Vec::new();
    for entry in listing {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(EXTENSION));
        let number = stem.and_then(|stem| stem.parse().ok());
        numbers.extend(number.filter(|&number| head::file_name(number).as_str() == name));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The text of the head with this number.
///
/// # Errors
/// When it can't be read.
pub(crate) fn text(root: &Path, number: u64) -> io::Result<String> {
    text_at(&folder(root).join(head::file_name(number)))
}

/// The text of a file that may be a head.
///
/// # Errors
/// When it can't be read, or is no plain text file.
pub(crate) fn text_at(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut file = plain_file::open(path)?.take(LONGEST + 1);
    if file.read_to_end(&mut bytes)? as u64 > LONGEST {
        return Err(io::Error::other("it is too long for a head"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text"))
}

/// The head that the state directory keeps; `None` where there is none.
///
/// # Errors
/// When it is there and can't be read.
pub(crate) fn kept(state_dir: &Path) -> Result<Option<Head>, HeadError> {
    let path = state_dir.join(KEPT);
    let unreadable = |why: String| HeadError::Unreadable {
        path: path.clone(),
        why,
    };
    match text_at(&path) {
        Ok(text) => Head::parse(&text).map(Some).map_err(unreadable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(format!("{error}{}", advice_on(&path, &error)))),
    }
}

/// The newest head of archive and state directory.
///
/// # Errors
/// When a file that may be it can't be read.
pub(crate) fn newest(place: Place<'_>, id: &ArchiveId) -> Result<Newest, HeadError> {
    let unreadable = |path: PathBuf, error: &io::Error| HeadError::Unreadable {
        why: format!("{error}{}", advice_on(&path, error)),
        path,
    };
    let numbers = numbers(place.root).map_err(|error| unreadable(folder(place.root), &error))?;
    let mut here = None;
    for &number in numbers.iter().rev() {
        let read = match text(place.root, number) {
            Err(error) if error.raw_os_error().is_some() => {
                let path = folder(place.root).join(head::file_name(number));
                return Err(unreadable(path, &error));
            }
            read => read.map_err(|error| error.to_string()),
        };
        // What is none, `verify` tells.
        let head = read.and_then(|text| Head::parse(&text));
        here = head
            .ok()
            .filter(|head| head.number == number && head.archive == *id);
        if here.is_some() {
            break;
        }
    }
    let (kept, doubt) = match kept(place.state_dir) {
        Ok(kept) => (kept.filter(|kept| kept.archive == *id), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let highest = here.as_ref().map_or(0, |here| here.number);
    let chosen = match (here, kept) {
        // The program was killed before it could keep the newest one, or the state directory is an older one.
        (Some(here), Some(kept)) if goes_on(place.root, &numbers, &kept, &here) => {
            newer(Some(here), None)
        }
        (here, kept) => newer(here, kept),
    };
    Ok(Newest {
        doubt: doubt.or(chosen.doubt),
        highest,
        ..chosen
    })
}

/// Whether the heads at `root` with these numbers lead from one to another, each naming the one before.
fn goes_on(root: &Path, numbers: &[u64], from: &Head, to: &Head) -> bool {
    let mut before: Option<Head> = None;
    let between = numbers
        .iter()
        .filter(|number| (from.number..=to.number).contains(number));
    for &number in between {
        let head = text(root, number).ok();
        // What is no head had its name first.
        let Some(head) = head.and_then(|text| Head::parse(&text).ok()) else {
            continue;
        };
        let is_next = match &before {
            None => head == *from,
            Some(before) => head.previous == Some(before.digest()),
        };
        if !is_next {
            return false;
        }
        before = Some(head);
    }
    before.as_ref() == Some(to)
}

/// The newer one of the archive's newest head and the one that the state directory keeps.
fn newer(here: Option<Head>, kept: Option<Head>) -> Newest {
    let of = |head: Option<Head>, doubt: Option<String>| Newest {
        head,
        doubt,
        highest: 0,
    };
    match (here, kept) {
        (here, None) => of(here, None),
        (Some(here), Some(kept)) if here == kept => of(Some(here), None),
        (_, Some(kept)) => {
            let doubt = format!(
                "{} is not the newest head in the archive, as the state directory says in {KEPT}: somebody has removed, \
                 changed or added one; bring the archive's heads back from a copy",
                relative(kept.number)
            );
            of(Some(kept), Some(doubt))
        }
    }
}

/// Whether a head is to be made at `now`, where the last one was made at `last`: once a day of the archive's zone.
pub(crate) fn is_due(last: Option<UtcMs>, now: UtcMs, zone: &Zone) -> bool {
    let Some(last) = last else { return true };
    let day = |at: UtcMs| at.timestamp().to_zoned(zone.tz().clone()).date();
    // A clock that was ahead must not hold up the heads until it is reached again.
    day(now) > day(last) || now.plus(BACK) < last
}

impl OfJob {
    /// What a ledger shows; `None` of an empty one.
    pub(crate) fn of(replay: &Replay) -> Option<Self> {
        let said = replay.settings.as_ref().map(|settings| settings.since_ms);
        let first = || replay.coverage.spans().next().map(|span| span.from());
        let since = said.or_else(first);
        (replay.lines > 0).then(|| Self {
            since,
            lines: replay.lines,
            ledger: replay.last_line,
            windows: replay.folders,
            pruned: replay.pruned.amount().windows,
            covered_until: since.map(|since| replay.accounted().covered_until(since)),
            holes: replay.untold.holes(),
            newest: replay.last_manifest,
        })
    }
}

/// What the ledgers in `state_dir` show, but for the jobs that are `known`; and why some can't be read.
///
/// # Errors
/// When the state directory can't be listed.
pub(crate) fn of_ledgers(
    state_dir: &Path,
    known: &BTreeMap<JobName, OfJob>,
) -> Result<(BTreeMap<JobName, OfJob>, Vec<String>), HeadError> {
    let names = jobs(state_dir).map_err(|error| HeadError::Unreadable {
        path: state_dir.to_owned(),
        why: format!("{error}{}", advice_on(state_dir, &error)),
    })?;
    let (mut found, mut unread) = (known.clone(), Vec::new());
    for name in names {
        if !known.contains_key(&name) {
            match Ledger::glance(state_dir, &name) {
                Ok(replay) => found.extend(OfJob::of(&replay).map(|of_job| (name, of_job))),
                Err(error) => unread.push(error.to_string()),
            }
        }
    }
    Ok((found, unread))
}

/// When a head is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In any case.
    Now,
    /// Where none was made today.
    Due,
    /// Where none was made today, or the jobs are not as the last one says.
    Changed,
}

/// Makes a head of all jobs, durably: of those that are `known` it says that, of the others what their ledgers show, and
/// where one can't be read what the last head says. Returns it; `None` where none is wanted.
///
/// # Errors
/// When it can't be written; it is there whole then, or not at all.
pub(crate) fn make(
    place: Place<'_>,
    (id, now, zone): (&ArchiveId, UtcMs, &Zone),
    known: &BTreeMap<JobName, OfJob>,
    when: When,
    disk: &Disk,
) -> Result<Option<Head>, HeadError> {
    let Newest {
        head: last,
        doubt,
        highest,
    } = newest(place, id)?;
    let (found, unread) = of_ledgers(place.state_dir, known)?;
    let replaced = last
        .as_ref()
        .map_or_else(Vec::new, |last| last.replaced(&found));
    let is_due = !replaced.is_empty() || is_due(last.as_ref().map(|last| last.at), now, zone);
    if when == When::Due && !is_due {
        return Ok(None);
    }
    let mut jobs = last
        .as_ref()
        .map_or_else(BTreeMap::new, |last| last.jobs.clone());
    jobs.extend(found);
    let is_changed = last.as_ref().is_none_or(|last| last.jobs != jobs);
    if when == When::Changed && !is_due && !is_changed {
        return Ok(None);
    }
    doubt
        .into_iter()
        .chain(unread)
        .for_each(|why| tracing::error!("{why}"));
    replaced.into_iter().for_each(|why| tracing::warn!("{why}"));
    let number = last.as_ref().map_or(0, |last| last.number).max(highest);
    let mut head = Head {
        archive: id.clone(),
        number: next(number)?,
        at: now,
        previous: last.as_ref().map(Head::digest),
        previous_timestamp: None,
        jobs,
    };
    // A line that was written just before a kill may not be durable.
    for job in head.jobs.keys() {
        disk.flush_ledger(&Ledger::path(place.state_dir, job))?;
    }
    let folder = folder(place.root);
    disk.make_durable_folder(&folder)?;
    clean(&folder, disk)?;
    let mut tries = 0..MOST_TAKEN;
    while let Err(error) = write(disk, &folder, &head) {
        // What is no head may have its name.
        match error.name_is_taken() && tries.next().is_some() {
            true => head.number = next(head.number)?,
            false => return Err(error.into()),
        }
    }
    disk.sync_folder(Step::SyncHeads, &folder)?;
    let kept = place.state_dir.join(KEPT);
    evidence::replace(
        disk,
        (Step::NoteHead, Step::SyncState),
        &kept,
        &head.to_text(),
    )?;
    // A log that is kept elsewhere is a witness too.
    tracing::info!(number = head.number, sha256 = %head.digest(), "a head of the archive was made");
    Ok(Some(head))
}

fn next(number: u64) -> Result<u64, HeadError> {
    number.checked_add(1).ok_or(HeadError::NoNumber)
}

/// Removes what a kill has left half.
fn clean(folder: &Path, disk: &Disk) -> Result<(), HeadError> {
    let unreadable = |error: io::Error| HeadError::Unreadable {
        why: format!("{error}{}", advice_on(folder, &error)),
        path: folder.to_owned(),
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if evidence::is_half(&path) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

fn write(disk: &Disk, folder: &Path, head: &Head) -> Result<(), DiskError> {
    let path = folder.join(head.file_name());
    evidence::write_whole(disk, Step::WriteHead, &path, &head.to_text())
}

#[cfg(test)]
mod tests;
