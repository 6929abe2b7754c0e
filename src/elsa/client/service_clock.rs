//! What the answers tell of the service's clock, and by which clock attempts are signed. A `Date` is
//! believed within reason: a gateway that accepts a signature shows a time near it. Pure, but for
//! atomics. Carries *Suspicious* and *Exactly once*.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use crate::domain::span::{Millis, UtcMs};
use crate::elsa::error_response::Signature;

/// The gateway refuses a timestamp that is so far from its clock (`ELSA-API.md`, *Headers*).
const TOLERANCE: Millis = Millis::from_mins(5);
/// How much later than a `Date` the service's clock may be: its fraction of a second, and some for
/// the way.
const DATE_PRECISION: Millis = Millis::from_secs(5);
/// After so many refusals in a row a correction of our clock is given up: `Date` may have lied. The
/// first may be the key's fault.
const REFUSALS: u32 = 2;

/// The clock that signed an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed {
    /// What it showed.
    pub(super) at: UtcMs,
    /// What it was ahead of ours.
    pub(super) skew: Millis,
}

/// What the head of an answer tells of the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) signed: Signed,
    /// From the signature to the head, by a clock that nobody sets.
    pub(super) took: Millis,
    /// When the head came, by our clock.
    pub(super) arrived: UtcMs,
    /// Its `Date`.
    pub(super) date: Option<UtcMs>,
}

impl Heard {
    /// Whether the clock of a gateway that accepts the signature may have shown this. It looked at
    /// the signature at some moment between sending and the head.
    fn allows(&self, shown: UtcMs) -> bool {
        let apart = TOLERANCE.plus(DATE_PRECISION);
        let latest = self.signed.at.plus(self.took).plus(apart);
        self.signed.at.minus(apart) < shown && shown < latest
    }

    /// How far an instant of the service's is behind ours, never positive.
    fn behind(&self, theirs: UtcMs) -> i64 {
        theirs.since(self.arrived).0.min(0)
    }
}

/// The service's clock, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct ServiceClock {
    /// The service's clock minus ours, in milliseconds, by which attempts are signed; 0 while ours
    /// is accepted.
    skew_ms: AtomicI64,
    /// How many attempts that were signed so were refused, one after another.
    refusals: AtomicU32,
    /// How far the service's clock is behind ours, in milliseconds; 0 when it is not, never
    /// positive.
    behind_ms: AtomicI64,
    /// Whether the last answer had a `Date` that could be used.
    is_dated: AtomicBool,
    /// Whether it was told that a `Date` can't be used.
    is_told: AtomicBool,
}

impl ServiceClock {
    pub(super) fn skew(&self) -> Millis {
        Millis(self.skew_ms.load(Ordering::Relaxed))
    }

    pub(super) fn correct(&self, skew: Millis) {
        self.skew_ms.store(skew.0, Ordering::Relaxed);
    }

    pub(super) fn behind(&self) -> Millis {
        Millis(self.behind_ms.load(Ordering::Relaxed))
    }

    pub(super) fn is_dated(&self) -> bool {
        self.is_dated.load(Ordering::Relaxed)
    }

    /// Learns from an answer. Returns its `Date` when that is another clock's, once.
    #[must_use]
    pub(super) fn note(&self, heard: Heard, signature: Signature) -> Option<UtcMs> {
        match signature {
            // That is how a clock of ours that is wrong is found: no bound holds here.
            Signature::Refused => self.note_refusal(heard.signed),
            Signature::Accepted => self.refusals.store(0, Ordering::Relaxed),
            Signature::Untold => {}
        }
        let is_believed = |date: &UtcMs| signature == Signature::Refused || heard.allows(*date);
        let used = heard.date.filter(is_believed);
        self.is_dated.store(used.is_some(), Ordering::Relaxed);
        if let Some(date) = used {
            let behind = heard.behind(date.plus(DATE_PRECISION));
            self.behind_ms.store(behind, Ordering::Relaxed);
            return None;
        }
        if signature != Signature::Accepted {
            return None;
        }
        let known = heard.arrived.plus(self.behind());
        if !heard.allows(known) {
            // A `Date` said so that came with a refusal, or before a clock was set. What signed is
            // near the service's clock.
            let behind = heard.behind(heard.signed.at.plus(heard.took));
            self.behind_ms.store(behind, Ordering::Relaxed);
        }
        heard
            .date
            .filter(|_| !self.is_told.swap(true, Ordering::Relaxed))
    }

    /// A correction that does not help may be what is wrong: then our own clock is tried again.
    fn note_refusal(&self, signed: Signed) {
        if signed.skew == Millis::ZERO {
            return;
        }
        if self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= REFUSALS {
            self.refusals.store(0, Ordering::Relaxed);
            // Unless another attempt has found a better one meanwhile.
            let _ = self.skew_ms.compare_exchange(
                signed.skew.0,
                0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

#[cfg(test)]
mod tests;
