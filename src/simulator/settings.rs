//! What a simulator starts with.

use crate::clock::machine_time;
use crate::domain::span::{Millis, UtcMs};

use super::dialect::Dialect;
use super::fault::FaultPlan;
use super::lie::Lie;
use super::search::Search;
use super::world::{KeyPair, Project};

/// The simulator's clock: it judges signatures, dates answers and decides what is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceClock {
    /// The machine's clock, moved by this many milliseconds.
    Skewed(Millis),
    /// A clock that does not move.
    Frozen(UtcMs),
}

impl ServiceClock {
    /// What it shows.
    #[must_use]
    pub fn now(self) -> UtcMs {
        match self {
            Self::Skewed(by) => machine_time().plus(by),
            Self::Frozen(at) => at,
        }
    }
}

/// What a simulator starts with. The default is an empty world with the default keys, an honest
/// service and the machine's own clock.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The accounts.
    pub accounts: Vec<KeyPair>,
    /// The projects; of two with the same key and number the first counts.
    pub projects: Vec<Project>,
    /// How it is answered.
    pub dialect: Dialect,
    /// How the search call behaves.
    pub search: Search,
    /// What the answers leave out without saying so.
    pub lies: Vec<Lie>,
    /// The clock.
    pub clock: ServiceClock,
    /// The faults.
    pub faults: FaultPlan,
    /// The instant that decides which records are indexed, in place of the clock.
    pub visible_at: Option<UtcMs>,
    /// What the `Date` header shows in addition to the clock, as behind a cache or a proxy with a
    /// clock of its own. Signatures are judged by the clock alone.
    pub date_skew: Option<Millis>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: vec![KeyPair::default()],
            projects: Vec::new(),
            dialect: Dialect::default(),
            search: Search::default(),
            lies: Vec::new(),
            clock: ServiceClock::Skewed(Millis::ZERO),
            faults: FaultPlan::none(),
            visible_at: None,
            date_skew: None,
        }
    }
}
