//! The receipts that an archive has: of each place the newest one counts. Carries *Evident* and *Suspicious*: one that does
//! not follow the place's last, or is another archive's, counts for nothing, and is told.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::receipt::{Place, Receipt};
use crate::archive::identity;
use crate::archive::plain_file;
use crate::archive::storage::{self, Entry, Storage, below, says_nothing};
use crate::digest::Digest;
use crate::domain::identity::ArchiveId;
use crate::durable::{Disk, DiskError, Step, evidence};
use crate::printable;

/// Where they are, below `_archive`.
const FOLDER: &str = "receipts";

/// What the name of a receipt's file ends with.
const EXTENSION: &str = "receipt";

/// The longest file that may be one.
pub(crate) const LONGEST: u64 = 16 * 1024 * 1024;

/// What an archive has of receipts.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// Of each place those that count, oldest first.
    places: BTreeMap<Place, Vec<Receipt>>,
    /// Files that don't count, and why; fit to print.
    pub(crate) refused: Vec<(String, String)>,
}

/// The folder of an archive's receipts.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join(identity::FOLDER).join(FOLDER)
}

impl Receipts {
    /// Reads those of the archive `id`.
    ///
    /// # Errors
    /// When the folder, or a file in it, can't be read just now: then nothing is known of a place.
    pub(crate) fn read(storage: &dyn Storage, id: &ArchiveId) -> io::Result<Self> {
        let mut files = Vec::new();
        let folder = format!("{}/{FOLDER}", identity::FOLDER);
        for Entry { name, .. } in storage.list(&folder)? {
            let is_one = Path::new(&name)
                .extension()
                .is_some_and(|found| found == EXTENSION);
            if is_one && !name.starts_with('.') {
                let read = storage::read(storage, &below(&folder, &name), LONGEST);
                let text = match read.and_then(text_of) {
                    // It may be a place's newest: what it says is not known.
                    Err(error) if error.raw_os_error().is_some() || says_nothing(&error) => {
                        let why = format!("{name} can't be read: {error}");
                        return Err(io::Error::new(error.kind(), why));
                    }
                    read => read.map_err(|error| error.to_string()),
                };
                files.push((name, text));
            }
        }
        files.sort();
        Ok(Self::of(files, id))
    }

    /// Those that are in these files of the archive `id`: name, and text or why there is none.
    fn of(files: Vec<(String, Result<String, String>)>, id: &ArchiveId) -> Self {
        let mut all = Self::default();
        let mut found: Vec<(String, Receipt)> = Vec::new();
        for (name, text) in files {
            match text.and_then(|text| Receipt::parse(&text)) {
                Ok(receipt) if found.iter().any(|(_, known)| *known == receipt) => {}
                Ok(receipt) => found.push((name, receipt)),
                Err(why) => all.refuse(&name, &why),
            }
        }
        found.sort_by_key(|(_, receipt)| (receipt.number, receipt.at));
        for (name, receipt) in found {
            if let Err(why) = all.add(receipt, id) {
                all.refuse(&name, &why);
            }
        }
        all
    }

    fn refuse(&mut self, name: &str, why: &str) {
        // Anybody may have written the file.
        let told = (printable::whole(name), printable::whole(why));
        self.refused.push(told);
    }

    /// Adds a receipt where it follows the last one of its place.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn add(&mut self, receipt: Receipt, id: &ArchiveId) -> Result<(), String> {
        if receipt.archive != *id {
            return Err(format!(
                "it is of the archive {}, and this is {id}",
                receipt.archive
            ));
        }
        let place = &receipt.place;
        let known = self.places.get(place);
        let known = known.map(Vec::as_slice).unwrap_or_default();
        if known.contains(&receipt) {
            return Err("it is here already".to_owned());
        }
        let last = known.last();
        let number = last.map_or(Some(1), |last| last.number.checked_add(1));
        if receipt.previous != last.map(Receipt::digest) || Some(receipt.number) != number {
            return Err(match last {
                None => "it follows a receipt that is not here: add that one first".to_owned(),
                Some(last) if receipt.at <= last.at => format!(
                    "it is older than the last one of {place}, which is number {}",
                    last.number
                ),
                Some(last) => format!(
                    "it does not follow number {} of {place}, the last one here; make it again, with `--after` and \
                     that one: {}",
                    last.number,
                    last.file_name()
                ),
            });
        }
        if last.is_some_and(|last| receipt.at < last.at) {
            return Err("it was made before the one that it follows".to_owned());
        }
        let all = self.places.entry(receipt.place.clone()).or_default();
        all.push(receipt);
        Ok(())
    }

    /// The last receipt of a place.
    pub(crate) fn last_of(&self, place: &Place) -> Option<&Receipt> {
        self.places.get(place)?.last()
    }

    /// The last receipt of each place: these count.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Receipt> {
        self.places.values().filter_map(|all| all.last())
    }

    /// What each place has proven of a job, whose folders these are.
    pub(crate) fn proven<'a>(
        &'a self,
        job: &'a str,
        chain: &'a Chain,
    ) -> impl Iterator<Item = (&'a Place, HashSet<Digest>)> {
        self.newest().filter_map(move |receipt| {
            let of_job = receipt.jobs.iter().find(|found| found.job == job)?;
            Some((&receipt.place, chain.named(of_job).0))
        })
    }
}

impl Receipt {
    /// What its file is called in an archive.
    fn file_name(&self) -> String {
        format!("{}.{:06}.{EXTENSION}", self.place, self.number)
    }
}

/// Writes a receipt to its place in the archive at `root`. Returns where that is.
///
/// # Errors
/// When it can't be written; nothing of it is left then.
pub(crate) fn keep(root: &Path, receipt: &Receipt, disk: &Disk) -> Result<PathBuf, DiskError> {
    let folder = folder(root);
    disk.make_durable_folder(&folder)?;
    let mut path = folder.join(receipt.file_name());
    let mut more = 2_u32;
    loop {
        match evidence::write_new(disk, Step::KeepReceipt, &path, &receipt.to_text()) {
            // What does not count may have its name.
            Err(error) if error.name_is_taken() => {
                let name = receipt.file_name();
                let name = name.trim_end_matches(EXTENSION);
                path = folder.join(format!("{name}{more}.{EXTENSION}"));
                more += 1;
            }
            written => {
                written?;
                disk.sync_folder(Step::SyncReceipts, &folder)?;
                return Ok(path);
            }
        }
    }
}

/// The text of a file that may be a receipt.
///
/// # Errors
/// When it can't be read, or is no plain text file.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    plain_file::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    text_of(bytes)
}

/// Bytes that may be a receipt, as text.
///
/// # Errors
/// When they are none, or too many.
pub(crate) fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text"))?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::other("it is too long for a receipt")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::receipt::tests::receipt;
    use super::*;

    /// Guarantee: Evident
    #[test]
    fn of_each_place_only_what_follows_its_last_one_counts() {
        let id = ArchiveId::of(7);
        let first = receipt("vault", None, 1_000);
        let second = receipt("vault", Some(&first), 2_000);
        let third = receipt("vault", Some(&second), 1_500);
        let beside = receipt("vault", Some(&first), 2_500);
        let other = receipt("tape", None, 500);
        let mut all = Receipts::default();
        let refused = |all: &mut Receipts, receipt: &Receipt, id: &ArchiveId| {
            all.add(receipt.clone(), id).unwrap_err()
        };
        assert!(refused(&mut all, &first, &ArchiveId::of(8)).contains("of the archive"));
        assert!(refused(&mut all, &second, &id).contains("add that one first"));
        all.add(first.clone(), &id).unwrap();
        all.add(second.clone(), &id).unwrap();
        all.add(other.clone(), &id).unwrap();
        assert!(refused(&mut all, &first, &id).contains("here already"));
        assert!(refused(&mut all, &beside, &id).contains("vault.000002.receipt"));
        assert!(refused(&mut all, &third, &id).contains("made before"));
        let old = receipt("vault", Some(&first), 1_500);
        assert!(refused(&mut all, &old, &id).contains("older than"));
        let fifth = receipt("vault", Some(&third), 9_000);
        assert!(refused(&mut all, &fifth, &id).contains("does not follow"));
        // Numbers go up by one.
        let jump = Receipt {
            number: u64::MAX,
            ..receipt("vault", Some(&second), 9_000)
        };
        assert!(refused(&mut all, &jump, &id).contains("does not follow"));
        let alone = Receipt {
            number: u64::MAX,
            ..receipt("new", None, 1)
        };
        assert!(all.add(alone, &id).is_err());
        let newest: Vec<&Receipt> = all.newest().collect();
        assert_eq!(newest, [&other, &second]);

        // Read from files, in whatever order their names are.
        let files = [
            ("a.receipt", second.to_text()),
            ("b.receipt", first.to_text()),
            ("c.receipt", beside.to_text()),
            ("d.receipt", "x".to_owned()),
            // The same once more is no other one.
            ("e.receipt", first.to_text()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), Ok(text)));
        let read = Receipts::of(files.to_vec(), &id);
        assert_eq!(read.last_of(&second.place), Some(&second));
        let refused: Vec<&str> = read.refused.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(refused, ["d.receipt", "c.receipt"]);
    }
}
