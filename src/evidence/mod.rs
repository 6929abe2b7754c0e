//! What proves an archive beyond itself: receipts, by which other places say which copies they have proven.

pub(crate) mod chain;
pub(crate) mod receipt;
pub(crate) mod receipts;
