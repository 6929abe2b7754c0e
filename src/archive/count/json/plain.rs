//! Where a run of a string's bytes ends that need no closer look.

/// How many bytes there are before the first quote, backslash, control character or byte beyond ASCII.
/// Eight at a time: in a sum without carries between bytes the lowest bit that is set is the first such byte's.
pub(super) fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    /// The highest bit of each byte that is less than `limit`, up to the first one.
    const fn less(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word & HIGHS
    }
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = less(word ^ (ONES * b'"' as u64), 1);
        let backslashes = less(word ^ (ONES * b'\\' as u64), 1);
        let found = quotes | backslashes | less(word, 0x20) | (word & HIGHS);
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &u8| matches!(byte, 0x20..0x80) && !matches!(byte, b'"' | b'\\');
    let more = rest.iter().position(|byte| !is_plain(byte));
    words.len() * 8 + more.unwrap_or(rest.len())
}

/// Where the first raw control character is. Looking at every byte without stopping is what the
/// compiler can do many at a time.
pub(super) fn first_control(run: &[u8]) -> Option<usize> {
    let is_control = |byte: &u8| *byte < 0x20;
    let any = run.iter().fold(false, |any, byte| any | is_control(byte));
    if any {
        run.iter().position(is_control)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_byte_that_needs_a_closer_look_is_found(
            bytes in prop::collection::vec(prop_oneof![8 => 0x20_u8..0x80, 1 => any::<u8>()], 0..70)
        ) {
            let is_special = |byte: &u8| {
                *byte < 0x20 || *byte >= 0x80 || matches!(byte, b'"' | b'\\')
            };
            let expected = bytes.iter().position(is_special).unwrap_or(bytes.len());
            prop_assert_eq!(plain(&bytes), expected);
        }
    }
}
