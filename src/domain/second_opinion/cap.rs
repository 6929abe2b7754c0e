//! Which cap explains answers that were found cut: one in records, or one in bytes. Carries *Confirmed*.

use super::ALIKE;

/// The largest answer to a window, which a second opinion has shown to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its records.
    pub records: u64,
    /// Bytes of its zip.
    pub zip_bytes: u64,
}

/// Where a service cuts its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// At so many records.
    Records(u64),
    /// At about so many bytes of zip.
    Bytes(u64),
}

impl Cut {
    /// The cap that explains this cut and the one `before` it. One cut alone, or one with about as many
    /// records, is taken for a cap in records.
    #[must_use]
    pub fn cap(self, before: Option<Self>) -> Cap {
        let is_in_bytes = before.is_some_and(|before| {
            is_alike(before.zip_bytes, self.zip_bytes) && !is_alike(before.records, self.records)
        });
        match is_in_bytes {
            true => {
                Cap::Bytes(before.map_or(self.zip_bytes, |cut| cut.zip_bytes.min(self.zip_bytes)))
            }
            false => Cap::Records(self.records),
        }
    }
}

/// Whether an answer whose zip has so many bytes may be cut at a cap of about `cap` bytes.
#[must_use]
pub(crate) fn reaches(zip_bytes: u64, cap: u64) -> bool {
    zip_bytes >= cap - cap / ALIKE
}

/// Whether an answer whose zip has so many bytes shows that there is no cap of about `cap` bytes.
#[must_use]
pub(crate) fn disproves(zip_bytes: u64, cap: u64) -> bool {
    zip_bytes > cap.saturating_add(cap / ALIKE)
}

/// Within a percent.
pub(super) const fn is_alike(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= one / ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Confirmed
    #[test]
    fn answers_alike_in_bytes_and_not_in_records_are_cut_at_a_number_of_bytes() {
        let cut = |records, zip_bytes| Cut { records, zip_bytes };
        let first = cut(3000, 100_000);
        assert_eq!(first.cap(None), Cap::Records(3000));
        assert_eq!(cut(3000, 100_500).cap(Some(first)), Cap::Records(3000));
        assert_eq!(cut(2500, 80_000).cap(Some(first)), Cap::Records(2500));
        assert_eq!(cut(3500, 99_400).cap(Some(first)), Cap::Bytes(99_400));
        assert_eq!(cut(3500, 100_900).cap(Some(first)), Cap::Bytes(100_000));
    }

    #[test]
    fn a_zip_about_as_long_as_the_cap_reaches_it_and_a_longer_one_disproves_it() {
        assert!(reaches(99_000, 100_000) && !reaches(98_900, 100_000));
        assert!(disproves(101_001, 100_000) && !disproves(101_000, 100_000));
        assert!(!reaches(1 << 40, u64::MAX) && !disproves(1 << 40, u64::MAX));
    }
}
