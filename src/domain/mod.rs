//! The pure core: it decides, and has no clock, disk, network or runtime.
//!
//! `now` always comes in as a value. What is due is [`plan::plan`]'s answer, what an answer is
//! worth is [`split::resolve`]'s, what to do after a failure is [`retry::Policy::next`]'s.

pub mod account;
pub(crate) mod assembly;
pub mod authority_url;
pub(crate) mod backoff;
pub(crate) mod bound;
pub mod bucket_address;
pub mod circuit_breaker;
pub(crate) mod conditional_writes;
pub(crate) mod coverage;
pub(crate) mod effort;
pub(crate) mod evidence_lack;
pub mod failures;
pub(crate) mod growth;
pub mod hold;
pub mod identity;
pub(crate) mod incomplete;
pub mod job;
pub(crate) mod job_changes;
pub mod limits;
pub(crate) mod loss;
pub mod notice;
pub mod notify_url;
pub(crate) mod open_files;
mod origin;
pub mod outage;
pub(crate) mod plan;
pub mod proxy;
pub(crate) mod prune;
pub(crate) mod queue;
pub mod recheck;
pub mod records_digest;
pub mod retry;
pub mod schedule;
pub mod second_opinion;
pub mod secret;
pub mod settings;
pub mod signing;
pub(crate) mod silence;
pub mod span;
pub(crate) mod split;
pub mod standing;
pub mod store_kind;
pub(crate) mod user;
pub mod window;
pub(crate) mod window_error;
