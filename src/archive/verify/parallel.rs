//! Folders looked at by several threads, and taken in their order. Carries *Bounded*: what is found of a
//! folder is taken before many more are looked at.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// So many folders a thread are looked at before what is found of them is taken.
const AHEAD: usize = 64;

/// Calls `look` with each number below `count`, on so many threads, and `take` with what it returns, in order.
pub(super) fn in_order<T: Send>(
    threads: NonZeroUsize,
    count: usize,
    look: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T),
) {
    if threads.get() == 1 {
        (0..count).for_each(|at| take(at, look(at)));
        return;
    }
    let batch = threads.get().saturating_mul(AHEAD);
    for first in (0..count).step_by(batch) {
        let end = count.min(first + batch);
        let next = AtomicUsize::new(first);
        let work = || {
            let mut found = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= end {
                    return found;
                }
                found.push((at, look(at)));
            }
        };
        let mut found: Vec<(usize, T)> = thread::scope(|scope| {
            let all: Vec<_> = (0..threads.get().min(end - first))
                .map(|_| scope.spawn(work))
                .collect();
            let joined = all.into_iter().map(|one| one.join());
            joined
                .flat_map(|found| found.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        found.sort_by_key(|(at, _)| *at);
        for (at, found) in found {
            take(at, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_looked_at_once_and_taken_in_order() {
        for (threads, count) in [(1, 10), (2, 0), (2, 1), (3, 1000), (64, 10)] {
            let looks = AtomicUsize::new(0);
            let look = |at| {
                looks.fetch_add(1, Ordering::Relaxed);
                at * 2
            };
            let mut taken = Vec::new();
            let threads = NonZeroUsize::new(threads).unwrap();
            in_order(threads, count, look, |at, found| taken.push((at, found)));
            let expected: Vec<_> = (0..count).map(|at| (at, at * 2)).collect();
            assert_eq!(taken, expected);
            assert_eq!(looks.load(Ordering::Relaxed), count);
        }
    }
}
