//! What waits to be told to a receiver: so much, and no more. Carries *Bounded* and *Candid*: what is dropped is
//! counted by whoever asks.

use std::collections::VecDeque;

/// A queue of bounded length.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    waiting: VecDeque<T>,
    most: usize,
}

impl<T> Backlog<T> {
    /// For at most so many, at least 1.
    pub(crate) const fn of(most: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            most,
        }
    }

    /// Takes one in. Where there is no room the oldest one that is not critical is dropped, be it this one; where all
    /// are, the oldest. Returns what is dropped.
    pub(crate) fn push(&mut self, one: T, is_critical: impl Fn(&T) -> bool) -> Option<T> {
        self.waiting.push_back(one);
        if self.waiting.len() <= self.most {
            return None;
        }
        let oldest = self.waiting.iter().position(|one| !is_critical(one));
        self.waiting.remove(oldest.unwrap_or(0))
    }

    /// The oldest.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// Leaves out those that are not to be kept.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        self.waiting.retain(is_kept);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is such a one.
    pub(crate) fn has(&self, is_meant: impl Fn(&T) -> bool) -> bool {
        self.waiting.iter().any(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(backlog: &mut Backlog<i32>) -> Vec<i32> {
        std::iter::from_fn(|| backlog.pop()).collect()
    }

    /// Guarantee: Bounded
    #[test]
    fn the_oldest_that_is_not_critical_gives_way_and_the_order_stays() {
        // Negative numbers are critical.
        let is_critical = |one: &i32| *one < 0;
        let mut backlog = Backlog::of(3);
        for one in [-1, 2, 3] {
            assert_eq!(backlog.push(one, is_critical), None);
        }
        assert_eq!(backlog.push(-4, is_critical), Some(2));
        assert_eq!(backlog.push(-5, is_critical), Some(3));
        assert_eq!(backlog.push(6, is_critical), Some(6));
        assert_eq!(backlog.push(-7, is_critical), Some(-1));
        assert_eq!(backlog.len(), 3);
        assert_eq!(all(&mut backlog), [-4, -5, -7]);
        for one in 0..100_000 {
            backlog.push(one, is_critical);
            assert!(backlog.len() <= 3);
        }
        assert_eq!(all(&mut backlog), [99_997, 99_998, 99_999]);
    }
}
