//! Our clock against the service's, before a cycle asks for anything. Carries *Self-healing*: a clock that is
//! ahead makes nothing be asked for too early.

use super::view::View;
use crate::domain::backoff::is_over;
use crate::domain::coverage::Coverage;
use crate::domain::job::{Job, ToBound};
use crate::domain::plan::due_by_our_clock_alone;
use crate::domain::retry::Failure;
use crate::domain::span::{Millis, Span, UtcMs};
use crate::domain::window::Window;
use crate::elsa::error_response::CallError;
use crate::elsa::request::Request;
use crate::fetch::Source;

/// How long the service is not asked again what time it is, while our clock is ahead of its.
const TIME_PAUSE: Millis = Millis::from_mins(1);

/// What is known of the service's clock beside its answers.
#[derive(Debug, Default)]
pub(super) struct ServiceTime {
    /// When the service was asked what time it is because our clock was ahead, by our clock.
    asked: Option<UtcMs>,
}

impl ServiceTime {
    /// The earlier of our clock and the service's. Where a window is due by our clock alone, the
    /// service is asked what time it is: it may have been our clock that was ahead, which is right
    /// by now, and nothing might be asked for ever after.
    pub(super) async fn now(
        &mut self,
        view: View<'_>,
        source: &Source,
        planned: &impl Fn(UtcMs, &Coverage, &[Span], &Job) -> Vec<Window>,
    ) -> UtcMs {
        let View {
            ours, both, replay, ..
        } = view;
        let again = self.asked.map(|asked| asked.plus(TIME_PAUSE));
        if both == ours || again.is_some_and(|again| !is_over(again, ours, TIME_PAUSE)) {
            return both;
        }
        let owed = replay.missing.spans();
        let due = |now| planned(now, &replay.coverage, &owed, view.job);
        let Some(window) = due_by_our_clock_alone(&due(ours), &due(both)) else {
            return both;
        };
        self.asked = Some(ours);
        time(source, window, ours, both).await
    }
}

/// The earlier of both clocks, once the service was asked because `window` is due by our clock
/// alone. `both` is what was known of it before, `ours` our own clock.
async fn time(source: &Source, window: Window, ours: UtcMs, both: UtcMs) -> UtcMs {
    let asked = ask_the_time(source, window).await;
    let now = asked.and_then(Result::ok).unwrap_or(both);
    if now < window.to().plus(source.job.settle) {
        tracing::warn!(
            job = %source.job.name,
            window = %window,
            ahead_s = ours.since(now).as_secs(),
            "this machine's clock is ahead of the service's, by which the window has not settled \
             yet; check NTP"
        );
    }
    now
}

/// Requests `window` to learn the service's time, which any answer shows. Returns the earlier of
/// its clock and ours; `None` when the program is being stopped.
async fn ask_the_time(source: &Source, window: Window) -> Option<Result<UtcMs, CallError>> {
    let to_bound = source.job.to_bound.unwrap_or(ToBound::Exclusive);
    let request = Request::new(&source.job, to_bound, window.span()).for_at_most(1);
    let asked = source.client.ask(&request);
    match source.stop.run_until_cancelled(asked).await? {
        Err(error) if !error.failure.is_answer() => Some(Err(error)),
        _ if !source.client.is_dated() => Some(Err(CallError::new(
            Failure::Passing,
            "its answer does not say what time it is".to_owned(),
        ))),
        _ => Some(Ok(source.client.now())),
    }
}
