//! The clock: the one place that reads the time of day. It is made at the top and handed down.

use std::fmt;
use std::sync::Arc;

use crate::domain::span::UtcMs;

/// The machine's clock, for what has no [`Clock`]: the simulator has another.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn machine_time() -> UtcMs {
    jiff::Timestamp::now().into()
}

/// Tells the time of day; a test hands in its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UtcMs + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(machine_time)
    }

    /// A clock that shows what `now` returns, in UTC milliseconds.
    pub fn new(now: impl Fn() -> UtcMs + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now, in UTC milliseconds.
    #[must_use]
    pub fn now(&self) -> UtcMs {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
