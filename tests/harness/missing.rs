//! What to do where this machine lacks what a test needs.

use std::fmt::Display;
use std::io::Write as _;

/// Set (to `1`), it has a test fail that would leave something out.
const REQUIRE_ALL: &str = "REQUIRE_ALL";

/// Says what a test leaves out, and why; panics instead where everything is required.
#[track_caller]
pub fn left_out(what: &str, why: impl Display) {
    let required = std::env::var_os(REQUIRE_ALL).is_some_and(|set| !set.is_empty() && set != "0");
    assert!(
        !required,
        "{what} can't be tried here ({why}), and {REQUIRE_ALL} is set"
    );
    tell(format!("left out: {what} ({why})"));
}

/// Prints past the test runner, which would keep it to itself.
pub fn tell(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
