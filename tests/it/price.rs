//! *Complete* at a fair price: half of each day that `benches/requests.rs` measures. Nothing here
//! depends on time: worlds, orders and answers follow from seeds.

#[path = "../../benches/price/mod.rs"]
mod measured;

use measured::{ORDERS, Prices, WORLDS, World, price};

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
