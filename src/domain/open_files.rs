//! How many windows may be put together at once under a limit of open files. Carries *Bounded*.

/// Threads of the program at most: those of the runtime, and those for work that waits for a disk.
pub(crate) const THREADS: usize = 32;

/// What is open whatever is archived: standard streams, locks, the runtime's own, the configuration.
const OURS: u64 = 40;

/// What one thread has open while it works on a disk, at most and for a moment: a zip, a file, a folder.
const A_THREAD: u64 = 3;

/// A connection, and one that was used before and may be used again.
const A_REQUEST: u64 = 2;

/// Files of one window that are made durable together, at most; as many wait for it.
pub(crate) const FLUSHED_AT_ONCE: usize = 8;

/// What a window has open: its zip, the file that is being written, those that are flushed, those that wait for
/// it, and one more that is about to.
const A_WINDOW: u64 = 3 + 2 * FLUSHED_AT_ONCE as u64;

/// More would not archive faster, since an account has at most so many requests in flight, and would take memory.
const MOST: u64 = 64;

/// How many windows of each of `accounts` may be put together at once, where all accounts have `in_flight`
/// requests in flight together and the process may open `limit` files. At least 1, also where that does not fit.
pub(crate) fn turns(limit: u64, accounts: usize, in_flight: u64) -> usize {
    let left = limit
        .saturating_sub(OURS + THREADS as u64 * A_THREAD)
        .saturating_sub(in_flight.saturating_mul(A_REQUEST));
    let share = left / A_WINDOW / (accounts as u64).max(1);
    // At most `MOST`, which fits.
    usize::try_from(share.clamp(1, MOST)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Bounded
    #[test]
    fn whatever_is_open_at_once_stays_below_the_limit_where_it_can() {
        for (limit, accounts, in_flight, expected) in [
            (1024, 1, 2, 46),
            (1024, 20, 40, 2),
            (182, 1, 4, 2),
            (524_288, 1, 2, 64),
            (524_288, 100, 200, 64),
            // It does not fit: one at a time is tried.
            (64, 1, 2, 1),
            (1024, 1000, 2000, 1),
            (0, 0, 0, 1),
            (u64::MAX, 1, u64::MAX, 1),
        ] {
            assert_eq!(turns(limit, accounts, in_flight), expected, "{limit}");
        }
    }
}
