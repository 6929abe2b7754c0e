//! elsa-archiver: copies every log of NAVER Cloud ELSA projects into dated folders, and proves
//! that none is missing.
//!
//! The program is `src/main.rs`. This library exists for it, and for the tests, benches and fuzz
//! targets. README.md has the guarantees, ARCHITECTURE.md the map and who may use whom:
//!
//! - [`cli`]: the commands and what they print
//! - `daemon`: schedules, signals, systemd
//! - [`job`]: one job, from a look to a ledger line
//! - [`fetch`]: one span from the service into `.staging`
//! - [`domain`]: the pure decisions
//! - [`archive`]: windows on disk
//! - [`ledger`]: what was archived, as a chain of lines
//! - `evidence`: receipts of other places
//! - [`elsa`]: the service and what it answers
//! - [`config`]: the config file
//! - `object_storage`: a copy of an archive in a bucket, to be read
//! - `notify`: a dead man's switch, a webhook and a program are told what happens
//! - `observe`: metrics, health and a page, for whoever asks
//! - `page`: the coverage of the archive as HTML
//! - [`simulator`]: an ELSA on loopback with a known truth
//! - [`durable`]: every change of the disk
//! - [`clock`], [`digest`], `printable`: the time, SHA-256, text from outside

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
pub(crate) mod evidence;
pub mod fetch;
pub mod job;
pub mod ledger;
pub(crate) mod notify;
pub(crate) mod object_storage;
pub(crate) mod observe;
pub(crate) mod page;
pub(crate) mod printable;
pub mod simulator;
