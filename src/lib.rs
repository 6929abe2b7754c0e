//! elsa-archiver: copies every log of NAVER Cloud ELSA projects into dated folders, and proves
//! that none is missing.

pub mod archive;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod digest;
pub mod domain;
pub mod durable;
pub mod elsa;
pub mod fetch;
pub mod job;
pub mod ledger;
pub mod printable;
pub mod simulator;
