//! Any bytes as the zip of an answer that arrives in pieces of any length: what comes of it is what comes of
//! the whole zip.

#![no_main]

use elsa_archiver_fuzz::unpacking::unpack_in;
use libfuzzer_sys::fuzz_target;

/// Of the input's first bytes, so many are the pieces' lengths.
const LENGTHS: usize = 4;

fuzz_target!(|input: &[u8]| {
    if let Some((lengths, zip)) = input.split_at_checked(LENGTHS) {
        unpack_in(zip, lengths);
    }
});
