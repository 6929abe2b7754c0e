//! Prints what *Complete* costs as a Markdown table: requests sent over the least possible, and
//! bytes downloaded over bytes kept, by world and by the order of the service's records; and what the
//! second opinion adds to it.

#![allow(unreachable_pub, reason = "a benchmark has no users")]

mod price;

use price::{COUNT, LIMIT, ORDERS, Prices, SecondOpinion, WORLDS, World, price, second_opinion};

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
    println!(
        "\nThe second opinion of the windows of the second day: by search, or by download where \
         search is refused.\n\n\
         | world | searches a window | bytes again by download, % |\n\
         |---|--:|--:|"
    );
    for (world, shape) in WORLDS {
        let SecondOpinion {
            without,
            by_search,
            by_download,
        } = second_opinion(World { shape, hours: 24 }).await;
        println!(
            "| {world} | {:.2} | {:.1} |",
            by_search.searches_a_window(),
            by_download.bytes_again(without),
        );
    }
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
