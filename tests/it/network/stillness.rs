//! Time that stands still until a test moves it: sockets work, no timer runs. So deadlines of half
//! an hour are met to the second, and no machine is too slow for them.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, advance};

/// As long as it lives, tokio's paused clock does not advance by itself when all tasks wait.
pub struct Stillness {
    _ends: Sender<()>,
}

impl Stillness {
    /// Begins. Needs a test with `start_paused`.
    pub fn begin() -> Self {
        let (ends, ended) = channel();
        // Tokio lets paused time alone while blocking work is under way.
        tokio::task::spawn_blocking(move || ended.recv());
        Self { _ends: ends }
    }

    /// Lets time go on, second by second, once `reached` has been told, until `asked` has ended.
    /// Returns what it came to, and how long it took.
    pub async fn pass<T>(&self, asked: impl Future<Output = T>, reached: &Notify) -> (T, Duration) {
        let begun = Instant::now();
        tokio::pin!(asked);
        tokio::select! {
            biased;
            ended = &mut asked => return (ended, begun.elapsed()),
            () = reached.notified() => {}
        }
        let ended = self.pass_by(Duration::from_secs(1), asked, || ()).await;
        (ended, begun.elapsed())
    }

    /// Lets time go on by `step` and `step` until `asked` has ended; `look` is called before each.
    pub async fn pass_by<T>(
        &self,
        step: Duration,
        asked: impl Future<Output = T>,
        mut look: impl FnMut(),
    ) -> T {
        let begun = Instant::now();
        tokio::pin!(asked);
        loop {
            // Whatever has arrived is dealt with first: each yield looks at the sockets.
            for _ in 0..20 {
                tokio::select! {
                    biased;
                    ended = &mut asked => return ended,
                    () = tokio::task::yield_now() => {}
                }
            }
            look();
            assert!(
                begun.elapsed() < Duration::from_hours(1000),
                "it never ends"
            );
            advance(step).await;
        }
    }
}
