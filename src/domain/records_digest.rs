//! What a window's records are, whatever their order: one number that says whether two answers hold
//! the same. Carries *Complete*: two answers of as many records may still hold others.
//!
//! It compares and proves nothing: whoever writes the records could make two sets with one digest.
//! What is archived is proven by SHA-256.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hex digits of a digest.
const DIGITS: usize = 32;

/// The sum of the 128-bit hashes of records, modulo 2^128. A record that comes twice counts twice.
/// As text it is 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordsDigest(u128);

impl RecordsDigest {
    /// Adds a record, by its hash.
    pub const fn add(&mut self, hash: u128) {
        self.0 = self.0.wrapping_add(hash);
    }

    /// Adds all records of another digest.
    pub const fn merge(&mut self, other: Self) {
        self.add(other.0);
    }
}

impl fmt::Display for RecordsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for RecordsDigest {
    type Err = &'static str;

    /// Reads 32 lower-case hex digits; upper case is refused, so that a digest has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a digest of records is 32 lower-case hex digits";
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.bytes().all(is_digit) {
            return Err(WRONG);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| WRONG)
    }
}

impl Serialize for RecordsDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordsDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(hashes: &[u128]) -> RecordsDigest {
        let mut digest = RecordsDigest::default();
        hashes.iter().for_each(|&hash| digest.add(hash));
        digest
    }

    #[test]
    fn no_records_have_32_zeros_and_nothing_else_is_read_as_them() {
        let none = RecordsDigest::default().to_string();
        assert_eq!(none, "0".repeat(32));
        assert_eq!(of(&[0xab, u128::MAX]).to_string(), format!("{:032x}", 0xaa));
        let digits = "0123456789abcdef0123456789abcdef";
        let json = format!("{digits:?}");
        let read: RecordsDigest = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        let upper = digits.to_uppercase();
        let signed = format!("+{}", &digits[1..]);
        for wrong in ["", "0", &none[1..], &upper, &signed, &format!("{none}0")] {
            assert!(wrong.parse::<RecordsDigest>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<RecordsDigest>("0").is_err());
    }

    proptest! {
        /// Guarantee: Complete
        #[test]
        fn the_digest_depends_on_the_records_and_not_on_their_order_or_parts(
            mut hashes in proptest::collection::vec(1u128.., 1..20),
            cut in any::<proptest::sample::Index>(),
        ) {
            let whole = of(&hashes);
            let (first, second) = hashes.split_at(cut.index(hashes.len()));
            let mut merged = of(second);
            merged.merge(of(first));
            prop_assert_eq!(merged, whole);
            let one = hashes[cut.index(hashes.len())];
            hashes.reverse();
            prop_assert_eq!(of(&hashes), whole);
            hashes.push(one);
            prop_assert_ne!(of(&hashes), whole);
        }
    }
}
