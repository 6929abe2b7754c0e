//! Faults of this machine, as what came of a request.

use tokio::task::JoinError;

use crate::domain::retry::Failure;
use crate::elsa::error_response::CallError;

/// Its disk has failed.
pub(super) fn local(error: &dyn std::error::Error) -> CallError {
    CallError::new(Failure::Local, error.to_string())
}

/// The answer, or what it becomes, takes so many bytes, and there is no space for them.
pub(super) fn no_room(error: &dyn std::error::Error, bytes: u64) -> CallError {
    CallError::new(Failure::NoRoom { bytes }, error.to_string())
}

/// A task of the program's own has panicked.
pub(super) fn panicked(error: &JoinError) -> CallError {
    let what = format!("the program failed within itself: {error}");
    CallError::new(Failure::BadAnswer, what)
}

pub(super) fn stopped() -> CallError {
    CallError::new(Failure::Stopped, "the program is being stopped")
}
