//! The journal: what was asked, and what was answered, so that a test can hold a client to how it
//! behaved and not only to what it wrote.
//!
//! An entry is written before the first byte of the answer, and its counts before the bytes they
//! count: a client that has received an answer finds it in the journal.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::domain::span::UtcMs;

use super::call::Call;
use super::fault::Fault;

/// The newest entries that are kept, so that a simulator left running does not fill the memory.
const KEPT: usize = 1 << 16;

/// One request. What a refused request did not say in a way that could be read is `None`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it had arrived whole, by the simulator's clock.
    pub arrived: UtcMs,
    /// The same by a clock that never jumps.
    pub arrived_at: Instant,
    /// When its last byte was about to be sent, or nothing more was going to be; `None` while it
    /// is being answered. From `arrived_at` to here the request was in flight.
    pub finished_at: Option<Instant>,
    /// What was asked for; `None` when no call has that path.
    pub call: Option<Call>,
    /// Header: who asked.
    pub access_key: Option<String>,
    /// Header: when the request was signed, UTC milliseconds.
    pub signed_at: Option<UtcMs>,
    /// Body: the project.
    pub project_key: Option<String>,
    /// Body: start of the span.
    pub from: Option<UtcMs>,
    /// Body: end of the span, or the moment of arrival when it was left out.
    pub to: Option<UtcMs>,
    /// Body: most records of a download, 100,000 when it was left out.
    pub count: Option<u32>,
    /// Body: page size, the call's default when it was left out.
    pub limit: Option<u32>,
    /// Body: how many results a search skips, 0 when it was left out; `None` for a download.
    pub offset: Option<u32>,
    /// HTTP status; `None` while nothing is answered.
    pub status: Option<u16>,
    /// The gateway's own code, in an honest or a scripted error.
    pub error_code: Option<String>,
    /// Records in the zip or the page that was made; 0 when none was.
    pub records: u64,
    /// Bytes of body given to the connection, without chunk framing.
    pub bytes: u64,
    /// How the answer was spoilt.
    pub fault: Option<Fault>,
    /// Whether a lie has changed the answer.
    pub lied: bool,
}

impl Entry {
    pub(super) fn arrived(now: UtcMs) -> Self {
        Self {
            arrived: now,
            arrived_at: Instant::now(),
            finished_at: None,
            call: None,
            access_key: None,
            signed_at: None,
            project_key: None,
            from: None,
            to: None,
            count: None,
            limit: None,
            offset: None,
            status: None,
            error_code: None,
            records: 0,
            bytes: 0,
            fault: None,
            lied: false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many entries came before the first one here.
    gone: u64,
    entries: VecDeque<Entry>,
}

impl Journal {
    /// Adds an entry and returns its number.
    pub(super) fn push(&self, entry: Entry) -> u64 {
        let mut kept = self.lock();
        if kept.entries.len() >= KEPT {
            kept.entries.pop_front();
            kept.gone += 1;
        }
        kept.entries.push_back(entry);
        kept.gone + kept.entries.len() as u64 - 1
    }

    /// Changes an entry, unless it has been cleared away.
    pub(super) fn update(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let mut kept = self.lock();
        let place = number.checked_sub(kept.gone);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| kept.entries.get_mut(place)) {
            change(entry);
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        let mut kept = self.lock();
        kept.gone += kept.entries.len() as u64;
        kept.entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's entry in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket<'a> {
    pub(super) journal: &'a Journal,
    pub(super) number: u64,
}

impl Ticket<'_> {
    pub(super) fn answering(
        &self,
        status: u16,
        error_code: Option<String>,
        records: u64,
        lied: bool,
    ) {
        self.journal.update(self.number, |entry| {
            entry.status = Some(status);
            entry.error_code = error_code;
            entry.records = records;
            entry.lied = lied;
        });
    }

    pub(super) fn spoilt(&self, fault: &Fault) {
        self.journal
            .update(self.number, |entry| entry.fault = Some(fault.clone()));
    }

    pub(super) fn sending(&self, bytes: u64) {
        self.journal
            .update(self.number, |entry| entry.bytes += bytes);
    }

    /// The first call counts.
    pub(super) fn finished(&self) {
        let now = Instant::now();
        self.journal.update(self.number, |entry| {
            entry.finished_at.get_or_insert(now);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_are_kept_and_changes_to_others_go_nowhere() {
        let journal = Journal::default();
        for at in 0..=KEPT as u64 {
            assert_eq!(journal.push(Entry::arrived(UtcMs(at.cast_signed()))), at);
        }
        journal.update(0, |entry| entry.records = 7);
        journal.update(1, |entry| entry.records = 8);
        let entries = journal.entries();
        assert_eq!(entries.len(), KEPT);
        assert_eq!((entries[0].arrived, entries[0].records), (UtcMs(1), 8));
        assert!(entries[1..].iter().all(|entry| entry.records == 0));

        journal.clear();
        let next = journal.push(Entry::arrived(UtcMs(5)));
        journal.update(next - 1, |entry| entry.records = 9);
        assert_eq!(journal.entries().len(), 1);
        assert_eq!(journal.entries()[0].records, 0);
    }
}
