//! Which head is to be timestamped, and what is kept of the answer. Carries *Evident* and *Atomic*.
//!
//! One head a day is timestamped, the newest: it names those before it. What is timestamped is the head's file and, where it is
//! signed, its signature behind it.

use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::authority::LONGEST;
use super::head::{self, Head};
use super::heads::{HeadError, Place, folder, newest, numbers, relative, signature, text};
use super::timestamp;
use crate::archive::storage::{self, Storage};
use crate::archive::verify::{Problem, reading};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::durable::{Disk, Step, advice_on, evidence};

/// What follows the name of a head's file, without its signature's, in that of its timestamp.
const TIMESTAMP: &str = ".tsr";

/// A head that is to be timestamped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unstamped {
    /// Its number.
    pub(crate) number: u64,
    /// Of what is to be timestamped.
    pub(crate) digest: Digest,
}

/// The path of a head's timestamp, beside the head.
pub(super) fn path(root: &Path, number: u64) -> PathBuf {
    folder(root).join(head::file_name(number) + TIMESTAMP)
}

/// The same below the root, for people.
pub(crate) fn relative_stamp(number: u64) -> String {
    relative(number) + TIMESTAMP
}

/// What a head's timestamp is, as the authority gave it; `None` where there is none.
///
/// # Errors
/// When it can't be read, or is no plain file.
pub(super) fn stamp(storage: &dyn Storage, number: u64) -> io::Result<Option<Vec<u8>>> {
    match storage::read(storage, &relative_stamp(number), LONGEST as u64) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// The digest of what is timestamped of a head with this signature.
pub(super) fn stamped(head: &Head, signature: Option<&str>) -> Digest {
    let signature = signature.filter(|_| head.key.is_some()).unwrap_or_default();
    Digest::of((head.to_text() + signature).as_bytes())
}

/// The head that is to be timestamped: the newest, where none of its day is.
///
/// # Errors
/// When what there is can't be read, or is not as it was made.
pub(crate) fn due(
    place: Place<'_>,
    id: &ArchiveId,
    zone: &Zone,
) -> Result<Option<Unstamped>, HeadError> {
    let (root, storage) = (place.root, &place.storage());
    let unreadable = |path: PathBuf, error: &io::Error| HeadError::Unreadable {
        why: format!("{error}{}", advice_on(&path, error)),
        path,
    };
    let found = newest(place, id, None)?;
    if let Some(why) = found.doubt {
        return Err(HeadError::Doubted(why));
    }
    let Some(head) = found.head else {
        return Ok(None);
    };
    let signature = signature(storage, head.number).map_err(|error| {
        let path = super::heads::signature_path(&folder(root), head.number);
        unreadable(path, &error)
    })?;
    let stamp =
        stamp(storage, head.number).map_err(|error| unreadable(path(root, head.number), &error))?;
    let digest = stamped(&head, signature.as_deref());
    match stamp.map(|stamp| timestamp::at(&stamp, &digest, None)) {
        Some(Ok(_)) => return Ok(None),
        // It is never replaced: somebody has put it there.
        Some(Err(why)) => {
            return Err(HeadError::Unreadable {
                path: path(root, head.number),
                why: format!("{why}; move it away, then the head is timestamped"),
            });
        }
        None if has_stamp_of_its_day(storage, &head, zone) => return Ok(None),
        None => {}
    }
    if let Some(key) = &head.key
        && let Some(why) = key.refuses(
            signature.as_deref().unwrap_or_default(),
            head.to_text().as_bytes(),
        )
    {
        return Err(HeadError::Unreadable {
            path: super::heads::signature_path(&folder(root), head.number),
            why: why.to_owned(),
        });
    }
    Ok(Some(Unstamped {
        number: head.number,
        digest,
    }))
}

/// Whether another head of the day of this one is timestamped. What can't be read of older ones holds up nothing.
fn has_stamp_of_its_day(storage: &dyn Storage, head: &Head, zone: &Zone) -> bool {
    let day = |at: UtcMs| -> Date { at.timestamp().to_zoned(zone.tz().clone()).date() };
    let listed = numbers(storage).unwrap_or_default();
    let older = listed
        .into_iter()
        .filter(|&number| number < head.number)
        .rev();
    for number in older {
        let Some(of) = proven(storage, number).filter(|of| of.archive == head.archive) else {
            continue;
        };
        // A clock that was ahead for a while says nothing of today.
        if day(of.at) <= day(head.at) {
            return day(of.at) == day(head.at);
        }
    }
    false
}

/// When the newest head that is timestamped was made; `None` where none is that was made at or after `since`.
pub(crate) fn newest_stamped(storage: &dyn Storage, id: &ArchiveId, since: UtcMs) -> Option<UtcMs> {
    for number in numbers(storage).ok()?.into_iter().rev() {
        let head = text(storage, number).ok();
        let head = head.and_then(|text| Head::parse(&text).ok());
        if head.is_some_and(|head| head.archive == *id && head.at < since) {
            return None;
        }
        if let Some(head) = proven(storage, number).filter(|head| head.archive == *id) {
            return Some(head.at);
        }
    }
    None
}

/// The head with this number, where it is timestamped.
fn proven(storage: &dyn Storage, number: u64) -> Option<Head> {
    let stamp = stamp(storage, number).ok()??;
    let head = Head::parse(&text(storage, number).ok()?).ok()?;
    let signature = signature(storage, number).ok()?;
    let at = timestamp::at(&stamp, &stamped(&head, signature.as_deref()), None);
    (head.number == number && at.is_ok()).then_some(head)
}

/// The digest of the timestamp of a head, where it is one of it.
///
/// # Errors
/// Says what lies there in its place.
pub(super) fn digest_of_stamp(
    storage: &dyn Storage,
    head: &Head,
) -> Result<Option<Digest>, String> {
    let name = relative_stamp(head.number);
    let told = |error: io::Error| format!("{name}: {error}");
    let Some(stamp) = stamp(storage, head.number).map_err(told)? else {
        return Ok(None);
    };
    let signature = signature(storage, head.number).map_err(told)?;
    let at = timestamp::at(&stamp, &stamped(head, signature.as_deref()), None);
    at.map(|_| Some(Digest::of(&stamp)))
        .map_err(|why| format!("{name}: {why}; the next head does not name it"))
}

/// Keeps an authority's answer beside its head, durably.
///
/// # Errors
/// When it can't be written; it is there whole then, or not at all.
pub(crate) fn keep(
    root: &Path,
    of: &Unstamped,
    answer: &[u8],
    disk: &Disk,
) -> Result<(), HeadError> {
    let place = path(root, of.number);
    evidence::write_whole(disk, Step::WriteTimestamp, &place, answer)?;
    disk.sync_folder(Step::SyncHeads, &folder(root))?;
    Ok(())
}

/// The timestamps of an archive's heads.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// The newest one: of which head, and when it was.
    pub(crate) newest: Option<(u64, UtcMs)>,
    /// The head before: its number, its digest, and that of its timestamp.
    before: Option<(u64, Digest, Option<Digest>)>,
}

impl Stamps {
    /// Takes the next head, its signature, and what lies beside it as its timestamp. Returns what is wrong.
    pub(crate) fn take(
        &mut self,
        head: &Head,
        signature: Option<&str>,
        stamp: io::Result<Option<Vec<u8>>>,
    ) -> Vec<(String, Problem)> {
        let mut wrong = Vec::new();
        if let Some((number, before, kept)) = self.before
            && head.previous == Some(before)
            && let Some(named) = head.previous_timestamp
        {
            let problem = match kept {
                None => Some(Problem::Missing),
                Some(kept) if kept != named => Some(Problem::Contradicted(
                    "it is not the one that the head after it names".to_owned(),
                )),
                Some(_) => None,
            };
            wrong.extend(problem.map(|problem| (relative_stamp(number), problem)));
        }
        let stamp = stamp.unwrap_or_else(|error| {
            wrong.push((relative_stamp(head.number), reading(&error)));
            None
        });
        self.before = Some((head.number, head.digest(), stamp.as_deref().map(Digest::of)));
        let at = stamp.map(|stamp| timestamp::at(&stamp, &stamped(head, signature), None));
        match at {
            Some(Ok(at)) => self.newest = Some((head.number, at)),
            Some(Err(why)) => wrong.push((relative_stamp(head.number), Problem::Contradicted(why))),
            None => {}
        }
        wrong
    }
}

#[cfg(test)]
mod tests;
