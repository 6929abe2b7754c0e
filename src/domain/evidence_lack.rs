//! What an archive's evidence lacks of what the operator has configured. Pure.
//!
//! **Candid**: heads that are signed and timestamped no more look like those that are, until somebody needs them.

use super::span::{Millis, UtcMs};

/// One head is made a day. So long without one is more than a daemon that was away at night.
const LATE: Millis = Millis::from_days(2);

/// How far back a timestamp matters.
pub(crate) const WITHIN: Millis = LATE;

/// The heads of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    /// When the oldest was made.
    pub(crate) oldest: UtcMs,
    /// When the newest was made.
    pub(crate) newest: UtcMs,
    /// Whether the newest is signed by the key that it names.
    pub(crate) is_signed: bool,
    /// When the newest of those that are timestamped was made; `None` where none of the last ones is.
    pub(crate) stamped: Option<UtcMs>,
}

/// What there should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Another head each day: a daemon is at work.
    pub(crate) daily: bool,
    /// Signatures.
    pub(crate) signed: bool,
    /// Timestamps.
    pub(crate) stamped: bool,
}

/// What is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// A head of these days.
    Head,
    /// A signature of the newest head.
    Signature,
    /// A timestamp of these days.
    Timestamp,
}

/// What is lacking at `now`.
pub(crate) fn lacks(heads: Heads, wanted: Wanted, now: UtcMs) -> Vec<Lack> {
    let is_late = |since: UtcMs, until: UtcMs| until.since(since) > LATE;
    // Where nothing makes heads, nothing is timestamped.
    let until = if wanted.daily { now } else { heads.newest };
    let stamped = heads.stamped.unwrap_or(heads.oldest);
    let all = [
        (Lack::Head, wanted.daily && is_late(heads.newest, now)),
        (Lack::Signature, wanted.signed && !heads.is_signed),
        (Lack::Timestamp, wanted.stamped && is_late(stamped, until)),
    ];
    let lacking = all.into_iter().filter(|(_, is_lacking)| *is_lacking);
    lacking.map(|(lack, _)| lack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn at(days: i64) -> UtcMs {
        UtcMs(days * DAY)
    }

    const ALL: Wanted = Wanted {
        daily: true,
        signed: true,
        stamped: true,
    };

    fn heads() -> Heads {
        Heads {
            oldest: at(0),
            newest: at(99),
            is_signed: true,
            stamped: Some(at(99)),
        }
    }

    /// Guarantee: Candid
    #[test]
    fn what_was_configured_and_is_no_more_is_lacking() {
        let now = at(100);
        assert_eq!(lacks(heads(), ALL, now), []);
        assert_eq!(lacks(heads(), ALL, at(101)), []);
        let old = lacks(heads(), ALL, UtcMs(at(101).0 + 1));
        assert_eq!(old, [Lack::Head, Lack::Timestamp]);
        let unsigned = Heads {
            is_signed: false,
            ..heads()
        };
        assert_eq!(lacks(unsigned, ALL, now), [Lack::Signature]);
        for stamped in [Some(at(97)), None] {
            let unstamped = Heads { stamped, ..heads() };
            assert_eq!(lacks(unstamped, ALL, now), [Lack::Timestamp]);
        }
        // The authority has not been asked for long.
        let young = Heads {
            oldest: at(99),
            stamped: None,
            ..heads()
        };
        assert_eq!(lacks(young, ALL, now), []);
    }

    /// Guarantee: Candid
    #[test]
    fn what_nobody_configured_is_not_lacking() {
        let bare = Heads {
            is_signed: false,
            stamped: None,
            ..heads()
        };
        let nothing = Wanted {
            daily: false,
            signed: false,
            stamped: false,
        };
        assert_eq!(lacks(bare, nothing, at(1000)), []);
        // An archive that nothing writes any more keeps what it has.
        let at_rest = Wanted {
            daily: false,
            ..ALL
        };
        assert_eq!(lacks(heads(), at_rest, at(1000)), []);
    }
}
