//! Hashes one record of a file after another, each from its first byte to its last, in whatever
//! chunks they come. Carries *Bounded*: a record of any size takes the same few hundred bytes.

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// Hashes records while a file is scanned. Places are in bytes from the start of the file.
pub(super) struct Hashing {
    /// Where the chunk begins that is being scanned.
    chunk_start: u64,
    /// The first byte of the record that is not hashed yet; `None` between records.
    from: Option<u64>,
    /// What the record had in earlier chunks; used only where it had any.
    earlier: Xxh3Default,
    has_earlier: bool,
}

impl Hashing {
    pub(super) const fn new() -> Self {
        Self {
            chunk_start: 0,
            from: None,
            earlier: Xxh3Default::new(),
            has_earlier: false,
        }
    }

    /// The chunk that begins at `at` is scanned from now on.
    pub(super) const fn enter(&mut self, at: u64) {
        self.chunk_start = at;
    }

    /// A record begins at `at`, in this chunk.
    pub(super) fn begin(&mut self, at: u64) {
        self.from = Some(at);
        if self.has_earlier {
            self.earlier.reset();
            self.has_earlier = false;
        }
    }

    /// The record ends before `end`, in this chunk or at its end. Returns its hash.
    pub(super) fn end(&mut self, chunk: &[u8], end: u64) -> u128 {
        let last = self.in_chunk(chunk, end);
        self.from = None;
        if !self.has_earlier {
            return xxh3_128(last);
        }
        self.earlier.update(last);
        self.earlier.digest128()
    }

    /// The chunk is over. A record that is not is gone on with in the next.
    pub(super) fn leave(&mut self, chunk: &[u8]) {
        let end = self.chunk_start + chunk.len() as u64;
        if self.from.is_some() {
            let some = self.in_chunk(chunk, end);
            self.earlier.update(some);
            self.has_earlier = true;
            self.from = Some(end);
        }
    }

    /// What of the record lies in `chunk`, before `end`.
    fn in_chunk<'a>(&self, chunk: &'a [u8], end: u64) -> &'a [u8] {
        let at = |place: u64| place.saturating_sub(self.chunk_start) as usize;
        let from = at(self.from.unwrap_or(end));
        chunk.get(from..at(end)).unwrap_or_default()
    }
}
