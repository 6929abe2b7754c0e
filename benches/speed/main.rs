//! Prints how fast the parts of archiving are beside tools that do the same, as ratios of times taken in
//! turns: docs/performance.md.

#![allow(unreachable_pub, reason = "a benchmark has no users")]

mod memory;
mod turns;

fn main() {
    memory::print();
}
