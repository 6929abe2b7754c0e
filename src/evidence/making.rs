//! How one more head is made. Carries *Evident* and *Atomic*: a head names nothing that is not durable, and is there whole,
//! with its signature, or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::head::{Head, OfJob};
use super::heads::{COMING, HeadError, KEPT, Newest, Place, folder, newest, signature_path};
use super::stamping::{digest_of_stamp, path as stamp_path};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::domain::job::JobName;
use crate::domain::signing::{PublicKey, Signer};
use crate::domain::span::{Millis, UtcMs};
use crate::domain::window::Zone;
use crate::durable::{Disk, Step, advice_on, evidence};
use crate::ledger::replay::Replay;
use crate::ledger::{Ledger, jobs};

/// How many files that are no heads may be in the way of one.
const MOST_TAKEN: u32 = 1_000;

/// How far a clock may go back without a day being a new one.
const BACK: Millis = Millis::from_days(1);

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

/// What a head is made of and with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    /// The archive's id.
    pub(crate) id: &'a ArchiveId,
    /// When it is.
    pub(crate) now: UtcMs,
    /// Whose days count.
    pub(crate) zone: &'a Zone,
    /// What signs it.
    pub(crate) signer: &'a Signer,
    /// The disk.
    pub(crate) disk: &'a Disk,
}

/// Makes a head of all jobs, durably: of those that are `known` it says that, of the others what their ledgers show, and
/// where one can't be read what the last head says. Returns it; `None` where none is wanted.
///
/// # Errors
/// When it can't be signed or written; it is there whole then, with its signature, or not at all.
pub(crate) fn make(
    place: Place<'_>,
    with: Making<'_>,
    known: &BTreeMap<JobName, OfJob>,
    when: When,
) -> Result<Option<Head>, HeadError> {
    let Making {
        id,
        now,
        zone,
        signer,
        disk,
    } = with;
    let Newest {
        head: last,
        doubt,
        highest,
    } = newest(place, id, signer.public())?;
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
    let before = last.as_ref().map_or(0, |last| last.number);
    // One that does not go on from the highest is not its next one: a number between them is left out.
    let number = match doubt.is_some() && highest > before {
        true => next(highest)?,
        false => before.max(highest),
    };
    doubt
        .into_iter()
        .chain(unread)
        .for_each(|why| tracing::error!("{why}"));
    replaced.into_iter().for_each(|why| tracing::warn!("{why}"));
    let mut head = Head {
        archive: id.clone(),
        number: next(number)?,
        at: now,
        previous: last.as_ref().map(Head::digest),
        previous_timestamp: last.as_ref().and_then(|last| named_stamp(place, last)),
        key: signer.key.as_ref().map(|key| key.public().clone()),
        next_key: signer.next_key().cloned(),
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
    while let Err(error) = write(with, place, &head) {
        // What is no head may have its name.
        match error.is_taken() && tries.next().is_some() {
            true => head.number = next(head.number)?,
            false => return Err(error),
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
    tell(last.as_ref(), &head);
    Ok(Some(head))
}

/// The digest of the timestamp that the next head names.
fn named_stamp(place: Place<'_>, last: &Head) -> Option<Digest> {
    digest_of_stamp(&place.storage(), last).unwrap_or_else(|why| {
        tracing::error!("{why}");
        None
    })
}

/// Tells of a head that was made: a log that is kept elsewhere is a witness too.
fn tell(last: Option<&Head>, head: &Head) {
    let (number, sha256) = (head.number, head.digest());
    let signed_by = head.key.as_ref().map(PublicKey::fingerprint);
    let before = last.and_then(|last| last.key.as_ref());
    match (signed_by, before) {
        (None, Some(_)) => tracing::warn!(
            number,
            %sha256,
            "a head of the archive was made, and not signed, as the one before is: [evidence] key of the config is gone, or \
             can't be read"
        ),
        (signed_by, _) => tracing::info!(
            number,
            %sha256,
            signed_by = signed_by.as_deref().unwrap_or("nobody"),
            "a head of the archive was made"
        ),
    }
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
        // The answer of an authority is written beside this, and by its own.
        let is_stamp = path.extension().is_some_and(|end| end == "tsr");
        if evidence::is_half(&path) && !is_stamp {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

/// Writes a head, and before it its signature, so that there is no head that lacks what it names; and before that what it is
/// known by after a kill.
fn write(with: Making<'_>, place: Place<'_>, head: &Head) -> Result<(), HeadError> {
    let (folder, disk) = (folder(place.root), with.disk);
    let path = folder.join(head.file_name());
    if fs::symlink_metadata(&path).is_ok() {
        return Err(HeadError::Taken(path));
    }
    // A timestamp is kept beside a head that is there: it was taken away, and may come back under its name.
    let stamp = stamp_path(place.root, head.number);
    if fs::symlink_metadata(&stamp).is_ok() {
        return Err(HeadError::Taken(stamp));
    }
    let signature = signature_path(&folder, head.number);
    // Of a head that was never there.
    if fs::symlink_metadata(&signature).is_ok() {
        disk.remove(&signature)?;
    }
    let coming = place.state_dir.join(COMING);
    let steps = (Step::NoteHead, Step::SyncState);
    evidence::replace(disk, steps, &coming, &head.to_text())?;
    if let Some(key) = &with.signer.key {
        let signed = key.sign(head.to_text().as_bytes())?;
        evidence::write_whole(disk, Step::WriteSignature, &signature, &signed)?;
        disk.sync_folder(Step::SyncHeads, &folder)?;
    }
    evidence::write_whole(disk, Step::WriteHead, &path, head.to_text())?;
    Ok(())
}

#[cfg(test)]
mod tests;
