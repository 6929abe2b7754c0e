//! The heads of an archive: where they are, and which is the newest. Carries *Evident*.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::head::{self, Head};
use crate::archive::identity;
use crate::archive::plain_file;
use crate::archive::storage::{self, Entry, Local, Storage};
use crate::domain::identity::ArchiveId;
use crate::domain::signing::{PublicKey, Unsigned};
use crate::durable::{DiskError, advice_on};

/// Where heads are, below `_archive`.
const FOLDER: &str = "heads";

/// The newest head as the state directory keeps it: whoever may write the archive may not write there.
pub(super) const KEPT: &str = "newest.head";

/// The head that is made next, as the state directory keeps it before it is in the archive: after a kill between it is known to
/// be ours.
pub(super) const COMING: &str = "coming.head";

/// What the name of a head's file ends with.
const EXTENSION: &str = ".head";

/// What follows the name of a head's file in that of its signature.
const SIGNATURE: &str = ".sig";

/// The longest file that may be one; a thousand jobs have some 400 KB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Why no head could be made.
#[derive(Debug, Error)]
pub(crate) enum HeadError {
    /// Folder or file can't be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Something has its name.
    #[error(
        "there is something already where a head is to be: {}; move away what is no head",
        .0.display()
    )]
    Taken(PathBuf),
    /// It is not known which head is the newest.
    #[error("{0}")]
    Doubted(String),
    /// The signature could not be made.
    #[error("a head can't be signed: {0}")]
    Unsigned(#[from] Unsigned),
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

impl HeadError {
    /// Whether something has the name of what was to be written.
    pub(super) fn is_taken(&self) -> bool {
        match self {
            Self::Taken(_) => true,
            Self::Disk(error) => error.name_is_taken(),
            _ => false,
        }
    }
}

/// The places that heads are kept in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The archive's root.
    pub(crate) root: &'a Path,
    /// The state directory.
    pub(crate) state_dir: &'a Path,
}

impl Place<'_> {
    /// The archive, to be read.
    pub(super) fn storage(&self) -> Local {
        Local::at(self.root)
    }
}

/// The newest head, as far as is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Newest {
    /// The head.
    pub(crate) head: Option<Head>,
    /// Why it is not, or may not be, the one that the archive has; fit for the operator.
    pub(crate) doubt: Option<String>,
    /// The highest number of a head in the archive.
    pub(super) highest: u64,
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

/// The path of a head's signature, beside the head in `folder`.
pub(super) fn signature_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(head::file_name(number) + SIGNATURE)
}

/// The same below the root, for people.
pub(crate) fn relative_signature(number: u64) -> String {
    relative(number) + SIGNATURE
}

/// The text of the signature of the head with this number; `None` where there is none.
///
/// # Errors
/// When it can't be read, or is no plain text file.
pub(crate) fn signature(storage: &dyn Storage, number: u64) -> io::Result<Option<String>> {
    match text_in(storage, &relative_signature(number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// The numbers of the heads of an archive, the lowest first.
///
/// # Errors
/// When their folder is there and can't be listed.
pub(crate) fn numbers(storage: &dyn Storage) -> io::Result<Vec<u64>> {
    let listing = storage.list(&format!("{}/{FOLDER}", identity::FOLDER))?;
    let mut numbers = Vec::new();
    for Entry { name, .. } in listing {
        let stem = name.strip_suffix(EXTENSION);
        let number = stem.and_then(|stem| stem.parse().ok());
        numbers.extend(number.filter(|&number| head::file_name(number) == name));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The text of the head with this number.
///
/// # Errors
/// When it can't be read.
pub(crate) fn text(storage: &dyn Storage, number: u64) -> io::Result<String> {
    text_in(storage, &relative(number))
}

fn text_in(storage: &dyn Storage, file: &str) -> io::Result<String> {
    String::from_utf8(storage::read(storage, file, LONGEST)?).map_err(|_| no_text())
}

fn no_text() -> io::Error {
    io::Error::other("it is no text")
}

/// The oldest head of an archive that can be read.
pub(crate) fn oldest(storage: &dyn Storage, id: &ArchiveId) -> Option<Head> {
    let numbers = numbers(storage).unwrap_or_default();
    let mut heads = numbers
        .into_iter()
        .filter_map(|number| Head::parse(&text(storage, number).ok()?).ok());
    heads.find(|head| head.archive == *id)
}

/// The text of a file that may be a head.
///
/// # Errors
/// When it can't be read, or is no plain text file.
pub(crate) fn text_at(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut file = plain_file::open(path)?.take(LONGEST + 1);
    match file.read_to_end(&mut bytes)? as u64 > LONGEST {
        true => Err(io::Error::other("it is too long for a head")),
        false => String::from_utf8(bytes).map_err(|_| no_text()),
    }
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
        Ok(text) => Head::parse(&text).map(Some).map_err(|why| {
            unreadable(format!(
                "{why}; hold the archive against a head that was kept elsewhere (`elsa-archiver verify --head`), then \
                 `elsa-archiver head now` writes it anew"
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(format!("{error}{}", advice_on(&path, &error)))),
    }
}

/// The newest head of archive and state directory. What `own` has signed, nobody else has.
///
/// # Errors
/// When a file that may be it can't be read.
pub(crate) fn newest(
    place: Place<'_>,
    id: &ArchiveId,
    own: Option<&PublicKey>,
) -> Result<Newest, HeadError> {
    let unreadable = |path: PathBuf, error: &io::Error| HeadError::Unreadable {
        why: format!("{error}{}", advice_on(&path, error)),
        path,
    };
    // Before the archive: what is added meanwhile follows it.
    let (kept, doubt) = match kept(place.state_dir) {
        Ok(kept) => (kept.filter(|kept| kept.archive == *id), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let storage = &place.storage();
    let numbers = numbers(storage).map_err(|error| unreadable(folder(place.root), &error))?;
    let mut here = None;
    for &number in numbers.iter().rev() {
        let read = match text(storage, number) {
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
    let highest = here.as_ref().map_or(0, |here| here.number);
    let chosen = match (here, kept) {
        // The program was killed before it could keep the newest one, or the state directory is an older one.
        (Some(here), Some(kept))
            if is_coming(place.state_dir, &kept, &here)
                || goes_on(storage, &numbers, (&kept, &here), own) =>
        {
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

/// Whether a head is the one that was to follow `kept`, as the state directory says.
fn is_coming(state_dir: &Path, kept: &Head, here: &Head) -> bool {
    here.previous == Some(kept.digest())
        && text_at(&state_dir.join(COMING)).is_ok_and(|text| text == here.to_text())
}

/// Whether the heads of an archive with these numbers lead from one to another, each naming the one before, and signed where that
/// is, or the last one by `own`.
fn goes_on(
    storage: &dyn Storage,
    numbers: &[u64],
    (from, to): (&Head, &Head),
    own: Option<&PublicKey>,
) -> bool {
    let is_own = own.is_some_and(|own| is_signed_by(storage, own, to));
    let mut before: Option<Head> = None;
    let between = numbers
        .iter()
        .filter(|number| (from.number..=to.number).contains(number));
    for &number in between {
        let head = text(storage, number).ok();
        // What is no head had its name first.
        let Some(head) = head.and_then(|text| Head::parse(&text).ok()) else {
            continue;
        };
        let is_next = match &before {
            None => head == *from,
            Some(before) => {
                head.previous == Some(before.digest())
                    && (is_own || is_signed_after(storage, before, &head))
            }
        };
        if !is_next {
            return false;
        }
        before = Some(head);
    }
    before.as_ref() == Some(to)
}

/// Whether a head is signed as the one before lets expect: by its key, or by the one that it names. Else somebody who has no
/// key may have put it there.
fn is_signed_after(storage: &dyn Storage, before: &Head, head: &Head) -> bool {
    let Some(expected) = &before.key else {
        return true;
    };
    let key = head
        .key
        .as_ref()
        .filter(|key| *key == expected || Some(*key) == before.next_key.as_ref());
    key.is_some_and(|key| is_signed_by(storage, key, head))
}

/// Whether a head names a key, and has its signature.
pub(crate) fn is_signed_by(storage: &dyn Storage, key: &PublicKey, head: &Head) -> bool {
    let signature = signature(storage, head.number).ok().flatten();
    let is_right = |signature: &String| key.refuses(signature, head.to_text().as_bytes()).is_none();
    head.key.as_ref() == Some(key) && signature.as_ref().is_some_and(is_right)
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
                 changed or added one, or an older state was brought back; compare them with heads that are kept elsewhere",
                relative(kept.number)
            );
            of(Some(kept), Some(doubt))
        }
    }
}

#[cfg(test)]
mod tests;
