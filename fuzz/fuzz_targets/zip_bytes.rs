//! Any bytes as the zip of an answer.

#![no_main]

use elsa_archiver_fuzz::unpacking::unpack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|zip: &[u8]| {
    let _ = unpack(zip);
});
