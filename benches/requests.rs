//! Prints what *Complete* costs as a Markdown table: requests sent over the least possible, and
//! bytes downloaded over bytes kept, by world and by the order of the service's records.

#![allow(unreachable_pub, reason = "a benchmark has no users")]

mod price;

use price::{COUNT, LIMIT, ORDERS, Prices, WORLDS, World, price};

#[tokio::main]
async fn main() {
    println!(
        "Windows of an hour, count = {COUNT}, limit = {LIMIT}; cold is the first day of a job that \
         knows nothing,\nwarm the day after it.\n\n\
         | world | order | cold: requests | cold: bytes | warm: requests | warm: bytes |\n\
         |---|---|--:|--:|--:|--:|"
    );
    let mut all = Prices::default();
    for (world, shape) in WORLDS {
        for (name, order) in ORDERS {
            let prices = price(World { shape, hours: 24 }, order).await;
            row(world, name, prices);
            all += prices;
        }
    }
    row("all", "all", all);
}

fn row(world: &str, order: &str, Prices { cold, warm }: Prices) {
    println!(
        "| {world} | {order} | {:.2} | {:.2} | {:.2} | {:.2} |",
        cold.requests_ratio(),
        cold.bytes_ratio(),
        warm.requests_ratio(),
        warm.bytes_ratio()
    );
}
