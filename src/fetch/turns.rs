//! How many windows of an account are put together at once: each holds files open, and a process may open only
//! so many. Turns are given in the order of asking, window by window, so that a job with a thousand windows, or
//! one that hangs, holds up no other for longer than a window. Carries *Bounded* and *Isolated*.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::domain::job::AccountName;
use crate::domain::window_error::WindowError;

/// The turns of all accounts; each has its own, so that none takes those of another.
#[derive(Clone, Debug, Default)]
pub struct Turns(BTreeMap<AccountName, Arc<Semaphore>>);

/// It ends when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many for each account. An account that is not named has as many as it likes.
    pub(crate) fn of(turns: impl IntoIterator<Item = (AccountName, usize)>) -> Self {
        let of = |(account, turns)| (account, Arc::new(Semaphore::new(turns)));
        Self(turns.into_iter().map(of).collect())
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When the program is being stopped.
    pub(super) async fn turn(
        &self,
        account: &AccountName,
        stop: &CancellationToken,
    ) -> Result<Turn, WindowError> {
        let Some(turns) = self.0.get(account) else {
            return Ok(Turn { _permit: None });
        };
        let turn = Arc::clone(turns).acquire_owned();
        match stop.run_until_cancelled(turn).await {
            // It is never closed; without a permit the account's other bounds hold.
            Some(permit) => Ok(Turn {
                _permit: permit.ok(),
            }),
            None => Err(WindowError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn account(name: &str) -> AccountName {
        AccountName(name.to_owned())
    }

    /// Guarantee: Bounded
    /// Guarantee: Isolated
    #[tokio::test(start_paused = true)]
    async fn an_account_waits_for_its_own_turns_only_and_ends_when_it_is_stopped() {
        let (ours, theirs) = (account("ours"), account("theirs"));
        let turns = Turns::of([(ours.clone(), 1), (theirs.clone(), 1)]);
        let stop = CancellationToken::new();
        let turn = turns.turn(&ours, &stop).await.unwrap();
        let hour = Duration::from_hours(1);
        assert!(timeout(hour, turns.turn(&ours, &stop)).await.is_err());
        turns.turn(&theirs, &stop).await.unwrap();
        drop(turn);
        let _turn = turns.turn(&ours, &stop).await.unwrap();
        stop.cancel();
        let stopped = turns.turn(&ours, &stop).await;
        assert!(matches!(stopped, Err(WindowError::Stopped)), "{stopped:?}");
    }
}
