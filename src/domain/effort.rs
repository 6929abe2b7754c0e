//! What a plan takes: how many requests, and how long at the pace of the account. An estimate, before the first answer.

use super::account::Account;
use super::span::Millis;

/// How full an answer is planned to be, of the most that it may hold: the pieces of a dense window keep a margin.
const FILL: f64 = 0.9;

/// Downloads of a window that is expected to hold so many records, of which one answer holds `count` at most. One where
/// nothing is known.
#[must_use]
pub(crate) fn downloads(expected: Option<u64>, count: u64) -> u64 {
    let fits = (count as f64 * FILL).floor().max(1.0);
    expected.map_or(1, |records| (records as f64 / fits).ceil().max(1.0) as u64)
}

/// How long so many requests take to begin, one after the other at the account's requests a second. What the service
/// takes to answer comes on top, and nobody knows that beforehand.
#[must_use]
pub(crate) fn pace(requests: u64, account: &Account) -> Millis {
    let waits = requests.saturating_sub(1) as f64;
    Millis((waits * 1000.0 / account.requests_per_second).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Endpoint;
    use crate::domain::job::AccountName;

    #[test]
    fn a_window_takes_a_download_or_as_many_as_its_records_need() {
        for (expected, count, takes) in [
            (None, 200_000, 1),
            (Some(0), 200_000, 1),
            (Some(180_000), 200_000, 1),
            (Some(180_001), 200_000, 2),
            (Some(1_800_000), 200_000, 10),
            (Some(5), 1, 5),
        ] {
            assert_eq!(downloads(expected, count), takes, "{expected:?} of {count}");
        }
    }

    #[test]
    fn requests_begin_at_the_pace_of_the_account() {
        let account = |requests_per_second| Account {
            name: AccountName("a".to_owned()),
            endpoint: Endpoint::parse("http://localhost").unwrap(),
            max_in_flight: 2,
            requests_per_second,
        };
        assert_eq!(pace(0, &account(2.0)), Millis::ZERO);
        assert_eq!(pace(1, &account(2.0)), Millis::ZERO);
        assert_eq!(pace(101, &account(2.0)), Millis::from_secs(50));
        assert_eq!(pace(2, &account(0.1)), Millis::from_secs(10));
    }
}
