//! Windows that are asked for again wait behind all others, and are no reason to leave those out.

use super::*;
use crate::domain::second_opinion::CrossCheck;
use crate::simulator::{Search, SearchAccess};

/// Guarantee: Complete
/// Guarantee: Isolated
#[tokio::test]
async fn a_window_that_is_asked_for_again_sends_no_recheck_away() {
    let mut rig = Rig::at(2 * HOUR + HOUR / 2).await;
    rig.recheck = Some(Millis(DAY));
    rig.service.set_search(Search {
        access: SearchAccess::Denied,
        ..Search::default()
    });
    let mut runner = rig.runner(Arc::new(NoProgress), Deadlines::default());
    Arc::make_mut(&mut runner.job).cross_check = CrossCheck::All;
    assert_eq!(cycle(&mut runner).await.archived, 2);
    // The newest window holds no logs, so it waits for a second answer.
    rig.set_clocks(2 * DAY + HOUR + HOUR / 2, 2 * DAY + HOUR + HOUR / 2);
    let outcome = cycle(&mut runner).await;
    assert_eq!(outcome.archived, 47);
    assert!(outcome.rechecked >= 2, "{outcome:?}");
}
