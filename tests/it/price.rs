//! *Complete* and its second opinion at a fair price: a part of each day that `benches/requests.rs`
//! measures. Nothing here
//! depends on time: worlds, orders and answers follow from seeds.

#[path = "../../benches/price/mod.rs"]
mod measured;

use measured::{ORDERS, Price, Prices, SecondOpinion, WORLDS, World, price, second_opinion};

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn completeness_costs_little_more_than_the_least_possible() {
    let mut all = Prices::default();
    for (_, shape) in WORLDS {
        for (_, order) in ORDERS {
            all += price(World { shape, hours: 12 }, order).await;
        }
    }
    let Prices { cold, warm } = all;
    assert!(cold.requests_ratio() <= 2.0, "{cold:?}");
    assert!(cold.bytes_ratio() <= 1.6, "{cold:?}");
    assert!(warm.requests_ratio() <= 1.25, "{warm:?}");
    assert!(warm.bytes_ratio() <= 1.15, "{warm:?}");
    // Cheaper than possible would be a mistake in the measurement.
    assert!(cold.requests > cold.least && warm.requests > warm.least);
    assert!(cold.downloaded > cold.kept && warm.downloaded >= warm.kept);
}

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_second_opinion_costs_two_searches_a_piece_or_a_sixteenth_of_the_bytes() {
    // Windows of more than 9,999 records are searched in pieces; those of at most 50 are downloaded
    // again as a whole, those without any too.
    let most = [(4.0, 7.0), (3.0, 10.0), (2.0, 7.0), (1.0, 110.0)];
    for ((name, shape), (searches, percent)) in WORLDS.into_iter().zip(most) {
        let SecondOpinion {
            without,
            by_search,
            by_download,
        } = second_opinion(World { shape, hours: 6 }).await;
        assert_eq!(without.searches, 0, "{name}");
        let searched = by_search.searches_a_window();
        assert!(searched <= searches, "{name}: {searched} searches");
        let again = by_download.bytes_again(without);
        assert!(again <= percent, "{name}: {again} %");
        // Where there is a record, a search that is believed downloads nothing again.
        let downloads = |price: Price| price.requests - price.searches;
        let is_silent = without.kept < 1000;
        assert!(
            is_silent || downloads(by_search) == downloads(without),
            "{name}"
        );
    }
}
