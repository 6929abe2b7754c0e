//! `check --bucket`: whether object storage keeps its word on conditional writes.

use super::Context;
use super::exit::Stop;
use super::given::bucket;
use super::print::print_fitted;
use crate::domain::conditional_writes::Verdict;
use crate::object_storage::{Probed, RACES, WRITERS, probe};

/// Finds it out at an address like `s3://bucket/prefix`, and says it. The configuration is not checked.
pub(super) fn check(context: &Context<'_>, address: &str) -> Result<(), Stop> {
    let bucket = bucket(context, address)?;
    let shown = bucket.address();
    let Probed { verdict, left } = probe(&bucket);
    let told = match &verdict {
        Verdict::Kept => format!(
            "{shown} keeps its word on conditional writes: {RACES} times {WRITERS} writers raced, one of them was the first, and all \
             saw it\n"
        ),
        Verdict::Broken(breach) => format!(
            "{shown} does not keep its word on conditional writes: {breach}. Let one instance alone write there\n"
        ),
        Verdict::Unknown(why) => format!(
            "{shown}: whether it keeps its word on conditional writes could not be found out: {why}\n"
        ),
    };
    print_fitted(&told, 2)?;
    for (file, why) in &left {
        print_fitted(
            &format!("can't remove {file}: {why}; remove it yourself\n"),
            2,
        )?;
    }
    match verdict == Verdict::Kept && left.is_empty() {
        true => Ok(()),
        false => Err(Stop::told()),
    }
}
