//! Repeatable randomness: the same seed makes the same world, order and faults on every machine.

/// A number that looks random and depends on `seed` and `index` alone (the SplitMix64 sequence,
/// which may be entered at any index).
pub(super) const fn at(seed: u64, index: u64) -> u64 {
    let mut bits = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// The numbers of one seed, one after another.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    seed: u64,
    index: u64,
}

impl Noise {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, index: 0 }
    }

    pub(super) const fn next(&mut self) -> u64 {
        let value = at(self.seed, self.index);
        self.index = self.index.wrapping_add(1);
        value
    }

    /// A number from 0 to `bound` - 1, or 0 when there is none.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// One of `items`, which isn't empty; the type's default otherwise.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let chosen = self.below(items.len() as u64) as usize;
        items.get(chosen).copied().unwrap_or_default()
    }

    /// True with the given probability, 0.0 to 1.0.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what an f64 holds exactly; the largest quotient is below 1.0, so that a
        // probability of 1.0 is certain.
        ((self.next() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// Puts `items` in an order that depends on the seed and their number alone.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
