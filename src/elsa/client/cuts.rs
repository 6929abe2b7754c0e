//! How the service was found to cut answers of an account. Carries *Confirmed*.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::second_opinion::{Cap, Cut, disproves};

/// How many cuts are remembered.
const MOST_SEEN: usize = 16;

/// What is known of it.
#[derive(Debug)]
pub struct Cuts {
    found: AtomicU64,
    /// About how many bytes of zip the service hands out; `u64::MAX` while no such cap is known.
    bytes: AtomicU64,
    /// The last ones, the newest last.
    seen: Mutex<VecDeque<Cut>>,
}

impl Default for Cuts {
    fn default() -> Self {
        Self {
            found: AtomicU64::new(0),
            bytes: AtomicU64::new(u64::MAX),
            seen: Mutex::default(),
        }
    }
}

impl Cuts {
    /// How often a second opinion has shown since the start that answers of this account are cut.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// A second opinion has shown it.
    pub fn note(&self) {
        self.found.fetch_add(1, Ordering::Relaxed);
    }

    /// About how many bytes of zip the service hands out at most; `u64::MAX` while no such cap is known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Which cap explains this cut beside those before, in whichever order the jobs found them.
    pub(crate) fn cap(&self, cut: Cut) -> Cap {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut caps = seen.iter().rev().map(|before| cut.cap(Some(*before)));
        let in_bytes = caps.find(|cap| matches!(cap, Cap::Bytes(_)));
        let cap = in_bytes.unwrap_or_else(|| cut.cap(None));
        if seen.len() == MOST_SEEN {
            seen.pop_front();
        }
        seen.push_back(cut);
        if let Cap::Bytes(bytes) = cap {
            self.bytes.fetch_min(bytes, Ordering::Relaxed);
        }
        cap
    }

    /// An answer had so many bytes of zip. Returns whether that shows that there is no such cap.
    pub(crate) fn disproved(&self, zip_bytes: u64) -> bool {
        let is_disproved = disproves(zip_bytes, self.bytes());
        if is_disproved {
            self.bytes.store(u64::MAX, Ordering::Relaxed);
        }
        is_disproved
    }
}
