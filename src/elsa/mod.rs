//! The service: what is sent to ELSA and how its answers are understood (`ELSA-API.md`). Carries
//! *Suspicious* and, with the limiter, *Bounded*.

pub mod client;
pub mod error_response;
pub(crate) mod limiter;
pub mod network;
pub(crate) mod redact;
pub mod request;
pub(crate) mod signature;
