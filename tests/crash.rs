//! *Atomic*, *Ordered*, *Self-healing*, *Exactly once*, *Isolated*, on disks that lose power, fail
//! and fill up: the real binary under ptrace. See `crash/suite.rs`.

#![allow(unreachable_pub, reason = "a test program has no users")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test makes the disk and the clock that it needs"
)]

mod harness;

#[cfg(target_arch = "x86_64")]
#[path = "crash/suite.rs"]
mod crash;

/// Guarantee: Exactly once
/// Guarantee: Atomic
/// Guarantee: Ordered
#[cfg(not(target_arch = "x86_64"))]
#[test]
fn killed_and_cut_anywhere_the_archive_is_whole_and_ends_up_exact() {
    let why = "the tracer knows the registers of x86-64 alone";
    harness::left_out("the crash matrix", why);
}
