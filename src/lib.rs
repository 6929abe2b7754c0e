//! elsa-archiver: copies every log of NAVER Cloud ELSA projects into dated folders, and proves
//! that none is missing.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "unit tests make the disk and the clock that they need"
    )
)]

pub mod archive;
pub mod cli;
pub mod clock;
pub mod config;
pub(crate) mod daemon;
pub mod digest;
pub mod domain;
pub mod durable;
pub mod elsa;
pub mod fetch;
pub mod job;
pub mod ledger;
pub(crate) mod printable;
pub mod simulator;
