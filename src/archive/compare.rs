//! Two folders of one window, compared record by record. Carries *Complete* (a second answer is
//! more only if it holds all that is archived) and *Bounded*: the folders are read several times
//! rather than held in memory, however their records' hashes lie.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;

use thiserror::Error;

use super::count::{Counter, Kind, Record, expected_fields};
use super::manifest::Part;
use super::read_back::{PartFiles, ReadBackError};
use super::storage::{Storage, below};
use crate::domain::job::Format;
use crate::domain::recheck::Difference;

/// Distinct records that one pass takes in at most: some 60 MB.
const MOST_AT_ONCE: usize = 1 << 20;

/// A window's data files, below its folder.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Where it lies.
    pub(crate) storage: Arc<dyn Storage>,
    /// The folder, in there.
    pub(crate) folder: String,
    /// What it holds, as its manifest says.
    pub(crate) parts: Vec<Part>,
    /// What the request asked for.
    pub(crate) format: Format,
    /// The fields that the request asked for; empty for all.
    pub(crate) include_fields: Vec<String>,
}

/// Why two folders can't be compared.
#[derive(Debug, Error)]
pub(crate) enum CompareError {
    /// The older folder can't be read, or is not what its manifest says.
    #[error("{0}")]
    Before(String),
    /// The newer one can't.
    #[error("{0}")]
    Now(String),
    /// The program is being stopped.
    #[error("stopped")]
    Stopped,
}

/// Compares the records of two folders. Records are the same where their bytes are.
///
/// # Errors
/// When a folder can't be read whole, its bytes are not those of its manifest, or its records can't
/// be told apart; and when `stop` says so.
pub(crate) fn compare(
    before: &Held,
    now: &Held,
    stop: &dyn Fn() -> bool,
) -> Result<Difference, CompareError> {
    compare_within(MOST_AT_ONCE, before, now, stop)
}

fn compare_within(
    most: usize,
    before: &Held,
    now: &Held,
    stop: &dyn Fn() -> bool,
) -> Result<Difference, CompareError> {
    let mut difference = Difference::default();
    let mut next = Some(0);
    while let Some(from) = next {
        let mut pass = Pass {
            from,
            beyond: None,
            most,
            counts: BTreeMap::new(),
        };
        before
            .read(stop, &mut |hash| {
                pass.add(hash, |counts| &mut counts.before)
            })
            .map_err(|fault| fault.told(CompareError::Before))?;
        now.read(stop, &mut |hash| pass.add(hash, |counts| &mut counts.now))
            .map_err(|fault| fault.told(CompareError::Now))?;
        pass.tell(&mut difference);
        next = pass.beyond;
    }
    Ok(difference)
}

/// How often a record is in each of the folders.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    before: u64,
    now: u64,
}

/// One reading of both folders. It takes in the records with the smallest hashes that no pass had
/// before, as many as fit.
struct Pass {
    /// The smallest hash that it takes in.
    from: u128,
    /// The first that did not fit, where the next pass begins; `None` as long as all fit.
    beyond: Option<u128>,
    most: usize,
    counts: BTreeMap<u128, Counts>,
}

impl Pass {
    fn add(&mut self, hash: u128, side: impl Fn(&mut Counts) -> &mut u64) {
        if hash < self.from || self.beyond.is_some_and(|beyond| hash >= beyond) {
            return;
        }
        *side(self.counts.entry(hash).or_default()) += 1;
        if self.counts.len() > self.most
            && let Some((largest, _)) = self.counts.pop_last()
        {
            self.beyond = Some(largest);
        }
    }

    fn tell(&self, difference: &mut Difference) {
        for counts in self.counts.values() {
            difference.only_before += counts.before.saturating_sub(counts.now);
            difference.only_now += counts.now.saturating_sub(counts.before);
            difference.new += u64::from(counts.before == 0);
        }
    }
}

/// Why a folder can't be read.
enum Fault {
    Stopped,
    Unreadable(String),
}

impl Fault {
    fn told(self, of: impl Fn(String) -> CompareError) -> CompareError {
        match self {
            Self::Stopped => CompareError::Stopped,
            Self::Unreadable(why) => of(why),
        }
    }
}

impl Held {
    /// Tells the hash of each record.
    fn read(&self, stop: &dyn Fn() -> bool, each: &mut dyn FnMut(u128)) -> Result<(), Fault> {
        self.parts
            .iter()
            .try_for_each(|part| self.read_part(part, stop, each))
    }

    fn read_part(
        &self,
        part: &Part,
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(u128),
    ) -> Result<(), Fault> {
        let unreadable = |path: &str, why: &dyn Display| {
            let path = self.storage.place(&below(&self.folder, path));
            Fault::Unreadable(format!("can't read {}: {why}", path.display()))
        };
        let opened = PartFiles::open((self.storage.as_ref(), &self.folder), part, stop);
        if matches!(opened, Err(ReadBackError::Stopped)) {
            return Err(Fault::Stopped);
        }
        let mut files = opened.map_err(|error| {
            // Only a zip can fail here.
            unreadable(part.zip.path.as_deref().unwrap_or_default(), &error)
        })?;
        for (at, file) in part.files.iter().enumerate() {
            let kind = Kind::of(&file.path, self.format);
            let expected = expected_fields(kind, &self.include_fields);
            let mut counter = Counter::new(kind, &expected, None);
            let mut see = |record: Record| each(record.hash);
            let mut is_stopped = false;
            let read = files.read(at, &mut |piece| {
                is_stopped = stop();
                counter.feed(piece, &mut see);
                match is_stopped {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            if is_stopped {
                return Err(Fault::Stopped);
            }
            read.map_err(|error| unreadable(&file.path, &error))?;
            let counted = counter.finish(&mut see);
            counted.map_err(|error| unreadable(&file.path, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
