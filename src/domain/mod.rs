//! The pure core: it decides, and has no clock, disk, network or runtime.
//!
//! `now` always comes in as a value. What is due is [`plan::plan`]'s answer, what an answer is
//! worth is [`split::resolve`]'s, what to do after a failure is [`retry::Policy::next`]'s.

pub mod account;
pub mod assembly;
pub mod backoff;
pub mod bound;
pub mod circuit_breaker;
pub mod coverage;
pub mod failures;
pub mod job;
pub mod limits;
pub mod plan;
pub mod queue;
pub mod recheck;
pub mod retry;
pub mod schedule;
pub mod secret;
pub mod span;
pub mod split;
pub mod window;
pub mod window_error;
