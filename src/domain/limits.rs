//! How much one answer may become on disk. Pure; carries *Bounded*.

/// Bounds on what one zip may become, enforced on the bytes that really come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes all its files may have together.
    pub unpacked_bytes: u64,
    /// How many entries it may have.
    pub entries: usize,
    /// The largest compression ratio, checked above 16 MiB.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 200,000 logs, the largest answer, of 40 KiB each.
            unpacked_bytes: 8 * 1024 * 1024 * 1024,
            // A file a page makes 200 of the largest answer with the largest pages.
            entries: 20_000,
            // Deflate itself can't exceed 1032; logs reach some 50.
            ratio: 1000,
        }
    }
}

impl Limits {
    /// The same for an answer of up to `count` records on pages of `limit`: a file for each page,
    /// and some beside them, are never too many.
    #[must_use]
    pub fn for_pages(self, count: u32, limit: u32) -> Self {
        const BESIDE_PAGES: u32 = 100;
        let pages = count.div_ceil(limit.max(1)).saturating_add(BESIDE_PAGES);
        Self {
            entries: self.entries.max(pages.try_into().unwrap_or(usize::MAX)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Bounded
    #[test]
    fn a_file_for_each_page_is_never_too_many() {
        let limits = Limits::default();
        assert_eq!(limits.for_pages(200_000, 1000), limits);
        assert_eq!(limits.for_pages(200_000, 1).entries, 200_100);
        assert_eq!(limits.for_pages(200_000, 9).entries, 22_323);
        assert_eq!(limits.for_pages(u32::MAX, 0).entries, u32::MAX as usize);
    }
}
