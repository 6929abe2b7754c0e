//! How a window ends that is not archived, and what follows from it. Carries *Isolated*: what
//! concerns one window ends no other.

use thiserror::Error;

use super::circuit_breaker::Remedy;

/// Why a window is not archived, or not rechecked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// The program is being stopped.
    #[error("the program is being stopped")]
    Stopped,
    /// It concerns this window only.
    #[error("{0}")]
    Window(String),
    /// A second answer contradicts what is archived of it.
    #[error("{0}")]
    Contradicted(String),
    /// The service refuses the span, or finds nothing there.
    #[error("{0}")]
    Rejected(String),
    /// The service took too long. Smaller spans may succeed.
    #[error("{0}")]
    TooSlow(String),
    /// The job's other windows would fail alike.
    #[error("{message}")]
    Job {
        /// What may end it, where it took a request to find out.
        remedy: Option<Remedy>,
        /// Why, for the operator.
        message: String,
    },
    /// This machine's disk failed. Another try makes sense as soon as there is space.
    #[error("{message}")]
    Disk {
        /// Why, for the operator.
        message: String,
        /// How many bytes must be free beyond `min_free_space`, if known.
        needs_bytes: u64,
        /// Whether the job's other windows would fail alike.
        whole_job: bool,
    },
}

/// What follows from a window's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What the ledger and the log say.
    pub message: String,
    /// As [`Failed::needs_bytes`](super::failures::Failed::needs_bytes).
    pub needs_bytes: Option<u64>,
    /// As [`Failed::contradicts`](super::failures::Failed::contradicts).
    pub contradicts: bool,
    /// Whether the circuit breaker opens, and what may close it.
    pub opens_breaker: Option<Remedy>,
    /// Whether the job's other windows are left for a later cycle.
    pub ends_cycle: bool,
}

impl WindowError {
    /// This machine's disk fails, for all of the job's windows.
    #[must_use]
    pub fn disk(error: &dyn std::error::Error) -> Self {
        Self::Disk {
            message: error.to_string(),
            needs_bytes: 0,
            whole_job: true,
        }
    }

    /// Whether the job's other windows would fail alike.
    #[must_use]
    pub const fn ends_cycle(&self) -> bool {
        match self {
            Self::Job { .. } => true,
            Self::Disk { whole_job, .. } => *whole_job,
            Self::Stopped
            | Self::Window(_)
            | Self::Contradicted(_)
            | Self::Rejected(_)
            | Self::TooSlow(_) => false,
        }
    }

    /// What follows; `None` if the program is being stopped.
    #[must_use]
    pub fn consequence(self) -> Option<Consequence> {
        let contradicts = matches!(self, Self::Contradicted(_));
        let ends_cycle = self.ends_cycle();
        let (message, needs_bytes, opens_breaker) = match self {
            Self::Stopped => return None,
            Self::Window(message)
            | Self::Contradicted(message)
            | Self::Rejected(message)
            | Self::TooSlow(message) => (message, None, None),
            Self::Job { remedy, message } => (message, None, remedy),
            Self::Disk {
                message,
                needs_bytes,
                ..
            } => (message, Some(needs_bytes), None),
        };
        Some(Consequence {
            message,
            needs_bytes,
            contradicts,
            opens_breaker,
            ends_cycle,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Isolated
    #[test]
    fn only_what_all_windows_share_ends_the_cycle() {
        let ends = |error: WindowError| error.consequence().map(|follows| follows.ends_cycle);
        let no = || "no".to_owned();
        assert_eq!(ends(WindowError::Stopped), None);
        for own in [
            WindowError::Window(no()),
            WindowError::Contradicted(no()),
            WindowError::Rejected(no()),
            WindowError::TooSlow(no()),
        ] {
            assert_eq!(ends(own), Some(false));
        }
        let shared = WindowError::Job {
            remedy: Some(Remedy::Operator),
            message: no(),
        };
        let follows = shared.consequence().unwrap();
        assert_eq!(follows.opens_breaker, Some(Remedy::Operator));
        assert!(follows.ends_cycle);
        assert_eq!(ends(WindowError::disk(&std::fmt::Error)), Some(true));
    }
}
