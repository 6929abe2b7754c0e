//! Losses: what the service does not have any more. Carries *Candid*: nothing is lost unasked, and nothing
//! by our clock alone.

use super::job::Job;
use super::plan::reach;
use super::span::UtcMs;
use super::window::Window;

/// What an answer says of a window that was asked for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There are records, or nothing is known of them.
    Something,
    /// There are none.
    Nothing,
    /// The service refuses the span.
    Refused,
}

/// What follows from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The window is what the answer says.
    None,
    /// The service has forgotten the window.
    Lost,
    /// It has, if our clock is right, and the service does not tell the time.
    Unknown,
}

/// Whether `window` is past the job's `retention` at `now`: the service may have forgotten all of it.
#[must_use]
pub(crate) fn is_past(window: Window, now: UtcMs, job: &Job) -> bool {
    reach(now, job).is_some_and(|edge| window.to() <= edge)
}

/// What an answer to a window of `job` means. `now` is the earlier of our clock and the service's;
/// `is_dated` is whether the service's is known.
#[must_use]
pub(crate) fn loss(window: Window, answer: Answer, now: UtcMs, is_dated: bool, job: &Job) -> Loss {
    match answer {
        Answer::Nothing | Answer::Refused if is_past(window, now, job) => match is_dated {
            true => Loss::Lost,
            false => Loss::Unknown,
        },
        Answer::Something | Answer::Nothing | Answer::Refused => Loss::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::tests::job;
    use crate::domain::span::{Millis, Span};

    /// Guarantee: Candid
    #[test]
    fn only_a_window_past_retention_that_was_asked_for_in_vain_is_lost() {
        let keeps = Job {
            retention: Some(Millis(1000)),
            ..job()
        };
        let window = Window::of(Span::new(UtcMs(0), UtcMs(500)).unwrap());
        let (before, after) = (UtcMs(1499), UtcMs(1500));
        for (answer, now, is_dated, job, expected) in [
            (Answer::Nothing, after, true, &keeps, Loss::Lost),
            (Answer::Refused, after, true, &keeps, Loss::Lost),
            (Answer::Something, after, true, &keeps, Loss::None),
            (Answer::Nothing, before, true, &keeps, Loss::None),
            (Answer::Refused, before, true, &keeps, Loss::None),
            (Answer::Nothing, after, false, &keeps, Loss::Unknown),
            (Answer::Nothing, after, true, &job(), Loss::None),
        ] {
            let found = loss(window, answer, now, is_dated, job);
            assert_eq!(found, expected, "{answer:?} at {now}");
        }
    }
}
