//! What is to be fetched, and what the ledger says about it.

use crate::domain::second_opinion::CrossCheck;
use crate::domain::span::UtcMs;
use crate::domain::window::Window;

/// An archived window with records.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour {
    /// The window.
    pub window: Window,
    /// The number of its newest revision, 1 for the first.
    pub revision: u32,
}

/// What is to be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The window.
    pub window: Window,
    /// How many records are expected in it; `None` if nothing is known.
    pub estimate: Option<u64>,
    /// Before this instant, by either clock, it is not requested.
    pub settled_at: UtcMs,
    /// Whether its count is asked for a second time.
    pub cross_check: CrossCheck,
    /// Records of the window before it, if known.
    pub before: Option<u64>,
    /// Bytes of the largest zip of the window with records before it, if known.
    pub zip_bytes_before: Option<u64>,
    /// Whether nothing is archived of the time before it, and it is not known to be complete.
    pub is_first: bool,
    /// The nearest archived windows with records, before it and after it, where they are near.
    pub neighbours: [Option<Neighbour>; 2],
    /// Whether it is archived as empty, and seen again.
    pub was_empty: bool,
    /// Whether it is archived, and an answer since then contradicts that.
    pub is_contradicted: bool,
    /// Whether all of it is downloaded once more, as the operator wants.
    pub is_wanted_whole: bool,
    /// Whether it has failed for a day beside others that are archived, or was archived for that reason.
    pub is_left_alone: bool,
}
