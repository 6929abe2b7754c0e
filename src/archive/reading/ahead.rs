//! Work done by several threads, of which the results are taken in order. Carries *Bounded*: what was made and not
//! taken yet has a bound in bytes, but for what is taken next.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes that may wait behind what is taken next.
const MOST_AHEAD: usize = 128 * 1024 * 1024;

/// What was made and not taken yet.
struct Shelf<T> {
    /// What was made of each unit that was begun, from `taking` on.
    made: VecDeque<Unit<T>>,
    /// The unit whose results are taken.
    taking: usize,
    /// The unit that is begun next.
    next: usize,
    /// Bytes of all results.
    bytes: usize,
    /// Whether nothing more is wanted.
    is_over: bool,
}

struct Unit<T> {
    /// Its results, and how many bytes each is.
    results: VecDeque<(T, usize)>,
    /// Whether no more of it come.
    is_whole: bool,
}

struct Shared<T> {
    shelf: Mutex<Shelf<T>>,
    changed: Condvar,
}

/// Calls `make` with each number below `units`, on so many threads. What it hands on, with how many bytes that is, comes
/// to `take` in the order of the units, until that breaks off.
pub(crate) fn in_order<T: Send>(
    threads: NonZeroUsize,
    units: usize,
    make: impl Fn(usize, &mut dyn FnMut(T, usize) -> ControlFlow<()>) + Sync,
    take: impl FnMut(usize, T) -> ControlFlow<()>,
) {
    within(MOST_AHEAD, threads, units, make, take);
}

fn within<T: Send>(
    most: usize,
    threads: NonZeroUsize,
    units: usize,
    make: impl Fn(usize, &mut dyn FnMut(T, usize) -> ControlFlow<()>) + Sync,
    mut take: impl FnMut(usize, T) -> ControlFlow<()>,
) {
    let shared = Shared {
        shelf: Mutex::new(Shelf {
            made: VecDeque::new(),
            taking: 0,
            next: 0,
            bytes: 0,
            is_over: false,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        let work = || {
            // Whoever waits must not wait for a thread that has panicked.
            let guard = Over(&shared);
            while let Some(unit) = shared.begin(units, threads) {
                make(unit, &mut |made, bytes| {
                    shared.hand_on(unit, made, bytes, most)
                });
                shared.end(unit);
            }
            std::mem::forget(guard);
        };
        let all: Vec<_> = (0..threads.get().min(units))
            .map(|_| scope.spawn(work))
            .collect();
        {
            // However this ends, nobody waits for it.
            let _over = Over(&shared);
            while let Some((unit, made)) = shared.next(units) {
                if take(unit, made).is_break() {
                    break;
                }
            }
        }
        for one in all {
            one.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

/// Ends all when it is dropped.
struct Over<'a, T>(&'a Shared<T>);

impl<T> Drop for Over<'_, T> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, shelf: MutexGuard<'a, Shelf<T>>) -> MutexGuard<'a, Shelf<T>> {
        self.changed
            .wait(shelf)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The unit to begin with now. Not many are begun ahead: each takes some memory of its own.
    fn begin(&self, units: usize, threads: NonZeroUsize) -> Option<usize> {
        let mut shelf = self.lock();
        loop {
            if shelf.is_over || shelf.next == units {
                return None;
            }
            if shelf.next < shelf.taking + 2 * threads.get() {
                let unit = shelf.next;
                shelf.next += 1;
                shelf.made.push_back(Unit {
                    results: VecDeque::new(),
                    is_whole: false,
                });
                return Some(unit);
            }
            shelf = self.wait(shelf);
        }
    }

    fn hand_on(&self, unit: usize, made: T, bytes: usize, most: usize) -> ControlFlow<()> {
        let mut shelf = self.lock();
        // What is taken next never waits for those behind it.
        while !shelf.is_over && shelf.taking != unit && shelf.bytes + bytes > most {
            shelf = self.wait(shelf);
        }
        if shelf.is_over {
            return ControlFlow::Break(());
        }
        shelf.bytes += bytes;
        let at = unit - shelf.taking;
        if let Some(unit) = shelf.made.get_mut(at) {
            unit.results.push_back((made, bytes));
        }
        self.changed.notify_all();
        // What is taken next fills it up to the bound, too.
        while !shelf.is_over && shelf.taking == unit && shelf.bytes > most {
            shelf = self.wait(shelf);
        }
        ControlFlow::Continue(())
    }

    fn end(&self, unit: usize) {
        let mut shelf = self.lock();
        let at = unit - shelf.taking;
        if let Some(unit) = shelf.made.get_mut(at) {
            unit.is_whole = true;
        }
        drop(shelf);
        self.changed.notify_all();
    }

    /// The next result; `None` when there is none any more.
    fn next(&self, units: usize) -> Option<(usize, T)> {
        let mut shelf = self.lock();
        loop {
            if shelf.is_over || shelf.taking == units {
                return None;
            }
            let unit = shelf.taking;
            let Some(first) = shelf.made.front_mut() else {
                shelf = self.wait(shelf);
                continue;
            };
            if let Some((made, bytes)) = first.results.pop_front() {
                shelf.bytes -= bytes;
                self.changed.notify_all();
                return Some((unit, made));
            }
            if first.is_whole {
                shelf.made.pop_front();
                shelf.taking += 1;
                self.changed.notify_all();
                continue;
            }
            shelf = self.wait(shelf);
        }
    }

    fn stop(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

    fn run(most: usize, threads: usize, units: usize, each: usize) -> Vec<(usize, usize)> {
        let mut taken = Vec::new();
        let make = |unit: usize, hand_on: &mut dyn FnMut(usize, usize) -> ControlFlow<()>| {
            for number in 0..(unit * each) % 7 {
                if hand_on(number, 10).is_break() {
                    return;
                }
            }
        };
        within(
            most,
            NonZeroUsize::new(threads).unwrap(),
            units,
            make,
            |unit, made| {
                taken.push((unit, made));
                ControlFlow::Continue(())
            },
        );
        taken
    }

    #[test]
    fn everything_is_taken_in_order_whatever_the_bound() {
        for (threads, units) in [(1, 5), (2, 0), (3, 1), (4, 300)] {
            let expected: Vec<_> = (0..units)
                .flat_map(|unit| (0..(unit * 3) % 7).map(move |number| (unit, number)))
                .collect();
            for most in [0, 10, 25, 1000] {
                assert_eq!(run(most, threads, units, 3), expected, "{threads} {most}");
            }
        }
    }

    /// Guarantee: Bounded
    #[test]
    fn what_waits_has_a_bound() {
        let (waiting, most) = (AtomicIsize::new(0), AtomicIsize::new(0));
        let make = |_: usize, hand_on: &mut dyn FnMut((), usize) -> ControlFlow<()>| {
            for _ in 0..100 {
                if hand_on((), 10).is_break() {
                    return;
                }
                let now = waiting.fetch_add(10, Ordering::Relaxed) + 10;
                most.fetch_max(now, Ordering::Relaxed);
            }
        };
        within(100, NonZeroUsize::new(3).unwrap(), 9, make, |_, ()| {
            waiting.fetch_sub(10, Ordering::Relaxed);
            thread::yield_now();
            ControlFlow::Continue(())
        });
        // One more of each thread may be on its way.
        assert!(most.into_inner() <= 100 + 4 * 10);
    }

    #[test]
    fn a_panic_of_a_thread_ends_it_and_is_not_kept_quiet() {
        let ended = std::panic::catch_unwind(|| {
            let make = |unit: usize, _: &mut dyn FnMut((), usize) -> ControlFlow<()>| {
                assert!(unit < 3, "that is too much");
            };
            let go_on = |_, ()| ControlFlow::Continue(());
            within(8, NonZeroUsize::new(2).unwrap(), 1000, make, go_on);
        });
        assert!(ended.is_err());
    }

    #[test]
    fn who_breaks_off_ends_it() {
        let made = AtomicUsize::new(0);
        let make = |_: usize, hand_on: &mut dyn FnMut((), usize) -> ControlFlow<()>| {
            while hand_on((), 1).is_continue() {
                made.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut taken = 0;
        within(8, NonZeroUsize::new(2).unwrap(), 1000, make, |_, ()| {
            taken += 1;
            match taken {
                20 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(taken, 20);
        // Each thread was told soon.
        assert!(made.into_inner() < 100);
    }
}
