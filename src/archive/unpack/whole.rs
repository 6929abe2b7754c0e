//! The checks of a zip before anything is unpacked: its directory is bounded,
//! names each entry once, and agrees with what lies in the file ([`extents`]). Carries *Suspicious*
//! and *Bounded*.

use std::fs::File;
use std::io::{self, Seek as _};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::metered::{Meter, Metered};
use super::{UnpackError, extents};
use crate::archive::directory;
use crate::domain::limits::Limits;
use crate::printable;

/// A zip whose directory was read.
pub(super) type Archive = ZipArchive<Metered>;

/// What else is read to find the directory: the tail, and records that point to it.
const SEARCH_BYTES: u64 = 1024 * 1024;

/// Opens a zip, reading no more than a directory within `limits` can have. The meter shows how far it is
/// read afterwards.
///
/// # Errors
/// When it is damaged, or its directory larger.
pub(super) fn open(zip: &File, limits: &Limits) -> Result<(Archive, Rc<Meter>), UnpackError> {
    let mut file = zip.try_clone().map_err(UnpackError::Unreadable)?;
    let most_bytes = directory::most_bytes(limits.entries as u64);
    let Some(ends) = directory::ends(&mut file).map_err(UnpackError::Unreadable)? else {
        return Err(UnpackError::Damaged("its end is missing".into()));
    };
    check_entries(ends.largest.entries, limits)?;
    if ends.largest.bytes > most_bytes {
        let what = format!("a directory of {} MiB", ends.largest.bytes >> 20);
        return Err(UnpackError::Refused(what));
    }
    // The announced size may be a lie; this limit holds whatever the library believes.
    file.rewind().map_err(UnpackError::Unreadable)?;
    let meter = Meter::new(most_bytes + SEARCH_BYTES);
    let archive = ZipArchive::new(Metered::new(file, &meter)).map_err(damaged)?;
    meter.open();
    // The library falls back to an end before the last, where a shorter archive may have been.
    let entries = archive.len() as u64;
    if entries != ends.entries && !archive.has_duplicate_names() {
        let announced = ends.entries;
        let what = format!("its end announces {announced} entries, its directory has {entries}");
        return Err(UnpackError::Damaged(what));
    }
    Ok((archive, meter))
}

/// Checks the directory of `zip` as a whole, and that nothing lies in it that the directory does not
/// speak of. Returns how many bytes all entries declare to have.
///
/// # Errors
/// When it is damaged, or breaks a limit or a rule.
pub(super) fn check(
    zip: &File,
    archive: &mut Archive,
    limits: &Limits,
) -> Result<u64, UnpackError> {
    let refused = |what: &str| Err(UnpackError::Refused(what.into()));
    check_entries(archive.len() as u64, limits)?;
    if archive.has_duplicate_names() {
        return refused("two entries have one name");
    }
    if archive.has_overlapping_entries().map_err(damaged)? {
        return refused("entries overlap");
    }
    // The central directory and each entry's own header must tell the same story, or two
    // programs would unpack two different archives.
    archive.validate_header_consistency().map_err(damaged)?;
    extents::check(zip, archive)?;
    let mut declared = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(damaged)?;
        declared = declared.saturating_add(entry.size());
    }
    if declared > limits.unpacked_bytes {
        return refused("it declares more bytes than are allowed");
    }
    Ok(declared)
}

fn check_entries(entries: u64, limits: &Limits) -> Result<(), UnpackError> {
    let most = limits.entries;
    if entries > most as u64 {
        let what = format!("{entries} entries, {most} is the most");
        return Err(UnpackError::Refused(what));
    }
    Ok(())
}

/// What an error of the library means.
pub(super) fn damaged(error: ZipError) -> UnpackError {
    match error {
        ZipError::Io(error) => unreadable(error),
        // It may repeat a name, which is cut only once there is no key in it.
        other => UnpackError::Damaged(printable::whole(&other.to_string())),
    }
}

/// What an error while reading means: a fault of the disk has the system's number, one of the zip
/// the library's words.
pub(super) fn unreadable(error: io::Error) -> UnpackError {
    if error.raw_os_error().is_some() {
        UnpackError::Unreadable(error)
    } else {
        UnpackError::Damaged(printable::whole(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn a_fault_of_the_disk_is_told_from_one_of_the_zip() {
        let eio = || io::Error::from_raw_os_error(5);
        assert!(matches!(damaged(eio().into()), UnpackError::Unreadable(_)));
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert!(matches!(damaged(cut.into()), UnpackError::Damaged(_)));
    }
}
