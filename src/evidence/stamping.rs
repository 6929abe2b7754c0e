//! Which head is to be timestamped, and what is kept of the answer. Carries *Evident* and *Atomic*.
//!
//! One head a day is timestamped, the newest: it names those before it. What is timestamped is the head's file and, where it is
//! signed, its signature behind it.

use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::head::{self, Head};
use super::heads::{
    HeadError, Place, bytes_in, folder, newest, numbers, relative, signature, text,
};
use super::timestamp;
use crate::archive::storage::Storage;
use crate::archive::verify::{Problem, reading};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::span::UtcMs;
use crate::domain::window::Zone;
use crate::durable::{Disk, Step, advice_on, evidence};

/// What follows the name of a head's file, without its signature's, in that of its timestamp.
const TIMESTAMP: &str = ".tsr";

/// A head that is to be timestamped.
#[derive(Debug)]
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
    match bytes_in(storage, &relative_stamp(number)) {
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
    let unreadable = |number: u64, error: &io::Error| {
        let path = path(root, number);
        HeadError::Unreadable {
            why: format!("{error}{}", advice_on(&path, error)),
            path,
        }
    };
    let found = newest(place, id)?;
    let (Some(head), None) = (found.head, found.doubt) else {
        return Ok(None);
    };
    let day = |at: UtcMs| -> Date { at.timestamp().to_zoned(zone.tz().clone()).date() };
    let listed = numbers(storage).map_err(|error| unreadable(head.number, &error))?;
    for number in listed.into_iter().rev() {
        let stamp = stamp(storage, number).map_err(|error| unreadable(number, &error))?;
        let of = text(storage, number).ok().filter(|_| stamp.is_some());
        // What is no head counts for nothing, whatever lies beside it.
        let Some(of) = of.and_then(|text| Head::parse(&text).ok()) else {
            continue;
        };
        if number == head.number || day(of.at) >= day(head.at) {
            return Ok(None);
        }
        break;
    }
    let signature =
        signature(storage, head.number).map_err(|error| unreadable(head.number, &error))?;
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
        digest: stamped(&head, signature.as_deref()),
    }))
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
    evidence::write_whole(disk, Step::WriteTimestamp, &path(root, of.number), answer)?;
    disk.sync_folder(Step::SyncHeads, &folder(root))?;
    Ok(())
}

/// The timestamps of an archive's heads.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// The newest one: of which head, and when it was.
    pub(crate) newest: Option<(u64, UtcMs)>,
    /// The number of the head before, and the digest of its timestamp.
    before: Option<(u64, Option<Digest>)>,
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
        if let Some((number, kept)) = self.before
            && number.checked_add(1) == Some(head.number)
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
        self.before = Some((head.number, stamp.as_deref().map(Digest::of)));
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
